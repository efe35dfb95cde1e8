//! The store in an SQL database, SQLite or PostgreSQL, and leases in PostgreSQL.
//!
//! One file or schema per service, one connection that writes and one that reads. A commit is handed over in one go: to the
//! thread that owns the SQLite connection, or to PostgreSQL as one statement with arrays. Durability is the database's: its
//! write-ahead log, synced by each commit. Tables, selections and what is read are the same for both; [`dialect`] says what
//! differs.

mod backend;
mod dialect;
mod error;
mod postgres;
mod reader;
mod schema;
mod select;
mod sqlite;
mod text;

pub use postgres::{Fence, PostgresLease, PostgresOptions, PostgresStore};
pub use sqlite::{Options, SqliteStore};
