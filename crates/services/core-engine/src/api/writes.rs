//! Changes. Each is journaled by the engine before it is answered.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{InstanceId, Symbol};
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Actor, Endpoint, Good, described};
use super::model::{Mode, ModeChange, Reason, Strategy};
use super::model_market::Order;
use super::reads::name;
use super::{Api, Problem};
use crate::effect::{Request, Response};

type Answer<T> = Result<T, Problem>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let asked = Good::with_nothing(202, "Asked for; its outcome follows.");
    vec![
        Endpoint::delete("/v1/orders/{client_order_id}", "cancelOrder", "Cancels an order.", cancel)
            .answers(Good { schema: Some(described::<Order>), ..asked })
            .may_fail(&[404, 409]),
        Endpoint::post::<Strategy, _, _>("/v1/strategies/{instance}/start", "startStrategy", "Lets it decide.", start)
            .may_fail(&[404, 409]),
        Endpoint::post::<Strategy, _, _>(
            "/v1/strategies/{instance}/stop",
            "stopStrategy",
            "Lets it decide no more; it cancels its open orders.",
            stop,
        )
        .may_fail(&[404, 409]),
        Endpoint::post::<ModeChange, _, _>("/v1/mode/halt", "halt", "Takes no new risk from now on.", halt)
            .with_body::<Reason>(),
        Endpoint::post::<ModeChange, _, _>(
            "/v1/mode/liquidate",
            "liquidate",
            "Takes no new risk, and sells what is held at the market.",
            liquidate,
        )
        .with_body::<Reason>(),
        Endpoint::post::<ModeChange, _, _>(
            "/v1/mode/resume",
            "resume",
            "Lifts the halt of this version; refused when another has come into force.",
            resume,
        )
        .with_body::<Version>()
        .may_fail(&[409]),
        Endpoint::post::<ModeChange, _, _>("/v1/mode/read-only", "setReadOnly", "Sets or lifts read-only.", read_only)
            .with_body::<ReadOnly>()
            .may_fail(&[409]),
        Endpoint::post::<(), _, _>("/v1/reconcile", "reconcile", "Compares with the exchange now.", reconcile)
            .answers(asked)
            .may_fail(&[409]),
        Endpoint::delete(
            "/v1/quarantine/{symbol}",
            "releaseInstrument",
            "Trades a quarantined instrument again, and takes the exchange's balances as they are.",
            release,
        )
        .may_fail(&[404, 409]),
    ]
}

/// Which halt is lifted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Version {
    /// The version of the mode that the caller has seen.
    version: u64,
}

/// Whether anything may be recorded, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadOnly {
    /// True to set it.
    read_only: bool,
    /// Why.
    #[schemars(length(min = 1, max = 500), extend("pattern" = Reason::PATTERN))]
    reason: String,
}

async fn cancel(State(api): State<Api>, Path(id): Path<String>, Actor(by): Actor) -> Answer<(StatusCode, Json<Order>)> {
    let id: ClientOrderId = name("order", &id)?;
    let order = api.archive.order(id).await?;
    if order.status.is_final() {
        return Err(Problem::refused(format!("order {id} is {} already", order.status.as_str())));
    }
    api.done(Request::Cancel { id, by }).await?;
    Ok((StatusCode::ACCEPTED, Json(api.archive.order(id).await?)))
}

async fn start(State(api): State<Api>, Path(instance): Path<String>, Actor(by): Actor) -> Answer<Json<Strategy>> {
    api.run(&instance, true, by).await
}

async fn stop(State(api): State<Api>, Path(instance): Path<String>, Actor(by): Actor) -> Answer<Json<Strategy>> {
    api.run(&instance, false, by).await
}

async fn halt(State(api): State<Api>, Actor(by): Actor, Json(why): Json<Reason>) -> Answer<Json<ModeChange>> {
    let reason = why.checked()?;
    api.change(Request::Halt { reason, by }).await
}

async fn liquidate(State(api): State<Api>, Actor(by): Actor, Json(why): Json<Reason>) -> Answer<Json<ModeChange>> {
    let reason = why.checked()?;
    api.change(Request::Liquidate { reason, by }).await
}

async fn resume(State(api): State<Api>, Actor(by): Actor, Json(lifts): Json<Version>) -> Answer<Json<ModeChange>> {
    api.change(Request::Resume { version: lifts.version, by }).await
}

async fn read_only(State(api): State<Api>, Actor(by): Actor, Json(wish): Json<ReadOnly>) -> Answer<Json<ModeChange>> {
    let reason = Reason { reason: wish.reason }.checked()?;
    api.change(Request::ReadOnly { read_only: wish.read_only, reason, by }).await
}

async fn reconcile(State(api): State<Api>, Actor(by): Actor) -> Answer<StatusCode> {
    tracing::info!(by, "{by} asks for a reconciliation");
    api.done(Request::Reconcile).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn release(State(api): State<Api>, Path(symbol): Path<String>, Actor(by): Actor) -> Answer<StatusCode> {
    let symbol: Symbol = name("instrument", &symbol)?;
    api.done(Request::Release { symbol, by }).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Reason {
    /// What [`Reason::checked`] lets pass.
    pub(super) const PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

    fn checked(self) -> Result<String, Problem> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > 500 || reason.chars().any(char::is_control) {
            return Err(Problem::bad_request("reason takes 1 to 500 characters without control characters"));
        }
        Ok(reason.to_owned())
    }
}

impl Api {
    /// Asks for something that is done or refused.
    async fn done(&self, request: Request) -> Result<(), Problem> {
        match self.ask(request).await? {
            Response::Done => Ok(()),
            Response::NotFound(detail) => Err(Problem::not_found(detail)),
            Response::Refused(detail) => Err(Problem::refused(detail)),
            other => Err(Problem::unexpected(&other)),
        }
    }

    /// Asks for another mode.
    async fn change(&self, request: Request) -> Answer<Json<ModeChange>> {
        match self.ask(request).await? {
            Response::Mode { mode, effective, in_flight } => {
                Ok(Json(ModeChange { mode: mode.into(), effective, in_flight }))
            }
            Response::Refused(detail) => {
                let mode = Mode::from(self.view().await?.mode);
                Err(Problem::refused(detail).with_mode(mode))
            }
            other => Err(Problem::unexpected(&other)),
        }
    }

    /// Runs or stops a strategy instance, and says how it stands.
    async fn run(&self, instance: &str, run: bool, by: String) -> Answer<Json<Strategy>> {
        let instance: InstanceId = name("strategy instance", instance)?;
        self.done(Request::Strategy { instance, run, by }).await?;
        let strategies = self.view().await?.strategies;
        let known = strategies.into_iter().find(|known| known.instance == instance);
        known
            .map(|known| Json(known.into()))
            .ok_or_else(|| Problem::not_found(format!("no strategy instance {instance}")))
    }
}
