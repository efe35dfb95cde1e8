//! The exchange-connector: the only service that talks to exchanges.
//!
//! Its one promise: a command becomes at most one order at the exchange, whatever dies. It commits an *attempt* before the
//! first byte of a placement leaves; an attempt on record is only ever asked about, never sent again, until the exchange has
//! proven, by an answer obtained after the request's window has passed, that it never arrived.
//!
//! It does not know strategies, positions or money.

mod attempt;
mod cancel;
mod config;
mod connector;
mod effect;
mod feed;
mod gauges;
mod place;
mod resolve;
mod tables;

pub use config::Config;
pub use connector::{ExchangeConnector, replay_rows};
pub use effect::{Effect, Event, performer};
pub use gauges::Gauges;
pub use tables::SCHEMA;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod test_house;
