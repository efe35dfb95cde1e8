//! Clock, entropy and activity: what a service may know of the world besides its messages.
//!
//! Services take time and chance only from here, so that the simulator can hand them virtual time and one seed.

mod activity;
mod planted;
mod seeded;
#[cfg(test)]
mod test_waker;
mod virtual_clock;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightdesk_units::Timestamp;

pub use activity::ActivityCounter;
#[cfg(feature = "planted-bugs")]
pub use planted::plant;
pub use planted::planted;
pub use seeded::SeededEntropy;
pub use virtual_clock::VirtualClock;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// Resolves once `now() >= at`. `owner` names the waiting service: a virtual clock wakes those due at the same
    /// instant in the order of their names, which keeps runs reproducible.
    fn sleep_until(&self, owner: &str, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// A source of random bits. Real ones are for keys and jitter; seeded ones for simulation.
pub trait Entropy: Send + Sync {
    /// The next 64 bits.
    fn next_u64(&self) -> u64;

    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// Counts work in progress, so that a lockstep run can tell when everything has come to rest.
///
/// A token is held for each message not yet handled and each effect not yet finished; the run advances the market only
/// when no token is out. Outside lockstep the counter is [`NoActivity`] and costs nothing.
pub trait Activity: Send + Sync {
    /// One more thing is in progress.
    fn begin(&self);
    /// One thing has finished.
    fn end(&self);
}

/// Does not count.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoActivity;

impl Activity for NoActivity {
    fn begin(&self) {}
    fn end(&self) {}
}

/// One thing in progress; finished when dropped.
pub struct Busy(Arc<dyn Activity>);

impl Busy {
    /// Starts counting.
    #[must_use]
    pub fn new(activity: &Arc<dyn Activity>) -> Self {
        activity.begin();
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Busy")
    }
}

/// What every service is given.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Work in progress.
    pub activity: Arc<dyn Activity>,
}

impl Env {
    /// Now, in UTC.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
