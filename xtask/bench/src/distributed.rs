//! Durable trades over the real servers: PostgreSQL under the services, RabbitMQ between them.

use std::time::Duration;

use anyhow::Context;
use nightdesk_private_servers::{Postgres, Rabbitmq};

use crate::load::{Ground, Load, Outcome};
use crate::report::{Section, Target, percentile, rate};
use crate::strategies::Pace;
use crate::{Settings, durable};

/// Most orders under way at full speed.
const WINDOW: usize = 256;
/// The trades a second to be sustained, on a quiet machine of two processors.
const GOAL: f64 = 300.0;
/// Orders a second at which the time from an intent to its order is measured.
const PACE: f64 = 100.0;

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("distributed");
    let warm_up = Duration::from_secs(2);
    let full = Load { pace: Pace::Full, window: WINDOW, warm_up, span: settings.span(60) };
    let outcome = measure(settings, "distributed-full", full)?;
    let trades = rate(outcome.trades, outcome.span);
    section.must("trades a second, sustained", trades, "1/s", Target::AtLeast(GOAL));
    section.add("in the worst second", outcome.trades_min as f64, "1/s");
    tell(&mut section, "at full speed", &outcome);

    let paced = Load { pace: Pace::Rate(PACE), window: 4_096, warm_up, span: settings.span(20) };
    let outcome = measure(settings, "distributed-paced", paced)?;
    section.add("trades a second, paced", rate(outcome.trades, outcome.span), "1/s");
    for (share, name, most) in [(0.5, "p50", 10.0), (0.99, "p99", 30.0)] {
        let spent = percentile(&outcome.intent_to_send, share) / 1e3;
        section.must(format!("intent to send, {name} at {PACE} a second"), spent, "ms", Target::AtMost(most));
    }
    tell(&mut section, "paced", &outcome);
    section.note("servers", "a private PostgreSQL and a private RabbitMQ on this machine, which share its processors");
    section.note("services", "all in this process, each with a schema of its own; the exchange is in it, too");
    section.note("window", format!("{WINDOW} orders under way at full speed"));
    Ok(section)
}

/// Statements and messages a trade, and that nothing was lost.
fn tell(section: &mut Section, when: &str, outcome: &Outcome) {
    let per_trade = |count: u64| count as f64 / outcome.trades.max(1) as f64;
    // A commit is one statement in one trip.
    section.add(format!("SQL statements a trade {when}"), per_trade(outcome.counts.commits), "");
    section.add(format!("durable messages a trade {when}"), per_trade(outcome.counts.outbox), "");
    let cpu = outcome.cpu.as_secs_f64() * 1e6 / outcome.trades.max(1) as f64;
    section.add(format!("processor time a trade {when}, without the servers'"), cpu, "us");
    for (name, spans) in [("send", &outcome.intent_to_send), ("durable fill", &outcome.intent_to_fill)] {
        section.add(format!("intent to {name}, p50 {when}"), percentile(spans, 0.5) / 1e3, "ms");
        section.add(format!("intent to {name}, p99 {when}"), percentile(spans, 0.99) / 1e3, "ms");
    }
    for (name, count) in [
        ("orders sent before their record was durable", outcome.too_soon),
        ("orders without an end", outcome.unfinished),
        ("differences from the exchange's book", outcome.differences),
    ] {
        section.must(format!("{name}, {when}"), count as f64, "", Target::AtMost(0.0));
    }
}

/// Runs a load on servers of its own, in a folder that their users can reach.
fn measure(settings: &Settings, name: &str, load: Load) -> anyhow::Result<Outcome> {
    let dir = settings.fresh_dir(name)?.canonicalize()?;
    let postgres = Postgres::start(&dir.join("postgres"))?;
    let rabbitmq = Rabbitmq::start(&dir.join("rabbitmq"))?;
    let ground = Ground::Servers { postgres: postgres.url(), rabbitmq: rabbitmq.url(), dir: &dir };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(durable::on(load, ground));
    drop((runtime, postgres, rabbitmq));
    std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    outcome
}
