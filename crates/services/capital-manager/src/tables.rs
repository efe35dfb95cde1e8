//! The capital manager's tables.

use nightdesk_orders::IntentId;
use nightdesk_store::{Column, Kind, Row, Schema, Table, Value};
use nightdesk_units::{InstanceId, Money, Symbol, Timestamp};

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn opt_text(name: &'static str) -> Column {
    Column { name, kind: Kind::OptText }
}

/// Every request answered, and what became of the grant.
pub(crate) static ALLOCATIONS: Table = Table {
    name: "allocations",
    columns: &[
        text("intent_id"),
        text("instance"),
        text("symbol"),
        text("amount"),
        text("used"),
        text("status"),
        opt_text("reason"),
        int("at"),
        int("changed_at"),
    ],
    key: 1,
    indexes: &["instance", "changed_at"],
};

/// The rules in force, one row per setting; a setting that is gone has no value.
pub(crate) static PORTFOLIO_RULES: Table = Table {
    name: "portfolio_rules",
    columns: &[text("name"), opt_text("value"), int("changed_at")],
    key: 1,
    indexes: &[],
};

/// The capital manager's schema.
pub static SCHEMA: Schema =
    Schema { service: "capital-manager", version: 1, tables: &[&ALLOCATIONS, &PORTFOLIO_RULES], migrations: &[] };

/// Where an allocation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Granted,
    Adopted,
    Denied,
    Settled,
    Released,
}

impl Standing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Adopted => "adopted",
            Self::Denied => "denied",
            Self::Settled => "settled",
            Self::Released => "released",
        }
    }
}

/// A row of `allocations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocation {
    pub(crate) intent: IntentId,
    pub(crate) instance: InstanceId,
    pub(crate) symbol: Symbol,
    pub(crate) amount: Money,
    pub(crate) used: Money,
    pub(crate) standing: Standing,
    pub(crate) reason: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) changed_at: Timestamp,
}

impl Allocation {
    pub(crate) fn row(self) -> Row {
        let values = vec![
            Value::from(self.intent.as_str()),
            Value::from(self.instance.as_str()),
            Value::from(self.symbol.as_str()),
            Value::from(self.amount.to_string()),
            Value::from(self.used.to_string()),
            Value::from(self.standing.as_str()),
            Value::from(self.reason),
            Value::from(self.at.0),
            Value::from(self.changed_at.0),
        ];
        Row { table: &ALLOCATIONS, values }
    }
}

/// A row of `portfolio_rules`.
pub(crate) fn rule_row(name: &str, value: Option<&str>, changed_at: Timestamp) -> Row {
    Row { table: &PORTFOLIO_RULES, values: vec![Value::from(name), Value::from(value), Value::from(changed_at.0)] }
}
