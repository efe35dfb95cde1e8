//! How far the exchange's clock is from ours, from round trips of `/api/v3/time`.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nightdesk_exchange::ClockOffset;
use nightdesk_units::{Micros, Timestamp};
use tokio::sync::Notify;

/// Our clock, the one that the services go by.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(Micros::from(since).0)
}

/// One round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Our time when the question left.
    pub(crate) sent: Timestamp,
    /// How long question and answer took.
    pub(crate) round_trip: Micros,
    /// The exchange's time in the answer.
    pub(crate) server: Timestamp,
    /// The answer's unit: what it may have rounded away.
    pub(crate) resolution: Micros,
}

impl Sample {
    fn offset(&self) -> ClockOffset {
        let (half, rounded) = (self.round_trip.0 / 2, self.resolution.0 / 2);
        let middle = self.sent.0.saturating_add(half);
        ClockOffset {
            offset: Micros(self.server.0.saturating_add(rounded).saturating_sub(middle)),
            uncertainty: Micros(half.saturating_add(rounded)),
        }
    }
}

/// The offset by the sample that is surest of it.
pub(crate) fn estimate(samples: &[Sample]) -> Option<ClockOffset> {
    samples.iter().filter(|sample| sample.round_trip.0 >= 0).map(Sample::offset).min_by_key(|offset| offset.uncertainty)
}

/// The offset in use.
#[derive(Debug)]
pub(crate) struct ExchangeClock {
    offset: Mutex<ClockOffset>,
    stale: Notify,
}

/// Before the first measurement nothing is known, and nobody may take the offset for a fact.
const UNKNOWN: ClockOffset = ClockOffset { offset: Micros(0), uncertainty: Micros::from_secs(86_400) };

impl ExchangeClock {
    pub(crate) fn new() -> Self {
        Self { offset: Mutex::new(UNKNOWN), stale: Notify::new() }
    }

    pub(crate) fn offset(&self) -> ClockOffset {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, offset: ClockOffset) {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = offset;
    }

    /// Now by the exchange's clock, as well as we know it.
    pub(crate) fn now(&self) -> Timestamp {
        wall() + self.offset().offset
    }

    /// An instant that has surely passed by the exchange's clock: now, less what we do not know of it.
    pub(crate) fn surely_past(&self) -> Timestamp {
        self.now() - self.offset().uncertainty
    }

    /// The exchange refused our timestamp: measure again.
    pub(crate) fn doubt(&self) {
        self.stale.notify_one();
    }

    /// Resolves when somebody doubts the clock.
    pub(crate) async fn doubted(&self) {
        self.stale.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(sent: i64, round_trip: i64, server: i64, resolution: i64) -> Sample {
        Sample {
            sent: Timestamp(sent),
            round_trip: Micros(round_trip),
            server: Timestamp(server),
            resolution: Micros(resolution),
        }
    }

    #[test]
    fn the_fastest_round_trip_decides_and_half_of_it_is_the_uncertainty() {
        let samples = [sample(1_000, 900, 9_000, 0), sample(3_000, 200, 8_100, 0), sample(5_000, -4, 0, 0)];
        assert_eq!(estimate(&samples), Some(ClockOffset { offset: Micros(5_000), uncertainty: Micros(100) }));
        assert_eq!(estimate(&[]), None);
    }

    #[test]
    fn an_answer_in_milliseconds_may_be_a_millisecond_old() {
        let got = estimate(&[sample(0, 200, 5_000_000, 1_000)]).unwrap();
        assert_eq!(got, ClockOffset { offset: Micros(5_000_400), uncertainty: Micros(600) });
    }

    #[test]
    fn an_unmeasured_clock_is_not_trusted() {
        assert!(ExchangeClock::new().offset().uncertainty >= Micros::from_secs(3_600));
    }
}
