//! Binance Spot's REST and WebSocket protocol behind the port `nightdesk_exchange`.
//!
//! It sends what it is told once, says honestly what is known of the outcome, and keeps two streams alive. It decides
//! nothing about orders: whether to ask, to resend or to give up is the caller's. It never stores anything.
//!
//! - **A request** is signed for the window it is given, sent once (no redirect, no retry, no request before a ban
//!   ends), and its outcome judged by one table (`outcome`): what the exchange refused is `Rejected`, what provably never
//!   left or never got past the door is `Retry`, everything else on a placement or cancel is `InDoubt`.
//! - **A stream** is one task: `Session` gives it frames over one connection, or over two while one replaces the other;
//!   `MarketState` keeps books continuous and trades and candles without a gap, asking REST (`backfill`) for what is
//!   missing before anything later is delivered; `Outbox` hands events over and pauses for a slow consumer.
//! - **Silence** is not trusted: a connection without any frame is dead; a symbol without data is compared with the
//!   exchange by REST; a user stream that does not report what REST acknowledged is stale (`Witness`).
//! - **Invariant:** no trade, candle, report or book update is dropped without a `Down` and an `Up` around the hole. Only
//!   quotes and signs of life are superseded by newer ones.
//! - **Invariant:** a message that does not fit exactly is counted, logged once a minute for its kind, and costs the
//!   connection; it never panics and is never rounded.

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
