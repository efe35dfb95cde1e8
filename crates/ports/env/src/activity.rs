//! Counting work in progress, for runs in lockstep. Knows no runtime: it wakes wakers.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::Activity;

/// Counts what is in progress and tells when nothing is.
///
/// "Nothing" holds at the instant it is seen. A driver that acts on it should run on the thread of those it waits for
/// (or poll them itself), so that nobody is between taking a message and counting it.
#[derive(Debug, Default)]
pub struct ActivityCounter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    waiting: Vec<Waker>,
}

impl ActivityCounter {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many things are in progress.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// Resolves when nothing is in progress.
    pub async fn idle(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.count == 0 {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Activity for ActivityCounter {
    fn begin(&self) {
        self.lock().count += 1;
    }

    fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            debug_assert!(state.count > 0, "something ended that never began");
            state.count = state.count.saturating_sub(1);
            if state.count > 0 {
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: a waker may run anything, also us.
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Context;

    use super::*;
    use crate::Busy;
    use crate::test_waker::CountingWaker;

    #[test]
    fn an_idle_counter_does_not_make_anyone_wait() {
        let (waker, _) = CountingWaker::new();
        let counter = ActivityCounter::new();
        assert!(pin!(counter.idle()).poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn idle_resolves_with_the_last_of_several_tokens() {
        let (waker, wakes) = CountingWaker::new();
        let mut context = Context::from_waker(&waker);
        let counter = Arc::new(ActivityCounter::new());
        let activity: Arc<dyn Activity> = Arc::clone(&counter) as _;
        let (first, second) = (Busy::new(&activity), Busy::new(&activity));
        let mut idle = pin!(counter.idle());
        assert!(idle.as_mut().poll(&mut context).is_pending());
        drop(first);
        assert_eq!((wakes.count(), counter.count()), (0, 1));
        assert!(idle.as_mut().poll(&mut context).is_pending());
        drop(second);
        assert_eq!((wakes.count(), counter.count()), (1, 0));
        assert!(idle.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn work_begun_before_the_waiter_looks_again_keeps_it_waiting() {
        let (waker, wakes) = CountingWaker::new();
        let mut context = Context::from_waker(&waker);
        let counter = ActivityCounter::new();
        counter.begin();
        let mut idle = pin!(counter.idle());
        assert!(idle.as_mut().poll(&mut context).is_pending());
        counter.end();
        counter.begin();
        assert!(idle.as_mut().poll(&mut context).is_pending());
        counter.end();
        assert_eq!(wakes.count(), 2);
        assert!(idle.as_mut().poll(&mut context).is_ready());
    }
}
