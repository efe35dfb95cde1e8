//! The trait behind which the model classes stand, and who is a candidate.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

use super::analogue::Analogue;
use super::history::History;
use super::lags::{LagRegression, Reach};
use super::moments::{Bank, Total};
use super::naive::Naive;
use super::settings::Settings;
use super::smoothing::Smoothing;
use super::trend::TrendSeason;

/// The scale a model works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The values as they are.
    Linear,
    /// Their logarithms, where all are positive: what grows by per cent becomes steady.
    Log,
}

/// Which kind of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What was is what will be.
    Naive,
    /// Seasonal differences and autoregression: ARIMA-class.
    LagRegression,
    /// Exponential smoothing: level, damped trend, seasons.
    Smoothing,
    /// Trend and Fourier seasonalities: Prophet-class.
    TrendSeason,
    /// What followed the stretches of the past most like the present.
    Analogue,
}

/// What a model may look at: the past, and nothing else.
#[derive(Debug)]
pub struct Past<'a> {
    history: &'a History,
    bank: &'a Bank,
    /// What several models ask for, worked out once.
    fences: [OnceCell<(f64, f64)>; 2],
    totals: OnceCell<Vec<Total>>,
}

impl<'a> Past<'a> {
    pub(crate) const fn new(history: &'a History, bank: &'a Bank) -> Self {
        Self { history, bank, fences: [const { OnceCell::new() }; 2], totals: OnceCell::new() }
    }

    /// The values on a scale, oldest first, gaps filled. `None` on a logarithmic scale if a value is not positive.
    #[must_use]
    pub fn values(&self, scale: Scale) -> Option<&'a [f64]> {
        self.history.on(scale)
    }

    /// Index of the oldest of [`Self::values`], counted from the first value ever given.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.history.start()
    }

    /// The best scale there is: logarithmic where all values are positive.
    #[must_use]
    pub fn best_scale(&self) -> Scale {
        if self.history.on(Scale::Log).is_some() { Scale::Log } else { Scale::Linear }
    }

    pub(crate) const fn bank(&self) -> &'a Bank {
        self.bank
    }

    /// Sums over rows of lags.
    pub(crate) fn lags(&self, reach: Reach, scale: Scale) -> Option<&Total> {
        self.totals.get_or_init(|| self.bank.lag_totals()).get(self.bank.lag_place(reach, scale)?)
    }

    /// Bounds no recursive forecast leaves: thrice the range beyond what was seen.
    pub(crate) fn fence(&self, scale: Scale) -> (f64, f64) {
        *self.fences[scale as usize].get_or_init(|| {
            let seen = self.history.raw(scale).iter();
            let (low, high) = seen.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            let margin = 3.0 * (high - low);
            (low - margin, high + margin)
        })
    }
}

/// A way to forecast. It holds no state of the series: what can be kept up to date cheaply (moments) is in [`Past`].
pub trait Model {
    /// A short name, unique among the candidates.
    fn name(&self) -> String;

    /// Its class.
    fn class(&self) -> Class;

    /// The next `horizon` values, or `None` where the past is too short for it (or has no logarithm).
    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>>;
}

/// The models that compete under these settings, the plainest first. The first can always forecast.
pub(crate) fn candidates(settings: &Settings) -> Vec<Box<dyn Model>> {
    let (short, long) = (settings.short(), settings.long());
    let mut models: Vec<Box<dyn Model>> = vec![Box::new(Naive::last())];
    for season in short.into_iter().chain(long) {
        models.push(Box::new(Naive::seasonal(season)));
    }
    for scale in [Scale::Linear, Scale::Log] {
        for reach in Reach::all(settings) {
            for base in reach.bases(settings) {
                models.push(Box::new(LagRegression::new(settings, reach, base, scale)));
            }
        }
        models.push(Box::new(Smoothing::new(short, long, scale)));
        models.push(Box::new(TrendSeason::new(settings, scale)));
    }
    if let Some(short) = short {
        models.push(Box::new(Analogue::new(2 * short, short)));
        let other = long.filter(|long| *long != 2 * short);
        models.extend(other.map(|long| Box::new(Analogue::new(long, short)) as Box<dyn Model>));
    }
    models
}

/// Takes a forecast back to the scale of the series.
pub(crate) fn unscaled(mut forecast: Vec<f64>, scale: Scale) -> Vec<f64> {
    if scale == Scale::Log {
        for value in &mut forecast {
            *value = value.exp();
        }
    }
    forecast
}
