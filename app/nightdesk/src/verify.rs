//! `nightdesk verify`: everything recomputed, from the journal and independently from the exchange's own record.

mod truth;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nightdesk_assembly::Trading;
use nightdesk_core_engine::tables;
use nightdesk_host::{Failure, Status, output};
use nightdesk_orders::ClientOrderId;
use nightdesk_platform_local::{DataDir, DataDirError};
use nightdesk_store::{JournalRow, Row, Schema, Select, Store, Table, Value};
use nightdesk_store_sql::{PostgresOptions, PostgresStore, SqliteStore};
use nightdesk_units::Decimal;
use serde::Serialize;

use self::truth::{Truth, truth};
use crate::cli::VerifyArgs;
use crate::cluster;
use crate::data::{self, Database};
use nightdesk_process::ExchangeKind;

/// Rows read at once.
const PAGE: usize = 10_000;
/// The most differences that are listed; all are counted.
const LISTED: usize = 50;

/// How often a running cluster is looked at until nothing differs.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// What was compared, and what differed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// `clean`, or `differences`.
    pub(crate) verdict: String,
    /// Facts replayed.
    pub(crate) facts: u64,
    /// Rows of projections compared.
    pub(crate) rows: u64,
    /// Orders in the exchange's record.
    pub(crate) exchange_orders: u64,
    /// The exchange's record that was compared with; without one, only our own journal and projections were compared.
    pub(crate) record: Option<PathBuf>,
    /// Our executions in the exchange's record.
    pub(crate) exchange_fills: u64,
    /// How many differences there are.
    pub(crate) differences: u64,
    /// The first of them.
    pub(crate) listed: Vec<String>,
}

impl Report {
    fn differ(&mut self, text: String) {
        self.differences += 1;
        if self.listed.len() < LISTED {
            self.listed.push(text);
        }
    }

    fn conclude(mut self) -> Self {
        self.verdict = if self.differences == 0 { "clean" } else { "differences" }.to_owned();
        self
    }
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let dir = data::data_dir(args.ask.data_dir.as_deref())?;
    if !dir.is_dir() {
        // Taking its lock would make it.
        return Err(Failure::new(Status::Unavailable, format!("there is no data directory {}", dir.display())));
    }
    if let Some(record) = args.record.as_deref().filter(|record| !record.is_file()) {
        return Err(Failure::new(Status::Unavailable, format!("there is no record {}", record.display())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let record = args.record.as_deref();
    let report = match (DataDir::open(&dir), cluster::running_database(&dir)) {
        (Ok(_lock), _) => runtime.block_on(compare(&dir, record))?,
        (Err(DataDirError::InUse { .. }), Some(url)) => {
            runtime.block_on(compare_running(&dir, &Books::Postgres(url), record))?
        }
        (Err(error), _) => {
            let text = format!("{error} (stop it first: a running book changes)");
            return Err(Failure::new(Status::TryAgain, text));
        }
    };
    if args.ask.json {
        output::json(&report)?;
    } else {
        let head = format!(
            "{}: {} facts replayed, {} rows compared; {} orders and {} fills in the exchange's record, {} differences\n",
            report.verdict,
            report.facts,
            report.rows,
            report.exchange_orders,
            report.exchange_fills,
            report.differences
        );
        output::to_stdout(&head)?;
        if report.record.is_none() {
            output::to_stdout("  not compared with the exchange: name its own record with --record\n")?;
        }
        for line in &report.listed {
            output::to_stdout(&format!("  {line}\n"))?;
        }
    }
    if report.differences > 0 {
        return Err(Failure::new(Status::No, format!("{} differences", report.differences)));
    }
    Ok(())
}

/// Where the services' databases are.
pub(crate) enum Books {
    /// Files in the data directory.
    Files,
    /// Schemas of the database at this address, which holds a password.
    Postgres(String),
}

impl Books {
    /// Opens a service's database for reading.
    pub(crate) async fn open(&self, database: &Database) -> anyhow::Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Files => Arc::new(SqliteStore::open_to_read(&database.folder, database.schema).await?),
            Self::Postgres(url) => {
                let options = PostgresOptions::new(url, &database.stream)?;
                Arc::new(PostgresStore::open_to_read(options, database.schema).await?)
            }
        })
    }

    fn lacks(&self, database: &Database) -> bool {
        matches!(self, Self::Files) && !database.file().exists()
    }
}

/// Compares what is in `dir`, for which a cluster's database is started.
async fn compare(dir: &Path, record: Option<&Path>) -> Result<Report, Failure> {
    if !cluster::is_cluster(dir) {
        return Ok(verify(dir, &Books::Files, record).await?);
    }
    let servers = cluster::PrivateServers::start_database(dir).await?;
    let report = verify(dir, &Books::Postgres(servers.postgres_url()), record).await;
    servers.stop().await?;
    Ok(report?)
}

/// Compares a cluster that runs. Each of its databases is read as it was at one moment, but the exchange goes on: as long as
/// something differs it is looked at again, and what moves all the time cannot be compared.
async fn compare_running(dir: &Path, books: &Books, record: Option<&Path>) -> Result<Report, Failure> {
    let mut report = verify(dir, books, record).await?;
    for _ in 1..LOOKS {
        if report.differences == 0 {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        report = verify(dir, books, record).await?;
    }
    Ok(report)
}

/// Compares all of `books`, kept with `dir`.
pub(crate) async fn verify(dir: &Path, books: &Books, record: Option<&Path>) -> anyhow::Result<Report> {
    let config = data::kept_config(dir)?;
    let trading = config.trading()?;
    let mut report = Report::default();
    let databases = data::databases(dir, &trading);
    for database in &databases {
        if books.lacks(database) {
            report.differ(format!("{} is missing", database.file().display()));
            continue;
        }
        let store = books.open(database).await?;
        let journal = journal(&*store, &database.stream, &mut report).await?;
        report.facts += journal.len() as u64;
        match replay(&trading, &database.stream, &journal) {
            Ok(expected) => compare_rows(&*store, &database.stream, database.schema, expected, &mut report).await?,
            // A journal that makes no sense is what this command looks for.
            Err(error) => report.differ(format!("{}: the journal cannot be replayed: {error:#}", database.stream)),
        }
    }
    let Some(record) = record_of(dir, record, config.exchange.kind) else { return Ok(report.conclude()) };
    // A missing database has been told.
    if let Some(core) = databases.first().filter(|core| !books.lacks(core)) {
        let store = books.open(core).await?;
        if let Err(error) = compare_record(&*store, &record, &mut report).await {
            report.differ(format!("the exchange's record cannot be compared with: {error:#}"));
        }
    }
    report.record = Some(record);
    Ok(report.conclude())
}

/// The record named, or the embedded exchange's, which must be there; another exchange keeps its own to itself.
fn record_of(dir: &Path, named: Option<&Path>, kind: ExchangeKind) -> Option<PathBuf> {
    let embedded = dir.join("exchange").join("record.jsonl");
    match named {
        Some(named) => Some(named.to_owned()),
        None => (kind == ExchangeKind::Simulator || embedded.exists()).then_some(embedded),
    }
}

async fn journal(store: &dyn Store, stream: &str, report: &mut Report) -> anyhow::Result<Vec<JournalRow>> {
    let mut rows = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row: &JournalRow| row.version);
        let page = store.journal(stream, after, PAGE).await?;
        let last = page.len() < PAGE;
        rows.extend(page);
        if last {
            break;
        }
    }
    let mut expected = 1;
    for row in &rows {
        if row.version != expected {
            report.differ(format!("journal of {stream}: version {expected} is missing, {} follows", row.version));
        }
        expected = row.version + 1;
    }
    Ok(rows)
}

fn replay(trading: &Trading, name: &str, journal: &[JournalRow]) -> anyhow::Result<Vec<Row>> {
    Ok(match name {
        "core-engine" => nightdesk_core_engine::replay_rows(trading.core.clone(), journal)?,
        "capital-manager" => nightdesk_capital_manager::replay_rows(trading.capital(), journal)?,
        "exchange-connector" => nightdesk_exchange_connector::replay_rows(trading.connector.clone(), journal)?,
        worker => {
            let config = trading.workers.iter().find(|config| format!("worker.{}", config.instance) == worker);
            nightdesk_strategy_worker::replay_rows(config.context("worker of no instance")?.clone(), journal)?
        }
    })
}

async fn compare_rows(
    store: &dyn Store,
    name: &str,
    schema: &Schema,
    expected: Vec<Row>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut last: BTreeMap<(&str, Vec<Value>), Vec<Value>> = BTreeMap::new();
    for row in expected {
        last.insert((row.table.name, row.key().to_vec()), row.values);
    }
    for table in schema.tables {
        for values in all_rows(store, table).await? {
            report.rows += 1;
            let key = values[..table.key].to_vec();
            match last.remove(&(table.name, key.clone())) {
                Some(told) if told == values => {}
                Some(told) => {
                    let columns = table.columns.iter().zip(told.iter().zip(&values));
                    let changed = columns.filter(|(_, (told, have))| told != have);
                    let text: Vec<String> = changed
                        .map(|(c, (told, have))| format!("{}: journal {told:?}, store {have:?}", c.name))
                        .collect();
                    report.differ(format!("{name} {} {key:?}: {}", table.name, text.join("; ")));
                }
                None => report.differ(format!("{name} {} {key:?}: in the store, not in the journal", table.name)),
            }
        }
    }
    for (table, key) in last.into_keys() {
        report.differ(format!("{name} {table} {key:?}: in the journal, not in the store"));
    }
    Ok(())
}

async fn all_rows(store: &dyn Store, table: &'static Table) -> anyhow::Result<Vec<Vec<Value>>> {
    // One sweep by key; a projection fits in memory, as it did when the service built it.
    Ok(store.select(Select::from(table, usize::try_from(i64::MAX)?)).await?)
}

async fn compare_record(store: &dyn Store, record: &Path, report: &mut Report) -> anyhow::Result<()> {
    let mut bases = BTreeMap::new();
    // Gaps have been told already.
    for row in journal(store, "core-engine", &mut Report::default()).await? {
        if let Ok(nightdesk_core_engine::Fact::Instruments { instruments }) = serde_json::from_str(&row.body) {
            bases.extend(instruments.iter().map(|known| (known.symbol.to_string(), known.base.to_string())));
        }
    }
    let truth = truth(record, &bases)?;
    compare_orders(store, &truth, report).await?;
    compare_fills(store, &truth, report).await?;
    compare_holdings(store, &truth, report).await
}

fn column<'a>(table: &Table, values: &'a [Value], name: &str) -> &'a Value {
    let index = table.columns.iter().position(|column| column.name == name);
    index.and_then(|index| values.get(index)).unwrap_or(&Value::Null)
}

fn text(table: &Table, values: &[Value], name: &str) -> String {
    column(table, values, name).as_str().unwrap_or_default().to_owned()
}

fn decimal(table: &Table, values: &[Value], name: &str) -> Decimal {
    text(table, values, name).parse().unwrap_or_default()
}

async fn compare_orders(store: &dyn Store, truth: &Truth, report: &mut Report) -> anyhow::Result<()> {
    let mut ours = BTreeMap::new();
    for values in all_rows(store, &tables::ORDERS).await? {
        ours.insert(text(&tables::ORDERS, &values, "client_order_id"), values);
    }
    for (id, told) in &truth.orders {
        report.exchange_orders += told.order_ids.len() as u64;
        let is_ours = id.parse::<ClientOrderId>().is_ok_and(|id| id.parts().is_some());
        if is_ours && told.order_ids.len() > 1 {
            report.differ(format!("one intent became {} orders at the exchange: {id}", told.order_ids.len()));
        }
        match ours.get(id) {
            None if is_ours => report.differ(format!("order {id} is at the exchange, not in our book")),
            None => {}
            Some(values) => {
                let filled = decimal(&tables::ORDERS, values, "filled");
                if filled != told.filled {
                    report.differ(format!("order {id}: filled {filled} here, {} at the exchange", told.filled));
                }
                let status = text(&tables::ORDERS, values, "status");
                let over = matches!(told.status.as_str(), "FILLED" | "CANCELED" | "EXPIRED" | "EXPIRED_IN_MATCH");
                let over_here = matches!(status.as_str(), "filled" | "canceled" | "expired");
                if over != over_here {
                    report.differ(format!("order {id}: {status} here, {} at the exchange", told.status));
                }
            }
        }
    }
    for (id, values) in ours {
        let status = text(&tables::ORDERS, &values, "status");
        // A cancelled order may have been cancelled before it left.
        let must_be_there = matches!(status.as_str(), "open" | "filled" | "expired" | "pending_cancel")
            || decimal(&tables::ORDERS, &values, "filled") > Decimal::ZERO;
        if must_be_there && !truth.orders.contains_key(&id) {
            report.differ(format!("order {id} is {status} here and unknown at the exchange"));
        }
        if matches!(status.as_str(), "in_doubt" | "pending_new" | "pending_cancel") {
            report.differ(format!("order {id} is {status}: nobody has settled what became of it"));
        }
    }
    Ok(())
}

async fn compare_fills(store: &dyn Store, truth: &Truth, report: &mut Report) -> anyhow::Result<()> {
    let table = &tables::FILLS;
    let mut ours = BTreeMap::new();
    for values in all_rows(store, table).await? {
        let key = (text(table, &values, "symbol"), column(table, &values, "trade_id").as_int().unwrap_or_default());
        let names = ["client_order_id", "side", "price", "qty", "fee", "fee_asset"];
        ours.insert(key, names.map(|name| text(table, &values, name)));
    }
    for (key, told) in &truth.fills {
        let is_ours = told[0].parse::<ClientOrderId>().is_ok_and(|id| id.parts().is_some());
        report.exchange_fills += u64::from(is_ours);
        match ours.remove(key) {
            Some(here) if here == *told => {}
            Some(here) => report.differ(format!("fill {key:?}: {here:?} here, {told:?} at the exchange")),
            None if is_ours => report.differ(format!("fill {key:?} {told:?} is missing here")),
            None => {}
        }
    }
    for (key, here) in ours {
        report.differ(format!("fill {key:?} {here:?} is unknown at the exchange"));
    }
    Ok(())
}

async fn compare_holdings(store: &dyn Store, truth: &Truth, report: &mut Report) -> anyhow::Result<()> {
    let table = &tables::POSITIONS;
    let mut positions = truth.positions.clone();
    for values in all_rows(store, table).await? {
        let key = (text(table, &values, "instance"), text(table, &values, "symbol"));
        let here = decimal(table, &values, "quantity");
        let told = positions.remove(&key).unwrap_or_default();
        if here != told {
            report.differ(format!("position {key:?}: {here} here, {told} by the exchange's fills"));
        }
    }
    for (key, told) in positions.into_iter().filter(|(_, told)| !told.is_zero()) {
        report.differ(format!("position {key:?}: none here, {told} by the exchange's fills"));
    }
    let mut balances = truth.balances.clone();
    for values in all_rows(store, &tables::BALANCES).await? {
        let asset = text(&tables::BALANCES, &values, "asset");
        let here = decimal(&tables::BALANCES, &values, "total");
        let told = balances.remove(&asset).unwrap_or_default();
        if here != told {
            report.differ(format!("balance of {asset}: {here} here, {told} at the exchange"));
        }
    }
    for (asset, told) in balances.into_iter().filter(|(_, told)| !told.is_zero()) {
        report.differ(format!("balance of {asset}: none here, {told} at the exchange"));
    }
    Ok(())
}
