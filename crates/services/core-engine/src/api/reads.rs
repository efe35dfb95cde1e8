//! Questions.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::Json;
use axum::extract::{Path, Query, State};
use nightdesk_orders::{ClientOrderId, Status as OrderStatus};
use nightdesk_store::{Select, Value};
use nightdesk_units::{Asset, Qty};
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::Endpoint;
use super::list::{Page, Wanted};
use super::model::{Mode, NameText, Portfolio, Position, Quarantined, Status, Strategy};
use super::model_market::{Fill, Order};
use super::{Api, Problem, convert};
use crate::tables::{BALANCES, FILLS, ORDERS};

/// More assets than an account holds.
const ASSETS_MAX: usize = 10_000;

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
    let rows = api.store.select(Select::from(&BALANCES, ASSETS_MAX)).await.map_err(|error| Problem::store(&error))?;
    let balance = |row: &Vec<Value>| Some((row.first()?.as_str()?.parse().ok()?, row.get(1)?.as_str()?.parse().ok()?));
    let balances: BTreeMap<Asset, Qty> = rows.iter().filter_map(balance).collect();
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

/// Which orders.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrdersQuery {
    /// Only with one of these statuses, separated by commas; `active` stands for all that are not over.
    #[schemars(extend("pattern" = status_pattern()))]
    status: Option<String>,
    /// Only in this instrument.
    #[schemars(with = "Option<NameText>")]
    symbol: Option<String>,
    /// Only of this strategy instance.
    #[schemars(with = "Option<NameText>")]
    instance: Option<String>,
    /// At most so many, 100 unless told.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// `next` of the page before.
    #[schemars(extend("pattern" = "^([0-9a-f]{2})+$"))]
    cursor: Option<String>,
}

async fn orders(State(api): State<Api>, Query(query): Query<OrdersQuery>) -> Answer<Page<Order>> {
    let any = query.status.as_deref().map(statuses).transpose()?;
    let wanted = Wanted {
        table: &ORDERS,
        age: "created_at",
        equal: equal([("symbol", query.symbol), ("instance", query.instance)]),
        any: any.map(|any| ("status", any)),
        limit: query.limit,
        cursor: query.cursor,
    };
    Ok(Json(api.page(wanted, convert::order).await?))
}

/// Which executions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FillsQuery {
    /// Only in this instrument.
    #[schemars(with = "Option<NameText>")]
    symbol: Option<String>,
    /// Only of this strategy instance.
    #[schemars(with = "Option<NameText>")]
    instance: Option<String>,
    /// Only of this order.
    #[schemars(with = "Option<NameText>")]
    client_order_id: Option<String>,
    /// At most so many, 100 unless told.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// `next` of the page before.
    #[schemars(extend("pattern" = "^([0-9a-f]{2})+$"))]
    cursor: Option<String>,
}

async fn fills(State(api): State<Api>, Query(query): Query<FillsQuery>) -> Answer<Page<Fill>> {
    let FillsQuery { symbol, instance, client_order_id, limit, cursor } = query;
    let equal = equal([("symbol", symbol), ("instance", instance), ("client_order_id", client_order_id)]);
    let wanted = Wanted { table: &FILLS, age: "at", equal, any: None, limit, cursor };
    Ok(Json(api.page(wanted, convert::fill).await?))
}

async fn order(State(api): State<Api>, Path(id): Path<String>) -> Answer<Order> {
    let id: ClientOrderId = name("order", &id)?;
    Ok(Json(api.order(id).await?))
}

impl Api {
    /// An order from the store, which remembers all of them.
    pub(super) async fn order(&self, id: ClientOrderId) -> Result<Order, Problem> {
        let select = Select { keys: vec![Value::from(id.as_str())], ..Select::from(&ORDERS, 1) };
        let rows = self.store.select(select).await.map_err(|error| Problem::store(&error))?;
        let order = rows.first().and_then(|row| convert::order(row));
        order.ok_or_else(|| Problem::not_found(format!("there is no order {id}")))
    }
}

/// A name out of a path.
pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad_request(format!("{what}: {error}")))
}

fn equal<const N: usize>(filters: [(&'static str, Option<String>); N]) -> Vec<(&'static str, Value)> {
    filters.into_iter().filter_map(|(name, value)| Some((name, Value::from(value?)))).collect()
}

fn status_pattern() -> String {
    let known = OrderStatus::ALL.map(OrderStatus::as_str).join("|");
    format!("^(active|{known})(,(active|{known}))*$")
}

fn statuses(text: &str) -> Result<Vec<Value>, Problem> {
    let mut chosen: Vec<OrderStatus> = Vec::new();
    for word in text.split(',') {
        let before = chosen.len();
        chosen.extend(OrderStatus::ALL.iter().filter(|status| match word {
            "active" => !status.is_final(),
            _ => status.as_str() == word,
        }));
        if chosen.len() == before {
            let known = OrderStatus::ALL.map(OrderStatus::as_str).join(", ");
            return Err(Problem::bad_request(format!("no status {word:?}: use active, {known}")));
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.into_iter().map(|status| Value::from(status.as_str())).collect())
}
