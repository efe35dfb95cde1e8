//! What an answer, or the lack of one, means for the caller: one pure function, one table.
//!
//! The rule: unknown is not failed. Only what the exchange itself refused, or what provably never left, did not happen.

use nightdesk_exchange::ExchangeError;
use nightdesk_units::Micros;

/// What a request does at the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Asks; asking again is harmless, so a read is never in doubt.
    Read,
    /// Places or cancels.
    Write,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No byte of the request left: the name did not resolve, or the connection was not made.
    NotSent,
    /// The request may have left, and no whole answer came: time limit, reset, end of stream.
    Lost,
    /// A whole answer of success that cannot be understood.
    Undecodable,
    /// An answer that is not success.
    Refused {
        /// HTTP status.
        status: u16,
        /// The exchange's code, when the body has one.
        code: Option<i32>,
        /// `Retry-After`.
        retry_after: Option<Micros>,
    },
}

/// How long to wait after a connection could not be made.
const AFTER_CONNECT: Micros = Micros::from_millis(250);
/// How long to wait before reading again.
const AFTER_READ: Micros = Micros::from_millis(250);
/// A clock is measured again in less.
const AFTER_CLOCK: Micros = Micros::from_millis(200);
/// 429 without `Retry-After` is the order count, whose shortest window is ten seconds.
const AFTER_ORDER_COUNT: Micros = Micros::from_secs(10);
/// -1003 without `Retry-After`: the weight window is a minute.
const AFTER_WEIGHT: Micros = Micros::from_secs(60);
/// 418 without `Retry-After`: the shortest ban is two minutes.
const AFTER_BAN: Micros = Micros::from_secs(120);
/// The firewall looks at five minutes, and lets most addresses in again within one.
const AFTER_FIREWALL: Micros = Micros::from_secs(60);
/// The exchange said it is overloaded.
const AFTER_OVERLOAD: Micros = Micros::from_secs(1);

/// Judges an outcome. `text` is for people.
pub(crate) fn outcome(act: Act, seen: &Seen, text: String) -> ExchangeError {
    let retry = |after: Micros, reason: String| ExchangeError::Retry { after, reason };
    let unknown = |reason: String| match act {
        Act::Read => retry(AFTER_READ, reason),
        Act::Write => ExchangeError::InDoubt { reason },
    };
    match *seen {
        Seen::NotSent => retry(AFTER_CONNECT, text),
        Seen::Lost | Seen::Undecodable => unknown(text),
        Seen::Refused { status, code, retry_after } => match (status, code) {
            // Limits are checked at the door, before anything is carried out.
            (418, _) => retry(retry_after.unwrap_or(AFTER_BAN), text),
            (429, Some(-1003)) => retry(retry_after.unwrap_or(AFTER_WEIGHT), text),
            (429, _) | (400..=499, Some(-1015)) => retry(retry_after.unwrap_or(AFTER_ORDER_COUNT), text),
            (400..=499, Some(-1003)) => retry(retry_after.unwrap_or(AFTER_WEIGHT), text),
            // 5xx: execution status unknown, whatever the body says. Also -1008: an overloaded exchange is not to be
            // trusted with "it did not happen", and asking costs little.
            (500..=599, _) => unknown(text),
            // The exchange's own words for "status unknown", under any HTTP status.
            (_, Some(-1000 | -1001 | -1006 | -1007)) => unknown(text),
            (400..=499, Some(-1008)) => retry(retry_after.unwrap_or(AFTER_OVERLOAD), text),
            (400..=499, Some(-1016)) => retry(retry_after.unwrap_or(AFTER_OVERLOAD), text),
            (400..=499, Some(-1021)) => retry(AFTER_CLOCK, text),
            // The firewall stands before the exchange: what it refuses never arrived. Its page carries no code.
            (403, None) => retry(retry_after.unwrap_or(AFTER_FIREWALL), text),
            // Half of a cancel-and-replace happened; which half must be asked.
            (409, _) => unknown(text),
            (400..=499, Some(code)) => ExchangeError::Rejected { code, reason: text },
            // A refusal in no words of the exchange's: from whom, and before or after the exchange, nobody knows.
            _ => unknown(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::expect_file;

    use super::*;

    fn line(act: Act, seen: &Seen) -> String {
        match outcome(act, seen, String::new()) {
            ExchangeError::Rejected { code, .. } => format!("rejected {code}"),
            ExchangeError::Retry { after, .. } => format!("retry after {} ms", after.as_millis()),
            ExchangeError::InDoubt { .. } => "in doubt".to_owned(),
        }
    }

    fn cases() -> Vec<(String, Seen)> {
        let mut cases = vec![
            ("not sent".to_owned(), Seen::NotSent),
            ("answer lost".to_owned(), Seen::Lost),
            ("success, undecodable".to_owned(), Seen::Undecodable),
        ];
        let codes = [
            None,
            Some(-1000),
            Some(-1001),
            Some(-1003),
            Some(-1006),
            Some(-1007),
            Some(-1008),
            Some(-1013),
            Some(-1015),
            Some(-1016),
            Some(-1021),
            Some(-1022),
            Some(-1121),
            Some(-2010),
            Some(-2011),
            Some(-2013),
            Some(-2015),
            Some(-2021),
            Some(-2026),
        ];
        for status in [302, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504] {
            for code in codes {
                for retry_after in [None, Some(Micros::from_secs(7))] {
                    // `Retry-After` comes with limits only.
                    if retry_after.is_some() && !matches!((status, code), (418 | 429, _) | (400, Some(-1003))) {
                        continue;
                    }
                    let code_text = code.map_or("no code".to_owned(), |code| code.to_string());
                    let after = if retry_after.is_some() { ", retry-after 7 s" } else { "" };
                    let name = format!("{status}, {code_text}{after}");
                    cases.push((name, Seen::Refused { status, code, retry_after }));
                }
            }
        }
        cases
    }

    #[test]
    fn the_whole_table_is_as_reviewed() {
        let mut table = String::new();
        for (name, seen) in cases() {
            let (write, read) = (line(Act::Write, &seen), line(Act::Read, &seen));
            writeln!(table, "{name:34} write: {write:22} read: {read}").unwrap();
        }
        expect_file!["outcome_table.txt"].assert_eq(&table);
    }

    #[test]
    fn a_read_is_never_in_doubt_and_a_server_error_on_a_write_always() {
        for (name, seen) in cases() {
            assert!(!matches!(outcome(Act::Read, &seen, String::new()), ExchangeError::InDoubt { .. }), "{name}");
            if matches!(seen, Seen::Refused { status: 500..=599, .. }) {
                let got = outcome(Act::Write, &seen, String::new());
                assert!(matches!(got, ExchangeError::InDoubt { .. }), "{name}");
            }
        }
    }
}
