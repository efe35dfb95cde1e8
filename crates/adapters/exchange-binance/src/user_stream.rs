//! The task that lives on the account's own events, by the WebSocket API: `userDataStream.subscribe.signature` for a
//! shared secret, `session.logon` and `userDataStream.subscribe` for an Ed25519 key.

use std::collections::{VecDeque, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use nightdesk_exchange::{ExchangeEvent, Purpose, Stream};
use nightdesk_units::{Asset, Symbol};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::decode::{self, UserMessage};
use crate::meters::Malformed;
use crate::outbox::{End, Outbox};
use crate::rest::Rest;
use crate::session::{Delivery, Opened, Opener, Session};
use crate::shared::Shared;
use crate::sign::{ApiKey, Params};
use crate::socket::{Backoff, Cut, Frame, Socket, chance};

/// How long logging on and subscribing may take.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(15);
/// Weight of a new subscription.
const SUBSCRIBE_WEIGHT: u32 = 4;
/// How often overdue reports are looked for.
const TICK: Duration = Duration::from_millis(250);

/// Lives until the consumer is gone.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(shared.config.backoff);
    let mut task = UserTask {
        outbox: Outbox::new(Arc::clone(&shared), Stream::User),
        repeats: Repeats::default(),
        opener: opener(&shared),
        shared,
    };
    loop {
        let started = Instant::now();
        let end = task.life().await;
        task.shared.witness().clear();
        let End::Cut(reason) = end else { return };
        task.outbox.down(&reason);
        if task.outbox.drain().await.is_err() {
            return;
        }
        backoff.lived(started.elapsed());
        sleep(backoff.next(chance())).await;
    }
}

struct UserTask {
    shared: Arc<Shared>,
    outbox: Outbox,
    repeats: Repeats,
    opener: Opener,
}

impl UserTask {
    async fn life(&mut self) -> End {
        // The subscription is signed: without the exchange's time it would be refused.
        if let Err(end) = self.outbox.wait_until_ready().await {
            return end;
        }
        let opened = self.shared.rest.clock.surely_past();
        let (renew_after, overlap) = (self.shared.config.renew_after, self.shared.config.overlap);
        let session = match Session::open(Arc::clone(&self.opener), renew_after, overlap).await {
            Ok(session) => session,
            Err(cut) => return End::Cut(cut),
        };
        self.shared.witness().clear();
        self.outbox.up(opened);
        match self.live(session).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn live(&mut self, mut session: Session) -> Result<std::convert::Infallible, End> {
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.outbox.flush().await?;
            tokio::select! {
                delivery = session.next() => match delivery.map_err(End::Cut)? {
                    Delivery::Frame(Frame::Text(text)) => self.frame(&text, &mut session)?,
                    Delivery::Frame(Frame::Alive) => self.outbox.alive(Instant::now()),
                    Delivery::Renewed => self.shared.rest.meters.renewed(Stream::User),
                },
                _ = tick.tick() => {
                    if let Some(id) = self.shared.witness().overdue(Instant::now()) {
                        return Err(End::Cut(format!("silently stale: no report of {id}, which was acknowledged")));
                    }
                }
            }
        }
    }

    fn frame(&mut self, text: &str, session: &mut Session) -> Result<(), End> {
        let meters = &self.shared.rest.meters;
        meters.event(Stream::User);
        let quote_of = |symbol: &Symbol| -> Option<Asset> { self.shared.instrument(*symbol).map(|i| i.quote) };
        let malformed = |malformed: Malformed| {
            meters.malformed(&malformed);
            End::Cut(malformed.to_string())
        };
        let event = match decode::user(text, quote_of).map_err(malformed)? {
            UserMessage::Report(report) => {
                self.shared.witness().seen(&report);
                ExchangeEvent::Report(report)
            }
            UserMessage::Balances { at, balances } => ExchangeEvent::Balances { at, balances },
            UserMessage::Transfer { asset, delta, at } => ExchangeEvent::Transfer { asset, delta, at },
            UserMessage::Terminated => return Err(End::Cut("the exchange ended the subscription".to_owned())),
            UserMessage::Answer { error: Some((code, reason)), .. } => {
                return Err(End::Cut(format!("the exchange refused a message with {code}: {reason}")));
            }
            UserMessage::Answer { error: None, .. } => return Ok(()),
            UserMessage::Shutdown => {
                session.renew();
                return Ok(());
            }
            UserMessage::Unknown => {
                meters.unknown_event(Stream::User);
                return Ok(());
            }
        };
        if self.repeats.is_new(text) {
            self.outbox.put(event);
        }
        Ok(())
    }
}

/// The last events by their fingerprints, so that what came over two connections counts once. Two different events
/// differ in their time, trade or order id, so equal text is the same event.
#[derive(Debug, Default)]
struct Repeats {
    recent: VecDeque<u64>,
}

/// How many events two connections may be apart.
const MAX_APART: usize = 1_024;

impl Repeats {
    fn is_new(&mut self, text: &str) -> bool {
        // The subscription's number differs from connection to connection; the event follows it.
        let event = text.find("\"event\"").map_or(text, |at| &text[at..]);
        let mut hasher = DefaultHasher::new();
        event.trim_end_matches(|c| c != '}').hash(&mut hasher);
        let print = hasher.finish();
        if self.recent.contains(&print) {
            return false;
        }
        if self.recent.len() >= MAX_APART {
            self.recent.pop_front();
        }
        self.recent.push_back(print);
        true
    }
}

fn opener(shared: &Arc<Shared>) -> Opener {
    let shared = Arc::clone(shared);
    Arc::new(move || {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let Some(key) = shared.rest.key() else { return Err("no API key is configured".to_owned()) };
            shared.rest.limiter.unblocked().await;
            shared.rest.limiter.admit(Purpose::Query, SUBSCRIBE_WEIGHT).await;
            shared.rest.limiter.core().sent(shared.rest.limiter.now(), SUBSCRIBE_WEIGHT, false);
            let (url, silence) = (shared.config.ws_api_url(), shared.config.silence_limit);
            let opening = subscribe(&shared.rest, key, &url, silence);
            timeout(SUBSCRIBE_LIMIT, opening).await.unwrap_or_else(|_| Err("subscribing took too long".to_owned()))
        })
    })
}

async fn subscribe(rest: &Rest, key: &ApiKey, url: &str, silence: Duration) -> Result<Opened, Cut> {
    let mut socket = Socket::open(url, silence).await?;
    let mut early = VecDeque::new();
    if key.can_log_on() {
        request(rest, &mut socket, &mut early, 1, "session.logon", signed(rest, key)).await?;
        request(rest, &mut socket, &mut early, 2, "userDataStream.subscribe", json!({})).await?;
    } else {
        request(rest, &mut socket, &mut early, 1, "userDataStream.subscribe.signature", signed(rest, key)).await?;
    }
    Ok(Opened { socket, early })
}

/// The signed parameters that name the account; the signature covers them in alphabetical order.
fn signed(rest: &Rest, key: &ApiKey) -> Value {
    let (timestamp, recv_window) = rest.stamp(rest.window());
    let params = Params::new().with("apiKey", key.id()).with("recvWindow", recv_window).with("timestamp", timestamp);
    let signature = key.sign(params.as_str());
    json!({ "apiKey": key.id(), "recvWindow": recv_window, "timestamp": timestamp, "signature": signature })
}

/// Sends one request and waits for its answer; events that come before it are kept.
async fn request(
    rest: &Rest,
    socket: &mut Socket,
    early: &mut VecDeque<tokio_tungstenite::tungstenite::Utf8Bytes>,
    id: u64,
    method: &str,
    params: Value,
) -> Result<(), Cut> {
    socket.send(json!({ "id": id, "method": method, "params": params }).to_string()).await?;
    loop {
        let Frame::Text(text) = socket.next().await? else { continue };
        match decode::user(&text, |_| None) {
            Ok(UserMessage::Answer { error: Some((code, reason)), .. }) => {
                if code == -1021 {
                    rest.clock.doubt();
                }
                return Err(format!("{method} refused with {code}: {reason}"));
            }
            Ok(UserMessage::Answer { id: answered, error: None }) if answered == id => return Ok(()),
            // Decoded, and judged, by whoever takes it over.
            _ => early.push_back(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_came_over_two_connections_counts_once() {
        let mut repeats = Repeats::default();
        assert!(repeats.is_new(r#"{"subscriptionId":0,"event":{"e":"executionReport","t":1}}"#));
        assert!(!repeats.is_new(r#"{"subscriptionId":7,"event":{"e":"executionReport","t":1}}"#));
        assert!(repeats.is_new(r#"{"subscriptionId":7,"event":{"e":"executionReport","t":2}}"#));
        for i in 0..MAX_APART * 2 {
            assert!(repeats.is_new(&format!(r#"{{"event":{{"t":{}}}}}"#, i + 9)));
        }
        assert_eq!(repeats.recent.len(), MAX_APART);
    }
}
