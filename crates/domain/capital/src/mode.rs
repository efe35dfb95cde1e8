//! The trading mode: one versioned value that says what may still be sent.

use std::fmt;

use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};

/// How far trading is restricted; each level includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Everything the rules allow.
    #[default]
    Normal,
    /// Reducing only: nothing that adds risk.
    Halted,
    /// Reducing only, and positions are being closed.
    Liquidating,
}

impl Level {
    /// Its name in tables, journals and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Halted => "halted",
            Self::Liquidating => "liquidating",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a mode was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// The mode has changed since the caller looked.
    #[error("mode version {named} is not the current one ({current}): look again, then resume what you see")]
    Stale {
        /// The version the caller wanted to lift.
        named: u64,
        /// The version in force.
        current: u64,
    },
    /// There is nothing to lift.
    #[error("trading is not halted: there is nothing to resume")]
    NotHalted,
}

/// What may be sent, why, and who said so. Every change is a new version.
///
/// Read-only is about storage, not about trading: it says that nothing can be recorded, so nothing may add risk, but
/// cancels and reductions still go out (by the emergency journal).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mode {
    /// Restriction of trading.
    pub level: Level,
    /// Storage cannot be written.
    pub read_only: bool,
    /// Counts changes, from 0.
    pub version: u64,
    /// Why, in the words of who changed it.
    pub reason: String,
    /// Who changed it: an operator, an API key's name, or a component.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Mode {
    /// True when an order may be sent: reductions and cancels always, new risk only in normal mode with storage to
    /// record it.
    #[must_use]
    pub fn permits(&self, adds_risk: bool) -> bool {
        !adds_risk || (self.level == Level::Normal && !self.read_only)
    }

    /// The mode after a halt, or `None` when the very same halt is in force already (a repeated message). A halt for
    /// another reason is a new version, so that lifting the first does not lift the second. It never lowers the level.
    #[must_use]
    pub fn halt(&self, reason: &str, by: &str, at: Timestamp) -> Option<Self> {
        self.raise(Level::Halted, reason, by, at)
    }

    /// The mode after an order to liquidate, or `None` when it is in force already.
    #[must_use]
    pub fn liquidate(&self, reason: &str, by: &str, at: Timestamp) -> Option<Self> {
        self.raise(Level::Liquidating, reason, by, at)
    }

    fn raise(&self, level: Level, reason: &str, by: &str, at: Timestamp) -> Option<Self> {
        let repeated = self.level >= level && self.reason == reason && self.by == by;
        (!repeated).then(|| self.next(self.level.max(level), self.read_only, reason, by, at))
    }

    /// The mode after resuming from version `lifts`. Read-only stays: only storage's recovery lifts it.
    ///
    /// # Errors
    /// `Stale` when another version is in force, `NotHalted` when nothing is halted.
    pub fn resume(&self, lifts: u64, reason: &str, by: &str, at: Timestamp) -> Result<Self, ModeError> {
        if self.level == Level::Normal {
            return Err(ModeError::NotHalted);
        }
        if lifts != self.version {
            return Err(ModeError::Stale { named: lifts, current: self.version });
        }
        Ok(self.next(Level::Normal, self.read_only, reason, by, at))
    }

    /// The mode with the read-only flag set or lifted, or `None` when it is so already.
    #[must_use]
    pub fn set_read_only(&self, read_only: bool, reason: &str, by: &str, at: Timestamp) -> Option<Self> {
        (self.read_only != read_only).then(|| self.next(self.level, read_only, reason, by, at))
    }

    fn next(&self, level: Level, read_only: bool, reason: &str, by: &str, at: Timestamp) -> Self {
        let version = self.version.saturating_add(1);
        Self { level, read_only, version, reason: reason.to_owned(), by: by.to_owned(), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp(7);

    fn show(mode: &Mode) -> String {
        let flag = if mode.read_only { "+read-only" } else { "" };
        format!("{}{flag} v{} {}", mode.level, mode.version, mode.reason)
    }

    /// Runs commands such as `halt fire | resume 1`, and compares the mode and the last answer.
    fn check(text: &str, expected: &str) {
        let mut mode = Mode::default();
        let mut last = String::new();
        for command in text.split('|') {
            let words: Vec<&str> = command.split_whitespace().collect();
            let next = match words[0] {
                "halt" => Ok(mode.halt(words[1], "op", T)),
                "liquidate" => Ok(mode.liquidate(words[1], "op", T)),
                "read-only" => Ok(mode.set_read_only(words[1] == "on", "disk", "store", T)),
                "resume" => mode.resume(words[1].parse().unwrap(), "resumed", "op", T).map(Some),
                other => panic!("no command {other}"),
            };
            last = match next {
                Ok(Some(next)) => {
                    mode = next;
                    String::new()
                }
                Ok(None) => " (unchanged)".to_owned(),
                Err(error) => format!(" !! {error}"),
            };
        }
        assert_eq!(format!("{}{last}", show(&mode)), expected, "{text}");
    }

    #[test]
    fn a_halt_is_lifted_by_naming_its_version() {
        check("halt fire", "halted v1 fire");
        check("halt fire | resume 1", "normal v2 resumed");
        check(
            "halt fire | resume 0",
            "halted v1 fire !! mode version 0 is not the current one (1): look again, then resume what you see",
        );
        check(
            "halt fire | resume 1 | resume 2",
            "normal v2 resumed !! trading is not halted: there is nothing to resume",
        );
    }

    #[test]
    fn a_repeated_halt_changes_nothing_but_a_second_reason_is_a_second_version() {
        check("halt fire | halt fire", "halted v1 fire (unchanged)");
        check(
            "halt fire | halt flood | resume 1",
            "halted v2 flood !! mode version 1 is not the current one (2): look again, then resume what you see",
        );
    }

    #[test]
    fn the_level_only_falls_by_resuming() {
        check("liquidate fire | halt flood", "liquidating v2 flood");
        check("halt fire | liquidate fire", "liquidating v2 fire");
        check("liquidate fire | halt fire", "liquidating v1 fire (unchanged)");
        check("liquidate fire | resume 1", "normal v2 resumed");
    }

    #[test]
    fn read_only_is_a_second_flag_that_resume_does_not_lift() {
        check("read-only on", "normal+read-only v1 disk");
        check("read-only on | halt fire | resume 2", "normal+read-only v3 resumed");
        check("read-only on | read-only on", "normal+read-only v1 disk (unchanged)");
        check("halt fire | read-only on | read-only off", "halted v3 disk");
    }

    #[test]
    fn reductions_are_always_permitted_and_risk_only_in_normal_mode() {
        for level in [Level::Normal, Level::Halted, Level::Liquidating] {
            for read_only in [false, true] {
                let mode = Mode { level, read_only, ..Mode::default() };
                assert!(mode.permits(false));
                assert_eq!(mode.permits(true), level == Level::Normal && !read_only);
            }
        }
    }
}
