//! Servers of one's own: started on a free loopback port with their files in a directory of ours, and stopped by process id.
//!
//! For tests, which meet the real thing and not a stand-in. They run as an unprivileged user:
//! the programs refuse to run as root. It installs nothing; what is missing is named.

mod postgres;
mod process;

pub use postgres::Postgres;
pub use process::ServerError;
