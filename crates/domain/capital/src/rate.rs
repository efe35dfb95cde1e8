//! Counting orders in a sliding window, with time as an argument and bounded memory.

use std::collections::VecDeque;

use nightdesk_units::{Micros, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{OrderRate, RateSpan};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// Orders of the last second and the last minute.
///
/// The second is exact: the last `per_second` instants are kept. The minute is counted in whole seconds and includes the
/// second it begins in, so that it refuses up to a second too long and never too early lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateWindow {
    /// Instants of the latest orders, oldest first, at most `per_second` of them.
    recent: VecDeque<Timestamp>,
    /// Second since the epoch and orders in it, oldest first, at most 61 of them.
    seconds: VecDeque<(i64, u32)>,
}

impl RateWindow {
    /// Which limit one more order at `now` would break, and how long until it would not.
    #[must_use]
    pub fn would_break(&self, rate: &OrderRate, now: Timestamp) -> Option<(RateSpan, u32, Micros)> {
        let allowed = usize::try_from(rate.per_second).unwrap_or(usize::MAX);
        if let Some(oldest) = self.recent.len().checked_sub(allowed).and_then(|i| self.recent.get(i)) {
            let wait = SECOND - now.since(*oldest).0;
            if wait > 0 {
                return Some((RateSpan::Second, rate.per_second, Micros(wait)));
            }
        }
        let first = (now.0 - MINUTE).div_euclid(SECOND);
        let within = self.seconds.iter().filter(|(second, _)| *second >= first);
        let count = within.clone().fold(0u32, |sum, (_, n)| sum.saturating_add(*n));
        if count < rate.per_minute {
            return None;
        }
        // When the oldest second that counts has left the window, there is room again.
        let leaves = within.map(|(second, _)| (second + 1) * SECOND + MINUTE).next();
        let wait = leaves.map_or(MINUTE, |at| at - now.0).max(1);
        Some((RateSpan::Minute, rate.per_minute, Micros(wait)))
    }

    /// Counts an order at `now`.
    pub fn count(&mut self, rate: &OrderRate, now: Timestamp) {
        self.recent.push_back(now);
        let keep = usize::try_from(rate.per_second).unwrap_or(usize::MAX);
        while self.recent.len() > keep {
            self.recent.pop_front();
        }
        let second = now.0.div_euclid(SECOND);
        match self.seconds.back_mut() {
            Some((last, n)) if *last >= second => *n = n.saturating_add(1),
            _ => self.seconds.push_back((second, 1)),
        }
        while self.seconds.len() > 61 || self.seconds.front().is_some_and(|(s, _)| *s < second - 60) {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers an order at each of these milliseconds; the text says which were counted.
    fn check(per_second: u32, per_minute: u32, at_ms: &[i64], expected: &str) {
        let rate = OrderRate { per_second, per_minute };
        let mut window = RateWindow::default();
        let offered = at_ms.iter().map(|ms| {
            let now = Timestamp::from_millis(*ms);
            match window.would_break(&rate, now) {
                None => {
                    window.count(&rate, now);
                    "ok".to_owned()
                }
                Some((span, limit, wait)) => format!("{limit}/{span} wait {}", wait.as_millis()),
            }
        });
        assert_eq!(offered.collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn the_second_slides() {
        check(
            2,
            100,
            &[0, 100, 200, 999, 1_000, 1_050, 1_100],
            "ok, ok, 2/second wait 800, 2/second wait 1, ok, 2/second wait 50, ok",
        );
    }

    #[test]
    fn the_minute_counts_whole_seconds_and_errs_on_the_strict_side() {
        check(
            10,
            3,
            &[500, 600, 5_000, 6_000, 60_400, 60_999, 61_000, 61_100],
            "ok, ok, ok, 3/minute wait 55000, 3/minute wait 600, 3/minute wait 1, ok, ok",
        );
    }

    #[test]
    fn memory_is_bounded() {
        let rate = OrderRate { per_second: 5, per_minute: 1_000_000 };
        let mut window = RateWindow::default();
        (0..100_000).for_each(|i| window.count(&rate, Timestamp::from_millis(i * 10)));
        assert!(window.recent.len() <= 5 && window.seconds.len() <= 61);
    }
}
