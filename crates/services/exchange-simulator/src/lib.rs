//! A paper exchange that speaks Binance Spot's own REST and WebSocket protocol.
//!
//! The matching is [`nightdesk_matching::Venue`]'s; here are the protocol, the market's driver, faults on demand, and a data
//! directory from which a killed exchange resumes. Its parts, from the outside in:
//!
//! - `net`, `rest`, `ws`: sockets, HTTP and WebSocket, each to and from the gateway;
//! - `gateway`: a request's way: faults, weight, key and signature, engine, faults;
//! - `endpoint`, `api`: what can be asked and what is answered;
//! - `engine`: one thread owns the state; it commits each turn once and only then lets answers and events out;
//! - `market`: recordings, and made-up candles of the time before;
//! - `control`: the address where tests set faults and read state and record.
//!
//! Exchange time is the machine's, never backwards; a recording is played as if it happened now. What happened is written
//! to `record.jsonl` (the format is in the `record` module's documentation), the judge of all tests.

mod api;
mod auth;
mod clock;
mod config;
mod control;
mod endpoint;
mod engine;
mod error;
mod faults;
mod gateway;
mod limits;
pub mod market;
mod net;
mod params;
pub mod record;
mod rest;
mod start;
mod text;
mod ws;

pub use auth::{DEFAULT_ACCOUNT, KeyError, KeySecret, KeySpec, ed25519_public_key};
pub use config::{Balance, BalanceError, Config, MarketSource, Speed, SpeedError, Timing, default_symbols};
pub use engine::DataDirError;
pub use limits::Limits;
pub use start::{ExchangeSimulator, StartError};

#[cfg(test)]
mod tests;
