//! Market data: book, trades, candles, tickers.

use nightdesk_market::{Instrument, Interval};
use nightdesk_matching::{DepthView, Kline, MarketTrade, Ticker};
use nightdesk_units::{Decimal, Lots, Micros, Symbol, Ticks, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call, wanted_symbols};
use crate::engine::Core;
use crate::error::ApiError;
use crate::text::{self, dec};
use crate::ws::events::{AggregateTrade, percent, ticker_figures, trade_id};

/// A book as `depth` answers and the partial streams send it.
pub(crate) fn depth_view(instrument: &Instrument, view: &DepthView) -> Value {
    let side = |levels: &[nightdesk_market::Level]| -> Vec<Value> {
        let pair = |(price, qty): &nightdesk_market::Level| {
            json!([text::price(instrument, *price), text::qty(instrument, *qty)])
        };
        levels.iter().map(pair).collect()
    };
    json!({ "lastUpdateId": view.last_id, "bids": side(&view.bids), "asks": side(&view.asks) })
}

pub(super) fn depth(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let limit = call.params.limit(100, 5_000)?;
    call.params.ignore(&["symbolStatus"]);
    call.params.finish()?;
    let instrument = core.world.instrument(symbol)?;
    Ok(depth_view(instrument, &core.world.venue.depth(symbol, limit)?).into())
}

fn trade(instrument: &Instrument, trade: &MarketTrade, call: &Call) -> Value {
    let amount = i128::from(trade.price.0) * i128::from(trade.qty.0);
    json!({
        "id": trade.id, "price": text::price(instrument, trade.price), "qty": text::qty(instrument, trade.qty),
        "quoteQty": text::quote_amount(instrument, amount), "time": call.time(trade.at),
        "isBuyerMaker": trade.buyer_is_maker, "isBestMatch": true,
    })
}

pub(super) fn trades(core: &Core, call: &Call, historical: bool) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let limit = call.params.limit(500, 1_000)?;
    let from_id = if historical { call.params.int("fromId")? } else { None };
    call.params.finish()?;
    let instrument = core.world.instrument(symbol)?;
    let trades = core.world.venue.trades(symbol, from_id, limit)?;
    Ok(trades.iter().map(|t| trade(instrument, t, call)).collect::<Value>().into())
}

pub(super) fn agg_trades(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let limit = call.params.limit(500, 1_000)?;
    let from_id = call.params.int("fromId")?;
    let (start, end) = (call.params.time("startTime")?, call.params.time("endTime")?);
    call.params.finish()?;
    let instrument = core.world.instrument(symbol)?;
    let inside = |t: &&MarketTrade| start.is_none_or(|s| t.at >= s) && end.is_none_or(|e| t.at <= e);
    let mut aggregates: Vec<AggregateTrade> = Vec::new();
    for trade in core.world.venue.trades(symbol, from_id, usize::MAX)?.iter().filter(inside) {
        if !aggregates.last_mut().is_some_and(|last| last.take(trade)) {
            aggregates.push(AggregateTrade::of(trade));
        }
    }
    let oldest_first = from_id.is_some() || start.is_some();
    let skip = if oldest_first { 0 } else { aggregates.len().saturating_sub(limit) };
    let one = |a: &AggregateTrade| {
        json!({
            "a": a.first.id, "p": text::price(instrument, a.first.price), "q": text::qty(instrument, a.qty),
            "f": a.first.id, "l": a.last_id, "T": call.time(a.first.at), "m": a.first.buyer_is_maker, "M": true,
        })
    };
    Ok(aggregates.iter().skip(skip).take(limit).map(one).collect::<Value>().into())
}

pub(super) fn average(core: &Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    call.params.finish()?;
    let average = core.world.venue.average(symbol, now)?;
    Ok(match average {
        Some(average) => json!({
            "mins": average.minutes, "price": dec(average.price.get().round_dp(8)),
            "closeTime": call.time(average.last_trade_at),
        }),
        None => json!({ "mins": 5, "price": dec(Decimal::ZERO), "closeTime": 0 }),
    }
    .into())
}

/// Which window a ticker is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TickerKind {
    Day,
    TradingDay,
    Window,
}

pub(super) fn ticker(core: &Core, call: &Call, now: Timestamp, kind: TickerKind) -> Result<Answer, ApiError> {
    let (symbols, single) = wanted_symbols(core, &call.params)?;
    if kind != TickerKind::Day && call.params.peek("symbol").or(call.params.peek("symbols")).is_none() {
        return Err(ApiError::bad(-1128, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"));
    }
    let mini = match call.params.text("type")? {
        None | Some("FULL") => false,
        Some("MINI") => true,
        Some(_) => return Err(ApiError::bad(-1139, "Invalid ticker type.")),
    };
    let window = if kind == TickerKind::Window { call.params.text("windowSize")?.unwrap_or("1d") } else { "1d" };
    let window = window_size(window)?;
    call.params.ignore(&["timeZone", "symbolStatus"]);
    call.params.finish()?;
    let mut list = Vec::new();
    for symbol in symbols {
        let instrument = core.world.instrument(symbol)?;
        let day = core.world.venue.ticker(symbol, now)?.unwrap_or_else(|| nothing_traded(now));
        let figures = match kind {
            TickerKind::Day => day,
            TickerKind::TradingDay => {
                narrowed(core, symbol, &day, Timestamp(now.0 - now.0.rem_euclid(86_400_000_000)), now)?
            }
            TickerKind::Window => narrowed(core, symbol, &day, now - window, now)?,
        };
        list.push(ticker_view(core, instrument, &figures, call, mini, kind == TickerKind::Day)?);
    }
    Ok(if single { list.pop().unwrap_or(json!({})) } else { list.into() }.into())
}

/// A market's day without a trade: zeros, as the exchange answers.
fn nothing_traded(now: Timestamp) -> Ticker {
    let zero = Ticks(0);
    let window = Kline {
        open_at: now,
        open: zero,
        high: zero,
        low: zero,
        close: zero,
        volume: Lots(0),
        quote_volume: 0,
        taker_buy: Lots(0),
        taker_buy_quote: 0,
        first_id: 0,
        last_id: 0,
        trades: 0,
    };
    let open_at = now - Micros(86_400_000_000);
    Ticker { open_at, close_at: now, window, previous_close: zero, last_qty: Lots(0) }
}

/// A ticker over the last `window`; `None` before the first trade.
pub(crate) fn rolling(core: &Core, symbol: Symbol, window: Micros, now: Timestamp) -> Result<Option<Ticker>, ApiError> {
    let day = core.world.venue.ticker(symbol, now)?;
    day.map(|day| narrowed(core, symbol, &day, now - window, now)).transpose()
}

/// No instrument has a reference price here, which the exchange tells as null.
pub(super) fn reference_price(core: &Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    call.params.ignore(&["symbolStatus"]);
    call.params.finish()?;
    core.world.instrument(symbol)?;
    Ok(json!({ "symbol": symbol, "referencePrice": null, "timestamp": call.time(now) }).into())
}

fn window_size(text: &str) -> Result<Micros, ApiError> {
    let error = || ApiError::illegal("windowSize", "^([1-9]|[1-5][0-9])m$|^([1-9]|1[0-9]|2[0-3])h$|^[1-7]d$");
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: i64 = number.parse().ok().filter(|n| (1..=59).contains(n)).ok_or_else(error)?;
    match unit {
        "m" => Ok(Micros::from_secs(number * 60)),
        "h" if number <= 23 => Ok(Micros::from_secs(number * 3_600)),
        "d" if number <= 7 => Ok(Micros::from_secs(number * 86_400)),
        _ => Err(error()),
    }
}

/// A ticker over the minutes since `from`.
fn narrowed(core: &Core, symbol: Symbol, day: &Ticker, from: Timestamp, now: Timestamp) -> Result<Ticker, ApiError> {
    let from = Interval::ONE_MINUTE.open_of(from);
    let minutes = core.world.venue.klines(symbol, Interval::ONE_MINUTE, Some(from), None, 11_000, now)?;
    let Some(first) = minutes.first() else { return Ok(*day) };
    let mut window = *first;
    minutes.iter().skip(1).for_each(|minute| super::klines::add(&mut window, minute));
    Ok(Ticker { open_at: from, close_at: now, window, ..*day })
}

fn ticker_view(
    core: &Core,
    instrument: &Instrument,
    ticker: &Ticker,
    call: &Call,
    mini: bool,
    with_book: bool,
) -> Result<Value, ApiError> {
    let window = &ticker.window;
    let price = |ticks| text::price(instrument, ticks);
    let figures = ticker_figures(instrument, ticker);
    let mut view = json!({
        "symbol": instrument.symbol, "openPrice": price(window.open), "highPrice": price(window.high),
        "lowPrice": price(window.low), "lastPrice": price(window.close), "volume": text::qty(instrument, window.volume),
        "quoteVolume": dec(figures.quote_volume), "openTime": call.time(ticker.open_at),
        "closeTime": call.time(ticker.close_at), "firstId": trade_id(window, window.first_id), "lastId": trade_id(window, window.last_id),
        "count": window.trades,
    });
    if !mini {
        view["priceChange"] = json!(dec(figures.change));
        view["priceChangePercent"] = json!(percent(&figures));
        view["weightedAvgPrice"] = json!(dec(figures.average));
        if with_book {
            let best = core.world.venue.best(instrument.symbol)?;
            view["prevClosePrice"] = json!(price(ticker.previous_close));
            view["lastQty"] = json!(text::qty(instrument, ticker.last_qty));
            view["bidPrice"] = json!(price(best.bid));
            view["bidQty"] = json!(text::qty(instrument, best.bid_qty));
            view["askPrice"] = json!(price(best.ask));
            view["askQty"] = json!(text::qty(instrument, best.ask_qty));
        }
    }
    Ok(view)
}

/// One object, or a list, as the request named one symbol or several.
fn one_or_list(list: Vec<Value>, single: bool) -> Answer {
    let mut list = list;
    if single { list.pop().unwrap_or_else(|| json!({})).into() } else { Value::from(list).into() }
}

pub(super) fn prices(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let (symbols, single) = wanted_symbols(core, &call.params)?;
    call.params.ignore(&["symbolStatus"]);
    call.params.finish()?;
    let mut list = Vec::new();
    for symbol in symbols {
        let instrument = core.world.instrument(symbol)?;
        let last = core.world.venue.last_price(symbol)?.unwrap_or_default();
        list.push(json!({ "symbol": symbol, "price": text::price(instrument, last) }));
    }
    Ok(one_or_list(list, single))
}

pub(super) fn book_tickers(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let (symbols, single) = wanted_symbols(core, &call.params)?;
    call.params.ignore(&["symbolStatus"]);
    call.params.finish()?;
    let mut list = Vec::new();
    for symbol in symbols {
        let instrument = core.world.instrument(symbol)?;
        let best = core.world.venue.best(symbol)?;
        list.push(json!({
            "symbol": symbol, "bidPrice": text::price(instrument, best.bid),
            "bidQty": text::qty(instrument, best.bid_qty), "askPrice": text::price(instrument, best.ask),
            "askQty": text::qty(instrument, best.ask_qty),
        }));
    }
    Ok(one_or_list(list, single))
}
