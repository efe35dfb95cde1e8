//! Exponential smoothing with error correction: level, damped trend, up to two additive seasons, and an AR(1) term for
//! what they leave (Taylor 2003, "double seasonal Holt-Winters").

use super::model::{Class, Model, Past, Scale, fence, unscaled};

/// What is left of the trend after each step.
const DAMPING: f64 = 0.98;
/// First seasons from which the state is initialised.
const SEASONS_AT_START: usize = 3;

/// How fast each part follows. Tried one after the other: a coarse grid is enough, the error is flat around its least.
#[derive(Debug, Clone, Copy)]
struct Rates {
    level: f64,
    trend: f64,
    short: f64,
    long: f64,
    /// Share of the error that is still there one step later.
    carry: f64,
}

const LEVELS: [f64; 5] = [0.005, 0.02, 0.1, 0.3, 0.8];
const TRENDS: [f64; 2] = [0.0, 0.02];
const SEASONALS: [f64; 3] = [0.0, 0.1, 0.3];
const CARRIES: [f64; 4] = [0.0, 0.5, 0.8, 0.95];

/// Exponential smoothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Smoothing {
    short: Option<usize>,
    long: Option<usize>,
    scale: Scale,
}

/// What is smoothed.
#[derive(Debug, Clone)]
struct State {
    level: f64,
    trend: f64,
    short: Vec<f64>,
    long: Vec<f64>,
    error: f64,
    /// Phases of the next value.
    phases: (usize, usize),
}

impl State {
    /// Averages over the first seasons.
    fn start(values: &[f64], short: usize, long: usize) -> Self {
        let season = short.max(long);
        let count = (SEASONS_AT_START.min(values.len() / season) * season).max(1).min(values.len());
        let first = &values[..count];
        let level = first.iter().sum::<f64>() / count as f64;
        let mut state = Self { level, trend: 0.0, short: vec![0.0; short], long: vec![0.0; long], error: 0.0, phases: (0, 0) };
        if short > 1 {
            state.short = profile(short, first.iter().map(|value| value - level));
        }
        if long > 1 {
            let rest = first.iter().enumerate().map(|(at, value)| value - level - state.short[at % short]);
            state.long = profile(long, rest);
        }
        state
    }

    /// What is expected of the next value, without what is carried over.
    fn expected(&self) -> f64 {
        self.level + self.trend + self.short[self.phases.0] + self.long[self.phases.1]
    }

    fn turn(&mut self) {
        self.phases.0 = if self.phases.0 + 1 == self.short.len() { 0 } else { self.phases.0 + 1 };
        self.phases.1 = if self.phases.1 + 1 == self.long.len() { 0 } else { self.phases.1 + 1 };
    }

    /// Takes in a value; returns how far off the expectation was.
    fn take(&mut self, value: f64, rates: &Rates) -> f64 {
        let expected = self.expected();
        let error = value - expected - rates.carry * self.error;
        self.level += self.trend + rates.level * error;
        self.trend = DAMPING * self.trend + rates.level * rates.trend * error;
        self.short[self.phases.0] += rates.short * error;
        self.long[self.phases.1] += rates.long * error;
        self.error = value - expected;
        self.turn();
        error
    }

    fn forecast(mut self, rates: &Rates, horizon: usize) -> Vec<f64> {
        let step = |_| {
            self.error *= rates.carry;
            let next = self.expected() + self.error;
            self.level += self.trend;
            self.trend *= DAMPING;
            self.turn();
            next
        };
        (0..horizon).map(step).collect()
    }
}

/// Means by phase.
fn profile(season: usize, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0f64); season];
    for (at, value) in values.enumerate() {
        sums[at % season].0 += value;
        sums[at % season].1 += 1.0;
    }
    sums.iter().map(|(sum, count)| sum / count.max(1.0)).collect()
}

impl Smoothing {
    pub(crate) fn new(short: Option<usize>, long: Option<usize>, scale: Scale) -> Self {
        Self { short, long, scale }
    }

    /// The rates with the least squared error one step ahead, by one sweep over the grid of each.
    fn rates(&self, start: &State, values: &[f64]) -> Rates {
        let skipped = values.len() / 4;
        let loss = |rates: &Rates| -> f64 {
            let mut state = start.clone();
            let errors = values.iter().map(|value| state.take(*value, rates).powi(2));
            errors.skip(skipped).sum()
        };
        let mut best = Rates { level: 0.02, trend: 0.0, short: 0.1, long: 0.1, carry: 0.8 };
        if self.short.is_none() {
            best = Rates { level: 0.3, trend: 0.0, short: 0.0, long: 0.0, carry: 0.0 };
        }
        let mut least = loss(&best);
        let mut sweep = |grid: &[f64], set: fn(&mut Rates, f64)| {
            for rate in grid {
                let mut tried = best;
                set(&mut tried, *rate);
                let loss = loss(&tried);
                if loss < least {
                    (least, best) = (loss, tried);
                }
            }
        };
        sweep(&CARRIES, |rates, rate| rates.carry = rate);
        sweep(&LEVELS, |rates, rate| rates.level = rate);
        if self.short.is_some() {
            sweep(&SEASONALS, |rates, rate| rates.short = rate);
        }
        if self.long.is_some() {
            sweep(&SEASONALS, |rates, rate| rates.long = rate);
        }
        sweep(&TRENDS, |rates, rate| rates.trend = rate);
        best
    }
}

impl Model for Smoothing {
    fn name(&self) -> String {
        let log = if self.scale == Scale::Log { "log " } else { "" };
        let seasons: Vec<String> = self.short.into_iter().chain(self.long).map(|season| season.to_string()).collect();
        format!("{log}smoothing {}", seasons.join("+")).trim_end().to_owned()
    }

    fn class(&self) -> Class {
        Class::Smoothing
    }

    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>> {
        let values = past.values(self.scale)?;
        let (short, long) = (self.short.unwrap_or(1), self.long.unwrap_or(1));
        if values.len() < 2 * short.max(long).max(2) {
            return None;
        }
        let start = State::start(values, short, long);
        let rates = self.rates(&start, values);
        let mut state = start;
        for value in values {
            state.take(*value, &rates);
        }
        let (low, high) = fence(values);
        let forecast = state.forecast(&rates, horizon).into_iter().map(|value| value.clamp(low, high)).collect();
        Some(unscaled(forecast, self.scale))
    }
}
