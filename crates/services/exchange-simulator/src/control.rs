//! The control address: faults, state, record, deposits. Not part of Binance's protocol.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{Response, StatusCode, header};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use nightdesk_units::{Asset, Qty};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::DEFAULT_ACCOUNT;
use crate::engine::{Command, Core, RecordPlace};
use crate::error::ApiError;
use crate::faults::{FaultBook, FaultKind};
use crate::gateway::Gateway;

/// What the control address answers.
const ROUTES: &str = "known are GET /health, /state, /record?from=SEQUENCE and /faults, POST /faults, /deposit, /withdraw \
                      and /market, DELETE /faults and /faults/ID";

type Shared = State<Arc<Gateway>>;
type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

/// The control routes.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/state", get(state))
        .route("/record", get(record))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(clear_fault))
        .route("/deposit", post(deposit))
        .route("/withdraw", post(withdraw))
        .route("/market", post(market))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(gateway)
}

fn bad(text: impl Into<String>) -> (StatusCode, Json<Value>) {
    let text: String = text.into();
    (StatusCode::BAD_REQUEST, Json(json!({ "error": text })))
}

/// What a mistyped request is told.
async fn unknown(request: Request) -> (StatusCode, Json<Value>) {
    let text = format!("there is no {} {} here; {ROUTES}", request.method(), request.uri().path());
    (StatusCode::NOT_FOUND, Json(json!({ "error": text })))
}

fn failed(error: ApiError) -> (StatusCode, Json<Value>) {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error.msg })))
}

async fn state(State(gateway): Shared) -> Answer {
    let connections = gateway.hub.len();
    let state = gateway.engine.call(move |core, now| snapshot(core, now.0)).await.map_err(failed)?;
    let mut state = state;
    state["connections"] = json!(connections);
    state["faults"] = gateway.faults().list();
    Ok(Json(state))
}

fn snapshot(core: &mut Core, now_us: i64) -> Value {
    let venue = &core.world.venue;
    let account = |(name, id): (&String, &nightdesk_matching::AccountId)| {
        json!({
            "name": name,
            "balances": venue.balances(*id).unwrap_or_default(),
            "open_orders": venue.open_orders(*id, None).unwrap_or_default(),
        })
    };
    let symbol = |instrument: &nightdesk_market::Instrument| {
        let symbol = instrument.symbol;
        let best = venue.best(symbol).ok();
        json!({
            "symbol": symbol,
            "bid": best.map(|b| instrument.price(b.bid)), "ask": best.map(|b| instrument.price(b.ask)),
            "last": venue.last_price(symbol).ok().flatten().map(|t| instrument.price(t)),
            "book_update_id": best.map(|b| b.update_id),
        })
    };
    let recorded = core.playback.is_some();
    json!({
        "now_us": now_us,
        "opened_at_us": core.world.opened_at.0,
        "market": {
            "kind": if recorded { "replay" } else { "synthetic" },
            "paused": core.paused, "played": core.world.position.played, "ended": core.world.position.ended,
            "failure": core.market_failure,
        },
        "symbols": core.world.instruments().iter().map(symbol).collect::<Vec<_>>(),
        "accounts": core.world.accounts.iter().map(account).collect::<Vec<_>>(),
        "counters": venue.counters(),
        "ledger": venue.ledger(),
        "record_lines": core.record_lines(), "commits": core.commits, "syncs": core.syncs(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordQuery {
    /// The first line wanted, by its sequence.
    #[serde(default)]
    from: u64,
}

async fn record(
    State(gateway): Shared,
    query: Result<Query<RecordQuery>, QueryRejection>,
) -> Result<Response<Body>, (StatusCode, Json<Value>)> {
    let Query(query) = query.map_err(|e| bad(e.body_text()))?;
    let place = gateway.engine.call(|core, _| core.record()).await.map_err(failed)?;
    let bytes = match place {
        RecordPlace::Memory(bytes) => bytes,
        RecordPlace::File(path, length) => {
            let mut bytes = tokio::fs::read(&path).await.map_err(|e| bad(format!("{}: {e}", path.display())))?;
            bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            bytes
        }
    };
    let kept: Vec<u8> = if query.from <= 1 {
        bytes
    } else {
        let wanted = |line: &&[u8]| {
            #[derive(Deserialize)]
            struct Line {
                sequence: u64,
            }
            serde_json::from_slice::<Line>(line).is_ok_and(|line| line.sequence >= query.from)
        };
        bytes.split_inclusive(|b| *b == b'\n').filter(wanted).flatten().copied().collect()
    };
    let mut response = Response::new(Body::from(kept));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

async fn list_faults(State(gateway): Shared) -> Json<Value> {
    Json(gateway.faults().list())
}

/// Adds a fault, or a list of them. Cutting streams and announcing a shutdown happen at once and are done with.
async fn add_fault(State(gateway): Shared, body: String) -> Answer {
    let value: Value = serde_json::from_str(&body).map_err(|e| bad(format!("not JSON: {e}")))?;
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    // All are read before the first is set.
    let parsed = list.into_iter().map(FaultBook::parse).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let symbols = gateway
        .engine
        .call(|core, _| core.world.instruments().iter().map(|i| i.symbol.to_string()).collect::<Vec<_>>())
        .await
        .map_err(failed)?;
    let accounts: Vec<&str> = gateway.accounts.values().map(String::as_str).collect();
    for fault in &parsed {
        fault.check_names(&symbols, &accounts).map_err(bad)?;
    }
    let mut ids = Vec::new();
    for fault in parsed {
        match &fault.kind {
            FaultKind::StreamCut { stream, reset } => {
                ids.push(json!({ "cut": gateway.hub.cut(*stream, *reset) }));
            }
            FaultKind::ServerShutdown { grace_ms } => {
                let told = gateway.told();
                let old = gateway.hub.announce_shutdown(|unit| unit.of(told));
                let (hub, grace) = (Arc::clone(&gateway.hub), Duration::from_millis(*grace_ms));
                tokio::spawn(async move {
                    tokio::time::sleep(grace).await;
                    hub.cut_these(&old);
                });
                ids.push(json!({ "shutdown_in_ms": grace_ms }));
            }
            _ => {
                let id = gateway.faults().add(fault, gateway.clock.now());
                ids.push(json!({ "id": id }));
            }
        }
    }
    let skew = gateway.faults().skew(gateway.clock.now());
    gateway.clock.skew(skew);
    Ok(Json(if ids.len() == 1 { ids.remove(0) } else { ids.into() }))
}

fn cleared(gateway: &Gateway, id: Option<u64>) -> Json<Value> {
    let count = gateway.faults().clear(id);
    if id.is_none() {
        gateway.weights().pardon();
    }
    let skew = gateway.faults().skew(gateway.clock.now());
    gateway.clock.skew(skew);
    Json(json!({ "cleared": count }))
}

/// Clears all faults and lifts all bans.
async fn clear_faults(State(gateway): Shared) -> Json<Value> {
    cleared(&gateway, None)
}

async fn clear_fault(State(gateway): Shared, id: Result<Path<u64>, PathRejection>) -> Answer {
    let Path(id) = id.map_err(|_| bad("a fault's id is a number, as POST /faults gave it"))?;
    Ok(cleared(&gateway, Some(id)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    asset: Asset,
    amount: Qty,
    account: Option<String>,
}

async fn deposit(State(gateway): Shared, body: String) -> Answer {
    transfer(&gateway, &body, false).await
}

async fn withdraw(State(gateway): Shared, body: String) -> Answer {
    transfer(&gateway, &body, true).await
}

async fn transfer(gateway: &Gateway, body: &str, out: bool) -> Answer {
    let request: TransferRequest = serde_json::from_str(body).map_err(|e| bad(e.to_string()))?;
    if !request.amount.is_positive() {
        return Err(bad("amount is above zero"));
    }
    let name = request.account.unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned());
    let (asset, delta) = (request.asset, if out { request.amount.neg() } else { request.amount });
    let done = gateway
        .engine
        .call(move |core, now| {
            let account = *core.world.accounts.get(&name).ok_or_else(|| format!("no account {name:?}"))?;
            let command = Command::Transfer { account, asset, delta };
            core.command(command, now).map(drop).map_err(|e| e.to_string())
        })
        .await
        .map_err(failed)?;
    done.map(|()| Json(json!({ "done": true }))).map_err(bad)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketRequest {
    paused: bool,
}

/// Stops the market, or lets it go on; orders are taken all the while.
async fn market(State(gateway): Shared, body: String) -> Answer {
    let request: MarketRequest = serde_json::from_str(&body).map_err(|e| bad(e.to_string()))?;
    gateway.engine.call(move |core, _| core.paused = request.paused).await.map_err(failed)?;
    Ok(Json(json!({ "paused": request.paused })))
}
