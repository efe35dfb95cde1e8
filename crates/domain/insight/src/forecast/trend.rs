//! Trend plus Fourier seasonalities: the Prophet-class.
//!
//! A ridge regression on a line and the first harmonics of each season. The past is discounted, so the line bends and
//! the seasons change shape as the series does; what the regression leaves at the end fades out as an AR(1) term.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::model::{Class, Model, Past, Scale, unscaled};
use super::moments::{Bank, solve};
use super::settings::Settings;

/// Harmonics of the shortest and of the longest season.
const HARMONICS: (usize, usize) = (8, 10);
/// The ridge penalty, in rows of data.
const RIDGE: f64 = 1.0;
/// Rows a coefficient must rest on.
const ROWS_PER_MEMBER: f64 = 2.0;

/// What the series is regressed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Basis {
    /// Season and harmonics.
    waves: Vec<(usize, Vec<usize>)>,
    /// Steps in which the trend is measured, and after which the past counts half.
    span: f64,
}

impl Basis {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (short, long) = (settings.short(), settings.long());
        let mut waves = Vec::new();
        if let Some(short) = short {
            waves.push((short, (1..=HARMONICS.0.min((short - 1) / 2)).collect()));
        }
        if let (Some(short), Some(long)) = (short, long) {
            // A harmonic of the long season that is one of the short season's too would be in twice.
            let own = |k: &usize| !(k * short).is_multiple_of(long);
            waves.push((long, (1..=HARMONICS.1.min((long - 1) / 2)).filter(own).collect()));
        }
        let span = settings.seasons.last().copied().unwrap_or(4 * settings.horizon.max(12));
        Self { waves, span: span as f64 }
    }

    /// Members in a row.
    pub(crate) fn width(&self) -> usize {
        2 + self.waves.iter().map(|(_, harmonics)| 2 * harmonics.len()).sum::<usize>()
    }

    /// Appends the row of index `at`: one, time, waves.
    pub(crate) fn extend(&self, row: &mut Vec<f64>, at: usize) {
        row.extend([1.0, at as f64 / self.span]);
        for (season, harmonics) in &self.waves {
            let (sin, cos) = (TAU * (at % season) as f64 / *season as f64).sin_cos();
            let (mut c, mut s, mut k) = (1.0, 0.0, 0);
            for harmonic in harmonics {
                while k < *harmonic {
                    (c, s) = (c * cos - s * sin, s * cos + c * sin);
                    k += 1;
                }
                row.extend([c, s]);
            }
        }
    }

    /// Coefficients by ridge regression. The constant is free; the rest shrinks.
    fn coefficients(&self, bank: &Bank, scale: Scale) -> Option<Vec<f64>> {
        let total = bank.trend(scale, self.span)?;
        let (rows, target) = (total.of(0, 0), self.width());
        if rows < ROWS_PER_MEMBER * self.width() as f64 {
            return None;
        }
        let mean = |i: usize| total.of(i, 0) / rows;
        let product = |i: usize, j: usize| total.of(i, j) - total.of(i, 0) * mean(j);
        let line =
            |i: usize| -> Vec<f64> { (1..=i).map(|j| product(i, j) + if i == j { RIDGE } else { 0.0 }).collect() };
        let slopes = solve((1..target).map(line).collect(), (1..target).map(|i| product(i, target)).collect())?;
        let explained: f64 = slopes.iter().enumerate().map(|(i, slope)| slope * mean(i + 1)).sum();
        let mut coefficients = vec![mean(target) - explained + bank.reference(scale)];
        coefficients.extend(slopes);
        Some(coefficients)
    }
}

/// Trend and seasons.
#[derive(Debug, Clone)]
pub(crate) struct TrendSeason {
    scale: Scale,
    /// Values from which the fading of what is left is estimated.
    window: usize,
}

impl TrendSeason {
    pub(crate) fn new(settings: &Settings, scale: Scale) -> Self {
        let season = settings.seasons.last().copied().unwrap_or(0);
        Self { scale, window: season.max(settings.horizon).max(12) }
    }
}

impl Model for TrendSeason {
    fn name(&self) -> String {
        if self.scale == Scale::Log { "log trend+season".into() } else { "trend+season".into() }
    }

    fn class(&self) -> Class {
        Class::TrendSeason
    }

    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>> {
        let values = past.values(self.scale)?;
        let basis = past.bank().basis();
        let coefficients = basis.coefficients(past.bank(), self.scale)?;
        let mut row = Vec::with_capacity(coefficients.len());
        let mut fitted = |at: usize| -> f64 {
            row.clear();
            basis.extend(&mut row, at);
            row.iter().zip(&coefficients).map(|(member, c)| member * c).sum()
        };
        let end = past.start() + values.len();
        let recent = &values[values.len().saturating_sub(self.window)..];
        let from = end - recent.len();
        let rest: Vec<f64> = recent.iter().enumerate().map(|(i, value)| value - fitted(from + i)).collect();
        let carried: f64 = rest.iter().zip(rest.iter().skip(1)).map(|(before, now)| before * now).sum();
        let squares: f64 = rest.iter().map(|left| left * left).sum();
        let carry = if squares > 0.0 { (carried / squares).clamp(0.0, 0.999) } else { 0.0 };
        let (low, high) = past.fence(self.scale);
        let mut left = rest.last().copied().unwrap_or_default();
        let step = |at: usize| {
            left *= carry;
            (fitted(at) + left).clamp(low, high)
        };
        Some(unscaled((end..end + horizon).map(step).collect(), self.scale))
    }
}

#[cfg(test)]
#[path = "trend_tests.rs"]
mod tests;
