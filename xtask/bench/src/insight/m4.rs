//! The forecaster against the M4 competition's hourly series: 414 of them, 48 steps ahead.
//!
//! The measures are those the competition published (Makridakis, Spiliotis, Assimakopoulos 2020, and its R code): sMAPE,
//! MASE and MSIS with a seasonality of 24, OWA relative to Naive2, 95 % intervals. The test part is used for scoring
//! only; settings were chosen on the train part without its last 48 points.

use std::path::Path;
use std::time::{Duration, Instant};

use nightdesk_insight::forecast::{Forecaster, Settings};

/// Steps ahead.
const HORIZON: usize = 48;
/// Seasonality by which the competition scales errors.
const SEASON: usize = 24;
/// Seasons of hourly series: a day and a week.
const SEASONS: [usize; 2] = [24, 168];
/// 1 − level of the intervals scored.
const ALPHA: f64 = 0.05;
/// Random halves of the series that are scored too, to see how much hangs on which series there are.
const HALVES: u64 = 3;

/// All that was measured.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// From the end of the train part, against the test part: the competition's own.
    pub(crate) official: Round,
    /// From 48 points earlier, against the end of the train part: where settings were chosen.
    pub(crate) earlier: Round,
    /// Series.
    pub(crate) series: usize,
    /// Series a second on one core: fitted, models back-tested ten times each, weighted and calibrated, 48 steps forecast.
    pub(crate) series_per_second: f64,
    /// The same by the processor time of this thread, which does not count what others did meanwhile.
    pub(crate) series_per_cpu_second: f64,
    /// The forecast alone, once the series is known: series a second of processor time.
    pub(crate) forecasts_per_cpu_second: f64,
    /// One more value, back-tests every 24 values included: values a second of processor time.
    pub(crate) updates_per_cpu_second: f64,
}

/// Scores from one origin.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// Averages over all series.
    pub(crate) score: Score,
    /// Naive2, by which OWA is scaled. Its intervals are not scored.
    pub(crate) naive2: Score,
    /// Overall weighted average of sMAPE and MASE relative to Naive2.
    pub(crate) owa: f64,
    /// OWA and score of random halves of the series.
    pub(crate) halves: Vec<(f64, Score)>,
}

/// Reads the competition's tables below `data` and measures.
pub(crate) fn run(data: &Path) -> Result<Figures, String> {
    let table = |name: &str| {
        let path = data.join("m4").join(name);
        std::fs::read_to_string(&path).map(|text| read(&text)).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (train, test) = (table("Hourly-train.csv")?, table("Hourly-test.csv")?);
    let earlier: Vec<(&[f64], &[f64])> = train.iter().map(|series| series.split_at(series.len() - HORIZON)).collect();
    let official: Vec<(&[f64], &[f64])> = train.iter().zip(&test).map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
    let (earlier, official) = (round(&earlier)?, round(&official)?);
    let clocks = clocks(&train)?;
    let series = train.len() as f64;
    Ok(Figures {
        official,
        earlier,
        series: train.len(),
        series_per_second: series / clocks.wall.as_secs_f64(),
        series_per_cpu_second: series / (clocks.fit + clocks.forecast).as_secs_f64(),
        forecasts_per_cpu_second: series / clocks.forecast.as_secs_f64(),
        updates_per_cpu_second: updates(&train, &test)?,
    })
}

fn fit(series: &[f64]) -> Result<Forecaster, String> {
    Forecaster::fit(series, Settings::new(SEASONS.into(), HORIZON)).map_err(|error| error.to_string())
}

/// What it took.
#[derive(Debug, Default)]
struct Clocks {
    wall: Duration,
    fit: Duration,
    forecast: Duration,
}

/// Takes the time of many series at once: processor time is told to within some milliseconds only.
fn clocks(train: &[Vec<f64>]) -> Result<Clocks, String> {
    const AT_ONCE: usize = 69;
    let mut clocks = Clocks::default();
    for series in train.chunks(AT_ONCE) {
        let (started, before) = (Instant::now(), thread_time());
        let fitted = series.iter().map(|series| fit(series)).collect::<Result<Vec<Forecaster>, String>>()?;
        let between = thread_time();
        for forecaster in &fitted {
            std::hint::black_box(forecaster.forecast(HORIZON).map_err(|error| error.to_string())?);
        }
        clocks.forecast += thread_time().saturating_sub(between);
        clocks.fit += between.saturating_sub(before);
        clocks.wall += started.elapsed();
    }
    Ok(clocks)
}

fn round(series: &[(&[f64], &[f64])]) -> Result<Round, String> {
    let (mut ours, mut naive) = (Vec::new(), Vec::new());
    for (train, test) in series {
        let forecast = fit(train)?.forecast(HORIZON).map_err(|error| error.to_string())?;
        ours.push(score(train, test, &Guess { mean: forecast.mean, low: forecast.low, high: forecast.high }));
        naive.push(score(train, test, &Guess { mean: naive2(train), ..Guess::default() }));
    }
    let of = |chosen: &[usize]| {
        let pick = |scores: &[Score]| average(&chosen.iter().map(|at| scores[*at]).collect::<Vec<_>>());
        let (score, naive2) = (pick(&ours), pick(&naive));
        (owa(&score, &naive2), score, naive2)
    };
    let all: Vec<usize> = (0..series.len()).collect();
    let (owa, score, naive2) = of(&all);
    let halves = (0..HALVES).map(|seed| of(&half(series.len(), seed))).map(|(owa, score, _)| (owa, score)).collect();
    Ok(Round { score, naive2, owa, halves })
}

/// A random half of `0..count`: those with the lower hashes.
fn half(count: usize, seed: u64) -> Vec<usize> {
    // SplitMix64 of the index and the seed.
    let hash = |at: usize| {
        let mut x = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed << 32);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|at| hash(*at));
    order.truncate(count / 2);
    order
}

/// How many values a second a fitted forecaster takes in, over the test parts of the first series.
fn updates(train: &[Vec<f64>], test: &[Vec<f64>]) -> Result<f64, String> {
    const SERIES: usize = 40;
    let (mut spent, mut count) = (Duration::ZERO, 0.0);
    for (train, test) in train.iter().zip(test).take(SERIES) {
        let mut known = fit(train)?;
        let started = thread_time();
        for value in test {
            known.update(*value).map_err(|e| e.to_string())?;
        }
        spent += thread_time().saturating_sub(started);
        count += test.len() as f64;
    }
    Ok(count / spent.as_secs_f64())
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0))
}

/// What was forecast for one series.
#[derive(Debug, Clone, Default)]
struct Guess {
    mean: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
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
fn score(train: &[f64], test: &[f64], guess: &Guess) -> Score {
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
fn average(scores: &[Score]) -> Score {
    let over = |member: fn(&Score) -> f64| mean(scores.iter().map(member));
    Score { smape: over(|s| s.smape), mase: over(|s| s.mase), msis: over(|s| s.msis), coverage: over(|s| s.coverage) }
}

/// Overall weighted average relative to `naive2`.
fn owa(score: &Score, naive2: &Score) -> f64 {
    0.5 * (score.smape / naive2.smape + score.mase / naive2.mase)
}

/// The competition's Naive2: the last value, seasonally adjusted by classical multiplicative decomposition where a
/// season is significant at 90 %.
fn naive2(train: &[f64]) -> Vec<f64> {
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
fn read(text: &str) -> Vec<Vec<f64>> {
    let row =
        |line: &str| -> Vec<f64> { line.split(',').skip(1).map_while(|f| f.trim_matches('"').parse().ok()).collect() };
    text.lines().skip(1).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_forecast_scores_nothing() {
        let train: Vec<f64> = (0..48).map(f64::from).collect();
        let test = vec![1.0, 2.0];
        let score = score(&train, &test, &Guess { mean: test.clone(), low: test.clone(), high: test.clone() });
        assert_eq!((score.smape, score.mase, score.msis, score.coverage), (0.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn measures_of_a_known_case() {
        // The seasonal naive forecast is off by 24 within the train part.
        let train: Vec<f64> = (0..48).map(f64::from).collect();
        let guess = Guess { mean: vec![3.0, 3.0], low: vec![2.0, 2.0], high: vec![4.0, 4.0] };
        let score = score(&train, &[1.0, 3.0], &guess);
        assert!((score.smape - 50.0).abs() < 1e-12 && (score.mase - 1.0 / 24.0).abs() < 1e-12);
        // Width 2 each, and 40 times the one that the first value is below.
        assert!((score.msis - (2.0 + 20.0) / 24.0).abs() < 1e-12 && score.coverage == 0.5);
    }

    #[test]
    fn naive2_keeps_the_season_and_the_last_level() {
        let series: Vec<f64> = (0..240).map(|t| 100.0 + f64::from(t % 24)).collect();
        let forecast = naive2(&series);
        assert!((0..48).all(|h| (forecast[h] - series[192 + h % 24]).abs() < 0.2), "{forecast:?}");
        assert_eq!(naive2(&[1.0, 2.0, 5.0]), [5.0; 48]);
    }

    #[test]
    fn halves_are_halves_and_differ() {
        let (a, b) = (half(414, 0), half(414, 1));
        assert_eq!((a.len(), b.len()), (207, 207));
        assert_ne!(a, b);
    }
}
