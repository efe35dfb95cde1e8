//! core-engine: orders, positions, the strategies' life cycle, the portfolio.
//!
//! It takes decisions up as orders, asks for capital, drives each order until the exchange has proven what became of it,
//! applies each execution once, and compares its book with the exchange's at every start and every minute. It never speaks
//! to an exchange and holds no market data beyond the last quote.

pub mod api;
mod config;
mod effect;
mod engine;
mod fact;
mod intents;
mod mode;
mod reconcile;
mod reports;
mod state;
pub mod tables;
mod view;
mod watchdogs;

pub use config::{Config, Freshness, Instance};
pub use effect::{Effect, Event, Pending, Reply, Request, Response, performer};
pub use engine::{CoreEngine, replay_rows};
pub use fact::Fact;
pub use state::Entry;
pub use tables::SCHEMA;
pub use view::{PositionView, StrategyView, View};
pub use watchdogs::{Source, Watchdog};

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod test_house;
