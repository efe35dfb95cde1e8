//! Durable trades through the exchange's real protocol: the connector that trades live, HTTP and WebSocket on loopback, and
//! an exchange in a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nightdesk_exchange_binance::{ApiKey, Binance, Config, Endpoints, Streams};

use crate::load::{self, Ground, Load, Outcome, Outside};
use crate::process::{KEY, Programs, Simulator};
use crate::report::{Section, Target, percentile, rate};
use crate::strategies::Pace;
use crate::{Settings, durable, house, limits};

/// Most orders under way at full speed.
const WINDOW: usize = 64;
/// The trades a second to be sustained.
const GOAL: f64 = 500.0;
/// Connections of the bare client.
const CONNECTIONS: usize = 8;
/// The connector's own limit, out of the way.
const REQUESTS_A_SECOND: u32 = 1_000_000;

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("protocol");
    let programs = Programs::find(&["exchange-simulator"])?;
    let warm_up = Duration::from_secs(4);
    let full = Load { pace: Pace::Full, window: WINDOW, warm_up, span: settings.span(20) };
    let Measured { outcome, answers, exchange_cpu } = measure(full, settings, &programs, "protocol-full")?;
    let trades = rate(outcome.trades, outcome.span);
    section.must("trades a second, sustained", trades, "1/s", Target::AtLeast(GOAL));
    section.add("in the worst second", outcome.trades_min as f64, "1/s");
    section.against("requests a second that the same exchange answers to a bare client", answers, trades, "1/s");
    durable::tell(&mut section, "at full speed", &outcome);

    let half = Load { pace: Pace::Rate(GOAL / 2.0), window: 4_096, warm_up, span: settings.span(15) };
    section.add(
        "processor time of the exchange an order, whole run at full speed",
        exchange_cpu.as_secs_f64() * 1e6 / outcome.orders.max(1) as f64,
        "us",
    );

    let Measured { outcome, .. } = measure(half, settings, &programs, "protocol-half")?;
    section.add("trades a second, paced", rate(outcome.trades, outcome.span), "1/s");
    let p99 = percentile(&outcome.intent_to_send, 0.99) / 1e3;
    section.add("intent to send, p99 at half load", p99, "ms");
    durable::tell(&mut section, "at half load", &outcome);

    section.note(
        "exchange",
        "exchange-simulator, a process of its own on the same processors, in memory; synthetic market",
    );
    section.note("protocol", "HTTP/1.1 and WebSocket on loopback, HMAC signatures, reports by the user data stream");
    section.note("rate limits", "raised at the exchange and in the connector");
    section.note("bare client", format!("GET /api/v3/time on {CONNECTIONS} connections kept open, before the load"));
    section.note("window", format!("{WINDOW} orders under way at full speed"));
    section.note("processor time", "of the trading process alone");
    section.note(
        "span",
        format!("{:.0} s and {:.0} s after {:.0} s each", full.span.as_secs_f64(), half.span.as_secs_f64(), 4),
    );
    Ok(section)
}

/// What came of a load on an exchange of its own.
struct Measured {
    outcome: Outcome,
    /// Bare requests a second that this exchange answers.
    answers: f64,
    exchange_cpu: Duration,
}

fn measure(load: Load, settings: &Settings, programs: &Programs, name: &str) -> anyhow::Result<Measured> {
    let dir = settings.fresh_dir(name)?;
    let exchange = start_exchange(programs, &dir)?;
    let answers = limits::answers(&exchange.address, CONNECTIONS)?;
    let before = exchange.cpu_time();
    let outcome = trade(load, &dir, &exchange.address)?;
    let exchange_cpu = exchange.cpu_time() - before;
    drop(exchange);
    std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    Ok(Measured { outcome, answers, exchange_cpu })
}

/// An exchange with one instrument and money enough.
pub(crate) fn start_exchange(programs: &Programs, dir: &Path) -> anyhow::Result<Simulator> {
    let mut args = vec!["--symbol".to_owned(), house::SYMBOL.to_owned()];
    for (asset, amount) in house::balances()? {
        args.extend(["--balance".to_owned(), format!("{asset}={amount}")]);
    }
    Simulator::start(programs, dir, &args)
}

/// Runs `load` against the exchange at `address`, with stores in `dir`.
pub(crate) fn trade(load: Load, dir: &Path, address: &str) -> anyhow::Result<Outcome> {
    load::counted(|| async {
        let mut config = Config::new(Endpoints::simulator(address), vec![house::SYMBOL.parse()?]);
        config.requests_per_second = REQUESTS_A_SECOND;
        // Before the exchange has told its limit: the bare client has used up more of this minute than is usual.
        config.weight_per_minute = u32::MAX;
        config.streams = Streams { quotes: true, trades: true, depth: false, candles: Vec::new() };
        let (binance, events) = Binance::connect(config, ApiKey::hmac(KEY.0, KEY.1)?)?;
        tokio::time::timeout(Duration::from_secs(30), binance.ready()).await.context("the exchange does not answer")?;
        load::run(load, Ground::Local(dir), Outside { exchange: Arc::clone(&binance) as _, events: Box::new(events) })
            .await
    })
}
