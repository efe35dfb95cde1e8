//! Counts test results from what the runners print.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds up the closing lines in a runner's output: nextest's `Summary`, or else the standard harness's `test
    /// result` and the simulator's `N passed, N failed`. (Nextest also shows the output of what failed, with the
    /// harness's lines in it.) A runner that failed without naming a test, because it did not compile or crashed,
    /// counts as one failure, so that a failure is never lost.
    pub(crate) fn of(succeeded: bool, output: &str) -> Self {
        let lines: Vec<String> = output.lines().map(plain).collect();
        let mut tally = Self::default();
        match lines.iter().rev().find_map(|line| summary(line)) {
            Some(summary) => tally = summary,
            None => lines.iter().filter_map(|line| closing(line)).for_each(|closing| tally += closing),
        }
        if !succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }
}

/// Reads `Summary [0.1s] 14 tests run: 11 passed, 2 failed, 1 timed out`. Whatever ran and did not pass has failed.
fn summary(line: &str) -> Option<Tally> {
    let (head, results) = line.trim().strip_prefix("Summary")?.split_once(" run: ")?;
    // A run that was cut short has two numbers: `3/14 tests`.
    let (_, count) = head.split_once("] ")?;
    let run: u64 = count.split(['/', ' ']).next()?.parse().ok()?;
    let passed = before(results, "passed").unwrap_or(0);
    Some(Tally { passed, failed: run.saturating_sub(passed) })
}

/// Reads `test result: ok. 3 passed; 0 failed; …` and `3 passed, 0 failed`.
fn closing(line: &str) -> Option<Tally> {
    let results = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")).map_or(line, |(_, r)| r);
    let (first, _) = results.split_once(" passed")?;
    Some(Tally { passed: first.parse().ok()?, failed: before(results, "failed")? })
}

/// The number before the word `what`.
fn before(text: &str, what: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == what)?[0].parse().ok()
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The line without its colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(succeeded: bool, output: &str, expect: &str) {
        assert_eq!(Tally::of(succeeded, output).to_string(), expect, "{output}");
    }

    #[test]
    fn each_runner_is_understood() {
        check(true, "     Summary [   0.052s] 14 tests run: 14 passed, 2 skipped", "14 passed, 0 failed");
        check(true, "     Summary [   0.052s] 1 test run: 1 passed (1 slow), 0 skipped", "1 passed, 0 failed");
        check(
            false,
            "  Summary [ 1s] 14 tests run: 11 passed, 2 failed, 1 timed out, 0 skipped",
            "11 passed, 3 failed",
        );
        check(false, "  Summary [ 1s] 3/14 tests run: 2 passed, 1 failed, 0 skipped", "2 passed, 1 failed");
        check(true, "test result: ok. 3 passed; 0 failed; 1 ignored; finished in 0.1s", "3 passed, 0 failed");
        check(true, "1000 passed, 0 failed", "1000 passed, 0 failed");
    }

    #[test]
    fn several_harnesses_add_up() {
        check(
            false,
            "test result: ok. 3 passed; 0 failed;\ntest result: FAILED. 1 passed; 2 failed;",
            "4 passed, 2 failed",
        );
    }

    #[test]
    fn what_a_failed_test_printed_is_not_counted_twice() {
        check(
            false,
            "test result: FAILED. 0 passed; 1 failed;\nSummary [ 1s] 2 tests run: 1 passed, 1 failed",
            "1 passed, 1 failed",
        );
        check(false, "    test result: FAILED. 0 passed; 1 failed;\n1 passed, 1 failed", "1 passed, 1 failed");
    }

    #[test]
    fn colours_do_not_hide_the_counts() {
        check(
            true,
            "\u{1b}[32;1m Summary\u{1b}[0m [ 1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m passed",
            "2 passed, 0 failed",
        );
    }

    #[test]
    fn a_runner_that_failed_counts_even_without_a_test() {
        check(false, "error: could not compile", "0 passed, 1 failed");
        check(false, "9 passed, 0 failed\nthread main panicked", "9 passed, 1 failed");
    }

    #[test]
    fn other_talk_of_passing_is_not_counted() {
        check(true, "a day has 3 passed hours\nthe 7 passed checks", "0 passed, 0 failed");
    }
}
