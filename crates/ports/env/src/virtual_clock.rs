//! Time that a driver sets: for replays in lockstep, backtests and the simulator. Knows no runtime: it wakes wakers.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use nightdesk_units::Timestamp;

use crate::{Activity, Busy, Clock, NoActivity};

/// A clock that stands still until it is moved, and never goes back.
///
/// Who waits is woken in the order (time, owner's name, order of asking). [`VirtualClock::wake_next`] wakes one sleeper
/// at a time, which a run in lockstep needs: whoever is due at the same instant stays asleep until its turn.
#[derive(Clone)]
pub struct VirtualClock {
    shared: Arc<Shared>,
}

struct Shared {
    activity: Arc<dyn Activity>,
    state: Mutex<State>,
}

struct State {
    now: Timestamp,
    /// Sleepers ever made; tells apart those of one owner and instant.
    made: u64,
    sleepers: BTreeMap<Key, Option<Waker>>,
    /// Woken and not yet polled, each in progress until it has seen it.
    woken: BTreeMap<u64, Busy>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Timestamp,
    owner: String,
    number: u64,
}

impl VirtualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self::with_activity(start, Arc::new(NoActivity))
    }

    /// A clock that counts a woken sleeper as in progress until its future has resolved or is dropped.
    #[must_use]
    pub fn with_activity(start: Timestamp, activity: Arc<dyn Activity>) -> Self {
        let state = State { now: start, made: 0, sleepers: BTreeMap::new(), woken: BTreeMap::new() };
        Self { shared: Arc::new(Shared { activity, state: Mutex::new(state) }) }
    }

    /// When the next sleeper is due.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.shared.lock().sleepers.first_key_value().map(|(key, _)| key.at)
    }

    /// Moves to the next sleeper's time and wakes that sleeper alone, if it is due by `until`. Does not move otherwise.
    /// Returns its time and owner.
    pub fn wake_next(&self, until: Timestamp) -> Option<(Timestamp, String)> {
        let (key, waker) = {
            let mut state = self.shared.lock();
            if state.sleepers.first_key_value()?.0.at > until {
                return None;
            }
            let (key, waker) = state.sleepers.pop_first()?;
            state.now = state.now.max(key.at);
            state.woken.insert(key.number, Busy::new(&self.shared.activity));
            (key, waker)
        };
        // Outside the lock: a waker may run anything, also us.
        waker.into_iter().for_each(Waker::wake);
        Some((key.at, key.owner))
    }

    /// Moves to `at`, waking everybody due by then in order, and returns how many. A time in the past changes nothing.
    pub fn advance_to(&self, at: Timestamp) -> usize {
        let mut count = 0;
        while self.wake_next(at).is_some() {
            count += 1;
        }
        let mut state = self.shared.lock();
        state.now = state.now.max(at);
        count
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.shared.lock().now
    }

    /// The sleeper is entered at once, not when first polled, so that its place in the order does not depend on the executor.
    fn sleep_until(&self, owner: &str, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut state = self.shared.lock();
        if at <= state.now {
            return Box::pin(std::future::ready(()));
        }
        state.made += 1;
        let key = Key { at, owner: owner.to_owned(), number: state.made };
        state.sleepers.insert(key.clone(), None);
        Box::pin(Sleep { shared: Arc::clone(&self.shared), key })
    }
}

impl std::fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        write!(f, "VirtualClock({}, {} asleep)", state.now, state.sleepers.len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sleep {
    shared: Arc<Shared>,
    key: Key,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if let Some(waker) = state.sleepers.get_mut(&self.key) {
            match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let busy = {
            let mut state = self.shared.lock();
            state.sleepers.remove(&self.key);
            state.woken.remove(&self.key.number)
        };
        // Outside the lock: the end of the last thing in progress wakes the driver.
        drop(busy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ActivityCounter;
    use crate::test_waker::CountingWaker;

    fn ready(sleep: &mut BoxFuture<'static, ()>) -> bool {
        let (waker, _) = CountingWaker::new();
        sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    }

    #[test]
    fn a_time_that_has_come_needs_no_waiting() {
        let clock = VirtualClock::new(Timestamp(10));
        assert!(ready(&mut clock.sleep_until("a", Timestamp(10))));
        assert_eq!(clock.next_wakeup(), None);
    }

    #[test]
    fn sleepers_wake_by_time_then_owner_then_order_of_asking() {
        let clock = VirtualClock::new(Timestamp(0));
        let mut b = clock.sleep_until("b", Timestamp(5));
        let mut a = clock.sleep_until("a", Timestamp(5));
        let mut a_again = clock.sleep_until("a", Timestamp(5));
        let _late = clock.sleep_until("a", Timestamp(9));
        let _early = clock.sleep_until("z", Timestamp(3));
        let mut order = Vec::new();
        while let Some((at, owner)) = clock.wake_next(Timestamp(5)) {
            order.push(format!("{}@{} ({} {} {})", owner, at.0, ready(&mut a), ready(&mut a_again), ready(&mut b)));
        }
        let expected =
            ["z@3 (false false false)", "a@5 (true false false)", "a@5 (true true false)", "b@5 (true true true)"];
        assert_eq!(order, expected);
        assert_eq!((clock.now(), clock.next_wakeup()), (Timestamp(5), Some(Timestamp(9))));
    }

    #[test]
    fn advancing_wakes_all_that_are_due_and_then_shows_the_time() {
        let clock = VirtualClock::new(Timestamp(0));
        let (waker, wakes) = CountingWaker::new();
        let mut sleeps: Vec<_> = (1..=4).map(|at| clock.sleep_until("a", Timestamp(at))).collect();
        for sleep in &mut sleeps {
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(clock.advance_to(Timestamp(3)), 3);
        assert_eq!((wakes.count(), clock.now()), (3, Timestamp(3)));
        assert_eq!(clock.advance_to(Timestamp(1)), 0);
        assert_eq!(clock.now(), Timestamp(3), "a clock never goes back");
    }

    #[test]
    fn a_forgotten_sleeper_is_not_waited_for() {
        let clock = VirtualClock::new(Timestamp(0));
        drop(clock.sleep_until("a", Timestamp(5)));
        assert_eq!((clock.next_wakeup(), clock.advance_to(Timestamp(9))), (None, 0));
    }

    #[test]
    fn a_woken_sleeper_is_in_progress_until_it_is_dropped() {
        let activity = Arc::new(ActivityCounter::new());
        let clock = VirtualClock::with_activity(Timestamp(0), Arc::clone(&activity) as _);
        let mut sleep = clock.sleep_until("a", Timestamp(5));
        assert_eq!(activity.count(), 0, "sleeping is not work");
        clock.advance_to(Timestamp(5));
        assert_eq!(activity.count(), 1);
        assert!(ready(&mut sleep));
        drop(sleep);
        assert_eq!(activity.count(), 0);
    }
}
