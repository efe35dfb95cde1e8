//! One WebSocket connection: pings, its longest life, its outgoing queue. What it does with messages is its owner's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::hub::{Hub, Outgoing};
use crate::gateway::Gateway;
use crate::net::Peer;

/// What a connection does with what it hears.
pub(crate) trait Talk: Send {
    /// Takes a message; false closes the connection.
    fn hear(&mut self, text: String) -> impl Future<Output = bool> + Send;

    /// How many messages a second the other side may send; pings and pongs count.
    fn messages_1s(&self) -> u32;
}

/// Removes the connection from the hub whichever way it ends.
struct Leaving {
    hub: Arc<Hub>,
    id: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.hub.close(self.id);
    }
}

/// Runs a connection to its end.
pub(crate) async fn run(
    gateway: &Gateway,
    mut socket: WebSocket,
    peer: &Peer,
    id: u64,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut talk: impl Talk,
) {
    let _leaving = Leaving { hub: Arc::clone(&gateway.hub), id };
    let timing = gateway.timing;
    let start = Instant::now();
    let mut pings = interval_at(start + timing.ping_every, timing.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_pong = start;
    let mut window = (start, 0u32);
    loop {
        tokio::select! {
            sent = outgoing.recv() => match sent {
                Some(Outgoing::Text(text)) => {
                    if socket.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                Some(Outgoing::Cut(reset)) => {
                    if reset {
                        peer.reset();
                    }
                    return;
                }
                // Too slow: the hub has dropped us.
                None => return,
            },
            heard = socket.recv() => {
                let Some(Ok(message)) = heard else { return };
                if window.0.elapsed() >= Duration::from_secs(1) {
                    window = (Instant::now(), 0);
                }
                window.1 += 1;
                if window.1 > talk.messages_1s() {
                    let reason = axum::extract::ws::CloseFrame { code: 1008, reason: "Too many requests".into() };
                    // It is closed either way.
                    let _ = socket.send(Message::Close(Some(reason))).await;
                    return;
                }
                match message {
                    Message::Text(text) => {
                        if !talk.hear(text.as_str().to_owned()).await {
                            return;
                        }
                    }
                    Message::Pong(_) => last_pong = Instant::now(),
                    // Pings are answered below us, closing too.
                    Message::Ping(_) | Message::Close(_) | Message::Binary(_) => {}
                }
            }
            _ = pings.tick() => {
                if last_pong.elapsed() > timing.pong_within || start.elapsed() >= timing.life {
                    return;
                }
                let stamp = gateway.told().as_millis().to_string();
                if socket.send(Message::Ping(stamp.into_bytes().into())).await.is_err() {
                    return;
                }
            }
        }
    }
}
