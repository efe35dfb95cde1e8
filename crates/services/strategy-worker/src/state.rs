//! The durable state of a worker. It changes by facts only.

use std::collections::{BTreeMap, VecDeque};

use nightdesk_market::Instrument;
use nightdesk_orders::{IntentId, Status};
use nightdesk_store::Row;
use nightdesk_strategies::{Decision, DecisionKey, OrderNews, OrderProgress, OwnOrders, Placement, SavedState};
use nightdesk_units::{InstanceId, Qty, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, Update};
use crate::tables::{intent_row, state_row};

/// How many decisions are remembered by their key (more while their orders are open): a decision made again within
/// these is known.
const REMEMBERED: usize = 1_024;

/// How an instance's intents ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Intents decided.
    pub decided: u64,
    /// Orders that ended, however.
    pub ended: u64,
    /// Of these, filled completely: trades executed.
    pub filled: u64,
    /// Of these, refused by the exchange: errors. (An order that capital or a halt held back is no error.)
    pub rejected: u64,
}

impl Tally {
    /// Errors of all orders that ended, 0 to 1.
    #[must_use]
    pub fn error_ratio(&self) -> f64 {
        if self.ended == 0 { 0.0 } else { self.rejected as f64 / self.ended as f64 }
    }
}

/// A decision to place an order, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) intent_id: IntentId,
    pub(crate) placement: Placement,
    pub(crate) status: Status,
    pub(crate) filled: Qty,
    pub(crate) reason: Option<String>,
    pub(crate) decided_at: Timestamp,
    pub(crate) changed_at: Timestamp,
}

/// What a snapshot keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    instrument: Option<Instrument>,
    run: bool,
    orders: OwnOrders,
    position: Qty,
    position_at: Timestamp,
    strategy: Option<SavedState>,
    tally: Tally,
    /// Oldest first.
    decided: Vec<Entry>,
    updated_at: Timestamp,
}

/// The state in short, for the projection.
#[derive(Serialize)]
struct Brief {
    run: bool,
    position: Qty,
    open_orders: usize,
    #[serde(flatten)]
    tally: Tally,
}

/// The durable state, and the rows that are to be written.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) instance: InstanceId,
    pub(crate) instrument: Option<Instrument>,
    pub(crate) run: bool,
    pub(crate) orders: OwnOrders,
    pub(crate) position: Qty,
    position_at: Timestamp,
    /// The strategy's state as of the last fact that told of it.
    pub(crate) strategy: Option<SavedState>,
    pub(crate) tally: Tally,
    /// Boxed: a tree moves what it holds.
    decided: BTreeMap<IntentId, Box<Entry>>,
    by_key: BTreeMap<DecisionKey, IntentId>,
    by_age: VecDeque<IntentId>,
    updated_at: Timestamp,
    changed: BTreeMap<IntentId, Box<Entry>>,
    is_changed: bool,
}

impl State {
    /// The state before the first fact.
    pub(crate) fn new(instance: InstanceId, run: bool) -> Self {
        Self {
            instance,
            instrument: None,
            run,
            orders: OwnOrders::default(),
            position: Qty::ZERO,
            position_at: Timestamp(i64::MIN),
            strategy: None,
            tally: Tally::default(),
            decided: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_age: VecDeque::new(),
            updated_at: Timestamp(0),
            changed: BTreeMap::new(),
            is_changed: false,
        }
    }

    pub(crate) fn save(&self) -> String {
        let saved = Saved {
            instrument: self.instrument.clone(),
            run: self.run,
            orders: self.orders.clone(),
            position: self.position,
            position_at: self.position_at,
            strategy: self.strategy.clone(),
            tally: self.tally,
            decided: self
                .by_age
                .iter()
                .filter_map(|id| self.decided.get(id))
                .map(|entry| Entry::clone(entry))
                .collect(),
            updated_at: self.updated_at,
        };
        // Plain data with text keys always has a JSON form.
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Takes a snapshot up; every row that it still knows counts as changed.
    pub(crate) fn load(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(text)?;
        *self = Self {
            instrument: saved.instrument,
            orders: saved.orders,
            position: saved.position,
            position_at: saved.position_at,
            strategy: saved.strategy,
            tally: saved.tally,
            updated_at: saved.updated_at,
            is_changed: true,
            ..Self::new(self.instance, saved.run)
        };
        for entry in saved.decided {
            let entry = Box::new(entry);
            self.changed.insert(entry.intent_id, entry.clone());
            self.remember(entry);
        }
        Ok(())
    }

    /// Applies a fact that was journaled `at` this time.
    pub(crate) fn apply(&mut self, fact: &Fact, at: Timestamp) {
        if let Some(instrument) = &fact.instrument {
            self.instrument = Some(instrument.clone());
        }
        self.run = fact.run.unwrap_or(self.run);
        if let Some(update) = &fact.update {
            self.update(update);
        }
        self.conclude(fact, at);
    }

    /// Applies what a fact says beyond its update.
    pub(crate) fn conclude(&mut self, fact: &Fact, at: Timestamp) {
        (self.updated_at, self.is_changed) = (at, true);
        for placement in &fact.place {
            self.orders.decided(&Decision::Place(*placement));
            self.tally.decided = self.tally.decided.saturating_add(1);
            let entry = Box::new(Entry {
                intent_id: IntentId::derive(self.instance, fact.generation.unwrap_or(0), placement.key.as_str()),
                placement: *placement,
                status: Status::Requested,
                filled: Qty::ZERO,
                reason: None,
                decided_at: at,
                changed_at: at,
            });
            self.changed.insert(entry.intent_id, entry.clone());
            self.remember(entry);
        }
        for key in &fact.cancel {
            self.orders.decided(&Decision::Cancel { key: *key });
        }
        if let Some(change) = &fact.change {
            change.apply(&mut self.strategy);
        }
    }

    /// True when an update says something new. It may come twice, and late.
    pub(crate) fn is_news(&self, update: &Update) -> bool {
        let position = update.at >= self.position_at && update.position != self.position;
        let Some(entry) = self.decided.get(&update.intent_id) else { return position };
        let more = update.filled > entry.filled;
        let ends = update.status.is_final() && !entry.status.is_final();
        let moves = update.status != entry.status && !entry.status.is_final() && update.at >= entry.changed_at;
        more || ends || moves || position
    }

    /// Applies an update that is news; `None` when its order is not known (any more).
    pub(crate) fn update(&mut self, update: &Update) -> Option<OrderNews> {
        if update.at >= self.position_at {
            (self.position, self.position_at) = (update.position, update.at);
        }
        let entry = self.decided.get_mut(&update.intent_id)?;
        let was_final = entry.status.is_final();
        if !was_final || update.status.is_final() {
            entry.status = update.status;
        }
        entry.filled = entry.filled.max(update.filled);
        entry.reason = update.reason.clone().or_else(|| entry.reason.take());
        entry.changed_at = entry.changed_at.max(update.at);
        self.changed.insert(entry.intent_id, entry.clone());
        if !was_final && entry.status.is_final() {
            self.tally.ended = self.tally.ended.saturating_add(1);
            let counter = match entry.status {
                Status::Filled => Some(&mut self.tally.filled),
                Status::Rejected => Some(&mut self.tally.rejected),
                _ => None,
            };
            if let Some(counter) = counter {
                *counter = counter.saturating_add(1);
            }
        }
        let key = entry.placement.key;
        let Update { status, filled, filled_quote, fill, .. } = *update;
        // An order is only ever decided once the instrument is known.
        let base = self.instrument.as_ref()?.base;
        self.orders.update(&OrderProgress { key, status, filled, filled_quote, fill }, base)
    }

    /// True when this was decided before.
    pub(crate) fn knows(&self, key: DecisionKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The intent of a decision.
    pub(crate) fn intent(&self, key: DecisionKey) -> Option<IntentId> {
        self.by_key.get(&key).copied()
    }

    fn remember(&mut self, entry: Box<Entry>) {
        self.by_key.insert(entry.placement.key, entry.intent_id);
        self.by_age.push_back(entry.intent_id);
        self.decided.insert(entry.intent_id, entry);
        // Orders still open stay known: each is looked at once at most.
        for _ in 0..self.by_age.len().saturating_sub(REMEMBERED) {
            let Some(oldest) = self.by_age.pop_front() else { break };
            match self.decided.get(&oldest) {
                Some(entry) if !entry.status.is_final() => self.by_age.push_back(oldest),
                Some(entry) => {
                    self.by_key.remove(&entry.placement.key);
                    self.decided.remove(&oldest);
                }
                None => {}
            }
        }
    }

    /// Forgets what has changed, where nobody keeps rows.
    pub(crate) fn forget_changes(&mut self) {
        self.changed.clear();
        self.is_changed = false;
    }

    /// Appends the rows that have changed since the last call.
    pub(crate) fn rows(&mut self, rows: &mut Vec<Row>) {
        if !self.is_changed {
            return;
        }
        self.is_changed = false;
        rows.extend(std::mem::take(&mut self.changed).into_values().map(|entry| intent_row(*entry)));
        let brief = Brief { run: self.run, position: self.position, open_orders: self.orders.len(), tally: self.tally };
        rows.push(state_row(self.instance, serde_json::to_string(&brief).unwrap_or_default(), self.updated_at));
    }
}
