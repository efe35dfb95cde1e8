//! Durable trades in one process: intent, allocation, commit, match, fill applied and committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nightdesk_env::NoActivity;
use nightdesk_exchange_local::{Feed, LocalVenue, Options};
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform_local::SystemClock;
use nightdesk_units::{Symbol, Timestamp};

use crate::load::{self, Ground, Load, Outcome, Outside};
use crate::report::{Section, Target, percentile, rate};
use crate::strategies::Pace;
use crate::{Settings, house, limits};

/// Between two quotes of the standing market.
const QUOTE_EVERY: Duration = Duration::from_millis(1);
/// Most orders under way at full speed.
const WINDOW: usize = 256;
/// The trades a second to be sustained.
const GOAL: f64 = 3_000.0;

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("durable trades");
    let warm_up = Duration::from_secs(2);
    let full = Load { pace: Pace::Full, window: WINDOW, warm_up, span: settings.span(60) };
    let outcome = measure(full, &settings.fresh_dir("durable-full")?)?;
    let trades = rate(outcome.trades, outcome.span);
    section.must("trades a second, sustained", trades, "1/s", Target::AtLeast(GOAL));
    section.add("in the worst second", outcome.trades_min as f64, "1/s");
    let cpu = outcome.trades as f64 / outcome.cpu.as_secs_f64().max(1e-9) * 2.0;
    section.add("trades a second that two processors of our own could do", cpu, "1/s");
    compare_with_limits(&mut section, settings, trades)?;
    tell(&mut section, "at full speed", &outcome);

    let half = Load { pace: Pace::Rate(GOAL / 2.0), window: 4_096, warm_up, span: settings.span(20) };
    let outcome = measure(half, &settings.fresh_dir("durable-half")?)?;
    section.add("trades a second, paced", rate(outcome.trades, outcome.span), "1/s");
    let p99 = percentile(&outcome.intent_to_send, 0.99) / 1e3;
    section.must("intent to send, p99 at half load", p99, "ms", Target::AtMost(5.0));
    tell(&mut section, "at half load", &outcome);

    section.note("exchange", "in this process, standing market, deep book; a quote every millisecond");
    section.note(
        "orders",
        "market orders as IOC at the collar, 0.001 BTC bought and 0.00099 sold in turn; sells need no grant",
    );
    section.note(
        "stores",
        format!("SQLite, WAL, synchronous=FULL, one file for each of 4 services, in {}", settings.dir.display()),
    );
    section.note("window", format!("{WINDOW} orders under way at full speed"));
    section.note("threads", "2 tokio workers, and 2 of SQLite for each store");
    section.note("reconciliation", "every 60 s, as in production; the in-process exchange has no rate limiter");
    section.note(
        "span",
        format!(
            "{:.0} s and {:.0} s after {:.0} s each",
            full.span.as_secs_f64(),
            half.span.as_secs_f64(),
            warm_up.as_secs_f64()
        ),
    );
    Ok(section)
}

/// What the disk and SQLite by itself can do, here and now.
fn compare_with_limits(section: &mut Section, settings: &Settings, trades: f64) -> anyhow::Result<()> {
    let dir = settings.fresh_dir("limits")?;
    let syncs = limits::disk_syncs(&dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let commits = runtime.block_on(limits::single_commits(&dir))?;
    std::fs::remove_dir_all(&dir)?;
    section.against("fdatasync calls a second that the disk takes one by one", syncs, trades, "1/s");
    section.against("SQLite commits a second of one row each", commits, trades, "1/s");
    Ok(())
}

/// Notes the figures by which the others can be checked.
pub(crate) fn tell(section: &mut Section, when: &str, outcome: &Outcome) {
    let per_trade = |count: u64| count as f64 / outcome.trades.max(1) as f64;
    section.add(format!("trades {when}"), outcome.trades as f64, "");
    section.add(format!("commits {when}"), outcome.counts.commits as f64, "");
    section.add(format!("commits a second {when}"), rate(outcome.counts.commits, outcome.span), "1/s");
    section.add(format!("journal rows {when}"), outcome.counts.journal as f64, "");
    section.add(format!("journal rows a trade {when}"), per_trade(outcome.counts.journal), "");
    section.add(
        format!("all rows a trade {when}"),
        per_trade(outcome.counts.journal + outcome.counts.outbox + outcome.counts.rows),
        "",
    );
    section.add(
        format!("processor time a trade {when}"),
        outcome.cpu.as_secs_f64() * 1e6 / outcome.trades.max(1) as f64,
        "us",
    );
    section.add(format!("processors busy {when}"), outcome.cpu.as_secs_f64() / outcome.span.as_secs_f64(), "of 2");
    for (name, spans) in [("send", &outcome.intent_to_send), ("durable fill", &outcome.intent_to_fill)] {
        for (share, label) in [(0.5, "p50"), (0.99, "p99"), (1.0, "max")] {
            section.add(format!("intent to {name}, {label} {when}"), percentile(spans, share) / 1e3, "ms");
        }
    }
    section.must(
        format!("orders sent before their record was durable, {when}"),
        outcome.too_soon as f64,
        "",
        Target::AtMost(0.0),
    );
    section.must(format!("orders without an end, {when}"), outcome.unfinished as f64, "", Target::AtMost(0.0));
    section.must(
        format!("differences from the exchange's book, {when}"),
        outcome.differences as f64,
        "",
        Target::AtMost(0.0),
    );
    section.add(format!("orders, whole run {when}"), outcome.orders as f64, "");
    section.add(format!("fills, whole run {when}"), outcome.fills as f64, "");
    section.add(format!("commits, whole run {when}"), outcome.commits as f64, "");
    match outcome.syncs {
        Some(syncs) => {
            // A commit that shared a sync with another one, or had none, would show here.
            let least = Target::AtLeast(outcome.commits as f64);
            section.must(format!("fdatasync and fsync calls, whole run {when}"), syncs as f64, "", least);
        }
        None => section
            .note("syncs not counted", "perf is missing or may not count; see the section \"durable before sent\""),
    }
}

/// Runs a load over the in-process exchange.
fn measure(load: Load, dir: &Path) -> anyhow::Result<Outcome> {
    let outcome = load::counted(|| on(load, Ground::Local(dir)))?;
    std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    Ok(outcome)
}

/// Runs a load on `ground` over the in-process exchange.
pub(crate) async fn on(load: Load, ground: Ground<'_>) -> anyhow::Result<Outcome> {
    let symbol: Symbol = house::SYMBOL.parse()?;
    let venue = venue(symbol)?;
    let (exchange, events) = venue.connect();
    let market = tokio::spawn(move_market(venue, symbol));
    let outside = Outside { exchange: Arc::new(exchange), events: Box::new(events) };
    let outcome = load::run(load, ground, outside).await;
    market.abort();
    outcome
}

fn venue(symbol: Symbol) -> anyhow::Result<LocalVenue> {
    let mut config = VenueConfig::new(vec![house::instrument()?]);
    // All of them are compared at the end.
    config.history.fills = 10_000_000;
    let options = Options {
        clock: Arc::new(SystemClock::new()),
        activity: Arc::new(NoActivity),
        feed: Feed::Venue,
        depth: false,
        record: None,
    };
    let venue = LocalVenue::new(Venue::new(config), AccountId(1), options);
    for (asset, amount) in house::balances()? {
        venue.deposit(asset, amount)?;
    }
    venue.apply(&house::book(symbol, Timestamp(0)));
    Ok(venue)
}

async fn move_market(venue: LocalVenue, symbol: Symbol) {
    let mut ticks = tokio::time::interval(QUOTE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for n in 0.. {
        ticks.tick().await;
        venue.apply(&house::quote(symbol, n, Timestamp(0)));
    }
}

/// A folder of its own for each run.
pub(crate) fn fresh(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let dir = dir.join(format!("{name}-{}", std::process::id()));
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}
