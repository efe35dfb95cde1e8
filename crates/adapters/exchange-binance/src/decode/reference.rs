//! Public REST answers: exchange information, time, book snapshots, trades, candles.

use nightdesk_market::{Candle, DepthSnapshot, Filters, Instrument, Interval, Trade};
use nightdesk_units::{Decimal, Micros, Money, Price, Qty, Scale, Symbol, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::market::levels;
use super::{Decoded, Parser, is_micros, json, time};
use crate::meters::Malformed;

/// What `exchangeInfo` tells us.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExchangeInfo {
    pub(crate) instruments: Vec<Instrument>,
    /// Instruments that could not be understood.
    pub(crate) malformed: Vec<Malformed>,
    /// Request weight a minute.
    pub(crate) weight_per_minute: Option<u32>,
    /// The order count's shortest window.
    pub(crate) orders: Option<(u32, Micros)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawInfo<'a> {
    #[serde(default)]
    rate_limits: Vec<RawLimit>,
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLimit {
    rate_limit_type: String,
    interval: String,
    interval_num: u32,
    limit: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSymbol {
    symbol: String,
    base_asset: String,
    quote_asset: String,
    filters: Vec<RawFilter>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawFilter {
    filter_type: String,
    min_price: Option<String>,
    max_price: Option<String>,
    tick_size: Option<String>,
    min_qty: Option<String>,
    max_qty: Option<String>,
    step_size: Option<String>,
    min_notional: Option<String>,
    max_notional: Option<String>,
    apply_min_to_market: Option<bool>,
    apply_to_market: Option<bool>,
    bid_multiplier_up: Option<String>,
    bid_multiplier_down: Option<String>,
    ask_multiplier_up: Option<String>,
    ask_multiplier_down: Option<String>,
    max_num_orders: Option<u32>,
    max_position: Option<String>,
}

/// Decodes `exchangeInfo`. One instrument that does not fit does not hide the others.
pub(crate) fn exchange_info(text: &str) -> Decoded<ExchangeInfo> {
    let raw: RawInfo<'_> = json("exchange information", text)?;
    let mut info = ExchangeInfo::default();
    for limit in &raw.rate_limits {
        let unit = match limit.interval.as_str() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => continue,
        };
        let window = Micros::from_secs(i64::from(limit.interval_num) * unit);
        match limit.rate_limit_type.as_str() {
            "REQUEST_WEIGHT" if window == Micros::from_secs(60) => info.weight_per_minute = Some(limit.limit),
            "ORDERS" if info.orders.is_none_or(|(_, have)| window < have) => info.orders = Some((limit.limit, window)),
            _ => {}
        }
    }
    for raw in raw.symbols {
        match json::<RawSymbol>("instrument", raw.get()).and_then(|raw| instrument(&raw)) {
            Ok(instrument) => info.instruments.push(instrument),
            Err(malformed) => info.malformed.push(malformed),
        }
    }
    Ok(info)
}

fn instrument(raw: &RawSymbol) -> Decoded<Instrument> {
    let p = Parser("instrument");
    let filter = |name: &str| raw.filters.iter().find(|filter| filter.filter_type == name);
    let decimal = |name: &str, text: Option<&String>| -> Decoded<Decimal> {
        text.map_or(Ok(Decimal::ZERO), |text| p.parse::<Qty>(name, text).map(Qty::get))
    };
    let (Some(price), Some(lot)) = (filter("PRICE_FILTER"), filter("LOT_SIZE")) else {
        return p.bad("PRICE_FILTER or LOT_SIZE is missing");
    };
    let scale = Scale {
        tick: decimal("tickSize", price.tick_size.as_ref())?,
        step: decimal("stepSize", lot.step_size.as_ref())?,
    };
    if scale.tick <= Decimal::ZERO || scale.step <= Decimal::ZERO {
        return p.bad("tickSize or stepSize is not above zero");
    }
    let notional = filter("NOTIONAL").or_else(|| filter("MIN_NOTIONAL"));
    let percent = match filter("PERCENT_PRICE_BY_SIDE") {
        Some(f) => Some([
            decimal("bidMultiplierUp", f.bid_multiplier_up.as_ref())?,
            decimal("bidMultiplierDown", f.bid_multiplier_down.as_ref())?,
            decimal("askMultiplierUp", f.ask_multiplier_up.as_ref())?,
            decimal("askMultiplierDown", f.ask_multiplier_down.as_ref())?,
        ]),
        None => None,
    };
    let market_max = filter("MARKET_LOT_SIZE").and_then(|f| f.max_qty.as_ref());
    Ok(Instrument {
        symbol: p.symbol(&raw.symbol)?,
        base: p.parse("base asset", &raw.base_asset)?,
        quote: p.parse("quote asset", &raw.quote_asset)?,
        scale,
        filters: Filters {
            min_price: Price::new(decimal("minPrice", price.min_price.as_ref())?),
            max_price: Price::new(decimal("maxPrice", price.max_price.as_ref())?),
            min_qty: Qty::new(decimal("minQty", lot.min_qty.as_ref())?),
            max_qty: Qty::new(decimal("maxQty", lot.max_qty.as_ref())?),
            max_market_qty: Qty::new(decimal("maxQty", market_max)?),
            min_notional: Money::new(decimal("minNotional", notional.and_then(|f| f.min_notional.as_ref()))?),
            min_notional_applies_to_market: notional
                .is_some_and(|f| f.apply_min_to_market.or(f.apply_to_market).unwrap_or(false)),
            max_notional: Money::new(decimal("maxNotional", notional.and_then(|f| f.max_notional.as_ref()))?),
            percent_price: percent,
            max_open_orders: filter("MAX_NUM_ORDERS").and_then(|f| f.max_num_orders).unwrap_or(0),
            max_position: Qty::new(decimal(
                "maxPosition",
                filter("MAX_POSITION").and_then(|f| f.max_position.as_ref()),
            )?),
        },
    })
}

/// The exchange's time and the unit it was told in.
pub(crate) fn server_time(text: &str) -> Decoded<(Timestamp, Micros)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        server_time: i64,
    }
    let raw: Raw = json("server time", text)?;
    let resolution = if is_micros(raw.server_time) { Micros(1) } else { Micros(1_000) };
    Ok((time(raw.server_time), resolution))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSnapshot<'a> {
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// A book snapshot of `symbol`, received `at`.
pub(crate) fn snapshot(text: &str, symbol: Symbol, scale: &Scale, at: Timestamp) -> Decoded<DepthSnapshot> {
    let (raw, p): (RawSnapshot<'_>, _) = (json("book snapshot", text)?, Parser("book snapshot"));
    let (bids, asks) = (levels(p, scale, &raw.bids)?, levels(p, scale, &raw.asks)?);
    Ok(DepthSnapshot { symbol, last_id: raw.last_update_id, bids, asks, at })
}

/// Only the update id of a snapshot.
pub(crate) fn snapshot_id(text: &str) -> Decoded<u64> {
    json::<RawSnapshot<'_>>("book snapshot", text).map(|raw| raw.last_update_id)
}

/// Best bid and ask with their quantities, as text: enough to see whether they differ from what the stream told.
pub(crate) fn best_quote(text: &str, scale: &Scale) -> Decoded<[i64; 4]> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw<'a> {
        bid_price: &'a str,
        bid_qty: &'a str,
        ask_price: &'a str,
        ask_qty: &'a str,
    }
    let (raw, p): (Raw<'_>, _) = (json("best quote", text)?, Parser("best quote"));
    let (bid, ask) = (p.ticks(scale, raw.bid_price)?, p.ticks(scale, raw.ask_price)?);
    Ok([bid.0, p.lots(scale, raw.bid_qty)?.0, ask.0, p.lots(scale, raw.ask_qty)?.0])
}

/// The market's trades, oldest first.
pub(crate) fn public_trades(text: &str, symbol: Symbol, scale: &Scale) -> Decoded<Vec<Trade>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw<'a> {
        id: u64,
        price: &'a str,
        qty: &'a str,
        time: i64,
        is_buyer_maker: bool,
    }
    let (raw, p): (Vec<Raw<'_>>, _) = (json("trade list", text)?, Parser("trade list"));
    let trade = |raw: Raw<'_>| {
        Ok(Trade {
            symbol,
            id: raw.id,
            price: p.ticks(scale, raw.price)?,
            qty: p.lots(scale, raw.qty)?,
            buyer_is_maker: raw.is_buyer_maker,
            at: time(raw.time),
        })
    };
    let mut trades: Vec<Trade> = raw.into_iter().map(trade).collect::<Decoded<_>>()?;
    trades.sort_by_key(|trade| trade.id);
    Ok(trades)
}

/// The twelve columns of a kline.
type RawKline<'a> =
    (i64, &'a str, &'a str, &'a str, &'a str, &'a str, IgnoredAny, IgnoredAny, u32, IgnoredAny, IgnoredAny, IgnoredAny);

/// Candles, oldest first, open ones included.
pub(crate) fn candles(text: &str, symbol: Symbol, interval: Interval, scale: &Scale) -> Decoded<Vec<Candle>> {
    let (raw, p): (Vec<RawKline<'_>>, _) = (json("kline list", text)?, Parser("kline list"));
    raw.into_iter()
        .map(|(open_at, open, high, low, close, volume, _, _, trades, _, _, _)| {
            Ok(Candle {
                symbol,
                interval,
                open_at: time(open_at),
                open: p.ticks(scale, open)?,
                high: p.ticks(scale, high)?,
                low: p.ticks(scale, low)?,
                close: p.ticks(scale, close)?,
                volume: p.lots(scale, volume)?,
                trades,
            })
        })
        .collect()
}
