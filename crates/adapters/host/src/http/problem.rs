//! Errors as RFC 9457 problems.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value};

/// The media type.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// How much of a plain error text is kept.
const DETAIL_BYTES_MAX: usize = 4_096;

/// An error as RFC 9457 wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProblem {
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
}

impl HttpProblem {
    /// A problem; its title is the status's own.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), members: Map::new() }
    }

    /// Adds a member of our own.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    fn to_json(&self) -> Value {
        let mut members = self.members.clone();
        members.insert("type".to_owned(), "about:blank".into());
        members.insert("title".to_owned(), self.status.canonical_reason().unwrap_or("Error").into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        if !self.detail.is_empty() {
            members.insert("detail".to_owned(), self.detail.as_str().into());
        }
        Value::Object(members)
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        // For `as_problem`, which knows what was asked for.
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns an error answer about `path` into a problem that names it: ours, and what comes as plain text (axum's own, an
/// extractor's). Leaves other JSON alone.
pub(super) async fn as_problem(mut response: axum::response::Response, path: &str) -> axum::response::Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let ours = response.extensions_mut().remove::<HttpProblem>();
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if ours.is_none() && media_type.contains("json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem = match ours {
        Some(problem) => problem,
        None => {
            let bytes = axum::body::to_bytes(body, DETAIL_BYTES_MAX).await.unwrap_or_default();
            let said = String::from_utf8_lossy(&bytes);
            let detail = if said.is_empty() { usual_detail(status).to_owned() } else { said.into_owned() };
            HttpProblem::new(status, detail)
        }
    };
    let (problem, body) = problem.with("instance", path).into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    // What the answer said beside its body (`Allow`, `Retry-After`) stays.
    parts.headers.extend(problem.headers);
    axum::response::Response::from_parts(parts, body)
}

const fn usual_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this address",
        StatusCode::METHOD_NOT_ALLOWED => "this address does not answer that method; see the Allow header",
        StatusCode::PAYLOAD_TOO_LARGE => "the request's body is too large",
        _ => "",
    }
}
