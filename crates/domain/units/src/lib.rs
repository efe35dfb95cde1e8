//! Prices, quantities, money, ticks, lots, names and timestamps.
//!
//! Money is exact decimal inside a newtype, with checked operations only; the hot paths (order book, matching) use
//! integer ticks and lots. No float and no clock: time is a value that is handed in.

mod decimal;
mod name;
mod problem;
mod scale;
mod time;

pub use decimal::{Money, OutOfRange, ParseUnitError, Price, Qty};
pub use name::{Asset, InstanceId, Name, NameError, Symbol};
pub use problem::Problem;
pub use rust_decimal::Decimal;
pub use scale::{Lots, Scale, ScaleError, Ticks};
pub use time::{Micros, Timestamp};
