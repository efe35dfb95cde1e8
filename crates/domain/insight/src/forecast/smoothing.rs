//! Exponential smoothing with error correction: level, damped trend, up to two additive seasons, and an AR(1) term for
//! what they leave (Taylor 2003, "double seasonal Holt-Winters").

use super::model::{Class, Model, Past, Scale, unscaled};

/// What is left of the trend after each step.
const DAMPING: f64 = 0.98;
/// First seasons from which the state is initialised.
const SEASONS_AT_START: usize = 3;

/// Rates tried side by side: the processor works on all lanes at once, where one would leave it waiting.
const LANES: usize = 4;

/// How fast each part follows, by lane. A coarse grid is enough: the error is flat around its least.
#[derive(Debug, Clone, Copy)]
struct Rates<const L: usize> {
    level: [f64; L],
    trend: [f64; L],
    short: [f64; L],
    long: [f64; L],
    /// Share of the error that is still there one step later.
    carry: [f64; L],
}

const LEVELS: [f64; LANES] = [0.005, 0.02, 0.1, 0.4];
const TRENDS: [f64; LANES] = [0.0, 0.01, 0.03, 0.1];
const SEASONALS: [f64; LANES] = [0.0, 0.05, 0.15, 0.35];
const CARRIES: [f64; LANES] = [0.0, 0.5, 0.8, 0.95];

impl Rates<LANES> {
    fn lane(&self, lane: usize) -> Rates<1> {
        Rates {
            level: [self.level[lane]],
            trend: [self.trend[lane]],
            short: [self.short[lane]],
            long: [self.long[lane]],
            carry: [self.carry[lane]],
        }
    }
}

impl Rates<1> {
    fn on_all_lanes(&self) -> Rates<LANES> {
        Rates {
            level: [self.level[0]; LANES],
            trend: [self.trend[0]; LANES],
            short: [self.short[0]; LANES],
            long: [self.long[0]; LANES],
            carry: [self.carry[0]; LANES],
        }
    }
}

/// Exponential smoothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Smoothing {
    short: Option<usize>,
    long: Option<usize>,
    scale: Scale,
}

/// What is smoothed, by lane.
#[derive(Debug, Clone)]
struct State<const L: usize> {
    level: [f64; L],
    trend: [f64; L],
    short: Vec<[f64; L]>,
    long: Vec<[f64; L]>,
    error: [f64; L],
    /// Phases of the next value.
    phases: (usize, usize),
}

impl<const L: usize> State<L> {
    /// Averages over the first seasons.
    fn start(values: &[f64], short: usize, long: usize) -> Self {
        let season = short.max(long);
        let count = (SEASONS_AT_START.min(values.len() / season) * season).max(1).min(values.len());
        let first = &values[..count];
        let level = first.iter().sum::<f64>() / count as f64;
        let mut state = Self {
            level: [level; L],
            trend: [0.0; L],
            short: vec![[0.0; L]; short],
            long: vec![[0.0; L]; long],
            error: [0.0; L],
            phases: (0, 0),
        };
        if short > 1 {
            state.short = profile(short, first.iter().map(|value| value - level));
        }
        if long > 1 {
            let rest = first.iter().enumerate().map(|(at, value)| value - level - state.short[at % short][0]);
            state.long = profile(long, rest);
        }
        state
    }

    /// Takes in a value; returns how far off the expectation was.
    fn take(&mut self, value: f64, rates: &Rates<L>) -> [f64; L] {
        let (short, long) = (&mut self.short[self.phases.0], &mut self.long[self.phases.1]);
        let mut errors = [0.0; L];
        for lane in 0..L {
            let expected = self.level[lane] + self.trend[lane] + short[lane] + long[lane];
            let error = value - expected - rates.carry[lane] * self.error[lane];
            self.level[lane] += self.trend[lane] + rates.level[lane] * error;
            self.trend[lane] = DAMPING * self.trend[lane] + rates.level[lane] * rates.trend[lane] * error;
            short[lane] += rates.short[lane] * error;
            long[lane] += rates.long[lane] * error;
            self.error[lane] = value - expected;
            errors[lane] = error;
        }
        self.turn();
        errors
    }

    fn turn(&mut self) {
        self.phases.0 = if self.phases.0 + 1 == self.short.len() { 0 } else { self.phases.0 + 1 };
        self.phases.1 = if self.phases.1 + 1 == self.long.len() { 0 } else { self.phases.1 + 1 };
    }
}

impl State<LANES> {
    fn lane(&self, lane: usize) -> State<1> {
        State {
            level: [self.level[lane]],
            trend: [self.trend[lane]],
            short: self.short.iter().map(|lanes| [lanes[lane]]).collect(),
            long: self.long.iter().map(|lanes| [lanes[lane]]).collect(),
            error: [self.error[lane]],
            phases: self.phases,
        }
    }
}

impl State<1> {
    fn forecast(mut self, rates: &Rates<1>, horizon: usize) -> Vec<f64> {
        let step = |_| {
            self.error[0] *= rates.carry[0];
            let seasons = self.short[self.phases.0][0] + self.long[self.phases.1][0];
            self.level[0] += self.trend[0];
            self.trend[0] *= DAMPING;
            self.turn();
            self.level[0] + seasons + self.error[0]
        };
        (0..horizon).map(step).collect()
    }
}

/// Means by phase.
fn profile<const L: usize>(season: usize, values: impl Iterator<Item = f64>) -> Vec<[f64; L]> {
    let mut sums = vec![(0.0, 0.0f64); season];
    for (at, value) in values.enumerate() {
        sums[at % season].0 += value;
        sums[at % season].1 += 1.0;
    }
    sums.iter().map(|(sum, count)| [sum / count.max(1.0); L]).collect()
}

impl Smoothing {
    pub(crate) fn new(short: Option<usize>, long: Option<usize>, scale: Scale) -> Self {
        Self { short, long, scale }
    }

    /// The rates with the least squared error one step ahead, by one sweep over the grid of each, and what they make of
    /// the values.
    fn fit(&self, values: &[f64], short: usize, long: usize) -> (Rates<1>, State<1>) {
        let start = State::<LANES>::start(values, short, long);
        let skipped = values.len() / 4;
        let best = |rates: &Rates<LANES>| {
            let (mut state, mut losses) = (start.clone(), [0.0; LANES]);
            for value in &values[..skipped] {
                state.take(*value, rates);
            }
            for value in &values[skipped..] {
                let errors = state.take(*value, rates);
                for lane in 0..LANES {
                    losses[lane] += errors[lane] * errors[lane];
                }
            }
            let lane = (0..LANES).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
            (lane, state)
        };
        let mut rates = if self.short.is_some() {
            Rates { level: [0.02], trend: [0.0], short: [0.1], long: [0.1], carry: [0.8] }
        } else {
            Rates { level: [0.3], trend: [0.0], short: [0.0], long: [0.0], carry: [0.0] }
        };
        let mut sweep = |grid: [f64; LANES], part: fn(&mut Rates<LANES>) -> &mut [f64; LANES]| {
            let mut tried = rates.on_all_lanes();
            *part(&mut tried) = grid;
            let (lane, state) = best(&tried);
            rates = tried.lane(lane);
            (lane, state)
        };
        sweep(CARRIES, |rates| &mut rates.carry);
        sweep(LEVELS, |rates| &mut rates.level);
        if self.short.is_some() {
            sweep(SEASONALS, |rates| &mut rates.short);
        }
        if self.long.is_some() {
            sweep(SEASONALS, |rates| &mut rates.long);
        }
        let (lane, state) = sweep(TRENDS, |rates| &mut rates.trend);
        (rates, state.lane(lane))
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
        let (rates, state) = self.fit(values, short, long);
        let (low, high) = past.fence(self.scale);
        let forecast = state.forecast(&rates, horizon).into_iter().map(|value| value.clamp(low, high)).collect();
        Some(unscaled(forecast, self.scale))
    }
}

#[cfg(test)]
#[path = "smoothing_tests.rs"]
mod tests;
