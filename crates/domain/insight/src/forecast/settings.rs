//! What a forecaster is told, and why it may refuse.

use serde::{Deserialize, Serialize};

/// The furthest step that can be forecast.
pub const MAX_HORIZON: usize = 10_000;
/// The longest season, in steps: a week of minutes and some.
const MAX_SEASON: usize = 20_000;
/// Values beyond this are refused: their squares must not overflow.
pub(crate) const MAX_VALUE: f64 = 1e100;
/// Back-tests, at least: enough for weights that hold still, few enough to follow a change of regime.
const LEAST_WINDOWS: usize = 8;
/// Back-tests at most, where a horizon is short: each costs as much as a forecast.
const MOST_WINDOWS: usize = 32;
/// Residuals wanted: a bound at 95 % then rests on about twenty beyond it.
const RESIDUALS: usize = 384;
/// Longest seasons (or horizons) of which values are kept.
const KEPT: usize = 8;

/// Settings of a forecaster. None of them is to be tuned per series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seasons in steps, any number of them; the shortest and the longest are used.
    pub seasons: Vec<usize>,
    /// Steps ahead for which the models are back-tested. A forecast may reach further, with bounds by extrapolation.
    pub horizon: usize,
    /// Share of the values that shall lie within the bounds, e.g. 0.95.
    pub level: f64,
}

impl Settings {
    /// Settings with bounds at 95 %.
    #[must_use]
    pub const fn new(seasons: Vec<usize>, horizon: usize) -> Self {
        Self { seasons, horizon, level: 0.95 }
    }

    /// Checks and puts in order.
    pub(crate) fn checked(mut self) -> Result<Self, ForecastError> {
        if let Some(season) = self.seasons.iter().find(|season| !(2..=MAX_SEASON).contains(*season)) {
            return Err(ForecastError::Season { season: *season });
        }
        check_horizon(self.horizon)?;
        if !(0.5..=0.999).contains(&self.level) {
            return Err(ForecastError::Level);
        }
        self.seasons.sort_unstable();
        self.seasons.dedup();
        Ok(self)
    }

    /// The shortest season.
    pub(crate) fn short(&self) -> Option<usize> {
        self.seasons.first().copied()
    }

    /// The longest season, if it is another than the shortest.
    pub(crate) fn long(&self) -> Option<usize> {
        self.seasons.last().copied().filter(|long| Some(*long) != self.short())
    }

    /// Steps from one back-test to the next: half a horizon, so that they overlap by half.
    pub(crate) fn stride(&self) -> usize {
        self.horizon.div_ceil(2)
    }

    /// Age in steps at which a back-test is forgotten.
    pub(crate) fn memory(&self) -> usize {
        let windows = (RESIDUALS / self.horizon).clamp(LEAST_WINDOWS, MOST_WINDOWS);
        self.horizon + windows * self.stride()
    }

    /// Values kept, at least.
    pub(crate) fn kept(&self) -> usize {
        let longest = self.seasons.last().copied().unwrap_or(0).max(self.horizon);
        (KEPT * longest).max(1_024).max(2 * self.memory())
    }
}

pub(crate) fn check_horizon(horizon: usize) -> Result<(), ForecastError> {
    if (1..=MAX_HORIZON).contains(&horizon) { Ok(()) } else { Err(ForecastError::Horizon { horizon }) }
}

/// Why there is no forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// Too few values.
    #[error("{given} values are too few to forecast from, {needed} are needed")]
    TooShort {
        /// Values that were there.
        given: usize,
        /// Values it takes.
        needed: usize,
    },
    /// A value is infinite or beyond 1e100.
    #[error("value {at} is infinite or beyond 1e100")]
    Unusable {
        /// Its index, counted from the first value ever given.
        at: usize,
    },
    /// More than half of the values kept are missing.
    #[error("{missing} of {kept} values are missing")]
    MostlyMissing {
        /// Values missing.
        missing: usize,
        /// Values kept.
        kept: usize,
    },
    /// The horizon is not within 1..=10,000 steps.
    #[error("a horizon of {horizon} steps is not within 1..=10000")]
    Horizon {
        /// What was asked.
        horizon: usize,
    },
    /// A season is not within 2..=20,000 steps.
    #[error("a season of {season} steps is not within 2..=20000")]
    Season {
        /// What was asked.
        season: usize,
    },
    /// The level is not within 0.5..=0.999.
    #[error("the level of the bounds is not within 0.5..=0.999")]
    Level,
}
