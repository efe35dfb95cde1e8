//! REST: from an HTTP request to the gateway and back, with the exchange's headers.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::api::Answer;
use crate::auth::rest_payload;
use crate::endpoint::by_path;
use crate::error::ApiError;
use crate::gateway::{Credentials, Gateway, Handled, Outcome};
use crate::net::Peer;
use crate::params::Params;
use crate::text::{TimeUnit, percent_decode};

/// The longest body that is read.
const LONGEST_BODY: usize = 64 * 1024;

/// Answers any HTTP request that is not a WebSocket's.
pub(crate) async fn rest(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(spec) = by_path(parts.method.as_str(), parts.uri.path()) else {
        return page(404, "404 Not Found");
    };
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else { return page(413, "413 Request Entity Too Large") };
    let Ok(body) = std::str::from_utf8(&body) else {
        return json_response(
            400,
            &ApiError::bad(-1100, "Illegal characters found in a parameter.").body().to_string(),
        );
    };
    let query = parts.uri.query().unwrap_or_default();
    let unit = match parts.headers.get("x-mbx-time-unit").map(|value| value.to_str().ok().and_then(TimeUnit::parse)) {
        None => TimeUnit::Milli,
        Some(Some(unit)) => unit,
        Some(None) => {
            let error =
                ApiError::bad(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.");
            return json_response(400, &error.body().to_string());
        }
    };
    let (payload, signature) = rest_payload(query, body);
    let credentials = Credentials {
        key: parts.headers.get("x-mbx-apikey").and_then(|key| key.to_str().ok()).map(str::to_owned),
        payload,
        signature: signature.and_then(|text| percent_decode(text, false)),
        session: None,
    };
    let handled = gateway.handle(spec, Params::parse(query, body), credentials, peer.address.ip(), unit).await;
    respond(handled, &peer).await
}

async fn respond(handled: Handled, peer: &Peer) -> Response<Body> {
    let mut response = match handled.outcome {
        Outcome::Answered(Answer { body, order_counts }) => {
            let mut response = json_response(200, &body.to_string());
            if let Some((ten, day)) = order_counts {
                number(response.headers_mut(), "x-mbx-order-count-10s", ten);
                number(response.headers_mut(), "x-mbx-order-count-1d", day);
            }
            response
        }
        Outcome::Refused(error) => {
            let mut response = json_response(error.status, &error.body().to_string());
            if let Some(seconds) = error.retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Outcome::Page(status, title) => page(status, title),
        Outcome::Malformed => json_response(200, "{\"symbol\":\"BTCUSDT\",\"orderId\":12"),
        Outcome::Reset => {
            peer.reset();
            json_response(200, "{}")
        }
        Outcome::Silence => std::future::pending().await,
    };
    number(response.headers_mut(), "x-mbx-used-weight", handled.used_weight);
    number(response.headers_mut(), "x-mbx-used-weight-1m", handled.used_weight);
    response
}

fn number(headers: &mut HeaderMap, name: &'static str, value: u32) {
    headers.insert(name, HeaderValue::from(value));
}

fn response(status: u16, kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(crate) fn json_response(status: u16, body: &str) -> Response<Body> {
    response(status, "application/json;charset=UTF-8", body.to_owned())
}

/// What a proxy in front of the exchange answers.
fn page(status: u16, title: &str) -> Response<Body> {
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    response(status, "text/html", body)
}
