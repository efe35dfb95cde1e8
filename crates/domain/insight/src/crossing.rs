//! Time to impact: when a forecast crosses a limit, at the earliest, as expected, and at the latest.

use serde::{Deserialize, Serialize};

use crate::forecast::{Forecast, normal_cdf, normal_quantile};

/// A limit that is crossed from one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Values at or above it are beyond.
    Above(f64),
    /// Values at or below it are beyond.
    Below(f64),
}

impl Limit {
    /// Whether a value is beyond.
    #[must_use]
    pub fn is_crossed_by(self, value: f64) -> bool {
        match self {
            Self::Above(limit) => value >= limit,
            Self::Below(limit) => value <= limit,
        }
    }
}

/// When a limit will be crossed. Steps are sampling intervals from the last value on; zero is now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeToImpact {
    /// The first step at which the expected value is beyond. `None`: not within the horizon.
    pub expected: Option<usize>,
    /// The first step at which the outer bound is beyond.
    pub earliest: usize,
    /// The first step at which both bounds are beyond. `None`: not within the horizon.
    pub latest: Option<usize>,
    /// Chance that the value is beyond at the step at which that is likeliest, 0..=1, for errors that are normal within
    /// the bounds' width. The chance that it is beyond at some step is no less.
    pub confidence: f64,
}

/// When `forecast` crosses `limit`. `None` if not even its bounds do within the horizon.
#[must_use]
pub fn time_to_impact(forecast: &Forecast, limit: Limit) -> Option<TimeToImpact> {
    if limit.is_crossed_by(forecast.last) {
        return Some(TimeToImpact { expected: Some(0), earliest: 0, latest: Some(0), confidence: 1.0 });
    }
    let (outer, inner) = match limit {
        Limit::Above(_) => (&forecast.high, &forecast.low),
        Limit::Below(_) => (&forecast.low, &forecast.high),
    };
    let first = |values: &[f64]| values.iter().position(|value| limit.is_crossed_by(*value)).map(|step| step + 1);
    let earliest = first(outer)?;
    Some(TimeToImpact {
        expected: first(&forecast.mean),
        earliest,
        latest: first(inner),
        confidence: confidence(forecast, limit),
    })
}

/// The greatest chance, over the steps, that the value is beyond.
fn confidence(forecast: &Forecast, limit: Limit) -> f64 {
    let quantile = normal_quantile(0.5 + 0.5 * forecast.level);
    let chance = |(mean, (low, high)): (&f64, (&f64, &f64))| {
        let deviation = (0.5 * (high - low) / quantile).max(f64::MIN_POSITIVE);
        let beyond = match limit {
            Limit::Above(limit) => mean - limit,
            Limit::Below(limit) => limit - mean,
        };
        normal_cdf(beyond / deviation)
    };
    forecast.mean.iter().zip(forecast.low.iter().zip(&forecast.high)).map(chance).fold(0.0, f64::max)
}

#[cfg(test)]
#[path = "crossing_tests.rs"]
mod tests;
