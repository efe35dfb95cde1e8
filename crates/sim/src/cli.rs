//! The command line: which seeds, and what is printed of them.
#![allow(clippy::print_stdout, reason = "a developer's tool answers on the terminal")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use serde_json::{Map, Value, json};

use crate::bugs::{BUGS, Bug, find, plant};
use crate::campaign::{Campaign, Summary};
use crate::coverage::Kind;
use crate::matrix::{self, Matrix};
use crate::{Options, Outcome, logs, run};

/// Runs the whole system on one thread from one seed, or from many.
#[derive(Debug, Parser)]
#[command(name = "nightdesk-sim", version)]
struct Args {
    /// How many seeds, from --from on.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// This seed alone; prints its last events when it fails.
    #[arg(long, conflicts_with_all = ["seeds", "from", "bugs"])]
    seed: Option<u64>,
    /// Print every event of --seed or --cell.
    #[arg(long)]
    trace: bool,
    /// Print what the services log in --seed.
    #[arg(long, requires = "seed")]
    logs: bool,
    /// Do not run each seed a second time to compare it with itself.
    #[arg(long)]
    once: bool,
    /// Plant this bug (also by NIGHTDESK_BUG); the run must then fail.
    #[arg(long)]
    bug: Option<String>,
    /// Plant each bug in turn, and see that one of 200 seeds finds it, or else a cell of the matrix.
    #[arg(long)]
    bugs: bool,
    /// Run the fault matrix: each fault × the order's end × a crash before and after each commit. With --bug or --bugs
    /// the planted bug must make it fail.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    matrix: bool,
    /// Of the matrix, only cells whose name contains this: `504 after accept, filled`.
    #[arg(long, requires = "matrix", default_value = "")]
    cell: String,
    /// Seeds at a time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// The answer is no.
const NO: u8 = 1;
/// The command line does not make sense.
const USAGE: u8 = 64;
/// Seeds after which everything declared must have been met.
const COVERED_BY: u64 = 100;
/// What every seed must have suffered, and for how long it must have run.
const FAULTS_LEAST: u64 = 20;
const SIMULATED_S_LEAST: u64 = 3_600;
/// Seeds that each planted bug is given.
const BUG_SEEDS: u64 = 200;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let bug = match chosen(&args) {
        Ok(bug) => bug,
        Err(complaint) => {
            eprintln!("nightdesk-sim: {complaint}");
            return ExitCode::from(USAGE);
        }
    };
    // A panic in a service is a violation, told with its seed; the usual words would only be in the way.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let passed = match args.seed {
        _ if args.matrix && args.bugs => hunt_by_matrix(&args),
        _ if args.matrix => whole_matrix(&args, bug),
        _ if args.bugs => hunt(&args),
        Some(seed) => one(&args, seed, bug),
        None => many(&args, bug),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

/// The bug to plant, if this program has bugs.
fn chosen(args: &Args) -> Result<Option<&'static Bug>, String> {
    let name = args.bug.clone().or_else(|| std::env::var("NIGHTDESK_BUG").ok().filter(|name| !name.is_empty()));
    let Some(name) = name else {
        return if args.bugs && !plant(BUGS.first()) { Err(no_bugs()) } else { Ok(None) };
    };
    let Some(bug) = find(&name) else {
        let known: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
        return Err(format!("no planted bug is called {name}; known are {}", known.join(", ")));
    };
    if plant(Some(bug)) { Ok(Some(bug)) } else { Err(no_bugs()) }
}

fn no_bugs() -> String {
    "this program was built without planted bugs: run it with `cargo run -p nightdesk-sim --features planted-bugs`"
        .into()
}

/// One seed, looked at closely.
fn one(args: &Args, seed: u64, bug: Option<&'static Bug>) -> bool {
    if args.logs {
        logs::print();
    }
    plant(bug);
    let outcome = run(seed, Options { keep: true, aloud: args.trace });
    let again = if args.once { outcome.hash } else { run(seed, Options::default()).hash };
    let Outcome { violation, hash, events, faults, orders, fills, lines, .. } = outcome;
    if violation.is_some() && !args.trace {
        lines.iter().for_each(|line| eprintln!("{line}"));
    }
    eprintln!("seed {seed}: trace {hash:016x}, {events} events, {faults} faults, {orders} orders, {fills} fills");
    if hash != again {
        eprintln!("seed {seed} is not reproducible: {hash:016x} and {again:016x}");
    }
    if let Some(why) = &violation {
        eprintln!("seed {seed}: {why}");
    }
    let passed = violation.is_none() && hash == again;
    close(u64::from(passed), u64::from(!passed))
}

fn many(args: &Args, bug: Option<&'static Bug>) -> bool {
    let campaign = Campaign {
        from: args.from,
        count: args.seeds,
        twice: !args.once,
        bug,
        until_failure: false,
        threads: args.threads,
    };
    #[allow(clippy::disallowed_methods, reason = "progress for people; nothing simulated sees it")]
    let started = Instant::now();
    let summary = campaign.run(|done, outcome| {
        if let Some(why) = &outcome.violation {
            eprintln!("seed {} failed: {}", outcome.seed, brief(why));
            eprintln!("  look at it with: cargo xtask sim --seed {}", outcome.seed);
            eprintln!("  and when it holds again, keep it in crates/sim/src/kept.rs");
        }
        if done % 50 == 0 || done == args.seeds {
            eprintln!("{done} of {} seeds, {} s", args.seeds, started.elapsed().as_secs());
        }
    });
    let mut missing = if args.seeds >= COVERED_BY && bug.is_none() { summary.coverage.missing() } else { Vec::new() };
    if summary.passed > 0 && (summary.faults_min < FAULTS_LEAST || summary.simulated_s_min < SIMULATED_S_LEAST) {
        missing.push(format!("{FAULTS_LEAST} faults and {SIMULATED_S_LEAST} s in each seed"));
    }
    if args.json {
        println!("{:#}", report(&summary, &missing));
    } else {
        print_table(&summary, &missing);
    }
    let failed = summary.failed.len() as u64 + u64::from(!missing.is_empty());
    close(summary.passed, failed)
}

/// Plants each bug, and tells which seed found it.
fn hunt(args: &Args) -> bool {
    let mut found = Vec::new();
    for bug in BUGS {
        let campaign = Campaign {
            from: args.from,
            count: BUG_SEEDS,
            twice: false,
            bug: Some(bug),
            until_failure: true,
            threads: args.threads,
        };
        let summary = campaign.run(|_, _| {});
        let drawn = summary.failed.first().map(|(seed, why)| (seed.to_string(), why.clone()));
        let first = drawn.or_else(|| Some(("matrix".to_owned(), found_by_matrix(args, Some(bug))?)));
        match &first {
            Some((seed, why)) => eprintln!("{}: seed {seed}: {}", bug.name, brief(why)),
            None => eprintln!("{}: NOT FOUND in {BUG_SEEDS} seeds", bug.name),
        }
        found.push((bug, first));
    }
    if args.json {
        let rows = found.iter().map(|(bug, first)| {
            json!({ "bug": bug.name, "what": bug.what, "seed": first.as_ref().map(|f| &f.0), "why": first.as_ref().map(|f| &f.1) })
        });
        println!("{:#}", Value::from(rows.collect::<Vec<_>>()));
    } else {
        println!("{:28} {:>6}  what is wrong, and what told", "bug", "seed");
        for (bug, first) in &found {
            let (seed, why) = first.as_ref().map_or(("-", "NOT FOUND"), |f| (f.0.as_str(), f.1.as_str()));
            println!("{:28} {seed:>6}  {}\n{:37}{}", bug.name, bug.what, "", brief(why));
        }
    }
    let missed = found.iter().filter(|(_, first)| first.is_none()).count() as u64;
    close(found.len() as u64 - missed, missed)
}

/// The fault matrix.
fn whole_matrix(args: &Args, bug: Option<&'static Bug>) -> bool {
    #[allow(clippy::disallowed_methods, reason = "progress for people; nothing simulated sees it")]
    let started = Instant::now();
    let matrix =
        Matrix { threads: args.threads, bug, until_failure: false, only: &args.cell, crashes: true, aloud: args.trace };
    let rows = matrix.run(|cell, row| {
        for why in row.failures.iter().take(3) {
            eprintln!("{}: {}", cell.name(), brief(why));
        }
    });
    if args.json {
        println!("{:#}", matrix::report(&rows));
    } else {
        matrix::print(&rows);
    }
    let possible = || rows.iter().filter_map(|(_, row)| row.as_ref());
    let runs: u64 = possible().map(|row| row.runs).sum();
    eprintln!("{} cells, {runs} runs, {} s", possible().count(), started.elapsed().as_secs());
    let failed = possible().filter(|row| !row.failures.is_empty()).count() as u64;
    close(possible().count() as u64 - failed, failed)
}

/// Plants each bug that lies on an order's way, and tells which cell found it.
fn hunt_by_matrix(args: &Args) -> bool {
    let mut missed = 0;
    for name in matrix::BUGS {
        let failed = found_by_matrix(args, find(name));
        println!("{name:28} {}", failed.as_deref().map_or("NOT FOUND", |why| why));
        missed += u64::from(failed.is_none());
    }
    close(matrix::BUGS.len() as u64 - missed, missed)
}

/// The first cell that fails with the bug, and why.
fn found_by_matrix(args: &Args, bug: Option<&'static Bug>) -> Option<String> {
    let (threads, only) = (args.threads, args.cell.as_str());
    let matrix = Matrix { threads, bug, until_failure: true, only, crashes: true, aloud: false };
    let rows = matrix.run(|_, _| {});
    rows.iter().find_map(|(cell, row)| Some(format!("{}: {}", cell.name(), brief(row.as_ref()?.failures.first()?))))
}

fn brief(why: &str) -> String {
    why.chars().take(220).collect()
}

fn print_table(summary: &Summary, missing: &[String]) {
    for kind in Kind::ALL {
        println!("{}", kind.as_str());
        for (name, count) in summary.coverage.of(kind) {
            println!("  {name:34} {count:>12}");
        }
    }
    println!(
        "{} simulated hours, at least {} s a seed; {} faults, at least {} a seed; {} orders, {} fills",
        summary.simulated_s / 3_600,
        summary.simulated_s_min,
        summary.faults,
        summary.faults_min,
        summary.orders,
        summary.fills
    );
    for name in missing {
        println!("never met: {name}");
    }
    for (seed, why) in &summary.failed {
        println!("seed {seed}: {}", brief(why));
    }
}

fn report(summary: &Summary, missing: &[String]) -> Value {
    let mut coverage = Map::new();
    for kind in Kind::ALL {
        let names = summary.coverage.of(kind).into_iter().map(|(name, count)| (name, Value::from(count)));
        coverage.insert(kind.as_str().to_owned(), Value::Object(names.collect()));
    }
    json!({
        "passed": summary.passed,
        "failed": summary.failed.iter().map(|(seed, why)| json!({ "seed": seed, "why": why })).collect::<Vec<_>>(),
        "simulated_seconds": summary.simulated_s,
        "simulated_seconds_min": summary.simulated_s_min,
        "faults": summary.faults,
        "faults_min": summary.faults_min,
        "orders": summary.orders,
        "fills": summary.fills,
        "never_met": missing,
        "coverage": coverage,
    })
}

/// The closing line, which `cargo xtask test` counts; true when nothing failed.
fn close(passed: u64, failed: u64) -> bool {
    println!("{passed} passed, {failed} failed");
    failed == 0
}
