//! Binance Spot's REST and WebSocket protocol behind the port `nightdesk_exchange`.
//!
//! It sends what it is told once, says honestly what is known of the outcome, and keeps two streams alive. It decides
//! nothing about orders: whether to ask, to resend or to give up is the caller's. It never stores anything.

mod backfill;
mod book_sync;
mod calls;
mod clock;
mod config;
mod decode;
mod history;
mod limiter;
mod line;
mod market_state;
mod market_stream;
mod meters;
mod outbox;
mod outcome;
mod queue;
mod rest;
mod session;
mod shared;
mod sign;
mod socket;
mod user_stream;
mod witness;

pub use calls::{Binance, BinanceEvents};
pub use config::{Config, ConfigError, Endpoints, Streams};
pub use shared::Tap;
pub use sign::{ApiKey, KeyError};
