//! The store in an SQL database, SQLite or PostgreSQL, and leases in PostgreSQL.
//!
//! One file or schema per service, one connection that writes and one that reads. A commit is one text sent to the database
//! in one trip. For SQLite it is `BEGIN`, a statement per kind of row, `COMMIT`; for PostgreSQL, one statement with arrays.
//! Durability is the database's: its write-ahead log, synced by each commit. Tables, selections and what is read are the same
//! for both; [`dialect`] says what differs.

mod backend;
mod chunk;
mod dialect;
mod error;
mod open;
mod postgres;
mod reader;
mod schema;
mod select;
mod sqlite;
mod text;
mod writer;

pub use open::Options;
pub use postgres::{Fence, PostgresLease, PostgresOptions, PostgresStore};
pub use sqlite::SqliteStore;
