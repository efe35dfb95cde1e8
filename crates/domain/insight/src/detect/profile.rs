//! What is usual at this time of the day or of the week: a mean and a mean deviation per slot.

use serde::{Deserialize, Serialize};

/// Rows of the deviation of all slots together.
const COMMON_ROWS: f64 = 2_000.0;
/// Visits' worth of that common deviation in a slot's own: a slot seen twice knows little about its spread.
const COMMON_WORTH: f64 = 4.0;

/// A profile over `N` slots of a period. UTC: the market does not change its clocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile<const N: usize> {
    #[serde(with = "super::exact::table")]
    means: [f32; N],
    #[serde(with = "super::exact::table")]
    deviations: [f32; N],
    #[serde(with = "super::exact::table")]
    visits: [u16; N],
    #[serde(with = "super::exact")]
    common: f64,
    #[serde(with = "super::exact")]
    rows: f64,
}

/// How a profile learns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Seconds of the period.
    pub(crate) period_s: i64,
    /// Usual seconds between rows.
    pub(crate) interval_s: f64,
    /// Periods that are remembered.
    pub(crate) memory: f64,
    /// The smallest deviation.
    pub(crate) floor: f64,
    /// Deviations beyond which a value teaches no more.
    pub(crate) clip: f64,
}

/// What a profile expects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl<const N: usize> Default for Profile<N> {
    fn default() -> Self {
        Self { means: [0.0; N], deviations: [0.0; N], visits: [0; N], common: 0.0, rows: 0.0 }
    }
}

impl<const N: usize> Profile<N> {
    /// The mean deviation over all slots; `None` before any slot was seen in a second period.
    pub(crate) fn common(&self) -> Option<f64> {
        (self.rows > 0.0).then_some(self.common)
    }

    /// What is usual at `at`; `None` before the slot was seen in two periods.
    pub(crate) fn usual(&self, at: i64, pace: &Pace) -> Option<Usual> {
        let slot = slot::<N>(at, pace.period_s);
        let visits = f64::from(*self.visits.get(slot)?);
        let each = visits_each::<N>(pace);
        if visits < 2.0 * each.floor() - 0.5 {
            return None;
        }
        Some(Usual { mean: f64::from(self.means[slot]), deviation: self.deviation(slot, each, pace) })
    }

    fn deviation(&self, slot: usize, each: f64, pace: &Pace) -> f64 {
        let (own, common) = (f64::from(self.visits[slot]), COMMON_WORTH * each);
        let deviation = (f64::from(self.deviations[slot]) * own + self.common * common) / (own + common);
        deviation.max(pace.floor).max(1e-12)
    }

    /// Learns.
    pub(crate) fn learn(&mut self, at: i64, value: f64, pace: &Pace) {
        let slot = slot::<N>(at, pace.period_s);
        let each = visits_each::<N>(pace);
        let visits = f64::from(self.visits[slot]);
        let memory = each * pace.memory;
        let residual = value - f64::from(self.means[slot]);
        if visits < each {
            self.means[slot] += (residual / (visits + 1.0).min(memory)) as f32;
        } else {
            let most = pace.clip * self.deviation(slot, each, pace);
            let residual = residual.clamp(-most, most);
            self.means[slot] += (residual / (visits + 1.0).min(memory)) as f32;
            let own = f64::from(self.deviations[slot]);
            self.deviations[slot] += ((residual.abs() - own) / (visits - each + 1.0).min(memory)) as f32;
            self.rows += 1.0;
            self.common += (residual.abs() - self.common) / self.rows.min(COMMON_ROWS);
        }
        self.visits[slot] = self.visits[slot].saturating_add(1);
    }
}

fn slot<const N: usize>(at: i64, period_s: i64) -> usize {
    let within = at.rem_euclid(period_s) as usize;
    (within * N / period_s as usize).min(N - 1)
}

/// Rows that fall into a slot each period.
fn visits_each<const N: usize>(pace: &Pace) -> f64 {
    (pace.period_s as f64 / N as f64 / pace.interval_s).max(1.0)
}
