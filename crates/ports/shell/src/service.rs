//! What a service is to its shell.

use nightdesk_market::MarketEvent;
use nightdesk_store::{JournalRow, Row};
use nightdesk_units::Timestamp;
use nightdesk_wire::{Message, Queue};
use serde::Serialize;

/// Room for a fact's text at first.
const FACT_BYTES: usize = 384;

/// What a service is told.
#[derive(Debug)]
pub enum Input<E> {
    /// It has been restored and begins to work.
    Started,
    /// A message of another service.
    Message(Message),
    /// Market data.
    Market(MarketEvent),
    /// Something its other ports have to say: an exchange event, a finished effect, an operator's request.
    Event(E),
    /// The time that [`Service::next_wakeup`] named has come.
    Wakeup,
}

/// The circumstances of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Now.
    pub now: Timestamp,
    /// Commit time of the oldest message of ours that has not been delivered.
    pub oldest_outbox: Option<Timestamp>,
}

/// A fact to be journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What kind of fact.
    pub kind: &'static str,
    /// When it was decided.
    pub at: Timestamp,
    /// The fact as JSON.
    pub body: String,
}

/// Something that leaves a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// A message that must arrive: it is committed with the turn's facts and sent until it has arrived.
    Send(Queue, Message),
    /// A message that is safe to lose and to repeat.
    Notify(Queue, Message),
    /// Market data for whoever wants it.
    Market(MarketEvent),
}

/// What a turn leads to. Facts and messages become durable together; messages leave and effects happen after that.
#[derive(Debug)]
pub struct Step<F> {
    /// Facts, in order.
    pub records: Vec<Record>,
    /// What leaves, in order.
    pub out: Vec<Outgoing>,
    /// Things to do outside.
    pub effects: Vec<F>,
}

impl<F> Default for Step<F> {
    fn default() -> Self {
        Self { records: Vec::new(), out: Vec::new(), effects: Vec::new() }
    }
}

impl<F> Step<F> {
    /// Journals `fact`.
    pub fn record<T: Serialize>(&mut self, kind: &'static str, at: Timestamp, fact: &T) {
        // Most facts fit; growing from less costs more than the rest of the writing.
        let mut body = Vec::with_capacity(FACT_BYTES);
        let written = serde_json::to_writer(&mut body, fact).map_err(|error| error.to_string());
        match written.and_then(|()| String::from_utf8(body).map_err(|error| error.to_string())) {
            Ok(body) => self.records.push(Record { kind, at, body }),
            // Facts are plain data with text keys; serde_json fails only on maps with other keys.
            Err(error) => tracing::error!(%error, kind, "a fact could not be written as JSON"),
        }
    }

    /// Sends `message` after the commit, at least once.
    pub fn send(&mut self, queue: Queue, message: Message) {
        self.out.push(Outgoing::Send(queue, message));
    }

    /// Tells `message` once, if it can be told.
    pub fn notify(&mut self, queue: Queue, message: Message) {
        self.out.push(Outgoing::Notify(queue, message));
    }

    /// Publishes market data after the commit.
    pub fn publish(&mut self, event: MarketEvent) {
        self.out.push(Outgoing::Market(event));
    }

    /// Does `effect` after the commit.
    pub fn act(&mut self, effect: F) {
        self.effects.push(effect);
    }

    /// Empties it for the next turn, keeping its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.out.clear();
        self.effects.clear();
    }
}

/// The stored state does not make sense; the text says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state cannot be restored: {0}")]
pub struct RestoreError(pub String);

/// A pure state machine with a journal.
///
/// Live handling and replay must lead to the same state: a service changes its durable state only by facts that it
/// records, and replays exactly those.
pub trait Service {
    /// What its other ports tell it.
    type Event: Send + 'static;
    /// What it wants done outside.
    type Effect: Send + 'static;

    /// Its name: the journal's stream, and the source of its messages.
    fn name(&self) -> &str;

    /// The epoch it acts in.
    fn epoch(&self) -> u64;

    /// Takes up a snapshot and the facts after it.
    ///
    /// # Errors
    /// When either does not make sense.
    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError>;

    /// Its durable state as JSON.
    fn snapshot(&self) -> String;

    /// Decides.
    fn handle(&mut self, turn: &Turn, input: Input<Self::Event>, step: &mut Step<Self::Effect>);

    /// Appends the projection rows that have changed since the last call.
    fn rows(&mut self, rows: &mut Vec<Row>);

    /// Forgets which rows have changed, where nobody keeps them.
    fn forget_changes(&mut self) {
        self.rows(&mut Vec::new());
    }

    /// When it wants to be woken, if nothing else happens.
    fn next_wakeup(&self) -> Option<Timestamp>;

    /// The store does not take writes. `input` is an operator's event or a control message; what the service puts into
    /// `step` is recorded in the emergency journal and done at once. Only what reduces risk may be.
    fn emergency(&mut self, turn: &Turn, input: Input<Self::Event>, step: &mut Step<Self::Effect>) {
        let _ = (turn, input, step);
    }

    /// The commit of a turn has failed for now, and `held` is what the turn decided. What the service puts into `step` is
    /// recorded in the emergency journal and done at once: only exits, which must not wait for room on a disk. What stays in
    /// `held` is let out after the commit, so an exit that stays there happens twice and must be safe to repeat.
    fn held_back(&mut self, turn: &Turn, held: &mut Step<Self::Effect>, step: &mut Step<Self::Effect>) {
        let _ = (turn, held, step);
    }

    /// The store failed (`false`) or works again (`true`).
    fn storage(&mut self, works: bool) {
        let _ = works;
    }
}
