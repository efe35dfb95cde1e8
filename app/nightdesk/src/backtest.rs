//! `nightdesk backtest`: the same cores over recordings, without shells or files.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use nightdesk_assembly::{Lockstep, Market, Outside, Pump};
use nightdesk_core_engine::View;
use nightdesk_env::{Activity, Env, NoActivity, SeededEntropy};
use nightdesk_exchange_local::LocalVenue;
use nightdesk_exchange_simulator::market::{Playback, survey};
use nightdesk_host::output::{Align, Table};
use nightdesk_host::{Failure, Status, output};
use nightdesk_market::MarketEvent;
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_store::{JournalRow, ModelStore};
use nightdesk_units::{Micros, Timestamp};
use serde::Serialize;

use crate::cli::BacktestArgs;
use crate::replay::{at_receipt, fund, open_venue};
use nightdesk_process::Config;

/// Before the recording begins, the services start and look at the account.
const BEFORE: Micros = Micros::from_secs(1);

#[derive(Debug, Serialize)]
struct Printed {
    market_messages: u64,
    intents: u64,
    orders: u64,
    fills: u64,
    trades: u64,
    equity: Option<String>,
    pnl: Option<String>,
    sharpe: Option<f64>,
    max_drawdown_pct: Option<String>,
    strategies: Vec<Traded>,
    decode_seconds: f64,
    run_seconds: f64,
    events_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Traded {
    instance: String,
    strategy: String,
    symbol: String,
    fills: u64,
    pnl: Option<String>,
    sharpe: Option<f64>,
    max_drawdown_pct: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &BacktestArgs) -> Result<(), Failure> {
    let mut config = Config::read(args.config.as_deref())?;
    let found = survey(&args.files).map_err(|error| Failure::new(Status::BadConfig, error))?;
    let recorded: Vec<_> = found.instruments.iter().map(|instrument| instrument.symbol).collect();
    for moved in config.trade_only(&recorded) {
        output::to_stderr(&format!("nightdesk: {moved}\n"));
    }
    choose(&mut config, &args.strategy)?;
    let started = Instant::now();
    let mut playback = Playback::new(&args.files, &found);
    let mut events = Vec::with_capacity(usize::try_from(found.messages).unwrap_or(0));
    let mut last = Timestamp(found.span_ns.0.div_euclid(1_000));
    let start = last;
    while let Some(next) = playback.take()? {
        last = last.max(Timestamp(next.received_ns.div_euclid(1_000)));
        events.push((last, at_receipt(next.event, last)));
    }
    let decode_seconds = started.elapsed().as_secs_f64();

    let lockstep = Lockstep::new(start - BEFORE);
    let venue = open_venue(&found, &lockstep, None);
    fund(&config, &venue)?;
    let (exchange, told) = venue.connect();
    let trading = config.trading()?;
    let env = Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(1)),
        activity: Arc::new(NoActivity) as Arc<dyn Activity>,
    };
    let clock = lockstep.clock.clone();
    let outside = Outside {
        exchange: Arc::new(exchange),
        events: Box::new(told),
        store: Arc::new(ModelStore::new("backtest")),
        emergency: Arc::new(NoEmergency),
    };
    let mut pump = Pump::new(&trading, env, clock, outside, true);
    let started = Instant::now();
    pump.start()?;
    pump.run(&mut Events { events: events.into_iter().peekable(), venue: &venue })?;
    let run_seconds = started.elapsed().as_secs_f64();
    let view = pump.view();
    let journal = pump.journals();
    if let Some(file) = &args.journal {
        write_journal(file, &journal)?;
    }
    let printed = summarise(&view, &journal, pump.market_events, (decode_seconds, run_seconds));
    if args.json {
        output::json(&printed)?
    } else {
        print(&printed)?
    }
    Ok(())
}

/// Keeps only the named strategies.
fn choose(config: &mut Config, names: &[String]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    config.strategy.retain(|known| names.iter().any(|name| *name == known.instance || *name == known.strategy));
    if config.strategy.is_empty() {
        return Err(Failure::new(
            Status::Usage,
            format!("no strategy in the configuration is named {}", names.join(" or ")),
        ));
    }
    Ok(())
}

fn write_journal(file: &Path, journal: &[JournalRow]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
        for row in journal {
            serde_json::to_writer(&mut out, row)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

struct Events<'a, I: Iterator<Item = (Timestamp, MarketEvent)>> {
    events: std::iter::Peekable<I>,
    venue: &'a LocalVenue,
}

impl<I: Iterator<Item = (Timestamp, MarketEvent)>> Market for Events<'_, I> {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.events.peek().map(|(at, _)| *at)
    }

    fn step(&mut self) {
        if let Some((_, event)) = self.events.next() {
            self.venue.apply(&event);
        }
    }
}

/// A backtest's store never fails.
struct NoEmergency;

impl EmergencyJournal for NoEmergency {
    fn append(&self, _: &EmergencyRecord) -> Result<(), PlatformError> {
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, _: usize) -> Result<(), PlatformError> {
        Ok(())
    }
}

fn summarise(view: &View, journal: &[JournalRow], market_messages: u64, seconds: (f64, f64)) -> Printed {
    let core = || journal.iter().filter(|row| row.stream == "core-engine");
    let count = |kind: &str| core().filter(|row| row.kind == kind).count() as u64;
    let orders = core().filter(|row| row.kind == "order");
    let with = |event: &str| orders.clone().filter(|row| row.body.contains(event)).count() as u64;
    let strategies = view.strategies.iter().map(|strategy| {
        let figures = strategy.figures.as_ref();
        Traded {
            instance: strategy.instance.to_string(),
            strategy: strategy.strategy.clone(),
            symbol: strategy.symbol.to_string(),
            fills: figures.map_or(0, |figures| figures.fills),
            pnl: figures.map(|figures| figures.pnl.rounded(8).to_string()),
            sharpe: figures.and_then(|figures| figures.sharpe),
            max_drawdown_pct: figures.map(|figures| figures.max_drawdown_pct.to_string()),
        }
    });
    let portfolio = view.portfolio.as_ref();
    Printed {
        market_messages,
        intents: count("intent"),
        orders: with("\"event\":\"granted\""),
        fills: count("fill"),
        trades: trades(journal),
        equity: portfolio.map(|figures| figures.equity.rounded(8).to_string()),
        pnl: portfolio.map(|figures| figures.pnl.rounded(8).to_string()),
        sharpe: portfolio.and_then(|figures| figures.sharpe),
        max_drawdown_pct: portfolio.map(|figures| figures.max_drawdown_pct.to_string()),
        strategies: strategies.collect(),
        decode_seconds: seconds.0,
        run_seconds: seconds.1,
        events_per_second: market_messages as f64 / seconds.1,
    }
}

/// Orders that executed completely: their fills add up to what the intent asked for.
fn trades(journal: &[JournalRow]) -> u64 {
    use nightdesk_core_engine::Fact;
    use nightdesk_orders::ClientOrderId;
    let mut open = std::collections::BTreeMap::new();
    let mut filled = 0;
    for row in journal.iter().filter(|row| row.stream == "core-engine" && (row.kind == "intent" || row.kind == "fill"))
    {
        match serde_json::from_str(&row.body) {
            Ok(Fact::Intent { intent, .. }) => {
                open.insert(ClientOrderId::of(intent.instance, intent.intent_id), intent.qty);
            }
            Ok(Fact::Fill { id, fill }) => {
                let Some(left) = open.get_mut(&id) else { continue };
                *left = left.sub(fill.qty).unwrap_or_default();
                if left.is_zero() {
                    filled += 1;
                    open.remove(&id);
                }
            }
            _ => {}
        }
    }
    filled
}

fn print(printed: &Printed) -> std::io::Result<()> {
    let mut table = Table::new(&[
        ("instance", Align::Left),
        ("strategy", Align::Left),
        ("symbol", Align::Left),
        ("fills", Align::Right),
        ("pnl", Align::Right),
        ("sharpe", Align::Right),
        ("max drawdown %", Align::Right),
    ]);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for strategy in &printed.strategies {
        table.row([
            strategy.instance.clone(),
            strategy.strategy.clone(),
            strategy.symbol.clone(),
            strategy.fills.to_string(),
            text(&strategy.pnl),
            number(strategy.sharpe),
            text(&strategy.max_drawdown_pct),
        ]);
    }
    output::to_stdout(&format!(
        "{table}\n{} market messages, {} intents, {} orders, {} fills, {} trades; equity {}, pnl {}, max drawdown {} %\n\
         decoded in {:.2} s, run in {:.2} s: {:.0} events/s\n",
        printed.market_messages,
        printed.intents,
        printed.orders,
        printed.fills,
        printed.trades,
        text(&printed.equity),
        text(&printed.pnl),
        text(&printed.max_drawdown_pct),
        printed.decode_seconds,
        printed.run_seconds,
        printed.events_per_second,
    ))
}
