//! What an exchange can do for us, and how it may fail.
//!
//! Every call ends in one of three failures, each a decision for the caller: it did not happen ([`ExchangeError::Rejected`]),
//! it did not happen and may later ([`ExchangeError::Retry`]), it may have happened ([`ExchangeError::InDoubt`]: ask,
//! never resend).

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_market::{Candle, Instrument, Interval, MarketEvent, Side};
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill, OrderKind};
use nightdesk_units::{Asset, Micros, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a call did not give an answer to act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeError {
    /// The exchange refused: it did not happen.
    #[error("exchange refused with {code}: {reason}")]
    Rejected {
        /// The exchange's error code, such as -2010.
        code: i32,
        /// The exchange's text.
        reason: String,
    },
    /// It did not happen, and may after `after`.
    #[error("exchange not available for {after}: {reason}")]
    Retry {
        /// How long to wait at least.
        after: Micros,
        /// Why.
        reason: String,
    },
    /// It may have happened.
    #[error("outcome unknown: {reason}")]
    InDoubt {
        /// Why.
        reason: String,
    },
}

impl ExchangeError {
    /// True for Binance's -2013: no such order at the time of the answer.
    #[must_use]
    pub fn is_no_such_order(&self) -> bool {
        matches!(self, Self::Rejected { code: -2013, .. })
    }
}

/// The span within which the exchange accepts a request, signed into it: `[timestamp, timestamp + recv_window]` by the
/// exchange's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When the request was made, by the exchange's clock as we know it.
    pub timestamp: Timestamp,
    /// For how long it is good.
    pub recv_window: Micros,
}

impl Window {
    /// The instant after which the exchange refuses the request as stale.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.timestamp + self.recv_window
    }
}

/// How far the exchange's clock is ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockOffset {
    /// Exchange time minus our time.
    pub offset: Micros,
    /// Half the round trip of the best sample: the true offset is within this of `offset`.
    pub uncertainty: Micros,
}

/// An order to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Instrument.
    pub symbol: Symbol,
    /// Our id for it.
    pub client_order_id: ClientOrderId,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price, time in force.
    pub kind: OrderKind,
    /// Base quantity.
    pub qty: Qty,
}

/// The answer to a placement: the order as it stands, and what executed at once. A fill may also come by the event stream;
/// whoever applies fills drops repeats by trade id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The order (its `fill` is `None`).
    pub order: ExecutionReport,
    /// Executions so far.
    pub fills: Vec<Fill>,
}

/// One asset of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Asset.
    pub asset: Asset,
    /// Available.
    pub free: Qty,
    /// Held by open orders.
    pub locked: Qty,
}

/// One execution with the order it belongs to, from the account's trade list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTrade {
    /// Instrument.
    pub symbol: Symbol,
    /// The order's id at the exchange.
    pub exchange_order_id: u64,
    /// Buy or sell.
    pub side: Side,
    /// The execution.
    pub fill: Fill,
}

/// One of the two streams a connector lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Public market data.
    Market,
    /// Our account's events.
    User,
}

/// What an exchange tells unasked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeEvent {
    /// Market data. Books are complete and continuous: a gap shows as a new `Snapshot`.
    Market(MarketEvent),
    /// An order of the account changed.
    Report(ExecutionReport),
    /// Balances after an event of the account.
    Balances {
        /// Exchange time.
        at: Timestamp,
        /// The balances that changed.
        balances: Vec<Balance>,
    },
    /// Money was deposited or withdrawn.
    Transfer {
        /// Asset.
        asset: Asset,
        /// Signed amount.
        delta: Qty,
        /// Exchange time.
        at: Timestamp,
    },
    /// A stream is live (again). For [`Stream::User`], events since `since` may have been missed and must be asked for.
    Up {
        /// Which.
        stream: Stream,
        /// When the last event before the cut came; `None` at the first connection.
        since: Option<Timestamp>,
    },
    /// A stream was cut.
    Down {
        /// Which.
        stream: Stream,
        /// Why.
        reason: String,
    },
    /// A stream has shown a sign of life (ping or data) although it carries no event for us.
    Alive {
        /// Which.
        stream: Stream,
    },
}

/// What a request is for; the limiter weighs and ranks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Cancels and reductions: never starved by the rest.
    Exit,
    /// Asking about an order in doubt.
    Query,
    /// Placing an order that adds risk.
    Place,
    /// Reconciliation and reference data.
    Background,
}

/// Use of the exchange's rate limits, 0 to 1, as the last answer told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LimitUsage {
    /// Request weight in the current minute over the limit.
    pub weight: f64,
    /// Orders in the current ten seconds over the limit.
    pub orders: f64,
}

/// An answer to come.
pub type Answer<T> = BoxFuture<'static, Result<T, ExchangeError>>;

/// An exchange account. Calls do not wait for the rate limiter, except in [`Exchange::admit`]; each has a time limit of its own.
pub trait Exchange: Send + Sync {
    /// Resolves when a request for `purpose` may leave, and counts it.
    fn admit(&self, purpose: Purpose) -> BoxFuture<'static, ()>;

    /// How far the exchange's clock is from ours, as last measured.
    fn clock_offset(&self) -> ClockOffset;

    /// Use of the rate limits.
    fn limit_usage(&self) -> LimitUsage;

    /// The instruments of `symbols`, or all when empty. Waits for the rate limiter by itself.
    fn instruments(&self, symbols: &[Symbol]) -> Answer<Vec<Instrument>>;

    /// Places an order, signed for `window`.
    fn place(&self, order: &NewOrder, window: Window) -> Answer<Placed>;

    /// Cancels an order.
    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Answer<ExecutionReport>;

    /// The order as it stands, found by our id. The id may name several orders in the exchange's history: the newest is told.
    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Answer<ExecutionReport>;

    /// Open orders of `symbol`.
    fn open_orders(&self, symbol: Symbol) -> Answer<Vec<ExecutionReport>>;

    /// Orders of `symbol` created or changed since `since`, oldest first, all pages. What it takes to ask for after the
    /// first page is admitted as `purpose`.
    fn all_orders(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<ExecutionReport>>;

    /// Executions of `symbol` since `since`, oldest first, all pages; those after the first are admitted as `purpose`.
    fn trades(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<AccountTrade>>;

    /// Executions of one order.
    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>>;

    /// Balances of the account, zero ones left out, with the exchange's time of the answer.
    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)>;

    /// Closed candles with `from <= open_at < to`, oldest first, all pages.
    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Answer<Vec<Candle>>;
}

/// Receives what the exchange tells unasked. Created together with the [`Exchange`] by the adapter.
pub trait Events: Send {
    /// The next event; `None` when the connection is closed for good.
    fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>>;

    /// The next event if one is there.
    fn try_next(&mut self) -> Option<ExchangeEvent> {
        self.next().now_or_never().flatten()
    }
}
