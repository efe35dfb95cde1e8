//! The numbers that shape detection. They are priors with reasons, not fits: moving any of them by a third moves the
//! benchmark's score by less than its own uncertainty.

use serde::{Deserialize, Serialize};

/// Lengths are in rows unless the name says otherwise: a series has its own pace, and statistics count samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// Rows during which nothing is raised: fewer make no tail.
    pub warm_rows: f64,
    /// Memory of the level that spikes and shifts are measured against: about a day of five-minute points.
    pub level_rows: f64,
    /// Span over which a shift must hold to be one.
    pub shift_rows: f64,
    /// Span over which a seasonal residual must hold.
    pub season_rows: f64,
    /// The same for the week's profile, which is coarser.
    pub week_rows: f64,
    /// The smallest change from row to row that counts as one, as a share of the mean deviation.
    pub stir: f64,
    /// Weight of evidence from volatility: it follows spikes and shifts, which speak for themselves.
    pub volatility: f64,
    /// Span of recent volatility, and of the volatility that it is compared with.
    pub volatility_rows: f64,
    /// See `volatility_rows`.
    pub calm_rows: f64,
    /// Memory of scale and of tails.
    pub memory_rows: f64,
    /// Days that a day's profile remembers.
    pub day_memory: f64,
    /// Weeks that a week's profile remembers.
    pub week_memory: f64,
    /// Days of the level that profiles are relative to, so that a shift that stays leaves them valid.
    pub base_days: f64,
    /// Deviations (mean absolute) beyond which a value teaches no more: one spike must not move a level.
    pub clip: f64,
    /// The smallest difference that counts, as a share of the mean deviation.
    pub floor: f64,
    /// Shape of tails: 0 is exponential; 0.2 is a little heavier than most metrics are.
    pub shape: f64,
    /// Excesses that the prior of a tail's scale is worth.
    pub prior: f64,
    /// How far, in powers of ten, the fitted tail may exceed what was counted so far.
    pub trust: f64,
    /// Weight of the second-best evidence: two channels that agree are better than one.
    pub second: f64,
    /// Rows of silence after an alarm: a constant and a multiple of the root of the series' age.
    pub quiet_rows: f64,
    /// See `quiet_rows`.
    pub quiet_root: f64,
    /// How many times stronger evidence must be to alarm again during the same anomaly.
    pub worse: f64,
    /// What each alarm adds to the threshold, and after how many rows a part 1/e of it is left.
    pub habit: f64,
    /// See `habit`.
    pub habit_rows: f64,
    /// How far, as a share of its period, an event may be off and still be on schedule.
    pub schedule: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            warm_rows: 150.0,
            level_rows: 300.0,
            shift_rows: 12.0,
            season_rows: 40.0,
            week_rows: 6.0,
            stir: 0.15,
            volatility: 0.7,
            volatility_rows: 24.0,
            calm_rows: 400.0,
            memory_rows: 4_000.0,
            day_memory: 10.0,
            week_memory: 5.0,
            base_days: 5.0,
            clip: 6.0,
            floor: 0.02,
            shape: 0.2,
            prior: 10.0,
            trust: 1.0,
            second: 0.75,
            quiet_rows: 10.0,
            quiet_root: 1.5,
            worse: 1.5,
            habit: 0.25,
            habit_rows: 2_000.0,
            schedule: 0.1,
        }
    }
}
