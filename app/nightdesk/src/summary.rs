//! What `up` says when it ends: what was traded, and whether it all adds up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nightdesk_assembly::{Apis, Stores};
use nightdesk_core_engine::api::Status as CoreStatus;
use nightdesk_core_engine::{Event, Reply, Request, Response, View, tables};
use nightdesk_exchange_connector::Gauges;
use nightdesk_host::{Failure, Host, Status, output};
use nightdesk_store::{Select, Store, Table, Value};
use nightdesk_units::{Money, Timestamp};
use serde::Serialize;

use crate::verify::{Books, Report, verify};

/// How long orders under way may take to settle at the end: less than half of what a process has for its drain.
const SETTLE: Duration = Duration::from_secs(4);
/// How long the last comparison may take. An exchange that refuses it does not hold up the end: the next start compares.
const COMPARE: Duration = Duration::from_secs(2);

/// Gathers figures while the services stop; clones share it.
#[derive(Clone)]
pub(crate) struct Summary {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    dir: PathBuf,
    json: bool,
    watched: Mutex<Option<Watched>>,
    view: Mutex<Option<View>>,
}

struct Watched {
    gauges: Arc<Gauges>,
    stores: Stores,
}

/// The summary as it is printed.
#[derive(Debug, Serialize)]
struct Printed {
    market_messages: u64,
    intents: u64,
    orders: u64,
    fills: u64,
    trades: u64,
    equity: Option<String>,
    pnl: Option<String>,
    strategies: Vec<Traded>,
    mode: Option<String>,
    quarantine: Vec<String>,
    seconds: f64,
    data_dir: PathBuf,
    verify: String,
    verify_report: Report,
}

#[derive(Debug, Serialize)]
struct Traded {
    instance: String,
    strategy: String,
    intents: u64,
    fills: u64,
    pnl: Option<String>,
}

/// What the database says was done.
#[derive(Debug, Default)]
struct Counts {
    intents: u64,
    orders: u64,
    trades: u64,
    fills: u64,
    by_instance: std::collections::BTreeMap<String, (u64, u64)>,
}

impl Summary {
    pub(crate) fn new(host: &Host, dir: PathBuf, json: bool) -> Self {
        let inner = Inner { host: host.clone(), dir, json, watched: Mutex::default(), view: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The services have started.
    pub(crate) fn watch(&self, apis: &Apis, stores: &Stores) {
        let watched = Watched { gauges: Arc::clone(&apis.gauges), stores: stores.clone() };
        *self.inner.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
    }

    /// Waits until no order is under way and, where `compare` asks for it, the books have been compared with the exchange
    /// once more: a report may still be on its way when the last order has got its answer. Takes a last look at
    /// core-engine. To be called before the services stop and after nothing new can come.
    pub(crate) async fn settle(&self, apis: &Apis, compare: bool) {
        // What has not left yet stays here; what has left is followed to certainty.
        apis.core.send(Event::Drain).await;
        apis.connector.send(nightdesk_exchange_connector::Event::Drain).await;
        let settled = async {
            let asked_at = if compare { self.compare(apis).await? } else { None };
            let give_up = tokio::time::Instant::now() + COMPARE;
            loop {
                let view = look(apis).await?;
                let agreed = asked_at.is_none_or(|asked| view.reconciled_at.is_some_and(|at| at > asked))
                    || tokio::time::Instant::now() > give_up;
                let unsettled = view.unsettled;
                *self.inner.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
                if unsettled == 0 && agreed {
                    return Some(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            tracing::warn!("orders are still under way or not yet compared; the next start takes them up");
        }
    }

    /// Asks for a comparison, and tells when; `None` when core-engine has ended.
    async fn compare(&self, apis: &Apis) -> Option<Option<Timestamp>> {
        let asked_at = look(apis).await?.at;
        let (reply, answer) = Reply::channel();
        apis.core.send(Event::Request(Request::Reconcile, reply)).await.then_some(())?;
        answer.recv().await.ok()?;
        Some(Some(asked_at))
    }

    /// Prints the summary; everything has stopped.
    pub(crate) async fn print(self) -> Result<(), Failure> {
        let watched = self.inner.watched.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nothing was started: whatever failed has been said.
        let Some(Watched { gauges, stores }) = watched else { return Ok(()) };
        let view = self.inner.view.lock().unwrap_or_else(PoisonError::into_inner).take();
        let figures = Figures::of_view(gauges.figures().market_messages, view.as_ref());
        let report = verify(&self.inner.dir, &Books::Files, None).await?;
        let Inner { host, dir, json, .. } = &*self.inner;
        print(host, dir, *json, &*stores.core, figures, report).await
    }
}

/// What core-engine said last, and what came in.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    market_messages: u64,
    equity: Option<Money>,
    pnl: Option<Money>,
    /// Instance, strategy, profit.
    strategies: Vec<(String, String, Option<Money>)>,
    mode: Option<String>,
    quarantine: Vec<String>,
}

impl Figures {
    fn of_view(market_messages: u64, view: Option<&View>) -> Self {
        let Some(view) = view else { return Self { market_messages, ..Self::default() } };
        let strategies = view.strategies.iter().map(|strategy| {
            let pnl = strategy.figures.as_ref().map(|figures| figures.pnl);
            (strategy.instance.to_string(), strategy.strategy.clone(), pnl)
        });
        Self {
            market_messages,
            equity: view.portfolio.as_ref().map(|figures| figures.equity),
            pnl: view.portfolio.as_ref().map(|figures| figures.pnl),
            strategies: strategies.collect(),
            mode: Some(view.mode.level.to_string()),
            quarantine: view.quarantine.iter().map(|(symbol, reason)| format!("{symbol}: {reason}")).collect(),
        }
    }

    /// The same as its API tells it.
    pub(crate) fn of_status(market_messages: u64, status: Option<&CoreStatus>) -> Self {
        let Some(status) = status else { return Self { market_messages, ..Self::default() } };
        let strategies = status.strategies.iter().map(|strategy| {
            let pnl = strategy.figures.as_ref().map(|figures| figures.pnl);
            (strategy.instance.to_string(), strategy.strategy.clone(), pnl)
        });
        Self {
            market_messages,
            equity: status.portfolio.as_ref().map(|figures| figures.equity),
            pnl: status.portfolio.as_ref().map(|figures| figures.pnl),
            strategies: strategies.collect(),
            mode: Some(status.mode.level.to_string()),
            quarantine: status.quarantine.iter().map(|q| format!("{}: {}", q.symbol, q.reason)).collect(),
        }
    }
}

/// Prints the summary; everything has stopped. `core` is core-engine's store.
pub(crate) async fn print(
    host: &Host,
    dir: &Path,
    json: bool,
    core: &dyn Store,
    figures: Figures,
    report: Report,
) -> Result<(), Failure> {
    let counts = count(core).await?;
    let differences = report.differences;
    let printed = printed(host, dir, figures, &counts, report);
    if json {
        output::json(&printed)?;
    } else {
        output::to_stderr(&format!(
            "{} market messages, {} intents, {} orders, {} fills, {} trades; equity {}; verify: {}\n",
            printed.market_messages,
            printed.intents,
            printed.orders,
            printed.fills,
            printed.trades,
            printed.equity.as_deref().unwrap_or("unknown"),
            printed.verify,
        ));
    }
    if differences > 0 {
        return Err(Failure::new(Status::No, format!("verify found {differences} differences")));
    }
    Ok(())
}

fn printed(host: &Host, dir: &Path, figures: Figures, counts: &Counts, report: Report) -> Printed {
    let rounded = |money: Option<Money>| money.map(|money| money.rounded(8).to_string());
    let strategies = figures.strategies.into_iter().map(|(instance, strategy, pnl)| {
        let (intents, fills) = counts.by_instance.get(&instance).copied().unwrap_or_default();
        Traded { instance, strategy, intents, fills, pnl: rounded(pnl) }
    });
    Printed {
        market_messages: figures.market_messages,
        intents: counts.intents,
        orders: counts.orders,
        fills: counts.fills,
        trades: counts.trades,
        equity: rounded(figures.equity),
        pnl: rounded(figures.pnl),
        strategies: strategies.collect(),
        mode: figures.mode,
        quarantine: figures.quarantine,
        seconds: host.uptime().as_secs_f64(),
        data_dir: dir.to_owned(),
        verify: report.verdict.clone(),
        verify_report: report,
    }
}

/// How core-engine sees things; `None` when it has ended.
async fn look(apis: &Apis) -> Option<View> {
    let (reply, answer) = Reply::channel();
    apis.core.send(Event::Request(Request::View, reply)).await.then_some(())?;
    match answer.recv().await.ok()? {
        Response::View(view) => Some(*view),
        _ => None,
    }
}

async fn count(core: &dyn Store) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let everything = usize::MAX >> 1;
    for values in core.select(Select::from(&tables::ORDERS, everything)).await? {
        let status = text(&tables::ORDERS, &values, "status");
        counts.intents += 1;
        counts.orders += u64::from(!matches!(status, "abandoned" | "requested"));
        counts.trades += u64::from(status == "filled");
        let instance = text(&tables::ORDERS, &values, "instance");
        counts.by_instance.entry(instance.to_owned()).or_default().0 += 1;
    }
    for values in core.select(Select::from(&tables::FILLS, everything)).await? {
        counts.fills += 1;
        let instance = text(&tables::FILLS, &values, "instance");
        counts.by_instance.entry(instance.to_owned()).or_default().1 += 1;
    }
    Ok(counts)
}

fn text<'a>(table: &Table, values: &'a [Value], name: &str) -> &'a str {
    let index = table.columns.iter().position(|column| column.name == name);
    index.and_then(|index| values.get(index)).and_then(Value::as_str).unwrap_or_default()
}
