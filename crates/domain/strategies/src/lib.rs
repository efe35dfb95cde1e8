//! What a strategy is, and the two that trade: `ma-crossover` and `grid-trader`.
//!
//! A strategy is a pure state machine: events in, decisions out. Each decision has a key of its own, a pure function of
//! what was decided, so that deciding again after a crash is the same decision. It does not know who sends orders, who
//! pays for them, or where its state is kept.

mod average;
#[cfg(test)]
mod desk;
mod grid_level;
mod grid_params;
#[cfg(test)]
mod grid_property_tests;
mod grid_trader;
mod kind;
mod ma_crossover;
mod own_orders;
mod params;
mod strategy;

pub use average::{Average, AverageKind};
pub use grid_level::{GridLevel, GridShape};
pub use grid_params::{GridParams, GridRange};
pub use grid_trader::{GridState, GridTrader};
pub use kind::{StrategyKind, StrategyParams, UnknownStrategy};
pub use ma_crossover::{MaCrossover, MaParams, MaState, Regime};
pub use own_orders::{OrderNews, OrderProgress, OwnOrder, OwnOrders};
pub use params::{ParamDoc, ParamTable, ParamValue};
pub use strategy::{
    CandleWish, Context, Decision, DecisionKey, Event, Placement, RestoreError, SavedState, Strategy, Wants,
};
