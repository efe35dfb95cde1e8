//! Questions.

use std::str::FromStr;

use axum::Json;
use axum::extract::{Path, Query, State};

use super::archive::{FillsQuery, OrdersQuery};
use super::endpoint::Endpoint;
use super::list::Page;
use super::model::{Mode, Portfolio, Position, Quarantined, Status, Strategy};
use super::model_market::{Fill, Order};
use super::{Api, Problem};

type Answer<T> = Result<Json<T>, Problem>;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get::<Status, _, _>("/v1/status", "getStatus", "How things stand, all at once.", status),
        Endpoint::get::<Portfolio, _, _>("/v1/portfolio", "getPortfolio", "Value, profit, risk, balances.", portfolio),
        Endpoint::get::<Vec<Position>, _, _>("/v1/positions", "listPositions", "What is held.", positions),
        Endpoint::get::<Page<Order>, _, _>("/v1/orders", "listOrders", "Orders, newest first.", orders)
            .with_query::<OrdersQuery>(),
        Endpoint::get::<Order, _, _>("/v1/orders/{client_order_id}", "getOrder", "One order.", order).may_fail(&[404]),
        Endpoint::get::<Page<Fill>, _, _>("/v1/fills", "listFills", "Executions, newest first.", fills)
            .with_query::<FillsQuery>(),
        Endpoint::get::<Vec<Strategy>, _, _>("/v1/strategies", "listStrategies", "Strategy instances.", strategies),
        Endpoint::get::<Mode, _, _>("/v1/mode", "getMode", "What may be sent, why, and who said so.", mode),
        Endpoint::get::<Vec<Quarantined>, _, _>(
            "/v1/quarantine",
            "listQuarantine",
            "Instruments left alone until an operator has looked.",
            quarantine,
        ),
    ]
}

async fn status(State(api): State<Api>) -> Answer<Status> {
    Ok(Json(api.view().await?.into()))
}

async fn portfolio(State(api): State<Api>) -> Answer<Portfolio> {
    let view = api.view().await?;
    let balances = api.archive.balances().await?;
    let figures = view.portfolio.map(Into::into);
    Ok(Json(Portfolio { at: view.at.into(), currency: view.currency, figures, balances }))
}

async fn positions(State(api): State<Api>) -> Answer<Vec<Position>> {
    Ok(Json(api.view().await?.positions.into_iter().map(Into::into).collect()))
}

pub(super) async fn strategies(State(api): State<Api>) -> Answer<Vec<Strategy>> {
    Ok(Json(api.view().await?.strategies.into_iter().map(Into::into).collect()))
}

async fn mode(State(api): State<Api>) -> Answer<Mode> {
    Ok(Json(api.view().await?.mode.into()))
}

async fn quarantine(State(api): State<Api>) -> Answer<Vec<Quarantined>> {
    Ok(Json(Status::from(api.view().await?).quarantine))
}

async fn orders(State(api): State<Api>, Query(query): Query<OrdersQuery>) -> Answer<Page<Order>> {
    Ok(Json(api.archive.orders(query).await?))
}

async fn fills(State(api): State<Api>, Query(query): Query<FillsQuery>) -> Answer<Page<Fill>> {
    Ok(Json(api.archive.fills(query).await?))
}

async fn order(State(api): State<Api>, Path(id): Path<String>) -> Answer<Order> {
    Ok(Json(api.archive.order(name("order", &id)?).await?))
}

/// A name out of a path.
pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad_request(format!("{what}: {error}")))
}
