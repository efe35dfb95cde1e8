//! How fast the store commits: `cargo run --release -p nightdesk-store-sql --example commit_rate -- FOLDER [STORES]`.
//!
//! First commits of one size, one after another; then several stores at once with batches of mixed size, as four services
//! under load make them. Latencies in microseconds, CPU time of the whole process.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used)] // A measurement, not the product.

use std::path::Path;
use std::time::Instant;

use nightdesk_store::{Batch, Column, InboxMark, JournalRow, Kind, OutboxRow, Row, Schema, Store, Table};
use nightdesk_store_sql::{Options, SqliteStore};
use nightdesk_units::Timestamp;

static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        Column { name: "client_order_id", kind: Kind::Text },
        Column { name: "status", kind: Kind::Text },
        Column { name: "instance", kind: Kind::Text },
        Column { name: "updated_at", kind: Kind::Int },
        Column { name: "price", kind: Kind::OptText },
        Column { name: "quantity", kind: Kind::Text },
        Column { name: "filled", kind: Kind::Text },
        Column { name: "exchange_order_id", kind: Kind::OptInt },
    ],
    key: 1,
    indexes: &["status", "updated_at"],
};
static POSITIONS: Table = Table {
    name: "positions",
    columns: &[
        Column { name: "instance", kind: Kind::Text },
        Column { name: "symbol", kind: Kind::Text },
        Column { name: "quantity", kind: Kind::Text },
        Column { name: "cost", kind: Kind::Text },
    ],
    key: 2,
    indexes: &[],
};
static SCHEMAS: [Schema; 4] = [
    Schema { service: "a", version: 1, tables: &[&ORDERS, &POSITIONS], migrations: &[] },
    Schema { service: "b", version: 1, tables: &[&ORDERS, &POSITIONS], migrations: &[] },
    Schema { service: "c", version: 1, tables: &[&ORDERS, &POSITIONS], migrations: &[] },
    Schema { service: "d", version: 1, tables: &[&ORDERS, &POSITIONS], migrations: &[] },
];

const BODY: &str = r#"{"client_order_id":"nd-456-000000000000001234","symbol":"BTCUSDT","price":"61234.56000000","quantity":"0.00100000","fee":"0.00000100","fee_asset":"BNB","trade_id":123456789,"at":1723161255208000,"maker":true,"status":"partially_filled","intent":"ma-crossover/1/123","allocation":"a-17"}"#;

struct Load {
    version: u64,
    chance: u64,
}

impl Load {
    fn next(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below
    }

    fn batch(&mut self, journal: u64, outbox: u64, rows: u64, positions: u64) -> Batch {
        let (first, at) = (self.version, Timestamp(1_723_161_255_208_000));
        self.version += journal.max(outbox);
        let text = str::to_owned;
        let fact = |n| JournalRow {
            stream: text("core-engine"),
            version: first + n,
            epoch: 1,
            at,
            kind: text("order_filled"),
            body: text(BODY),
        };
        let message = |n| OutboxRow { queue: text("connector"), seq: first + n, at, body: text(BODY) };
        let order = |n| {
            let id = format!("nd-456-{:020}", (first + n) / 4);
            let status = if n % 2 == 0 { "open" } else { "filled" };
            let updated_at = i64::try_from(first).unwrap();
            let values = [id.as_str(), status, "ma-crossover/1"].map(Into::into).into_iter();
            let values =
                values.chain([updated_at.into(), "61234.56".into(), "0.001".into(), "0.0005".into(), 7.into()]);
            Row { table: &ORDERS, values: values.collect() }
        };
        let position = |n: u64| {
            let instance = format!("i{n}");
            Row { table: &POSITIONS, values: [instance.as_str(), "BTCUSDT", "0.1", "6123.4"].map(Into::into).to_vec() }
        };
        Batch {
            journal: (0..journal).map(fact).collect(),
            outbox: (0..outbox).map(message).collect(),
            delivered: vec![(text("connector"), first.saturating_sub(1))],
            inbox: vec![InboxMark { source: text("connector"), floor: first, above: vec![] }],
            cursors: vec![(text("connector"), first)],
            rows: (0..rows).map(order).chain((0..positions).map(position)).collect(),
            snapshot: None,
        }
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn report(name: &str, rows: u64, wall: f64, cpu: f64, micros: &mut [f64]) {
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    let count = micros.len() as f64;
    println!(
        "{name}: {:.0} commits/s, {:.0} rows/s, p50 {:.0} µs, p99 {:.0} µs, max {:.0} µs; {:.0} µs CPU a commit, {:.1} µs a row",
        count / wall,
        rows as f64 / wall,
        at(0.5),
        at(0.99),
        at(1.0),
        cpu / count * 1e6,
        cpu / rows as f64 * 1e6,
    );
}

async fn same_size(folder: &Path, size: u64, rounds: u64) {
    let folder = folder.join(format!("size-{size}"));
    std::fs::create_dir_all(&folder).unwrap();
    let store = SqliteStore::open(&folder, &SCHEMAS[0], Options::default()).await.unwrap();
    let mut load = Load { version: 1, chance: 1 };
    let (mut micros, start, cpu) = (Vec::new(), Instant::now(), cpu_seconds());
    for _ in 0..rounds {
        let batch = load.batch(size, size, size, 0);
        let begun = Instant::now();
        store.commit(batch).await.unwrap();
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let name = format!("{size} journal + {size} outbox + {size} orders");
    report(&name, rounds * size * 3, start.elapsed().as_secs_f64(), cpu_seconds() - cpu, &mut micros);
    let log = std::fs::metadata(folder.join("a.sqlite-wal")).map_or(0, |file| file.len() / 1024);
    store.close().await;
    println!("  log file {log} kB");
}

async fn mixed(folder: &Path, schema: &'static Schema, rounds: u64, most: u64) -> (Vec<f64>, u64) {
    let store = SqliteStore::open(folder, schema, Options::default()).await.unwrap();
    let mut load = Load { version: 1, chance: 7 };
    let (mut micros, mut rows) = (Vec::new(), 0);
    for _ in 0..rounds {
        let inputs = 1 + load.next(most);
        let (journal, outbox) = (inputs + load.next(inputs), inputs);
        let (orders, positions) = (inputs, 1 + load.next(3));
        rows += journal + outbox + orders + positions;
        let batch = load.batch(journal, outbox, orders, positions);
        let begun = Instant::now();
        store.commit(batch).await.unwrap();
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    store.close().await;
    (micros, rows)
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let folder = Path::new(arguments.get(1).expect("a folder to write in")).join("commit-rate");
    let stores = arguments.get(2).map_or(4, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for (size, rounds) in [(1, 4_000), (8, 4_000), (64, 1_000)] {
            same_size(&folder, size, rounds).await;
        }
        for (most, rounds) in [(4, 3_000), (16, 2_000), (64, 1_000)] {
            let folder = folder.join(format!("mixed-{most}"));
            std::fs::create_dir_all(&folder).unwrap();
            let (start, cpu) = (Instant::now(), cpu_seconds());
            let runs = SCHEMAS.iter().take(stores).map(|schema| mixed(&folder, schema, rounds, most));
            let (micros, rows): (Vec<_>, Vec<_>) = futures_util::future::join_all(runs).await.into_iter().unzip();
            let name = format!("{stores} stores, 1 to {most} inputs a commit");
            let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
            report(&name, rows.iter().sum(), wall, cpu, &mut micros.concat());
        }
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
