//! The rolling back-test: what each model forecast from earlier points, beside what came.
//!
//! A forecast is made at its origin from what was known then, kept, and compared later. There is no way for it to have
//! looked ahead.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::history::History;
use super::model::{Model, Past};
use super::settings::Settings;

/// How hard the weights favour the better models: (1 / error)⁴. Chosen among 2, 4 and 8, which differ by 1 % in error.
const SHARPNESS: i32 = 4;
/// A model with less than this share of the weight is left out.
const LEAST_SHARE: f64 = 0.005;
/// The most an error counts, in errors of the middle model.
const MOST_RATIO: f64 = 1e6;
/// Share of the naive model's back-tests that a model must have taken part in.
const LEAST_PART: f64 = 0.5;

/// What each model forecast from one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Index of the first value forecast.
    at: usize,
    forecasts: Vec<Option<Vec<f64>>>,
}

/// The back-tests that are remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Backtest {
    origins: VecDeque<Origin>,
}

/// How far off the weighted forecast was, from one origin, and what it said; by step.
#[derive(Debug, Clone)]
pub(crate) struct Miss {
    /// Step, counted from zero; forecast; value that came.
    pub(crate) steps: Vec<(usize, f64, f64)>,
}

impl Backtest {
    pub(crate) const fn new() -> Self {
        Self { origins: VecDeque::new() }
    }

    /// Whether the series is back-tested once it is `length` long. At the beginning more often: a young series has
    /// nothing else to go by.
    pub(crate) fn is_due(length: usize, settings: &Settings) -> bool {
        length > 0
            && (length.is_multiple_of(settings.stride()) || (length < settings.stride() && length.is_power_of_two()))
    }

    /// Lets each model forecast.
    pub(crate) fn run(&mut self, models: &[Box<dyn Model>], past: &Past<'_>, at: usize, horizon: usize) {
        let forecast = |model: &dyn Model| {
            model.forecast(past, horizon).filter(|forecast| forecast.iter().all(|value| value.is_finite()))
        };
        self.origins.push_back(Origin { at, forecasts: models.iter().map(AsRef::as_ref).map(forecast).collect() });
    }

    /// Forgets what is too old when the series is `length` long.
    pub(crate) fn forget(&mut self, length: usize, settings: &Settings) {
        while self.origins.front().is_some_and(|origin| Self::is_over(origin.at, length, settings)) {
            self.origins.pop_front();
        }
    }

    /// Whether a back-test at `at` is forgotten when the series is `length` long.
    pub(crate) fn is_over(at: usize, length: usize, settings: &Settings) -> bool {
        at + settings.memory() <= length
    }

    /// Weights of the models and the residuals of their weighted mean.
    pub(crate) fn judge(&self, history: &History, models: usize) -> (Vec<f64>, Vec<Miss>) {
        let errors: Vec<Errors> = self.origins.iter().map(|origin| Errors::of(origin, history, models)).collect();
        let weights = weights(&errors, None, models);
        let misses = self.origins.iter().enumerate().map(|(nth, origin)| {
            // Residuals of a mean whose weights have seen them would be too small.
            let others = if errors.len() > 1 { self::weights(&errors, Some(nth), models) } else { weights.clone() };
            origin.miss(&others, history)
        });
        let misses = misses.filter(|miss| !miss.steps.is_empty()).collect();
        (weights, misses)
    }
}

impl Origin {
    fn miss(&self, weights: &[f64], history: &History) -> Miss {
        let length = self.forecasts.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let step = |step: usize| {
            let came = history.observed(self.at + step)?;
            Some((step, mean(&self.forecasts, weights, step)?, came))
        };
        Miss { steps: (0..length).filter_map(step).collect() }
    }
}

/// Weighted mean of what the models said of a step.
pub(crate) fn mean(forecasts: &[Option<Vec<f64>>], weights: &[f64], step: usize) -> Option<f64> {
    let said =
        forecasts.iter().zip(weights).filter_map(|(forecast, weight)| Some((forecast.as_ref()?.get(step)?, weight)));
    let (sum, whole) = said.fold((0.0, 0.0), |(sum, whole), (value, weight)| (sum + weight * value, whole + weight));
    (whole > 0.0).then(|| sum / whole)
}

/// Absolute errors from one origin, summed over its steps, by model.
struct Errors {
    steps: usize,
    sums: Vec<Option<f64>>,
    /// That of the model in the middle, by which origins are made comparable: from some, nobody could foresee much, and
    /// their errors would drown the others'.
    middle: f64,
}

impl Errors {
    fn of(origin: &Origin, history: &History, models: usize) -> Self {
        let length = origin.forecasts.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let came: Vec<(usize, f64)> =
            (0..length).filter_map(|step| Some((step, history.observed(origin.at + step)?))).collect();
        let sum = |forecast: &Vec<f64>| came.iter().map(|(step, value)| (value - forecast[*step]).abs()).sum::<f64>();
        let mut sums: Vec<Option<f64>> = origin.forecasts.iter().map(|f| f.as_ref().map(sum)).collect();
        sums.resize(models, None);
        let mut sorted: Vec<f64> = sums.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default().max(f64::MIN_POSITIVE);
        Self { steps: came.len(), sums, middle }
    }
}

/// Weights by the error relative to the middle model's, one origin left out.
fn weights(errors: &[Errors], without: Option<usize>, models: usize) -> Vec<f64> {
    let used = || errors.iter().enumerate().filter(|(nth, e)| Some(*nth) != without && e.steps > 0).map(|(_, e)| e);
    let steps: usize = used().map(|errors| errors.steps).sum();
    if steps == 0 {
        // Nothing is known of any: the first can always forecast.
        return (0..models).map(|model| if model == 0 { 1.0 } else { 0.0 }).collect();
    }
    let ratio = |model: usize| -> Option<f64> {
        let took_part = || used().filter_map(|e| Some((e.steps as f64, e.sums[model]?, e.middle)));
        let part: f64 = took_part().map(|(steps, _, _)| steps).sum();
        let whole: f64 = took_part().map(|(steps, own, middle)| steps * (own / middle).min(MOST_RATIO)).sum();
        (part >= LEAST_PART * steps as f64).then(|| whole / part + 1e-9)
    };
    let ratios: Vec<Option<f64>> = (0..models).map(ratio).collect();
    let best = ratios.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let raw: Vec<f64> = ratios.iter().map(|r| r.map_or(0.0, |ratio| (best / ratio).powi(SHARPNESS))).collect();
    let whole: f64 = raw.iter().sum();
    let kept: Vec<f64> = raw.iter().map(|w| if *w < LEAST_SHARE * whole { 0.0 } else { *w }).collect();
    let whole: f64 = kept.iter().sum();
    kept.iter().map(|weight| weight / whole).collect()
}

#[cfg(test)]
#[path = "backtest_tests.rs"]
mod tests;
