//! Bounds from the residuals of the back-test: conformal, after each step's own scale.
//!
//! Residuals are divided by the mean absolute residual of the steps around theirs and pooled; the quantile of the pool,
//! with the finite-sample correction, times the scale of a step is that step's half-width. Residuals of one origin go
//! together, so there are fewer independent ones than it seems: the width is raised as Student's t would for as many
//! degrees of freedom as there are origins. Bounds are symmetric: two one-sided quantiles of so few origins proved
//! worse than one of both sides together.

use super::backtest::Miss;
use super::normal::{normal_quantile, student_excess};

/// Share of the horizon, to either side, over which residuals share their scale.
const NEIGHBOURHOOD: usize = 8;

/// Half-widths of the bounds.
#[derive(Debug, Clone)]
pub(crate) struct Calibration {
    /// By step, as far as it was back-tested: mean absolute residual.
    scales: Vec<f64>,
    /// Half-width in scales.
    factor: f64,
    /// Whether residuals are taken relative to the forecast.
    relative: bool,
}

impl Calibration {
    /// Calibrates absolute and, for a positive series, relative residuals, and takes what scores better on them.
    pub(crate) fn new(misses: &[Miss], horizon: usize, level: f64, positive: bool) -> Option<Self> {
        let absolute = Self::of(misses, horizon, level, false)?;
        if !positive {
            return Some(absolute);
        }
        let relative = Self::of(misses, horizon, level, true)?;
        Some(if relative.score(misses, level) < absolute.score(misses, level) { relative } else { absolute })
    }

    fn of(misses: &[Miss], horizon: usize, level: f64, relative: bool) -> Option<Self> {
        let scales = scales(misses, horizon, relative)?;
        let mut pool: Vec<f64> = misses
            .iter()
            .flat_map(|miss| &miss.steps)
            .map(|(step, said, came)| {
                (came - said).abs() / unit(*said, relative) / scales[*step].max(f64::MIN_POSITIVE)
            })
            .collect();
        pool.sort_by(f64::total_cmp);
        let rank = (level * (pool.len() + 1) as f64).ceil() as usize;
        let quantile = pool.get(rank.clamp(1, pool.len()) - 1)?;
        let factor = quantile * student_excess(normal_quantile(0.5 + 0.5 * level), misses.len() as f64);
        Some(Self { scales, factor, relative })
    }

    /// Half-width at a step, counted from zero, around a forecast. Beyond what was back-tested it grows as the error of
    /// a random walk does.
    pub(crate) fn half_width(&self, step: usize, said: f64) -> f64 {
        self.factor * self.typical(step, said)
    }

    /// Typical (mean absolute) error at a step, counted from zero.
    pub(crate) fn typical(&self, step: usize, said: f64) -> f64 {
        let last = self.scales.len() - 1;
        let beyond = if step > last { ((step + 1) as f64 / self.scales.len() as f64).sqrt() } else { 1.0 };
        self.scales[step.min(last)] * beyond * unit(said, self.relative)
    }

    /// Interval score (Gneiting and Raftery 2007) on the residuals themselves.
    fn score(&self, misses: &[Miss], level: f64) -> f64 {
        let steps = misses.iter().flat_map(|miss| &miss.steps);
        let score = |(step, said, came): &(usize, f64, f64)| {
            let half = self.half_width(*step, *said);
            2.0 * half + 2.0 / (1.0 - level) * ((came - said).abs() - half).max(0.0)
        };
        steps.map(score).sum()
    }
}

/// What a residual is measured in.
fn unit(said: f64, relative: bool) -> f64 {
    if relative { said.abs().max(f64::MIN_POSITIVE) } else { 1.0 }
}

/// Mean absolute residual around each step. A step nobody came to takes the scale before it, and grows.
fn scales(misses: &[Miss], horizon: usize, relative: bool) -> Option<Vec<f64>> {
    let mut sums = vec![(0.0, 0.0); horizon];
    for (step, said, came) in misses.iter().flat_map(|miss| &miss.steps) {
        let (sum, count) = &mut sums[*step];
        *sum += (came - said).abs() / unit(*said, relative);
        *count += 1.0;
    }
    let reached = sums.iter().rposition(|(_, count)| *count > 0.0)? + 1;
    let near = horizon / NEIGHBOURHOOD;
    let around = |step: usize| {
        let window = &sums[step.saturating_sub(near)..(step + near + 1).min(reached)];
        let (sum, count) = window.iter().fold((0.0, 0.0), |(s, c), (sum, count)| (s + sum, c + count));
        (count > 0.0).then(|| sum / count)
    };
    let mut last = 0.0;
    let scale = |step: usize| {
        last = around(step).unwrap_or(last);
        last
    };
    Some((0..reached).map(scale).collect())
}

#[cfg(test)]
#[path = "intervals_tests.rs"]
mod tests;
