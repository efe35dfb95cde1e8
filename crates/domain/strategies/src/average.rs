//! Moving averages in integers: exact, so that the same candles give the same decision on every machine.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use nightdesk_units::Ticks;
use serde::{Deserialize, Serialize};

/// Fractional bits of an exponential average: a resolution of 1/65536 tick.
const FRACTION: u32 = 16;

/// How a moving average weighs the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AverageKind {
    /// The last `n` alike.
    Simple,
    /// By weight 2/(n+1), falling with age.
    Exponential,
}

impl fmt::Display for AverageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple",
            Self::Exponential => "exponential",
        })
    }
}

impl FromStr for AverageKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "simple" => Ok(Self::Simple),
            "exponential" => Ok(Self::Exponential),
            other => Err(other.to_owned()),
        }
    }
}

/// A moving average of prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Average {
    kind: AverageKind,
    n: u32,
    /// Prices taken in, up to what is needed to be warm.
    seen: u32,
    /// The last `n` prices (simple only).
    window: VecDeque<i64>,
    /// Sum of the window, or the exponential average in 1/65536 ticks.
    value: i64,
}

impl Average {
    /// An empty average over `n` prices; `n` is at least 1.
    #[must_use]
    pub fn new(kind: AverageKind, n: u32) -> Self {
        Self { kind, n: n.max(1), seen: 0, window: VecDeque::new(), value: 0 }
    }

    /// How many prices it needs before it means something: `n` for a simple average, `3n` for an exponential one, whose
    /// first price then weighs less than 0.25 % (e⁻⁶).
    #[must_use]
    pub const fn needs(&self) -> u32 {
        match self.kind {
            AverageKind::Simple => self.n,
            AverageKind::Exponential => self.n.saturating_mul(3),
        }
    }

    /// True when it has had as many prices as it needs.
    #[must_use]
    pub const fn is_warm(&self) -> bool {
        self.seen >= self.needs()
    }

    /// Takes a price in.
    pub fn push(&mut self, price: Ticks) {
        match self.kind {
            AverageKind::Simple => {
                self.window.push_back(price.0);
                self.value = self.value.saturating_add(price.0);
                if self.window.len() > self.n as usize {
                    self.value = self.value.saturating_sub(self.window.pop_front().unwrap_or(0));
                }
            }
            AverageKind::Exponential => {
                let price = i128::from(price.0) << FRACTION;
                let value = i128::from(self.value);
                let step = (price - value) * 2 / (i128::from(self.n) + 1);
                let next = if self.seen == 0 { price } else { value + step };
                self.value = i64::try_from(next).unwrap_or(i64::MAX);
            }
        }
        self.seen = self.seen.saturating_add(1).min(self.needs());
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.kind, self.n);
    }

    /// True when this average exceeds `other` by more than `gap_ppm` millionths of `other`.
    #[must_use]
    pub fn exceeds(&self, other: &Self, gap_ppm: u32) -> bool {
        let ((a, an), (b, bn)) = (self.ratio(), other.ratio());
        // a/an > b/bn × (1 + gap), cross-multiplied.
        let (left, right) = (a.checked_mul(bn), b.checked_mul(an));
        let left = left.and_then(|left| left.checked_mul(1_000_000));
        let right = right.and_then(|right| right.checked_mul(1_000_000 + i128::from(gap_ppm)));
        left.zip(right).is_some_and(|(left, right)| left > right)
    }

    /// The average, cut down to whole ticks.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        let (sum, n) = self.ratio();
        Ticks(i64::try_from(sum / n).unwrap_or(i64::MAX))
    }

    fn ratio(&self) -> (i128, i128) {
        match self.kind {
            AverageKind::Simple => (self.value.into(), (self.window.len().max(1) as u64).into()),
            AverageKind::Exponential => (self.value.into(), 1 << FRACTION),
        }
    }

    /// True when the other is the same average, whatever it has seen.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.n == other.n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(kind: AverageKind, n: u32, prices: &[i64]) -> Average {
        let mut average = Average::new(kind, n);
        prices.iter().for_each(|price| average.push(Ticks(*price)));
        average
    }

    #[test]
    fn a_simple_average_is_over_the_last_n() {
        let a = average(AverageKind::Simple, 3, &[100, 1, 2, 6]);
        assert_eq!((a.ticks(), a.is_warm()), (Ticks(3), true));
        assert!(!average(AverageKind::Simple, 3, &[1, 2]).is_warm());
    }

    #[test]
    fn an_exponential_average_follows_with_weight_two_of_n_plus_one() {
        let a = average(AverageKind::Exponential, 3, &[100, 200]);
        assert_eq!(a.ticks(), Ticks(150));
        let long = average(AverageKind::Exponential, 10, &[6_183_763; 40]);
        assert_eq!((long.ticks(), long.is_warm()), (Ticks(6_183_763), true));
    }

    #[test]
    fn a_gap_in_millionths_is_a_gap() {
        let low = average(AverageKind::Simple, 1, &[1_000_000]);
        let high = average(AverageKind::Simple, 1, &[1_000_100]);
        assert!(high.exceeds(&low, 0) && high.exceeds(&low, 99));
        assert!(!high.exceeds(&low, 100) && !low.exceeds(&high, 0) && !low.exceeds(&low, 0));
    }
}
