//! A venue: order book, accounts, filters and matching by price and time.
//!
//! [`Venue`] is a deterministic exchange: its state is a pure function of the calls made, time is an argument, and the same
//! calls give the same events. It knows no protocol and no disk: the exchange simulator puts Binance's protocol around it,
//! `exchange-local` the exchange port. Inside, prices and quantities are whole ticks and lots; money is exact decimal.
//!
//! The state serialises with `serde`; a restored venue continues identically. History is bounded (see [`History`]).

mod error;
mod event;
mod request;
mod types;

mod accept;
mod amend;
mod query;
mod recorded;
mod settle;
mod synthetic;
mod venue;

mod account;
mod book;
mod display;
mod levels;
mod order;
mod pairs;
mod random;
mod slab;
mod sweep;
mod tape;

#[cfg(test)]
mod tests;

pub use amend::{Amendment, MAX_AMENDS};
pub use error::VenueError;
pub use event::{
    BalanceView, BalancesChanged, Execution, FillView, LevelChange, MarketTrade, OrderReport, OrderStatus, OrderView,
    Transfer, VenueEvent,
};
pub use request::{AccountId, OrderRef, OrderRequest, OrderType, RequestKind, SelfTradePrevention};
pub use synthetic::{Synthetic, SyntheticMarket};
pub use types::{
    Average, Counters, DepthView, FillQuery, History, Kline, Ledger, OrderQuery, Placed, Ticker, VenueConfig,
};
pub use venue::Venue;
