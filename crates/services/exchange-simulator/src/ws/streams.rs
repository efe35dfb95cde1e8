//! `/ws`, `/ws/<streams>` and `/stream?streams=<streams>`: market streams, and account events by listen key.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, RawQuery, State, WebSocketUpgrade};
use axum::http::Response;
use serde_json::{Value, json};

use super::hub::{MAX_STREAMS, Subscription};
use super::socket::{self, Talk};
use crate::gateway::Gateway;
use crate::net::Peer;
use crate::rest::json_response;
use crate::text::{TimeUnit, percent_decode};

/// `/ws` and `/ws/<stream>`, also several joined by `/`.
pub(crate) async fn raw(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    path: Option<Path<String>>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let streams = path.map_or_else(String::new, |Path(streams)| streams);
    open(gateway, peer, &streams, &query.unwrap_or_default(), false, upgrade)
}

/// `/stream?streams=<stream>/<stream>`.
pub(crate) async fn combined(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let query = query.unwrap_or_default();
    let streams = query.split('&').find_map(|pair| pair.strip_prefix("streams=")).unwrap_or_default();
    let streams = percent_decode(streams, false).unwrap_or_default();
    open(gateway, peer, &streams, &query, true, upgrade)
}

fn open(
    gateway: Arc<Gateway>,
    peer: Peer,
    streams: &str,
    query: &str,
    combined: bool,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let unit = query.split('&').find_map(|pair| pair.strip_prefix("timeUnit=")).and_then(TimeUnit::parse);
    if !gateway.weights().connect(peer.address.ip(), gateway.clock.now()) {
        return json_response(429, "{\"code\":-1003,\"msg\":\"Too many connections.\"}");
    }
    let names: Vec<String> = streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() > MAX_STREAMS {
        return json_response(400, "{\"code\":-1130,\"msg\":\"Too many streams.\"}");
    }
    upgrade.on_upgrade(async move |socket| {
        let (id, outgoing) = gateway.hub.open(combined, unit.unwrap_or_default(), false);
        let talk = StreamTalk { gateway: Arc::clone(&gateway), id };
        for name in &names {
            talk.subscribe(name);
        }
        socket::run(&gateway, socket, &peer, id, outgoing, talk).await;
    })
}

struct StreamTalk {
    gateway: Arc<Gateway>,
    id: u64,
}

impl Talk for StreamTalk {
    async fn hear(&mut self, text: String) -> bool {
        let answer = self.control(&text);
        self.gateway.hub.send(self.id, answer.to_string());
        true
    }

    fn messages_1s(&self) -> u32 {
        self.gateway.limits.messages_1s
    }
}

fn refuse(code: i32, msg: impl Into<String>, id: &Value) -> Value {
    let msg: String = msg.into();
    json!({ "error": { "code": code, "msg": msg }, "id": id })
}

impl StreamTalk {
    /// Subscribes to a stream, or to an account by its listen key. The exchange accepts names it does not know.
    fn subscribe(&self, name: &str) -> bool {
        let account = self.gateway.listen_keys().account(name, self.gateway.clock.now());
        if let Some(account) = account {
            self.gateway.hub.subscribe_user(self.id, Subscription::ListenKey(name.to_owned()), account);
        }
        self.gateway.hub.subscribe(self.id, name)
    }

    fn control(&self, text: &str) -> Value {
        let request: Value = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => return refuse(3, format!("Invalid JSON: {error}"), &Value::Null),
        };
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let good_id = match &id {
            Value::Null => true,
            Value::Number(number) => number.is_i64() || number.is_u64(),
            Value::String(text) => text.len() <= 36,
            _ => false,
        };
        if !good_id {
            return refuse(2, "Invalid request: request ID must be an unsigned integer", &Value::Null);
        }
        let hub = &self.gateway.hub;
        let params = request.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Vec<&str> = params.iter().filter_map(Value::as_str).collect();
        let done = |result: Value| json!({ "result": result, "id": id });
        match request.get("method").and_then(Value::as_str) {
            Some("SUBSCRIBE" | "UNSUBSCRIBE") if names.len() != params.len() => {
                refuse(2, "Invalid request: params must be a list of stream names", &id)
            }
            Some("SUBSCRIBE") => {
                let all = names.iter().all(|name| self.subscribe(name));
                if all { done(Value::Null) } else { refuse(2, "Invalid request: too many streams", &id) }
            }
            Some("UNSUBSCRIBE") => {
                names.iter().for_each(|name| hub.unsubscribe(self.id, name));
                done(Value::Null)
            }
            Some("LIST_SUBSCRIPTIONS") => done(json!(hub.streams(self.id))),
            Some("GET_PROPERTY") => match names.first() {
                Some(&"combined") => done(json!(hub.combined(self.id, None))),
                _ => refuse(0, "Unknown property", &id),
            },
            Some("SET_PROPERTY") => match (names.first(), params.get(1).and_then(Value::as_bool)) {
                (Some(&"combined"), Some(set)) => {
                    hub.combined(self.id, Some(set));
                    done(Value::Null)
                }
                (Some(&"combined"), None) => refuse(1, "Invalid value type: expected Boolean", &id),
                _ => refuse(0, "Unknown property", &id),
            },
            Some(other) => refuse(
                2,
                format!(
                    "Invalid request: unknown variant `{other}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
                ),
                &id,
            ),
            None => refuse(2, "Invalid request: missing field `method`", &id),
        }
    }
}
