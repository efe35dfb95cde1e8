//! The same market gives the same journals, to the byte, called directly and as shells in lockstep.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_env::{Activity, Env, NoActivity, SeededEntropy};
use nightdesk_store::{JournalRow, ModelStore, Row, Schema, Store, Value};
use nightdesk_units::Micros;

use crate::test_market::{NoEmergency, START, Wander, trading, venue};
use crate::{Desk, Lockstep, Outside, Pump, Stores, World};

const BEFORE: Micros = Micros::from_secs(1);

/// Rows by table and key.
type Projections = BTreeMap<(&'static str, Vec<Value>), Vec<Value>>;

/// One journal per service, and for the shells what their stores hold.
struct Ran {
    journals: BTreeMap<String, Vec<JournalRow>>,
    stores: Vec<ModelStore>,
}

fn by_stream(rows: Vec<JournalRow>) -> BTreeMap<String, Vec<JournalRow>> {
    let mut journals: BTreeMap<String, Vec<JournalRow>> = BTreeMap::new();
    for row in rows {
        journals.entry(row.stream.clone()).or_default().push(row);
    }
    journals
}

fn pump(seed: u64, span: Micros) -> Ran {
    let lockstep = Lockstep::new(START - BEFORE);
    let venue = venue(&lockstep);
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
    pump.run(&mut Wander::new(venue, seed, span)).unwrap();
    Ran { journals: by_stream(pump.journals()), stores: Vec::new() }
}

fn desk(seed: u64, span: Micros) -> Ran {
    let lockstep = Lockstep::new(START - BEFORE);
    let venue = venue(&lockstep);
    let (exchange, events) = venue.connect();
    let env = Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(1)),
        activity: Arc::clone(&lockstep.activity) as Arc<dyn Activity>,
    };
    let trading = trading();
    let models: Vec<ModelStore> = (0..3 + trading.workers.len()).map(|i| ModelStore::new(&format!("{i}"))).collect();
    let store = |i: usize| Arc::new(models[i].clone()) as Arc<dyn Store>;
    let world = World {
        env,
        bus: Arc::new(lockstep.bus.clone()),
        exchange: Arc::new(exchange),
        events: Box::new(events),
        stores: Stores {
            core: store(0),
            capital: store(1),
            connector: store(2),
            workers: (0..trading.workers.len()).map(|i| store(3 + i)).collect(),
        },
        emergency: Arc::new(NoEmergency),
    };
    let desk = Desk::start(&trading, world).now_or_never().unwrap().unwrap();
    let mut market = Wander::new(venue, seed, span);
    let driver = async {
        lockstep.settle().await;
        lockstep.run(&mut market, u64::MAX, |_| {}).await;
    };
    together(desk.shells.into_iter().map(|(_, shell)| shell.map(drop).boxed()).collect(), driver.boxed_local());
    let journals = by_stream(models.iter().flat_map(ModelStore::journal_rows).collect());
    Ran { journals, stores: models }
}

/// Polls the shells and their driver in turns on this thread until the driver is done.
fn together(mut shells: Vec<BoxFuture<'static, ()>>, mut driver: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>) {
    let mut all = poll_fn(move |context: &mut Context<'_>| {
        for shell in &mut shells {
            assert!(shell.as_mut().poll(context).is_pending(), "a shell ended");
        }
        driver.as_mut().poll(context)
    });
    let mut context = Context::from_waker(Waker::noop());
    while all.poll_unpin(&mut context).is_pending() {}
}

/// What the store holds of `tables`, and what a replay of its journal says it should hold.
fn held_and_replayed(store: &ModelStore, schema: &Schema, replayed: Vec<Row>) -> (Projections, Projections) {
    let held = schema.tables.iter().flat_map(|table| {
        let rows = store.rows(table).into_iter();
        rows.map(|values| ((table.name, values[..table.key].to_vec()), values))
    });
    let replayed = replayed.into_iter().map(|row| ((row.table.name, row.key().to_vec()), row.values));
    (held.collect(), replayed.collect())
}

fn show(row: &JournalRow) -> String {
    format!("{} {} {} {} {} {}", row.stream, row.version, row.epoch, row.at, row.kind, row.body)
}

#[track_caller]
fn assert_same(a: &Ran, b: &Ran) {
    assert_eq!(a.journals.keys().collect::<Vec<_>>(), b.journals.keys().collect::<Vec<_>>());
    for (stream, rows) in &a.journals {
        let other = &b.journals[stream];
        for (left, right) in rows.iter().zip(other) {
            assert_eq!(show(left), show(right), "{stream}");
        }
        assert_eq!(rows.len(), other.len(), "{stream} goes on: {:?}", (rows.get(other.len()), other.get(rows.len())));
    }
}

fn fills(ran: &Ran, instance: &str) -> usize {
    let marker = format!("\"id\":\"nd-{instance}-");
    ran.journals["core-engine"].iter().filter(|row| row.kind == "fill" && row.body.contains(&marker)).count()
}

#[test]
fn a_pump_and_shells_in_lockstep_journal_the_same_bytes() {
    let span = Micros::from_secs(300);
    let (pump, desk) = (pump(7, span), desk(7, span));
    assert_same(&pump, &desk);
    for instance in ["123", "456"] {
        assert!(fills(&pump, instance) > 10, "{instance} traded {} times", fills(&pump, instance));
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_another() {
    let span = Micros::from_secs(60);
    let (a, b, other) = (desk(1, span), desk(1, span), desk(2, span));
    assert_same(&a, &b);
    assert_ne!(a.journals["core-engine"], other.journals["core-engine"]);
}

#[test]
fn what_the_stores_hold_is_what_their_journals_lead_to() {
    let ran = desk(3, Micros::from_secs(150));
    let trading = trading();
    let journal = |i: usize| ran.stores[i].journal_rows();
    let core = nightdesk_core_engine::replay_rows(trading.core.clone(), &journal(0)).unwrap();
    let capital = nightdesk_capital_manager::replay_rows(trading.capital(), &journal(1)).unwrap();
    let connector = nightdesk_exchange_connector::replay_rows(trading.connector.clone(), &journal(2)).unwrap();
    let services = [
        (&nightdesk_core_engine::SCHEMA, core),
        (&nightdesk_capital_manager::SCHEMA, capital),
        (&nightdesk_exchange_connector::SCHEMA, connector),
    ];
    for (i, (schema, replayed)) in services.into_iter().enumerate() {
        let (held, replayed) = held_and_replayed(&ran.stores[i], schema, replayed);
        assert!(held.len() > 3, "{} holds {} rows", schema.service, held.len());
        assert_eq!(held, replayed, "{}", schema.service);
    }
    for (i, config) in trading.workers.into_iter().enumerate() {
        let replayed = nightdesk_strategy_worker::replay_rows(config, &journal(3 + i)).unwrap();
        let (held, replayed) = held_and_replayed(&ran.stores[3 + i], &nightdesk_strategy_worker::SCHEMA, replayed);
        assert_eq!(held, replayed, "worker {i}");
    }
}
