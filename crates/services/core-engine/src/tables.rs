//! core-engine's tables, and the rows of what changed.

use nightdesk_store::{Column, Kind, Row, Schema, Table, Value};
use serde::Serialize;

use crate::config::Config;
use crate::state::{Durable, Entry};

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn maybe(name: &'static str) -> Column {
    Column { name, kind: Kind::OptText }
}

/// Orders, with what core-engine needs to take one up again in `entry`.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        text("client_order_id"),
        text("intent_id"),
        text("instance"),
        text("symbol"),
        text("side"),
        text("kind"),
        text("qty"),
        text("status"),
        text("filled"),
        text("filled_quote"),
        maybe("reason"),
        int("created_at"),
        int("updated_at"),
        text("entry"),
    ],
    key: 1,
    indexes: &["created_at", "status"],
};

/// Executions of ours. The key is symbol, trade and order: two orders of ours may meet in one trade. It sorts by time of
/// execution within an instrument, and being one column, pages can be turned by it. An order's executions are found by their
/// keys, which [`executions`] tells: an index by order would be a page or two more in every commit.
pub static FILLS: Table = Table {
    name: "fills",
    columns: &[
        text("fill_id"),
        text("symbol"),
        int("trade_id"),
        text("client_order_id"),
        text("instance"),
        text("side"),
        text("price"),
        text("qty"),
        text("fee"),
        text("fee_asset"),
        int("maker"),
        int("at"),
    ],
    key: 1,
    indexes: &["at"],
};

/// What each instance holds.
pub static POSITIONS: Table = Table {
    name: "positions",
    columns: &[
        text("instance"),
        text("symbol"),
        text("quantity"),
        text("cost"),
        text("realised"),
        text("fees"),
        int("version"),
    ],
    key: 2,
    indexes: &[],
};

/// What the account holds by our reckoning.
pub static BALANCES: Table = Table { name: "balances", columns: &[text("asset"), text("total")], key: 1, indexes: &[] };

/// Strategy instances.
pub static STRATEGIES: Table = Table {
    name: "strategies",
    columns: &[text("instance"), text("strategy"), text("symbol"), int("wanted"), maybe("state"), maybe("reason")],
    key: 1,
    indexes: &[],
};

/// The portfolio's curve, as of the last valuation.
pub static PORTFOLIOS: Table = Table {
    name: "portfolios",
    columns: &[text("name"), text("equity"), text("max_drawdown_pct"), int("at")],
    key: 1,
    indexes: &[],
};

/// The mode, as one row.
pub static MODES: Table = Table {
    name: "modes",
    columns: &[text("name"), text("level"), int("read_only"), int("version"), text("reason"), text("by"), int("at")],
    key: 1,
    indexes: &[],
};

/// Instruments left alone; without a reason when they are not any more.
pub static QUARANTINE: Table =
    Table { name: "quarantine", columns: &[text("symbol"), maybe("reason")], key: 1, indexes: &[] };

/// core-engine's schema.
pub static SCHEMA: Schema = Schema {
    service: "core-engine",
    version: 1,
    tables: &[&ORDERS, &FILLS, &POSITIONS, &BALANCES, &STRATEGIES, &PORTFOLIOS, &MODES, &QUARANTINE],
    migrations: &[],
};

/// Appends the rows of everything that changed, and forgets that it did.
pub(crate) fn rows(durable: &mut Durable, config: &Config, rows: &mut Vec<Row>) {
    let dirty = std::mem::take(&mut durable.dirty);
    for id in dirty.orders {
        rows.extend(durable.orders.get(&id).map(|entry| order(entry)));
    }
    for (id, fill) in dirty.fills {
        rows.extend(durable.orders.get(&id).map(|entry| execution(entry, &fill)));
    }
    for (instance, symbol) in dirty.positions {
        let Some(position) = durable.portfolio.position(instance, symbol) else { continue };
        let version = i64::try_from(position.version).unwrap_or(i64::MAX);
        let values = vec![
            instance.as_str().into(),
            symbol.as_str().into(),
            position.quantity.to_string().into(),
            position.cost.to_string().into(),
            position.realised.to_string().into(),
            json(&position.fees).into(),
            version.into(),
        ];
        rows.push(Row { table: &POSITIONS, values });
    }
    for asset in dirty.balances {
        let total = durable.portfolio.balance(asset).to_string();
        rows.push(Row { table: &BALANCES, values: vec![asset.as_str().into(), total.into()] });
    }
    for instance in dirty.strategies {
        let state = durable.strategies.get(&instance);
        let known = config.instance(instance);
        let strategy = state.map(|s| s.strategy.clone()).or_else(|| known.map(|k| k.strategy.clone()));
        let symbol = state.map(|s| s.symbol).or_else(|| known.map(|k| k.symbol));
        let values = vec![
            instance.as_str().into(),
            strategy.unwrap_or_default().into(),
            symbol.map_or_else(String::new, |s| s.to_string()).into(),
            i64::from(!durable.stopped.contains(&instance)).into(),
            state.map(|s| word(&s.state)).into(),
            state.and_then(|s| s.reason.clone()).into(),
        ];
        rows.push(Row { table: &STRATEGIES, values });
    }
    for symbol in dirty.quarantine {
        let reason = durable.quarantine.get(&symbol).cloned();
        rows.push(Row { table: &QUARANTINE, values: vec![symbol.as_str().into(), reason.into()] });
    }
    if dirty.portfolio {
        rows.extend(portfolio(durable));
    }
    if dirty.mode {
        let mode = &durable.mode;
        let values = vec![
            "trading".into(),
            mode.level.as_str().into(),
            i64::from(mode.read_only).into(),
            i64::try_from(mode.version).unwrap_or(i64::MAX).into(),
            mode.reason.clone().into(),
            mode.by.clone().into(),
            mode.at.0.into(),
        ];
        rows.push(Row { table: &MODES, values });
    }
}

pub(crate) fn order(entry: &Entry) -> Row {
    let (order, spec) = (&entry.order, &entry.order.spec);
    let values = vec![
        spec.client_order_id.as_str().into(),
        spec.intent_id.as_str().into(),
        spec.instance.as_str().into(),
        spec.symbol.as_str().into(),
        spec.side.to_string().into(),
        spec.kind.to_string().into(),
        spec.qty.to_string().into(),
        order.status.as_str().into(),
        order.filled.to_string().into(),
        order.filled_quote.to_string().into(),
        entry.reason.clone().into(),
        spec.created_at.0.into(),
        entry.updated_at.0.into(),
        json(entry).into(),
    ];
    Row { table: &ORDERS, values }
}

fn execution(entry: &Entry, fill: &nightdesk_orders::Fill) -> Row {
    let spec = &entry.order.spec;
    let values = vec![
        execution_key(entry, fill.trade_id),
        spec.symbol.as_str().into(),
        i64::try_from(fill.trade_id).unwrap_or(i64::MAX).into(),
        spec.client_order_id.as_str().into(),
        spec.instance.as_str().into(),
        spec.side.to_string().into(),
        fill.price.to_string().into(),
        fill.qty.to_string().into(),
        fill.fee.to_string().into(),
        fill.fee_asset.as_str().into(),
        i64::from(fill.maker).into(),
        fill.at.0.into(),
    ];
    Row { table: &FILLS, values }
}

/// The keys of an order's executions.
pub(crate) fn executions(entry: &Entry) -> Vec<Value> {
    entry.fills.iter().map(|trade_id| execution_key(entry, *trade_id)).collect()
}

fn execution_key(entry: &Entry, trade_id: u64) -> Value {
    let spec = &entry.order.spec;
    format!("{}-{trade_id:020}-{}", spec.symbol, spec.client_order_id).into()
}

fn portfolio(durable: &Durable) -> Option<Row> {
    let curve = durable.portfolio.curve();
    let (at, equity) = curve.last()?;
    let values =
        vec!["portfolio".into(), equity.to_string().into(), curve.max_drawdown().to_string().into(), at.0.into()];
    Some(Row { table: &PORTFOLIOS, values })
}

/// Reads an order back from its row.
pub(crate) fn entry(values: &[Value]) -> Option<Entry> {
    serde_json::from_str(values.last()?.as_str()?).ok()
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// An enum's variant as its bare word.
fn word<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}
