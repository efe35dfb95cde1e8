//! What a shell shows of itself to `/health`, `/ready` and `/metrics`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use nightdesk_units::Timestamp;

/// Whether the store takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageState {
    /// Not opened yet.
    Starting,
    /// Takes writes.
    Works,
    /// Refuses them; the shell keeps trying.
    Failed,
}

/// A shell's vital signs; cheap to write every turn, readable from anywhere.
#[derive(Debug, Default)]
pub struct Status {
    last_turn: AtomicI64,
    storage: AtomicU64,
    oldest_outbox: AtomicI64,
    commits: AtomicU64,
    inputs: AtomicU64,
    journal_version: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Status {
    /// When the loop last went round.
    #[must_use]
    pub fn last_turn(&self) -> Timestamp {
        Timestamp(self.last_turn.load(Ordering::Relaxed))
    }

    /// Whether the store takes writes.
    #[must_use]
    pub fn storage(&self) -> StorageState {
        match self.storage.load(Ordering::Relaxed) {
            0 => StorageState::Starting,
            1 => StorageState::Works,
            _ => StorageState::Failed,
        }
    }

    /// Commit time of the oldest message that has not been delivered.
    #[must_use]
    pub fn oldest_outbox(&self) -> Option<Timestamp> {
        match self.oldest_outbox.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Timestamp(at)),
        }
    }

    /// Transactions committed since the start.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Inputs handled since the start.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs.load(Ordering::Relaxed)
    }

    /// The journal's last version.
    #[must_use]
    pub fn journal_version(&self) -> u64 {
        self.journal_version.load(Ordering::Relaxed)
    }

    /// Turns begun and turns ended: a shell that has begun one and shows the same figures for long is stuck.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }

    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Waiting for a store that takes no writes is work too.
    pub(crate) fn waits(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn turned(&self, now: Timestamp, oldest_outbox: Option<Timestamp>, inputs: usize) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.last_turn.store(now.0, Ordering::Relaxed);
        self.oldest_outbox.store(oldest_outbox.map_or(0, |at| at.0), Ordering::Relaxed);
        self.inputs.fetch_add(inputs as u64, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, journal_version: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.journal_version.store(journal_version, Ordering::Relaxed);
    }

    pub(crate) fn set_storage(&self, state: StorageState) {
        let value = match state {
            StorageState::Starting => 0,
            StorageState::Works => 1,
            StorageState::Failed => 2,
        };
        self.storage.store(value, Ordering::Relaxed);
    }
}
