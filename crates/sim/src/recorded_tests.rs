//! The same recording gives the same journals, to the byte, called directly as in a backtest and as shells on the
//! simulator's executor, whose seed chooses which of them goes on next.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::future::FutureExt;
use nightdesk_assembly::{Desk, Lockstep, Market, Outside, Pump, Stores, Trading, World};
use nightdesk_core_engine::Instance;
use nightdesk_env::{Activity, Env, NoActivity, SeededEntropy};
use nightdesk_exchange_local::{Feed, LocalVenue, Options};
use nightdesk_exchange_simulator::market::{Playback, Survey, survey};
use nightdesk_market::{Interval, MarketEvent};
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_store::{JournalRow, ModelStore, Store};
use nightdesk_strategies::{ParamTable, StrategyKind};
use nightdesk_units::{InstanceId, Micros, Symbol, Timestamp};

use crate::chance::Chance;
use crate::executor::Executor;

type Journals = BTreeMap<String, Vec<JournalRow>>;

/// Stores in memory do not fail.
struct NoEmergency;

impl EmergencyJournal for NoEmergency {
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError> {
        panic!("{record:?}")
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, _: usize) -> Result<(), PlatformError> {
        Ok(())
    }
}

/// A recording, decoded.
struct Recording {
    survey: Survey,
    events: Vec<(Timestamp, MarketEvent)>,
}

/// Ten quotes and five trades a second, up and down by 0.4 % in half a minute.
fn recording(seconds: i64) -> Recording {
    let mut text = String::new();
    for tick in 0..seconds * 10 {
        let ns = 1_723_161_600_000_000_000 + tick * 100_000_000;
        let (ms, bid) = (ns / 1_000_000, 60_000 + (tick % 300 - 150).abs() * 16 / 10);
        let quote = format!(r#""u":{tick},"s":"BTCUSDT","b":"{bid}.00","B":"5","a":"{bid}.02","A":"5""#);
        let _ = writeln!(text, r#"{ns} {{"stream":"btcusdt@bookTicker","data":{{{quote}}}}}"#);
        if tick % 2 == 0 {
            let trade = format!(r#""e":"trade","E":{ms},"s":"BTCUSDT","t":{tick},"p":"{bid}.01","q":"0.5","T":{ms}"#);
            let _ = writeln!(text, r#"{ns} {{"stream":"btcusdt@trade","data":{{{trade},"m":false,"M":true}}}}"#);
        }
    }
    let file = std::env::temp_dir().join(format!("nightdesk-sim-recorded-{}", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let files = [file];
    let survey = survey(&files).unwrap();
    let (mut playback, mut events) = (Playback::new(&files, &survey), Vec::new());
    while let Some(next) = playback.take().unwrap() {
        events.push((Timestamp(next.received_ns / 1_000), next.event));
    }
    std::fs::remove_file(&files[0]).unwrap();
    Recording { survey, events }
}

struct Tape {
    venue: LocalVenue,
    events: VecDeque<(Timestamp, MarketEvent)>,
}

impl Market for Tape {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.events.front().map(|(at, _)| *at)
    }

    fn step(&mut self) {
        if let Some((_, event)) = self.events.pop_front() {
            self.venue.apply(&event);
        }
    }
}

fn trading() -> Trading {
    let symbol: Symbol = "BTCUSDT".parse().unwrap();
    let seats = [
        ("123", StrategyKind::MaCrossover, "interval=1s fast=3 slow=8 order_quote=1000 max_slippage_pct=0.2"),
        ("456", StrategyKind::GridTrader, "levels=8 order_quote=200 step_pct=0.02 reanchor_after_s=10"),
    ];
    let own = r#"{"allocation": "20000", "risk_budget": "5000", "max_drawdown": "20", "max_position": "10000",
        "max_order": "3000", "order_rate": {"per_second": 20, "per_minute": 300}}"#;
    let rules: nightdesk_capital::CapitalRules = serde_json::from_str(&format!(
        r#"{{"currency": "USDT", "total": "50000", "risk_budget": "20%", "max_drawdown": 15, "stress_move": "10",
            "collar": 2, "fee": "0.1", "max_order": "5000", "strategies": {{"123": {own}, "456": {own}}}}}"#
    ))
    .unwrap();
    let id = |text: &str| text.parse::<InstanceId>().unwrap();
    let params = |text: &str| -> ParamTable {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
    };
    let worker = |(name, kind, text): &(&str, StrategyKind, &str)| nightdesk_strategy_worker::Config {
        instance: id(name),
        generation: 1,
        symbol,
        params: kind.read(&params(text)).unwrap(),
        run: true,
        epoch: 1,
    };
    let instances = seats.iter().map(|(name, kind, _)| Instance {
        instance: id(name),
        strategy: kind.as_str().to_owned(),
        symbol,
        generation: 1,
        allocation: "20000".parse().unwrap(),
    });
    let connector = nightdesk_exchange_connector::Config {
        instances: seats.iter().map(|(name, ..)| id(name)).collect(),
        candles: vec![(symbol, Interval::ONE_SECOND)],
        ..nightdesk_exchange_connector::Config::new(vec![symbol])
    };
    let core = nightdesk_core_engine::Config::new(rules.currency, rules.price_collar(), instances.collect());
    Trading { core, rules, connector, workers: seats.iter().map(worker).collect() }
}

fn begin(recording: &Recording) -> (Lockstep, LocalVenue, Tape) {
    let start = Timestamp(recording.survey.span_ns.0 / 1_000);
    let lockstep = Lockstep::new(start - Micros::from_secs(1));
    let options = Options {
        clock: Arc::new(lockstep.clock.clone()),
        activity: Arc::clone(&lockstep.activity) as _,
        feed: Feed::Recorded,
        depth: false,
        record: None,
    };
    let venue = Venue::new(VenueConfig::new(recording.survey.instruments.clone()));
    let venue = LocalVenue::new(venue, AccountId(1), options);
    venue.deposit("USDT".parse().unwrap(), "100000".parse().unwrap()).unwrap();
    let tape = Tape { venue: venue.clone(), events: recording.events.iter().cloned().collect() };
    (lockstep, venue, tape)
}

fn by_stream(rows: impl IntoIterator<Item = JournalRow>) -> Journals {
    let mut journals = Journals::new();
    for row in rows {
        journals.entry(row.stream.clone()).or_default().push(row);
    }
    journals
}

/// As a backtest: the cores called one after the other.
fn directly(recording: &Recording) -> Journals {
    let (lockstep, venue, mut tape) = begin(recording);
    let (exchange, events) = venue.connect();
    let env = Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(1)),
        activity: Arc::new(NoActivity) as Arc<dyn Activity>,
    };
    let outside = Outside {
        exchange: Arc::new(exchange),
        events: Box::new(events),
        store: Arc::new(ModelStore::new("pump")),
        emergency: Arc::new(NoEmergency),
    };
    let mut pump = Pump::new(&trading(), env, lockstep.clock.clone(), outside, true);
    pump.start().unwrap();
    pump.run(&mut tape).unwrap();
    by_stream(pump.journals())
}

/// As the simulator: cores and shells on its executor, without faults.
fn simulated(recording: &Recording, seed: u64) -> Journals {
    let (lockstep, venue, mut tape) = begin(recording);
    let (exchange, events) = venue.connect();
    let env = Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        activity: Arc::clone(&lockstep.activity) as Arc<dyn Activity>,
    };
    let trading = trading();
    let models: Vec<ModelStore> = (0..3 + trading.workers.len()).map(|i| ModelStore::new(&format!("{i}"))).collect();
    let store = |i: usize| Arc::new(models[i].clone()) as Arc<dyn Store>;
    let workers = (0..trading.workers.len()).map(|i| store(3 + i)).collect();
    let world = World {
        env,
        bus: Arc::new(lockstep.bus.clone()),
        exchange: Arc::new(exchange),
        events: Box::new(events),
        stores: Stores { core: store(0), capital: store(1), connector: store(2), workers },
        emergency: Arc::new(NoEmergency),
    };
    let desk = Desk::start(&trading, world).now_or_never().unwrap().unwrap();
    let mut executor = Executor::default();
    for (_, shell) in desk.shells {
        executor.spawn(shell);
    }
    let mut market = async {
        lockstep.settle().await;
        lockstep.run(&mut tape, u64::MAX, |_| {}).await;
    }
    .boxed_local();
    let chance = Chance::new(seed);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let task = executor.pick(&chance, |_| false);
        if let Some(task) = task {
            assert!(executor.poll(task).is_none(), "a shell ended");
        }
        // The market looks whenever chance has it, and has to see for itself whether everything is at rest.
        if (task.is_none() || chance.below(3) == 0) && market.poll_unpin(&mut context).is_ready() {
            break;
        }
    }
    by_stream(models.iter().flat_map(ModelStore::journal_rows))
}

#[test]
fn a_backtest_and_the_simulator_without_faults_journal_the_same_bytes() {
    let recording = recording(90);
    let direct = directly(&recording);
    for instance in ["123", "456"] {
        let marker = format!("\"id\":\"nd-{instance}-");
        let fills = direct["core-engine"].iter().filter(|row| row.kind == "fill" && row.body.contains(&marker));
        assert!(fills.count() > 3, "{instance} trades");
    }
    for seed in 1..=3 {
        let simulated = simulated(&recording, seed);
        assert_eq!(direct.keys().collect::<Vec<_>>(), simulated.keys().collect::<Vec<_>>());
        for (stream, rows) in &direct {
            for (left, right) in rows.iter().zip(&simulated[stream]) {
                assert_eq!(left, right, "seed {seed}, {stream}");
            }
            assert_eq!(rows.len(), simulated[stream].len(), "seed {seed}, {stream}");
        }
    }
}
