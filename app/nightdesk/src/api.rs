//! What is served where: the services' APIs behind the token, their descriptions and the status page to everybody.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use nightdesk_assembly::{Apis, Stores};
use nightdesk_core_engine::api as core;
use nightdesk_env::Entropy;
use nightdesk_host::http::Server;
use nightdesk_platform_local::{OsEntropy, SystemClock};

const PAGE: &str = include_str!("page.html");

/// Mounts everything. People live by the real clock and by real chance, whatever the services run on.
pub(crate) fn mount(server: Server, apis: &Apis, stores: &Stores) -> Server {
    let clock = Arc::new(SystemClock::new());
    let engine = core::Api::new(apis.core.clone(), Arc::clone(&stores.core), clock, apis.feed.clone());
    let page = Router::new().route("/", get(|| async { page(&OsEntropy::new()) }));
    server
        .mount("/api/core", engine.router())
        .mount("/api/capital", nightdesk_capital_manager::api::router(apis.capital.clone()))
        .mount("/api/strategy", nightdesk_strategy_worker::api::router(apis.workers.clone()))
        .document("/api/core/v1/openapi.json", core::document())
        .mount_open("", page)
}

/// The status page. Only its own script and style may run, and it may speak with nobody but us.
fn page(entropy: &dyn Entropy) -> Response {
    let nonce = format!("{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Html(PAGE.replace("@NONCE@", &nonce))).into_response()
}
