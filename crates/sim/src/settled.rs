//! What must hold when the world has come to rest: nothing is under way, our books are the exchange's, and every journal,
//! played from its first fact, leads to the tables beside it.

use std::collections::BTreeMap;

use futures_util::future::FutureExt;
use nightdesk_capital::Level;
use nightdesk_matching::{OrderRef, OrderStatus, OrderView};
use nightdesk_store::{ModelStore, Row, Schema, Store, Value};
use nightdesk_units::{Decimal, Micros, Qty};

use crate::exchange::ACCOUNT;
use crate::life::{CAPITAL, CONNECTOR, CORE, FIRST_WORKER, Who, name_of};
use crate::setup::Setup;
use crate::world::World;

/// How long an order may wait for a word when all is well.
const PATIENCE: Micros = Micros::from_secs(60);

/// What is still under way; empty when the world is at rest.
pub(crate) fn unrest(world: &World) -> Vec<String> {
    let mut unrest = Vec::new();
    for (who, life) in world.lives.iter().enumerate() {
        if life.is_none() {
            unrest.push(format!("{} is down", name_of(who)));
        }
        let oldest = world.stores[who].model.oldest_outbox().now_or_never();
        if let Some(Ok(Some(at))) = oldest {
            unrest.push(format!("{} has had a message in its outbox since {at}", name_of(who)));
        }
    }
    let active = ["requested", "pending_new", "in_doubt", "open", "pending_cancel"];
    for (id, status) in world.judge.orders.iter().filter(|(_, status)| active.contains(&status.as_str())) {
        unrest.push(format!("order {id} is {status}"));
    }
    for id in world.judge.open_attempts() {
        unrest.push(format!("placement {id} is open"));
    }
    for order in world.exchange.venue.open_orders(ACCOUNT, None).unwrap_or_default() {
        unrest.push(format!("order {} is open at the exchange", order.client_order_id));
    }
    match &world.operator.view {
        None => unrest.push("the operator has no view".to_owned()),
        Some(view) => {
            if view.mode.level != Level::Normal || view.mode.read_only {
                unrest.push(format!("the mode is {:?}", view.mode));
            }
            unrest.extend(view.held_back.iter().map(|(symbol, why)| format!("no new risk in {symbol}: {why}")));
            unrest.extend(view.quarantine.iter().map(|(symbol, why)| format!("{symbol} is quarantined: {why}")));
        }
    }
    unrest
}

fn text(row: &[Value], column: usize) -> &str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn table(world: &World, who: Who, schema: &Schema, name: &str) -> Vec<Vec<Value>> {
    let found = schema.tables.iter().find(|table| table.name == name);
    found.map(|table| world.stores[who].model.rows(table)).unwrap_or_default()
}

/// Orders that have waited for a word for long although nothing goes wrong any more. Asked before anybody makes for rest:
/// an order that is taken back needs no answer.
pub(crate) fn unanswered(world: &World) -> Vec<String> {
    let waiting = ["requested", "pending_new", "in_doubt", "pending_cancel"];
    let since = |row: &[Value]| row.get(12).and_then(Value::as_int).unwrap_or(i64::MAX);
    let longest = world.now().0 - PATIENCE.0;
    let rows = table(world, CORE, &nightdesk_core_engine::SCHEMA, "orders");
    let stuck = rows.iter().filter(|row| waiting.contains(&text(row, 7)) && since(row) < longest);
    stuck.map(|row| format!("order {} has been {} for more than a minute", text(row, 0), text(row, 7))).collect()
}

/// I3 and I4: where core-engine's tables and the exchange's record differ.
pub(crate) fn differences(world: &World) -> Vec<String> {
    let mut found = differences_while_resting(world);
    allocations(world, &mut found);
    found
}

/// How many executions the book lost or invented, and how many positions and balances are wrong.
pub(crate) fn errors(world: &World) -> (usize, usize) {
    let (mut lost, mut wrong) = (Vec::new(), Vec::new());
    fills(world, &mut lost);
    holdings(world, &mut wrong);
    (lost.len(), wrong.len())
}

/// As `differences`, while orders rest in the book and their capital is rightly set aside.
pub(crate) fn differences_while_resting(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    orders(world, &mut found);
    fills(world, &mut found);
    holdings(world, &mut found);
    intents(world, &mut found);
    found
}

/// What the workers believe of their decisions is what core-engine's book says.
fn intents(world: &World, found: &mut Vec<String>) {
    let rows = table(world, CORE, &nightdesk_core_engine::SCHEMA, "orders");
    let orders: BTreeMap<&str, &Vec<Value>> = rows.iter().map(|row| (text(row, 1), row)).collect();
    for who in FIRST_WORKER..world.stores.len() {
        for row in table(world, who, &nightdesk_strategy_worker::SCHEMA, "intents") {
            let intent = text(&row, 0);
            match orders.get(intent) {
                None => found.push(format!("intent {intent} of {} was never taken up", name_of(who))),
                Some(order) if (text(order, 7), text(order, 8)) != (text(&row, 5), text(&row, 6)) => {
                    let book = (text(order, 7), text(order, 8));
                    found.push(format!("{} believes {row:?}, the book says {book:?}", name_of(who)));
                }
                Some(_) => {}
            }
        }
    }
}

/// I5: no capital is set aside for an order that is over, and what a grant was used for is what its order spent.
fn allocations(world: &World, found: &mut Vec<String>) {
    let rows = table(world, CORE, &nightdesk_core_engine::SCHEMA, "orders");
    let orders: BTreeMap<&str, &Vec<Value>> = rows.iter().map(|row| (text(row, 1), row)).collect();
    for row in table(world, CAPITAL, &nightdesk_capital_manager::SCHEMA, "allocations") {
        let (intent, used, standing) = (text(&row, 0), text(&row, 4), text(&row, 5));
        let spent = orders.get(intent).map_or("0", |order| text(order, 9));
        let same = used.parse::<Decimal>().ok() == spent.parse::<Decimal>().ok();
        if matches!(standing, "granted" | "adopted") {
            found.push(format!("I5: capital is set aside for {intent}, which is over"));
        } else if !same && standing != "denied" {
            found.push(format!("I5: {intent} used {used} of its grant and spent {spent}"));
        }
    }
}

fn orders(world: &World, found: &mut Vec<String>) {
    let rows = table(world, CORE, &nightdesk_core_engine::SCHEMA, "orders");
    let rows: BTreeMap<&str, &Vec<Value>> = rows.iter().map(|row| (text(row, 0), row)).collect();
    for (id, exchange_id) in &world.judge.accepted {
        let Some(row) = rows.get(id.as_str()) else {
            found.push(format!("I3: order {id} is at the exchange and not in the book"));
            continue;
        };
        let venue = &world.exchange.venue;
        let theirs = venue
            .config()
            .instruments
            .iter()
            .find_map(|instrument| venue.order(ACCOUNT, instrument.symbol, OrderRef::Id(*exchange_id)).ok());
        let ours = (text(row, 7), text(row, 8).parse::<Qty>(), text(row, 9).parse::<Decimal>());
        if let Some(theirs) = theirs
            && (ours.0 != word(&theirs) || ours.1 != Ok(theirs.filled) || ours.2 != Ok(theirs.filled_quote.get()))
        {
            found.push(format!("I3: order {id} is {ours:?} in the book, and at the exchange {theirs:?}"));
        }
    }
    for (id, row) in rows {
        let there = world.judge.accepted.keys().any(|known| known.as_str() == id);
        if !there && matches!(text(row, 7), "filled" | "expired") {
            found.push(format!("I3: order {id} is {} in the book, and never was at the exchange", text(row, 7)));
        }
    }
}

const fn word(order: &OrderView) -> &'static str {
    match order.status {
        OrderStatus::New | OrderStatus::PartiallyFilled => "open",
        OrderStatus::Filled => "filled",
        OrderStatus::Canceled => "canceled",
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => "expired",
    }
}

fn fills(world: &World, found: &mut Vec<String>) {
    let judge = &world.judge;
    for (key, fill) in judge.fills.iter().filter(|(key, _)| !judge.applied.contains(key)) {
        found.push(format!("I4: fill {} of {} was never applied: {fill:?}", key.1, key.0));
    }
    let rows = table(world, CORE, &nightdesk_core_engine::SCHEMA, "fills").len();
    if rows != judge.fills.len() {
        found.push(format!("I4: the table of fills has {rows} rows, the exchange {} executions", judge.fills.len()));
    }
}

fn holdings(world: &World, found: &mut Vec<String>) {
    let schema = &nightdesk_core_engine::SCHEMA;
    let ours: BTreeMap<String, Decimal> = table(world, CORE, schema, "balances")
        .iter()
        .filter_map(|row| Some((text(row, 0).to_owned(), text(row, 1).parse().ok()?)))
        .collect();
    for theirs in world.exchange.venue.balances(ACCOUNT).unwrap_or_default() {
        let total = theirs.free.get() + theirs.locked.get();
        let own = ours.get(theirs.asset.as_str()).copied().unwrap_or_default();
        if own != total {
            found.push(format!("I3: balance of {}: {own} in the book, {total} at the exchange", theirs.asset));
        }
    }
    let positions = table(world, CORE, schema, "positions");
    let ours: BTreeMap<(&str, &str), Decimal> =
        positions.iter().filter_map(|row| Some(((text(row, 0), text(row, 1)), text(row, 2).parse().ok()?))).collect();
    for ((instance, symbol), held) in &world.judge.held {
        let own = ours.get(&(instance.as_str(), symbol.as_str())).copied().unwrap_or_default();
        if own != held.qty {
            found.push(format!(
                "I3: {instance} holds {own} {symbol} in the book, {} by the exchange's record",
                held.qty
            ));
        }
    }
}

/// Where a journal, played from its first fact, does not lead to the tables.
pub(crate) fn replay(world: &World, setup: &Setup) -> Vec<String> {
    let mut found = Vec::new();
    let trading = &setup.trading;
    for (who, store) in world.stores.iter().enumerate() {
        let (model, journal) = (&store.model, store.model.journal_rows());
        let (rows, schema) = match who {
            CORE => {
                (nightdesk_core_engine::replay_rows(trading.core.clone(), &journal), &nightdesk_core_engine::SCHEMA)
            }
            CAPITAL => (
                nightdesk_capital_manager::replay_rows(trading.capital(), &journal),
                &nightdesk_capital_manager::SCHEMA,
            ),
            CONNECTOR => (
                nightdesk_exchange_connector::replay_rows(trading.connector.clone(), &journal),
                &nightdesk_exchange_connector::SCHEMA,
            ),
            worker => (
                nightdesk_strategy_worker::replay_rows(trading.workers[worker - FIRST_WORKER].clone(), &journal),
                &nightdesk_strategy_worker::SCHEMA,
            ),
        };
        match rows {
            Ok(rows) => compare(who, model, schema, rows, &mut found),
            Err(error) => found.push(format!("{}: {error}", name_of(who))),
        }
    }
    found
}

fn compare(who: Who, model: &ModelStore, schema: &Schema, rows: Vec<Row>, found: &mut Vec<String>) {
    let mut replayed: BTreeMap<(&str, Vec<Value>), Vec<Value>> = BTreeMap::new();
    for row in rows {
        replayed.insert((row.table.name, row.key().to_vec()), row.values);
    }
    for table in schema.tables {
        for stored in model.rows(table) {
            let key = (table.name, stored[..table.key].to_vec());
            match replayed.remove(&key) {
                Some(values) if values == stored => {}
                other => found.push(format!(
                    "replay: {} has {} {stored:?}, its journal leads to {other:?}",
                    name_of(who),
                    table.name
                )),
            }
        }
    }
    let extra = replayed.into_iter().map(|((table, _), values)| (table, values));
    found.extend(extra.map(|(table, values)| format!("replay: {} lacks {table} {values:?}", name_of(who))));
}
