//! What a service's process answers: health and metrics from its first moment, its API once it acts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use nightdesk_host::http::{HttpProblem, Server, ServerOptions};
use nightdesk_host::{Failure, Host, RunFile};
use nightdesk_platform::Secret;
use nightdesk_units::Timestamp;
use tower_service::Service;

/// The API of a service, empty until it acts; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<OnceLock<Router>>);

impl Api {
    /// From now on it answers. A process acts once in its life.
    pub(crate) fn open(&self, router: Router) {
        drop(self.0.set(router));
    }

    async fn answer(self, request: Request) -> Response {
        match self.0.get() {
            Some(router) => {
                let Ok(response) = router.clone().call(request).await;
                response
            }
            None => {
                let text = "this replica stands by; ask the one that acts";
                HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, text).with("standby", true).into_response()
            }
        }
    }
}

/// Listens, and tells where in the process's own directory.
pub(crate) fn serve(
    host: &Host,
    listen: SocketAddr,
    token: &Secret,
    prefix: &str,
    dir: &Path,
    now: Timestamp,
) -> Result<Api, Failure> {
    let server = Server::bind(ServerOptions::new(vec![listen], token.clone()))?;
    let address = server.addresses().first().copied().unwrap_or(listen);
    let api = Api::default();
    let answering = api.clone();
    let router = Router::new().route("/{*path}", any(move |request| answering.clone().answer(request)));
    server.mount(prefix, router).start(host)?;
    let addresses = BTreeMap::from([("api".to_owned(), format!("http://{address}"))]);
    RunFile::of_this_process(now, addresses, token).publish(host, dir)?;
    Ok(api)
}
