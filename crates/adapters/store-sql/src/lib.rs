//! The store in an SQL database. SQLite today; the texts are kept so that PostgreSQL needs another [`dialect`] and another
//! opener, not another store.
//!
//! One file per service, one connection that writes and one that reads. A commit is one text sent to the database in one
//! trip: `BEGIN`, a statement per kind of row, `COMMIT`. Durability is SQLite's: a write-ahead log, synced by each commit.

mod chunk;
mod dialect;
mod error;
mod open;
mod reader;
mod schema;
mod select;
mod sqlite;
mod text;
mod writer;

pub use open::Options;
pub use sqlite::SqliteStore;
