//! Around every request: an id, a span, a time limit, a net for panics, problems for errors, latency, an access log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, StreamExt};
use nightdesk_platform::kpi::{Kind, Kpi, LATENCY_SECONDS};
use tracing::{Instrument, debug, error, info_span};

use super::problem::{HttpProblem, as_problem};
use crate::life::{Host, panic_text};

/// Latency of our own API.
pub(super) const REQUEST_SECONDS: Kpi = Kpi {
    name: "nightdesk_http_request_duration_seconds",
    help: "Duration of requests to our own API, until the answer's first byte.",
    kind: Kind::Histogram(LATENCY_SECONDS),
    labels: &["method", "route", "status"],
    alias: None,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the guard needs to know.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) host: Host,
    pub(super) timeout: Duration,
    pub(super) body_bytes_max: usize,
    pub(super) ids: Arc<RequestIds>,
}

/// The outermost layer.
pub(super) async fn around(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = guard.ids.of(request.headers());
    let method = request.method().clone();
    // The path without the query, which may carry what does not belong into logs.
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let trace_id = trace_id(request.headers()).unwrap_or_default();
    let span = info_span!("http", request.id = %id, trace_id = tracing::field::Empty);
    if !trace_id.is_empty() {
        span.record("trace_id", trace_id);
    }
    let answered = answer(&guard, request, next).instrument(span.clone()).await;
    let mut response = end_streams_at_stop(as_problem(answered, &path).await, &guard.host);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    let (took, status) = (began.elapsed(), response.status());
    // Methods are bounded here because anybody may invent one.
    let known = matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
    let label = if known { method.as_str() } else { "(other)" };
    REQUEST_SECONDS.histogram(&[label, &route, status.as_str()]).record(took.as_secs_f64());
    let (ms, _in_span) = (took.as_secs_f64() * 1_000.0, span.enter());
    debug!(http.status = status.as_u16(), http.ms = ms, "{method} {path} answered {} in {ms:.1} ms", status.as_u16());
    response
}

async fn answer(guard: &Guard, request: Request, next: Next) -> Response {
    if body_length(request.headers()).is_some_and(|length| length > guard.body_bytes_max) {
        let limit = guard.body_bytes_max;
        return HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have {limit} bytes"))
            .into_response();
    }
    let path = request.uri().path().to_owned();
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(guard.timeout, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            error!("the handler of {path} panicked: {}; this is a defect, please report it", panic_text(&*panic));
            HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect on our side; the log names it")
                .into_response()
        }
        Err(_) => {
            let seconds = guard.timeout.as_secs_f64();
            retry_later(&format!(
                "no answer within {seconds} s; what was asked may still happen, so look before asking again"
            ))
        }
    }
}

/// Refuses new work while the process stops. Sits around the services' routers only: health stays visible.
pub(super) async fn refuse_when_stopping(State(host): State<Host>, request: Request, next: Next) -> Response {
    if host.health().is_stopping() { retry_later("the process is stopping") } else { next.run(request).await }
}

fn retry_later(detail: &str) -> Response {
    let mut response = HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Server-sent events never end by themselves; they end when the process stops.
fn end_streams_at_stop(response: Response, host: &Host) -> Response {
    let media_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !media_type.is_some_and(|t| t.starts_with(b"text/event-stream")) {
        return response;
    }
    let stop = Box::pin(host.stopping().wait());
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stop)))
}

fn body_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Names requests: a random part for the process, a number for the request.
pub(super) struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        // Without chance the numbers still tell the requests of one process apart.
        let process = crate::run_file::random_hex::<4>().unwrap_or_default();
        Self { process, next: AtomicU64::new(1) }
    }

    /// The caller's id if it is harmless, else one of our own.
    fn of(&self, headers: &HeaderMap) -> String {
        let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
        let harmless = |id: &&str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            (1..=64).contains(&id.len()) && id.bytes().all(allowed)
        };
        given
            .filter(harmless)
            .map_or_else(|| format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed)), str::to_owned)
    }
}

/// The trace of a W3C `traceparent` header.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let id = parent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}
