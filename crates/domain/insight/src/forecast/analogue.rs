//! Analogues: what followed the stretches of the past most like the present one.
//!
//! Stretches are compared after taking off their mean, at the same phase of the short season only.

use super::model::{Class, Model, Past, unscaled};

/// Stretches that are averaged.
const NEIGHBOURS: usize = 4;

/// Averages what followed the stretches most alike, weighted by likeness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Analogue {
    /// Values in a stretch.
    length: usize,
    /// Steps from one stretch to the next.
    stride: usize,
}

impl Analogue {
    pub(crate) const fn new(length: usize, stride: usize) -> Self {
        Self { length, stride }
    }

    /// Ends of the stretches most like the present one, with their squared distance.
    fn nearest(&self, values: &[f64], follows: usize) -> Vec<(f64, usize)> {
        let n = values.len();
        let present = &values[n - self.length..];
        let center = mean(present);
        let ends = (1..).map(|k| n.checked_sub(k * self.stride)).take_while(Option::is_some).flatten();
        let mut found: Vec<(f64, usize)> = ends
            .take_while(|end| *end >= self.length)
            .filter(|end| end + follows <= n)
            .map(|end| {
                let stretch = &values[end - self.length..end];
                let shift = center - mean(stretch);
                (stretch.iter().zip(present).map(|(a, b)| (a + shift - b).powi(2)).sum(), end)
            })
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(NEIGHBOURS);
        found
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Model for Analogue {
    fn name(&self) -> String {
        format!("analogue {}", self.length)
    }

    fn class(&self) -> Class {
        Class::Analogue
    }

    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>> {
        let scale = past.best_scale();
        let values = past.values(scale)?;
        let n = values.len();
        // Far ahead nothing has followed yet: the last season found is repeated.
        let follows = horizon.min(self.length);
        if n < 2 * self.length + follows {
            return None;
        }
        let nearest = self.nearest(values, follows);
        let best = nearest.first()?.0.max(f64::MIN_POSITIVE);
        let weights: Vec<f64> = nearest.iter().map(|(distance, _)| best / distance.max(best)).collect();
        let whole: f64 = weights.iter().sum();
        let center = mean(&values[n - self.length..]);
        let mut forecast = vec![0.0; follows];
        for ((_, end), weight) in nearest.iter().zip(&weights) {
            let shift = center - mean(&values[end - self.length..*end]);
            for (sum, value) in forecast.iter_mut().zip(&values[*end..]) {
                *sum += weight / whole * (value + shift);
            }
        }
        let repeated = forecast.len() - forecast.len() % self.stride;
        let from = follows.saturating_sub(repeated.max(1));
        while forecast.len() < horizon {
            let next = forecast[from + (forecast.len() - from) % repeated.max(1)];
            forecast.push(next);
        }
        Some(unscaled(forecast, scale))
    }
}

#[cfg(test)]
#[path = "analogue_tests.rs"]
mod tests;
