//! Once per kind per minute: repeated complaints are counted, not repeated.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Kinds told apart at once. More than this share one turn, so that kinds made from input cannot fill the memory.
const KINDS_MAX: usize = 1_024;

/// Lets each kind pass once per interval and counts the rest.
#[derive(Debug)]
pub struct Limiter {
    interval: Duration,
    kinds: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Debug)]
struct Seen {
    passed_at: Instant,
    suppressed: u64,
}

impl Limiter {
    /// Lets each kind pass once per `interval`.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, kinds: Mutex::new(BTreeMap::new()) }
    }

    /// Whether an event of this kind may pass now: if so, how many were held back since the last that passed.
    pub fn pass(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(kind) {
            let interval = self.interval;
            kinds.retain(|_, seen| now.saturating_duration_since(seen.passed_at) < interval);
        }
        let crowded = kinds.len() >= KINDS_MAX && !kinds.contains_key(kind);
        let kind = if crowded { "(too many kinds)" } else { kind };
        let Some(seen) = kinds.get_mut(kind) else {
            kinds.insert(kind.to_owned(), Seen { passed_at: now, suppressed: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(seen.passed_at) < self.interval {
            seen.suppressed += 1;
            return None;
        }
        seen.passed_at = now;
        Some(std::mem::take(&mut seen.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_passes_once_a_minute_and_says_what_was_left_out() {
        let limiter = Limiter::new(Duration::from_secs(60));
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(limiter.pass("depth", at(0)), Some(0));
        assert_eq!(limiter.pass("depth", at(1)), None);
        assert_eq!(limiter.pass("trade", at(1)), Some(0), "another kind has its own turn");
        assert_eq!(limiter.pass("depth", at(59)), None);
        assert_eq!(limiter.pass("depth", at(60)), Some(2));
        assert_eq!(limiter.pass("depth", at(120)), Some(0));
    }

    #[test]
    fn endless_kinds_do_not_fill_the_memory() {
        let limiter = Limiter::new(Duration::from_secs(60));
        let now = Instant::now();
        let passed = (0..5_000).filter(|n| limiter.pass(&n.to_string(), now).is_some()).count();
        assert_eq!(passed, KINDS_MAX + 1, "the last one is the shared kind");
        assert!(limiter.kinds.lock().unwrap().len() <= KINDS_MAX + 1);
    }
}
