//! The capital manager: who may risk how much.
//!
//! It answers each allocation request once and for ever, keeps what is set aside and what is held, and shows how much of
//! the budgets is used. The rules themselves are `nightdesk_capital`'s; here are their journal, their projections and the
//! conversation with core-engine. It does not know orders, prices or the market.
//!
//! # What is journaled
//! Every grant, denial, use, settlement and holding; the rules, when they are not those in force before. How the portfolio
//! and the strategies are doing is core-engine's knowledge and is told again and again, so it is journaled only where it
//! decides something: right before a request is judged (at most once a second), when a drawdown crosses its limit, and
//! hourly. The journal therefore explains each decision by what precedes it, and a restart forgets no limit that was hit.

pub mod api;
mod ledger;
mod manager;
mod meters;
mod policy;
mod query;
mod tables;

pub use manager::{CapitalManager, Config, replay_rows};
pub use query::{Event, Open, Query, Reply, View};
pub use tables::SCHEMA;
