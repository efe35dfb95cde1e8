//! Candles and the builder that makes them from trades.

use std::fmt;
use std::str::FromStr;

use nightdesk_units::{Lots, Micros, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Trade;

/// Text that is no candle interval the exchange knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown candle interval {0:?}: one of 1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d")]
pub struct IntervalError(pub String);

/// A candle's length. Weeks and months are left out: they do not start on multiples of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(Micros);

const INTERVALS: [(&str, i64); 13] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("2h", 7_200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
];

impl Interval {
    /// One second.
    pub const ONE_SECOND: Self = Self(Micros::from_secs(1));
    /// One minute.
    pub const ONE_MINUTE: Self = Self(Micros::from_secs(60));

    /// The length.
    #[must_use]
    pub const fn span(self) -> Micros {
        self.0
    }

    /// The start of the candle that `at` falls in.
    #[must_use]
    pub const fn open_of(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0 - at.0.rem_euclid(self.0.0))
    }

    /// Every interval, shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        INTERVALS.iter().map(|(_, secs)| Self(Micros::from_secs(*secs)))
    }
}

impl FromStr for Interval {
    type Err = IntervalError;
    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let found = INTERVALS.iter().find(|(name, _)| *name == text);
        found.map(|(_, secs)| Self(Micros::from_secs(*secs))).ok_or_else(|| IntervalError(text.to_owned()))
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;
    fn try_from(text: String) -> Result<Self, IntervalError> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = INTERVALS.iter().find(|(_, secs)| Micros::from_secs(*secs) == self.0);
        f.write_str(found.map_or("?", |(name, _)| name))
    }
}

/// Open, high, low, close and volume of one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Instrument.
    pub symbol: Symbol,
    /// Length.
    pub interval: Interval,
    /// Start, a multiple of the interval.
    pub open_at: Timestamp,
    /// First price.
    pub open: Ticks,
    /// Highest price.
    pub high: Ticks,
    /// Lowest price.
    pub low: Ticks,
    /// Last price.
    pub close: Ticks,
    /// Quantity traded.
    pub volume: Lots,
    /// Number of trades; zero for an interval without one, whose prices repeat the last close.
    pub trades: u32,
}

impl Candle {
    /// The first instant after the candle. (The exchange's own "close time" is one millisecond before it.)
    #[must_use]
    pub fn close_at(&self) -> Timestamp {
        self.open_at + self.interval.span()
    }

    fn flat(symbol: Symbol, interval: Interval, open_at: Timestamp, price: Ticks) -> Self {
        Self {
            symbol,
            interval,
            open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Lots(0),
            trades: 0,
        }
    }
}

/// Builds candles of one instrument and interval from its trades, without a gap: an interval in which nothing traded
/// yields a flat candle, as the exchange's own klines do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandleBuilder {
    symbol: Symbol,
    interval: Interval,
    current: Option<Candle>,
}

/// The most flat candles one trade may close. A longer silence restarts the series: the caller sees the jump in
/// `open_at` and backfills.
const MAX_FLAT: usize = 10_000;

impl CandleBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new(symbol: Symbol, interval: Interval) -> Self {
        Self { symbol, interval, current: None }
    }

    /// The candle being built.
    #[must_use]
    pub fn current(&self) -> Option<&Candle> {
        self.current.as_ref()
    }

    /// Forgets the candle being built.
    pub fn clear(&mut self) {
        self.current = None;
    }

    /// The start of the first candle after the one that `at` falls in.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Timestamp {
        self.interval.open_of(at) + self.interval.span()
    }

    /// Takes a trade in; `closed` is called with every candle that it proves closed, oldest first. A trade older than
    /// the candle being built is ignored: its candle has been delivered.
    pub fn trade(&mut self, trade: &Trade, closed: impl FnMut(Candle)) {
        let open_at = self.interval.open_of(trade.at);
        self.close_before(open_at, closed);
        match &mut self.current {
            Some(candle) if open_at < candle.open_at => {}
            Some(candle) if candle.trades > 0 => {
                candle.high = candle.high.max(trade.price);
                candle.low = candle.low.min(trade.price);
                candle.close = trade.price;
                candle.volume.0 = candle.volume.0.saturating_add(trade.qty.0);
                candle.trades = candle.trades.saturating_add(1);
            }
            _ => {
                let flat = Candle::flat(self.symbol, self.interval, open_at, trade.price);
                self.current = Some(Candle { volume: trade.qty, trades: 1, ..flat });
            }
        }
    }

    /// Closes what time has closed: the clock reached `now` without a trade.
    pub fn advance(&mut self, now: Timestamp, closed: impl FnMut(Candle)) {
        self.close_before(self.interval.open_of(now), closed);
    }

    fn close_before(&mut self, open_at: Timestamp, mut closed: impl FnMut(Candle)) {
        for _ in 0..MAX_FLAT {
            let Some(candle) = self.current else { return };
            if candle.open_at >= open_at {
                return;
            }
            closed(candle);
            self.current = Some(Candle::flat(self.symbol, self.interval, candle.close_at(), candle.close));
        }
        if self.current.is_some_and(|candle| candle.open_at < open_at) {
            self.current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(ms: i64, price: i64, qty: i64) -> Trade {
        let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp::from_millis(ms));
        Trade { symbol, id: 0, price: Ticks(price), qty: Lots(qty), buyer_is_maker: false, at }
    }

    fn check(trades: &[(i64, i64, i64)], expected: &str) {
        let mut builder = CandleBuilder::new("BTCUSDT".parse().unwrap(), Interval::ONE_SECOND);
        let mut out = Vec::new();
        for (ms, price, qty) in trades {
            builder.trade(&trade(*ms, *price, *qty), |c| {
                out.push(format!(
                    "{}:{}/{}/{}/{} {}",
                    c.open_at.as_millis(),
                    c.open.0,
                    c.high.0,
                    c.low.0,
                    c.close.0,
                    c.volume.0
                ));
            });
        }
        assert_eq!(out.join(", "), expected);
    }

    #[test]
    fn a_trade_in_the_next_second_closes_the_candle() {
        check(&[(0, 10, 1), (500, 12, 2), (999, 9, 3), (1_000, 11, 1)], "0:10/12/9/9 6");
    }

    #[test]
    fn a_second_without_trades_is_a_flat_candle_at_the_last_close() {
        check(&[(100, 10, 1), (2_100, 20, 1)], "0:10/10/10/10 1, 1000:10/10/10/10 0");
    }

    #[test]
    fn a_late_trade_does_not_change_a_delivered_candle() {
        check(&[(100, 10, 1), (1_100, 11, 1), (200, 99, 9), (2_000, 12, 1)], "0:10/10/10/10 1, 1000:11/11/11/11 1");
    }

    #[test]
    fn a_very_long_silence_restarts_the_series_in_bounded_work() {
        let mut builder = CandleBuilder::new("BTCUSDT".parse().unwrap(), Interval::ONE_SECOND);
        builder.trade(&trade(0, 10, 1), |_| {});
        let mut closed = 0;
        builder.trade(&trade(100_000_000_000, 20, 1), |_| closed += 1);
        assert_eq!((closed, builder.current().unwrap().open), (MAX_FLAT, Ticks(20)));
    }

    #[test]
    fn intervals_are_named_as_the_exchange_names_them() {
        for (name, _) in INTERVALS {
            assert_eq!(name.parse::<Interval>().unwrap().to_string(), name);
        }
        assert!("7m".parse::<Interval>().is_err());
    }
}
