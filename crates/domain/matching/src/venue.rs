//! The venue's interface.

use nightdesk_market::{Instrument, Interval, Level, MarketEvent, Quote, Side};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Decimal, Lots, Micros, Money, Price, Qty, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, BalanceView, FillView, MarketTrade, OrderRef, OrderRequest, OrderView, SelfTradePrevention, VenueError,
    VenueEvent,
};

/// How much history is kept; older entries are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Orders that are no longer open, over all accounts.
    pub final_orders: usize,
    /// Fills of each account.
    pub fills: usize,
    /// Market trades of each instrument.
    pub trades: usize,
    /// One-second candles (with trades) of each instrument.
    pub seconds: usize,
    /// One-minute candles (with trades) of each instrument.
    pub minutes: usize,
}

/// What a venue is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueConfig {
    /// What is traded.
    pub instruments: Vec<Instrument>,
    /// Maker fee rate of new accounts.
    pub maker_fee: Decimal,
    /// Taker fee rate of new accounts.
    pub taker_fee: Decimal,
    /// Self-trade prevention of orders that do not say.
    pub stp: SelfTradePrevention,
    /// Whether trades, level changes and best quotes are told. A backtest, whose market is the recording, turns it off.
    pub publish_market: bool,
    /// How much history is kept.
    pub history: History,
}

impl VenueConfig {
    /// The exchange's defaults: 0.1 % fees, EXPIRE_MAKER, everything published.
    #[must_use]
    pub fn new(instruments: Vec<Instrument>) -> Self {
        Self {
            instruments,
            maker_fee: Decimal::new(1, 3),
            taker_fee: Decimal::new(1, 3),
            stp: SelfTradePrevention::ExpireMaker,
            publish_market: true,
            history: History { final_orders: 100_000, fills: 200_000, trades: 1_000, seconds: 7_200, minutes: 10_080 },
        }
    }
}

/// The answer to a placement: the order as it stands and its immediate executions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The order.
    pub order: OrderView,
    /// What executed at once.
    pub fills: Vec<FillView>,
}

/// Which orders [`Venue::all_orders`] lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderQuery {
    /// Orders with this id or a later one, oldest first; without it (and without times), the most recent ones.
    pub from_id: Option<u64>,
    /// Created or updated at or after.
    pub start: Option<Timestamp>,
    /// Created at or before.
    pub end: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

/// Which fills [`Venue::fills`] lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FillQuery {
    /// Only of this order.
    pub order_id: Option<u64>,
    /// Trades with this id or a later one, oldest first; without it (and without a start), the most recent ones.
    pub from_id: Option<u64>,
    /// At or after.
    pub start: Option<Timestamp>,
    /// At or before.
    pub end: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

/// Book levels, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthView {
    /// The last update id they contain (`lastUpdateId`).
    pub last_id: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
}

/// A candle with everything the exchange's klines carry. Amounts of quote currency are in units of tick × step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kline {
    /// Start.
    pub open_at: Timestamp,
    /// First price.
    pub open: Ticks,
    /// Highest price.
    pub high: Ticks,
    /// Lowest price.
    pub low: Ticks,
    /// Last price.
    pub close: Ticks,
    /// Quantity.
    pub volume: Lots,
    /// Quote amount.
    pub quote_volume: i128,
    /// Quantity that buyers took.
    pub taker_buy: Lots,
    /// Quote amount that buyers took.
    pub taker_buy_quote: i128,
    /// First trade id; zero without trades.
    pub first_id: u64,
    /// Last trade id; zero without trades.
    pub last_id: u64,
    /// Number of trades.
    pub trades: u64,
}

/// Statistics of the last 24 hours, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticker {
    /// Start of the window.
    pub open_at: Timestamp,
    /// End of the window.
    pub close_at: Timestamp,
    /// All of the window as one candle.
    pub window: Kline,
    /// The last close before the window, or its first price.
    pub previous_close: Ticks,
    /// Quantity of the last trade.
    pub last_qty: Lots,
}

/// The volume-weighted average price that price filters use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Average {
    /// Over how many minutes.
    pub minutes: u32,
    /// The average; the last price when nothing has traded in that time.
    pub price: Price,
    /// Time of the last trade.
    pub last_trade_at: Timestamp,
}

/// What the venue has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Orders accepted.
    pub orders: u64,
    /// Orders refused.
    pub rejected: u64,
    /// Orders cancelled by their accounts.
    pub cancels: u64,
    /// Executions of accounts' orders.
    pub fills: u64,
    /// Trades of the market.
    pub trades: u64,
    /// Recorded events taken in.
    pub market_events: u64,
    /// Recorded events for instruments that are not traded here.
    pub foreign_events: u64,
    /// Gaps in the recorded depth.
    pub gaps: u64,
}

/// Where an asset's money has gone, over the venue's life: the sum of all balances plus `fees` plus `outside` is `deposited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Asset.
    pub asset: Asset,
    /// Deposits less withdrawals.
    pub deposited: Qty,
    /// Commissions taken.
    pub fees: Qty,
    /// Paid to external counterparties less what was received from them.
    pub outside: Qty,
}

/// A deterministic exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Venue {
    config: VenueConfig,
}

#[allow(unused_variables, clippy::todo, missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Venue {
    pub fn new(config: VenueConfig) -> Self {
        todo!()
    }
    pub fn config(&self) -> &VenueConfig {
        todo!()
    }
    /// The latest time the venue has seen.
    pub fn now(&self) -> Timestamp {
        todo!()
    }

    // Accounts.
    /// Opens an account, or does nothing when it exists.
    pub fn open_account(&mut self, account: AccountId) {
        todo!()
    }
    pub fn set_fees(&mut self, account: AccountId, maker: Decimal, taker: Decimal) -> Result<(), VenueError> {
        todo!()
    }
    /// (maker, taker)
    pub fn fees(&self, account: AccountId) -> Result<(Decimal, Decimal), VenueError> {
        todo!()
    }
    /// Signed amount; a withdrawal beyond the free balance is `InsufficientBalance`.
    pub fn deposit(
        &mut self,
        account: AccountId,
        asset: Asset,
        delta: Qty,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        todo!()
    }
    /// All assets the account ever held, by name.
    pub fn balances(&self, account: AccountId) -> Result<Vec<BalanceView>, VenueError> {
        todo!()
    }

    // Orders.
    pub fn place(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Placed, VenueError> {
        todo!()
    }
    /// `order/test`: all checks, nothing done.
    pub fn check(&self, account: AccountId, request: &OrderRequest, now: Timestamp) -> Result<(), VenueError> {
        todo!()
    }
    /// `cancel_id`: the cancel request's own id (`newClientOrderId`), made up when absent. Returns the order after it and the cancel's id.
    pub fn cancel(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        order: OrderRef,
        cancel_id: Option<ClientOrderId>,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(OrderView, ClientOrderId), VenueError> {
        todo!()
    }
    /// Cancels all open orders of the account on `symbol`; none is `UnknownOrder`. All carry one cancel id.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(Vec<OrderView>, ClientOrderId), VenueError> {
        todo!()
    }

    // Market, recorded.
    pub fn apply(&mut self, event: &MarketEvent, now: Timestamp, out: &mut Vec<VenueEvent>) {
        todo!()
    }
    // Market, anonymous orders (used by SyntheticMarket).
    /// Places an anonymous order; `price` None = market. Returns its id when some of it rests.
    pub fn place_external(
        &mut self,
        symbol: Symbol,
        side: Side,
        price: Option<Ticks>,
        qty: Lots,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Option<u64>, VenueError> {
        todo!()
    }
    /// True when it was still there.
    pub fn cancel_external(&mut self, order_id: u64, now: Timestamp, out: &mut Vec<VenueEvent>) -> bool {
        todo!()
    }

    // Queries.
    pub fn instrument(&self, symbol: Symbol) -> Result<&Instrument, VenueError> {
        todo!()
    }
    pub fn order(&self, account: AccountId, symbol: Symbol, order: OrderRef) -> Result<OrderView, VenueError> {
        todo!()
    }
    /// Oldest first; of one symbol or of all.
    pub fn open_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Result<Vec<OrderView>, VenueError> {
        todo!()
    }
    pub fn all_orders(
        &self,
        account: AccountId,
        symbol: Symbol,
        query: OrderQuery,
    ) -> Result<Vec<OrderView>, VenueError> {
        todo!()
    }
    pub fn fills(&self, account: AccountId, symbol: Symbol, query: FillQuery) -> Result<Vec<FillView>, VenueError> {
        todo!()
    }
    pub fn depth(&self, symbol: Symbol, limit: usize) -> Result<DepthView, VenueError> {
        todo!()
    }
    pub fn best(&self, symbol: Symbol) -> Result<Quote, VenueError> {
        todo!()
    }
    /// The most recent `limit`, oldest first, all at or after `from_id` when given.
    pub fn trades(&self, symbol: Symbol, from_id: Option<u64>, limit: usize) -> Result<Vec<MarketTrade>, VenueError> {
        todo!()
    }
    /// `start`/`end` bound the open time (inclusive); the one in progress is included. Without `start`, the most recent `limit`.
    pub fn klines(
        &self,
        symbol: Symbol,
        interval: Interval,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Kline>, VenueError> {
        todo!()
    }
    pub fn ticker(&self, symbol: Symbol, now: Timestamp) -> Result<Option<Ticker>, VenueError> {
        todo!()
    }
    pub fn average(&self, symbol: Symbol, now: Timestamp) -> Result<Option<Average>, VenueError> {
        todo!()
    }
    pub fn last_price(&self, symbol: Symbol) -> Result<Option<Ticks>, VenueError> {
        todo!()
    }
    pub fn counters(&self) -> Counters {
        todo!()
    }
    pub fn ledger(&self) -> Vec<Ledger> {
        todo!()
    }
}

/// How the synthetic market of one instrument behaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Instrument.
    pub symbol: Symbol,
    /// Price at the start.
    pub start_price: Price,
    /// Typical order size, in quote currency.
    pub order_notional: Money,
    /// Annual volatility in the calm regime.
    pub volatility: f64,
    /// Events a second in the calm regime.
    pub events_per_second: f64,
    /// Mean time between price gaps.
    pub gap_every: Micros,
}

/// A seeded stream of anonymous orders for one instrument, with regimes, clustered volatility and gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticMarket {
    config: Synthetic,
}

#[allow(unused_variables, clippy::todo, missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl SyntheticMarket {
    pub fn new(config: Synthetic, seed: u64, start: Timestamp) -> Self {
        todo!()
    }
    pub fn next_event_at(&self) -> Timestamp {
        todo!()
    }
    /// Does the event that is due at `next_event_at`.
    pub fn step(&mut self, venue: &mut Venue, out: &mut Vec<VenueEvent>) -> Result<(), VenueError> {
        todo!()
    }
}
