//! Streams of longer windows: candles that are not one interval of the venue's, and tickers over 1 h, 4 h and a day.

use nightdesk_units::{Micros, Symbol, Timestamp};
use serde_json::Value;

use super::{Publisher, events};
use crate::api::klines::{Length, latest};
use crate::api::market::rolling;
use crate::engine::Core;

const HOUR: i64 = 3_600_000_000;
/// Lengths and names of the rolling tickers.
const WINDOWS: [(&str, i64); 3] = [("1h", HOUR), ("4h", 4 * HOUR), ("1d", 24 * HOUR)];

impl Publisher {
    /// Candles of days put together, and those of days that start elsewhere than in UTC; once a second.
    pub(super) fn long_candles(&mut self, core: &Core, now: Timestamp) {
        for stream in self.hub.wanted_streams() {
            let Some((symbol, name, length, shift)) = long_stream(&stream) else { continue };
            let Some(instrument) = self.markets.get(&symbol).map(|market| market.instrument.clone()) else { continue };
            let told = self.candles.get(&stream).copied();
            // The candle that has just ended is told once more, as closed.
            for kline in latest(core, symbol, length, shift, now) {
                let end = length.end_of(kline.open_at, shift);
                let closed = end <= now;
                let known = told == Some((kline.open_at, kline.trades));
                let ended = closed && told.is_some_and(|(open_at, _)| open_at == kline.open_at);
                if ended || (!closed && !known) {
                    self.send(&stream, now, |unit| events::kline(&instrument, &name, end, &kline, closed, now, unit));
                    self.candles.insert(stream.clone(), (kline.open_at, kline.trades));
                }
            }
        }
    }

    /// Tickers over rolling windows; once a second.
    pub(super) fn rolling(&self, core: &Core, now: Timestamp) {
        for (window, span) in WINDOWS {
            let all = format!("!ticker_{window}@arr");
            let wanted = self
                .markets
                .values()
                .filter(|market| self.hub.wanted(&all) || self.hub.wanted(&format!("{}@ticker_{window}", market.name)));
            let figures: Vec<_> = wanted
                .filter_map(|market| Some((market, rolling(core, market.instrument.symbol, Micros(span), now).ok()??)))
                .collect();
            for (market, ticker) in &figures {
                let text = |unit| events::rolling_ticker(&market.instrument, ticker, window, now, unit).to_string();
                self.send(&format!("{}@ticker_{window}", market.name), now, text);
            }
            self.send(&all, now, |unit| {
                let one = |(market, ticker): &(_, _)| -> Value {
                    let market: &&super::Market = market;
                    events::rolling_ticker(&market.instrument, ticker, window, now, unit)
                };
                figures.iter().map(one).collect::<Value>().to_string()
            });
        }
    }
}

/// Symbol, interval, length and shift of `btcusdt@kline_1w` and `btcusdt@kline_1d@+08:00`; `None` for a plain candle.
fn long_stream(stream: &str) -> Option<(Symbol, String, Length, Micros)> {
    let (symbol, interval) = stream.split_once("@kline_")?;
    let (interval, shift) = match interval.split_once('@') {
        Some((interval, zone)) => (interval, offset(zone)?),
        None if ["3d", "1w", "1M"].contains(&interval) => (interval, Micros(0)),
        None => return None,
    };
    Some((symbol.to_ascii_uppercase().parse().ok()?, interval.to_owned(), Length::parse(interval)?, shift))
}

/// `+08:00`, the one time zone that streams know besides UTC.
fn offset(zone: &str) -> Option<Micros> {
    (zone == "+08:00").then_some(Micros(8 * HOUR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_candles_are_told_elsewhere() {
        assert_eq!(long_stream("btcusdt@kline_1m"), None);
        assert_eq!(long_stream("btcusdt@kline_1m@+05:30"), None);
        let (_, name, length, shift) = long_stream("btcusdt@kline_1d@+08:00").unwrap();
        let noon = Timestamp(19_782 * 24 * HOUR + 12 * HOUR);
        assert_eq!((name.as_str(), length.open_of(noon, shift)), ("1d", Timestamp(19_781 * 24 * HOUR + 16 * HOUR)));
        assert_eq!(length.end_of(length.open_of(noon, shift), shift), Timestamp(19_782 * 24 * HOUR + 16 * HOUR));
    }
}
