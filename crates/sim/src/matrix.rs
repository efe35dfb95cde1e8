//! The fault matrix: everything the exchange does wrong × what becomes of the order that it hits × no crash, or a crash
//! before or after each commit on that order's way. Directed, not drawn: every cell is run for every place there is.
//!
//! In each run: at the exchange, by its own record, as many orders as intents that were to leave, each once; no execution
//! lost; positions and balances exact; and how long the book did not know how the order stood.

mod aim;
mod directed;
mod run;
mod scripted;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nightdesk_units::Micros;

use crate::bugs::{Bug, plant};
use crate::life::Point;
use aim::{Aim, End, Fault};
use run::{Crash, Seen};

pub(crate) use directed::Directed;
pub(crate) use scripted::{Scripted, Wish};
pub(crate) use table::{print, report};

/// Planted bugs that lie on an order's way, so that the matrix must find each.
pub(crate) const BUGS: &[&str] = &[
    "effect-before-commit",
    "numbers-start-again",
    "attempt-not-recorded",
    "resend-on-timeout",
    "doubt-is-absence",
    "absence-believed-early",
    "fill-applied-twice",
    "fee-forgotten",
    "gap-not-reconciled",
    "cancel-forgotten-in-doubt",
];

/// One fault that hits one order.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    fault: Fault,
    end: End,
    /// `None`: the two contradict each other.
    aim: Option<Aim>,
}

impl Cell {
    /// Its name, as it is printed and chosen by.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.fault.as_str(), self.end.as_str())
    }
}

/// Every cell, impossible ones too.
pub(crate) fn cells() -> Vec<Cell> {
    let ends = |fault: Fault| End::ALL.map(|end| Cell { fault, end, aim: fault.aim(end) });
    Fault::all().into_iter().flat_map(ends).collect()
}

/// What came of all runs of a cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) runs: u64,
    /// Crashes that found their place.
    crashes: u64,
    intents: u64,
    /// Intents that ended without reaching the exchange, and say so.
    given_up: u64,
    orders: u64,
    doubled: u64,
    fills: u64,
    lost: u64,
    wrong: u64,
    certain: Micros,
    certain_worst: Micros,
    /// What must not be, with the run in which it was.
    pub(crate) failures: Vec<String>,
}

impl Row {
    fn add(&mut self, crash: Option<Crash>, seen: Seen) {
        self.runs += 1;
        self.crashes += u64::from(crash.is_some() && seen.struck);
        self.intents += seen.intents;
        self.given_up += seen.given_up;
        self.orders += seen.orders;
        self.doubled += seen.doubled;
        self.fills += seen.fills;
        self.lost += seen.lost;
        self.wrong += seen.wrong;
        let certain = if crash.is_some() { &mut self.certain_worst } else { &mut self.certain };
        *certain = seen.certain.max(*certain);
        if let Some(why) = seen.failure {
            let when = crash.map_or_else(|| "no crash".to_owned(), |crash| crash.to_string());
            self.failures.push(format!("{when}: {why}"));
        }
    }
}

/// How the matrix is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) threads: usize,
    pub(crate) bug: Option<&'static Bug>,
    /// End with the first failure.
    pub(crate) until_failure: bool,
    /// Only cells whose name contains this.
    pub(crate) only: &'a str,
    /// Crashes too.
    pub(crate) crashes: bool,
    /// Print every event.
    pub(crate) aloud: bool,
}

impl Matrix<'_> {
    /// Runs it: a row for every cell that was chosen; `None` where the cell is impossible or was not reached.
    pub(crate) fn run(&self, each: impl Fn(&Cell, &Row) + Sync) -> Vec<(Cell, Option<Row>)> {
        let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.name().contains(self.only)).collect();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let rows: Mutex<Vec<Option<Row>>> = Mutex::new(vec![None; cells.len()]);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    plant(self.bug);
                    while !stop.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(cell) = cells.get(index) else { return };
                        let Some(aim) = &cell.aim else { continue };
                        let row = self.row(index, cell.end, aim);
                        if self.until_failure && !row.failures.is_empty() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        each(cell, &row);
                        rows.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(row);
                    }
                });
            }
        });
        let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        cells.into_iter().zip(rows).collect()
    }

    /// A cell without a crash, then with one before and one after each commit: of the one process that all services are,
    /// and of the committing service alone.
    fn row(&self, number: usize, end: End, aim: &Aim) -> Row {
        let mut row = Row::default();
        for one_process in [true, false] {
            let go = |crash| run::run(number as u64 + 1, end, aim, one_process, crash, self.aloud);
            let plain = go(None);
            let commits = if self.crashes { plain.commits } else { 0 };
            row.add(None, plain);
            for index in 0..commits {
                for point in [Point::BeforeCommit, Point::AfterCommit] {
                    if self.until_failure && !row.failures.is_empty() {
                        return row;
                    }
                    let crash = Crash { index, point, all: one_process };
                    row.add(Some(crash), go(Some(crash)));
                }
            }
        }
        row
    }
}
