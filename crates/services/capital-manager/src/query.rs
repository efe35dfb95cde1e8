//! What its API asks the capital manager. Questions change nothing.

use std::fmt;

use nightdesk_capital::{CapitalKpis, CapitalRules, Grant};
use nightdesk_orders::IntentId;
use serde::{Deserialize, Serialize};

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Budgets, their use, return, rejections.
    Kpis,
    /// The rules in force.
    Rules,
    /// Capital set aside for open orders, at most `limit` of them after `after`, by intent.
    Open {
        /// The last one seen.
        after: Option<IntentId>,
        /// The most to be told.
        limit: usize,
    },
}

/// Capital set aside for an order that may still trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The decision.
    pub intent_id: IntentId,
    /// What is set aside.
    #[serde(flatten)]
    pub grant: Grant,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum View {
    /// To [`Query::Kpis`].
    Kpis(CapitalKpis),
    /// To [`Query::Rules`].
    Rules(CapitalRules),
    /// To [`Query::Open`].
    Open(Vec<Open>),
}

/// Takes the answer to whoever asked; it must not block.
pub type Reply = Box<dyn FnOnce(View) + Send>;

/// What reaches the capital manager beside messages.
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
