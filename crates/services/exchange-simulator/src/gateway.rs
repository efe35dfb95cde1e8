//! A request's way through the exchange, the same for REST and WebSocket API: faults, weight, key and signature, the
//! engine, and faults again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightdesk_matching::AccountId;
use nightdesk_units::{Micros, Timestamp};
use serde_json::{Value, json};

use crate::api::{self, Answer, Call, Identity};
use crate::auth::Keyring;
use crate::clock::ExchangeClock;
use crate::config::Timing;
use crate::endpoint::{Endpoint, Security, Spec, weight};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::faults::{FaultBook, FaultKind, How, Target, When};
use crate::limits::{Limits, Weights};
use crate::params::{Params, SignedWindow};
use crate::text::TimeUnit;
use crate::ws::{Hub, ListenKeys};

/// What every connection shares.
pub(crate) struct Gateway {
    pub(crate) engine: Engine,
    pub(crate) keys: Keyring,
    /// Names of accounts, for faults.
    pub(crate) accounts: BTreeMap<AccountId, String>,
    pub(crate) clock: Arc<ExchangeClock>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) faults: Arc<Mutex<FaultBook>>,
    pub(crate) weights: Mutex<Weights>,
    pub(crate) listen_keys: Mutex<ListenKeys>,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
}

/// What a request proves itself with.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) key: Option<String>,
    /// The signed text.
    pub(crate) payload: String,
    pub(crate) signature: Option<String>,
    /// The account that `session.logon` opened.
    pub(crate) session: Option<AccountId>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Answer),
    Refused(ApiError),
    /// A page of HTML by something before the exchange: status and title.
    Page(u16, &'static str),
    Malformed,
    Reset,
    Silence,
}

/// An outcome with what the headers tell.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) outcome: Outcome,
    pub(crate) used_weight: u32,
}

impl Gateway {
    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultBook> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn weights(&self) -> MutexGuard<'_, Weights> {
        self.weights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen_keys(&self) -> MutexGuard<'_, ListenKeys> {
        self.listen_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request from arrival to outcome.
    pub(crate) async fn handle(
        &self,
        spec: &Spec,
        params: Result<Params, ApiError>,
        credentials: Credentials,
        ip: IpAddr,
        unit: TimeUnit,
    ) -> Handled {
        let struck = match &params {
            Ok(params) => {
                let target = FaultTarget::of(self, spec, params, &credentials);
                self.faults().on_request(When::Before, &target.view(), self.clock.now())
            }
            Err(_) => Vec::new(),
        };
        for fault in struck {
            if let Some(outcome) = self.before(fault, ip).await {
                return Handled { outcome, used_weight: self.weights().used(ip, self.clock.now()) };
            }
        }
        let now = self.clock.now();
        let charged = self.weights().charge(ip, params.as_ref().map_or(1, |params| weight(spec, params)), now);
        let used_weight = match charged {
            Ok(used_weight) => used_weight,
            Err(error) => {
                return Handled { outcome: Outcome::Refused(error), used_weight: self.weights().used(ip, now) };
            }
        };
        let outcome = match params {
            Ok(params) => self.answer(spec, params, credentials, unit).await,
            Err(error) => Outcome::Refused(error),
        };
        Handled { outcome, used_weight }
    }

    async fn answer(&self, spec: &Spec, params: Params, credentials: Credentials, unit: TimeUnit) -> Outcome {
        let identity = match self.identify(spec.security, &params, &credentials) {
            Ok(identity) => identity,
            Err(error) => return Outcome::Refused(error),
        };
        // Decided before the request takes effect, done after: the parameters go to the engine.
        let target = FaultTarget::of(self, spec, &params, &credentials);
        if let Some(answer) = self.listen_key(spec.endpoint, &params, identity) {
            return answer.map_or_else(Outcome::Refused, |body| Outcome::Answered(body.into()));
        }
        let skew_us = self.clock.told().since(self.clock.now()).0;
        let call = Call { endpoint: spec.endpoint, params, identity, unit, limits: self.limits, skew_us };
        match self.engine.call(move |core, now| api::answer(core, &call, now)).await {
            Ok(Ok(answer)) => {
                let struck = self.faults().on_request(When::After, &target.view(), self.clock.now());
                self.after(struck, answer).await
            }
            Ok(Err(error)) | Err(error) => Outcome::Refused(error),
        }
    }

    /// Finds out who asks.
    pub(crate) fn identify(
        &self,
        security: Security,
        params: &Params,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, ApiError> {
        if security == Security::None {
            return Ok(None);
        }
        if let (Some(account), None) = (credentials.session, &credentials.key) {
            let window = if security == Security::Signed { Some(SignedWindow::of(params)?) } else { None };
            if let Some(window) = window {
                window.check(self.clock.told())?;
            }
            return Ok(Some(Identity { account, window }));
        }
        let key = self.keys.find(credentials.key.as_deref().unwrap_or_default())?;
        if security == Security::Key {
            return Ok(Some(Identity { account: key.account, window: None }));
        }
        let window = SignedWindow::of(params)?;
        let signature = credentials.signature.as_deref().filter(|text| !text.is_empty());
        let signature = signature.ok_or_else(|| ApiError::mandatory("signature"))?;
        window.check(self.clock.told())?;
        key.verify(&credentials.payload, signature)?;
        Ok(Some(Identity { account: key.account, window: Some(window) }))
    }

    /// Listen keys were removed at Binance on 2026-02-20. Most third-party clients still use them, so they live on here.
    fn listen_key(
        &self,
        endpoint: Endpoint,
        params: &Params,
        identity: Option<Identity>,
    ) -> Option<Result<Value, ApiError>> {
        let account = identity?.account;
        let now = self.clock.now();
        let key = || params.need("listenKey").map(str::to_owned);
        match endpoint {
            Endpoint::ListenKeyStart => Some(Ok(json!({ "listenKey": self.listen_keys().start(account, now) }))),
            Endpoint::ListenKeyPing => {
                Some(key().and_then(|key| self.listen_keys().ping(&key, now)).map(|()| json!({})))
            }
            Endpoint::ListenKeyClose => Some(key().and_then(|key| self.listen_keys().close(&key)).map(|()| json!({}))),
            _ => None,
        }
    }

    async fn before(&self, fault: FaultKind, ip: IpAddr) -> Option<Outcome> {
        match fault {
            FaultKind::Delay { ms, .. } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                None
            }
            FaultKind::AnswerLost { how, .. } => Some(lost(how)),
            FaultKind::Reject { code, msg, status } => Some(Outcome::Refused(ApiError::new(status, code, msg))),
            FaultKind::RateLimit { retry_after_s } => {
                let limit = self.limits.weight_1m;
                let msg = format!(
                    "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
                );
                let mut error = ApiError::new(429, -1003, msg);
                error.retry_after_s = Some(retry_after_s);
                Some(Outcome::Refused(error))
            }
            FaultKind::Ban { seconds } => {
                let span = Micros::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
                Some(Outcome::Refused(self.weights().ban(ip, span, self.clock.now())))
            }
            FaultKind::Firewall {} => Some(Outcome::Page(403, "403 Forbidden")),
            FaultKind::Maintenance {} => Some(Outcome::Refused(ApiError::overloaded())),
            FaultKind::Malformed { .. } => Some(Outcome::Malformed),
            _ => None,
        }
    }

    async fn after(&self, faults: Vec<FaultKind>, answer: Answer) -> Outcome {
        for fault in faults {
            match fault {
                FaultKind::Delay { ms, .. } => tokio::time::sleep(Duration::from_millis(ms)).await,
                FaultKind::AnswerLost { how, .. } => return lost(how),
                FaultKind::Malformed { .. } => return Outcome::Malformed,
                _ => {}
            }
        }
        Outcome::Answered(answer)
    }

    /// The time as told to clients.
    pub(crate) fn told(&self) -> Timestamp {
        self.clock.told()
    }
}

fn lost(how: How) -> Outcome {
    match how {
        How::GatewayTimeout => Outcome::Page(504, "504 Gateway Time-out"),
        How::Timeout => Outcome::Refused(ApiError::unknown_outcome()),
        How::Unexpected => {
            let msg = "An unexpected response was received from the message bus. Execution status unknown.";
            Outcome::Refused(ApiError::new(500, -1006, msg))
        }
        How::Reset => Outcome::Reset,
        How::Silence => Outcome::Silence,
    }
}

/// What faults look at, kept beyond the request's parameters.
struct FaultTarget {
    names: [&'static str; 3],
    symbol: Option<String>,
    side: Option<String>,
    client_id: Option<String>,
    account: Option<String>,
}

impl FaultTarget {
    fn of(gateway: &Gateway, spec: &Spec, params: &Params, credentials: &Credentials) -> Self {
        let text = |name: &str| params.peek(name).map(str::to_owned);
        let account = credentials.key.as_deref().and_then(|key| gateway.keys.find(key).ok()).map(|key| key.account);
        let account = account.or(credentials.session).and_then(|account| gateway.accounts.get(&account).cloned());
        Self {
            names: [spec.name, spec.path, spec.ws],
            symbol: text("symbol"),
            side: text("side"),
            client_id: text("newClientOrderId").filter(|_| spec.method == "POST").or_else(|| text("origClientOrderId")),
            account,
        }
    }

    fn view(&self) -> Target<'_> {
        Target {
            endpoint: &self.names,
            symbol: self.symbol.as_deref(),
            side: self.side.as_deref(),
            client_id: self.client_id.as_deref(),
            account: self.account.as_deref(),
            execution: None,
        }
    }
}
