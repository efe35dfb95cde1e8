//! The exchange's own append-only record: what it was asked and what it told, one JSON object a line.
//!
//! The venue is deterministic, so the questions alone bring it back: start from the same beginning (or a [`crate::Snapshot`]),
//! drive the market to an entry's position, [`crate::LocalVenue::redo`] it, and so on. The answers are there for whoever
//! judges afterwards.

use nightdesk_exchange::ExchangeError;
use nightdesk_matching::{AccountId, OrderRequest, VenueError, VenueEvent};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// Keeps lines durably.
pub trait RecordLog: Send {
    /// Appends a line; `line` has no line end.
    ///
    /// # Errors
    /// Whatever the medium says; the exchange takes no more orders then.
    fn append(&mut self, line: &str) -> std::io::Result<()>;

    /// Returns when all appended lines are durable.
    ///
    /// # Errors
    /// As [`RecordLog::append`].
    fn sync(&mut self) -> std::io::Result<()>;
}

/// What can be asked of the venue so that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// An order.
    Place(OrderRequest),
    /// A cancel.
    Cancel(Symbol, ClientOrderId),
    /// A deposit, or a withdrawal when negative.
    Deposit(Asset, Qty),
}

/// Something asked, with when and where in the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// By the exchange's clock.
    pub at: Timestamp,
    /// How often the market had been driven before.
    pub position: u64,
    /// Who.
    pub account: AccountId,
    /// What.
    pub asked: Asked,
}

/// A line of the record. Only orders, fills, balances and transfers are recorded as events, not the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Asked, and accepted.
    Input(Input),
    /// Told.
    Event(VenueEvent),
}

/// A recorded input cannot be repeated here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedoError {
    /// The market is elsewhere.
    #[error("the input belongs at market position {wanted}, the market is at {here}: drive it there first")]
    Position {
        /// Where the input belongs.
        wanted: u64,
        /// Where the market is.
        here: u64,
    },
    /// The venue refuses what it accepted before: it did not start from the same state.
    #[error("the venue refuses a recorded input: it did not start from the recorded state")]
    Refused(#[source] VenueError),
    /// What follows cannot be recorded.
    #[error("the exchange's record cannot be written")]
    Record(#[source] ExchangeError),
}

/// Writes what was asked and told, and syncs.
pub(crate) fn write(log: &mut dyn RecordLog, input: Option<Input>, told: &[VenueEvent]) -> std::io::Result<()> {
    let mut wrote = false;
    let events = told
        .iter()
        .filter(|event| matches!(event, VenueEvent::Order(_) | VenueEvent::Balances(_) | VenueEvent::Transfer(_)));
    let entries = input.map(Entry::Input).into_iter().chain(events.cloned().map(Entry::Event));
    for entry in entries {
        log.append(&serde_json::to_string(&entry).map_err(std::io::Error::other)?)?;
        wrote = true;
    }
    if wrote { log.sync() } else { Ok(()) }
}
