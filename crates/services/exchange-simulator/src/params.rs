//! A request's parameters: read once, checked, and none left over.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::str::FromStr;

use nightdesk_units::{Decimal, Symbol, Timestamp};
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::text::percent_decode;

/// The digits after the point that the exchange takes.
const PRECISION: u32 = 8;

struct Param {
    name: String,
    value: String,
    read: Cell<bool>,
}

/// Parameters by name. A getter marks its parameter as read; [`Params::finish`] refuses what nobody read.
#[derive(Default)]
pub(crate) struct Params(Vec<Param>);

impl Params {
    /// From a query and a form body; a name in both counts once, the query's value wins.
    pub(crate) fn parse(query: &str, body: &str) -> Result<Self, ApiError> {
        let mut params = Self::default();
        for (part, from_body) in [(query, false), (body, true)] {
            let start = if from_body { params.0.len() } else { 0 };
            for pair in part.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let illegal = || ApiError::bad(-1100, "Illegal characters found in a parameter.");
                // A base64 signature may come with its '+' unescaped.
                let name = percent_decode(name, true).ok_or_else(illegal)?;
                let value = percent_decode(value, name != "signature").ok_or_else(illegal)?;
                match params.0.iter().position(|known| known.name == name) {
                    Some(at) if at < start => {}
                    Some(_) => return Err(ApiError::bad(-1101, "Duplicate values for a parameter detected.")),
                    None => params.0.push(Param { name, value, read: Cell::new(false) }),
                }
            }
        }
        Ok(params)
    }

    /// From the `params` of a WebSocket request: numbers keep the text in which they were sent.
    pub(crate) fn from_json(values: &BTreeMap<String, Box<RawValue>>) -> Self {
        let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
        let param =
            |(name, raw): (&String, &RawValue)| Param { name: name.clone(), value: text(raw), read: Cell::new(false) };
        Self(values.iter().map(|(name, raw)| (name, &**raw)).map(param).collect())
    }

    /// What a WebSocket request signs: every parameter but the signature, sorted by name.
    pub(crate) fn sorted_payload(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|p| p.name != "signature").collect();
        pairs.sort_by(|a, b| a.name.cmp(&b.name));
        pairs.iter().map(|p| format!("{}={}", p.name, p.value)).collect::<Vec<_>>().join("&")
    }

    /// Looks without reading: for weights and faults.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|p| p.name == name).map(|p| p.value.as_str())
    }

    fn raw(&self, name: &str) -> Option<&str> {
        let param = self.0.iter().find(|p| p.name == name)?;
        param.read.set(true);
        Some(&param.value)
    }

    /// An optional parameter; present but empty is refused.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.raw(name) {
            Some("") => Err(ApiError::bad(-1105, format!("Parameter '{name}' was empty."))),
            other => Ok(other),
        }
    }

    /// A mandatory parameter.
    pub(crate) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.raw(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::mandatory(name))
    }

    /// Marks parameters that are accepted and have no effect here.
    pub(crate) fn ignore(&self, names: &[&str]) {
        for name in names {
            self.raw(name);
        }
    }

    /// An optional value of a type with a text form; `range` is what the exchange calls its legal range.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, range: &str) -> Result<Option<T>, ApiError> {
        self.text(name)?.map(|text| text.parse().map_err(|_| ApiError::illegal(name, range))).transpose()
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.parsed(name, "^[0-9]{1,20}$")
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name)? {
            None => Ok(None),
            Some("true" | "TRUE" | "True") => Ok(Some(true)),
            Some("false" | "FALSE" | "False") => Ok(Some(false)),
            Some(_) => Err(ApiError::illegal(name, "true|false")),
        }
    }

    /// A time in milliseconds or microseconds, told apart by size as the exchange does.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        Ok(self.parsed::<i64>(name, "^[0-9]{1,20}$")?.map(timestamp))
    }

    /// A limit between 1 and `max`: more is cut down, as the exchange does.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        match self.int("limit")? {
            Some(0) => Err(ApiError::bad(-1130, "Data sent for parameter 'limit' is not valid.")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(max).min(max)),
            None => Ok(default),
        }
    }

    /// A non-negative decimal of at most eight digits after the point.
    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str, max: usize| part.len() <= max && part.bytes().all(|b| b.is_ascii_digit());
        let good = !whole.is_empty() && digits(whole, 20) && digits(fraction, 20) && !text.ends_with('.');
        let value = good.then(|| Decimal::from_str_exact(text).ok()).flatten();
        let value = value.ok_or_else(|| ApiError::illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$"))?;
        if value.normalize().scale() > PRECISION {
            return Err(ApiError::bad(-1111, format!("Parameter '{name}' has too much precision.")));
        }
        Ok(Some(value))
    }

    /// The mandatory `symbol`.
    pub(crate) fn symbol(&self) -> Result<Symbol, ApiError> {
        symbol("symbol", self.need("symbol")?)
    }

    /// `symbol`, if given.
    pub(crate) fn symbol_opt(&self) -> Result<Option<Symbol>, ApiError> {
        self.text("symbol")?.map(|text| symbol("symbol", text)).transpose()
    }

    /// `symbols` as a JSON array of names, if given.
    pub(crate) fn symbols(&self) -> Result<Option<Vec<Symbol>>, ApiError> {
        let Some(text) = self.text("symbols")? else { return Ok(None) };
        let illegal =
            || ApiError::illegal("symbols", "^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$");
        let names: Vec<String> = serde_json::from_str(text).map_err(|_| illegal())?;
        let list = names.iter().map(|name| symbol("symbols", name)).collect::<Result<Vec<_>, _>>()?;
        let unique: std::collections::BTreeSet<_> = list.iter().collect();
        if unique.len() < list.len() {
            return Err(ApiError::bad(-1151, "Symbol is present multiple times in the list."));
        }
        Ok(Some(list))
    }

    /// How many were sent, the signature counted out.
    pub(crate) fn sent(&self) -> usize {
        self.0.iter().filter(|p| p.name != "signature" && p.name != "apiKey").count()
    }

    /// Refuses what nobody read.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        let read = self.0.iter().filter(|p| p.read.get() && p.name != "signature" && p.name != "apiKey").count();
        let sent = self.sent();
        if read == sent {
            return Ok(());
        }
        let msg = format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
        Err(ApiError::bad(-1104, msg))
    }
}

fn symbol(name: &str, text: &str) -> Result<Symbol, ApiError> {
    let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if text.len() > 20 || !text.bytes().all(legal) {
        return Err(ApiError::illegal(name, "^[A-Z0-9-_.]{1,20}$"));
    }
    text.parse().map_err(|_| ApiError::symbol())
}

/// Milliseconds stay below 10^14 until the year 5138; what is larger is microseconds.
pub(crate) fn timestamp(raw: i64) -> Timestamp {
    if raw.abs() < 100_000_000_000_000 { Timestamp::from_millis(raw) } else { Timestamp(raw) }
}

/// The request's window: stale and early requests are refused on arrival and again before matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedWindow {
    pub(crate) timestamp: Timestamp,
    pub(crate) recv_window_us: i64,
}

impl SignedWindow {
    /// Reads `timestamp` and `recvWindow`.
    pub(crate) fn of(params: &Params) -> Result<Self, ApiError> {
        let timestamp = params.time("timestamp").ok().flatten().ok_or_else(|| ApiError::mandatory("timestamp"))?;
        let recv_window_us = match params.decimal("recvWindow")? {
            None => 5_000_000,
            Some(ms) if ms > Decimal::from(60_000) => {
                let msg = "'recvWindow' contains unexpected value. Cannot be greater than '60000'.";
                return Err(ApiError::bad(-1102, msg));
            }
            Some(ms) => i64::try_from(ms.saturating_mul(Decimal::ONE_THOUSAND).trunc()).unwrap_or(0),
        };
        Ok(Self { timestamp, recv_window_us })
    }

    /// Checks the window at `now`: refused at one second ahead, or past its end.
    pub(crate) fn check(self, now: Timestamp) -> Result<(), ApiError> {
        let age = now.since(self.timestamp).0;
        if age <= -1_000_000 {
            return Err(ApiError::bad(-1021, "Timestamp for this request was 1000ms ahead of the server's time."));
        }
        if age > self.recv_window_us {
            return Err(ApiError::bad(-1021, "Timestamp for this request is outside of the recvWindow."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, ApiError>) -> i32 {
        result.err().map_or(0, |e| e.code)
    }

    #[test]
    fn query_and_body_are_one_set_and_the_query_wins() {
        let params = Params::parse("symbol=BTCUSDT&side=BUY", "quantity=1&side=SELL").unwrap();
        assert_eq!((params.need("side").unwrap(), params.need("quantity").unwrap()), ("BUY", "1"));
        assert_eq!(code(params.finish()), -1104);
        params.symbol().unwrap();
        params.finish().unwrap();
        assert_eq!(code(Params::parse("a=1&a=2", "")), -1101);
        assert_eq!(code(Params::parse("a=%zz", "")), -1100);
    }

    #[test]
    fn bad_values_have_the_exchanges_codes() {
        let params = Params::parse("symbol=btc&empty=&price=1.123456789&qty=-1&flag=x&limit=0&n=1x", "").unwrap();
        assert_eq!(code(params.symbol()), -1100);
        assert_eq!(code(params.need("empty")), -1102);
        assert_eq!(code(params.text("empty")), -1105);
        assert_eq!(code(params.decimal("price")), -1111);
        assert_eq!(code(params.decimal("qty")), -1100);
        assert_eq!(code(params.flag("flag")), -1100);
        assert_eq!(code(params.limit(5, 10)), -1130);
        assert_eq!(code(params.int("n")), -1100);
        assert_eq!(code(params.need("none")), -1102);
    }

    #[test]
    fn websocket_numbers_are_signed_as_they_were_written() {
        let values = serde_json::from_str(r#"{"b":1.50,"a":"x","signature":"s","c":true}"#).unwrap();
        assert_eq!(Params::from_json(&values).sorted_payload(), "a=x&b=1.50&c=true");
    }

    #[test]
    fn symbol_lists_parse() {
        let params = Params::parse("symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D", "").unwrap();
        assert_eq!(params.symbols().unwrap().unwrap().len(), 2);
        let params = Params::parse("symbols=[\"A\",\"A\"]", "").unwrap();
        assert_eq!(code(params.symbols()), -1151);
    }

    #[test]
    fn the_window_is_closed_before_and_after() {
        let window = |text: &str| SignedWindow::of(&Params::parse(text, "").unwrap());
        let at = Timestamp::from_millis(1_700_000_000_000);
        let good = window("timestamp=1700000000000&recvWindow=2000").unwrap();
        good.check(at).unwrap();
        good.check(Timestamp(at.0 - 999_999)).unwrap();
        good.check(Timestamp(at.0 + 2_000_000)).unwrap();
        assert_eq!(code(good.check(Timestamp(at.0 - 1_000_000))), -1021);
        assert_eq!(code(good.check(Timestamp(at.0 + 2_000_001))), -1021);
        assert_eq!(window("timestamp=1700000000000000").unwrap().timestamp, at);
        assert_eq!(code(window("recvWindow=1")), -1102);
        assert_eq!(code(window("timestamp=1&recvWindow=60001")), -1102);
    }
}
