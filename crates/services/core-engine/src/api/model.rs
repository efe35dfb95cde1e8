//! What the API says about the portfolio, the strategies and the mode. Amounts are decimals as strings, instants ISO 8601
//! in UTC: neither survives a floating-point number.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use nightdesk_capital::Level;
use nightdesk_orders::{ClientOrderId, Status as OrderStatus};
use nightdesk_units::{Asset, Decimal, InstanceId, Money, Price, Qty, Symbol, Timestamp};
use nightdesk_wire::RunState;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Describes a type of another crate that is text.
macro_rules! text_schema {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text_schema!(
    /// An exact decimal number.
    DecimalText,
    json_schema!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" })
);
text_schema!(
    /// A name: an instrument, an asset, a strategy instance, an order.
    NameText,
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,36}$" })
);
impl NameText {
    /// Whether `text` can be a name.
    pub(super) fn allows(text: &str) -> bool {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        (1..=36).contains(&text.len()) && text.chars().all(known)
    }
}

text_schema!(
    /// A level of restriction.
    LevelText,
    json_schema!({ "type": "string", "enum": ([Level::Normal, Level::Halted, Level::Liquidating].map(|level| level.as_str())) })
);
text_schema!(
    /// An order's status.
    OrderStatusText,
    json_schema!({ "type": "string", "enum": (OrderStatus::ALL.map(|status| status.as_str())) })
);
text_schema!(
    /// What a strategy instance does.
    RunStateText,
    json_schema!({ "type": "string", "enum": ["running", "warming_up", "stopped", "failed"] })
);
text_schema!(
    /// Buy or sell.
    SideText,
    json_schema!({ "type": "string", "enum": ["BUY", "SELL"] })
);

/// An instant: ISO 8601 in UTC with microseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Time(#[schemars(extend("format" = "date-time"))] pub String);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at.to_string())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What may be sent, why, and who said so. Every change is a new version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mode {
    /// Restriction of trading: `halted` and `liquidating` let nothing out that adds risk; cancels and reductions go.
    #[schemars(with = "LevelText")]
    pub level: Level,
    /// Nothing may add risk because nothing can be recorded.
    pub read_only: bool,
    /// Counts changes, from 0; `resume` names the one it lifts.
    pub version: u64,
    /// Why.
    pub reason: String,
    /// Who changed it.
    pub by: String,
    /// When; `null` before the first change.
    pub at: Option<Time>,
}

/// What came of a change of mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeChange {
    /// The mode now.
    pub mode: Mode,
    /// The exchange connector has confirmed that it holds back every unsent command that the mode forbids.
    pub effective: bool,
    /// Orders that add risk whose request had left before; their cancellation follows.
    #[schemars(with = "Vec<NameText>")]
    pub in_flight: Vec<ClientOrderId>,
}

/// Figures of a strategy or of the portfolio, at the present marks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// What the balances are worth; for a strategy, its allocation plus profit.
    #[schemars(with = "DecimalText")]
    pub equity: Money,
    /// Profit since the beginning, realised and open, after fees.
    #[schemars(with = "DecimalText")]
    pub pnl: Money,
    /// The realised part of it.
    #[schemars(with = "DecimalText")]
    pub realised: Money,
    /// The open part of it.
    #[schemars(with = "DecimalText")]
    pub open: Money,
    /// Profit of the present day (UTC).
    #[schemars(with = "DecimalText")]
    pub today: Money,
    /// Present drawdown, per cent of the peak.
    #[schemars(with = "DecimalText")]
    pub drawdown_pct: Decimal,
    /// Deepest drawdown, per cent of the peak before it.
    #[schemars(with = "DecimalText")]
    pub max_drawdown_pct: Decimal,
    /// Return of the present month (UTC), per cent.
    #[schemars(with = "Option<DecimalText>")]
    pub month_return_pct: Option<Decimal>,
    /// Sharpe ratio, annualised; `null` while there are too few samples.
    pub sharpe: Option<f64>,
    /// Value at risk, 95 %, per cent; `null` while there are too few samples.
    pub var_95_pct: Option<f64>,
    /// Every fee paid, by asset.
    #[schemars(with = "BTreeMap<String, DecimalText>")]
    pub fees: BTreeMap<Asset, Qty>,
    /// Executions applied.
    pub fills: u64,
}

/// The portfolio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Portfolio {
    /// As of.
    pub at: Time,
    /// What it is reckoned in.
    #[schemars(with = "NameText")]
    pub currency: Asset,
    /// Its figures; `null` while it cannot be valued.
    pub figures: Option<Figures>,
    /// What the account holds by our reckoning, by asset.
    #[schemars(with = "BTreeMap<String, DecimalText>")]
    pub balances: BTreeMap<Asset, Qty>,
}

/// What a strategy instance holds of an instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Whose.
    #[schemars(with = "NameText")]
    pub instance: InstanceId,
    /// In what.
    #[schemars(with = "NameText")]
    pub symbol: Symbol,
    /// Base quantity.
    #[schemars(with = "DecimalText")]
    pub quantity: Qty,
    /// Average cost of one; `null` when nothing is held.
    #[schemars(with = "Option<DecimalText>")]
    pub average_cost: Option<Price>,
    /// What it cost.
    #[schemars(with = "DecimalText")]
    pub cost: Money,
    /// Profit of what was sold.
    #[schemars(with = "DecimalText")]
    pub realised: Money,
    /// Profit of what is held, at the mark.
    #[schemars(with = "Option<DecimalText>")]
    pub open: Option<Money>,
    /// The mid price it is valued at.
    #[schemars(with = "Option<DecimalText>")]
    pub mark: Option<Price>,
}

/// A strategy instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strategy {
    /// Its name.
    #[schemars(with = "NameText")]
    pub instance: InstanceId,
    /// What it runs.
    pub strategy: String,
    /// What it trades.
    #[schemars(with = "NameText")]
    pub symbol: Symbol,
    /// What it says it does; `null` before its first word.
    #[schemars(with = "Option<RunStateText>")]
    pub state: Option<RunState>,
    /// Why, when it failed.
    pub reason: Option<String>,
    /// True unless an operator stopped it.
    pub wanted: bool,
    /// Its figures; `null` while it cannot be valued.
    pub figures: Option<Figures>,
}

/// An instrument that is left alone until an operator has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    /// Which.
    #[schemars(with = "NameText")]
    pub symbol: Symbol,
    /// What nobody knows about it.
    pub reason: String,
}

/// A source of knowledge that new risk depends on, and its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watchdog {
    /// `market_data`, `user_stream`, `reconciliation`, or `outbox`: the oldest message of ours that has not arrived.
    #[schemars(extend("enum" = ["market_data", "user_stream", "reconciliation", "outbox"]))]
    pub source: String,
    /// Of which instrument, where each has its own.
    #[schemars(with = "Option<NameText>")]
    pub symbol: Option<Symbol>,
    /// Milliseconds since its last sign of life; `null` while there is none.
    pub age_ms: Option<u64>,
    /// The highest age with which new risk is taken.
    pub limit_ms: u64,
    /// Whether it holds new risk back.
    pub stale: bool,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// As of.
    pub at: Time,
    /// What may be sent.
    pub mode: Mode,
    /// What amounts are reckoned in.
    #[schemars(with = "NameText")]
    pub currency: Asset,
    /// The portfolio's figures; `null` while it cannot be valued.
    pub portfolio: Option<Figures>,
    /// The strategy instances.
    pub strategies: Vec<Strategy>,
    /// What they hold.
    pub positions: Vec<Position>,
    /// How many orders are not over.
    pub open_orders: usize,
    /// How many of them have an unknown fate and are being asked for.
    pub in_doubt: usize,
    /// Orders of which something is under way: a placement, a cancel, or the question what became of it.
    #[serde(default)]
    pub unsettled: usize,
    /// Instruments left alone.
    pub quarantine: Vec<Quarantined>,
    /// Why no new risk is taken, by instrument; empty when it is.
    pub held_back: Vec<Quarantined>,
    /// How fresh everything is that new risk depends on.
    pub watchdogs: Vec<Watchdog>,
    /// When our book and the exchange's last agreed.
    pub reconciled_at: Option<Time>,
}

/// Why an operator does something; it is journaled and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// 1 to 500 characters without control characters.
    #[schemars(length(min = 1, max = 500), extend("pattern" = Reason::PATTERN))]
    pub reason: String,
}
