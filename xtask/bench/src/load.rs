//! A load: the four services over real stores, a strategy that orders at a pace, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nightdesk_assembly::{Desk, Stores, Trading, World};
use nightdesk_bus::Bus;
use nightdesk_bus_local::LocalBus;
use nightdesk_bus_rabbitmq::{RabbitBus, RabbitConfig};
use nightdesk_core_engine::Fact;
use nightdesk_env::{Clock, Env, NoActivity};
use nightdesk_exchange::{Events, Exchange, Purpose};
use nightdesk_orders::{ClientOrderId, Status};
use nightdesk_platform_local::{EmergencyFile, OsEntropy, SystemClock};
use nightdesk_store::{JournalRow, Schema, Select, Store, Value};
use nightdesk_store_sql::{Options, PostgresOptions, PostgresStore, SqliteStore};
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::{Qty, Timestamp};

use crate::house;
use crate::strategies::{Orderer, Pace, Shared};
use crate::syncs::Syncs;
use crate::watched::{Counts, Sent, Tally, WatchedExchange, WatchedStore};

/// Rows read at once.
const PAGE: usize = 10_000;
/// How long orders under way may take to end.
const SETTLE: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    /// Most orders under way.
    pub(crate) window: usize,
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
}

/// What came of it, within the span.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) span: Duration,
    /// Orders that executed completely and were committed so.
    pub(crate) trades: u64,
    /// Of the worst whole second.
    pub(crate) trades_min: u64,
    pub(crate) counts: Counts,
    pub(crate) cpu: Duration,
    /// In the whole run: commits, and how often the kernel was asked to make something durable, if that could be counted.
    pub(crate) commits: u64,
    pub(crate) syncs: Option<u64>,
    /// From a strategy's decision to the moment its order left, microseconds, sorted.
    pub(crate) intent_to_send: Vec<i64>,
    /// From the decision to the durable fill, sorted.
    pub(crate) intent_to_fill: Vec<i64>,
    /// Placements that left before their record was durable. In the whole run, as all below.
    pub(crate) too_soon: u64,
    pub(crate) orders: u64,
    pub(crate) unfinished: u64,
    pub(crate) fills: u64,
    /// Differences between our book and the exchange's.
    pub(crate) differences: u64,
}

/// The exchange of a run.
pub(crate) struct Outside {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) events: Box<dyn Events>,
}

/// Runs what `load` begins on a runtime of its own, with a count of the kernel's syncs.
pub(crate) fn counted<F: Future<Output = anyhow::Result<Outcome>>>(
    load: impl FnOnce() -> F,
) -> anyhow::Result<Outcome> {
    let syncs = Syncs::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async { load().await });
    // What is still being closed belongs to the count.
    drop(runtime);
    let syncs = syncs.stop();
    Ok(Outcome { syncs, ..outcome? })
}

/// What the services of a run stand on.
pub(crate) enum Ground<'a> {
    /// Files in this folder, and a bus within the process.
    Local(&'a Path),
    /// Real servers; the folder is for the emergency journal.
    Servers {
        /// The database's address.
        postgres: String,
        /// The broker's.
        rabbitmq: String,
        /// The folder.
        dir: &'a Path,
    },
}

impl Ground<'_> {
    const fn dir(&self) -> &Path {
        match self {
            Self::Local(dir) | Self::Servers { dir, .. } => dir,
        }
    }

    fn bus(&self) -> anyhow::Result<Arc<dyn Bus>> {
        Ok(match self {
            Self::Local(_) => Arc::new(LocalBus::new(Arc::new(NoActivity))),
            Self::Servers { rabbitmq, .. } => Arc::new(RabbitBus::start(RabbitConfig::new(rabbitmq, "bench")?)?),
        })
    }

    async fn store(&self, schema: &'static Schema) -> anyhow::Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Local(dir) => Arc::new(SqliteStore::open(dir, schema, Options::default()).await?),
            Self::Servers { postgres, .. } => {
                Arc::new(PostgresStore::open(PostgresOptions::new(postgres, schema.service)?, schema).await?)
            }
        })
    }
}

/// Runs `load` on `ground`, which must be empty of stores.
pub(crate) async fn run(load: Load, ground: Ground<'_>, outside: Outside) -> anyhow::Result<Outcome> {
    let mut trading = house::trading(house::SYMBOL.parse()?)?;
    trading.core.reconcile_every = nightdesk_units::Micros::from_secs(60);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (tally, sent, shared) = (Arc::new(Tally::default()), Arc::new(Sent::default()), Arc::new(Shared::default()));
    let stores = open_stores(&ground, &tally).await?;
    let env = Env { clock: Arc::clone(&clock), entropy: Arc::new(OsEntropy::new()), activity: Arc::new(NoActivity) };
    let exchange = Arc::clone(&outside.exchange);
    let watched = WatchedExchange {
        exchange: outside.exchange,
        clock: Arc::clone(&clock),
        tally: Arc::clone(&tally),
        sent: Arc::clone(&sent),
    };
    let world = World {
        bus: ground.bus()?,
        env,
        exchange: Arc::new(watched),
        events: outside.events,
        stores: stores.clone(),
        emergency: Arc::new(EmergencyFile::open(&ground.dir().join("emergency.journal"))?),
    };
    let worker = orderer(&trading, load, &shared)?;
    let desk = Desk::start_with(&trading, vec![worker], world).await?;
    let shells: Vec<_> = desk.shells.into_iter().map(|(_, shell)| tokio::spawn(shell)).collect();

    let began = clock.now();
    shared.running.store(true, Ordering::Relaxed);
    tokio::time::sleep(load.warm_up).await;
    let (from, before, cpu, started) = (clock.now(), tally.now(), cpu_time(), Instant::now());
    tokio::time::sleep(load.span).await;
    let (to, counts, cpu, span) = (clock.now(), tally.now().since(before), cpu_time() - cpu, started.elapsed());
    shared.running.store(false, Ordering::Relaxed);
    let limit = Instant::now() + SETTLE;
    while shared.open() > 0 && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.stoppers.iter().for_each(nightdesk_shell::Stopper::stop);
    for shell in shells {
        shell.await.context("a service panicked")?.context("a service failed")?;
    }
    let mut outcome = read_journal(&*stores.core, (from, to), &sent).await?;
    (outcome.span, outcome.counts, outcome.cpu) = (span, counts, cpu);
    outcome.commits = tally.now().commits;
    (outcome.too_soon, outcome.unfinished) = (sent.too_soon.load(Ordering::Relaxed), shared.open());
    outcome.differences += compare(&*stores.core, &*exchange, began).await?;
    ensure!(outcome.orders > 0, "nothing was ordered: see the log for why");
    Ok(outcome)
}

fn orderer(trading: &Trading, load: Load, shared: &Arc<Shared>) -> anyhow::Result<StrategyWorker> {
    let config = trading.workers.first().context("no worker in the settings")?.clone();
    let stock: Qty = "0.1".parse()?;
    let strategy = Orderer::new(&config.params, load.pace, load.window, stock, Arc::clone(shared));
    Ok(StrategyWorker::with_strategy(config, Box::new(strategy)))
}

async fn open_stores(ground: &Ground<'_>, tally: &Arc<Tally>) -> anyhow::Result<Stores> {
    let open = async |schema: &'static Schema| -> anyhow::Result<Arc<dyn Store>> {
        let store = ground.store(schema).await?;
        let watched: Arc<dyn Store> = Arc::new(WatchedStore { store, tally: Arc::clone(tally) });
        Ok(watched)
    };
    Ok(Stores {
        core: open(&nightdesk_core_engine::SCHEMA).await?,
        capital: open(&nightdesk_capital_manager::SCHEMA).await?,
        connector: open(&nightdesk_exchange_connector::SCHEMA).await?,
        workers: vec![open(&nightdesk_strategy_worker::SCHEMA).await?],
    })
}

/// An order as the journal tells it.
struct Told {
    decided_at: Timestamp,
    left: Qty,
    filled_at: Option<Timestamp>,
}

/// Reads what the journal says of the span, and that every order has ended.
async fn read_journal(core: &dyn Store, (from, to): (Timestamp, Timestamp), sent: &Sent) -> anyhow::Result<Outcome> {
    let mut orders: BTreeMap<ClientOrderId, Told> = BTreeMap::new();
    let (mut fills, mut after) = (0, 0);
    loop {
        let page = core.journal("core-engine", after, PAGE).await?;
        let Some(last) = page.last().map(|row| row.version) else { break };
        after = last;
        for row in page {
            fills += u64::from(take(row, &mut orders)?);
        }
    }
    let within = |at: Timestamp| at >= from && at < to;
    let filled: Vec<_> = orders.values().filter_map(|order| Some((order.decided_at, order.filled_at?))).collect();
    let mut seconds = vec![0_u64; usize::try_from(to.since(from).0 / 1_000_000).unwrap_or(0)];
    for (_, at) in filled.iter().filter(|(_, at)| within(*at)) {
        let second = usize::try_from(at.since(from).0 / 1_000_000).unwrap_or(usize::MAX);
        seconds.get_mut(second).into_iter().for_each(|count| *count += 1);
    }
    let sorted = |mut spans: Vec<i64>| {
        spans.sort_unstable();
        spans
    };
    let times = sent.take();
    let left = times.iter().filter_map(|(id, at)| Some((orders.get(id)?.decided_at, *at)));
    let unknown = times.iter().filter(|(id, _)| !orders.contains_key(id)).count();
    // Each order leaves once.
    let repeated = times.len() - times.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len();
    let spans = |pairs: &mut dyn Iterator<Item = (Timestamp, Timestamp)>| {
        sorted(pairs.filter(|(decided, _)| within(*decided)).map(|(decided, at)| at.since(decided).0).collect())
    };
    Ok(Outcome {
        span: Duration::ZERO,
        trades: filled.iter().filter(|(_, at)| within(*at)).count() as u64,
        trades_min: seconds.into_iter().min().unwrap_or(0),
        counts: Counts::default(),
        cpu: Duration::ZERO,
        commits: 0,
        syncs: None,
        intent_to_send: spans(&mut left.into_iter()),
        intent_to_fill: spans(&mut filled.iter().copied()),
        too_soon: 0,
        orders: orders.len() as u64,
        unfinished: 0,
        fills,
        differences: (unknown + repeated) as u64,
    })
}

/// Notes an intent or a fill; true for a fill.
fn take(row: JournalRow, orders: &mut BTreeMap<ClientOrderId, Told>) -> anyhow::Result<bool> {
    if row.kind != "intent" && row.kind != "fill" {
        return Ok(false);
    }
    match serde_json::from_str(&row.body).context("a journaled fact")? {
        Fact::Intent { intent, .. } => {
            let id = ClientOrderId::of(intent.instance, intent.intent_id);
            orders.insert(id, Told { decided_at: intent.decided_at, left: intent.qty, filled_at: None });
            Ok(false)
        }
        Fact::Fill { id, fill } => {
            let order = orders.get_mut(&id).context("a fill without its order")?;
            order.left = order.left.sub(fill.qty)?;
            if order.left.is_zero() {
                order.filled_at = Some(row.at);
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Compares our tables with what the exchange says: fills, balances, and that no order is open.
async fn compare(core: &dyn Store, exchange: &dyn Exchange, since: Timestamp) -> anyhow::Result<u64> {
    use nightdesk_core_engine::tables::{BALANCES, FILLS, ORDERS};
    let mut ours = BTreeMap::new();
    for row in rows(core, &FILLS).await? {
        let text = |column: usize| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
        ours.insert(row.get(2).and_then(Value::as_int).unwrap_or(0).cast_unsigned(), (text(6), text(7), text(8)));
    }
    let mut differences = 0;
    let theirs = exchange.trades(house::SYMBOL.parse()?, since, Purpose::Query).await?;
    for trade in &theirs {
        let fill = (trade.fill.price.to_string(), trade.fill.qty.to_string(), trade.fill.fee.to_string());
        differences += u64::from(ours.remove(&trade.fill.trade_id).as_ref() != Some(&fill));
    }
    differences += ours.len() as u64;
    let statuses = rows(core, &ORDERS).await?;
    let is_over = |row: &Vec<Value>| {
        let status = row.get(7).and_then(Value::as_str);
        Status::ALL.into_iter().any(|known| known.is_final() && Some(known.as_str()) == status)
    };
    differences += statuses.iter().filter(|row| !is_over(row)).count() as u64;
    let (_, balances) = exchange.balances().await?;
    let mut held: BTreeMap<String, Qty> = BTreeMap::new();
    for row in rows(core, &BALANCES).await? {
        let text = |column: usize| row.get(column).and_then(Value::as_str).unwrap_or_default();
        held.insert(text(0).to_owned(), text(1).parse()?);
    }
    for balance in balances {
        let total = balance.free.add(balance.locked)?;
        differences += u64::from(held.get(balance.asset.as_str()) != Some(&total));
    }
    Ok(differences)
}

async fn rows(store: &dyn Store, table: &'static nightdesk_store::Table) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut all: Vec<Vec<Value>> = Vec::new();
    loop {
        let after = all.last().and_then(|row| row.first()).cloned();
        let select = Select { after: after.map(|key| (key.clone(), key)), ..Select::from(table, PAGE) };
        let page = store.select(select).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// Processor time that this process has used.
pub(crate) fn cpu_time() -> Duration {
    time_of("/proc/self/stat", 11)
}

/// Processor time of the programs that this process has started and that have ended.
pub(crate) fn children_time() -> Duration {
    time_of("/proc/self/stat", 13)
}

/// Two neighbouring times of a process's `stat`, added: the first comes so many fields after the name.
pub(crate) fn time_of(stat: &str, skip: usize) -> Duration {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    // After the name, which may hold spaces: state is field 3, our user and system time 14 and 15, our children's 16 and
    // 17, in hundredths of a second.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(skip).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
