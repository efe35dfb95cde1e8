//! Candles: the venue's, the made-up ones of the time before, and those longer than a day.

use nightdesk_market::Interval;
use nightdesk_matching::Kline;
use nightdesk_units::{Micros, Symbol, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::engine::Core;
use crate::error::ApiError;
use crate::market::MadeUp;
use crate::text;

const DAY: i64 = 86_400_000_000;
const UTC: Micros = Micros(0);

/// A candle's length as the request names it: what the venue knows, or a group of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Plain(Interval),
    /// Three days, counted from 1970-01-01.
    ThreeDays,
    /// From Monday.
    Week,
    /// A calendar month in UTC.
    Month,
}

impl Length {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "3d" => Some(Self::ThreeDays),
            "1w" => Some(Self::Week),
            "1M" => Some(Self::Month),
            plain => plain.parse().ok().map(Self::Plain),
        }
    }

    /// The start of the candle that `at` falls in, where days start `shift` before they do in UTC.
    pub(crate) fn open_of(self, at: Timestamp, shift: Micros) -> Timestamp {
        let at = at + shift;
        let days = at.0.div_euclid(DAY);
        let open_at = match self {
            Self::Plain(interval) => interval.open_of(at),
            Self::ThreeDays => Timestamp((days - days.rem_euclid(3)) * DAY),
            // 1970-01-01 was a Thursday.
            Self::Week => Timestamp((days - (days + 3).rem_euclid(7)) * DAY),
            Self::Month => Timestamp((days - day_of_month(days)) * DAY),
        };
        open_at - shift
    }

    /// The end of the candle that starts at `open_at`.
    pub(crate) fn end_of(self, open_at: Timestamp, shift: Micros) -> Timestamp {
        match self {
            Self::Plain(interval) => open_at + interval.span(),
            Self::ThreeDays => open_at + Micros(3 * DAY),
            Self::Week => open_at + Micros(7 * DAY),
            // Day 31 after the first is in the next month, whichever this one is.
            Self::Month => self.open_of(open_at + Micros(31 * DAY), shift),
        }
    }
}

/// How many days of its month have passed, by the civil-from-days algorithm (H. Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn day_of_month(days: i64) -> i64 {
    let doe = (days + 719_468).rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    doy - (153 * mp + 2) / 5
}

pub(super) fn klines(core: &Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let name = call.params.need("interval")?.to_owned();
    let limit = call.params.limit(500, 1_000)?;
    let (start, end) = (call.params.time("startTime")?, call.params.time("endTime")?);
    // Candles start in UTC here; a shift in whole hours only moves intervals longer than an hour.
    call.params.ignore(&["timeZone"]);
    call.params.finish()?;
    let instrument = core.world.instrument(symbol)?;
    let length = Length::parse(&name).ok_or_else(|| ApiError::bad(-1120, "Invalid interval."))?;
    let list = match length {
        Length::Plain(interval) => merged(core, symbol, interval, (start, end), limit, now)?,
        long => grouped(core, symbol, long, (start, end), limit, now)?,
    };
    let row = |k: &Kline| {
        let price = |ticks| text::price(instrument, ticks);
        json!([
            call.time(k.open_at),
            price(k.open),
            price(k.high),
            price(k.low),
            price(k.close),
            text::qty(instrument, k.volume),
            call.unit.last_before(length.end_of(k.open_at, UTC)),
            text::quote_amount(instrument, k.quote_volume),
            k.trades,
            text::qty(instrument, k.taker_buy),
            text::quote_amount(instrument, k.taker_buy_quote),
            "0",
        ])
    };
    Ok(list.iter().map(row).collect::<Value>().into())
}

/// Days put together to longer candles.
fn grouped(
    core: &Core,
    symbol: Symbol,
    length: Length,
    (start, end): (Option<Timestamp>, Option<Timestamp>),
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Kline>, ApiError> {
    let day = "1d".parse::<Interval>().map_err(|_| ApiError::bad(-1120, "Invalid interval."))?;
    // A candle that starts before `start` is not asked for; its days are left out with it.
    let from = start.map(|start| {
        let open_at = length.open_of(start, UTC);
        if open_at == start { open_at } else { length.end_of(open_at, UTC) }
    });
    let list = together(merged(core, symbol, day, (from, end), (limit + 1) * 31, now)?, length, UTC);
    let skip = if start.is_some() { 0 } else { list.len().saturating_sub(limit) };
    Ok(list.into_iter().skip(skip).take(limit).collect())
}

/// Puts shorter candles together.
fn together(parts: Vec<Kline>, length: Length, shift: Micros) -> Vec<Kline> {
    let mut list: Vec<Kline> = Vec::new();
    for part in parts {
        let open_at = length.open_of(part.open_at, shift);
        match list.last_mut() {
            Some(whole) if whole.open_at == open_at => add(whole, &part),
            _ => list.push(Kline { open_at, ..part }),
        }
    }
    list
}

/// The last two candles of any length, the one in progress last. Days that start `shift` early are made of hours.
pub(crate) fn latest(core: &Core, symbol: Symbol, length: Length, shift: Micros, now: Timestamp) -> Vec<Kline> {
    let hours = || "1h".parse::<Interval>().unwrap_or(Interval::ONE_MINUTE);
    let part = match length {
        // Up to an hour, a shift by hours changes nothing.
        Length::Plain(interval) => interval.min(hours()),
        _ => hours(),
    };
    let current = length.open_of(now, shift);
    let from = length.open_of(current - Micros(1), shift);
    let parts = merged(core, symbol, part, (Some(from), None), 2 * 31 * 24 + 1, now).unwrap_or_default();
    together(parts, length, shift)
}

/// Takes a later candle into an earlier one.
pub(super) fn add(whole: &mut Kline, part: &Kline) {
    whole.high = whole.high.max(part.high);
    whole.low = whole.low.min(part.low);
    whole.close = part.close;
    whole.volume.0 = whole.volume.0.saturating_add(part.volume.0);
    whole.quote_volume = whole.quote_volume.saturating_add(part.quote_volume);
    whole.taker_buy.0 = whole.taker_buy.0.saturating_add(part.taker_buy.0);
    whole.taker_buy_quote = whole.taker_buy_quote.saturating_add(part.taker_buy_quote);
    if part.trades > 0 {
        whole.first_id = if whole.trades == 0 { part.first_id } else { whole.first_id };
        whole.last_id = part.last_id;
        whole.trades = whole.trades.saturating_add(part.trades);
    }
}

/// The market's candles, preceded by the made-up ones where there are any.
fn merged(
    core: &Core,
    symbol: Symbol,
    interval: Interval,
    (start, end): (Option<Timestamp>, Option<Timestamp>),
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Kline>, ApiError> {
    let span = interval.span();
    // Binance gives the first `limit` after a start, else the last `limit` before the end.
    let real = core.world.venue.klines(symbol, interval, start, end, limit, now)?;
    let Some(made_up) = core.made_up.get(&symbol) else { return Ok(real) };
    let first_real = real.first().map_or(interval.open_of(now) + span, |k| k.open_at);
    let to = end.map_or(first_real, |end| first_real.min(end + Micros(1)));
    let mut list = match start {
        Some(start) => {
            let start = interval.open_of(start.max(MadeUp::FIRST) + Micros(span.0 - 1));
            let window_end = start + Micros(span.0.saturating_mul(i64::try_from(limit).unwrap_or(1_000)));
            made_up.klines(interval, start, to.min(window_end), limit)
        }
        None => made_up.klines(interval, MadeUp::FIRST, to, limit.saturating_sub(real.len())),
    };
    list.extend(real);
    list.truncate(limit);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_candles_start_where_the_calendar_says() {
        let day = |days: i64| Timestamp(days * DAY + 12_345);
        let check = |length: Length, days: i64, open: i64, end: i64| {
            let open_at = length.open_of(day(days), UTC);
            assert_eq!((open_at.0 / DAY, length.end_of(open_at, UTC).0 / DAY), (open, end), "{length:?} {days}");
        };
        // 2024-02-29 is day 19782, a Thursday.
        check(Length::Week, 19_782, 19_779, 19_786);
        check(Length::Month, 19_782, 19_754, 19_783);
        check(Length::Month, 19_783, 19_783, 19_814);
        check(Length::ThreeDays, 19_783, 19_782, 19_785);
    }
}
