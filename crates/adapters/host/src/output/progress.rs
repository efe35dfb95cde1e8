//! Progress on standard error, once something takes over a second.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Nothing is shown before this.
const QUIET: Duration = Duration::from_secs(1);
/// A terminal's line is redrawn this often.
const REDRAW: Duration = Duration::from_millis(200);
/// Without a terminal a new line is written this often.
const RELINE: Duration = Duration::from_secs(5);

/// One line that tells how far something is. It disappears when dropped.
#[derive(Debug)]
pub struct Progress {
    what: String,
    terminal: bool,
    began: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Begins, silently.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), terminal: std::io::stderr().is_terminal(), began: Instant::now(), shown: None }
    }

    /// Says where it stands: `done` of `total` (0 if unknown), counted in `unit`. Cheap enough for every step.
    pub fn at(&mut self, done: u64, total: u64, unit: &str) {
        let now = Instant::now();
        if let Some(text) = self.text(now, done, total, unit) {
            let line = if self.terminal { format!("\r\x1b[K{text}") } else { format!("{text}\n") };
            super::to_stderr(&line);
            self.shown = Some(now);
        }
    }

    /// The line, if it is time to show one.
    #[expect(clippy::cast_precision_loss, reason = "a progress line is not computed with")]
    fn text(&self, now: Instant, done: u64, total: u64, unit: &str) -> Option<String> {
        let every = if self.terminal { REDRAW } else { RELINE };
        let due = match self.shown {
            None => now.saturating_duration_since(self.began) >= QUIET,
            Some(shown) => now.saturating_duration_since(shown) >= every,
        };
        if !due {
            return None;
        }
        let seconds = now.saturating_duration_since(self.began).as_secs_f64();
        let rate = done as f64 / seconds.max(0.001);
        let what = &self.what;
        if total == 0 {
            return Some(format!("{what}: {done} {unit}, {rate:.0}/s, {seconds:.0} s"));
        }
        let part = done as f64 / total as f64;
        let left = if rate > 0.0 { (total.saturating_sub(done)) as f64 / rate } else { 0.0 };
        Some(format!("{what}: {:.0} %, {done} of {total} {unit}, {rate:.0}/s, {left:.0} s left", part * 100.0))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.shown.is_some() {
            super::to_stderr("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_in_the_first_second_and_then_at_a_readable_pace() {
        let mut progress = Progress::new("replay");
        progress.terminal = true;
        let began = progress.began;
        let at = |ms| began + Duration::from_millis(ms);
        let (early, later, soon) = (at(900), at(2_000), at(2_100));
        assert_eq!(progress.text(early, 1, 10, "messages"), None);
        let said = progress.text(later, 500, 1_000, "messages").unwrap();
        assert_eq!(said, "replay: 50 %, 500 of 1000 messages, 250/s, 2 s left");
        progress.shown = Some(later);
        assert_eq!(progress.text(soon, 510, 1_000, "messages"), None);
        assert_eq!(progress.text(at(4_000), 510, 0, "messages").unwrap(), "replay: 510 messages, 128/s, 4 s");
        progress.shown = None;
    }
}
