//! The fault matrix on the real binaries: what the exchange does wrong × what becomes of the order × whether nightdesk is
//! killed in the midst of it. In each cell: at the exchange as many orders as intents, each once; no fill lost; positions
//! exact; and it is said how long nobody knew. Printed as a table (`--nocapture`).
//!
//! The whole matrix, with a crash between any two commits, runs in the simulator (`crates/sim`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test panics, and tells the figures it measured")]

mod common;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::{Chance, Desk, LONG, Scratch, Simulator, config, secret_set, setting, until, verify};
use serde_json::{Value, json};

/// What becomes of the order that the fault hits.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Taken and filled at once.
    Filled,
    /// Taken and left in the book.
    Resting,
    /// Never taken, at least not the first time.
    NeverArrived,
}

/// When the fault is set.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Set {
    /// Before the first order, which it hits.
    First,
    /// While it trades.
    Later,
}

#[derive(Debug, Clone)]
struct Cell {
    fault: &'static str,
    how: Value,
    set: Set,
    fate: Fate,
    killed: bool,
}

/// What came of a cell.
#[derive(Debug, Default)]
struct Seen {
    intents: u64,
    orders: u64,
    doubled: usize,
    fills: u64,
    lost: i64,
    position_errors: usize,
    certain: Duration,
}

/// Hits placements only.
fn placing(mut fault: Value, count: u32) -> Value {
    fault["endpoint"] = json!("POST /api/v3/order");
    fault["count"] = json!(count);
    fault
}

fn cells() -> Vec<Cell> {
    use Fate::{Filled, NeverArrived, Resting};
    let lost = |when: &str, how: &str| placing(json!({"kind": "answer_lost", "when": when, "how": how}), 2);
    let delay = |when: &str| placing(json!({"kind": "delay", "when": when, "ms": 3_000}), 1);
    let after: &[Fate] = &[Filled, Resting];
    let before: &[Fate] = &[NeverArrived];
    let both: &[Fate] = &[Filled, Resting];
    let refused = placing(json!({"kind": "reject", "code": -2010, "msg": "Account has insufficient balance."}), 2);
    let faults: Vec<(&'static str, Value, Set, &[Fate])> = vec![
        ("504 after accept", lost("after", "504"), Set::First, after),
        ("504 before accept", lost("before", "504"), Set::First, before),
        ("-1007 after accept", lost("after", "1007"), Set::First, after),
        ("-1007 before accept", lost("before", "1007"), Set::First, before),
        ("reset after accept", lost("after", "reset"), Set::First, after),
        ("reset before accept", lost("before", "reset"), Set::First, before),
        ("answer after the limit", delay("after"), Set::First, after),
        ("request held beyond its window", delay("before"), Set::First, before),
        ("rejected", refused, Set::First, before),
        ("429", placing(json!({"kind": "rate_limit", "retry_after_s": 2}), 1), Set::First, before),
        ("418 ban", placing(json!({"kind": "ban", "seconds": 3}), 1), Set::First, before),
        ("maintenance", json!({"kind": "maintenance", "for_ms": 3_000}), Set::Later, before),
        ("user stream cut", json!({"kind": "stream_cut", "stream": "user", "reset": true}), Set::Later, both),
        ("market stream cut", json!({"kind": "stream_cut", "stream": "market", "reset": true}), Set::Later, &[Filled]),
        ("user stream stale", json!({"kind": "stale_stream", "stream": "user", "for_ms": 4_000}), Set::Later, both),
        ("reports doubled", json!({"kind": "duplicate_reports"}), Set::First, both),
        ("reports out of order", json!({"kind": "reorder_reports"}), Set::First, &[Filled]),
        ("reports dropped", json!({"kind": "drop_reports", "count": 3}), Set::First, both),
        ("clock 5 s ahead", json!({"kind": "clock_skew", "ms": 5_000}), Set::Later, &[Filled]),
        ("clock 5 s behind", json!({"kind": "clock_skew", "ms": -5_000}), Set::Later, &[Filled]),
    ];
    let mut cells = Vec::new();
    for (fault, how, set, fates) in faults {
        for fate in fates {
            for killed in [false, true] {
                cells.push(Cell { fault, how: how.clone(), set, fate: *fate, killed });
            }
        }
    }
    cells
}

const CROSSOVER: (&str, &str, &str, &str) = (
    "cross",
    "ma-crossover",
    "BTCUSDT",
    "interval = \"1s\"\nfast = 1\nslow = 2\norder_quote = \"300\"\nmax_slippage_pct = \"0.5\"",
);
/// Its levels lie below the market, where nothing fills them.
const GRID: (&str, &str, &str, &str) = (
    "grid",
    "grid-trader",
    "BTCUSDT",
    "levels = 4\norder_quote = \"200\"\nlower = \"58500\"\nupper = \"59300\"\nretry_after_s = 1",
);

/// Ids of orders whose fate nobody knows.
fn uncertain(desk: &mut Desk) -> Vec<String> {
    let orders = desk.get("/api/core/v1/orders?limit=500");
    let unknown =
        |order: &&Value| matches!(order["status"].as_str(), Some("pending_new" | "in_doubt" | "pending_cancel"));
    let orders = orders["items"].as_array().unwrap().iter().filter(unknown);
    orders.map(|order| order["client_order_id"].as_str().unwrap().to_owned()).collect()
}

fn run(cell: &Cell, scratch: &Path, delay: Duration) -> Seen {
    let simulator = Simulator::start(&scratch.join("exchange"), &["--seed", "11", "--symbol", "BTCUSDT"]);
    let strategy = if cell.fate == Fate::Resting { GRID } else { CROSSOVER };
    let config = config(&scratch.join("config.toml"), &simulator.external(), &[strategy]);
    let dir = scratch.join("desk");
    secret_set(&dir);
    if cell.set == Set::First {
        simulator.fault(&cell.how);
    }
    let mut desk = Desk::up(&dir, &config, &[]);
    let mut record = simulator.record();
    if cell.set == Set::Later {
        until("it trades", LONG, || (record.look().order_count() > 0).then_some(()));
        simulator.fault(&cell.how);
    }
    // The fault has struck when the exchange counts it, or, for those that it cannot count, when it is set.
    until("the fault strikes", LONG, || {
        desk.assert_alive();
        (cell.set == Set::Later || simulator.hits() > 0).then_some(())
    });
    let mut struck = Instant::now();
    if cell.killed {
        std::thread::sleep(delay);
        struck = desk.kill();
        desk = Desk::up(&dir, &config, &[]);
    }
    let affected = uncertain(&mut desk);
    let mut certain = struck.elapsed();
    until("certainty", LONG, || {
        desk.assert_alive();
        let now = uncertain(&mut desk);
        certain = struck.elapsed();
        (!affected.iter().any(|id| now.contains(id))).then_some(())
    });
    // It has not only survived, it goes on: with what it had to do, or with something new.
    let wanted = if cell.fate == Fate::Resting { 4 } else { record.look().order_count() + 1 };
    until("it goes on trading", LONG, || {
        desk.assert_alive();
        (record.look().order_count() >= wanted).then_some(())
    });
    simulator.heal();
    simulator.pause(true);
    let status = desk.get("/api/core/v1/status");
    assert_eq!(status["quarantine"], json!([]), "{}", desk.log());
    let ended = desk.terminate();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let (code, report) = verify(&dir, Some(&simulator.record_file()));
    let summary = ended.json();
    let truth = record.look();
    let listed = report["listed"].as_array().unwrap();
    let seen = Seen {
        intents: summary["intents"].as_u64().unwrap(),
        orders: truth.order_count() as u64,
        doubled: truth.doubled().len(),
        fills: truth.fill_count() as u64,
        lost: report["exchange_fills"].as_i64().unwrap() - summary["fills"].as_i64().unwrap(),
        position_errors: listed.iter().filter(|line| line.as_str().unwrap().starts_with("position")).count(),
        certain,
    };
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!((seen.doubled, seen.lost, seen.position_errors), (0, 0, 0), "{seen:?}");
    assert!(seen.orders > 0 && seen.orders <= seen.intents, "{seen:?}");
    if cell.fate == Fate::Filled {
        assert!(seen.fills > 0, "{seen:?}");
    }
    seen
}

fn row(cell: &Cell, seen: Option<&Seen>) -> String {
    let fate = match cell.fate {
        Fate::Filled => "filled",
        Fate::Resting => "resting",
        Fate::NeverArrived => "never arrived",
    };
    let crash = if cell.killed { "kill -9" } else { "none" };
    let figures = seen.map_or_else(
        || "FAILED".to_owned(),
        |s| {
            let ms = s.certain.as_millis();
            format!(
                "{:>7} {:>6} {:>7} {:>5} {:>4} {:>8} {ms:>10}",
                s.intents, s.orders, s.doubled, s.fills, s.lost, s.position_errors
            )
        },
    );
    format!("{:<31} {fate:<13} {crash:<7} {figures}", cell.fault)
}

/// Mostly waiting, so a few at a time.
fn run_all(cells: &[Cell]) -> Vec<(usize, Option<Seen>)> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..cells.len()).collect());
    let done = Mutex::new(Vec::new());
    let mut chance = Chance::seeded("matrix");
    let delays: Vec<Duration> = cells.iter().map(|_| Duration::from_micros(chance.below(20_000))).collect();
    std::thread::scope(|scope| {
        for _ in 0..setting("NIGHTDESK_MATRIX_JOBS", 4) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(index) = next else { break };
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        let scratch = Scratch::new(&format!("matrix-{index}"));
                        run(&cells[index], scratch.path(), delays[index])
                    }));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome.ok()));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done
}

#[test]
fn whatever_the_exchange_does_wrong_each_intent_is_one_order_and_no_fill_is_lost() {
    let only = std::env::var("NIGHTDESK_MATRIX").unwrap_or_default();
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| row(cell, None).contains(&only)).collect();
    let start = Instant::now();
    let outcomes = run_all(&cells);
    println!(
        "{:<31} {:<13} {:<7} {:>7} {:>6} {:>7} {:>5} {:>4} {:>8} {:>10}",
        "fault", "order", "crash", "intents", "orders", "doubled", "fills", "lost", "position", "certain ms"
    );
    for (index, seen) in &outcomes {
        println!("{}", row(&cells[*index], seen.as_ref()));
    }
    println!("{} cells in {:?}", cells.len(), start.elapsed());
    assert!(outcomes.iter().all(|(_, seen)| seen.is_some()), "cells failed");
}
