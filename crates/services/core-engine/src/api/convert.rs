//! From the engine's own shapes to the API's.

use nightdesk_market::Side;
use nightdesk_orders::{OrderKind, TimeInForce};
use nightdesk_store::{Table, Value};
use nightdesk_units::{Micros, Money, Price, Qty, Symbol, Timestamp};

use super::model::{Figures, Mode, Position, Quarantined, Status, Strategy, Time, Watchdog};
use super::model_market::{Fill, Order};
use crate::state::Entry;
use crate::tables::{self, FILLS, MODES, POSITIONS, QUARANTINE};
use crate::view::{PositionView, StrategyView, View};

impl From<nightdesk_capital::Mode> for Mode {
    fn from(mode: nightdesk_capital::Mode) -> Self {
        let nightdesk_capital::Mode { level, read_only, version, reason, by, at } = mode;
        Self { level, read_only, version, reason, by, at: (version > 0).then(|| at.into()) }
    }
}

impl From<nightdesk_positions::Figures> for Figures {
    fn from(figures: nightdesk_positions::Figures) -> Self {
        Self {
            equity: figures.equity,
            pnl: figures.pnl,
            realised: figures.realised,
            open: figures.open,
            today: figures.today,
            drawdown_pct: figures.drawdown_pct,
            max_drawdown_pct: figures.max_drawdown_pct,
            month_return_pct: figures.month_return_pct,
            sharpe: figures.sharpe,
            var_95_pct: figures.var_95_pct,
            fees: figures.fees,
            fills: figures.fills,
        }
    }
}

impl From<PositionView> for Position {
    fn from(view: PositionView) -> Self {
        let PositionView { instance, symbol, quantity, average_cost, cost, realised, open, mark } = view;
        Self { instance, symbol, quantity, average_cost, cost, realised, open, mark }
    }
}

impl From<StrategyView> for Strategy {
    fn from(view: StrategyView) -> Self {
        let StrategyView { instance, strategy, symbol, state, reason, wanted, figures } = view;
        Self { instance, strategy, symbol, state, reason, wanted, figures: figures.map(Into::into) }
    }
}

impl From<crate::Watchdog> for Watchdog {
    fn from(watchdog: crate::Watchdog) -> Self {
        let millis = |age: Micros| u64::try_from(age.as_millis()).unwrap_or(0);
        let (stale, crate::Watchdog { source, symbol, age, limit }) = (watchdog.is_stale(), watchdog);
        let source = source.as_str().to_owned();
        Self { source, symbol, age_ms: age.map(millis), limit_ms: millis(limit), stale }
    }
}

impl From<View> for Status {
    fn from(view: View) -> Self {
        let reasons = |pairs: Vec<(Symbol, String)>| {
            pairs.into_iter().map(|(symbol, reason)| Quarantined { symbol, reason }).collect()
        };
        Self {
            at: view.at.into(),
            mode: view.mode.into(),
            currency: view.currency,
            portfolio: view.portfolio.map(Into::into),
            strategies: view.strategies.into_iter().map(Into::into).collect(),
            positions: view.positions.into_iter().map(Into::into).collect(),
            open_orders: view.open_orders,
            in_doubt: view.in_doubt,
            unsettled: view.unsettled,
            quarantine: reasons(view.quarantine),
            held_back: reasons(view.held_back),
            watchdogs: view.watchdogs.into_iter().map(Into::into).collect(),
            reconciled_at: view.reconciled_at.map(Into::into),
        }
    }
}

impl From<Entry> for Order {
    fn from(entry: Entry) -> Self {
        let (order, spec) = (entry.order, entry.order.spec);
        let kind = match spec.kind {
            OrderKind::Limit { .. } => "limit",
            OrderKind::LimitMaker { .. } => "limit_maker",
            OrderKind::Market => "market",
        };
        let time_in_force = match spec.kind {
            OrderKind::Limit { tif: TimeInForce::Gtc, .. } => Some("GTC"),
            OrderKind::Limit { tif: TimeInForce::Ioc, .. } => Some("IOC"),
            OrderKind::Limit { tif: TimeInForce::Fok, .. } => Some("FOK"),
            OrderKind::LimitMaker { .. } | OrderKind::Market => None,
        };
        Self {
            client_order_id: spec.client_order_id,
            exchange_order_id: order.exchange_order_id,
            intent_id: spec.intent_id,
            key: entry.key,
            instance: spec.instance,
            symbol: spec.symbol,
            side: spec.side,
            kind: kind.to_owned(),
            price: spec.kind.price(),
            time_in_force: time_in_force.map(str::to_owned),
            quantity: spec.qty,
            filled: order.filled,
            filled_quote: order.filled_quote,
            fees_quote: entry.fees_quote,
            status: order.status,
            reduces: entry.reduces,
            reason: entry.reason,
            created_at: spec.created_at.into(),
            updated_at: entry.updated_at.into(),
        }
    }
}

/// An order from its row.
pub(super) fn order(values: &[Value]) -> Option<Order> {
    tables::entry(values).map(Into::into)
}

/// An execution from its row.
pub(super) fn fill(values: &[Value]) -> Option<Fill> {
    let text = |name| text(&FILLS, values, name);
    let side = match text("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return None,
    };
    Some(Fill {
        symbol: text("symbol")?.parse().ok()?,
        trade_id: u64::try_from(int(&FILLS, values, "trade_id")?).ok()?,
        client_order_id: text("client_order_id")?.parse().ok()?,
        instance: text("instance")?.parse().ok()?,
        side,
        price: text("price")?.parse().ok()?,
        quantity: text("qty")?.parse().ok()?,
        fee: text("fee")?.parse().ok()?,
        fee_asset: text("fee_asset")?.parse().ok()?,
        maker: int(&FILLS, values, "maker")? != 0,
        at: Timestamp(int(&FILLS, values, "at")?).into(),
    })
}

/// The mode from its row.
pub(super) fn mode(values: &[Value]) -> Option<Mode> {
    let level = serde_json::from_value(text(&MODES, values, "level")?.into()).ok()?;
    let version = u64::try_from(int(&MODES, values, "version")?).ok()?;
    let at = Time::from(Timestamp(int(&MODES, values, "at")?));
    Some(Mode {
        level,
        read_only: int(&MODES, values, "read_only")? != 0,
        version,
        reason: text(&MODES, values, "reason")?.to_owned(),
        by: text(&MODES, values, "by")?.to_owned(),
        at: (version > 0).then_some(at),
    })
}

/// A position from its row, at cost: the store knows no market.
pub(super) fn position(values: &[Value]) -> Option<Position> {
    let text = |name| text(&POSITIONS, values, name);
    let (quantity, cost): (Qty, Money) = (text("quantity")?.parse().ok()?, text("cost")?.parse().ok()?);
    Some(Position {
        instance: text("instance")?.parse().ok()?,
        symbol: text("symbol")?.parse().ok()?,
        quantity,
        average_cost: cost.get().checked_div(quantity.get()).map(Price::new),
        cost,
        realised: text("realised")?.parse().ok()?,
        open: None,
        mark: None,
    })
}

/// A quarantine from its row; none when it has been lifted.
pub(super) fn quarantined(values: &[Value]) -> Option<Quarantined> {
    let symbol = text(&QUARANTINE, values, "symbol")?.parse().ok()?;
    Some(Quarantined { symbol, reason: text(&QUARANTINE, values, "reason")?.to_owned() })
}

/// A row's value by its column's name.
pub(super) fn column<'a>(table: &Table, values: &'a [Value], name: &str) -> Option<&'a Value> {
    values.get(table.columns.iter().position(|column| column.name == name)?)
}

fn text<'a>(table: &Table, values: &'a [Value], name: &str) -> Option<&'a str> {
    column(table, values, name)?.as_str()
}

fn int(table: &Table, values: &[Value], name: &str) -> Option<i64> {
    column(table, values, name)?.as_int()
}
