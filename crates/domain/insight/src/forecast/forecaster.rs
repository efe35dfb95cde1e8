//! The forecaster: keeps the past, back-tests as it goes, forecasts on request.

use serde::{Deserialize, Serialize};

use super::backtest::{Backtest, mean};
use super::change::{Direction, change_points, direction};
use super::history::History;
use super::intervals::Calibration;
use super::model::{Class, Model, Past, Scale, candidates};
use super::moments::Bank;
use super::settings::{ForecastError, MAX_VALUE, Settings, check_horizon};

/// Values without which nothing can be back-tested, so that no bounds are known.
const LEAST_VALUES: usize = 3;

/// A series and what has been learned about it.
///
/// Fitting is updating, value by value: a forecaster that was fitted to all values equals one that was fitted to some
/// and updated with the rest, bit by bit.
///
/// Eight of the longest seasons are kept, and sums over them. Hours with days and weeks take 0.4 MB in memory, minutes with
/// days and weeks 2 MB; stored as JSON about twice that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecaster {
    settings: Settings,
    /// Missing values before the first one. They count, but nothing can fill them.
    before: usize,
    history: History,
    bank: Bank,
    backtest: Backtest,
}

/// A model's part in a forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The model's name.
    pub model: String,
    /// Its class.
    pub class: Class,
    /// Its weight; all weights together are one.
    pub weight: f64,
}

/// What is to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The last value seen (a missing one filled in).
    pub last: f64,
    /// Expected values, the first one step ahead.
    pub mean: Vec<f64>,
    /// Lower bounds.
    pub low: Vec<f64>,
    /// Upper bounds.
    pub high: Vec<f64>,
    /// Share of the values that shall lie within the bounds.
    pub level: f64,
    /// Where it is heading.
    pub trend: Direction,
    /// Indices, counted from the first value ever given, at which the level changed.
    pub change_points: Vec<usize>,
    /// The models it is a mean of, the weightiest first.
    pub models: Vec<Share>,
}

impl Forecaster {
    /// A forecaster that has not seen a value.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(settings: Settings) -> Result<Self, ForecastError> {
        let settings = settings.checked()?;
        let bank = Bank::new(&settings);
        let history = History::new(settings.seasons.last().copied().unwrap_or(0));
        Ok(Self { settings, before: 0, history, bank, backtest: Backtest::new() })
    }

    /// Learns from values, oldest first. A missing value is NaN.
    ///
    /// # Errors
    /// If a setting is out of range, a value infinite or beyond 1e100, or fewer than three values are there.
    pub fn fit(values: &[f64], settings: Settings) -> Result<Self, ForecastError> {
        let mut forecaster = Self::new(settings)?;
        let begins = values.iter().position(|value| !value.is_nan()).unwrap_or(values.len());
        for value in values {
            forecaster.take(*value, values.len() - begins)?;
        }
        forecaster.check_length()?;
        Ok(forecaster)
    }

    /// Learns one more value. NaN: it is missing, and filled in with the last one, moved as it moved a season ago.
    ///
    /// Costs a few hundred multiplications (the moments of the regressions), and every half horizon a back-test of all
    /// models. Nothing is fitted from scratch.
    ///
    /// # Errors
    /// If the value is infinite or beyond 1e100; nothing is changed then.
    pub fn update(&mut self, value: f64) -> Result<(), ForecastError> {
        self.take(value, self.history.end() + 1)
    }

    /// Takes in one of `length` values in all. Back-tests that will be forgotten by then are not made.
    fn take(&mut self, value: f64, length: usize) -> Result<(), ForecastError> {
        if value.abs() > MAX_VALUE {
            return Err(ForecastError::Unusable { at: self.seen() });
        }
        if value.is_nan() && self.history.len() == 0 {
            self.before += 1;
            return Ok(());
        }
        self.history.push(value, self.settings.short());
        self.bank.add(&self.history);
        if self.history.len() >= self.settings.kept() + self.bank.length() {
            self.history.drop_oldest(self.bank.length());
            self.bank.drop_before(self.history.start());
        }
        let now = self.history.end();
        if Backtest::is_due(now, &self.settings) && !Backtest::is_over(now, length, &self.settings) {
            let past = Past::new(&self.history, &self.bank);
            self.backtest.run(&candidates(&self.settings), &past, now, self.settings.horizon);
        }
        self.backtest.forget(now, &self.settings);
        Ok(())
    }

    fn check_length(&self) -> Result<(), ForecastError> {
        let given = self.history.len();
        if given < LEAST_VALUES { Err(ForecastError::TooShort { given, needed: LEAST_VALUES }) } else { Ok(()) }
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Values given so far, missing ones included.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.before + self.history.end()
    }

    /// Forecasts the next `horizon` values.
    ///
    /// # Errors
    /// If the horizon is not within 1..=10,000, fewer than three values were seen, or most of them were missing.
    pub fn forecast(&self, horizon: usize) -> Result<Forecast, ForecastError> {
        check_horizon(horizon)?;
        self.check_length()?;
        let (missing, kept) = (self.history.missing(), self.history.len());
        if 2 * missing > kept {
            return Err(ForecastError::MostlyMissing { missing, kept });
        }
        let past = Past::new(&self.history, &self.bank);
        let models = candidates(&self.settings);
        let (weights, misses) = self.backtest.judge(&self.history, models.len());
        let positive = self.history.on(Scale::Log).is_some();
        let calibration = Calibration::new(&misses, self.settings.horizon, self.settings.level, positive)
            .ok_or(ForecastError::MostlyMissing { missing, kept })?;
        let means = means(&models, &weights, &past, horizon);
        let values = self.history.raw(Scale::Linear);
        let season = self.settings.short();
        let half = |step: usize| calibration.half_width(step, means[step]);
        let error = calibration.typical(horizon - 1, means[horizon - 1]);
        let index = |at: usize| at + self.before + self.history.start();
        Ok(Forecast {
            last: self.history.last(),
            low: (0..horizon).map(|step| means[step] - half(step)).collect(),
            high: (0..horizon).map(|step| means[step] + half(step)).collect(),
            level: self.settings.level,
            trend: direction(values, &means, season, error),
            change_points: change_points(values, &self.settings.seasons).into_iter().map(index).collect(),
            models: shares(&models, &weights),
            mean: means,
        })
    }
}

/// Weighted means of what the models say. A model without weight is not asked.
fn means(models: &[Box<dyn Model>], weights: &[f64], past: &Past<'_>, horizon: usize) -> Vec<f64> {
    let ask = |(model, weight): (&dyn Model, &f64)| {
        let forecast = if *weight > 0.0 { model.forecast(past, horizon) } else { None };
        forecast.filter(|values| values.iter().all(|value| value.is_finite()))
    };
    let forecasts: Vec<Option<Vec<f64>>> = models.iter().map(AsRef::as_ref).zip(weights).map(ask).collect();
    let last = past.values(Scale::Linear).and_then(|values| values.last().copied()).unwrap_or_default();
    (0..horizon).map(|step| mean(&forecasts, weights, step).unwrap_or(last)).collect()
}

/// The models that have weight, the weightiest first.
fn shares(models: &[Box<dyn Model>], weights: &[f64]) -> Vec<Share> {
    let weighty = models.iter().map(AsRef::as_ref).zip(weights).filter(|(_, weight)| **weight > 0.0);
    let share =
        |(model, weight): (&dyn Model, &f64)| Share { model: model.name(), class: model.class(), weight: *weight };
    let mut shares: Vec<Share> = weighty.map(share).collect();
    shares.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    shares
}

#[cfg(test)]
#[path = "forecaster_tests.rs"]
mod tests;
