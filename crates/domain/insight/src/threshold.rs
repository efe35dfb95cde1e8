//! A threshold that depends on the hour of the day, the day of the week and how volatile the market is.
//!
//! A metric may be restless at certain hours and in certain markets. What evidence is usual there is learned, and the
//! threshold rises or falls with it, within bounds: so that no hour floods the operator, and none goes blind.
//!
//! Volatility is the market's, given from outside. The metric's own would not do: it rises with every anomaly, and the
//! threshold would flee from what it is to catch (measured: three points of the benchmark lost).

use serde::{Deserialize, Serialize};

const HOURS: usize = 24;
const DAYS: usize = 7;
const HOUR_S: i64 = 3_600;
/// Classes of volatility: below half, to 0.8, to 1.25, to double the usual, and above.
const VOLATILITY_STEPS: [f64; 4] = [0.5, 0.8, 1.25, 2.0];
/// Rows that the usual evidence is remembered.
const MEMORY: f32 = 20_000.0;
/// Rows' worth of the overall mean in each slot. Two restless Mondays are two anomalies; two months of them are a habit.
const PRIOR: f32 = 4_000.0;
/// How far one slot, and all three together, may move the threshold.
const SLOT_BOUNDS: (f64, f64) = (0.85, 1.25);
const BOUNDS: (f64, f64) = (0.8, 1.5);
/// Evidence beyond which a row teaches no more: an anomaly must not make its own hour deaf.
const CAP: f64 = 3.0;

/// The threshold of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicThreshold {
    overall: Slot,
    hours: [Slot; HOURS],
    days: [Slot; DAYS],
    volatility: [Slot; VOLATILITY_STEPS.len() + 1],
}

/// The mean evidence in one circumstance.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Slot {
    mean: f32,
    rows: f32,
}

impl Default for DynamicThreshold {
    fn default() -> Self {
        Self {
            overall: Slot::default(),
            hours: [Slot::default(); HOURS],
            days: [Slot::default(); DAYS],
            volatility: [Slot::default(); VOLATILITY_STEPS.len() + 1],
        }
    }
}

impl DynamicThreshold {
    /// What the base threshold is multiplied by at `at_s` (seconds since the epoch, UTC) in a market that is `volatility`
    /// times as volatile as usual, where that is known. Between 0.8 and 1.5; 1 while nothing was learned.
    #[must_use]
    pub fn factor(&self, at_s: i64, volatility: Option<f64>) -> f64 {
        let (hour, day, class) = place(at_s, volatility);
        let class = class.and_then(|class| self.volatility.get(class));
        let slots = [self.hours.get(hour), self.days.get(day), class];
        let factor: f64 = slots.into_iter().flatten().map(|slot| slot.against(self.overall)).product();
        factor.clamp(BOUNDS.0, BOUNDS.1)
    }

    /// Learns how strong evidence was in these circumstances.
    pub fn learn(&mut self, at_s: i64, volatility: Option<f64>, strength: f64) {
        if !strength.is_finite() {
            return;
        }
        let strength = strength.clamp(0.0, CAP) as f32;
        let (hour, day, class) = place(at_s, volatility);
        let class = class.and_then(|class| self.volatility.get_mut(class));
        let slots = [self.hours.get_mut(hour), self.days.get_mut(day), class];
        slots.into_iter().flatten().for_each(|slot| slot.learn(strength));
        self.overall.learn(strength);
    }
}

impl Slot {
    fn learn(&mut self, strength: f32) {
        self.rows = (self.rows + 1.0).min(MEMORY);
        self.mean += (strength - self.mean) / self.rows;
    }

    fn against(self, overall: Self) -> f64 {
        if overall.mean <= 0.0 {
            return 1.0;
        }
        let mean = (self.mean * self.rows + overall.mean * PRIOR) / (self.rows + PRIOR);
        f64::from(mean / overall.mean).clamp(SLOT_BOUNDS.0, SLOT_BOUNDS.1)
    }
}

/// Hour, weekday (counted from Thursday, as the epoch was) and class of volatility.
fn place(at_s: i64, volatility: Option<f64>) -> (usize, usize, Option<usize>) {
    let hours = at_s.div_euclid(HOUR_S);
    let known = volatility.filter(|ratio| ratio.is_finite() && *ratio > 0.0);
    let class = known.map(|ratio| VOLATILITY_STEPS.iter().filter(|step| ratio > **step).count());
    (hours.rem_euclid(24) as usize, hours.div_euclid(24).rem_euclid(7) as usize, class)
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
mod tests;
