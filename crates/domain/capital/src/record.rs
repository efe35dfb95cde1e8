//! What is asked of the allocation book, what it answers, and what it journals.

use nightdesk_orders::IntentId;
use nightdesk_units::{InstanceId, Money, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{DenyReason, Percent};

/// A request for capital.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The decision to be paid for.
    pub intent: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// In what.
    pub symbol: Symbol,
    /// What it may cost at worst: [`crate::Collar::worst_cost`].
    pub worst_cost: Money,
}

/// The answer to a request; the same for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Set aside until settled or released, however long that takes.
    Granted {
        /// How much.
        amount: Money,
    },
    /// Refused.
    Denied {
        /// Why.
        reason: DenyReason,
    },
}

/// An answer, and the record to journal before it is given (none when it was given before).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// What to answer.
    pub answer: Answer,
    /// What to journal first.
    pub record: Option<CapitalRecord>,
}

/// Capital set aside for an order that may still trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose.
    pub instance: InstanceId,
    /// In what.
    pub symbol: Symbol,
    /// How much was granted.
    pub amount: Money,
    /// How much of it has become a position already.
    pub used: Money,
    /// When.
    pub at: Timestamp,
}

impl Grant {
    /// What may still be spent.
    #[must_use]
    pub fn outstanding(&self) -> Money {
        self.amount.sub(self.used).unwrap_or(self.amount).max(Money::ZERO)
    }
}

/// What is held of an instrument, as its position's book says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holding {
    /// Cost of what is held.
    pub cost: Money,
    /// The position's version it is as of.
    pub version: u64,
}

/// How a strategy or the portfolio is doing, as the portfolio's book says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Performance {
    /// Realised and open, since the beginning, after fees.
    pub pnl: Money,
    /// The same since midnight UTC.
    pub pnl_today: Money,
    /// Drawdown now.
    pub drawdown: Percent,
}

/// How requests were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Granted requests.
    pub granted: u64,
    /// Denied requests.
    pub denied: u64,
}

/// What happened to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CapitalRecord {
    /// Capital was set aside.
    Granted {
        /// The request.
        #[serde(flatten)]
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// A request was refused.
    Denied {
        /// The request.
        #[serde(flatten)]
        request: Request,
        /// Why.
        reason: DenyReason,
        /// When.
        at: Timestamp,
    },
    /// An order that the book did not know was found at the exchange: its capital is gone whatever the rules say.
    Adopted {
        /// What it would have asked for.
        #[serde(flatten)]
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// An order has executed in part: `used` is the sum so far.
    Used {
        /// Which.
        intent: IntentId,
        /// Spent so far, fees included.
        used: Money,
        /// The position's version after the fill.
        version: u64,
    },
    /// An order is over: `used` is what it spent, the rest is free.
    Settled {
        /// Which.
        intent: IntentId,
        /// Spent in all, fees included.
        used: Money,
        /// The position's version after its last fill.
        version: u64,
    },
    /// An order never left or never traded: all is free, also what it may still ask for.
    Released {
        /// Which.
        intent: IntentId,
    },
    /// What is held of an instrument, after a fill or a reconciliation.
    Held {
        /// Whose.
        instance: InstanceId,
        /// What.
        symbol: Symbol,
        /// How much.
        holding: Holding,
    },
    /// How a strategy, or without an instance the portfolio, is doing.
    Observed {
        /// Whose.
        instance: Option<InstanceId>,
        /// How.
        performance: Performance,
    },
}

/// Something that cannot be true of the book as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapitalError {
    /// The intent was never granted, was denied, or has been forgotten since it was settled: adopt it if its order is real.
    #[error("no capital is set aside for intent {0}")]
    NotGranted(IntentId),
}
