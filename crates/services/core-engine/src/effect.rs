//! What core-engine wants done, what comes of it, and the doing.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightdesk_capital::Mode;
use nightdesk_env::{Clock, Env};
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill};
use nightdesk_platform::{EmergencyJournal, EmergencyRecord};
use nightdesk_store::{Select, Store, Value};
use nightdesk_units::{InstanceId, Micros, Symbol};
use nightdesk_wire::Intent;

use crate::state::Entry;
use crate::tables;
use crate::view::View;

/// What an operator (or another machine) asks for. `by` names who, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// No new risk.
    Halt {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// No new risk, and close what is held.
    Liquidate {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// Lift the halt of this version.
    Resume {
        /// The mode version that is lifted.
        version: u64,
        /// Who.
        by: String,
    },
    /// Set or lift read-only.
    ReadOnly {
        /// True to set it.
        read_only: bool,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// Run or stop a strategy instance.
    Strategy {
        /// Which.
        instance: InstanceId,
        /// True to run.
        run: bool,
        /// Who.
        by: String,
    },
    /// Cancel an order.
    Cancel {
        /// Which.
        id: ClientOrderId,
        /// Who.
        by: String,
    },
    /// An operator has looked at a quarantined instrument: trade it again, and take the exchange's balances as they are.
    Release {
        /// Which.
        symbol: Symbol,
        /// Who.
        by: String,
    },
    /// Compare with the exchange now.
    Reconcile,
    /// How things stand.
    View,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// Done and durable.
    Done,
    /// The mode has changed.
    Mode {
        /// The mode now.
        mode: Mode,
        /// The connector confirmed that it holds back every unsent command that adds risk.
        effective: bool,
        /// Orders that add risk whose request had left before.
        in_flight: Vec<ClientOrderId>,
    },
    /// How things stand.
    View(Box<View>),
    /// Refused, with what to do about it.
    Refused(String),
    /// There is no such thing.
    NotFound(String),
}

/// Where an answer goes.
#[derive(Debug, Clone)]
pub struct Reply(async_channel::Sender<Response>);

impl Reply {
    /// A reply and where it will be found.
    #[must_use]
    pub fn channel() -> (Self, async_channel::Receiver<Response>) {
        let (tx, rx) = async_channel::bounded(1);
        (Self(tx), rx)
    }
}

/// What waits for an order to be looked up in the store.
#[derive(Debug, Clone)]
pub enum Pending {
    /// An intent that may be a repeat of a forgotten order's.
    Intent(Intent),
    /// A report on an order that memory does not hold.
    Report(ExecutionReport, Vec<Fill>),
}

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Answer a request.
    Answer(Reply, Response),
    /// So many records of the emergency journal are in the database now.
    Merged(usize),
    /// Look an order up in the store.
    Recall(ClientOrderId, Pending),
}

/// What comes from outside.
#[derive(Debug)]
pub enum Event {
    /// A request.
    Request(Request, Reply),
    /// The process is about to stop: no new risk, and nothing that is not under way yet.
    Drain,
    /// What the emergency journal holds from before this start.
    Emergencies(Vec<EmergencyRecord>),
    /// An order was looked up.
    Recalled(Pending, Option<Box<Entry>>),
}

/// Before a store that could not be read is asked again.
const RETRY: Micros = Micros::from_millis(500);

/// Does effects on `store` and the emergency journal.
pub fn performer(
    env: Env,
    store: Arc<dyn Store>,
    emergency: Arc<dyn EmergencyJournal>,
) -> impl FnMut(Effect) -> Option<BoxFuture<'static, Event>> + Send {
    move |effect| match effect {
        Effect::Answer(Reply(to), response) => {
            // Whoever asked may have gone away.
            let _ = to.try_send(response);
            None
        }
        Effect::Merged(count) => {
            if let Err(error) = emergency.merged(count) {
                tracing::warn!(%error, "emergency records stay and will be merged again");
            }
            None
        }
        Effect::Recall(id, pending) => {
            let (store, clock) = (Arc::clone(&store), Arc::clone(&env.clock));
            Some(Box::pin(async move { Event::Recalled(pending, recall(store, clock, id).await) }))
        }
    }
}

async fn recall(store: Arc<dyn Store>, clock: Arc<dyn Clock>, id: ClientOrderId) -> Option<Box<Entry>> {
    loop {
        let select = Select { keys: vec![Value::from(id.as_str())], ..Select::from(&tables::ORDERS, 1) };
        match store.select(select).await {
            Ok(rows) => return rows.first().and_then(|values| tables::entry(values)).map(Box::new),
            // Without the store nobody knows whether the order is ours and which of its fills have been applied.
            Err(_) => clock.sleep_until("core-engine", clock.now() + RETRY).await,
        }
    }
}

/// Does answers and nothing else.
#[cfg(test)]
pub(crate) fn answer_only() -> impl FnMut(Effect) {
    |effect| {
        if let Effect::Answer(Reply(to), response) = effect {
            let _ = to.try_send(response);
        }
    }
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
