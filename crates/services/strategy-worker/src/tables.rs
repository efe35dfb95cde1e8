//! A worker's tables.

use nightdesk_store::{Column, Kind, Row, Schema, Table, Value};
use nightdesk_units::{InstanceId, Timestamp};

use crate::state::Entry;

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn opt_text(name: &'static str) -> Column {
    Column { name, kind: Kind::OptText }
}

/// The instance's own state, in short; the whole is in the snapshot.
pub(crate) static STRATEGY_STATE: Table = Table {
    name: "strategy_state",
    columns: &[text("instance"), text("state"), int("updated_at")],
    key: 1,
    indexes: &[],
};

/// Every decision to place an order, and what became of it.
pub(crate) static INTENTS: Table = Table {
    name: "intents",
    columns: &[
        text("intent_id"),
        text("key"),
        text("side"),
        text("kind"),
        text("qty"),
        text("status"),
        text("filled"),
        opt_text("reason"),
        int("decided_at"),
        int("changed_at"),
    ],
    key: 1,
    indexes: &["decided_at"],
};

/// A worker's schema.
pub static SCHEMA: Schema =
    Schema { service: "strategy-worker", version: 1, tables: &[&STRATEGY_STATE, &INTENTS], migrations: &[] };

pub(crate) fn state_row(instance: InstanceId, state: String, updated_at: Timestamp) -> Row {
    let values = vec![Value::from(instance.as_str()), Value::from(state), Value::from(updated_at.0)];
    Row { table: &STRATEGY_STATE, values }
}

pub(crate) fn intent_row(entry: Entry) -> Row {
    let placement = &entry.placement;
    let values = vec![
        Value::from(entry.intent_id.as_str()),
        Value::from(placement.key.as_str()),
        Value::from(placement.side.to_string()),
        Value::from(placement.kind.to_string()),
        Value::from(placement.qty.to_string()),
        Value::from(entry.status.as_str()),
        Value::from(entry.filled.to_string()),
        Value::from(entry.reason),
        Value::from(entry.decided_at.0),
        Value::from(entry.changed_at.0),
    ];
    Row { table: &INTENTS, values }
}
