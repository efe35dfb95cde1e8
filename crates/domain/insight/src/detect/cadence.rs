//! How often a series is sampled, learned from its timestamps.

use serde::{Deserialize, Serialize};

/// Intervals without a row that make a gap.
const GAP: f64 = 3.0;

/// The usual interval: a streaming median, which neither gaps nor bursts move far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Cadence {
    last: Option<i64>,
    #[serde(with = "super::exact")]
    interval_s: f64,
    rows: u32,
}

impl Cadence {
    /// When the last row was.
    pub(crate) fn last(&self) -> Option<i64> {
        self.last
    }

    /// The usual seconds between rows; one while nothing is known.
    pub(crate) fn interval_s(&self) -> f64 {
        self.interval_s.max(1.0)
    }

    /// Takes the next row's time; whether rows are missing before it.
    pub(crate) fn step(&mut self, at: i64) -> bool {
        self.rows = self.rows.saturating_add(1);
        let Some(last) = self.last.replace(at) else { return false };
        let passed = at.saturating_sub(last) as f64;
        if passed <= 0.0 {
            return false;
        }
        if self.interval_s == 0.0 {
            self.interval_s = passed;
            return false;
        }
        let gap = passed > GAP * self.interval_s;
        let step = 2.0 / f64::from(self.rows.min(100));
        if passed > self.interval_s * 1.001 {
            self.interval_s *= 1.0 + step;
        } else if passed < self.interval_s * 0.999 {
            self.interval_s *= 1.0 - step;
        }
        gap
    }
}
