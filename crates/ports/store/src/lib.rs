//! Where a service keeps what must survive: journal, outbox, inbox, cursors, snapshot and projections.
//!
//! A service has one store and one writer. Everything of one turn is one [`Batch`] and commits in one transaction or not
//! at all. Tables are described by data ([`Table`]), so that one conformance suite and one SQL text serve every adapter.

mod batch;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod limits;
mod model;
pub mod query;
mod table;

use futures_util::future::BoxFuture;
use nightdesk_units::Timestamp;

pub use batch::{Batch, InboxMark, JournalRow, OutboxRow, Snapshot};
pub use model::ModelStore;
pub use table::{Column, Kind, Row, Schema, Table, Value};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space left: nothing was written. Trading that adds risk stops until there is room.
    #[error("no space left on the device of {place}")]
    Full {
        /// Which store.
        place: String,
    },
    /// Another process holds it.
    #[error("{place} is in use by another process")]
    Locked {
        /// Which store.
        place: String,
    },
    /// The store was written by a newer version.
    #[error("{place} has schema version {found}, this program knows {known}: use the newer program")]
    Newer {
        /// Which store.
        place: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Somebody else has written where only we may: we no longer hold the right to.
    #[error("{place} was written by another: {detail}")]
    Fenced {
        /// Which store.
        place: String,
        /// What collided.
        detail: String,
    },
    /// What was read is not what was written.
    #[error("{place} is damaged: {detail}")]
    Corrupt {
        /// Which store.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// It cannot be reached or failed otherwise: nothing was written.
    #[error("{place} not available: {detail}")]
    Unavailable {
        /// Which store.
        place: String,
        /// Why.
        detail: String,
    },
}

/// What a service finds when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Journal rows after the snapshot, oldest first.
    pub tail: Vec<JournalRow>,
    /// Messages committed and not known to be delivered, oldest first per queue.
    pub outbox: Vec<OutboxRow>,
    /// What each source has delivered to us.
    pub inbox: Vec<InboxMark>,
    /// The last sequence number used per queue.
    pub cursors: Vec<(String, u64)>,
}

/// Selects rows of a projection.
#[derive(Debug, Clone)]
pub struct Select {
    /// The table.
    pub table: &'static Table,
    /// Column equals value, all of them.
    pub equal: Vec<(&'static str, Value)>,
    /// Only rows whose key is one of these (first key column); empty: no such condition.
    pub keys: Vec<Value>,
    /// Sort by this column (then by key); `None`: by key.
    pub order_by: Option<&'static str>,
    /// Newest or largest first.
    pub descending: bool,
    /// Only rows after this (order-by value, key) pair in the chosen order: keyset pagination.
    pub after: Option<(Value, Value)>,
    /// At most this many.
    pub limit: usize,
}

impl Select {
    /// All rows of `table` by key, at most `limit`.
    #[must_use]
    pub fn from(table: &'static Table, limit: usize) -> Self {
        Self { table, equal: Vec::new(), keys: Vec::new(), order_by: None, descending: false, after: None, limit }
    }
}

/// An answer to come.
pub type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;

/// A service's store. Opening it (with its [`Schema`]) is the adapter's constructor, because that is where places and
/// locks are known.
pub trait Store: Send + Sync {
    /// Reads what a start needs.
    fn recover(&self) -> Answer<Recovered>;

    /// Writes everything in `batch` in one transaction and makes it durable before it resolves.
    fn commit(&self, batch: Batch) -> Answer<()>;

    /// Journal rows with `version > after` of `stream`, oldest first, at most `limit`.
    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>>;

    /// Rows of a projection.
    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>>;

    /// Commit time of the oldest message not yet delivered.
    fn oldest_outbox(&self) -> Answer<Option<Timestamp>>;
}
