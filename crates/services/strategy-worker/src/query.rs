//! What its API asks a worker. Questions change nothing.

use std::fmt;

use nightdesk_strategies::OwnOrder;
use nightdesk_units::{InstanceId, Qty, Symbol};
use nightdesk_wire::RunState;
use serde::Serialize;

use crate::state::Tally;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// How the instance fares.
    Status,
}

/// How an instance fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// The instance.
    pub instance: InstanceId,
    /// The strategy's name.
    pub strategy: &'static str,
    /// Instrument.
    pub symbol: Symbol,
    /// Configuration generation.
    pub generation: u32,
    /// What it does.
    pub state: RunState,
    /// Why, when it failed.
    pub reason: Option<String>,
    /// Base quantity held.
    pub position: Qty,
    /// Its open orders.
    pub orders: Vec<OwnOrder>,
    /// How its intents ended.
    pub tally: Tally,
}

/// Takes the answer to whoever asked; it must not block.
pub type Reply = Box<dyn FnOnce(View) + Send>;

/// What reaches a worker beside messages and market data.
pub enum Event {
    /// A question, and where the answer goes.
    Query(Query, Reply),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Query(query, _) = self;
        f.debug_tuple("Query").field(query).finish()
    }
}
