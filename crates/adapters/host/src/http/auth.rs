//! The bearer token. Users and roles come later; until then whoever can read `run.json` may operate.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nightdesk_platform::Secret;

use super::problem::HttpProblem;

/// Whether two secrets are the same, in a time that tells neither their content nor where they differ.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    // Hashes have one length; comparing them does not tell that of the secrets.
    let (a, b) = (digest(&SHA256, a), digest(&SHA256, b));
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_ref(), b.as_ref()).is_ok()
}

/// Lets a request pass that carries the token.
pub(super) async fn require_token(State(token): State<Secret>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(given) if constant_time_eq(given.as_bytes(), token.expose()) => next.run(request).await,
        Some(_) => refused("this token is not valid; `nightdesk` reads the current one from run.json"),
        None => refused("send the header `Authorization: Bearer TOKEN`; the token is in DATA_DIR/run.json"),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refused(detail: &str) -> Response {
    let mut response = HttpProblem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
