//! What a venue is made from, and the shapes of its answers.

use nightdesk_market::{Instrument, Level};
use nightdesk_units::{Asset, Decimal, Lots, Price, Qty, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{FillView, OrderView, SelfTradePrevention};

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
            history: History { final_orders: 100_000, fills: 100_000, trades: 1_000, seconds: 7_200, minutes: 10_080 },
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
