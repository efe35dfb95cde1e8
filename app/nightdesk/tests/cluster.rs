//! Given every service in a process of its own, over a real PostgreSQL and a real RabbitMQ, trading / When any of them is
//! killed or frozen / Then another takes over within three seconds, what was frozen sends nothing when it wakes, and every
//! order and every fill is there once, here and at the exchange.
//!
//! `NIGHTDESK_CLUSTER_RUNS` says how many random faults follow (CI: 20); `NIGHTDESK_SEED` repeats a run's choices.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test panics, and tells the figures it measured")]

mod common;

use std::time::{Duration, Instant};

use common::{Chance, Cluster, LONG, Record, Scratch, config, nightdesk, setting, signal, signal_if_there, until};
use nightdesk_store::{JournalRow, Store};
use nightdesk_store_sql::{PostgresOptions, PostgresStore};
use serde_json::Value;

const GRID: &str = "levels = 20\norder_quote = \"50\"\nstep_pct = 0.003\nreanchor_after_s = 1\nretry_after_s = 1";
const CROSSOVER: &str = "interval = \"1s\"\nfast = 1\nslow = 2\norder_quote = \"300\"\nmax_slippage_pct = \"0.5\"";
const STRATEGIES: [(&str, &str, &str, &str); 3] = [
    ("g-btc", "grid-trader", "BTCUSDT", GRID),
    ("g-eth", "grid-trader", "ETHUSDT", GRID),
    ("m-btc", "ma-crossover", "BTCUSDT", CROSSOVER),
];
const EXCHANGE: &str = "kind = \"simulator\"\nrequests_per_second = 50\nbalances = [\"USDT=100000\"]";

/// From the signal to the first order of the new epoch at the exchange.
const TAKEOVER: Duration = Duration::from_secs(3);

/// The same when it is asked to end and gives its lease back. The product's aim is 1 s on a quiet machine.
const HANDOVER: Duration = Duration::from_secs(2);

#[test]
fn what_is_left_of_a_killed_cluster_ends_and_the_next_one_goes_on() {
    let scratch = Scratch::new("cluster-killed");
    let file = config(&scratch.join("config.toml"), EXCHANGE, &STRATEGIES);
    let dir = scratch.join("data");
    let mut cluster = Cluster::up(&dir, &file, &["--seed", "5"]);
    let mut record = cluster.record();
    // A queue that RabbitMQ has known for less than two seconds is forgotten when it is killed.
    cluster.trades_on(&mut record, 30);
    let mut all = cluster.pids();
    all.extend([cluster.server("postgres"), cluster.server("rabbitmq")]);
    assert_eq!(all.len(), 11);
    cluster.kill();
    let lives =
        |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    until("everything has ended", LONG, || (!all.iter().any(lives)).then_some(()));
    let mut cluster = Cluster::up(&dir, &file, &["--seed", "5"]);
    cluster.trades_on(&mut record, 10);
    let ended = cluster.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.json()["verify"], "clean", "{}", ended.stdout);
    assert!(record.look().doubled().is_empty());
}

#[test]
fn every_process_may_die() {
    let scratch = Scratch::new("cluster");
    let file = config(&scratch.join("config.toml"), EXCHANGE, &STRATEGIES);
    let dir = scratch.join("data");
    let mut cluster = Cluster::up(&dir, &file, &["--seed", "7"]);
    let mut record = cluster.record();
    let took = cluster.trades_on(&mut record, 10);
    println!("{:>6} ms  ten orders after the start", took.as_millis());
    for service in ["core-engine", "exchange-connector"] {
        for fault in ["KILL", "STOP", "TERM"] {
            taken_over(&mut cluster, &mut record, service, fault);
        }
    }
    for name in ["capital-manager-1", "worker.g-btc", "exchange"] {
        died(&mut cluster, &mut record, name);
    }
    for server in ["rabbitmq", "postgres"] {
        signal(cluster.server(server), "KILL");
        let took = cluster.trades_on(&mut record, 5);
        println!("{:>6} ms  until it trades after {server} was killed", took.as_millis());
    }
    let report = cluster.verify_at_rest();
    println!("verified while it runs: {report}");
    let text = String::from_utf8(nightdesk(&["status", "--data-dir", dir.to_str().unwrap()], "").stdout).unwrap();
    assert!(text.contains("normal"), "{text}");
    epochs_only_rise(&cluster, 3);
    assert!(record.look().doubled().is_empty());
    let ended = cluster.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let summary = ended.json();
    assert_eq!(summary["verify"], "clean", "{summary}");
    println!("{:>6} ms  to a clean end: {}", ended.took.as_millis(), ended.stdout);
}

/// The acting replica is killed or frozen; the standby acts in time, and what was frozen sends nothing.
fn taken_over(cluster: &mut Cluster, record: &mut Record, service: &str, fault: &str) {
    let (acting, standby) = cluster.replicas(service);
    cluster.trades_on(record, 3);
    let pid = cluster.pid(&acting);
    signal(pid, fault);
    let start = Instant::now();
    // One that has ended is started again, and may be quicker than the other.
    let candidates = [Some(&standby), Some(&acting).filter(|_| fault == "KILL")];
    until("another acts", LONG, || candidates.into_iter().flatten().any(|name| cluster.acts(name)).then_some(()));
    let acts = start.elapsed();
    cluster.trades_on(record, 1);
    let took = start.elapsed();
    println!(
        "{:>6} ms  from {fault} of {service} to the first order, {} ms to the lease",
        took.as_millis(),
        acts.as_millis()
    );
    let limit = if fault == "TERM" { HANDOVER } else { TAKEOVER };
    assert!(took < limit, "{service} {fault}: {took:?}");
    if fault == "STOP" {
        cluster.trades_on(record, 5);
        signal(pid, "CONT");
        until("what was frozen ends", LONG, || (cluster.pid(&acting) != pid).then_some(()));
        assert!(cluster.log_of(&acting).contains("ending at once"), "{acting} ended without saying why");
    }
}

/// One without a standby is killed: it comes again.
fn died(cluster: &mut Cluster, record: &mut Record, name: &str) {
    let pid = cluster.pid(name);
    signal(pid, "KILL");
    let start = Instant::now();
    until("it comes again", LONG, || (cluster.pid(name) != pid).then_some(()));
    cluster.trades_on(record, 5);
    println!("{:>6} ms  until it trades after {name} was killed", start.elapsed().as_millis());
}

/// A fault drawn by chance.
struct Fault {
    name: String,
    pid: u32,
    /// How long it is frozen; killed where it is not.
    frozen: Option<Duration>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.frozen {
            Some(time) => write!(f, "{} frozen for {} ms", self.name, time.as_millis()),
            None => write!(f, "{} killed", self.name),
        }
    }
}

impl Fault {
    fn draw(cluster: &Cluster, chance: &mut Chance) -> Self {
        let names = [
            "core-engine-1",
            "core-engine-2",
            "exchange-connector-1",
            "exchange-connector-2",
            "capital-manager-1",
            "worker.g-btc",
            "worker.m-btc",
            "exchange",
            "rabbitmq",
            "postgres",
        ];
        let name = names[usize::try_from(chance.below(names.len() as u64)).unwrap()];
        let pid = if matches!(name, "rabbitmq" | "postgres") { cluster.server(name) } else { cluster.pid(name) };
        // Of PostgreSQL's many processes each would have to be frozen.
        let freezes = name != "postgres" && chance.below(2) == 1;
        let frozen = freezes.then(|| Duration::from_millis(200 + chance.below(4_000)));
        Self { name: name.to_owned(), pid, frozen }
    }

    fn strike(&self) {
        // It may have ended by itself meanwhile, as one does that another fault has cost its lease.
        signal_if_there(self.pid, if self.frozen.is_some() { "STOP" } else { "KILL" });
    }

    fn heal(&self, struck: Instant) {
        let Some(frozen) = self.frozen else { return };
        std::thread::sleep(frozen.saturating_sub(struck.elapsed()));
        signal_if_there(self.pid, "CONT");
    }
}

#[test]
fn faults_by_chance_lose_nothing_and_double_nothing() {
    let scratch = Scratch::new("cluster-chance");
    let file = config(&scratch.join("config.toml"), EXCHANGE, &STRATEGIES);
    let mut cluster = Cluster::up(&scratch.join("data"), &file, &["--seed", "11"]);
    let (mut chance, mut record) = (Chance::seeded("cluster"), cluster.record());
    cluster.trades_on(&mut record, 10);
    // A queue that RabbitMQ has known for less than two seconds is forgotten when it is killed.
    let runs = setting("NIGHTDESK_CLUSTER_RUNS", 20);
    cluster.trades_on(&mut record, 20);
    for run in 1..=runs {
        let mut faults = vec![Fault::draw(&cluster, &mut chance)];
        if chance.below(3) == 0 {
            faults.push(Fault::draw(&cluster, &mut chance));
        }
        let calm = usize::try_from(chance.below(6)).unwrap();
        cluster.trades_on(&mut record, calm);
        let struck = Instant::now();
        faults.iter().for_each(Fault::strike);
        faults.iter().for_each(|fault| fault.heal(struck));
        cluster.trades_on(&mut record, 3);
        let took = struck.elapsed();
        let report = cluster.verify_at_rest();
        let (took, orders) = (took.as_millis(), &report["exchange_orders"]);
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        println!("{run:>3}: {took:>6} ms until it trades, {orders} orders, clean after: {}", faults.join(", "));
        assert!(record.look().doubled().is_empty());
    }
    epochs_only_rise(&cluster, 1);
    let ended = cluster.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.json()["verify"], "clean", "{}", ended.stdout);
    println!("{runs} runs: {}", ended.stdout);
}

/// Nothing of an older epoch was written after something of a newer one, and the connector sent nothing of an older one.
fn epochs_only_rise(cluster: &Cluster, at_least: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = cluster.database();
    let rows = |stream: &'static str, schema| -> Vec<JournalRow> {
        let options = PostgresOptions::new(&url, stream).unwrap();
        runtime.block_on(async {
            let store = PostgresStore::open_to_read(options, schema).await.unwrap();
            store.journal(stream, 0, 1_000_000).await.unwrap()
        })
    };
    let core = rows("core-engine", &nightdesk_core_engine::SCHEMA);
    let epochs: Vec<u64> = core.iter().map(|row| row.epoch).collect();
    assert!(epochs.is_sorted(), "core-engine wrote in an epoch that was over");
    assert!(epochs.last() >= Some(&at_least), "each takeover makes an epoch: {:?}", epochs.last());
    let connector = rows("exchange-connector", &nightdesk_exchange_connector::SCHEMA);
    let sent = connector.iter().filter_map(|row| {
        let fact: Value = serde_json::from_str(&row.body).unwrap();
        fact["attempted"]["command"]["epoch"].as_u64()
    });
    let sent: Vec<u64> = sent.collect();
    assert!(sent.is_sorted(), "the connector sent an order of an epoch that was over");
    assert!(sent.last() >= Some(&at_least));
    println!("{} facts of core-engine and {} placements, their epochs only rise", epochs.len(), sent.len());
}
