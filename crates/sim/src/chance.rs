//! Chance from the seed, in the shapes the simulator needs.

use nightdesk_env::{Entropy, SeededEntropy};
use nightdesk_units::Micros;

/// A stream of chance for one purpose.
#[derive(Debug)]
pub(crate) struct Chance(SeededEntropy);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A stream of its own for `purpose`.
    pub(crate) fn child(&self, purpose: &str) -> Self {
        Self(self.0.child(purpose))
    }

    pub(crate) fn bits(&self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        // The bias of the remainder is below 2^-40 for the small ends used here.
        self.bits() % end.max(1)
    }

    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(span + 1)).unwrap_or(0))
    }

    /// True `per_mille` times of a thousand.
    pub(crate) fn hits(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1_000) < u64::from(per_mille)
    }

    pub(crate) fn pick<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.index(items.len())) }
    }

    /// A span from `low` to `high` milliseconds, to the microsecond.
    pub(crate) fn millis(&self, low: i64, high: i64) -> Micros {
        Micros(self.between(low * 1_000, high * 1_000))
    }

    /// A span from `low` to `high` seconds, to the microsecond.
    pub(crate) fn secs(&self, low: i64, high: i64) -> Micros {
        self.millis(low * 1_000, high * 1_000)
    }
}
