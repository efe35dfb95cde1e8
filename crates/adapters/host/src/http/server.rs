//! The server: listening sockets and what is mounted on them.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use nightdesk_platform::{Secret, kpi};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::info;

use super::guard::{self, Guard, REQUEST_SECONDS, RequestIds};
use super::{accept, auth};
use crate::exit::{Failure, Status};
use crate::life::Host;

/// What a server is given.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// What callers of mounted routers must show.
    pub token: Secret,
    /// How long an answer may take to begin.
    pub timeout: Duration,
    /// How large a request's body may be.
    pub body_bytes_max: usize,
    /// How many connections may be open at once.
    pub connections_max: usize,
}

impl ServerOptions {
    /// The usual limits: 30 s, 1 MiB, 1,024 connections.
    #[must_use]
    pub fn new(listen: Vec<SocketAddr>, token: Secret) -> Self {
        let timeout = Duration::from_secs(30);
        Self { listen, token, timeout, body_bytes_max: 1024 * 1024, connections_max: 1_024 }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {address}: it is in use. Stop the process that holds it (`ss -ltnp 'sport = :{}'` names it), \
         or choose another address (port 0 picks a free one)", .address.port()
    )]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The user may not.
    #[error("cannot listen on {address}: not permitted. Ports below 1024 need a privilege; choose a higher one")]
    Denied {
        /// Where.
        address: SocketAddr,
    },
    /// This machine does not have the address.
    #[error("cannot listen on {address}: this machine has no such address. Use 127.0.0.1, or 0.0.0.0 for all")]
    NotOurs {
        /// Where.
        address: SocketAddr,
    },
    /// Something else.
    #[error("cannot listen on {address}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl BindError {
    /// The exit code: an address in use may be free later, one that is not ours is a mistake in the config.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::InUse { .. } => Status::TryAgain,
            Self::Denied { .. } | Self::NotOurs { .. } => Status::BadConfig,
            Self::Other { .. } => Status::Fault,
        }
    }

    fn from_io(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::Denied { address },
            io::ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            _ => Self::Other { address, source },
        }
    }
}

/// Listening sockets and routers; nothing is answered before [`Server::start`].
pub struct Server {
    options: ServerOptions,
    listeners: Vec<(StdListener, SocketAddr)>,
    mounted: Vec<(String, Router, Access)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Token,
    Open,
}

impl Server {
    /// Takes the addresses.
    ///
    /// # Errors
    /// Names the address that cannot be had, and the remedy.
    pub fn bind(options: ServerOptions) -> Result<Self, BindError> {
        let listeners = options.listen.iter().map(|address| {
            let bound = StdListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let actual = listener.local_addr()?;
                Ok((listener, actual))
            });
            bound.map_err(|e| BindError::from_io(*address, e))
        });
        let listeners = listeners.collect::<Result<_, _>>()?;
        Ok(Self { options, listeners, mounted: Vec::new() })
    }

    /// The addresses taken, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, address)| *address).collect()
    }

    /// Mounts a router under a prefix such as `/api/core`; callers must show the token.
    #[must_use]
    pub fn mount(mut self, prefix: &str, router: Router) -> Self {
        self.mounted.push((prefix.to_owned(), router, Access::Token));
        self
    }

    /// Mounts a router that everybody may call, such as a status page without secrets.
    #[must_use]
    pub fn mount_open(mut self, prefix: &str, router: Router) -> Self {
        self.mounted.push((prefix.to_owned(), router, Access::Open));
        self
    }

    /// Serves a JSON document, such as an OpenAPI description, to everybody.
    #[must_use]
    pub fn document(self, path: &str, document: serde_json::Value) -> Self {
        let document = Arc::new(document);
        let serve = move || {
            let document = Arc::clone(&document);
            async move { Json((*document).clone()) }
        };
        self.mount_open("", Router::new().route(path, get(serve)))
    }

    /// Starts answering, as a registered task of the host that drains by finishing what is in progress.
    ///
    /// # Errors
    /// When the runtime does not take a socket.
    pub fn start(self, host: &Host) -> Result<(), Failure> {
        host.metrics().describe(&REQUEST_SECONDS);
        let health = host.health().clone();
        host.metrics().before_scrape(move |metrics| {
            for (service, alive) in health.services() {
                metrics.set(&kpi::SERVICE_UP, &[&service], f64::from(u8::from(alive)));
            }
        });
        let (app, connections_max) = (router(host, &self.options, self.mounted), self.options.connections_max);
        for (listener, address) in self.listeners {
            let listener = TcpListener::from_std(listener)?;
            let app = app.clone();
            // Its own stop, later than the host's: what was started after the server drains before it.
            let (close, closing) = watch::channel(false);
            let task = async move {
                accept::serve(listener, app, connections_max, crate::life::Stopping::from_watch(closing)).await;
                Ok::<(), Failure>(())
            };
            host.register(format!("http {address}"), task, move || async move {
                close.send_replace(true);
                Ok::<(), Failure>(())
            });
            info!(address = %address, "listening on http://{address}");
        }
        Ok(())
    }
}

/// All routes inside the guard.
fn router(host: &Host, options: &ServerOptions, mounted: Vec<(String, Router, Access)>) -> Router {
    let mut app = Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .layer(map_response(no_store))
        .with_state(host.clone());
    for (prefix, router, access) in mounted {
        let router = match access {
            Access::Open => router,
            Access::Token => router
                .route_layer(from_fn_with_state(host.clone(), guard::refuse_when_stopping))
                .route_layer(from_fn_with_state(options.token.clone(), auth::require_token)),
        };
        app = if matches!(prefix.as_str(), "" | "/") { app.merge(router) } else { app.nest(&prefix, router) };
    }
    let guard = Guard {
        host: host.clone(),
        timeout: options.timeout,
        body_bytes_max: options.body_bytes_max,
        ids: Arc::new(RequestIds::new()),
    };
    app.fallback(|| async { StatusCode::NOT_FOUND })
        .layer(DefaultBodyLimit::max(options.body_bytes_max))
        .layer(from_fn_with_state(guard, guard::around))
}

async fn health(Extract(host): Extract<Host>) -> Response {
    page(host.health().live())
}

async fn ready(Extract(host): Extract<Host>) -> Response {
    page(host.health().ready())
}

fn page((good, page): (bool, serde_json::Value)) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(page)).into_response()
}

async fn metrics(Extract(host): Extract<Host>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], host.metrics().render()).into_response()
}

async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, axum::http::HeaderValue::from_static("no-store"));
    response
}
