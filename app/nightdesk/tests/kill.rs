//! Given the real binary, trading / When it is killed with SIGKILL at random moments, again and again / Then it goes on by
//! itself, and in the end every order and every fill is there, each once, here and at the exchange.
//!
//! `NIGHTDESK_KILLS` says how often (the full measure is 50); `NIGHTDESK_SEED` repeats a run's choices.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test panics, and tells the figures it measured")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Chance, Desk, Record, Scratch, Simulator, config, secret_set, setting, until, verify};
use serde_json::Value;

const GRID: &str = "levels = 20\norder_quote = \"50\"\nstep_pct = 0.003\nreanchor_after_s = 1\nretry_after_s = 1";
const CROSSOVER: &str = "interval = \"1s\"\nfast = 1\nslow = 2\norder_quote = \"300\"\nmax_slippage_pct = \"0.5\"";

/// Two strategies on each of three symbols, which never rest.
const STRATEGIES: [(&str, &str, &str, &str); 6] = [
    ("g-btc", "grid-trader", "BTCUSDT", GRID),
    ("g-eth", "grid-trader", "ETHUSDT", GRID),
    ("g-sol", "grid-trader", "SOLUSDT", GRID),
    ("m-btc", "ma-crossover", "BTCUSDT", CROSSOVER),
    ("m-eth", "ma-crossover", "ETHUSDT", CROSSOVER),
    ("m-sol", "ma-crossover", "SOLUSDT", CROSSOVER),
];

/// Longer than the minute for which the limiter may wait: many starts in one minute use up its request weight.
const PATIENCE: Duration = Duration::from_secs(180);

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the start, whatever it is doing.
    AfterStart(Duration),
    /// After it has traded, just when this file has grown so many times: a commit, or what the exchange recorded.
    Growth { file: usize, times: u64, delay: Duration },
    /// So long after it began to trade.
    Trading(Duration),
}

fn moment(chance: &mut Chance, files: usize) -> Moment {
    match chance.below(8) {
        0 => Moment::AfterStart(Duration::from_millis(chance.below(1_500))),
        1 => Moment::Trading(Duration::from_millis(chance.below(1_000))),
        _ => {
            let file = usize::try_from(chance.below(files as u64)).unwrap();
            Moment::Growth { file, times: 1 + chance.below(40), delay: Duration::from_micros(chance.below(4_000)) }
        }
    }
}

/// The files whose growth says what happens: the exchange's record, and each service's write-ahead log.
fn watched(dir: &Path, record: &Path) -> Vec<PathBuf> {
    let wal = |name: &str| dir.join(format!("{name}.sqlite-wal"));
    vec![
        record.to_owned(),
        wal("core-engine"),
        wal("exchange-connector"),
        wal("capital-manager"),
        dir.join("worker.g-btc").join("strategy-worker.sqlite-wal"),
    ]
}

fn pause(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::thread::sleep(Duration::from_micros(100).min(time));
    }
}

/// Waits for a write, but not for ever: a log that nothing is written to proves nothing.
fn await_growth(file: &Path) {
    // A log that was reset is written again from its beginning, so length alone says too little.
    let look = || std::fs::metadata(file).and_then(|file| Ok((file.len(), file.modified()?))).ok();
    let (start, before) = (Instant::now(), look());
    while look() == before && start.elapsed() < Duration::from_millis(500) {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Lets the desk run until `moment`, then kills it.
fn kill_at(moment: Moment, mut desk: Desk, record: &mut Record, files: &[PathBuf]) {
    if let Moment::AfterStart(time) = moment {
        pause(time.saturating_sub(desk.started.elapsed()));
        desk.kill();
        return;
    }
    let before = record.look().order_count();
    until("it orders again after the restart", PATIENCE, || {
        desk.assert_alive();
        (record.look().order_count() > before).then_some(())
    });
    match moment {
        Moment::Growth { file, times, delay } => {
            for _ in 0..times {
                await_growth(&files[file]);
            }
            pause(delay);
        }
        Moment::Trading(time) | Moment::AfterStart(time) => pause(time),
    }
    desk.kill();
}

struct Outcome {
    kills: u64,
    orders: usize,
    fills: usize,
    report: Value,
}

/// Kills `kills` times, then runs once more to a clean end.
fn run(name: &str, dir: &Path, config: &Path, record_file: &Path, last: impl FnOnce(&mut Desk)) -> Outcome {
    let kills = setting("NIGHTDESK_KILLS", 10);
    let mut chance = Chance::seeded(name);
    let mut record = Record::follow(record_file);
    let files = watched(dir, record_file);
    let start = Instant::now();
    for number in 1..=kills {
        let moment = moment(&mut chance, files.len());
        kill_at(moment, Desk::up(dir, config, &[]), &mut record, &files);
        let truth = record.look();
        let (orders, fills) = (truth.order_count(), truth.fill_count());
        println!(
            "{name}: {:>6} ms, kill {number} {moment:?}: {orders} orders, {fills} fills",
            start.elapsed().as_millis()
        );
        assert!(truth.doubled().is_empty(), "one intent, several orders: {:?}", truth.doubled());
    }
    let mut desk = Desk::up(dir, config, &[]);
    let before = record.look().order_count();
    until("it orders again after the last restart", PATIENCE, || {
        desk.assert_alive();
        (record.look().order_count() > before).then_some(())
    });
    last(&mut desk);
    let ended = desk.terminate();
    println!("{name}: SIGTERM took {:?}, exit code {:?}", ended.took, ended.code);
    let (code, report) = verify(dir, Some(record_file));
    assert_eq!((code, report["differences"].as_u64()), (Some(0), Some(0)), "{report:#}");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let truth = record.look();
    assert!(truth.doubled().is_empty(), "one intent, several orders: {:?}", truth.doubled());
    assert_eq!(report["exchange_fills"].as_u64(), Some(truth.fill_count() as u64));
    Outcome { kills, orders: truth.order_count(), fills: truth.fill_count(), report }
}

fn conclude(name: &str, outcome: &Outcome) {
    let Outcome { kills, orders, fills, report } = outcome;
    println!("{name}: {kills} kills, {orders} orders, {fills} fills; verify: {report}");
    // How much is traded between two kills hangs on the machine; that orders and fills were there to be lost must be sure.
    assert!(*orders as u64 >= kills * 2, "{orders} orders prove little about {kills} kills");
    assert!(*fills as u64 * 2 >= *kills, "{fills} fills prove little about {kills} kills");
}

#[test]
fn killed_at_any_moment_it_neither_loses_nor_doubles_an_order() {
    let scratch = Scratch::new("kill-external");
    let simulator = Simulator::start(&scratch.join("exchange"), &["--seed", "7"]);
    let config = config(&scratch.join("config.toml"), &simulator.external(), &STRATEGIES);
    let dir = scratch.join("desk");
    secret_set(&dir);
    let outcome = run("external", &dir, &config, &simulator.record_file(), |_| simulator.pause(true));
    conclude("external", &outcome);
}

#[test]
fn killed_together_with_its_own_exchange_it_loses_nothing_either() {
    let scratch = Scratch::new("kill-embedded");
    let exchange = "kind = \"simulator\"\nrequests_per_second = 20\nbalances = [\"USDT=100000\"]";
    let config = config(&scratch.join("config.toml"), exchange, &STRATEGIES);
    let dir = scratch.join("desk");
    let record = dir.join("exchange").join("record.jsonl");
    let outcome = run("embedded", &dir, &config, &record, |_| {});
    conclude("embedded", &outcome);
}
