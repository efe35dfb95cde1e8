//! What the adapter counts, through the `metrics` facade, and the log line that each kind of malformed message gets
//! once a minute. Never a raw exchange body: kinds and places only.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightdesk_exchange::{ClockOffset, LimitUsage, Stream};
use nightdesk_platform::kpi;
use tokio::time::Instant;

/// A message that cannot be what it should be: which kind, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {kind}: {detail}")]
pub(crate) struct Malformed {
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
}

impl Malformed {
    pub(crate) fn new(kind: &'static str, detail: impl Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }
}

/// The exchange's name in labels.
const EXCHANGE: &str = "binance";
/// One line per kind and minute.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Counts and logs.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    logged: Mutex<BTreeMap<&'static str, Instant>>,
}

impl Meters {
    pub(crate) fn malformed(&self, malformed: &Malformed) {
        kpi::MALFORMED_MESSAGES.counter(&[EXCHANGE, malformed.kind]).increment(1);
        if self.may_log(malformed.kind, Instant::now()) {
            tracing::warn!(
                kind = malformed.kind,
                "{malformed}; further ones of this kind are only counted for a minute"
            );
        }
    }

    fn may_log(&self, kind: &'static str, now: Instant) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let due = logged.get(kind).is_none_or(|last| now.duration_since(*last) >= LOG_EVERY);
        if due {
            logged.insert(kind, now);
        }
        due
    }

    pub(crate) fn unknown_event(&self, stream: Stream) {
        kpi::UNKNOWN_EVENTS.counter(&[EXCHANGE, name(stream)]).increment(1);
    }

    pub(crate) fn request(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        kpi::EXCHANGE_REQUEST_SECONDS.histogram(&[EXCHANGE, endpoint, outcome]).record(took.as_secs_f64());
    }

    pub(crate) fn usage(&self, usage: LimitUsage) {
        kpi::EXCHANGE_RATE_LIMIT_USAGE.gauge(&[EXCHANGE, "weight"]).set(usage.weight);
        kpi::EXCHANGE_RATE_LIMIT_USAGE.gauge(&[EXCHANGE, "orders"]).set(usage.orders);
    }

    #[allow(clippy::cast_precision_loss, reason = "a clock offset in seconds, for a graph")]
    pub(crate) fn clock(&self, clock: ClockOffset) {
        kpi::CLOCK_OFFSET.gauge(&[EXCHANGE]).set(clock.offset.0 as f64 / 1e6);
        kpi::CLOCK_UNCERTAINTY.gauge(&[EXCHANGE]).set(clock.uncertainty.0 as f64 / 1e6);
    }

    pub(crate) fn event(&self, stream: Stream) {
        kpi::STREAM_MESSAGES.counter(&[EXCHANGE, name(stream)]).increment(1);
    }

    pub(crate) fn cut(&self, stream: Stream) {
        kpi::STREAM_CUTS.counter(&[EXCHANGE, name(stream)]).increment(1);
    }

    pub(crate) fn renewed(&self, stream: Stream) {
        kpi::STREAM_RENEWALS.counter(&[EXCHANGE, name(stream)]).increment(1);
    }

    pub(crate) fn backfilled(&self, what: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        kpi::BACKFILLED.counter(&[EXCHANGE, what]).increment(count);
    }

    pub(crate) fn snapshot(&self) {
        kpi::BOOK_SNAPSHOTS.counter(&[EXCHANGE]).increment(1);
    }
}

/// The stream's name in labels and logs.
pub(crate) fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Market => "market",
        Stream::User => "user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_once_a_minute() {
        let (meters, start) = (Meters::default(), Instant::now());
        assert!(meters.may_log("trade", start) && meters.may_log("quote", start));
        assert!(!meters.may_log("trade", start + Duration::from_secs(59)));
        assert!(meters.may_log("trade", start + LOG_EVERY));
    }
}
