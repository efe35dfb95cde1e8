//! Where the level of a series changed, and where a forecast is heading.

use serde::{Deserialize, Serialize};

/// Where a forecast is heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up, by more than the error to be expected.
    Rising,
    /// Down, by more than the error to be expected.
    Falling,
    /// Neither.
    Flat,
}

/// Values without which no change is looked for, and that lie between two changes.
const LEAST_BETWEEN: usize = 8;
/// Gain in log-likelihood a change must bring, in ln n. The strengthened BIC: three parameters a change.
const PENALTY: f64 = 3.0;
/// Changes reported at most, the newest.
const MOST: usize = 16;

/// Indices of the values with which a new level began, ascending. Seasons (ascending) are taken off first, by the median
/// of each phase; then the series is halved where that helps most (binary segmentation), as long as it helps enough for noise
/// that is as autocorrelated as this one's.
pub(crate) fn change_points(values: &[f64], seasons: &[usize]) -> Vec<usize> {
    let values = seasons.iter().fold(values.to_vec(), |values, season| deseasoned(values, *season));
    let between = LEAST_BETWEEN.max(seasons.first().copied().unwrap_or(0));
    if values.len() < 2 * between {
        return Vec::new();
    }
    let Some(noise) = noise(&values, between) else { return Vec::new() };
    let mut sums = vec![0.0];
    for value in &values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let mut found = Vec::new();
    let mut open = vec![(0, values.len())];
    while let Some((from, to)) = open.pop() {
        if let Some((at, gain)) = best_split(&sums, from, to, between)
            && gain > 2.0 * PENALTY * (values.len() as f64).ln() * noise
        {
            found.push(at);
            open.extend([(from, at), (at, to)]);
        }
    }
    found.sort_unstable();
    found.split_off(found.len().saturating_sub(MOST))
}

/// The values less the median of their phase, where there are three seasons or more.
fn deseasoned(mut values: Vec<f64>, season: usize) -> Vec<f64> {
    if values.len() < 3 * season {
        return values;
    }
    let medians: Vec<f64> =
        (0..season).map(|phase| median(values.iter().skip(phase).step_by(season).copied())).collect();
    values.iter_mut().enumerate().for_each(|(at, value)| *value -= medians[at % season]);
    values
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Long-run variance around a local level: the variance within stretches, raised by their autocorrelation. `None` where
/// nothing varies.
fn noise(values: &[f64], stretch: usize) -> Option<f64> {
    let (mut squares, mut products) = (Vec::new(), Vec::new());
    for part in values.chunks_exact(stretch) {
        let center = part.iter().sum::<f64>() / stretch as f64;
        let freedom = (stretch - 1) as f64;
        squares.push(part.iter().map(|v| (v - center).powi(2)).sum::<f64>() / freedom);
        products.push(part.windows(2).map(|w| (w[0] - center) * (w[1] - center)).sum::<f64>() / freedom);
    }
    // The median, lest the stretch in which the level changes is taken for noise.
    let variance = median(squares.iter().copied());
    let carried = products.iter().sum::<f64>() / squares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let carried = carried.clamp(0.0, 0.95);
    let floor = 1e-12 * values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
    let noise = (variance * (1.0 + carried) / (1.0 - carried)).max(floor);
    (noise > 0.0).then_some(noise)
}

/// Where to part a stretch in two levels, and by how much that lowers the sum of squares.
fn best_split(sums: &[f64], from: usize, to: usize, between: usize) -> Option<(usize, f64)> {
    let mean = |a: usize, b: usize| (sums[b] - sums[a]) / (b - a) as f64;
    let gain = |at: usize| {
        let (left, right) = ((at - from) as f64, (to - at) as f64);
        left * right / (left + right) * (mean(from, at) - mean(at, to)).powi(2)
    };
    let places = from + between..(to + 1).saturating_sub(between);
    places.map(|at| (at, gain(at))).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Compares the end of a forecast with the present: its last season with the last season seen where the forecast is
/// that long, else its last quarter with as many of the last values: one alone may be off. `error` is what the
/// forecast's end is typically off by.
pub(crate) fn direction(values: &[f64], forecast: &[f64], season: Option<usize>, error: f64) -> Direction {
    let season = season.filter(|season| forecast.len() >= *season && values.len() >= *season);
    let length = season.unwrap_or(forecast.len() / 4).clamp(1, values.len());
    let mean = |values: &[f64]| values[values.len().saturating_sub(length)..].iter().sum::<f64>() / length as f64;
    let moved = mean(forecast) - mean(values);
    if moved > error {
        Direction::Rising
    } else if moved < -error {
        Direction::Falling
    } else {
        Direction::Flat
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
