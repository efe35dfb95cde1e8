//! One REST request: signed, counted, sent once, and its outcome judged. Never sends anything twice: no redirect, no
//! retry, no request before a ban ends.

use std::sync::Arc;
use std::time::Duration;

use nightdesk_exchange::{ExchangeError, Purpose, Window};
use nightdesk_units::Micros;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, redirect, retry};
use serde::Deserialize;
use tokio::time::Instant;

use crate::clock::{ExchangeClock, Sample, estimate, wall};
use crate::config::{Config, ConfigError};
use crate::decode;
use crate::limiter::{Limiter, Limits};
use crate::meters::{Malformed, Meters};
use crate::outcome::{Act, Seen, outcome};
use crate::sign::{ApiKey, Params};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Anybody.
    Public,
    /// Whoever names an API key.
    Keyed,
    /// Whoever signs, for this span of time.
    Signed(Window),
}

/// A request about to be made.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path below the base address; also its name in the metrics.
    pub(crate) path: &'static str,
    pub(crate) params: Params,
    pub(crate) weight: u32,
    pub(crate) security: Security,
    /// A time limit of its own, for an answer of many megabytes.
    pub(crate) limit: Option<Duration>,
}

impl Request {
    pub(crate) fn new(method: Method, path: &'static str, params: Params, weight: u32) -> Self {
        Self { method, path, params, weight, security: Security::Public, limit: None }
    }

    pub(crate) fn get(path: &'static str, params: Params, weight: u32) -> Self {
        Self::new(Method::GET, path, params, weight)
    }

    /// Names the API key.
    pub(crate) fn keyed(self) -> Self {
        Self { security: Security::Keyed, ..self }
    }

    /// Signs for `window`.
    pub(crate) fn signed(self, window: Window) -> Self {
        Self { security: Security::Signed(window), ..self }
    }

    fn act(&self) -> Act {
        if self.method == Method::GET { Act::Read } else { Act::Write }
    }

    /// An order counts against the account's order limit.
    fn is_order(&self) -> bool {
        self.method == Method::POST
    }
}

/// A whole answer.
struct Reply {
    status: u16,
    retry_after: Option<Micros>,
    body: String,
}

/// The largest answer taken in; `exchangeInfo` of every instrument has about 15 MB.
const MAX_BODY: usize = 64 << 20;
/// Samples of a clock measurement, at most.
const CLOCK_SAMPLES: usize = 3;
/// An uncertainty that further samples need not improve.
const CLOCK_SURE: Micros = Micros::from_millis(2);

/// The REST side of the adapter.
#[derive(Debug)]
pub(crate) struct Rest {
    http: Client,
    base: String,
    key: Option<ApiKey>,
    microseconds: bool,
    recv_window: Micros,
    pub(crate) limiter: Limiter,
    pub(crate) clock: ExchangeClock,
    pub(crate) meters: Meters,
}

impl Rest {
    pub(crate) fn new(config: &Config, key: Option<ApiKey>) -> Result<Arc<Self>, ConfigError> {
        let mut http = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(config.request_limit / 2)
            .timeout(config.request_limit)
            .pool_idle_timeout(Duration::from_secs(30));
        if config.endpoints.rest.starts_with("http://") {
            // No certificate is needed, and none may be installed: a bare container has none.
            http = http.tls_certs_only([]);
        }
        let limits = Limits {
            requests: config.requests_per_second,
            weight: config.weight_per_minute,
            orders: u32::MAX,
            orders_window: Micros::from_secs(10),
        };
        Ok(Arc::new(Self {
            http: http.build().map_err(|e| ConfigError::Http(chain(&e)))?,
            base: config.rest_url(),
            key,
            microseconds: config.microseconds,
            recv_window: config.recv_window,
            limiter: Limiter::new(limits),
            clock: ExchangeClock::new(),
            meters: Meters::default(),
        }))
    }

    pub(crate) fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// A window that begins now.
    pub(crate) fn window(&self) -> Window {
        Window { timestamp: self.clock.now(), recv_window: self.recv_window }
    }

    /// `timestamp` and `recvWindow` of `window`. In milliseconds both are rounded down, so that the exchange's window
    /// never ends after ours.
    pub(crate) fn stamp(&self, window: Window) -> (i64, i64) {
        let timestamp = if self.microseconds { window.timestamp.0 } else { window.timestamp.as_millis() };
        (timestamp, window.recv_window.as_millis())
    }

    /// Waits for the limiter, then calls: for requests the adapter makes by itself.
    pub(crate) async fn admitted<T>(
        &self,
        purpose: Purpose,
        request: Request,
        decode: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Result<T, ExchangeError> {
        self.limiter.admit(purpose, request.weight).await;
        self.call(request, decode).await
    }

    /// Makes the request and decodes its answer.
    pub(crate) async fn call<T>(
        &self,
        request: Request,
        decode: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Result<T, ExchangeError> {
        let (act, path, started) = (request.act(), request.path, Instant::now());
        let result = match self.exchange(request).await {
            Ok(reply) if (200..300).contains(&reply.status) => decode(&reply.body).map_err(|malformed| {
                self.meters.malformed(&malformed);
                outcome(act, &Seen::Undecodable, format!("{path}: {malformed}"))
            }),
            Ok(reply) => Err(self.refused(act, path, &reply)),
            Err(error) => Err(error),
        };
        let label = match &result {
            Ok(_) => "ok",
            Err(ExchangeError::Rejected { .. }) => "rejected",
            Err(ExchangeError::Retry { .. }) => "retry",
            Err(ExchangeError::InDoubt { .. }) => "in_doubt",
        };
        self.meters.request(path, label, started.elapsed());
        result
    }

    async fn exchange(&self, request: Request) -> Result<Reply, ExchangeError> {
        let (act, path) = (request.act(), request.path);
        if let Some(after) = self.limiter.core().blocked(self.limiter.now()) {
            return Err(ExchangeError::Retry {
                after,
                reason: "the exchange's rate limit holds everything back".into(),
            });
        }
        let (weight, order) = (request.weight, request.is_order());
        let http = self.prepare(request)?;
        self.limiter.core().sent(self.limiter.now(), weight, order);
        let failed = |e: reqwest::Error| {
            let seen = if e.is_connect() { Seen::NotSent } else { Seen::Lost };
            // The address carries the signature: out with it.
            outcome(act, &seen, format!("{path}: {}", chain(&e.without_url())))
        };
        let mut response = http.send().await.map_err(failed)?;
        self.observe(response.headers());
        let retry_after = header(response.headers(), "retry-after")
            .map(|secs| Micros::from_secs(i64::try_from(secs).unwrap_or(i64::MAX / 1_000_000).min(4 * 86_400)));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // An answer whose status is known but whose body is lost is a lost answer, unless the status alone says enough.
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_BODY => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Ok(Some(_)) => return Err(outcome(act, &Seen::Undecodable, format!("{path}: answer above 64 MB"))),
                Err(_) if status == 418 || status == 429 => break,
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(Reply { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn prepare(&self, request: Request) -> Result<reqwest::RequestBuilder, ExchangeError> {
        let no_key =
            || ExchangeError::Rejected { code: -2014, reason: format!("{}: no API key is configured", request.path) };
        let params = match request.security {
            Security::Signed(window) => {
                let (timestamp, recv_window) = self.stamp(window);
                let params = request.params.clone().with("recvWindow", recv_window).with("timestamp", timestamp);
                params.signed(self.key.as_ref().ok_or_else(no_key)?)
            }
            Security::Public | Security::Keyed => request.params.clone(),
        };
        let query = if params.as_str().is_empty() { "" } else { "?" };
        let url = format!("{}{}{query}{}", self.base, request.path, params.as_str());
        let mut http = self.http.request(request.method.clone(), url);
        if request.security != Security::Public {
            let mut id = HeaderValue::from_str(self.key.as_ref().ok_or_else(no_key)?.id()).map_err(|_| no_key())?;
            id.set_sensitive(true);
            http = http.header("X-MBX-APIKEY", id);
        }
        if self.microseconds {
            http = http.header("X-MBX-TIME-UNIT", "MICROSECOND");
        }
        if let Some(limit) = request.limit {
            http = http.timeout(limit);
        }
        Ok(http)
    }

    fn observe(&self, headers: &HeaderMap) {
        let weight = header(headers, "x-mbx-used-weight-1m");
        let orders = header(headers, "x-mbx-order-count-10s");
        let usage = {
            let (mut core, now) = (self.limiter.core(), self.limiter.now());
            core.observe(now, weight, orders);
            core.usage(now)
        };
        self.meters.usage(usage);
    }

    fn refused(&self, act: Act, path: &'static str, reply: &Reply) -> ExchangeError {
        #[derive(Deserialize)]
        struct Raw {
            code: i32,
            #[serde(default)]
            msg: String,
        }
        let raw: Option<Raw> = serde_json::from_str(&reply.body).ok();
        let (status, code) = (reply.status, raw.as_ref().map(|raw| raw.code));
        let text = raw.map_or_else(
            || format!("{path}: HTTP {status} without a code"),
            |raw| raw.msg.chars().filter(|c| !c.is_control()).take(200).collect(),
        );
        let seen = Seen::Refused { status, code, retry_after: reply.retry_after };
        let error = outcome(act, &seen, text);
        if let ExchangeError::Retry { after, .. } = error {
            match (status, code) {
                // The order count limits orders only.
                (_, Some(-1015)) => self.limiter.change(|core, now| core.block_orders(now + after)),
                (418 | 429, _) | (_, Some(-1003)) => {
                    tracing::warn!(
                        status,
                        after_ms = after.as_millis(),
                        "the exchange limits us: nothing leaves before"
                    );
                    self.limiter.change(|core, now| core.block(now + after));
                }
                _ => {}
            }
        }
        if code == Some(-1021) {
            self.clock.doubt();
        }
        error
    }

    /// Measures the exchange's clock and aligns the limiter's windows with it.
    pub(crate) async fn measure_clock(&self) -> Result<(), ExchangeError> {
        let mut samples = Vec::new();
        for _ in 0..CLOCK_SAMPLES {
            self.limiter.admit(Purpose::Query, 1).await;
            let (sent, start) = (wall(), Instant::now());
            let request = Request::get("/api/v3/time", Params::new(), 1);
            let (server, resolution) = self.call(request, decode::server_time).await?;
            samples.push(Sample { sent, round_trip: start.elapsed().into(), server, resolution });
            if estimate(&samples).is_some_and(|offset| offset.uncertainty <= CLOCK_SURE) {
                break;
            }
        }
        if let Some(offset) = estimate(&samples) {
            self.clock.set(offset);
            let phase = self.clock.now().since(self.limiter.now());
            self.limiter.change(|core, _| core.set_phase(phase));
            self.meters.clock(offset);
        }
        Ok(())
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
