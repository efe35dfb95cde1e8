//! HTTP: listening sockets, health, readiness, metrics, and the guard around the services' routers.
//!
//! Services hand in plain axum routers; everything around them (who may call, how long, how large, how errors look) is
//! decided here, once. It holds no business route and terminates no TLS: behind a mesh or a load balancer that is done.

mod accept;
mod auth;
mod guard;
mod health;
mod problem;
mod server;

pub use self::auth::constant_time_eq;
pub use self::health::{Dependency, Health, Heartbeat, State};
pub use self::problem::HttpProblem;
pub use self::server::{BindError, Server, ServerOptions};

#[cfg(test)]
mod tests;
