//! WebSocket: market streams, account events, and requests.

mod api;
pub(crate) mod events;
mod hub;
mod listen_keys;
mod publisher;
mod socket;
mod streams;

pub(crate) use api::api;
pub(crate) use hub::Hub;
pub(crate) use listen_keys::ListenKeys;
pub(crate) use publisher::Publisher;
pub(crate) use streams::{combined, raw};
