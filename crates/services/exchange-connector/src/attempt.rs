//! What the connector remembers of each placement, and the facts it journals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightdesk_capital::Mode;
use nightdesk_exchange::Window;
use nightdesk_orders::ClientOrderId;
use nightdesk_units::Timestamp;
use nightdesk_wire::Command;
use serde::{Deserialize, Serialize};

/// Where a placement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its request may have left, and nothing proves what became of it.
    Sent,
    /// The order is over.
    Over,
    /// The exchange refused it.
    Rejected,
    /// Proven: it is not at the exchange and never will be.
    Absent,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Over => "over",
            Self::Rejected => "rejected",
            Self::Absent => "absent",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Sent, Self::Over, Self::Rejected, Self::Absent].into_iter().find(|state| state.as_str() == text)
    }

    const fn is_done(self) -> bool {
        matches!(self, Self::Over | Self::Rejected | Self::Absent)
    }
}

/// A placement on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// What was asked for.
    pub(crate) command: Command,
    /// Within which time the exchange accepts the request; `None` when none was ever made.
    pub(crate) window: Option<Window>,
    /// Where it stands.
    pub(crate) state: State,
}

/// What the connector journals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fact {
    /// The request may leave now.
    Attempted { command: Command, window: Window },
    /// The order is over.
    Over { id: ClientOrderId },
    /// The exchange refused the order.
    Rejected { id: ClientOrderId, code: i32, reason: String },
    /// The placement never arrived and never will.
    Absent { id: ClientOrderId, attempt: u32, proof: String },
    /// The placement will never be sent: it was cancelled or held back before it left.
    Refused { command: Command, reason: String },
    /// An attempt that had been forgotten was taken back from the store.
    Recalled { attempt: Attempt },
    /// The mode from now on.
    Mode(Mode),
    /// The epoch from now on.
    Epoch(u64),
}

impl Fact {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Attempted { .. } => "attempted",
            Self::Over { .. } => "over",
            Self::Rejected { .. } => "rejected",
            Self::Absent { .. } => "absent",
            Self::Refused { .. } => "refused",
            Self::Recalled { .. } => "recalled",
            Self::Mode(_) => "mode",
            Self::Epoch(_) => "epoch",
        }
    }
}

/// Everything durable.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Durable {
    pub(crate) attempts: BTreeMap<ClientOrderId, Attempt>,
    done: VecDeque<ClientOrderId>,
    /// Orders decided up to here may have been forgotten.
    pub(crate) horizon: Timestamp,
    /// `None` until core-engine has told it: nothing that adds risk leaves before.
    pub(crate) mode: Option<Mode>,
    pub(crate) epoch: u64,
    #[serde(skip)]
    pub(crate) dirty: BTreeSet<ClientOrderId>,
}

impl Durable {
    /// Changes the state by a fact; live and in replay.
    pub(crate) fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Attempted { command, window } => self.put(command, Some(*window), State::Sent),
            Fact::Refused { command, .. } => {
                let window = self.attempts.get(&command.order.client_order_id).and_then(|attempt| attempt.window);
                self.put(command, window, State::Absent);
            }
            Fact::Recalled { attempt } => {
                let id = attempt.command.order.client_order_id;
                self.attempts.insert(id, attempt.clone());
                self.changed(id, attempt.state);
            }
            Fact::Over { id } => self.set(*id, State::Over),
            Fact::Rejected { id, .. } => self.set(*id, State::Rejected),
            Fact::Absent { id, attempt, .. } => {
                if self.attempts.get(id).is_some_and(|known| known.command.attempt == *attempt) {
                    self.set(*id, State::Absent);
                }
            }
            Fact::Mode(mode) => self.mode = Some(mode.clone()),
            Fact::Epoch(epoch) => self.epoch = *epoch,
        }
    }

    /// Orders whose request may have left and whose end is not known.
    pub(crate) fn open_attempts(&self) -> impl Iterator<Item = ClientOrderId> + '_ {
        self.attempts.iter().filter(|(_, attempt)| attempt.state == State::Sent).map(|(id, _)| *id)
    }

    /// Marks every row as changed: after a snapshot nobody knows what the store has.
    pub(crate) fn mark_all(&mut self) {
        self.dirty = self.attempts.keys().copied().collect();
    }

    fn put(&mut self, command: &Command, window: Option<Window>, state: State) {
        let id = command.order.client_order_id;
        self.attempts.insert(id, Attempt { command: *command, window, state });
        self.changed(id, state);
    }

    fn set(&mut self, id: ClientOrderId, state: State) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.state = state;
            self.changed(id, state);
        }
    }

    fn changed(&mut self, id: ClientOrderId, state: State) {
        self.dirty.insert(id);
        if state.is_done() {
            self.done.push_back(id);
        }
    }

    /// Forgets all but the `most` youngest finished attempts. Called after their rows have been handed to the store.
    pub(crate) fn forget(&mut self, most: usize) {
        while self.done.len() > most {
            let Some(id) = self.done.pop_front() else { return };
            // An order that went on (a further attempt) stands in the list again for its later end.
            let done = self.attempts.get(&id).is_some_and(|attempt| attempt.state.is_done());
            if !done || self.dirty.contains(&id) {
                continue;
            }
            if let Some(attempt) = self.attempts.remove(&id) {
                self.horizon = self.horizon.max(attempt.command.decided_at);
            }
        }
    }
}
