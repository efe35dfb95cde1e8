//! What an order asks for, and what the exchange says became of it.

use std::fmt;

use nightdesk_market::Side;
use nightdesk_units::{Asset, Money, Price, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ClientOrderId;

/// How long an order may rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// Fill what is there at once, cancel the rest.
    Ioc,
    /// All at once or not at all.
    Fok,
}

/// What kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// At a price or better.
    Limit {
        /// Limit price.
        price: Price,
        /// How long it may rest.
        tif: TimeInForce,
    },
    /// At a price, and refused if it would trade at once.
    LimitMaker {
        /// Limit price.
        price: Price,
    },
    /// At whatever the book offers.
    Market,
}

impl OrderKind {
    /// The limit price, if there is one.
    #[must_use]
    pub const fn price(&self) -> Option<Price> {
        match self {
            Self::Limit { price, .. } | Self::LimitMaker { price } => Some(*price),
            Self::Market => None,
        }
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit { price, tif } => write!(f, "limit {price} {}", format!("{tif:?}").to_lowercase()),
            Self::LimitMaker { price } => write!(f, "limit-maker {price}"),
            Self::Market => f.write_str("market"),
        }
    }
}

/// An order's status in the exchange's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExchangeStatus {
    /// Accepted.
    New,
    /// Some of it executed.
    PartiallyFilled,
    /// All of it executed.
    Filled,
    /// Cancelled by us.
    Canceled,
    /// Refused.
    Rejected,
    /// Ended by its own terms (IOC rest, FOK) or by the exchange.
    Expired,
}

impl ExchangeStatus {
    /// True when the order can no longer trade.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired)
    }
}

/// One execution of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The exchange's trade id; with symbol and order id it names the fill.
    pub trade_id: u64,
    /// Price.
    pub price: Price,
    /// Base quantity, before the fee.
    pub qty: Qty,
    /// Fee, in `fee_asset`.
    pub fee: Qty,
    /// What the fee was taken in.
    pub fee_asset: Asset,
    /// True when our order was resting.
    pub maker: bool,
    /// Exchange time.
    pub at: Timestamp,
}

/// The exchange's word on one order, from a stream, an answer or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// Instrument.
    pub symbol: Symbol,
    /// The order's id as we gave it.
    pub client_order_id: ClientOrderId,
    /// The order's id at the exchange.
    pub exchange_order_id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price and time in force.
    pub kind: OrderKind,
    /// Quantity ordered.
    pub qty: Qty,
    /// Status after this event.
    pub status: ExchangeStatus,
    /// Base quantity executed so far, this fill included.
    pub filled: Qty,
    /// Quote amount executed so far, this fill included.
    pub filled_quote: Money,
    /// The execution, when the report is one.
    pub fill: Option<Fill>,
    /// Exchange time.
    pub at: Timestamp,
}
