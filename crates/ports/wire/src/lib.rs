//! The messages the services speak, and the envelope they travel in.
//!
//! One enum of messages, serialised as JSON with a `type` tag. A field is only ever added with a default; a change of
//! meaning is a new message.

pub mod capture;
mod message;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use message::{
    AccountView, AllocationAnswer, AllocationRequest, AllocationSettled, CancelIntent, CandleBatch, CandleRequest,
    Command, Intent, LinkState, Message, OrderUpdate, OrderView, Outcome, OutcomeKind, ReconcileAnswer,
    ReconcileRequest, Resolve, RunState, StrategyControl, StrategyState, Verdict,
};

/// The newest message schema this program speaks. A message of a newer one is refused by name.
pub const SCHEMA: u32 = 1;

/// A queue's name: the service it leads to, `worker.INSTANCE` for strategy workers; control queues end in `.control`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(std::borrow::Cow<'static, str>);

impl Queue {
    /// To core-engine.
    pub const CORE: Self = Self(std::borrow::Cow::Borrowed("core"));
    /// To capital-manager.
    pub const CAPITAL: Self = Self(std::borrow::Cow::Borrowed("capital"));
    /// Orders to the exchange-connector.
    pub const CONNECTOR: Self = Self(std::borrow::Cow::Borrowed("connector"));
    /// Halts and cancels to the exchange-connector: no queue of orders can delay them.
    pub const CONNECTOR_CONTROL: Self = Self(std::borrow::Cow::Borrowed("connector.control"));

    /// To a strategy instance's worker.
    #[must_use]
    pub fn worker(instance: nightdesk_units::InstanceId) -> Self {
        Self(format!("worker.{instance}").into())
    }

    /// A queue by its text.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self(name.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message's name: which sender, and which of its messages to this queue. Senders number theirs from 1 without gaps, so
/// a receiver knows a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageId {
    /// The sender.
    pub source: String,
    /// Its position among the sender's messages to this queue.
    pub seq: u64,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Where to.
    pub queue: Queue,
    /// Its name; `None` for messages that are safe to lose and to repeat, which leave no outbox row.
    pub id: Option<MessageId>,
    /// What it says.
    pub message: Message,
}
