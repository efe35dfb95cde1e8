//! Frames of the WebSocket API connection that carries the account's events.

use std::borrow::Cow;

use nightdesk_exchange::Balance;
use nightdesk_orders::{ExchangeStatus, ExecutionReport, Fill};
use nightdesk_units::{Asset, Qty, Symbol, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Decoded, Parser, json, time};

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserMessage {
    Report(ExecutionReport),
    Balances {
        at: Timestamp,
        balances: Vec<Balance>,
    },
    Transfer {
        asset: Asset,
        delta: Qty,
        at: Timestamp,
    },
    /// The answer to our request `id`.
    Answer {
        id: u64,
        error: Option<(i32, String)>,
    },
    /// The subscription has ended.
    Terminated,
    /// The server is about to go: connect anew now.
    Shutdown,
    /// An event that we do not know.
    Unknown,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<RawError<'a>>,
    #[serde(borrow)]
    e: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    #[serde(default)]
    code: i32,
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct EventName<'a> {
    #[serde(borrow)]
    e: Cow<'a, str>,
}

/// Decodes one frame. `quote_of` tells an instrument's quote asset, for a fill without a fee.
pub(crate) fn user(text: &str, quote_of: impl Fn(&Symbol) -> Option<Asset>) -> Decoded<UserMessage> {
    let frame: Frame<'_> = json("user frame", text)?;
    if let Some(event) = frame.event {
        let name: EventName<'_> = json("user event", event.get())?;
        return match name.e.as_ref() {
            "executionReport" => report(event.get(), quote_of).map(UserMessage::Report),
            "outboundAccountPosition" => position(event.get()),
            "balanceUpdate" => transfer(event.get()),
            "eventStreamTerminated" => Ok(UserMessage::Terminated),
            "serverShutdown" => Ok(UserMessage::Shutdown),
            _ => Ok(UserMessage::Unknown),
        };
    }
    match (frame.e.as_deref(), frame.id, frame.error) {
        (Some("serverShutdown"), _, _) => Ok(UserMessage::Shutdown),
        (_, Some(id), error) => {
            // Our ids are numbers; an error about an unreadable request answers with null.
            let id = id.get().trim_matches('"').parse().unwrap_or(0);
            Ok(UserMessage::Answer { id, error: error.map(|e| (e.code, e.msg.into_owned())) })
        }
        (_, None, Some(e)) => Ok(UserMessage::Answer { id: 0, error: Some((e.code, e.msg.into_owned())) }),
        _ => Ok(UserMessage::Unknown),
    }
}

#[derive(Deserialize)]
struct RawReport<'a> {
    s: &'a str,
    #[serde(borrow)]
    c: Cow<'a, str>,
    #[serde(borrow, rename = "C", default)]
    orig: Cow<'a, str>,
    #[serde(rename = "S")]
    side: &'a str,
    o: &'a str,
    f: &'a str,
    q: &'a str,
    p: &'a str,
    x: &'a str,
    #[serde(rename = "X")]
    status: &'a str,
    i: u64,
    l: &'a str,
    z: &'a str,
    #[serde(rename = "L")]
    last_price: &'a str,
    n: Option<&'a str>,
    #[serde(rename = "N")]
    fee_asset: Option<&'a str>,
    #[serde(rename = "T")]
    at: i64,
    t: i64,
    m: bool,
    #[serde(rename = "Z")]
    filled_quote: &'a str,
}

fn report(text: &str, quote_of: impl Fn(&Symbol) -> Option<Asset>) -> Decoded<ExecutionReport> {
    let (raw, p): (RawReport<'_>, _) = (json("execution report", text)?, Parser("execution report"));
    let symbol = p.symbol(raw.s)?;
    // A cancel's report carries the cancel's own id in `c` and the order's in `C`.
    let id = if raw.orig.is_empty() { &raw.c } else { &raw.orig };
    let status = match (raw.x, p.status(raw.status)?) {
        ("REJECTED", _) => ExchangeStatus::Rejected,
        (_, status) => status,
    };
    let fill = if raw.x == "TRADE" {
        let Ok(trade_id) = u64::try_from(raw.t) else { return p.bad("trade without a trade id") };
        let none = || quote_of(&symbol).or_else(|| "NONE".parse().ok());
        let fee_asset = match raw.fee_asset {
            Some(asset) => Some(p.parse("commission asset", asset)?),
            None => none(),
        };
        let Some(fee_asset) = fee_asset else { return p.bad("no commission asset") };
        Some(Fill {
            trade_id,
            price: p.parse("last price", raw.last_price)?,
            qty: p.parse("last quantity", raw.l)?,
            fee: p.parse("commission", raw.n.unwrap_or("0"))?,
            fee_asset,
            maker: raw.m,
            at: time(raw.at),
        })
    } else {
        None
    };
    Ok(ExecutionReport {
        symbol,
        client_order_id: p.client_order_id(id)?,
        exchange_order_id: raw.i,
        side: p.side(raw.side)?,
        kind: p.kind(raw.o, raw.f, raw.p)?,
        qty: p.parse("quantity", raw.q)?,
        status,
        filled: p.parse("cumulative quantity", raw.z)?,
        filled_quote: p.filled_quote(raw.filled_quote)?,
        fill,
        at: time(raw.at),
    })
}

fn position(text: &str) -> Decoded<UserMessage> {
    #[derive(Deserialize)]
    struct RawBalance<'a> {
        a: &'a str,
        f: &'a str,
        l: &'a str,
    }
    #[derive(Deserialize)]
    struct Raw<'a> {
        u: i64,
        #[serde(borrow, rename = "B")]
        balances: Vec<RawBalance<'a>>,
    }
    let (raw, p): (Raw<'_>, _) = (json("account position", text)?, Parser("account position"));
    let balance = |raw: &RawBalance<'_>| {
        Ok(Balance {
            asset: p.parse("asset", raw.a)?,
            free: p.parse("free", raw.f)?,
            locked: p.parse("locked", raw.l)?,
        })
    };
    let balances = raw.balances.iter().map(balance).collect::<Decoded<_>>()?;
    Ok(UserMessage::Balances { at: time(raw.u), balances })
}

fn transfer(text: &str) -> Decoded<UserMessage> {
    #[derive(Deserialize)]
    struct Raw<'a> {
        a: &'a str,
        d: &'a str,
        #[serde(rename = "T")]
        at: i64,
    }
    let (raw, p): (Raw<'_>, _) = (json("balance update", text)?, Parser("balance update"));
    Ok(UserMessage::Transfer { asset: p.parse("asset", raw.a)?, delta: p.parse("delta", raw.d)?, at: time(raw.at) })
}
