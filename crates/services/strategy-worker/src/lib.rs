//! The strategy worker: one strategy instance, its orders and its history.
//!
//! It feeds a strategy with market data and with what became of its orders, and turns decisions into intents. A decision's
//! record, the strategy's state after it and the intent's message commit together, and an intent's id is a pure function
//! of instance, configuration generation and decision key: what is decided again after a crash is the same intent.
//! It does not know capital, other strategies or the exchange.
//!
//! # What is journaled
//! Decisions, with what they changed in the strategy's state; news of the instance's own orders, likewise; run and stop;
//! the instrument's filters when they change. A quote, trade or candle that leads to no decision leaves no trace and costs
//! no allocation. State that is not decided upon yet is rebuilt from the market:
//! - `ma-crossover`: the averages, from candles fetched at each start. Durable are its orders, position and decided keys.
//! - `grid-trader`: since when the market is outside the grid, and pauses between attempts, start over. Durable are the
//!   grid, what each level holds and which order it has at work.
//!
//! # History
//! At the start, and whenever a candle is missing, the candles that lack are asked of the exchange-connector; what closes
//! meanwhile waits and follows in order. Only the newest closed candle may be decided upon, and only while the next one
//! is not overdue; older ones are learnt from.

pub mod api;
mod config;
mod decide;
mod fact;
mod feed;
mod meters;
#[cfg(test)]
mod property_tests;
mod query;
mod state;
mod tables;
#[cfg(test)]
mod test_house;
mod worker;

pub use config::Config;
pub use query::{Event, Query, Reply, View};
pub use tables::SCHEMA;
pub use worker::{StrategyWorker, replay_rows};
