//! Streaming anomaly detection: one value at a time, constant work, constant memory.
//!
//! A [`Detector`] watches one series. Each value is judged by what was known before it (`evidence`), by how improbable
//! that deviation is in this series (`tail`), and becomes an alarm once for each anomaly (`alarm`) when it reaches a
//! threshold that depends on the circumstances ([`DynamicThreshold`]). It knows no labels, no other series, no clock: the
//! same values always give the same readings, and later values change none that was given.

mod alarm;
mod cadence;
mod evidence;
pub(crate) mod exact;
mod profile;
mod tail;
mod tuning;

use serde::{Deserialize, Serialize};

pub use tuning::Tuning;

use crate::threshold::DynamicThreshold;
use alarm::{AlarmMachine, Verdict};
use cadence::Cadence;
use evidence::{Evidence, Found};

/// Evidence that makes an alarm. Chosen on the development half of the benchmark, in the middle of a plateau; evidence
/// that strong comes about once in a thousand to four thousand rows of pure noise.
pub const DEFAULT_THRESHOLD: f64 = 4.25;
/// The score from which on a row is an alarm, whatever the threshold.
pub const ALARM_SCORE: f64 = 0.5;

/// Beyond this, differences and their ratios would overflow; no metric is that large.
const LARGEST: f64 = 1e100;

/// How a series is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Each value stands for itself.
    #[default]
    Gauge,
    /// Values only grow, and begin again at zero after a restart: what is judged is the growth per second.
    Counter,
}

/// What a detector is told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the series is to be read.
    pub kind: Kind,
    /// Evidence that makes an alarm, before circumstances change it.
    pub threshold: f64,
    /// The shape of detection.
    pub tuning: Tuning,
}

impl Default for Config {
    fn default() -> Self {
        Self { kind: Kind::Gauge, threshold: DEFAULT_THRESHOLD, tuning: Tuning::default() }
    }
}

/// What a series is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Too little is known to say anything; nothing is raised.
    Learning,
    /// As usual.
    Normal,
    /// An anomaly was raised and is not over, or not over for long.
    Alarm,
}

/// In what way a value is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is far from the level.
    Spike,
    /// Values of late lie at another level.
    LevelShift,
    /// It is not what this time of the day or week usually brings.
    SeasonalResidual,
    /// Values do not change any more.
    FlatLine,
    /// Values change from one to the next by more or by less than usual.
    VolatilityChange,
}

/// The range in which a value was expected before it was known: it holds about 99 of 100 usual values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Expected {
    fn around(middle: f64, half: f64) -> Self {
        Self { low: middle - half, high: middle + half }
    }
}

/// What the detector says about one value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// From 0 to 1; an alarm has at least [`ALARM_SCORE`], everything else less. Evidence `e` against the threshold `t` in
    /// force gives `e / (e + t)` in an alarm, and half of that otherwise: what repeats a known anomaly stays low.
    pub score: f64,
    /// How often evidence as strong as this comes in this series, learned from the series itself: 0.001 is one row in a
    /// thousand. It knows of no silence after alarms.
    pub tail_probability: f64,
    /// Evidence, about the negative decimal logarithm of a probability.
    pub evidence: f64,
    /// The threshold in force.
    pub threshold: f64,
    /// What the series is doing.
    pub state: State,
    /// Whether this row raises an alarm.
    pub alarm: bool,
    /// In what way the value is unusual; in alarms and while they last.
    pub reason: Option<Reason>,
    /// Where the value was expected; `None` while too little is known. Of a counter: its growth per second.
    pub expected: Option<Expected>,
}

/// A row that is older than the one before. It was ignored: nothing was learned from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("time went back from {last_s} s to {at_s} s")]
pub struct TimeWentBack {
    /// The last row's time.
    pub last_s: i64,
    /// This row's time.
    pub at_s: i64,
}

/// Watches one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    config: Config,
    cadence: Cadence,
    /// The last value of a counter, and when it was.
    counted: Option<(i64, f64)>,
    evidence: Evidence,
    threshold: DynamicThreshold,
    alarms: AlarmMachine,
}

impl Detector {
    /// A detector that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Seconds between rows, as learned.
    #[must_use]
    pub fn interval_s(&self) -> f64 {
        self.cadence.interval_s()
    }

    /// Judges the next value, at `at_s` seconds since the epoch, in a market of unknown volatility.
    ///
    /// A value that is no number, infinite or beyond 1e100 is a gap: it is not judged and teaches nothing.
    ///
    /// # Errors
    /// Ignores a row that is older than the one before. Several rows at the same time are fine.
    pub fn update(&mut self, at_s: i64, value: f64) -> Result<Reading, TimeWentBack> {
        self.update_in(at_s, value, None)
    }

    /// The same, in a market that is `volatility` times as volatile as usual.
    ///
    /// # Errors
    /// Ignores a row that is older than the one before.
    pub fn update_in(&mut self, at_s: i64, value: f64, volatility: Option<f64>) -> Result<Reading, TimeWentBack> {
        if let Some(last_s) = self.cadence.last().filter(|last| at_s < *last) {
            return Err(TimeWentBack { last_s, at_s });
        }
        let Some(value) = self.judged(at_s, value) else { return Ok(self.nothing()) };
        let tuning = &self.config.tuning;
        let gap = self.cadence.step(at_s);
        let found = self.evidence.step(at_s, value, self.cadence.interval_s(), gap, tuning);
        let threshold = self.config.threshold * self.threshold.factor(at_s, volatility);
        self.threshold.learn(at_s, volatility, found.strength);
        if self.evidence.rows() < tuning.warm_rows {
            self.alarms.step(0.0, threshold, tuning);
            return Ok(Self::reading(&found, threshold, State::Learning, false));
        }
        Ok(match self.alarms.step(found.strength, threshold, tuning) {
            Verdict::Normal => Self::reading(&found, threshold, State::Normal, false),
            Verdict::Raise => Self::reading(&found, threshold, State::Alarm, true),
            Verdict::Ongoing => Self::reading(&found, threshold, State::Alarm, false),
        })
    }

    /// What of a value is judged; `None` when that cannot be known.
    fn judged(&mut self, at_s: i64, value: f64) -> Option<f64> {
        if !value.is_finite() || value.abs() > LARGEST {
            return None;
        }
        if self.config.kind == Kind::Gauge {
            return Some(value);
        }
        let (before_s, before) = self.counted.replace((at_s, value))?;
        let (passed, grown) = ((at_s - before_s) as f64, value - before);
        // Less than before is a restart: what was counted in between is unknown.
        (passed > 0.0 && grown >= 0.0).then(|| grown / passed)
    }

    /// The reading of a gap.
    fn nothing(&self) -> Reading {
        let learning = self.evidence.rows() < self.config.tuning.warm_rows;
        let state = match (learning, self.alarms.is_raised()) {
            (true, _) => State::Learning,
            (false, true) => State::Alarm,
            (false, false) => State::Normal,
        };
        Reading {
            score: 0.0,
            tail_probability: 1.0,
            evidence: 0.0,
            threshold: self.config.threshold,
            state,
            alarm: false,
            reason: None,
            expected: None,
        }
    }

    fn reading(found: &Found, threshold: f64, state: State, alarm: bool) -> Reading {
        let part = found.strength / (found.strength + threshold).max(f64::MIN_POSITIVE);
        let score = match state {
            State::Learning => 0.0,
            State::Normal | State::Alarm if alarm => part.clamp(ALARM_SCORE, 1.0),
            State::Normal | State::Alarm => ALARM_SCORE * part,
        };
        Reading {
            score,
            tail_probability: (-found.rarity * std::f64::consts::LOG2_10).exp2(),
            evidence: found.strength,
            threshold,
            state,
            alarm,
            reason: (state == State::Alarm).then_some(found.reason),
            expected: found.expected,
        }
    }
}

#[cfg(test)]
mod tests;
