//! Frames of the combined market stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nightdesk_market::{Candle, DepthUpdate, Level, Quote, Trade};
use nightdesk_units::{Scale, Symbol, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Decoded, Parser, json, time};
use crate::meters::Malformed;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MarketMessage {
    Quote(Quote),
    Trade(Trade),
    Depth(DepthUpdate),
    /// A candle that closed.
    Candle(Candle),
    /// A candle that is still open: a sign of life only.
    OpenCandle(Symbol),
    /// The answer to our message `id`; an error's text when it was refused.
    Ack {
        id: u64,
        error: Option<String>,
    },
    /// The server is about to go: connect anew now.
    Shutdown,
    /// An event that we do not know.
    Unknown,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
    id: Option<u64>,
    #[serde(borrow)]
    error: Option<RawError<'a>>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    #[serde(borrow)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct EventName<'a> {
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
}

/// Decodes one frame. `received` is the time of receipt by the exchange's clock, for what carries no time.
pub(crate) fn market(text: &str, scales: &BTreeMap<Symbol, Scale>, received: Timestamp) -> Decoded<MarketMessage> {
    let frame: Frame<'_> = json("market frame", text)?;
    if let (Some(stream), Some(data)) = (&frame.stream, frame.data) {
        let kind = stream.split_once('@').map_or("", |(_, kind)| kind);
        return match kind {
            "bookTicker" => quote(data.get(), scales, received),
            "trade" => trade(data.get(), scales),
            kind if kind.starts_with("depth") => depth(data.get(), scales),
            kind if kind.starts_with("kline_") => candle(data.get(), scales),
            _ => Ok(other(json::<EventName<'_>>("market frame", data.get())?.e.as_deref())),
        };
    }
    if let Some(id) = frame.id {
        let error = frame.error.map(|error| error.msg).or(frame.msg);
        return Ok(MarketMessage::Ack { id, error: error.map(Cow::into_owned) });
    }
    match (frame.error, frame.msg) {
        (None, None) => Ok(other(frame.e.as_deref())),
        (Some(RawError { msg }), _) | (_, Some(msg)) => Ok(MarketMessage::Ack { id: 0, error: Some(msg.into_owned()) }),
    }
}

fn other(event: Option<&str>) -> MarketMessage {
    if event == Some("serverShutdown") { MarketMessage::Shutdown } else { MarketMessage::Unknown }
}

/// The instrument of a message, which must be one that was asked for.
fn instrument(kind: &'static str, text: &str, scales: &BTreeMap<Symbol, Scale>) -> Decoded<(Symbol, Scale)> {
    let symbol = Parser(kind).symbol(text)?;
    let scale = scales.get(&symbol).ok_or_else(|| Malformed::new(kind, "symbol was not subscribed"))?;
    Ok((symbol, *scale))
}

#[derive(Deserialize)]
struct RawQuote<'a> {
    u: u64,
    s: &'a str,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

fn quote(text: &str, scales: &BTreeMap<Symbol, Scale>, at: Timestamp) -> Decoded<MarketMessage> {
    let (raw, p): (RawQuote<'_>, _) = (json("quote", text)?, Parser("quote"));
    let (symbol, scale) = instrument(p.0, raw.s, scales)?;
    Ok(MarketMessage::Quote(Quote {
        symbol,
        update_id: raw.u,
        bid: p.ticks(&scale, raw.b)?,
        bid_qty: p.lots(&scale, raw.bid_qty)?,
        ask: p.ticks(&scale, raw.a)?,
        ask_qty: p.lots(&scale, raw.ask_qty)?,
        at,
    }))
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    s: &'a str,
    t: u64,
    p: &'a str,
    q: &'a str,
    #[serde(rename = "T")]
    at: i64,
    m: bool,
}

fn trade(text: &str, scales: &BTreeMap<Symbol, Scale>) -> Decoded<MarketMessage> {
    let (raw, p): (RawTrade<'_>, _) = (json("trade", text)?, Parser("trade"));
    let (symbol, scale) = instrument(p.0, raw.s, scales)?;
    Ok(MarketMessage::Trade(Trade {
        symbol,
        id: raw.t,
        price: p.ticks(&scale, raw.p)?,
        qty: p.lots(&scale, raw.q)?,
        buyer_is_maker: raw.m,
        at: time(raw.at),
    }))
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "E")]
    at: i64,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

fn depth(text: &str, scales: &BTreeMap<Symbol, Scale>) -> Decoded<MarketMessage> {
    let (raw, p): (RawDepth<'_>, _) = (json("depth", text)?, Parser("depth"));
    let (symbol, scale) = instrument(p.0, raw.s, scales)?;
    if raw.first > raw.u {
        return p.bad("first update id after the last");
    }
    Ok(MarketMessage::Depth(DepthUpdate {
        symbol,
        first_id: raw.first,
        last_id: raw.u,
        bids: levels(p, &scale, &raw.b)?,
        asks: levels(p, &scale, &raw.a)?,
        at: time(raw.at),
    }))
}

pub(super) fn levels(p: Parser, scale: &Scale, raw: &[(&str, &str)]) -> Decoded<Vec<Level>> {
    raw.iter().map(|(price, qty)| Ok((p.ticks(scale, price)?, p.lots(scale, qty)?))).collect()
}

#[derive(Deserialize)]
struct RawKlineEvent<'a> {
    #[serde(borrow)]
    k: RawKline<'a>,
}

#[derive(Deserialize)]
struct RawKline<'a> {
    t: i64,
    s: &'a str,
    i: &'a str,
    o: &'a str,
    h: &'a str,
    l: &'a str,
    c: &'a str,
    v: &'a str,
    n: u32,
    x: bool,
}

fn candle(text: &str, scales: &BTreeMap<Symbol, Scale>) -> Decoded<MarketMessage> {
    let (RawKlineEvent { k }, p): (RawKlineEvent<'_>, _) = (json("candle", text)?, Parser("candle"));
    let (symbol, scale) = instrument(p.0, k.s, scales)?;
    if !k.x {
        return Ok(MarketMessage::OpenCandle(symbol));
    }
    let interval = p.parse("interval", k.i)?;
    Ok(MarketMessage::Candle(Candle {
        symbol,
        interval,
        open_at: time(k.t),
        open: p.ticks(&scale, k.o)?,
        high: p.ticks(&scale, k.h)?,
        low: p.ticks(&scale, k.l)?,
        close: p.ticks(&scale, k.c)?,
        volume: p.lots(&scale, k.v)?,
        trades: k.n,
    }))
}
