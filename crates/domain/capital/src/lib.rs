//! Who may risk how much: the allocation book, its rules, the price collar and the trading mode.
//!
//! Pure: requests and observations go in, records come out, [`CapitalBook::apply`] changes the state, time is an
//! argument. It does not know orders or positions beyond the two figures it is told: what an order may cost at worst,
//! and what is held at cost.

mod book;
#[cfg(test)]
mod book_model_tests;
mod collar;
mod deny;
mod kpi;
mod mode;
mod rate;
mod record;
mod rules;

pub use book::{CapitalBook, CapitalState};
pub use collar::Collar;
pub use deny::{DenyReason, RateSpan};
pub use kpi::{CapitalKpis, StrategyKpis};
pub use mode::{Level, Mode, ModeError};
pub use rate::RateWindow;
pub use record::{Answer, CapitalError, CapitalRecord, Grant, Holding, Performance, Reply, Request, Tally};
pub use rules::{CapitalRules, OrderRate, Percent, Share, ShareError, StrategyRules};
