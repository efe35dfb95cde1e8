//! The connector's tables.

use nightdesk_store::{Column, Kind, Row, Schema, Table, Value};

use crate::attempt::{Attempt, State};

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

/// Every placement that may have left, and how it ended.
pub(crate) static ATTEMPTS: Table = Table {
    name: "attempts",
    columns: &[
        text("client_order_id"),
        int("attempt"),
        int("epoch"),
        int("timestamp"),
        int("recv_window"),
        text("state"),
        int("decided_at"),
        text("command"),
    ],
    key: 1,
    indexes: &[],
};

/// The connector's schema.
pub static SCHEMA: Schema = Schema { service: "exchange-connector", version: 1, tables: &[&ATTEMPTS], migrations: &[] };

pub(crate) fn row(attempt: &Attempt) -> Row {
    let (timestamp, window) = attempt.window.map_or((0, 0), |w| (w.timestamp.0, w.recv_window.0));
    let values = vec![
        Value::from(attempt.command.order.client_order_id.as_str()),
        Value::from(i64::from(attempt.command.attempt)),
        Value::from(i64::try_from(attempt.command.epoch).unwrap_or(i64::MAX)),
        Value::from(timestamp),
        Value::from(window),
        Value::from(attempt.state.as_str()),
        Value::from(attempt.command.decided_at.0),
        Value::from(serde_json::to_string(&attempt.command).unwrap_or_default()),
    ];
    Row { table: &ATTEMPTS, values }
}

/// Reads an attempt back from its row.
pub(crate) fn attempt(values: &[Value]) -> Option<Attempt> {
    let [_, _, _, timestamp, window, state, _, command] = values else { return None };
    let command = serde_json::from_str(command.as_str()?).ok()?;
    let state = State::parse(state.as_str()?)?;
    let window = (timestamp.as_int()? != 0).then_some(nightdesk_exchange::Window {
        timestamp: nightdesk_units::Timestamp(timestamp.as_int()?),
        recv_window: nightdesk_units::Micros(window.as_int()?),
    });
    Some(Attempt { command, window, state })
}
