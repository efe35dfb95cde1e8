//! Who listens to what: connections, their streams and their accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use nightdesk_matching::AccountId;
use tokio::sync::mpsc;

use crate::faults::StreamKind;
use crate::text::TimeUnit;

/// Messages that may wait for one connection; a slower one is closed, as the exchange closes slow consumers.
const QUEUE: usize = 16_384;
/// Streams one connection may have.
pub(crate) const MAX_STREAMS: usize = 1_024;

/// What a connection's task is told.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(Utf8Bytes),
    /// Close without a word; `true` resets the connection.
    Cut(bool),
}

/// How an account's events are wrapped on a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subscription {
    /// By the WebSocket API: `{"subscriptionId":N,"event":{…}}`.
    Api(u64),
    /// By a listen key on a stream connection.
    ListenKey(String),
}

#[derive(Debug)]
struct Connection {
    out: mpsc::Sender<Outgoing>,
    combined: bool,
    unit: TimeUnit,
    streams: BTreeSet<String>,
    users: BTreeMap<Subscription, AccountId>,
    api: bool,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    connections: BTreeMap<u64, Connection>,
    listeners: BTreeMap<String, BTreeSet<u64>>,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<Registry>);

impl Hub {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection; `api` marks one to the WebSocket API.
    pub(crate) fn open(&self, combined: bool, unit: TimeUnit, api: bool) -> (u64, mpsc::Receiver<Outgoing>) {
        let (out, inbox) = mpsc::channel(QUEUE);
        let mut registry = self.registry();
        registry.next += 1;
        let id = registry.next;
        let (streams, users) = (BTreeSet::new(), BTreeMap::new());
        registry.connections.insert(id, Connection { out, combined, unit, streams, users, api });
        (id, inbox)
    }

    /// Removes a connection.
    pub(crate) fn close(&self, id: u64) {
        let mut registry = self.registry();
        if let Some(connection) = registry.connections.remove(&id) {
            for stream in connection.streams {
                registry.unlisten(&stream, id);
            }
        }
    }

    /// Adds a stream; false when the connection has too many.
    pub(crate) fn subscribe(&self, id: u64, stream: &str) -> bool {
        let mut registry = self.registry();
        let Some(connection) = registry.connections.get_mut(&id) else { return true };
        if connection.streams.len() >= MAX_STREAMS && !connection.streams.contains(stream) {
            return false;
        }
        connection.streams.insert(stream.to_owned());
        registry.listeners.entry(stream.to_owned()).or_default().insert(id);
        true
    }

    pub(crate) fn unsubscribe(&self, id: u64, stream: &str) {
        let mut registry = self.registry();
        if let Some(connection) = registry.connections.get_mut(&id) {
            connection.streams.remove(stream);
            connection.users.remove(&Subscription::ListenKey(stream.to_owned()));
        }
        registry.unlisten(stream, id);
    }

    /// The streams of a connection.
    pub(crate) fn streams(&self, id: u64) -> Vec<String> {
        self.registry().connections.get(&id).map_or_else(Vec::new, |c| c.streams.iter().cloned().collect())
    }

    /// Gets or sets whether events come wrapped with their stream's name.
    pub(crate) fn combined(&self, id: u64, set: Option<bool>) -> bool {
        let mut registry = self.registry();
        let Some(connection) = registry.connections.get_mut(&id) else { return false };
        connection.combined = set.unwrap_or(connection.combined);
        connection.combined
    }

    /// Subscribes a connection to an account's events; false when it already is, in the same way.
    pub(crate) fn subscribe_user(&self, id: u64, subscription: Subscription, account: AccountId) -> bool {
        let mut registry = self.registry();
        let Some(connection) = registry.connections.get_mut(&id) else { return false };
        connection.users.insert(subscription, account).is_none()
    }

    /// Ends one subscription, or all; gives the ended ones.
    pub(crate) fn unsubscribe_user(&self, id: u64, only: Option<&Subscription>) -> Vec<Subscription> {
        let mut registry = self.registry();
        let Some(connection) = registry.connections.get_mut(&id) else { return Vec::new() };
        let wanted = |s: &Subscription| only.is_none_or(|only| only == s);
        let ended: Vec<_> = connection.users.keys().filter(|s| wanted(s)).cloned().collect();
        connection.users.retain(|s, _| !wanted(s));
        ended
    }

    /// The accounts a connection listens to.
    pub(crate) fn users(&self, id: u64) -> Vec<(Subscription, AccountId)> {
        let registry = self.registry();
        registry.connections.get(&id).map_or_else(Vec::new, |c| c.users.iter().map(|(s, a)| (s.clone(), *a)).collect())
    }

    /// True when somebody listens.
    pub(crate) fn wanted(&self, stream: &str) -> bool {
        self.registry().listeners.contains_key(stream)
    }

    /// Every stream somebody listens to.
    pub(crate) fn wanted_streams(&self) -> Vec<String> {
        self.registry().listeners.keys().cloned().collect()
    }

    /// Sends a market event to its listeners; `text` writes it in a time unit.
    pub(crate) fn publish(&self, stream: &str, text: impl Fn(TimeUnit) -> String) {
        let mut registry = self.registry();
        let Some(listeners) = registry.listeners.get(stream) else { return };
        let mut written: BTreeMap<(bool, TimeUnit), Utf8Bytes> = BTreeMap::new();
        let mut slow = Vec::new();
        for id in listeners {
            let Some(connection) = registry.connections.get(id) else { continue };
            let form = (connection.combined, connection.unit);
            let message = written.entry(form).or_insert_with(|| {
                let data = text(form.1);
                if form.0 { format!("{{\"stream\":\"{stream}\",\"data\":{data}}}").into() } else { data.into() }
            });
            if connection.out.try_send(Outgoing::Text(message.clone())).is_err() {
                slow.push(*id);
            }
        }
        registry.drop_slow(&slow);
    }

    /// Sends an account's event to its listeners.
    pub(crate) fn publish_user(&self, account: AccountId, text: impl Fn(TimeUnit) -> String) {
        let mut registry = self.registry();
        let mut slow = Vec::new();
        for (id, connection) in &registry.connections {
            for (subscription, _) in connection.users.iter().filter(|(_, of)| **of == account) {
                let event = text(connection.unit);
                let message = match subscription {
                    Subscription::Api(number) => format!("{{\"subscriptionId\":{number},\"event\":{event}}}"),
                    Subscription::ListenKey(key) if connection.combined => {
                        format!("{{\"stream\":\"{key}\",\"data\":{event}}}")
                    }
                    Subscription::ListenKey(_) => event,
                };
                if connection.out.try_send(Outgoing::Text(message.into())).is_err() {
                    slow.push(*id);
                }
            }
        }
        registry.drop_slow(&slow);
    }

    /// Sends a text to one connection.
    pub(crate) fn send(&self, id: u64, text: String) {
        let mut registry = self.registry();
        let full = |c: &Connection| c.out.try_send(Outgoing::Text(text.into())).is_err();
        if registry.connections.get(&id).is_some_and(full) {
            registry.drop_slow(&[id]);
        }
    }

    /// Cuts the connections of a kind; gives how many.
    pub(crate) fn cut(&self, kind: StreamKind, reset: bool) -> usize {
        let registry = self.registry();
        let hit = registry.connections.values().filter(|c| kind.covers(c.kind()));
        hit.filter(|c| c.out.try_send(Outgoing::Cut(reset)).is_ok()).count()
    }

    /// Tells every connection that its server goes down; gives them. Whoever connects afterwards is on another server.
    pub(crate) fn announce_shutdown(&self, at: impl Fn(TimeUnit) -> i64) -> BTreeSet<u64> {
        let registry = self.registry();
        for connection in registry.connections.values() {
            let event = format!("{{\"e\":\"serverShutdown\",\"E\":{}}}", at(connection.unit));
            let text = if connection.api { format!("{{\"event\":{event}}}") } else { event };
            // A connection whose queue is full is on its way out anyway.
            let _ = connection.out.try_send(Outgoing::Text(text.into()));
        }
        registry.connections.keys().copied().collect()
    }

    /// Cuts those of `ids` that are still there.
    pub(crate) fn cut_these(&self, ids: &BTreeSet<u64>) {
        let registry = self.registry();
        for connection in ids.iter().filter_map(|id| registry.connections.get(id)) {
            // A connection whose queue is full is on its way out anyway.
            let _ = connection.out.try_send(Outgoing::Cut(false));
        }
    }

    /// The most messages that wait for one connection.
    pub(crate) fn lag(&self) -> usize {
        let registry = self.registry();
        registry.connections.values().map(|c| c.out.max_capacity() - c.out.capacity()).max().unwrap_or(0)
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.registry().connections.len()
    }
}

impl Connection {
    fn kind(&self) -> StreamKind {
        if self.api || !self.users.is_empty() { StreamKind::User } else { StreamKind::Market }
    }
}

impl Registry {
    fn unlisten(&mut self, stream: &str, id: u64) {
        if let Some(listeners) = self.listeners.get_mut(stream) {
            listeners.remove(&id);
            if listeners.is_empty() {
                self.listeners.remove(stream);
            }
        }
    }

    /// Forgets connections that do not keep up: their task sees its inbox end and closes.
    fn drop_slow(&mut self, slow: &[u64]) {
        for id in slow {
            if let Some(connection) = self.connections.remove(id) {
                for stream in connection.streams {
                    self.unlisten(&stream, *id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(inbox: &mut mpsc::Receiver<Outgoing>) -> Option<String> {
        match inbox.try_recv().ok()? {
            Outgoing::Text(text) => Some(text.as_str().to_owned()),
            Outgoing::Cut(reset) => Some(format!("cut {reset}")),
        }
    }

    #[test]
    fn each_connection_gets_its_streams_in_its_form() {
        let hub = Hub::default();
        let (raw, mut raw_inbox) = hub.open(false, TimeUnit::Milli, false);
        let (combined, mut combined_inbox) = hub.open(true, TimeUnit::Micro, false);
        for id in [raw, combined] {
            assert!(hub.subscribe(id, "btcusdt@trade"));
        }
        hub.publish("btcusdt@trade", |unit| format!("{unit:?}"));
        hub.publish("ethusdt@trade", |_| "not wanted".to_owned());
        assert_eq!(text(&mut raw_inbox).as_deref(), Some("Milli"));
        assert_eq!(text(&mut combined_inbox).as_deref(), Some("{\"stream\":\"btcusdt@trade\",\"data\":Micro}"));
        assert_eq!(text(&mut raw_inbox), None);
        hub.unsubscribe(raw, "btcusdt@trade");
        hub.close(combined);
        assert!(!hub.wanted("btcusdt@trade"));
    }

    #[test]
    fn account_events_are_wrapped_with_their_subscription() {
        let hub = Hub::default();
        let (api, mut inbox) = hub.open(false, TimeUnit::Milli, true);
        assert!(hub.subscribe_user(api, Subscription::Api(3), AccountId(1)));
        assert!(!hub.subscribe_user(api, Subscription::Api(3), AccountId(1)));
        hub.publish_user(AccountId(2), |_| "other".to_owned());
        hub.publish_user(AccountId(1), |_| "{}".to_owned());
        assert_eq!(text(&mut inbox).as_deref(), Some("{\"subscriptionId\":3,\"event\":{}}"));
        assert_eq!((hub.cut(StreamKind::Market, false), hub.cut(StreamKind::User, true)), (0, 1));
        assert_eq!(text(&mut inbox).as_deref(), Some("cut true"));
    }

    #[test]
    fn a_connection_that_does_not_keep_up_is_closed() {
        let hub = Hub::default();
        let (id, mut inbox) = hub.open(false, TimeUnit::Milli, false);
        hub.subscribe(id, "a");
        for _ in 0..=QUEUE {
            hub.publish("a", |_| "x".to_owned());
        }
        assert_eq!(hub.len(), 0);
        let mut received = 0;
        while inbox.try_recv().is_ok() {
            received += 1;
        }
        assert_eq!(received, QUEUE);
        assert!(inbox.is_closed());
    }
}
