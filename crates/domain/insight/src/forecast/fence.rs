//! Keeps a lone outlier from what the models learn.
//!
//! A value far outside the range of the last season is clipped to it. Only for [`PATIENCE`] values in a row, though:
//! what stays there is a new level, not an outlier, and those clipped are believed after all. What comes every season
//! widens the range and passes.

use serde::{Deserialize, Serialize};

/// How far outside of the range a value may lie, in ranges.
const MARGIN: f64 = 1.0;
/// Values in a row on the same side that are clipped.
const PATIENCE: usize = 2;
/// Values without which no range is known, and of which it is taken at least.
const LEAST: usize = 32;

/// The range of recent values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fence {
    /// Values of which the range is taken: this many to twice as many.
    span: usize,
    /// Values in the present span, and those before it that are looked at.
    count: usize,
    before: usize,
    /// Least and greatest value of the present span and of the one before.
    present: Option<(f64, f64)>,
    past: Option<(f64, f64)>,
    /// The newest values, as they were given, if they were clipped: all on the same side.
    clipped: Vec<f64>,
}

impl Fence {
    /// Takes the range of a season at least.
    pub(crate) fn new(season: usize) -> Self {
        Self { span: season.max(LEAST), count: 0, before: 0, present: None, past: None, clipped: Vec::new() }
    }

    /// The value, or as much of it as is believed; and those just before it that are believed after all.
    pub(crate) fn clip(&mut self, value: f64) -> (f64, Vec<f64>) {
        self.count += 1;
        if self.count > self.span {
            (self.before, self.count) = (self.span, 1);
            self.past = self.present.take();
        }
        let young = self.count + self.before <= LEAST;
        let follows = self.clipped.first().is_some_and(|first| self.bound(*first) == self.bound(value));
        if young || self.bound(value) == value || !follows {
            self.end_run();
        }
        let bound = self.bound(value);
        if young || bound == value {
            self.widen(value);
            return (value, Vec::new());
        }
        if self.clipped.len() == PATIENCE {
            let restored = std::mem::take(&mut self.clipped);
            restored.iter().chain([&value]).for_each(|value| self.widen(*value));
            return (value, restored);
        }
        self.clipped.push(value);
        (bound, Vec::new())
    }

    /// What came before is over: by itself it was an outlier, and only its clipped part widens the range.
    pub(crate) fn end_run(&mut self) {
        if let Some(first) = self.clipped.first() {
            self.widen(self.bound(*first));
            self.clipped.clear();
        }
    }

    fn widen(&mut self, value: f64) {
        let (low, high) = self.present.unwrap_or((value, value));
        self.present = Some((low.min(value), high.max(value)));
    }

    /// The value, clipped to the range and its margin.
    fn bound(&self, value: f64) -> f64 {
        let ranges = self.present.into_iter().chain(self.past);
        let Some((low, high)) = ranges.reduce(|(l, h), (low, high)| (l.min(low), h.max(high))) else { return value };
        let margin = MARGIN * (high - low);
        value.clamp(low - margin, high + margin)
    }
}

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;
