//! One turn's writes.

use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Row;

/// One fact of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// Whose history: the service, or the strategy instance. Together with `version` it is unique, so that two writers
    /// cannot both write the next fact.
    pub stream: String,
    /// Position in the stream, from 1, without gaps.
    pub version: u64,
    /// The epoch the writer acted in.
    pub epoch: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What kind of fact.
    pub kind: String,
    /// The fact as JSON.
    pub body: String,
}

/// A message to be delivered at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// Where to.
    pub queue: String,
    /// Position in that queue's messages of ours, from 1, without gaps.
    pub seq: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// The message as JSON.
    pub body: String,
}

/// Which messages of a source have been handled: all up to `floor`, and those in `above`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxMark {
    /// Source and queue.
    pub source: String,
    /// Everything up to here has been handled.
    pub floor: u64,
    /// Handled ahead of the floor.
    pub above: Vec<u64>,
}

/// A service's state as of a journal version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose.
    pub stream: String,
    /// As of this version.
    pub version: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// The state as JSON.
    pub body: String,
}

/// Everything one turn writes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Facts.
    pub journal: Vec<JournalRow>,
    /// Messages to deliver.
    pub outbox: Vec<OutboxRow>,
    /// Messages delivered: (queue, all up to this sequence number).
    pub delivered: Vec<(String, u64)>,
    /// Messages handled; replaces the source's mark.
    pub inbox: Vec<InboxMark>,
    /// Last sequence number used per queue; replaces it.
    pub cursors: Vec<(String, u64)>,
    /// Rows of projections, whole: a row replaces the one with its key. At most one per key, the last word wins.
    pub rows: Vec<Row>,
    /// Replaces the snapshot.
    pub snapshot: Option<Snapshot>,
}

impl Batch {
    /// True when there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
            && self.outbox.is_empty()
            && self.delivered.is_empty()
            && self.inbox.is_empty()
            && self.cursors.is_empty()
            && self.rows.is_empty()
            && self.snapshot.is_none()
    }
}
