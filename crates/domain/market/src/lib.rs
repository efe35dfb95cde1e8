//! Instruments, quotes, trades, candles and the local order book.
//!
//! Prices and quantities of market data are integer ticks and lots of their instrument; the decimal view is one call
//! to [`Instrument::scale`] away. It does not decode any exchange's text: that is `wire`'s and the adapters' work.

mod book;
mod candle;
mod data;
mod instrument;

pub use book::{BookError, OrderBook};
pub use candle::{Candle, CandleBuilder, Interval, IntervalError};
pub use data::{DepthSnapshot, DepthUpdate, Level, MarketEvent, Quote, Trade};
pub use instrument::{FilterFailure, Filters, Instrument, Side};
