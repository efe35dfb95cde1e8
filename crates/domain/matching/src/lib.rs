//! A venue: order book, accounts, filters and matching by price and time.
//!
//! [`Venue`] is a deterministic exchange: its state is a pure function of the calls made, time is an argument, and the same
//! calls give the same events. It knows no protocol and no disk: the exchange simulator puts Binance's protocol around it,
//! `exchange-local` the exchange port. Inside, prices and quantities are whole ticks and lots; money is exact decimal.

mod error;
mod event;
mod request;
mod venue;

pub use error::VenueError;
pub use event::{
    BalanceView, BalancesChanged, Execution, FillView, LevelChange, MarketTrade, OrderReport, OrderStatus, OrderView,
    Transfer, VenueEvent,
};
pub use request::{AccountId, OrderRef, OrderRequest, OrderType, RequestKind, SelfTradePrevention};
pub use venue::{
    Average, Counters, DepthView, FillQuery, History, Kline, Ledger, OrderQuery, Placed, Synthetic, SyntheticMarket,
    Ticker, Venue, VenueConfig,
};
