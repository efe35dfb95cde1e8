//! The exchange's clock: the machine's, never backwards, not even over a restart.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nightdesk_units::Timestamp;

/// Tells the time.
#[derive(Debug, Default)]
pub(crate) struct ExchangeClock {
    latest: AtomicI64,
    skew_us: AtomicI64,
}

impl ExchangeClock {
    /// The time for matching: at least `not_before` and everything told before.
    pub(crate) fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.latest.fetch_max(wall, Ordering::Relaxed).max(wall))
    }

    /// Time has been at least here: what a resumed data directory says.
    pub(crate) fn not_before(&self, at: Timestamp) {
        self.latest.fetch_max(at.0, Ordering::Relaxed);
    }

    /// The time the exchange tells and checks windows by: skewed while that fault is on.
    pub(crate) fn told(&self) -> Timestamp {
        Timestamp(self.now().0 + self.skew_us.load(Ordering::Relaxed))
    }

    /// Sets the fault's skew.
    pub(crate) fn skew(&self, us: i64) {
        self.skew_us.store(us, Ordering::Relaxed);
    }
}
