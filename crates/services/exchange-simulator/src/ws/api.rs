//! `/ws-api/v3`: requests over a WebSocket, sessions by Ed25519 key, and account events.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, State, WebSocketUpgrade};
use axum::http::Response;
use nightdesk_matching::AccountId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::hub::Subscription;
use super::socket::{self, Talk};
use crate::api::Answer;
use crate::endpoint::{Security, by_ws};
use crate::error::ApiError;
use crate::gateway::{Credentials, Gateway, Handled, Outcome};
use crate::net::Peer;
use crate::params::Params;
use crate::rest::json_response;
use crate::text::TimeUnit;

/// Requests about account events; those of listen keys are the gateway's.
const USER_STREAM: [&str; 3] =
    ["userDataStream.subscribe", "userDataStream.subscribe.signature", "userDataStream.unsubscribe"];
/// What requests about the session weigh.
const SESSION_WEIGHT: u32 = 2;

/// `/ws-api/v3`.
pub(crate) async fn api(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let query = query.unwrap_or_default();
    let option = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let unit = option("timeUnit").and_then(TimeUnit::parse).unwrap_or_default();
    let show_limits = option("returnRateLimits") != Some("false");
    if !gateway.weights().connect(peer.address.ip(), gateway.clock.now()) {
        return json_response(429, "{\"code\":-1003,\"msg\":\"Too many connections.\"}");
    }
    upgrade.on_upgrade(async move |socket| {
        let (id, outgoing) = gateway.hub.open(false, unit, true);
        let session = Session {
            gateway: Arc::clone(&gateway),
            peer: peer.clone(),
            id,
            unit,
            show_limits,
            logged_on: None,
            next_subscription: 0,
        };
        socket::run(&gateway, socket, &peer, id, outgoing, session).await;
    })
}

#[derive(Debug, Clone)]
struct LoggedOn {
    key: String,
    account: AccountId,
    since_ms: i64,
}

struct Session {
    gateway: Arc<Gateway>,
    peer: Peer,
    id: u64,
    unit: TimeUnit,
    show_limits: bool,
    logged_on: Option<LoggedOn>,
    next_subscription: u64,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: BTreeMap<String, Box<RawValue>>,
}

impl Talk for Session {
    async fn hear(&mut self, text: String) -> bool {
        let request: Request = match serde_json::from_str(&text) {
            Ok(request) => request,
            Err(_) => {
                let error = ApiError::bad(-1135, "Invalid JSON Request");
                self.reply(&Value::Null, Err(error), None);
                return true;
            }
        };
        let params = Params::from_json(&request.params);
        let show = match params.flag("returnRateLimits") {
            Ok(show) => show.unwrap_or(self.show_limits),
            Err(error) => {
                self.reply(&request.id, Err(error), None);
                return true;
            }
        };
        if request.method.starts_with("session.") || USER_STREAM.contains(&request.method.as_str()) {
            let (ip, now) = (self.peer.address.ip(), self.gateway.clock.now());
            let used = self.gateway.weights().charge(ip, SESSION_WEIGHT, now);
            let limits = used.as_ref().ok().filter(|_| show).map(|used| self.limits(*used, None));
            let result = used.and_then(|_| self.session_request(&request.method, &params));
            self.reply(&request.id, result, limits);
            return true;
        }
        self.forward(&request, params, show).await
    }

    fn messages_1s(&self) -> u32 {
        // Requests are limited by their weight.
        u32::MAX
    }
}

impl Session {
    fn limits(&self, used_weight: u32, orders: Option<(u32, u32)>) -> Value {
        let limits = self.gateway.limits;
        let one = |kind: &str, interval: &str, number: u32, limit: u32, count: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit, "count": count });
        let mut list = Vec::new();
        if let Some((ten, day)) = orders {
            list.push(one("ORDERS", "SECOND", 10, limits.orders_10s, ten));
            list.push(one("ORDERS", "DAY", 1, limits.orders_1d, day));
        }
        list.push(one("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m, used_weight));
        list.into()
    }

    fn reply(&self, id: &Value, result: Result<Value, ApiError>, limits: Option<Value>) {
        let mut reply = match result {
            Ok(result) => json!({ "id": id, "status": 200, "result": result }),
            Err(error) => {
                let mut body = error.body();
                if let Some(seconds) = error.retry_after_s {
                    let now = self.gateway.told().as_millis();
                    let wait = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
                    body["data"] = json!({ "serverTime": now, "retryAfter": now.saturating_add(wait) });
                }
                json!({ "id": id, "status": error.status, "error": body })
            }
        };
        if let Some(limits) = limits {
            reply["rateLimits"] = limits;
        }
        self.gateway.hub.send(self.id, reply.to_string());
    }

    fn credentials(&self, params: &Params) -> Credentials {
        Credentials {
            key: params.peek("apiKey").map(str::to_owned),
            payload: params.sorted_payload(),
            signature: params.peek("signature").map(str::to_owned),
            session: self.logged_on.as_ref().map(|on| on.account),
        }
    }

    /// A request that the gateway answers; false closes the connection.
    async fn forward(&mut self, request: &Request, params: Params, show: bool) -> bool {
        let Some(spec) = by_ws(&request.method) else {
            let error = ApiError::bad(-1000, format!("Unknown method '{}'", request.method));
            self.reply(&request.id, Err(error), None);
            return true;
        };
        let credentials = self.credentials(&params);
        let ip = self.peer.address.ip();
        let handled = self.gateway.handle(spec, Ok(params), credentials, ip, self.unit).await;
        let Handled { outcome, used_weight } = handled;
        let limits = |orders| if show { Some(self.limits(used_weight, orders)) } else { None };
        match outcome {
            Outcome::Answered(Answer { body, order_counts }) => self.reply(&request.id, Ok(body), limits(order_counts)),
            Outcome::Refused(error) => self.reply(&request.id, Err(error), limits(None)),
            Outcome::Page(504, _) => self.reply(&request.id, Err(ApiError::unknown_outcome()), limits(None)),
            Outcome::Page(status, title) => {
                self.reply(&request.id, Err(ApiError::new(status, -1000, title)), limits(None));
            }
            Outcome::Malformed => self.gateway.hub.send(self.id, "{\"id\":\"".to_owned()),
            Outcome::Reset => {
                self.peer.reset();
                return false;
            }
            Outcome::Silence => {}
        }
        true
    }

    /// Requests about the session and its subscriptions.
    fn session_request(&mut self, method: &str, params: &Params) -> Result<Value, ApiError> {
        match method {
            "session.logon" => self.logon(params),
            "session.status" => Ok(self.status()),
            "session.logout" => {
                self.logged_on = None;
                Ok(self.status())
            }
            "session.subscriptions" => {
                let number = |(subscription, _)| match subscription {
                    Subscription::Api(number) => Some(json!({ "subscriptionId": number })),
                    Subscription::ListenKey(_) => None,
                };
                Ok(self.gateway.hub.users(self.id).into_iter().filter_map(number).collect())
            }
            "userDataStream.subscribe" => match &self.logged_on {
                Some(on) => Ok(self.subscribe(on.account)),
                None => Err(ApiError::bad(
                    -2015,
                    "Invalid API-key, IP, or permissions for action: log on with session.logon first, or use userDataStream.subscribe.signature.",
                )),
            },
            "userDataStream.subscribe.signature" => {
                let identity = self.gateway.identify(
                    Security::Signed,
                    params,
                    &Credentials { session: None, ..self.credentials(params) },
                );
                identity
                    .and_then(|identity| identity.ok_or_else(ApiError::key_rejected))
                    .map(|who| self.subscribe(who.account))
            }
            "userDataStream.unsubscribe" => params.int("subscriptionId").map(|number| self.unsubscribe(number)),
            _ => Err(ApiError::bad(-1000, format!("Unknown method '{method}'"))),
        }
    }

    fn logon(&mut self, params: &Params) -> Result<Value, ApiError> {
        let key_text = params.need("apiKey")?.to_owned();
        let key = self.gateway.keys.find(&key_text)?;
        if !key.is_ed25519() {
            return Err(ApiError::bad(-4056, "HMAC_SHA256 API key is not supported."));
        }
        let credentials = Credentials { session: None, ..self.credentials(params) };
        let identity =
            self.gateway.identify(Security::Signed, params, &credentials)?.ok_or_else(ApiError::key_rejected)?;
        let since_ms = self.unit.of(self.gateway.told());
        self.logged_on = Some(LoggedOn { key: key_text, account: identity.account, since_ms });
        Ok(self.status())
    }

    fn status(&self) -> Value {
        let on = self.logged_on.as_ref();
        json!({
            "apiKey": on.map(|on| &on.key), "authorizedSince": on.map(|on| on.since_ms),
            "connectedSince": self.unit.of(self.gateway.told()), "returnRateLimits": self.show_limits,
            "serverTime": self.unit.of(self.gateway.told()),
            "userDataStream": !self.gateway.hub.users(self.id).is_empty(),
        })
    }

    fn subscribe(&mut self, account: AccountId) -> Value {
        let number = self.next_subscription;
        self.next_subscription += 1;
        self.gateway.hub.subscribe_user(self.id, Subscription::Api(number), account);
        json!({ "subscriptionId": number })
    }

    /// Ends one subscription or all, each told by an event of its own.
    fn unsubscribe(&mut self, number: Option<u64>) -> Value {
        let only = number.map(Subscription::Api);
        for ended in self.gateway.hub.unsubscribe_user(self.id, only.as_ref()) {
            if let Subscription::Api(number) = ended {
                let event = json!({ "e": "eventStreamTerminated", "E": self.unit.of(self.gateway.told()) });
                self.gateway.hub.send(self.id, json!({ "subscriptionId": number, "event": event }).to_string());
            }
        }
        json!({})
    }
}
