//! The trait, and the words it speaks.

use std::fmt;

use nightdesk_market::{Candle, Instrument, Interval, Quote, Side, Trade};
use nightdesk_orders::OrderKind;
use nightdesk_units::{Name, NameError, Qty, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{GridState, MaState, OrderNews, OwnOrders, StrategyKind};

/// A decision's own name within its instance: the same decision, made again, has the same key. At most 31 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionKey(Name<31>);

impl DecisionKey {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for DecisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for DecisionKey {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

/// An order that a strategy wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The decision's name.
    pub key: DecisionKey,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price, time in force.
    pub kind: OrderKind,
    /// Base quantity, a whole number of lots.
    pub qty: Qty,
    /// True when it only sells what is held: such an order needs no capital and goes out even when trading is halted.
    pub reduces: bool,
}

/// What a strategy wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Place an order.
    Place(Placement),
    /// Take an order back.
    Cancel {
        /// The decision that placed it.
        key: DecisionKey,
    },
}

/// What happens to a strategy.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A closed candle of the past: learn from it, do not trade on it.
    Backfill(&'a Candle),
    /// A candle that has just closed.
    Candle(&'a Candle),
    /// The best bid or ask changed.
    Quote(&'a Quote),
    /// The market traded.
    Trade(&'a Trade),
    /// Something became of an order of its own.
    Order(&'a OrderNews),
    /// Its orders and its position in the context are up to date after a restart or a reconciliation: what its state says
    /// otherwise is wrong.
    Resync,
}

/// What a strategy may look at while it decides.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// What it trades.
    pub instrument: &'a Instrument,
    /// Base quantity that the instance holds, fees deducted, with the event's fill in it.
    pub position: Qty,
    /// Its own orders, with the event's news in them.
    pub orders: &'a OwnOrders,
    /// False while orders that add risk would be refused anyhow (halted, stale, stopping): it need not ask.
    pub may_add_risk: bool,
}

/// Candles that a strategy wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandleWish {
    /// How long.
    pub interval: Interval,
    /// How many closed ones it needs before it can decide.
    pub history: usize,
}

/// What a strategy wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// Closed candles.
    pub candles: Vec<CandleWish>,
    /// Best bid and ask.
    pub quotes: bool,
    /// The market's trades.
    pub trades: bool,
}

/// A strategy's state, for its worker's snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "kebab-case")]
pub enum SavedState {
    /// Of `ma-crossover`.
    MaCrossover(MaState),
    /// Of `grid-trader`.
    GridTrader(GridState),
}

/// A saved state that is another strategy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the saved state is one of {saved}, the instance runs {running}: give the instance a new id, or clear its state"
)]
pub struct RestoreError {
    /// Whose state it is.
    pub saved: StrategyKind,
    /// What it was offered to.
    pub running: StrategyKind,
}

impl SavedState {
    /// Whose state it is.
    #[must_use]
    pub const fn kind(&self) -> StrategyKind {
        match self {
            Self::MaCrossover(_) => StrategyKind::MaCrossover,
            Self::GridTrader(_) => StrategyKind::GridTrader,
        }
    }
}

/// A strategy: events in, decisions out, no I/O, no clock.
pub trait Strategy: Send {
    /// Which one.
    fn kind(&self) -> StrategyKind;

    /// What it must hear.
    fn wants(&self) -> Wants;

    /// Takes an event and appends what it decides. The caller enters each decision into [`OwnOrders`] before the next
    /// event, and passes on every change of those orders, also a refusal, as [`Event::Order`].
    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>);

    /// False while it still gathers history.
    fn is_ready(&self) -> bool;

    /// Its state, to be kept with the decisions it led to.
    fn save(&self) -> SavedState;

    /// Takes a saved state back. The caller sends [`Event::Resync`] when orders and position are up to date.
    ///
    /// # Errors
    /// `RestoreError` when the state is another strategy's.
    fn restore(&mut self, state: SavedState) -> Result<(), RestoreError>;
}
