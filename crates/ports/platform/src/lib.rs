//! Secrets, the emergency journal, leases, and the names of what is measured.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod kpi;
mod lease;

use std::fmt;

use futures_util::future::BoxFuture;
use nightdesk_units::Timestamp;

pub use lease::{Lease, LeaseAnswer};

/// Why the platform did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// There is no such secret.
    #[error("no secret named {name}: {remedy}")]
    NoSecret {
        /// Its name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// It cannot be reached, read or written.
    #[error("{place}: {detail}")]
    Unavailable {
        /// What.
        place: String,
        /// Why.
        detail: String,
    },
}

/// A secret value. It never prints itself, and its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn expose_str(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.0)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // `black_box` keeps the compiler from dropping writes to memory that nobody reads again.
        self.0.fill(0);
        std::hint::black_box(&mut self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The only home of secrets.
pub trait Secrets: Send + Sync {
    /// The current value of a secret.
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Secret, PlatformError>>;
}

/// One line of the emergency journal: what was done while the database could not record it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyRecord {
    /// When.
    pub at: Timestamp,
    /// What kind, such as `cancel`, `reduce`, `halt`.
    pub kind: String,
    /// The details as JSON.
    pub body: String,
}

/// A local append-only file with space reserved in advance: it takes records when the database is gone or the disk is full.
pub trait EmergencyJournal: Send + Sync {
    /// Appends and makes durable.
    ///
    /// # Errors
    /// When even that is impossible; the caller then acts for safety and says so.
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError>;

    /// Records not yet merged, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError>;

    /// Forgets the first `count` records: they are in the database now.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn merged(&self, count: usize) -> Result<(), PlatformError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
