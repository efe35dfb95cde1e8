//! The REST API of core-engine, as a router for whoever serves it.
//!
//! Questions about the present go to the engine itself; lists come from its store, so that they show what is durable;
//! changes are requests that the engine journals before it answers. The table of [`endpoints`] makes both the router and
//! its OpenAPI description, so neither can say what the other does not. Who may call is decided by the server around it.

mod archive;
mod convert;
mod endpoint;
mod events;
mod feed;
mod list;
mod model;
mod model_market;
mod openapi;
mod problem;
mod reads;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use nightdesk_env::Clock;
use nightdesk_shell::EventSender;
use nightdesk_store::Store;

pub use archive::{Archive, FillsQuery, OrdersQuery};
pub use feed::Feed;
pub use list::Page;
pub use model::{
    Figures, Mode, ModeChange, Portfolio, Position, Quarantined, Reason, Status, Strategy, Time, Watchdog,
};
pub use model_market::{Fill, Order};
pub use openapi::document;
pub use problem::Problem;

use crate::effect::{Event, Reply, Request, Response};
use crate::view::View;
use endpoint::Endpoint;

/// What the API asks, and where it looks.
#[derive(Clone)]
pub struct Api {
    core: EventSender<Event>,
    archive: Archive,
    clock: Arc<dyn Clock>,
    feed: Feed,
}

impl Api {
    /// An API before an engine: `core` leads to it, `store` is the one it writes, `feed` tells what it has written.
    #[must_use]
    pub fn new(core: EventSender<Event>, store: Arc<dyn Store>, clock: Arc<dyn Clock>, feed: Feed) -> Self {
        Self { core, archive: Archive::new(store), clock, feed }
    }

    /// The routes, from `/v1` on. Their description, [`document`], is for everybody; these are not.
    pub fn router(self) -> Router {
        let routes = endpoints().into_iter().fold(Router::new(), |router, endpoint| {
            let (path, handler) = endpoint.into_route();
            router.route(path, handler)
        });
        routes
            .fallback(|| async { StatusCode::NOT_FOUND })
            .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
            .layer(from_fn(problem::around))
            .with_state(self)
    }

    /// Asks the engine and waits for its answer.
    async fn ask(&self, request: Request) -> Result<Response, Problem> {
        let (reply, answer) = Reply::channel();
        if !self.core.send(Event::Request(request, reply)).await {
            return Err(Problem::stopped());
        }
        answer.recv().await.map_err(|_| Problem::stopped())
    }

    /// How things stand.
    async fn view(&self) -> Result<View, Problem> {
        match self.ask(Request::View).await? {
            Response::View(view) => Ok(*view),
            other => Err(Problem::unexpected(&other)),
        }
    }
}

/// Everything the API can do.
fn endpoints() -> Vec<Endpoint> {
    let mut all = reads::endpoints();
    all.extend(writes::endpoints());
    all.push(events::endpoint());
    all
}

#[cfg(test)]
mod tests;
