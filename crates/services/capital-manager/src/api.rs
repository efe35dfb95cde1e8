//! The REST API of the capital manager: questions only. Errors are plain text; the server around it makes problems
//! (RFC 9457) of them. Amounts are decimals as strings, instants ISO 8601 in UTC.

use std::sync::Arc;

use axum::extract::{Query as Params, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use nightdesk_capital::{CapitalKpis, CapitalRules};
use nightdesk_orders::IntentId;
use nightdesk_shell::EventSender;
use nightdesk_units::{InstanceId, Money, Symbol};
use serde::{Deserialize, Serialize};

use crate::query::{Event, Open, Query, View};

/// A page's length when none is asked for.
const LIMIT_USUAL: usize = 100;
/// The longest page.
const LIMIT_MAX: usize = 500;

/// Asks the manager; `None` when it has gone.
type Ask = Arc<dyn Fn(Query) -> BoxFuture<'static, Option<View>> + Send + Sync>;
type Answer<T> = Result<Json<T>, (StatusCode, String)>;

/// The routes, from `/v1` on.
pub fn router(manager: EventSender<Event>) -> Router {
    routes(Arc::new(move |query| {
        let manager = manager.clone();
        Box::pin(async move {
            let (tx, rx) = async_channel::bounded(1);
            let reply = Box::new(move |view| drop(tx.try_send(view)));
            manager.send(Event::Query(query, reply)).await.then_some(())?;
            rx.recv().await.ok()
        })
    }))
}

fn routes(ask: Ask) -> Router {
    Router::new()
        .route("/v1/kpis", get(kpis))
        .route("/v1/rules", get(rules))
        .route("/v1/allocations", get(allocations))
        .with_state(ask)
}

/// Budgets, their use, return, rejections.
async fn kpis(State(ask): State<Ask>) -> Answer<CapitalKpis> {
    match ask(Query::Kpis).await {
        Some(View::Kpis(kpis)) => Ok(Json(kpis)),
        other => Err(failed(other.as_ref())),
    }
}

/// The rules in force.
async fn rules(State(ask): State<Ask>) -> Answer<CapitalRules> {
    match ask(Query::Rules).await {
        Some(View::Rules(rules)) => Ok(Json(rules)),
        other => Err(failed(other.as_ref())),
    }
}

/// Capital set aside for an order that may still trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Allocation {
    intent_id: IntentId,
    instance: InstanceId,
    symbol: Symbol,
    /// Granted.
    amount: Money,
    /// What of it has become a position already.
    used: Money,
    at: String,
}

impl From<Open> for Allocation {
    fn from(Open { intent_id, grant }: Open) -> Self {
        let (instance, symbol, at) = (grant.instance, grant.symbol, grant.at.to_string());
        Self { intent_id, instance, symbol, amount: grant.amount, used: grant.used, at }
    }
}

/// A part of the list, by intent.
#[derive(Debug, Serialize)]
struct Page {
    items: Vec<Allocation>,
    /// Ask again with this `cursor` for what follows.
    next: Option<IntentId>,
}

/// Which part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageParams {
    limit: Option<usize>,
    cursor: Option<IntentId>,
}

async fn allocations(State(ask): State<Ask>, Params(params): Params<PageParams>) -> Answer<Page> {
    let limit = params.limit.unwrap_or(LIMIT_USUAL);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is {limit}; a page has 1 to {LIMIT_MAX} items");
        return Err((StatusCode::BAD_REQUEST, detail));
    }
    // One more than wanted tells whether something follows.
    match ask(Query::Open { after: params.cursor, limit: limit + 1 }).await {
        Some(View::Open(mut open)) => {
            let follows = open.len() > limit;
            open.truncate(limit);
            let next = open.last().filter(|_| follows).map(|last| last.intent_id);
            Ok(Json(Page { items: open.into_iter().map(Into::into).collect(), next }))
        }
        other => Err(failed(other.as_ref())),
    }
}

fn failed(answer: Option<&View>) -> (StatusCode, String) {
    match answer {
        None => {
            let detail = "capital-manager does not answer: it has stopped or is stopping, and the log says why";
            (StatusCode::SERVICE_UNAVAILABLE, detail.to_owned())
        }
        Some(answer) => {
            tracing::error!(?answer, "capital-manager answered another question than it was asked");
            (StatusCode::INTERNAL_SERVER_ERROR, "a defect on our side; the log names it".to_owned())
        }
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
