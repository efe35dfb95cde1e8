//! Ridge regression on lags: the ARIMA-class.
//!
//! With a base, everything is taken as a difference from the value `base` steps ago: a seasonal ARIMA(p,0,0)(P,1,0)
//! whose coefficients shrink towards the seasonal naive forecast. Without one it is an autoregression around the mean.
//! Forecast recursively. One ridge penalty serves all: it is worth one row of data.

use serde::{Deserialize, Serialize};

use super::model::{Class, Model, Past, Scale, unscaled};
use super::moments::{FIRST_LAG, TARGET, Total, solve};
use super::settings::Settings;

/// The ridge penalty, in rows of data.
const RIDGE: f64 = 1.0;
/// Rows a coefficient must rest on.
const ROWS_PER_LAG: usize = 3;

/// How far back the lags of a regression go. A long reach knows more, a short one needs less history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// The last three values.
    Near,
    /// Two short seasons.
    Short,
    /// One long season.
    Long,
    /// Two long seasons.
    Longest,
}

impl Reach {
    /// Those that make sense for the seasons at hand.
    pub(crate) fn all(settings: &Settings) -> Vec<Self> {
        match (settings.short(), settings.long()) {
            (None, _) => vec![Self::Near],
            (Some(_), None) => vec![Self::Near, Self::Short],
            (Some(_), Some(_)) => vec![Self::Near, Self::Short, Self::Long, Self::Longest],
        }
    }

    /// Lags in steps, ascending.
    pub(crate) fn lags(self, settings: &Settings) -> Vec<usize> {
        let (short, long) = (settings.short().unwrap_or(1), settings.long().unwrap_or(1));
        let mut lags = vec![1, 2, 3];
        if self != Self::Near {
            lags.extend([short - 1, short, short + 1, short + 2, 2 * short, 2 * short + 1]);
        }
        if matches!(self, Self::Long | Self::Longest) {
            lags.extend([long, long + 1]);
        }
        if self == Self::Longest {
            lags.extend((3..=6).map(|k| k * short));
            lags.extend([long - 1, long + 2, long + short, 2 * long, 2 * long + 1]);
        }
        lags.retain(|lag| *lag > 0);
        lags.sort_unstable();
        lags.dedup();
        lags
    }

    /// From which lag differences are taken.
    pub(crate) fn bases(self, settings: &Settings) -> Vec<Option<usize>> {
        let (short, long) = (settings.short(), settings.long());
        match self {
            Self::Near => vec![None, Some(1)],
            Self::Short => vec![None, short],
            Self::Long => vec![short],
            Self::Longest => vec![None, short, long],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Short => "short",
            Self::Long => "long",
            Self::Longest => "longest",
        }
    }
}

/// Ridge regression on lags.
#[derive(Debug, Clone)]
pub(crate) struct LagRegression {
    reach: Reach,
    lags: Vec<usize>,
    base: Option<usize>,
    scale: Scale,
}

impl LagRegression {
    pub(crate) fn new(settings: &Settings, reach: Reach, base: Option<usize>, scale: Scale) -> Self {
        Self { reach, lags: reach.lags(settings), base, scale }
    }

    /// Coefficients of the lags, and a constant.
    fn coefficients(&self, total: &Total, reference: f64) -> Option<(Vec<f64>, f64)> {
        let rows = total.of(0, 0);
        if rows < (ROWS_PER_LAG * self.lags.len()) as f64 {
            return None;
        }
        match self.base.and_then(|base| self.lags.iter().position(|lag| *lag == base)) {
            Some(base) => self.differenced(total, base, rows),
            None => self.centered(total, reference, rows),
        }
    }

    fn centered(&self, total: &Total, reference: f64, rows: f64) -> Option<(Vec<f64>, f64)> {
        let mean = |i: usize| total.of(i, 0) / rows;
        let product = |i: usize, j: usize| total.of(i, j) - total.of(i, 0) * mean(j);
        let places: Vec<usize> = (FIRST_LAG..FIRST_LAG + self.lags.len()).collect();
        let coefficients = ridge(&places, product, rows)?;
        let explained: f64 = places.iter().zip(&coefficients).map(|(i, c)| c * (mean(*i) + reference)).sum();
        Some((coefficients, mean(TARGET) + reference - explained))
    }

    fn differenced(&self, total: &Total, base: usize, rows: f64) -> Option<(Vec<f64>, f64)> {
        let b = base + FIRST_LAG;
        let product = |i: usize, j: usize| total.of(i, j) - total.of(i, b) - total.of(j, b) + total.of(b, b);
        let places: Vec<usize> = (FIRST_LAG..FIRST_LAG + self.lags.len()).filter(|place| *place != b).collect();
        let mut coefficients = ridge(&places, product, rows)?;
        // What is not given to other lags stays with the base.
        coefficients.insert(base, 1.0 - coefficients.iter().sum::<f64>());
        Some((coefficients, 0.0))
    }
}

/// Regresses the target on the members at `places`. All zero where the target does not vary.
fn ridge(places: &[usize], product: impl Fn(usize, usize) -> f64, rows: f64) -> Option<Vec<f64>> {
    let variance = product(TARGET, TARGET) / rows;
    if variance.is_nan() || variance <= 0.0 {
        return Some(vec![0.0; places.len()]);
    }
    // Products this far below the target's are rounding: they must not make the matrix singular.
    let penalty = RIDGE * variance;
    let line = |n: usize, i: usize| -> Vec<f64> { places[..=n].iter().map(|j| product(i, *j)).collect() };
    let mut matrix: Vec<Vec<f64>> = places.iter().enumerate().map(|(n, i)| line(n, *i)).collect();
    for (n, row) in matrix.iter_mut().enumerate() {
        row[n] += penalty;
    }
    solve(matrix, places.iter().map(|i| product(*i, TARGET)).collect())
}

impl Model for LagRegression {
    fn name(&self) -> String {
        let log = if self.scale == Scale::Log { "log " } else { "" };
        let base = self.base.map_or_else(String::new, |base| format!(" diff {base}"));
        format!("{log}lags {}{base}", self.reach.name())
    }

    fn class(&self) -> Class {
        Class::LagRegression
    }

    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>> {
        let values = past.values(self.scale)?;
        let longest = self.lags.last().copied()?;
        let total = past.lags(self.reach, self.scale)?;
        let (coefficients, constant) = self.coefficients(total, past.bank().reference(self.scale))?;
        let mut path = values.get(values.len().checked_sub(longest)?..)?.to_vec();
        let (low, high) = past.fence(self.scale);
        path.reserve(horizon);
        for _ in 0..horizon {
            let next = self.lags.iter().zip(&coefficients).map(|(lag, c)| c * path[path.len() - lag]).sum::<f64>();
            path.push((next + constant).clamp(low, high));
        }
        Some(unscaled(path.split_off(longest), self.scale))
    }
}

#[cfg(test)]
#[path = "lags_tests.rs"]
mod tests;
