//! What the venue tells: orders, fills, balances, trades and the book.

use nightdesk_market::{Quote, Side};
use nightdesk_orders::{ClientOrderId, TimeInForce};
use nightdesk_units::{Asset, Lots, Money, Price, Qty, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AccountId, OrderType, SelfTradePrevention};

/// An order's status in the exchange's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Accepted, nothing executed.
    New,
    /// Some of it executed.
    PartiallyFilled,
    /// All of it executed.
    Filled,
    /// Cancelled by its account.
    Canceled,
    /// Ended by its own terms: the rest of IOC and MARKET, all of FOK.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
}

impl OrderStatus {
    /// True while the order rests in the book.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// An order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// The venue's id: unique over all instruments, growing.
    pub order_id: u64,
    /// The account's id for it.
    pub client_order_id: ClientOrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Type.
    pub order_type: OrderType,
    /// Time in force.
    pub tif: TimeInForce,
    /// Limit price; zero for a market order.
    pub price: Price,
    /// Base quantity; for a market order by quote amount, what has executed.
    pub qty: Qty,
    /// Quote amount ordered (`quoteOrderQty`), else zero.
    pub quote_order_qty: Money,
    /// Base quantity executed.
    pub filled: Qty,
    /// Quote amount executed.
    pub filled_quote: Money,
    /// Status.
    pub status: OrderStatus,
    /// When it was accepted (`time`).
    pub created_at: Timestamp,
    /// When it last changed (`updateTime`).
    pub updated_at: Timestamp,
    /// When it came to the book (`workingTime`).
    pub working_at: Timestamp,
    /// Its self-trade prevention.
    pub stp: SelfTradePrevention,
}

/// One execution of an account's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillView {
    /// The trade, consecutive per instrument.
    pub trade_id: u64,
    /// The order.
    pub order_id: u64,
    /// Whose it is.
    pub account: AccountId,
    /// Instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Quote amount.
    pub quote_qty: Money,
    /// Fee, taken out of what was received.
    pub commission: Qty,
    /// What the fee was taken in.
    pub commission_asset: Asset,
    /// True when the order was resting.
    pub maker: bool,
    /// When.
    pub at: Timestamp,
}

/// What an order report tells (`x` of an execution report).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Execution {
    /// Accepted.
    New,
    /// Executed; the fill is given.
    Trade,
    /// Cancelled by its account.
    Canceled,
    /// Ended by its own terms.
    Expired,
    /// Ended by self-trade prevention.
    TradePrevention,
    /// Its quantity was reduced.
    Replaced,
}

/// An account's order changed: everything that an `executionReport` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// The order after the change.
    pub order: OrderView,
    /// What happened.
    pub execution: Execution,
    /// The execution, for [`Execution::Trade`].
    pub fill: Option<FillView>,
    /// For a cancel, the id of the cancel request (`c`); the order's own id is then `C`. For an amendment, the id the order
    /// had before (`C`).
    pub cancel_id: Option<ClientOrderId>,
    /// Number of the report, growing over the whole venue (`I`).
    pub execution_id: u64,
    /// When (`T`).
    pub at: Timestamp,
}

/// One asset of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Asset.
    pub asset: Asset,
    /// Available.
    pub free: Qty,
    /// Held by open orders.
    pub locked: Qty,
}

/// Balances that may have changed (`outboundAccountPosition`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancesChanged {
    /// Whose.
    pub account: AccountId,
    /// The assets concerned.
    pub balances: Vec<BalanceView>,
    /// When.
    pub at: Timestamp,
}

/// A deposit or withdrawal (`balanceUpdate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Whose.
    pub account: AccountId,
    /// Asset.
    pub asset: Asset,
    /// Signed amount.
    pub delta: Qty,
    /// When.
    pub at: Timestamp,
}

/// A trade of the market, ours or others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketTrade {
    /// Instrument.
    pub symbol: Symbol,
    /// Consecutive per instrument, from 1. A recorded trade gets a new id here.
    pub id: u64,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub qty: Lots,
    /// The buyer's order; zero for liquidity without one (recorded).
    pub buyer_order_id: u64,
    /// The seller's order; zero for liquidity without one (recorded).
    pub seller_order_id: u64,
    /// True when the buyer's order was resting.
    pub buyer_is_maker: bool,
    /// When.
    pub at: Timestamp,
}

/// The total quantity at one price changed. Each change has an update id of its own, without gaps, so a `depthUpdate` for
/// any span of changes is their latest quantities with `U` = the first id and `u` = the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// Instrument.
    pub symbol: Symbol,
    /// Bid or ask.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Total quantity there now; zero when the level is gone.
    pub qty: Lots,
    /// The change's id.
    pub update_id: u64,
    /// When.
    pub at: Timestamp,
}

/// Everything the venue tells, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueEvent {
    /// An account's order changed.
    Order(Box<OrderReport>),
    /// An account's balances changed.
    Balances(Box<BalancesChanged>),
    /// A deposit or withdrawal.
    Transfer(Transfer),
    /// A trade of the market.
    Trade(MarketTrade),
    /// A price level changed.
    Level(LevelChange),
    /// Best bid or ask changed (price or quantity). A side without orders has price and quantity zero.
    Best(Quote),
}
