//! Evidence that a value is unusual, from several points of view, each against its own history.
//!
//! One view is a deviation (from the level, from the day's profile, …) and the [`Tail`] of such deviations. What counts
//! is the strongest view and a part of the second: views fail in different ways, and two that agree are rarely wrong.

use serde::{Deserialize, Serialize};

use super::profile::{Pace, Profile, Usual};
use super::tail::Tail;
use super::{Expected, Reason, Tuning};

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
/// Slots of half an hour, and of an hour.
const DAY_SLOTS: usize = 48;
const WEEK_SLOTS: usize = 168;
/// Rows after which the deviation is known well enough to clip by it.
const CLIP_FROM: f64 = 20.0;
/// The share of values that the expected range should hold, and where its width begins, in mean deviations.
const EXPECTED_SHARE: f64 = 0.99;
const EXPECTED_WIDTH: f64 = 3.5;
/// Rows without any change that make a flat line.
const FLAT_ROWS: u16 = 12;

/// What a series looks like, and how far it usually strays from that.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Evidence {
    #[serde(with = "super::exact")]
    rows: f64,
    /// The level, its recent value, and the mean deviation from it.
    #[serde(with = "super::exact")]
    level: f64,
    #[serde(with = "super::exact")]
    recent: f64,
    #[serde(with = "super::exact")]
    deviation: f64,
    /// The level that profiles are relative to.
    #[serde(with = "super::exact")]
    base: f64,
    #[serde(with = "super::exact")]
    previous: f64,
    unchanged: u16,
    /// Logarithm of the change from row to row: recently, and usually.
    #[serde(with = "super::exact")]
    volatility: f64,
    #[serde(with = "super::exact")]
    calm: f64,
    /// Mean residuals of late, in deviations.
    #[serde(with = "super::exact")]
    off_day: f64,
    #[serde(with = "super::exact")]
    off_week: f64,
    /// Half the expected range, in mean deviations.
    #[serde(with = "super::exact")]
    width: f64,
    day: Profile<DAY_SLOTS>,
    week: Profile<WEEK_SLOTS>,
    spike: Tail,
    shift: Tail,
    wild: Tail,
    still: Tail,
    by_day: Tail,
    by_week: Tail,
    overall: Tail,
}

/// What one row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    /// The combined evidence: grows like a negative decimal logarithm of a probability, summed over views.
    pub(crate) strength: f64,
    /// How improbable such evidence is in this series, as a negative decimal logarithm.
    pub(crate) rarity: f64,
    pub(crate) reason: Reason,
    /// What was expected before the row was known.
    pub(crate) expected: Option<Expected>,
}

impl Evidence {
    /// Rows seen.
    pub(crate) fn rows(&self) -> f64 {
        self.rows
    }

    /// Judges the next value by what was known before it, then learns from it.
    pub(crate) fn step(&mut self, at: i64, value: f64, interval_s: f64, gap: bool, tuning: &Tuning) -> Found {
        self.rows += 1.0;
        if self.rows == 1.0 {
            self.begin(value);
        }
        let day = self.pace(DAY_S, interval_s, tuning.day_memory, tuning);
        let week = self.pace(WEEK_S, interval_s, tuning.week_memory, tuning);
        let (by_day, by_week) = (self.day.usual(at, &day), self.week.usual(at, &week));
        let (middle, spread) = self.forecast(by_day, by_week);
        let expected = (self.rows > CLIP_FROM).then(|| Expected::around(middle, self.width * spread));
        let views = self.views(value, gap, by_day, by_week, tuning);
        self.day.learn(at, value - self.base, &day);
        self.week.learn(at, value - self.base, &week);
        self.settle(value, interval_s, tuning);
        self.widen((value - middle).abs() / spread.max(1e-12), tuning);
        let (strength, reason) = self.combine(views, tuning);
        let rarity = self.overall.step(strength, tuning);
        Found { strength, rarity, reason, expected }
    }

    fn begin(&mut self, value: f64) {
        (self.level, self.recent, self.base, self.previous) = (value, value, value, value);
        self.width = EXPECTED_WIDTH;
    }

    fn pace(&self, period_s: i64, interval_s: f64, memory: f64, tuning: &Tuning) -> Pace {
        let floor = tuning.floor * self.deviation;
        Pace { period_s, interval_s, memory, floor, clip: tuning.clip }
    }

    /// The best predictor by its mean error so far, and that error.
    fn forecast(&self, by_day: Option<Usual>, by_week: Option<Usual>) -> (f64, f64) {
        let mut best = (self.level, self.spike.mean(), self.spike.mean());
        for (usual, common) in [(by_day, self.day.common()), (by_week, self.week.common())] {
            if let (Some(usual), Some(common)) = (usual, common)
                && common < best.2
            {
                best = (self.base + usual.mean, usual.deviation, common);
            }
        }
        (best.0, best.1)
    }

    /// The views' deviations, each judged by its tail.
    fn views(
        &mut self,
        value: f64,
        gap: bool,
        by_day: Option<Usual>,
        by_week: Option<Usual>,
        tuning: &Tuning,
    ) -> [f64; 6] {
        let floor = tuning.floor * self.deviation;
        let spike = (value - self.level).abs() + floor;
        self.recent += clipped(value - self.recent, self.limit(tuning)) / self.rows.min(tuning.shift_rows);
        let shift = (self.recent - self.level).abs() + floor;
        self.stir(value, gap, tuning);
        let stirred = self.volatility - self.calm;
        // Values that repeat make stillness count the more the longer they do: a flat line is more than little change.
        let repeated = 1.0 + f64::from(self.unchanged) / f64::from(FLAT_ROWS);
        // And it follows from nothing else, so it counts in full.
        let stillness = if self.unchanged >= FLAT_ROWS { 1.0 } else { tuning.volatility };
        let residual = value - self.base;
        let off = |mean: &mut f64, tail: &mut Tail, usual: Option<Usual>, rows: f64| {
            let Some(usual) = usual else { return 0.0 };
            *mean += ((residual - usual.mean) / usual.deviation - *mean) / rows;
            tail.step(mean.abs(), tuning)
        };
        [
            self.spike.step(spike, tuning),
            self.shift.step(shift, tuning),
            tuning.volatility * self.wild.step(stirred.max(0.0), tuning),
            stillness * self.still.step((-stirred).max(0.0) * repeated, tuning),
            off(&mut self.off_day, &mut self.by_day, by_day, tuning.season_rows),
            off(&mut self.off_week, &mut self.by_week, by_week, tuning.week_rows),
        ]
    }

    /// Follows the size of changes from row to row. A change across a gap is none.
    fn stir(&mut self, value: f64, gap: bool, tuning: &Tuning) {
        let change = (value - self.previous).abs();
        self.previous = value;
        if self.rows < 2.0 || gap {
            return;
        }
        self.unchanged = if change > 0.0 { 0 } else { self.unchanged.saturating_add(1) };
        let size = (change + (tuning.stir * self.deviation).max(1e-12)).ln();
        self.volatility += (size - self.volatility) / self.rows.min(tuning.volatility_rows);
        self.calm += (size - self.calm) / self.rows.min(tuning.calm_rows);
    }

    /// Moves the levels.
    fn settle(&mut self, value: f64, interval_s: f64, tuning: &Tuning) {
        let limit = self.limit(tuning);
        let base_rows = tuning.base_days * DAY_S as f64 / interval_s;
        self.base += clipped(value - self.base, limit) / self.rows.min(base_rows.max(1.0));
        let off = clipped(value - self.level, limit);
        self.level += off / self.rows.min(tuning.level_rows);
        self.deviation += (off.abs() - self.deviation) / self.rows.min(tuning.memory_rows);
    }

    fn limit(&self, tuning: &Tuning) -> f64 {
        // A constant beginning has no scale: the first change sets it.
        if self.rows > CLIP_FROM && self.deviation > 0.0 { tuning.clip * self.deviation } else { f64::INFINITY }
    }

    /// Adapts the width of the expected range: a streaming quantile.
    fn widen(&mut self, off: f64, tuning: &Tuning) {
        let step = EXPECTED_WIDTH * (1.0 / self.rows.sqrt()).max(1.0 / tuning.memory_rows.sqrt());
        let by = if off > self.width { EXPECTED_SHARE } else { EXPECTED_SHARE - 1.0 };
        self.width = (self.width + step * by).clamp(1.0, 50.0);
    }

    fn combine(&self, views: [f64; 6], tuning: &Tuning) -> (f64, Reason) {
        let still = if self.unchanged >= FLAT_ROWS { Reason::FlatLine } else { Reason::VolatilityChange };
        let reasons = [
            Reason::Spike,
            Reason::LevelShift,
            Reason::VolatilityChange,
            still,
            Reason::SeasonalResidual,
            Reason::SeasonalResidual,
        ];
        let (mut best, mut second, mut reason) = (0.0, 0.0, Reason::Spike);
        for (view, named) in views.into_iter().zip(reasons) {
            if view > best {
                (second, best, reason) = (best, view, named);
            } else if view > second {
                second = view;
            }
        }
        (best + tuning.second * second, reason)
    }
}

fn clipped(difference: f64, limit: f64) -> f64 {
    difference.clamp(-limit, limit)
}
