//! How fast recordings are played through all services: with no order, and with one every ten quotes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nightdesk_assembly::{Lockstep, Market, Outside, Pump};
use nightdesk_env::{Activity, Env, NoActivity, SeededEntropy};
use nightdesk_exchange_local::{Feed, LocalVenue, Options};
use nightdesk_exchange_simulator::market::{Lines, Playback, Survey, survey};
use nightdesk_market::MarketEvent;
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_store::ModelStore;
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::{Micros, Qty, Symbol, Timestamp};

use crate::limits::thread_time;
use crate::report::{Section, Target, median, rate};
use crate::strategies::{Orderer, Pace, Shared};
use crate::{Settings, house, limits};

/// The recordings, within the data folder.
const FILES: [&str; 2] = ["market/spot_btcusdt_20240808.gz", "market/spot_btcusdt_20240809.gz"];
/// Before the recording begins, the services start and look at the account.
const BEFORE: Micros = Micros::from_secs(1);

/// Events a second of NautilusTrader's Rust engine on these files, on a machine with 2 processors.
const NAUTILUS: f64 = 7.1e5;
const NAUTILUS_WITH_ORDERS: f64 = 2.15e5;

/// A recording in memory.
pub(crate) struct Tape {
    pub(crate) survey: Survey,
    pub(crate) events: Vec<(Timestamp, MarketEvent)>,
    /// Processor time.
    pub(crate) decoded_in: Duration,
}

/// What one run did.
struct Run {
    took: Duration,
    /// Processor time, which does not count what other processes did meanwhile.
    cpu: Duration,
    orders: u64,
    filled: u64,
    facts: usize,
    /// Of everything journaled: a change here is a change of what is decided or recorded.
    hash: u64,
}

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let tape = read(settings)?;
    let mut section = Section::new("backtest");
    let count = tape.events.len() as u64;
    let quotes = tape.events.iter().filter(|(_, event)| matches!(event, MarketEvent::Quote(_))).count();
    let depth = tape.events.iter().filter(|(_, event)| matches!(event, MarketEvent::Depth(_))).count();
    let goals = [
        (0, "without orders".to_owned(), Some((1.5e6, NAUTILUS))),
        (10, "with an order every 10 quotes".to_owned(), Some((4.5e5, NAUTILUS_WITH_ORDERS))),
    ];
    let goals = match settings.every {
        Some(every) => vec![(every, format!("with an order every {every} quotes"), None)],
        None => goals.into(),
    };
    let copies = limits::copies(&tape.events);
    for (every, name, goal) in goals {
        let runs: Vec<Run> = (0..settings.rounds).map(|_| play(&tape, every)).collect::<anyhow::Result<_>>()?;
        tell(&mut section, &name, goal, &runs, (count, copies));
    }
    tell_decoding(&mut section, settings, &tape)?;
    section.add("events", count as f64, "");
    section.add("quotes", quotes as f64, "");
    section.add("depth updates", depth as f64, "");
    section.note("rounds", settings.rounds);
    section.note("files", FILES.join(", "));
    section.note(
        "services",
        "all four, as in `nightdesk backtest`: pre-trade checks, capital rules, positions, equity curve, journal kept",
    );
    section.note(
        "peers",
        "measured earlier on a machine of this kind with 2 processors; barter there: 250 k a second with orders",
    );
    Ok(section)
}

/// What the runs of one kind came to. Wall time decides; processor time, which other processes on this machine change
/// little, is what peers and limits are compared with.
fn tell(section: &mut Section, name: &str, goal: Option<(f64, f64)>, runs: &[Run], (count, copies): (u64, f64)) {
    let rates = |span: fn(&Run) -> Duration| runs.iter().map(|run| rate(count, span(run))).collect::<Vec<_>>();
    let (wall, cpu) = (rates(|run| run.took), median(rates(|run| run.cpu)));
    let title = format!("events a second {name}");
    match goal {
        Some((goal, _)) => section.must(title, median(wall.clone()), "1/s", Target::AtLeast(goal)),
        None => section.add(title, median(wall.clone()), "1/s"),
    }
    section.add(format!("the same, best of {} runs", runs.len()), wall.into_iter().fold(0.0, f64::max), "1/s");
    section.add("the same, by processor time", cpu, "1/s");
    if let Some((_, peer)) = goal {
        section.against(&format!("NautilusTrader's Rust engine {name}, measured elsewhere"), peer, cpu, "1/s");
    }
    section.against(&format!("copying the events and no more, beside {name}"), copies, cpu, "1/s");
    let Some(last) = runs.last() else { return };
    section.add(format!("orders {name}"), last.orders as f64, "");
    section.add(format!("filled {name}"), last.filled as f64, "");
    section.add(format!("facts journaled {name}"), last.facts as f64, "");
    section.note(format!("journal {name}"), format!("{:016x}", last.hash));
}

/// How fast recordings are decoded, all by processor time.
fn tell_decoding(section: &mut Section, settings: &Settings, tape: &Tape) -> anyhow::Result<()> {
    let decoded = rate(tape.events.len() as u64, tape.decoded_in);
    section.add("events decoded a second", decoded, "1/s");
    let parsed = lines(settings, |json| {
        std::hint::black_box(serde_json::from_str::<serde_json::Value>(json)?);
        Ok(())
    })?;
    section.against("lines a second parsed by serde_json into a Value", parsed, decoded, "1/s");
    section.against("lines a second inflated and not parsed", lines(settings, |_| Ok(()))?, decoded, "1/s");
    Ok(())
}

/// The recordings.
pub(crate) fn files(settings: &Settings) -> anyhow::Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = FILES.iter().map(|file| settings.data.join(file)).collect();
    for file in &files {
        ensure!(file.exists(), "{} is not there: name the data folder with --data", file.display());
    }
    Ok(files)
}

/// Reads and decodes the recordings.
pub(crate) fn read(settings: &Settings) -> anyhow::Result<Tape> {
    let files = files(settings)?;
    let survey = survey(&files)?;
    let began = thread_time();
    let mut playback = Playback::new(&files, &survey);
    let mut last = Timestamp(survey.span_ns.0.div_euclid(1_000));
    let mut events = Vec::new();
    while let Some(next) = playback.take()? {
        last = last.max(Timestamp(next.received_ns.div_euclid(1_000)));
        events.push((last, nightdesk_exchange_simulator::market::redated(next.event, last)));
    }
    Ok(Tape { survey, events, decoded_in: thread_time() - began })
}

/// Lines of the recordings that `take` takes in a second.
fn lines(settings: &Settings, take: impl Fn(&str) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (began, mut count) = (thread_time(), 0);
    for file in files(settings)? {
        let mut lines = Lines::open(&file)?;
        while let Some((_, line)) = lines.next_line()? {
            count += 1;
            take(line.split_once(' ').map_or(line, |(_, json)| json))?;
        }
    }
    Ok(rate(count, thread_time() - began))
}

fn play(tape: &Tape, every: u64) -> anyhow::Result<Run> {
    let start = tape.events.first().context("an empty recording")?.0 - BEFORE;
    let symbol: Symbol = tape.survey.instruments.first().context("no instrument")?.symbol;
    let trading = house::trading(symbol)?;
    let lockstep = Lockstep::new(start);
    let venue = venue(tape, &lockstep)?;
    let (exchange, told) = venue.connect();
    let env = Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(1)),
        activity: Arc::new(NoActivity) as Arc<dyn Activity>,
    };
    let outside = Outside {
        exchange: Arc::new(exchange),
        events: Box::new(told),
        store: Arc::new(ModelStore::new("bench")),
        emergency: Arc::new(NoEmergency),
    };
    let shared = Arc::new(Shared::default());
    shared.running.store(true, Ordering::Relaxed);
    let config = trading.workers.first().context("no worker in the settings")?.clone();
    let strategy = Orderer::new(&config.params, Pace::Quotes(every), usize::MAX, Qty::ZERO, Arc::clone(&shared));
    let workers = vec![StrategyWorker::with_strategy(config, Box::new(strategy))];
    let mut pump = Pump::with_workers(&trading, workers, env, lockstep.clock.clone(), outside, true);
    let mut market = Played { events: &tape.events, at: 0, venue: &venue };
    let (started, cpu) = (Instant::now(), thread_time());
    pump.start()?;
    pump.run(&mut market)?;
    let (took, cpu) = (started.elapsed(), thread_time() - cpu);
    let journal = pump.journals();
    let filled = venue.inspect(|venue| venue.counters().orders);
    let orders = shared.decided.load(Ordering::Relaxed);
    ensure!(shared.open() == 0 && orders == filled, "{orders} orders decided, {filled} at the exchange");
    let mut hasher = DefaultHasher::new();
    for row in &journal {
        (&row.stream, row.version, row.at.0, &row.kind, &row.body).hash(&mut hasher);
    }
    Ok(Run { took, cpu, orders, filled, facts: journal.len(), hash: hasher.finish() })
}

fn venue(tape: &Tape, lockstep: &Lockstep) -> anyhow::Result<LocalVenue> {
    let mut config = VenueConfig::new(tape.survey.instruments.clone());
    config.publish_market = false;
    let options = Options {
        clock: Arc::new(lockstep.clock.clone()),
        activity: Arc::new(NoActivity),
        feed: Feed::Recorded,
        depth: false,
        record: None,
    };
    let venue = LocalVenue::new(Venue::new(config), AccountId(1), options);
    for (asset, amount) in house::balances()? {
        venue.deposit(asset, amount)?;
    }
    Ok(venue)
}

struct Played<'a> {
    events: &'a [(Timestamp, MarketEvent)],
    at: usize,
    venue: &'a LocalVenue,
}

impl Market for Played<'_> {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.events.get(self.at).map(|(at, _)| *at)
    }

    fn step(&mut self) {
        if let Some((_, event)) = self.events.get(self.at) {
            self.at += 1;
            self.venue.apply(event);
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
