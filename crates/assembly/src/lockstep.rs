//! A run in which the market waits for the services: reproducible to the byte, as fast as they can.

use std::sync::Arc;

use nightdesk_bus_local::LocalBus;
use nightdesk_env::{ActivityCounter, VirtualClock};
use nightdesk_units::Timestamp;

/// A market that is moved by hand.
pub trait Market {
    /// When its next event happens; `None` at the end.
    fn next_at(&mut self) -> Option<Timestamp>;

    /// Lets the next event happen.
    fn step(&mut self);
}

/// Drives clock, bus and market so that only one thing happens at a time.
pub struct Lockstep {
    /// The clock everybody reads.
    pub clock: VirtualClock,
    /// The bus, held.
    pub bus: LocalBus,
    /// What is in progress.
    pub activity: Arc<ActivityCounter>,
}

impl Lockstep {
    /// A driver whose clock shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        let activity = Arc::new(ActivityCounter::new());
        let clock = VirtualClock::with_activity(start, Arc::clone(&activity) as Arc<dyn nightdesk_env::Activity>);
        let bus = LocalBus::held(Arc::clone(&activity) as Arc<dyn nightdesk_env::Activity>);
        Self { clock, bus, activity }
    }

    /// Delivers what waits, one message after the other, until everything is at rest.
    pub async fn settle(&self) {
        loop {
            self.activity.idle().await;
            if !self.bus.release_next() {
                return;
            }
        }
    }

    /// Wakes whoever is due by `until`, one at a time, each to the end of what it leads to.
    pub async fn advance(&self, until: Timestamp) {
        while self.clock.wake_next(until).is_some() {
            self.settle().await;
        }
        self.clock.advance_to(until);
    }

    /// Runs `market` to its end or for `at_most` events; returns how many there were. `each` is called after every event.
    pub async fn run(&self, market: &mut (dyn Market + Send), at_most: u64, mut each: impl FnMut(u64)) -> u64 {
        let mut events = 0;
        while events < at_most {
            let Some(at) = market.next_at() else { break };
            self.advance(at).await;
            market.step();
            self.settle().await;
            events += 1;
            each(events);
        }
        events
    }
}
