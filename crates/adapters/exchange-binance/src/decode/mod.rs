//! From the exchange's text to our types. Pure. What does not fit exactly (a price between two ticks, an unknown
//! status) is [`Malformed`], never rounded and never guessed.

mod account;
mod market;
mod reference;
mod user;

use std::borrow::Cow;
use std::str::FromStr;

use nightdesk_market::Side;
use nightdesk_orders::{ClientOrderId, ExchangeStatus, OrderKind, TimeInForce};
use nightdesk_units::{Lots, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};
use serde::Deserialize;

pub(crate) use account::{balances, canceled, order, orders, placed, trades};
pub(crate) use market::{MarketMessage, market};
pub(crate) use reference::{
    ExchangeInfo, best_quote, candles, exchange_info, public_trades, server_time, snapshot, snapshot_id,
};
pub(crate) use user::{UserMessage, user};

use crate::meters::Malformed;

type Decoded<T> = Result<T, Malformed>;

/// The exchange tells milliseconds unless it was asked for microseconds, and not every server honours the question.
/// 10¹⁴ lies in 1973 as the one and in 5138 as the other.
pub(crate) fn time(raw: i64) -> Timestamp {
    if is_micros(raw) { Timestamp(raw) } else { Timestamp::from_millis(raw) }
}

fn is_micros(raw: i64) -> bool {
    raw.unsigned_abs() >= 100_000_000_000_000
}

fn json<'a, T: Deserialize<'a>>(kind: &'static str, text: &'a str) -> Decoded<T> {
    // serde's own message may quote the text; a place and a category are enough.
    serde_json::from_str(text)
        .map_err(|e| Malformed::new(kind, format_args!("{:?} error at column {}", e.classify(), e.column())))
}

/// Parses the fields of one message; carries its kind for the error.
#[derive(Clone, Copy)]
struct Parser(&'static str);

impl Parser {
    fn bad<T>(self, what: &str) -> Decoded<T> {
        Err(Malformed::new(self.0, what))
    }

    fn parse<T: FromStr>(self, name: &str, text: &str) -> Decoded<T> {
        text.parse().map_err(|_| Malformed::new(self.0, format_args!("{name} is {:?}", cut(text))))
    }

    fn ticks(self, scale: &Scale, text: &str) -> Decoded<Ticks> {
        let price: Price = self.parse("price", text)?;
        scale.ticks(price).map_err(|e| Malformed::new(self.0, format_args!("price {e}")))
    }

    fn lots(self, scale: &Scale, text: &str) -> Decoded<Lots> {
        let qty: Qty = self.parse("quantity", text)?;
        let lots = scale.lots(qty).map_err(|e| Malformed::new(self.0, format_args!("quantity {e}")))?;
        if lots.0 < 0 { self.bad("negative quantity") } else { Ok(lots) }
    }

    fn symbol(self, text: &str) -> Decoded<Symbol> {
        self.parse("symbol", text)
    }

    fn side(self, text: &str) -> Decoded<Side> {
        match text {
            "BUY" => Ok(Side::Buy),
            "SELL" => Ok(Side::Sell),
            other => Err(Malformed::new(self.0, format_args!("side is {:?}", cut(other)))),
        }
    }

    /// Orders of kinds that we never send may be on the account: a stop with a limit price is told as the limit order it
    /// becomes, one without as the market order it becomes.
    fn kind(self, kind: &str, tif: &str, price: &str) -> Decoded<OrderKind> {
        let price = || self.parse::<Price>("price", price);
        match kind {
            "LIMIT" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT" => {
                let tif = match tif {
                    "GTC" => TimeInForce::Gtc,
                    "IOC" => TimeInForce::Ioc,
                    "FOK" => TimeInForce::Fok,
                    other => {
                        return Err(Malformed::new(self.0, format_args!("time in force is {:?}", cut(other))));
                    }
                };
                Ok(OrderKind::Limit { price: price()?, tif })
            }
            "LIMIT_MAKER" => Ok(OrderKind::LimitMaker { price: price()? }),
            "MARKET" | "STOP_LOSS" | "TAKE_PROFIT" => Ok(OrderKind::Market),
            other => Err(Malformed::new(self.0, format_args!("order type is {:?}", cut(other)))),
        }
    }

    fn status(self, text: &str) -> Decoded<ExchangeStatus> {
        Ok(match text {
            "NEW" | "PENDING_NEW" | "PENDING_CANCEL" => ExchangeStatus::New,
            "PARTIALLY_FILLED" => ExchangeStatus::PartiallyFilled,
            "FILLED" => ExchangeStatus::Filled,
            "CANCELED" => ExchangeStatus::Canceled,
            "REJECTED" => ExchangeStatus::Rejected,
            "EXPIRED" | "EXPIRED_IN_MATCH" => ExchangeStatus::Expired,
            other => return Err(Malformed::new(self.0, format_args!("status is {:?}", cut(other)))),
        })
    }

    /// A foreign order's id may hold `:` and `/`, which no name of ours has; they are told as `_`, so that the id cannot
    /// be taken for one of ours.
    fn client_order_id(self, text: &str) -> Decoded<ClientOrderId> {
        let text = if text.contains([':', '/']) { Cow::from(text.replace([':', '/'], "_")) } else { text.into() };
        self.parse("client order id", &text)
    }

    /// Quote amount executed; the exchange tells a negative one where an old order's is not available.
    fn filled_quote(self, text: &str) -> Decoded<Money> {
        let money: Money = self.parse("cumulative quote quantity", text)?;
        Ok(if money.is_negative() { Money::ZERO } else { money })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(32).collect()
}

#[cfg(test)]
mod tests;
