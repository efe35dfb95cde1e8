//! What the market says, normalised.

use nightdesk_units::{Lots, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Candle;

/// Best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Instrument.
    pub symbol: Symbol,
    /// The exchange's book update id.
    pub update_id: u64,
    /// Best bid.
    pub bid: Ticks,
    /// Quantity at the best bid.
    pub bid_qty: Lots,
    /// Best ask.
    pub ask: Ticks,
    /// Quantity at the best ask.
    pub ask_qty: Lots,
    /// When it was true: exchange time where given, else time of receipt.
    pub at: Timestamp,
}

/// One trade of the market (not a fill of ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Instrument.
    pub symbol: Symbol,
    /// The exchange's trade id, consecutive per instrument.
    pub id: u64,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub qty: Lots,
    /// True when the buyer's order was resting, so the seller was the aggressor.
    pub buyer_is_maker: bool,
    /// Exchange time.
    pub at: Timestamp,
}

/// A price level; quantity zero deletes it.
pub type Level = (Ticks, Lots);

/// A change to the book between two update ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthUpdate {
    /// Instrument.
    pub symbol: Symbol,
    /// First update id in the event (`U`).
    pub first_id: u64,
    /// Last update id in the event (`u`).
    pub last_id: u64,
    /// Changed bids.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
    /// Exchange time.
    pub at: Timestamp,
}

/// A whole book as of `last_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthSnapshot {
    /// Instrument.
    pub symbol: Symbol,
    /// Update id the snapshot is as of.
    pub last_id: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
    /// When it was received.
    pub at: Timestamp,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketEvent {
    /// Best bid and ask changed.
    Quote(Quote),
    /// A trade happened.
    Trade(Trade),
    /// The book changed.
    Depth(DepthUpdate),
    /// The whole book.
    Snapshot(DepthSnapshot),
    /// A candle closed.
    Candle(Candle),
}

impl MarketEvent {
    /// The instrument it is about.
    #[must_use]
    pub fn symbol(&self) -> Symbol {
        match self {
            Self::Quote(quote) => quote.symbol,
            Self::Trade(trade) => trade.symbol,
            Self::Depth(update) => update.symbol,
            Self::Snapshot(snapshot) => snapshot.symbol,
            Self::Candle(candle) => candle.symbol,
        }
    }
}
