//! What is served where.

use nightdesk_assembly::{Apis, Stores};
use nightdesk_env::Env;
use nightdesk_host::http::Server;

/// Mounts everything.
pub(crate) fn mount(server: Server, apis: &Apis, stores: &Stores, env: &Env) -> Server {
    let _ = (apis, stores, env);
    server
}
