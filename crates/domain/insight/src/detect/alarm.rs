//! When evidence becomes an alarm: once for each anomaly, again only when it worsens, later when alarms are frequent, and
//! not at all for what happens on schedule.

use serde::{Deserialize, Serialize};

use super::Tuning;

/// Rows of age after which silence grows no longer.
const OLD_ROWS: f64 = 16_000.0;
/// The part of its silence that an anomaly which goes on is given anew.
const RENEWED: f64 = 0.5;
/// Repetitions that make a schedule, and periods without one after which it is forgotten.
const REPEATED: u16 = 2;
const FORGOTTEN: f64 = 3.5;

/// The state of alarms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AlarmMachine {
    #[serde(with = "super::exact")]
    row: f64,
    /// The row at which silence ends.
    #[serde(with = "super::exact")]
    quiet_until: f64,
    /// Whether silence follows an alarm, not a scheduled event.
    raised: bool,
    /// The strongest evidence of the present anomaly.
    #[serde(with = "super::exact")]
    peak: f64,
    #[serde(with = "super::exact")]
    habit: f64,
    schedule: Schedule,
}

/// An event that may come back at a regular interval: a batch job, a funding payment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Schedule {
    #[serde(with = "super::exact")]
    last: f64,
    /// Rows; 0 while there is none.
    #[serde(with = "super::exact")]
    period: f64,
    #[serde(with = "super::exact")]
    peak: f64,
    repeated: u16,
}

/// What the machine makes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing unusual.
    Normal,
    /// An anomaly begins or has become worse.
    Raise,
    /// An anomaly that was raised is not over, or not over for long.
    Ongoing,
}

impl AlarmMachine {
    /// Whether an anomaly that was raised still lasts.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised && self.row < self.quiet_until
    }

    /// Takes the next row's evidence; `threshold` is what it must reach.
    pub(crate) fn step(&mut self, strength: f64, threshold: f64, tuning: &Tuning) -> Verdict {
        self.habit -= self.habit / tuning.habit_rows.max(1.0);
        let row = self.row;
        self.row += 1.0;
        let quiet = (tuning.quiet_rows + tuning.quiet_root * row.min(OLD_ROWS).sqrt()).floor();
        let needed = threshold + tuning.habit * self.habit;
        if row < self.quiet_until {
            if strength >= threshold {
                self.quiet_until = self.quiet_until.max(row + (quiet * RENEWED).floor());
            }
            if strength < needed || strength < self.peak * tuning.worse {
                return if self.raised { Verdict::Ongoing } else { Verdict::Normal };
            }
        } else if strength < needed {
            return Verdict::Normal;
        } else if self.schedule.expects(row, strength, tuning) {
            (self.peak, self.quiet_until, self.raised) = (strength, row + quiet, false);
            return Verdict::Normal;
        }
        (self.peak, self.quiet_until, self.raised) = (strength, row + quiet, true);
        self.habit += 1.0;
        Verdict::Raise
    }
}

impl Schedule {
    /// Notes an event; whether it was due, and no worse than usual.
    fn expects(&mut self, row: f64, strength: f64, tuning: &Tuning) -> bool {
        let periods = if self.period > 0.0 { (row - self.last) / self.period } else { 0.0 };
        let nearest = periods.round();
        if (1.0..FORGOTTEN).contains(&nearest) && (periods - nearest).abs() < tuning.schedule {
            self.repeated = self.repeated.saturating_add(1);
            self.period += 0.3 * ((row - self.last) / nearest - self.period);
            self.last = row;
            let usual = self.repeated >= REPEATED && strength < tuning.worse * self.peak;
            self.peak = self.peak.max(strength);
            return usual;
        }
        // What is off schedule starts a new one, unless there is one that proved itself.
        if self.repeated < REPEATED || periods > FORGOTTEN {
            *self = Self { last: row, period: row - self.last, peak: strength, repeated: 0 };
        }
        false
    }
}
