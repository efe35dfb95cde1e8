//! Stream events as the exchange writes them.

use nightdesk_market::{Instrument, Quote};
use nightdesk_matching::{BalancesChanged, Execution, Kline, MarketTrade, OrderReport, OrderStatus, Ticker, Transfer};
use nightdesk_units::{Decimal, Price, Timestamp};
use serde_json::{Value, json};

use crate::text::{self, TimeUnit, dec};

pub(crate) fn trade(instrument: &Instrument, trade: &MarketTrade, unit: TimeUnit) -> String {
    let at = unit.of(trade.at);
    format!(
        r#"{{"e":"trade","E":{at},"s":"{}","t":{},"p":"{}","q":"{}","T":{at},"m":{},"M":true}}"#,
        trade.symbol,
        trade.id,
        text::price(instrument, trade.price),
        text::qty(instrument, trade.qty),
        trade.buyer_is_maker
    )
}

/// Trades of one taker at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AggregateTrade {
    pub(crate) first: MarketTrade,
    pub(crate) last_id: u64,
    pub(crate) qty: nightdesk_units::Lots,
}

impl AggregateTrade {
    pub(crate) fn of(trade: &MarketTrade) -> Self {
        Self { first: *trade, last_id: trade.id, qty: trade.qty }
    }

    /// Takes `trade` in if it belongs to the same taker at the same price and time.
    pub(crate) fn take(&mut self, trade: &MarketTrade) -> bool {
        let (a, b) = (&self.first, trade);
        let same =
            a.price == b.price && a.at == b.at && a.buyer_is_maker == b.buyer_is_maker && self.last_id + 1 == b.id;
        if same {
            self.last_id = b.id;
            self.qty.0 = self.qty.0.saturating_add(b.qty.0);
        }
        same
    }
}

/// The aggregate's id is its first trade's, so that it stays the same however it is asked for.
pub(crate) fn agg_trade(instrument: &Instrument, aggregate: &AggregateTrade, unit: TimeUnit) -> String {
    let first = &aggregate.first;
    let at = unit.of(first.at);
    format!(
        r#"{{"e":"aggTrade","E":{at},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{at},"m":{},"M":true}}"#,
        first.symbol,
        first.id,
        text::price(instrument, first.price),
        text::qty(instrument, aggregate.qty),
        first.id,
        aggregate.last_id,
        first.buyer_is_maker
    )
}

pub(crate) fn book_ticker(instrument: &Instrument, quote: &Quote) -> String {
    format!(
        r#"{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        quote.update_id,
        quote.symbol,
        text::price(instrument, quote.bid),
        text::qty(instrument, quote.bid_qty),
        text::price(instrument, quote.ask),
        text::qty(instrument, quote.ask_qty)
    )
}

pub(crate) fn kline(
    instrument: &Instrument,
    interval: &str,
    end: Timestamp,
    kline: &Kline,
    closed: bool,
    now: Timestamp,
    unit: TimeUnit,
) -> String {
    let price = |ticks| text::price(instrument, ticks);
    json!({
        "e": "kline", "E": unit.of(now), "s": instrument.symbol,
        "k": {
            "t": unit.of(kline.open_at), "T": unit.last_before(end), "s": instrument.symbol, "i": interval,
            "f": trade_id(kline, kline.first_id), "L": trade_id(kline, kline.last_id),
            "o": price(kline.open), "c": price(kline.close), "h": price(kline.high), "l": price(kline.low),
            "v": text::qty(instrument, kline.volume), "n": kline.trades, "x": closed,
            "q": text::quote_amount(instrument, kline.quote_volume),
            "V": text::qty(instrument, kline.taker_buy),
            "Q": text::quote_amount(instrument, kline.taker_buy_quote), "B": "0",
        },
    })
    .to_string()
}

/// A change in percent, with three digits as the exchange writes it.
pub(crate) fn percent(figures: &TickerFigures) -> String {
    format!("{:.3}", figures.change_percent)
}

/// A trade's id; the exchange writes -1 where a candle has no trade.
pub(crate) fn trade_id(window: &Kline, id: u64) -> i64 {
    if window.trades == 0 { -1 } else { i64::try_from(id).unwrap_or(i64::MAX) }
}

/// The figures that all tickers share.
pub(crate) struct TickerFigures {
    pub(crate) change: Decimal,
    pub(crate) change_percent: Decimal,
    pub(crate) average: Decimal,
    pub(crate) quote_volume: Decimal,
}

pub(crate) fn ticker_figures(instrument: &Instrument, ticker: &Ticker) -> TickerFigures {
    let window = &ticker.window;
    let (open, close) = (instrument.price(window.open).get(), instrument.price(window.close).get());
    let change = close.saturating_sub(open);
    let change_percent = (change * Decimal::ONE_HUNDRED).checked_div(open).unwrap_or_default().round_dp(3);
    let quote_volume = text::quote_value(instrument, window.quote_volume);
    let average = quote_volume.checked_div(instrument.qty(window.volume).get()).unwrap_or(close).round_dp(8);
    TickerFigures { change, change_percent, average, quote_volume }
}

pub(crate) fn ticker(instrument: &Instrument, t: &Ticker, best: &Quote, now: Timestamp, unit: TimeUnit) -> Value {
    let window = &t.window;
    let figures = ticker_figures(instrument, t);
    let price = |ticks| text::price(instrument, ticks);
    let qty = |lots| text::qty(instrument, lots);
    json!({
        "e": "24hrTicker", "E": unit.of(now), "s": instrument.symbol, "p": dec(figures.change),
        "P": percent(&figures), "w": dec(figures.average), "x": price(t.previous_close),
        "c": price(window.close), "Q": qty(t.last_qty), "b": price(best.bid), "B": qty(best.bid_qty),
        "a": price(best.ask), "A": qty(best.ask_qty), "o": price(window.open), "h": price(window.high),
        "l": price(window.low), "v": qty(window.volume), "q": dec(figures.quote_volume),
        "O": unit.of(t.open_at), "C": unit.of(t.close_at), "F": trade_id(window, window.first_id), "L": trade_id(window, window.last_id), "n": window.trades,
    })
}

pub(crate) fn rolling_ticker(instrument: &Instrument, t: &Ticker, name: &str, now: Timestamp, unit: TimeUnit) -> Value {
    let window = &t.window;
    let figures = ticker_figures(instrument, t);
    let price = |ticks| text::price(instrument, ticks);
    json!({
        "e": format!("{name}Ticker"), "E": unit.of(now), "s": instrument.symbol, "p": dec(figures.change),
        "P": percent(&figures), "o": price(window.open), "h": price(window.high), "l": price(window.low),
        "c": price(window.close), "w": dec(figures.average), "v": text::qty(instrument, window.volume),
        "q": dec(figures.quote_volume), "O": unit.of(t.open_at), "C": unit.of(t.close_at),
        "F": trade_id(window, window.first_id), "L": trade_id(window, window.last_id), "n": window.trades,
    })
}

pub(crate) fn mini_ticker(instrument: &Instrument, t: &Ticker, now: Timestamp, unit: TimeUnit) -> Value {
    let window = &t.window;
    let price = |ticks| text::price(instrument, ticks);
    json!({
        "e": "24hrMiniTicker", "E": unit.of(now), "s": instrument.symbol, "c": price(window.close), "o": price(window.open),
        "h": price(window.high), "l": price(window.low), "v": text::qty(instrument, window.volume),
        "q": text::quote_amount(instrument, window.quote_volume),
    })
}

pub(crate) fn average(
    symbol: &str,
    minutes: u32,
    price: Price,
    last: Timestamp,
    now: Timestamp,
    unit: TimeUnit,
) -> String {
    let (now, last, price) = (unit.of(now), unit.of(last), dec(price.get().round_dp(8)));
    format!(r#"{{"e":"avgPrice","E":{now},"s":"{symbol}","i":"{minutes}m","w":"{price}","T":{last}}}"#)
}

/// An order's status in the exchange's words.
pub(crate) fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::New => "NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

/// An execution type in the exchange's words.
pub(crate) fn execution(execution: Execution) -> &'static str {
    match execution {
        Execution::New => "NEW",
        Execution::Trade => "TRADE",
        Execution::Canceled => "CANCELED",
        Execution::Expired => "EXPIRED",
        Execution::TradePrevention => "TRADE_PREVENTION",
        Execution::Replaced => "REPLACED",
    }
}

pub(crate) fn execution_report(report: &OrderReport, unit: TimeUnit) -> String {
    let order = &report.order;
    let fill = report.fill.as_ref();
    let zero = || dec(Decimal::ZERO);
    let (id, original) = match report.cancel_id {
        Some(old_id) if report.execution == Execution::Replaced => {
            (order.client_order_id.to_string(), old_id.to_string())
        }
        Some(cancel_id) => (cancel_id.to_string(), order.client_order_id.to_string()),
        None => (order.client_order_id.to_string(), String::new()),
    };
    json!({
        "e": "executionReport", "E": unit.of(report.at), "s": order.symbol, "c": id, "S": order.side,
        "o": order.order_type, "f": order.tif, "q": dec(order.qty.get()), "p": dec(order.price.get()), "P": zero(),
        "F": zero(), "g": -1, "C": original, "x": execution(report.execution), "X": status(order.status), "r": "NONE",
        "i": order.order_id, "l": fill.map_or_else(zero, |f| dec(f.qty.get())), "z": dec(order.filled.get()),
        "L": fill.map_or_else(zero, |f| dec(f.price.get())),
        "n": fill.map_or_else(|| "0".to_owned(), |f| dec(f.commission.get())), "N": fill.map(|f| f.commission_asset),
        "T": unit.of(report.at), "t": fill.map_or(-1, |f| i64::try_from(f.trade_id).unwrap_or(i64::MAX)),
        "I": report.execution_id, "w": order.status.is_open(), "m": fill.is_some_and(|f| f.maker), "M": fill.is_some(),
        "O": unit.of(order.created_at), "Z": dec(order.filled_quote.get()),
        "Y": fill.map_or_else(zero, |f| dec(f.quote_qty.get())), "Q": dec(order.quote_order_qty.get()),
        "W": unit.of(order.working_at), "V": order.stp,
    })
    .to_string()
}

pub(crate) fn account_position(changed: &BalancesChanged, unit: TimeUnit) -> String {
    let balances: Vec<Value> = changed
        .balances
        .iter()
        .map(|b| json!({ "a": b.asset, "f": dec(b.free.get()), "l": dec(b.locked.get()) }))
        .collect();
    let at = unit.of(changed.at);
    json!({ "e": "outboundAccountPosition", "E": at, "u": at, "B": balances }).to_string()
}

pub(crate) fn balance_update(transfer: &Transfer, unit: TimeUnit) -> String {
    let at = unit.of(transfer.at);
    json!({ "e": "balanceUpdate", "E": at, "a": transfer.asset, "d": dec(transfer.delta.get()), "T": at }).to_string()
}
