//! The values kept, gaps filled, and their logarithms.

use serde::{Deserialize, Serialize};

use super::fence::Fence;
use super::model::Scale;

/// The newest values of a series. Indices are counted from the first value ever given, so that phases hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    /// Index of the oldest value kept.
    start: usize,
    values: Vec<f64>,
    /// Logarithms; zero where the value has none.
    logs: Vec<f64>,
    /// Whether the value was missing and has been filled in.
    filled: Vec<bool>,
    /// Index of the newest value that has no logarithm.
    last_without_log: Option<usize>,
    fence: Fence,
    /// The newest value as it was given.
    last: f64,
}

impl History {
    /// No values yet; outliers are told by the range of a season.
    pub(crate) fn new(season: usize) -> Self {
        let fence = Fence::new(season);
        Self {
            start: 0,
            values: Vec::new(),
            logs: Vec::new(),
            filled: Vec::new(),
            last_without_log: None,
            fence,
            last: 0.0,
        }
    }

    /// Appends. A missing value (NaN) is filled in with the last one, moved as it moved a season ago; a lone outlier is
    /// clipped.
    pub(crate) fn push(&mut self, value: f64, season: Option<usize>) {
        let missing = value.is_nan();
        let given = if missing { self.fill(season) } else { value };
        let value = if missing {
            self.fence.end_run();
            given
        } else {
            let (value, restored) = self.fence.clip(given);
            let from = self.values.len() - restored.len();
            restored.iter().zip(from..).for_each(|(value, place)| self.replace(place, *value));
            value
        };
        self.last = given;
        self.values.push(value);
        self.logs.push(0.0);
        self.filled.push(missing);
        self.replace(self.values.len() - 1, value);
    }

    fn replace(&mut self, place: usize, value: f64) {
        self.values[place] = value;
        self.logs[place] = if value > 0.0 { value.ln() } else { 0.0 };
        if value <= 0.0 {
            self.last_without_log = self.last_without_log.max(Some(self.start + place));
        }
    }

    fn fill(&self, season: Option<usize>) -> f64 {
        let last = self.values.last().copied().unwrap_or_default();
        let before = |steps: usize| self.values.len().checked_sub(steps).map(|at| self.values[at]);
        let moved = season.and_then(|season| Some(before(season)? - before(season + 1)?));
        last + moved.unwrap_or_default()
    }

    /// Drops the oldest `count` values.
    pub(crate) fn drop_oldest(&mut self, count: usize) {
        let count = count.min(self.values.len());
        self.values.drain(..count);
        self.logs.drain(..count);
        self.filled.drain(..count);
        self.start += count;
    }

    /// The newest value as it was given.
    pub(crate) const fn last(&self) -> f64 {
        self.last
    }

    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Values ever given.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.values.len()
    }

    pub(crate) const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether a row that ends now and reaches `reach` values back is on this scale.
    pub(crate) fn row_is_on(&self, scale: Scale, reach: usize) -> bool {
        scale == Scale::Linear || self.last_without_log.is_none_or(|at| at + reach + 1 < self.end())
    }

    /// The values on a scale, if all that are kept have a place on it.
    pub(crate) fn on(&self, scale: Scale) -> Option<&[f64]> {
        match scale {
            Scale::Linear => Some(&self.values),
            Scale::Log => self.last_without_log.is_none_or(|at| at < self.start).then_some(self.logs.as_slice()),
        }
    }

    /// The newest values on a scale, whatever older ones are: for rows that [`Self::row_is_on`] admits.
    pub(crate) fn raw(&self, scale: Scale) -> &[f64] {
        if scale == Scale::Linear { &self.values } else { &self.logs }
    }

    /// The value at an index, unless it was missing.
    pub(crate) fn observed(&self, at: usize) -> Option<f64> {
        let place = at.checked_sub(self.start)?;
        let filled = *self.filled.get(place)?;
        if filled { None } else { self.values.get(place).copied() }
    }

    pub(crate) fn missing(&self) -> usize {
        self.filled.iter().filter(|filled| **filled).count()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
