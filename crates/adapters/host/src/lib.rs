//! A process's life: config, logs, metrics, health, listening sockets, drain.
//!
//! [`run`] owns life and death, so that a main reads as a wiring list. Nothing here knows what a service does: the
//! application hands in tasks to register, routers to mount and dependencies to watch.

pub mod config;
mod exit;
pub mod http;
mod life;
pub mod logs;
pub mod metrics;
pub mod output;
mod run_file;

pub use exit::{Failure, Status};
pub use life::{Host, Options, Stopping, Threads, run, version};
pub use run_file::{RunFile, RunFileError};
