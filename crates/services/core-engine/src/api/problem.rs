//! Errors as RFC 9457 problems.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nightdesk_store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Mode;

/// How much of a plain error text is kept.
const DETAIL_BYTES_MAX: usize = 4_096;

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Its kind: `urn:nightdesk:problem:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its kind in words.
    pub title: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What happened this time, and what to do about it.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// With a refused change of mode: the mode in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Box<Mode>>,
}

impl Problem {
    fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Self {
        let title = match word {
            "bad-request" => "The request makes no sense",
            "method-not-allowed" => "Not possible at this address",
            "not-found" => "There is no such thing",
            "refused" => "Not possible as things stand",
            "unavailable" => "Not now",
            _ => "A defect on our side",
        };
        Self {
            kind: format!("urn:nightdesk:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            // The middleware knows.
            instance: String::new(),
            mode: None,
        }
    }

    /// The request makes no sense.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// It cannot be done as things stand.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "refused", detail)
    }

    /// The engine is gone.
    pub(super) fn stopped() -> Self {
        let detail = "core-engine does not answer: it has stopped or is stopping, and the log says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// Somebody else has taken the last seat.
    pub(super) fn crowded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// The engine has answered another question.
    pub(super) fn unexpected(answer: &crate::Response) -> Self {
        tracing::error!(?answer, "core-engine answered another question than it was asked");
        let detail = "the log names it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", detail)
    }

    /// The store cannot be read.
    pub(super) fn store(error: &StoreError) -> Self {
        tracing::warn!(%error, "the store could not be read for the API");
        let detail = format!("the database cannot be read: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// With the mode in force, so that the caller need not look again.
    pub(super) fn with_mode(self, mode: Mode) -> Self {
        Self { mode: Some(Box::new(mode)), ..self }
    }

    /// A plain answer of the framework.
    fn plain(status: StatusCode, said: &str) -> Self {
        let (word, usual) = match status {
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "this address does not answer that method; see the Allow header")
            }
            status if status.is_server_error() => ("defect", "the log names it"),
            _ => ("bad-request", "it could not be read"),
        };
        let detail = if said.is_empty() { usual } else { said };
        Self::new(status, word, detail)
    }

    fn render(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Leaves the rendering to [`around`], which knows the path.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Renders every error as a problem with the path it is about, our own as well as the framework's.
pub(super) async fn around(OriginalUri(uri): OriginalUri, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let told = response.extensions_mut().remove::<Problem>();
    let (mut parts, body) = response.into_parts();
    let problem = match told {
        Some(problem) => problem,
        None => {
            let bytes = to_bytes(body, DETAIL_BYTES_MAX).await.unwrap_or_default();
            Problem::plain(status, &String::from_utf8_lossy(&bytes))
        }
    };
    let rendered = Problem { instance: uri.path().to_owned(), ..problem }.render();
    // What the framework said beside its body, such as `Allow`, stays.
    parts.headers.remove(CONTENT_LENGTH);
    let (status, headers, body) = (rendered.status(), rendered.headers().clone(), rendered.into_body());
    for (name, value) in &headers {
        parts.headers.insert(name, value.clone());
    }
    parts.status = status;
    Response::from_parts(parts, body)
}
