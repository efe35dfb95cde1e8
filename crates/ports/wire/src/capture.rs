//! The capture format: what `nightdesk record` writes and every replay reads.
//!
//! One line per message: local receive time in nanoseconds, a space, the exchange's JSON as received. Combined-stream
//! envelopes (`{"stream":"btcusdt@trade","data":{…}}`), bare stream events (`{"e":"trade",…}`) and REST depth snapshots
//! (`{"lastUpdateId":…}`, with or without an envelope `btcusdt@depthSnapshot`) are understood; other streams are kept as
//! [`Message::Other`]. Pure: it opens no file, see `exchange-simulator`'s reader for that.

mod discovery;

use std::borrow::Cow;

use nightdesk_market::{DepthSnapshot, DepthUpdate, Instrument, Level, MarketEvent, Quote, Trade};
use nightdesk_units::{Decimal, Price, Qty, Symbol, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use discovery::{Discovery, usual_instrument};

/// A line that is not in the capture format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CaptureError {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// A decoded line.
#[derive(Debug, Clone, PartialEq)]
pub struct Captured<'a> {
    /// When it was received, in nanoseconds since the epoch by the recorder's clock.
    pub received_ns: i64,
    /// What it says.
    pub message: Message<'a>,
}

impl Captured<'_> {
    /// When it was received.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        Timestamp(self.received_ns.div_euclid(1_000))
    }
}

/// A price and a quantity, as the exchange wrote them.
pub type RawLevel = (Decimal, Decimal);

/// What a line says, in the exchange's decimals.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// `bookTicker`.
    Quote {
        /// Instrument.
        symbol: Symbol,
        /// The exchange's book update id.
        update_id: u64,
        /// Best bid and its quantity.
        bid: RawLevel,
        /// Best ask and its quantity.
        ask: RawLevel,
    },
    /// `trade`.
    Trade {
        /// Instrument.
        symbol: Symbol,
        /// The exchange's trade id.
        id: u64,
        /// Price.
        price: Decimal,
        /// Quantity.
        qty: Decimal,
        /// True when the buyer's order was resting.
        buyer_is_maker: bool,
        /// Exchange time of the trade.
        at: Timestamp,
    },
    /// `depth` and `depth@100ms`.
    Depth {
        /// Instrument.
        symbol: Symbol,
        /// First update id (`U`).
        first_id: u64,
        /// Last update id (`u`).
        last_id: u64,
        /// Changed bids; quantity zero deletes.
        bids: Vec<RawLevel>,
        /// Changed asks; quantity zero deletes.
        asks: Vec<RawLevel>,
        /// Exchange time of the event.
        at: Timestamp,
    },
    /// A whole book from REST.
    Snapshot {
        /// Instrument; `None` in a bare snapshot, which belongs to the recording's only instrument.
        symbol: Option<Symbol>,
        /// The book is as of this update id.
        last_id: u64,
        /// Bids.
        bids: Vec<RawLevel>,
        /// Asks.
        asks: Vec<RawLevel>,
    },
    /// A stream that replay has no use for.
    Other(Cow<'a, str>),
}

impl Message<'_> {
    /// The instrument, where the message names one.
    #[must_use]
    pub fn symbol(&self) -> Option<Symbol> {
        match self {
            Self::Quote { symbol, .. } | Self::Trade { symbol, .. } | Self::Depth { symbol, .. } => Some(*symbol),
            Self::Snapshot { symbol, .. } => *symbol,
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawQuote<'a> {
    u: u64,
    #[serde(borrow)]
    s: Cow<'a, str>,
    b: Number,
    #[serde(rename = "B")]
    bid_qty: Number,
    a: Number,
    #[serde(rename = "A")]
    ask_qty: Number,
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    #[serde(borrow)]
    s: Cow<'a, str>,
    t: u64,
    p: Number,
    q: Number,
    #[serde(rename = "T")]
    at: i64,
    m: bool,
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "E")]
    at: i64,
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    b: Levels,
    a: Levels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSnapshot {
    last_update_id: u64,
    bids: Levels,
    asks: Levels,
}

/// A decimal in quotation marks, kept exactly.
struct Number(Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decimal number as text")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                decimal(text)
                    .map(Number)
                    .ok_or_else(|| E::custom(format_args!("not an exact, non-negative decimal: {text:?}")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Parses digits with at most one point; the usual short numbers take a path without 128-bit arithmetic.
fn decimal(text: &str) -> Option<Decimal> {
    if text.len() > 19 {
        return Decimal::from_str_exact(text).ok().filter(|value| !value.is_sign_negative());
    }
    let (mut value, mut point, mut digits) = (0i64, None, 0u32);
    for byte in text.bytes() {
        match byte {
            // At most 19 characters: 18 digits and a point, or 19 digits, which may overflow and is then refused.
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    (digits > 0).then(|| Decimal::new(value, point.map_or(0, |at| digits - at)))
}

struct Levels(Vec<RawLevel>);

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Levels;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of [price, quantity]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Levels, A::Error> {
                let mut levels = Vec::with_capacity(seq.size_hint().unwrap_or(16).min(10_000));
                while let Some((price, qty)) = seq.next_element::<(Number, Number)>()? {
                    levels.push((price.0, qty.0));
                }
                Ok(Levels(levels))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Decodes line number `line` (from 1) of a capture.
///
/// # Errors
/// Names the line and what is wrong with it.
pub fn decode(line: u64, text: &str) -> Result<Captured<'_>, CaptureError> {
    let error = |reason: String| CaptureError { line, reason };
    let (time, json) = text.split_once(' ').ok_or_else(|| error("no space after the receive time".to_owned()))?;
    let received_ns =
        time.parse().map_err(|_| error(format!("receive time is no integer of nanoseconds: {time:?}")))?;
    let message = message(json.trim_end()).map_err(error)?;
    Ok(Captured { received_ns, message })
}

/// Decodes one message of the exchange, without the receive time.
///
/// # Errors
/// Says what is wrong with it.
pub fn message(json: &str) -> Result<Message<'_>, String> {
    let text = |e: serde_json::Error| format!("malformed message: {e}");
    if json.starts_with("{\"stream\"") {
        let envelope: Envelope<'_> = serde_json::from_str(json).map_err(text)?;
        let (Some(stream), Some(data)) = (envelope.stream, envelope.data) else {
            return Err("malformed message: an envelope needs stream and data".to_owned());
        };
        return of_stream(stream, data.get());
    }
    bare(json)
}

fn of_stream<'a>(stream: Cow<'a, str>, data: &'a str) -> Result<Message<'a>, String> {
    let Some((name, kind)) = stream.split_once('@') else { return Ok(Message::Other(stream)) };
    match kind {
        "bookTicker" => quote(data),
        "trade" => trade(data),
        "depth" | "depth@100ms" => depth(data),
        "depthSnapshot" => {
            let symbol = symbol(&name.to_ascii_uppercase())?;
            snapshot(data, Some(symbol))
        }
        _ => Ok(Message::Other(stream)),
    }
}

/// Events without an envelope tell their kind by `e`; `bookTicker` and snapshots have none and are told by their keys.
fn bare(json: &str) -> Result<Message<'_>, String> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        e: Option<Cow<'a, str>>,
        #[serde(rename = "lastUpdateId")]
        last_update_id: Option<u64>,
        #[serde(rename = "B")]
        bid_qty: Option<&'a RawValue>,
        u: Option<&'a RawValue>,
    }
    let kind: Kind<'_> = serde_json::from_str(json).map_err(|e| format!("malformed message: {e}"))?;
    match (kind.e.as_deref(), kind.last_update_id, kind.bid_qty.and(kind.u)) {
        (Some("trade"), _, _) => trade(json),
        (Some("depthUpdate"), _, _) => depth(json),
        (None | Some("bookTicker"), None, Some(_)) => quote(json),
        (None, Some(_), _) => snapshot(json, None),
        (Some(_), _, _) => Ok(Message::Other(kind.e.unwrap_or_default())),
        (None, None, None) => Err("malformed message: no stream, no event type, no book".to_owned()),
    }
}

fn symbol(text: &str) -> Result<Symbol, String> {
    text.parse().map_err(|e: nightdesk_units::NameError| format!("bad symbol: {e}"))
}

fn quote<'a>(data: &str) -> Result<Message<'a>, String> {
    let raw: RawQuote<'_> = serde_json::from_str(data).map_err(|e| format!("malformed bookTicker: {e}"))?;
    let (bid, ask) = ((raw.b.0, raw.bid_qty.0), (raw.a.0, raw.ask_qty.0));
    Ok(Message::Quote { symbol: symbol(&raw.s)?, update_id: raw.u, bid, ask })
}

fn trade<'a>(data: &str) -> Result<Message<'a>, String> {
    let raw: RawTrade<'_> = serde_json::from_str(data).map_err(|e| format!("malformed trade: {e}"))?;
    Ok(Message::Trade {
        symbol: symbol(&raw.s)?,
        id: raw.t,
        price: raw.p.0,
        qty: raw.q.0,
        buyer_is_maker: raw.m,
        at: exchange_time(raw.at),
    })
}

fn depth<'a>(data: &str) -> Result<Message<'a>, String> {
    let raw: RawDepth<'_> = serde_json::from_str(data).map_err(|e| format!("malformed depthUpdate: {e}"))?;
    if raw.first > raw.u {
        return Err(format!("malformed depthUpdate: U {} is after u {}", raw.first, raw.u));
    }
    Ok(Message::Depth {
        symbol: symbol(&raw.s)?,
        first_id: raw.first,
        last_id: raw.u,
        bids: raw.b.0,
        asks: raw.a.0,
        at: exchange_time(raw.at),
    })
}

fn snapshot<'a>(data: &str, symbol: Option<Symbol>) -> Result<Message<'a>, String> {
    let raw: RawSnapshot = serde_json::from_str(data).map_err(|e| format!("malformed snapshot: {e}"))?;
    Ok(Message::Snapshot { symbol, last_id: raw.last_update_id, bids: raw.bids.0, asks: raw.asks.0 })
}

/// The exchange sends milliseconds, or microseconds where the client asked for them; milliseconds stay below 10^14 until
/// the year 5138.
fn exchange_time(raw: i64) -> Timestamp {
    if raw.abs() < 100_000_000_000_000 { Timestamp::from_millis(raw) } else { Timestamp(raw) }
}

impl Message<'_> {
    /// The message in ticks and lots of `instrument`; `None` for [`Message::Other`]. `received_at` dates what carries no
    /// time of its own.
    ///
    /// # Errors
    /// Names the number that is no whole tick or lot.
    pub fn event(&self, instrument: &Instrument, received_at: Timestamp) -> Result<Option<MarketEvent>, String> {
        let symbol = instrument.symbol;
        Ok(Some(match self {
            Self::Quote { update_id, bid, ask, .. } => {
                let ((bid, bid_qty), (ask, ask_qty)) = (level(instrument, *bid)?, level(instrument, *ask)?);
                let (update_id, at) = (*update_id, received_at);
                MarketEvent::Quote(Quote { symbol, update_id, bid, bid_qty, ask, ask_qty, at })
            }
            Self::Trade { id, price, qty, buyer_is_maker, at, .. } => {
                let (price, qty) = level(instrument, (*price, *qty))?;
                MarketEvent::Trade(Trade { symbol, id: *id, price, qty, buyer_is_maker: *buyer_is_maker, at: *at })
            }
            Self::Depth { first_id, last_id, bids, asks, at, .. } => {
                let (bids, asks) = (levels(instrument, bids)?, levels(instrument, asks)?);
                MarketEvent::Depth(DepthUpdate { symbol, first_id: *first_id, last_id: *last_id, bids, asks, at: *at })
            }
            Self::Snapshot { last_id, bids, asks, .. } => {
                let (bids, asks) = (levels(instrument, bids)?, levels(instrument, asks)?);
                MarketEvent::Snapshot(DepthSnapshot { symbol, last_id: *last_id, bids, asks, at: received_at })
            }
            Self::Other(_) => return Ok(None),
        }))
    }
}

fn level(instrument: &Instrument, (price, qty): RawLevel) -> Result<Level, String> {
    let name = |e: nightdesk_units::ScaleError| format!("{}: {e}", instrument.symbol);
    let price = instrument.scale.ticks(Price::new(price)).map_err(name)?;
    Ok((price, instrument.scale.lots(Qty::new(qty)).map_err(name)?))
}

fn levels(instrument: &Instrument, raw: &[RawLevel]) -> Result<Vec<Level>, String> {
    raw.iter().map(|pair| level(instrument, *pair)).collect()
}

#[cfg(test)]
#[path = "capture/capture_tests.rs"]
mod tests;
