//! The store as a model: in memory, with no runtime, for backtests, tests and the simulator.
//!
//! It keeps the port's promises and nothing more, so it is also what the adapters are compared with. What it holds
//! outlives the service that writes to it: clone the handle, drop the service, and start another one on the clone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::ready;
use nightdesk_units::Timestamp;

use crate::{Answer, Batch, InboxMark, JournalRow, OutboxRow, Recovered, Row, Select, Snapshot, Store, StoreError};
use crate::{Table, Value, limits, query};

/// A store in memory. Clones share what is stored.
#[derive(Debug, Clone)]
pub struct ModelStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    place: String,
    fault: Option<StoreError>,
    commits: u64,
    journal: Vec<JournalRow>,
    /// Positions in `journal` of each stream's rows, by version.
    streams: BTreeMap<String, BTreeMap<u64, usize>>,
    outbox: BTreeMap<String, BTreeMap<u64, OutboxRow>>,
    inbox: BTreeMap<String, InboxMark>,
    cursors: BTreeMap<String, u64>,
    snapshot: Option<Snapshot>,
    tables: BTreeMap<&'static str, BTreeMap<Vec<Value>, Vec<Value>>>,
}

impl ModelStore {
    /// An empty store; `place` names it in errors.
    #[must_use]
    pub fn new(place: &str) -> Self {
        let state = State { place: place.to_owned(), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets every call fail with `fault` until it is set to `None`. Nothing of a failing commit is kept.
    pub fn set_fault(&self, fault: Option<StoreError>) {
        self.lock().fault = fault;
    }

    /// How many commits have succeeded.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// The whole journal in the order it was written.
    #[must_use]
    pub fn journal_rows(&self) -> Vec<JournalRow> {
        self.lock().journal.clone()
    }

    /// Every row of a projection, by key.
    #[must_use]
    pub fn rows(&self, table: &Table) -> Vec<Vec<Value>> {
        self.lock().tables.get(table.name).map(|rows| rows.values().cloned().collect()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A commit is checked before it changes anything, so a panic elsewhere cannot have left half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Answer<T> {
        let mut state = self.lock();
        let result = match &state.fault {
            Some(fault) => Err(fault.clone()),
            None => work(&mut state),
        };
        Box::pin(ready(result))
    }
}

impl Store for ModelStore {
    fn recover(&self) -> Answer<Recovered> {
        self.answer(|state| state.recover())
    }

    /// Takes effect when called, so that calls commit in their order whatever an executor does with the answers.
    fn commit(&self, batch: Batch) -> Answer<()> {
        self.answer(|state| {
            limits::check(&batch, &state.place)?;
            state.check_unique(&batch)?;
            state.write(batch);
            Ok(())
        })
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        self.answer(|state| {
            let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
            let positions = state.streams.get(stream).into_iter().flat_map(|versions| versions.range(from..));
            Ok(positions.take(limit).map(|(_, position)| state.journal[*position].clone()).collect())
        })
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        self.answer(|state| {
            let query = query::Query::new(&select, &state.place)?;
            let rows = state.tables.get(select.table.name).into_iter().flat_map(BTreeMap::values);
            Ok(query.run(rows))
        })
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        self.answer(|state| Ok(state.outbox.values().filter_map(|rows| Some(rows.first_key_value()?.1.at)).min()))
    }
}

impl State {
    fn recover(&self) -> Result<Recovered, StoreError> {
        let snapshot = self.snapshot.clone();
        let after = |stream: &str| snapshot.as_ref().filter(|s| s.stream == stream).map_or(0, |s| s.version);
        let tail: Vec<_> = self.journal.iter().filter(|row| row.version > after(&row.stream)).cloned().collect();
        limits::check_tail(snapshot.as_ref(), &tail, &self.place)?;
        Ok(Recovered {
            tail,
            snapshot,
            outbox: self.outbox.values().flat_map(BTreeMap::values).cloned().collect(),
            inbox: self.inbox.values().cloned().collect(),
            cursors: self.cursors.iter().map(|(queue, seq)| (queue.clone(), *seq)).collect(),
        })
    }

    /// No journal row and no message of ours may be there twice, neither stored nor within the batch.
    fn check_unique(&self, batch: &Batch) -> Result<(), StoreError> {
        let fenced = |detail: String| StoreError::Fenced { place: self.place.clone(), detail };
        let mut seen = BTreeSet::new();
        for row in &batch.journal {
            let stored = self.streams.get(&row.stream).is_some_and(|versions| versions.contains_key(&row.version));
            if stored || !seen.insert((&row.stream, row.version)) {
                return Err(fenced(format!("journal {} version {} exists", row.stream, row.version)));
            }
        }
        seen.clear();
        for row in &batch.outbox {
            let stored = self.outbox.get(&row.queue).is_some_and(|rows| rows.contains_key(&row.seq));
            if stored || !seen.insert((&row.queue, row.seq)) {
                return Err(fenced(format!("outbox {} message {} exists", row.queue, row.seq)));
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: Batch) {
        for row in batch.journal {
            let position = self.journal.len();
            match self.streams.get_mut(&row.stream) {
                Some(versions) => drop(versions.insert(row.version, position)),
                None => drop(self.streams.insert(row.stream.clone(), BTreeMap::from([(row.version, position)]))),
            }
            self.journal.push(row);
        }
        for row in batch.outbox {
            self.outbox.entry(row.queue.clone()).or_default().insert(row.seq, row);
        }
        for (queue, seq) in batch.delivered {
            if let Some(rows) = self.outbox.get_mut(&queue) {
                while rows.first_key_value().is_some_and(|(first, _)| *first <= seq) {
                    rows.pop_first();
                }
            }
        }
        self.inbox.extend(batch.inbox.into_iter().map(|mark| (mark.source.clone(), mark)));
        self.cursors.extend(batch.cursors);
        for Row { table, values } in batch.rows {
            let key = values[..table.key].to_vec();
            self.tables.entry(table.name).or_default().insert(key, values);
        }
        if batch.snapshot.is_some() {
            self.snapshot = batch.snapshot;
        }
        self.commits += 1;
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
