//! Servers of one's own: started on free loopback ports with their files in a directory of ours, and stopped by process id.
//!
//! For tests, which meet the real thing and not a stand-in, and for running everything on one machine. They run as an
//! unprivileged user (the programs refuse to run as root) and end with whoever started them, also when that is killed.
//! It installs nothing; what is missing is named. It is no way to run servers that others depend on.

mod keeper;
mod postgres;
mod process;
mod rabbitmq;

pub use keeper::spawn;
pub use postgres::Postgres;
pub use process::{ServerError, free_ports};
pub use rabbitmq::Rabbitmq;
