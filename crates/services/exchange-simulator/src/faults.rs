//! Faults on demand: what goes wrong, for whom, how often.
//!
//! A fault is one JSON object. `kind` and its own fields say what goes wrong; the rest says for whom and how often:
//!
//! | field | meaning |
//! |---|---|
//! | `endpoint` | `"POST /api/v3/order"`, `"/api/v3/order"` or `"order.place"`: either name hits REST and WebSocket API alike |
//! | `symbol`, `side`, `client_id_prefix`, `account` | only requests, or reports, of these |
//! | `execution` | only reports of this execution type (`"TRADE"`) |
//! | `count` | how many times; until cleared when absent |
//! | `probability` | 0 to 1 for each match, seeded; always when absent |
//! | `for_ms` | ends by itself |
//!
//! Kinds, with their own fields: `answer_lost` (`when`: `before`|`after` the request takes effect; `how`:
//! `504`|`1007`|`1006`|`reset`|`silence`), `delay` (`ms`, `when`), `reject` (`code`, `msg`, `status`), `rate_limit` (`retry_after_s`),
//! `ban` (`seconds`), `firewall`, `maintenance`, `malformed` (`when`), `stream_cut` (`stream`: `market`|`user`|`all`,
//! `reset`), `server_shutdown` (`grace_ms`), `stale_stream` (`stream`), `duplicate_reports`, `reorder_reports`,
//! `drop_reports`, `drop_market` (`stream`: part of a stream's name), `clock_skew` (`ms`).
//!
//! Faults after the request takes effect hit accepted requests only, so that a `count` is not used up by a refusal.
//! Faults live in memory: a restarted exchange has none.

mod check;

use nightdesk_units::{Micros, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Before or after the request takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    Before,
    After,
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// HTTP 504 with a page of HTML, as a load balancer answers.
    #[serde(rename = "504")]
    GatewayTimeout,
    /// The exchange's own "execution status unknown".
    #[serde(rename = "1007")]
    Timeout,
    /// "An unexpected response was received from the message bus. Execution status unknown."
    #[serde(rename = "1006")]
    Unexpected,
    /// The connection is reset.
    #[serde(rename = "reset")]
    Reset,
    /// Nothing ever comes.
    #[serde(rename = "silence")]
    Silence,
}

/// Which streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamKind {
    Market,
    User,
    All,
}

impl StreamKind {
    pub(crate) fn covers(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

fn after() -> When {
    When::After
}
fn before() -> When {
    When::Before
}
fn gateway_timeout() -> How {
    How::GatewayTimeout
}
fn bad_request() -> u16 {
    400
}
fn minute() -> u64 {
    60
}
fn two_minutes() -> u64 {
    120
}
fn ten_seconds() -> u64 {
    10_000
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum FaultKind {
    AnswerLost {
        #[serde(default = "after")]
        when: When,
        #[serde(default = "gateway_timeout")]
        how: How,
    },
    Delay {
        ms: u64,
        #[serde(default = "before")]
        when: When,
    },
    Reject {
        code: i32,
        msg: String,
        #[serde(default = "bad_request")]
        status: u16,
    },
    RateLimit {
        #[serde(default = "minute")]
        retry_after_s: u64,
    },
    Ban {
        #[serde(default = "two_minutes")]
        seconds: u64,
    },
    Firewall {},
    Maintenance {},
    Malformed {
        #[serde(default = "after")]
        when: When,
    },
    StreamCut {
        stream: StreamKind,
        #[serde(default)]
        reset: bool,
    },
    ServerShutdown {
        #[serde(default = "ten_seconds")]
        grace_ms: u64,
    },
    StaleStream {
        stream: StreamKind,
    },
    DuplicateReports {},
    ReorderReports {},
    DropReports {},
    DropMarket {
        stream: String,
    },
    ClockSkew {
        ms: i64,
    },
}

impl FaultKind {
    /// When in a request's life it strikes; `None` for faults of streams and clock.
    fn strikes(&self) -> Option<When> {
        match self {
            Self::AnswerLost { when, .. } | Self::Delay { when, .. } | Self::Malformed { when } => Some(*when),
            Self::Reject { .. } | Self::RateLimit { .. } | Self::Ban { .. } => Some(When::Before),
            Self::Firewall {} | Self::Maintenance {} => Some(When::Before),
            _ => None,
        }
    }
}

/// Whom it hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<i64>,
}

const FILTER_FIELDS: [&str; 9] =
    ["endpoint", "symbol", "side", "client_id_prefix", "account", "execution", "count", "probability", "for_ms"];

/// A request or report that a fault may hit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Target<'a> {
    /// Its names: method and path, path, WebSocket method.
    pub(crate) endpoint: &'a [&'a str],
    pub(crate) symbol: Option<&'a str>,
    pub(crate) side: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) execution: Option<&'a str>,
}

#[derive(Debug, Clone)]
struct Fault {
    id: u64,
    kind: FaultKind,
    filter: Filter,
    hits: u64,
    ends_at: Option<Timestamp>,
}

impl Fault {
    fn live(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end) && self.filter.count.is_none_or(|count| self.hits < count)
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let same = |want: &Option<String>, have: Option<&str>| {
            want.as_deref().is_none_or(|want| have.is_some_and(|have| have.eq_ignore_ascii_case(want)))
        };
        let filter = &self.filter;
        filter.endpoint.as_deref().is_none_or(|want| target.endpoint.contains(&want))
            && same(&filter.symbol, target.symbol)
            && same(&filter.side, target.side)
            && same(&filter.account, target.account)
            && same(&filter.execution, target.execution)
            && filter.client_id_prefix.as_deref().is_none_or(|p| target.client_id.is_some_and(|id| id.starts_with(p)))
    }

    fn view(&self) -> Value {
        let mut view = serde_json::to_value(&self.kind).unwrap_or_default();
        if let (Some(view), Ok(Value::Object(filter))) = (view.as_object_mut(), serde_json::to_value(&self.filter)) {
            view.extend(filter);
            view.insert("id".to_owned(), json!(self.id));
            view.insert("hits".to_owned(), json!(self.hits));
        }
        view
    }
}

/// What to do to an execution report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFate {
    Send,
    Drop,
    Duplicate,
    HoldBack,
}

/// Every fault there is.
#[derive(Debug)]
pub(crate) struct FaultBook {
    faults: Vec<Fault>,
    next_id: u64,
    chance: u64,
}

impl FaultBook {
    /// No faults; `seed` decides the probabilities.
    pub(crate) fn new(seed: u64) -> Self {
        Self { faults: Vec::new(), next_id: 1, chance: seed }
    }

    /// Reads a fault without adding it.
    pub(crate) fn parse(value: Value) -> Result<ParsedFault, String> {
        let Value::Object(mut fields) = value else { return Err("a fault is a JSON object".to_owned()) };
        let taken: Map<String, Value> = FILTER_FIELDS.iter().filter_map(|name| fields.remove_entry(*name)).collect();
        let filter: Filter = serde_json::from_value(Value::Object(taken)).map_err(|e| e.to_string())?;
        let kind: FaultKind = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
        check::check(&kind, &filter)?;
        Ok(ParsedFault { kind, filter })
    }

    /// Adds a fault; gives its id.
    pub(crate) fn add(&mut self, fault: ParsedFault, now: Timestamp) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let ends_at = fault.filter.for_ms.map(|ms| now + Micros::from_millis(ms));
        self.faults.push(Fault { id, kind: fault.kind, filter: fault.filter, hits: 0, ends_at });
        id
    }

    /// The faults that can still strike, and those that did.
    pub(crate) fn list(&self) -> Value {
        self.faults.iter().map(Fault::view).collect()
    }

    /// Removes all faults, or one; gives how many.
    pub(crate) fn clear(&mut self, id: Option<u64>) -> usize {
        let before = self.faults.len();
        self.faults.retain(|fault| id.is_some_and(|id| fault.id != id));
        before - self.faults.len()
    }

    fn chance(&mut self, probability: Option<f64>) -> bool {
        let Some(probability) = probability else { return true };
        // SplitMix64 (Steele et al., 2014); 53 bits make a uniform number in [0, 1).
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (z ^ (z >> 31)) >> 11;
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let uniform = bits as f64 / (1u64 << 53) as f64;
        uniform < probability
    }

    /// The live faults that `wanted` picks and that hit `target`, each counted, up to the first for which `last` holds.
    fn strike(
        &mut self,
        target: &Target<'_>,
        now: Timestamp,
        wanted: impl Fn(&FaultKind) -> bool,
        last: impl Fn(&FaultKind) -> bool,
    ) -> Vec<FaultKind> {
        let mut struck = Vec::new();
        for at in 0..self.faults.len() {
            let fault = &self.faults[at];
            if !wanted(&fault.kind) || !fault.live(now) || !fault.matches(target) {
                continue;
            }
            let probability = fault.filter.probability;
            if self.chance(probability) {
                self.faults[at].hits += 1;
                struck.push(self.faults[at].kind.clone());
                if last(&self.faults[at].kind) {
                    break;
                }
            }
        }
        struck
    }

    /// The faults that strike a request, in the order in which they were set; delays add up, and the first of another
    /// kind ends the list.
    pub(crate) fn on_request(&mut self, when: When, target: &Target<'_>, now: Timestamp) -> Vec<FaultKind> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        self.strike(target, now, |kind| kind.strikes() == Some(when), |kind| !matches!(kind, FaultKind::Delay { .. }))
    }

    /// What becomes of an execution report.
    pub(crate) fn on_report(&mut self, target: &Target<'_>, now: Timestamp) -> ReportFate {
        if self.faults.is_empty() {
            return ReportFate::Send;
        }
        let wanted = |kind: &FaultKind| {
            matches!(kind, FaultKind::DuplicateReports {} | FaultKind::ReorderReports {} | FaultKind::DropReports {})
        };
        match self.strike(target, now, wanted, |_| true).first() {
            Some(FaultKind::DuplicateReports {}) => ReportFate::Duplicate,
            Some(FaultKind::ReorderReports {}) => ReportFate::HoldBack,
            Some(_) => ReportFate::Drop,
            None => ReportFate::Send,
        }
    }

    /// True when streams of this kind carry nothing at present.
    pub(crate) fn stale(&self, stream: StreamKind, now: Timestamp) -> bool {
        let stale = |fault: &Fault| matches!(fault.kind, FaultKind::StaleStream { stream: s } if s.covers(stream));
        self.faults.iter().any(|fault| stale(fault) && fault.live(now))
    }

    /// True when this market message is to be lost.
    pub(crate) fn drop_market(&mut self, stream: &str, now: Timestamp) -> bool {
        if self.faults.is_empty() {
            return false;
        }
        let symbol = stream.split('@').next();
        let target = Target { symbol, ..Target::default() };
        let wanted = |kind: &FaultKind| matches!(kind, FaultKind::DropMarket { stream: part } if stream.contains(part));
        !self.strike(&target, now, wanted, |_| true).is_empty()
    }

    /// The skew of the clock in microseconds.
    pub(crate) fn skew(&self, now: Timestamp) -> i64 {
        let skew = |fault: &Fault| match fault.kind {
            FaultKind::ClockSkew { ms } if fault.live(now) => Some(ms.saturating_mul(1_000)),
            _ => None,
        };
        self.faults.iter().filter_map(skew).sum()
    }
}

/// A fault that has been read and not yet set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParsedFault {
    pub(crate) kind: FaultKind,
    filter: Filter,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn book(faults: &[Value]) -> FaultBook {
        let mut book = FaultBook::new(7);
        for fault in faults {
            book.add(FaultBook::parse(fault.clone()).unwrap(), NOW);
        }
        book
    }

    fn order(client_id: &str) -> Target<'_> {
        Target {
            endpoint: &["POST /api/v3/order", "/api/v3/order", "order.place"],
            symbol: Some("BTCUSDT"),
            side: Some("BUY"),
            client_id: Some(client_id),
            ..Target::default()
        }
    }

    #[test]
    fn a_fault_strikes_what_it_names_as_often_as_it_says() {
        let mut book = book(&[
            json!({"kind":"answer_lost","how":"reset","endpoint":"order.place","client_id_prefix":"nd-","count":2}),
        ]);
        assert!(book.on_request(When::After, &order("x-1"), NOW).is_empty());
        assert!(book.on_request(When::Before, &order("nd-1"), NOW).is_empty());
        for expected in [1, 1, 0] {
            assert_eq!(book.on_request(When::After, &order("nd-1"), NOW).len(), expected);
        }
        assert_eq!(book.list()[0]["hits"], 2);
    }

    #[test]
    fn delays_add_up_and_the_first_refusal_ends_the_list() {
        let mut book =
            book(&[json!({"kind":"delay","ms":5}), json!({"kind":"firewall"}), json!({"kind":"maintenance"})]);
        let struck = book.on_request(When::Before, &order("a"), NOW);
        assert_eq!(struck, [FaultKind::Delay { ms: 5, when: When::Before }, FaultKind::Firewall {}]);
    }

    #[test]
    fn a_fault_ends_with_its_time_or_when_cleared() {
        let mut book =
            book(&[json!({"kind":"stale_stream","stream":"all","for_ms":10}), json!({"kind":"clock_skew","ms":-5})]);
        assert!(book.stale(StreamKind::User, NOW));
        assert!(!book.stale(StreamKind::User, Timestamp(NOW.0 + 10_000)));
        assert_eq!(book.skew(NOW), -5_000);
        assert_eq!((book.clear(Some(2)), book.skew(NOW)), (1, 0));
        assert_eq!((book.clear(None), book.list()), (1, json!([])));
    }

    #[test]
    fn probability_is_seeded() {
        let fate = || {
            let mut book = book(&[json!({"kind":"drop_reports","probability":0.5})]);
            (0..200).filter(|_| book.on_report(&order("a"), NOW) == ReportFate::Drop).count()
        };
        assert_eq!(fate(), fate());
        assert!((70..130).contains(&fate()), "{}", fate());
    }

    #[test]
    fn mistakes_in_a_fault_are_named() {
        for (bad, says) in [
            (json!([]), "JSON object"),
            (json!({"kind":"explode"}), "explode"),
            (json!({"kind":"firewall","endpont":"x"}), "endpont"),
            (json!({"kind":"delay"}), "ms"),
            (json!({"kind":"delay","ms":1,"probability":2}), "between 0 and 1"),
            (json!({"kind":"answer_lost","how":"gone"}), "gone"),
        ] {
            let error = FaultBook::parse(bad).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
