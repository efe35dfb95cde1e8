//! The whole system on one thread from one seed.
//!
//! All four services, cores and shells, over model ports: disks that fail, a bus that loses, an exchange that answers late or
//! to nobody, in virtual time. A judge outside watches the invariants after every step. The same seed is the same run.
//!
//! It does not cover adapters: those have contract suites and real faults.

mod agenda;
mod bugs;
mod bus;
mod campaign;
mod chance;
mod cli;
mod coverage;
mod emergency;
mod exchange;
mod executor;
mod faults;
mod fuzzer;
mod house;
mod judge;
mod kept;
mod life;
mod logs;
mod matrix;
mod operator;
mod run;
mod settled;
mod setup;
mod slot;
mod store;
mod trace;
mod world;

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod recorded;

pub use bugs::{BUGS, Bug, find, plant};
pub use campaign::{Campaign, Summary};
pub use cli::main;
pub use coverage::Coverage;
pub use kept::KEPT;
pub use run::{Options, Outcome, run};
