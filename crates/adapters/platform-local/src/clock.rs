//! The system's clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use nightdesk_env::Clock;
use nightdesk_units::{Micros, Timestamp};

/// The longest single sleep: after it the clock is read again, so that a clock that was set is noticed.
const NAP_MAX: Micros = Micros::from_secs(1);

/// One for the process: all its clocks agree.
static STEADY: Mutex<Option<Steady>> = Mutex::new(None);

/// UTC that never goes back within a process, and sleep by tokio.
///
/// When the system's clock is set back, ours goes on at half speed until the system's has caught up: it neither repeats
/// itself nor stands still, so that time limits still pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The clock.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (wall, instant) = (wall(), Instant::now());
        // The state is whole after every statement, so a panic elsewhere cannot have left it half changed.
        let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
        steady.get_or_insert(Steady { shown: wall, at: instant }).advance(wall, instant)
    }

    /// Needs a tokio runtime with time when it is polled.
    fn sleep_until(&self, _owner: &str, at: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = at.since(clock.now());
                if left.0 <= 0 {
                    return;
                }
                tokio::time::sleep(left.min(NAP_MAX).to_duration()).await;
            }
        })
    }
}

fn wall() -> Timestamp {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    })
}

#[derive(Debug)]
struct Steady {
    shown: Timestamp,
    /// When, by the monotonic clock, `shown` was last moved.
    at: Instant,
}

impl Steady {
    fn advance(&mut self, wall: Timestamp, instant: Instant) -> Timestamp {
        if wall >= self.shown {
            (self.shown, self.at) = (wall, instant);
            return self.shown;
        }
        let half = Micros(Micros::from(instant.saturating_duration_since(self.at)).0 / 2);
        // Not moved by less than a microsecond, or many short steps would add up to none.
        if half.0 > 0 {
            (self.shown, self.at) = (self.shown + half, instant);
        }
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_the_system_time_in_utc() {
        let (before, shown) = (wall(), SystemClock::new().now());
        assert!(before <= shown && shown.since(before) < Micros::from_secs(60), "{before} {shown}");
    }

    #[test]
    fn a_clock_set_back_is_followed_at_half_speed_until_it_has_caught_up() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut steady = Steady { shown: Timestamp::from_millis(10_000), at: start };
        let shown: Vec<_> = [
            (10_100, 100), // Goes on.
            (5_200, 200),  // Set back by five seconds.
            (6_200, 1_200),
            (10_200, 5_200),
            (15_200, 10_200), // Caught up: 12,600 by then.
        ]
        .into_iter()
        .map(|(wall, mono)| steady.advance(Timestamp::from_millis(wall), after(mono)).as_millis())
        .collect();
        assert_eq!(shown, [10_100, 10_150, 10_650, 12_650, 15_200]);
    }

    #[test]
    fn short_steps_add_up() {
        let start = Instant::now();
        let mut steady = Steady { shown: Timestamp(1_000), at: start };
        for nanos in (0..=100_000).step_by(300) {
            steady.advance(Timestamp(0), start + Duration::from_nanos(nanos));
        }
        assert!((1_030..=1_050).contains(&steady.shown.0), "{}", steady.shown.0);
    }

    #[test]
    fn sleeping_ends_no_earlier_than_asked() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let clock = SystemClock::new();
        let until = clock.now() + Micros::from_millis(3);
        runtime.block_on(clock.sleep_until("test", until));
        assert!(clock.now() >= until);
        runtime.block_on(clock.sleep_until("test", until));
    }
}
