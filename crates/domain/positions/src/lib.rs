//! Positions, profit and loss, the portfolio and its risk figures.
//!
//! Books are exact decimals; only statistics (Sharpe ratio, value at risk) are floats, and nothing is ever booked from
//! them. It values at the marks it is given and reads no clock. It does not decide anything: limits are `capital`'s.

mod curve;
mod figures;
mod portfolio;
mod position;
mod statistics;

pub use curve::{EquityCurve, HourPoint};
pub use figures::Figures;
pub use portfolio::{Due, Portfolio, PortfolioError, Sample, Slot, StrategyBook};
pub use position::{Applied, Position, PositionError};
pub use statistics::{MIN_HOURS_SHARPE, MIN_HOURS_VAR, WINDOW_HOURS, sharpe, value_at_risk_95_pct};
