//! Many seeds on several threads: each seed is one thread's alone.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::bugs::{Bug, plant};
use crate::{Coverage, Options, Outcome, run};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Run each a second time and compare the hashes.
    pub twice: bool,
    /// A bug to plant.
    pub bug: Option<&'static Bug>,
    /// End with the first seed that fails.
    pub until_failure: bool,
    /// How many threads.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Seeds that held.
    pub passed: u64,
    /// Seeds that failed, with why, in order.
    pub failed: Vec<(u64, String)>,
    /// What was touched.
    pub coverage: Coverage,
    /// Orders accepted by the exchange.
    pub orders: u64,
    /// Executions of ours.
    pub fills: u64,
    /// Faults done.
    pub faults: u64,
    /// The fewest faults of any seed.
    pub faults_min: u64,
    /// Simulated seconds.
    pub simulated_s: u64,
    /// The fewest simulated seconds of a seed that held.
    pub simulated_s_min: u64,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        let seconds = u64::try_from(outcome.simulated.0 / 1_000_000).unwrap_or(0);
        let first = self.passed == 0 && self.failed.is_empty();
        self.orders += outcome.orders as u64;
        self.fills += outcome.fills as u64;
        self.faults += outcome.faults;
        self.simulated_s += seconds;
        match outcome.violation {
            None => {
                self.faults_min = if first { outcome.faults } else { self.faults_min.min(outcome.faults) };
                self.simulated_s_min = if first { seconds } else { self.simulated_s_min.min(seconds) };
                self.passed += 1;
            }
            Some(why) => self.failed.push((outcome.seed, why)),
        }
        self.coverage.merge(&outcome.coverage);
    }
}

/// Runs a seed, and again if it shall be compared with itself.
fn seed(number: u64, twice: bool) -> Outcome {
    let mut outcome = run(number, Options::default());
    if twice && outcome.violation.is_none() {
        let again = run(number, Options::default());
        if again.hash != outcome.hash {
            let text = format!("two runs differ: {:016x} and {:016x}", outcome.hash, again.hash);
            outcome.violation = Some(text);
        }
    }
    outcome
}

impl Campaign {
    /// Runs it; `each` hears of every seed as it ends.
    pub fn run(&self, each: impl Fn(u64, &Outcome) + Sync) -> Summary {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let summary = Mutex::new(Summary::default());
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    plant(self.bug);
                    while !stop.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= self.count {
                            return;
                        }
                        let outcome = seed(self.from + index, self.twice);
                        if self.until_failure && outcome.violation.is_some() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        each(done.fetch_add(1, Ordering::Relaxed) + 1, &outcome);
                        summary.lock().unwrap_or_else(PoisonError::into_inner).add(outcome);
                    }
                });
            }
        });
        let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.failed.sort();
        summary
    }
}
