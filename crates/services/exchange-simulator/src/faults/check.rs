//! What makes a fault one that could never strike: said when it is asked for, because it would look like an exchange that
//! stood the test.

use super::{FaultKind, Filter, ParsedFault};
use crate::endpoint::SPECS;

const EXECUTIONS: [&str; 6] = ["NEW", "TRADE", "CANCELED", "EXPIRED", "TRADE_PREVENTION", "REPLACED"];

fn one_of(what: &str, value: Option<&str>, known: &[&str]) -> Result<(), String> {
    match value.filter(|value| !known.iter().any(|known| known.eq_ignore_ascii_case(value))) {
        Some(value) => Err(format!("{what} is one of {}, not {value:?}", known.join(", "))),
        None => Ok(()),
    }
}

/// Checks a fault's own values; symbols and accounts, which depend on the exchange, are checked where it is added.
pub(super) fn check(kind: &FaultKind, filter: &Filter) -> Result<(), String> {
    if filter.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
        return Err("probability is between 0 and 1".to_owned());
    }
    if filter.count == Some(0) {
        return Err("count is at least 1".to_owned());
    }
    if filter.for_ms.is_some_and(|ms| ms < 1) {
        return Err("for_ms is at least 1".to_owned());
    }
    one_of("side", filter.side.as_deref(), &["BUY", "SELL"])?;
    one_of("execution", filter.execution.as_deref(), &EXECUTIONS)?;
    if let Some(endpoint) = &filter.endpoint
        && (endpoint.is_empty()
            || !SPECS.iter().any(|spec| [spec.name, spec.path, spec.ws].contains(&endpoint.as_str())))
    {
        return Err(format!(
            "there is no endpoint {endpoint:?}; one is named \"POST /api/v3/order\", \"/api/v3/order\" or \"order.place\""
        ));
    }
    if kind.strikes().is_some() {
        if filter.execution.is_some() {
            return Err("execution is about reports, not requests".to_owned());
        }
    } else if filter.endpoint.is_some() {
        return Err("endpoint is about requests, not streams, reports or the clock".to_owned());
    }
    match kind {
        FaultKind::Reject { status, .. } if !(400..=599).contains(status) => {
            Err("status is between 400 and 599".to_owned())
        }
        FaultKind::DropMarket { stream } if stream.is_empty() => {
            Err("stream is a part of a stream's name, such as \"@trade\"".to_owned())
        }
        _ => Ok(()),
    }
}

impl ParsedFault {
    /// Checks that the exchange has the symbol and the account that the fault names.
    pub(crate) fn check_names(&self, symbols: &[String], accounts: &[&str]) -> Result<(), String> {
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        one_of("symbol", self.filter.symbol.as_deref(), &symbols)?;
        one_of("account", self.filter.account.as_deref(), accounts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::faults::FaultBook;

    #[test]
    fn a_fault_that_could_never_strike_is_refused() {
        let check = |mut fault: Value, more: Value, says: &str| {
            fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let error = FaultBook::parse(fault.clone()).err().unwrap_or_default();
            assert!(error.contains(says) && error.is_empty() == says.is_empty(), "{fault}: {error}");
        };
        let delay = || json!({ "kind": "delay", "ms": 1 });
        check(delay(), json!({ "count": 0 }), "count");
        check(delay(), json!({ "for_ms": 0 }), "for_ms");
        check(delay(), json!({ "side": "UP" }), "BUY, SELL");
        check(delay(), json!({ "endpoint": "POST /api/v3/nope" }), "no endpoint");
        check(delay(), json!({ "execution": "TRADE" }), "not requests");
        check(json!({ "kind": "drop_reports" }), json!({ "execution": "NOPE" }), "TRADE");
        check(json!({ "kind": "drop_reports" }), json!({ "endpoint": "order.place" }), "about requests");
        check(json!({ "kind": "reject", "code": -1, "msg": "x" }), json!({ "status": 99 }), "status");
        check(json!({ "kind": "drop_market" }), json!({ "stream": "" }), "part of a stream");
        for endpoint in ["POST /api/v3/order", "/api/v3/order", "order.place"] {
            check(delay(), json!({ "endpoint": endpoint, "count": 1, "side": "buy" }), "");
        }
    }
}
