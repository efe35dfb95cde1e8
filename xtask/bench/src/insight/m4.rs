//! The forecaster against the M4 competition's hourly series: 414 of them, 48 steps ahead.
//!
//! The measures are those the competition published (Makridakis, Spiliotis, Assimakopoulos 2020, and its R code): sMAPE,
//! MASE and MSIS with a seasonality of 24, OWA relative to Naive2, 95 % intervals. The test part is used for scoring
//! only; settings were chosen on the train part without its last 48 points.

/// Steps ahead.
pub(crate) const HORIZON: usize = 48;
/// Seasonality by which the competition scales errors.
const SEASON: usize = 24;
/// 1 − level of the intervals scored.
const ALPHA: f64 = 0.05;

/// What was forecast for one series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guess {
    pub(crate) mean: Vec<f64>,
    pub(crate) low: Vec<f64>,
    pub(crate) high: Vec<f64>,
}

/// Scores of one series, or their averages over many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// Symmetric mean absolute percentage error, per cent.
    pub(crate) smape: f64,
    /// Mean absolute error over that of the seasonal naive forecast within the train part.
    pub(crate) mase: f64,
    /// Mean scaled interval score.
    pub(crate) msis: f64,
    /// Share of the values within their interval.
    pub(crate) coverage: f64,
}

/// Scores `guess`.
pub(crate) fn score(train: &[f64], test: &[f64], guess: &Guess) -> Score {
    let scale = mean(train.iter().skip(SEASON).zip(train).map(|(now, before)| (now - before).abs()));
    let pairs = || test.iter().zip(&guess.mean);
    let bounds = || test.iter().zip(guess.low.iter().zip(&guess.high));
    Score {
        smape: 100.0 * mean(pairs().map(|(y, f)| 2.0 * (y - f).abs() / (y.abs() + f.abs()))),
        mase: mean(pairs().map(|(y, f)| (y - f).abs())) / scale,
        msis: mean(
            bounds().map(|(y, (low, high))| high - low + 2.0 / ALPHA * ((low - y).max(0.0) + (y - high).max(0.0))),
        ) / scale,
        coverage: mean(bounds().map(|(y, (low, high))| f64::from(u8::from(low <= y && y <= high)))),
    }
}

/// Averages over series.
pub(crate) fn average<'a>(scores: impl Iterator<Item = &'a Score> + Clone) -> Score {
    Score {
        smape: mean(scores.clone().map(|s| s.smape)),
        mase: mean(scores.clone().map(|s| s.mase)),
        msis: mean(scores.clone().map(|s| s.msis)),
        coverage: mean(scores.map(|s| s.coverage)),
    }
}

/// Overall weighted average relative to `naive2`.
pub(crate) fn owa(score: &Score, naive2: &Score) -> f64 {
    0.5 * (score.smape / naive2.smape + score.mase / naive2.mase)
}

/// The competition's Naive2: the last value, seasonally adjusted by classical multiplicative decomposition where a
/// season is significant at 90 %.
pub(crate) fn naive2(train: &[f64]) -> Vec<f64> {
    let last = train.last().copied().unwrap_or_default();
    if !is_seasonal(train) {
        return vec![last; HORIZON];
    }
    let figure = seasonal_figure(train);
    let n = train.len();
    let level = last / figure[(n - 1) % SEASON];
    (0..HORIZON).map(|step| level * figure[(n + step) % SEASON]).collect()
}

/// The competition's test: autocorrelation at the season against 1.645 times Bartlett's deviation.
fn is_seasonal(series: &[f64]) -> bool {
    let n = series.len();
    if n < 3 * SEASON {
        return false;
    }
    let center = mean(series.iter().copied());
    let product = |lag: usize| -> f64 { (lag..n).map(|i| (series[i] - center) * (series[i - lag] - center)).sum() };
    let variance = product(0);
    let squares: f64 = (1..SEASON).map(|lag| (product(lag) / variance).powi(2)).sum();
    let limit = 1.645 / (n as f64).sqrt() * (1.0 + 2.0 * squares).sqrt();
    (product(SEASON) / variance).abs() > limit
}

/// Multiplicative seasonal figure, as by R's `decompose`: ratios to a centred moving average, averaged by phase.
fn seasonal_figure(series: &[f64]) -> Vec<f64> {
    let half = SEASON / 2;
    let mut sums = [(0.0, 0.0); SEASON];
    for at in half..series.len() - half {
        let ends = 0.5 * (series[at - half] + series[at + half]);
        let trend = (ends + series[at - half + 1..at + half].iter().sum::<f64>()) / SEASON as f64;
        let (sum, count) = &mut sums[at % SEASON];
        *sum += series[at] / trend;
        *count += 1.0;
    }
    let figure: Vec<f64> = sums.iter().map(|(sum, count)| sum / count).collect();
    let center = mean(figure.iter().copied());
    figure.iter().map(|value| value / center).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Reads one of the competition's tables: a name, then values until the first empty field; a first line of headings.
pub(crate) fn read(text: &str) -> Vec<Vec<f64>> {
    let row = |line: &str| -> Vec<f64> { line.split(',').skip(1).map_while(|f| f.trim_matches('"').parse().ok()).collect() };
    text.lines().skip(1).map(row).collect()
}
