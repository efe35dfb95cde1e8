//! Disks: the model store behind commits that take time, fail, and may be cut short.

use std::sync::Arc;

use futures_util::future::{FutureExt, ready};
use nightdesk_store::{Answer, Batch, JournalRow, ModelStore, Recovered, Select, Store, StoreError, Value};
use nightdesk_units::{Micros, Timestamp};

use crate::coverage::Kind;
use crate::life::{Life, Point, Who, name_of};
use crate::slot::Slot;
use crate::world::{Sim, World, never};

/// One service's disk.
pub(crate) struct StoreState {
    pub(crate) model: ModelStore,
    /// Refuses writes (and, unless it is merely full, reads).
    pub(crate) trouble: Option<StoreError>,
    pending: Option<Pending>,
    commits: u64,
}

struct Pending {
    number: u64,
    batch: Batch,
    done: Slot<Result<(), StoreError>>,
}

impl StoreState {
    pub(crate) fn new(who: Who) -> Self {
        Self { model: ModelStore::new(&name_of(who)), trouble: None, pending: None, commits: 0 }
    }

    /// A message of its has not been taken yet.
    pub(crate) fn has_outbox(&self) -> bool {
        matches!(self.model.oldest_outbox().now_or_never(), Some(Ok(Some(_))))
    }

    fn read_trouble(&self) -> Option<StoreError> {
        self.trouble.clone().filter(|trouble| !matches!(trouble, StoreError::Full { .. }))
    }
}

/// A life's hold of its disk.
pub(crate) struct SimStore {
    pub(crate) sim: Sim,
    pub(crate) life: Arc<Life>,
}

impl SimStore {
    /// Reads, unless the life is over or the disk is gone.
    fn read<T: Send + 'static>(&self, effect: Option<&str>, read: impl FnOnce(&ModelStore) -> Answer<T>) -> Answer<T> {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforeRead) {
            return never();
        }
        if let Some(effect) = effect {
            world.cover.hit(Kind::Effect, effect);
        }
        let store = &world.stores[self.life.who];
        match store.read_trouble() {
            Some(trouble) => ready(Err(trouble)).boxed(),
            None => read(&store.model),
        }
    }
}

impl Store for SimStore {
    fn recover(&self) -> Answer<Recovered> {
        self.read(None, ModelStore::recover)
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let mut world = self.sim.lock();
        world.count_commit(&self.life);
        if world.point(&self.life, Point::BeforeCommit) {
            return never();
        }
        world.cover.hit(Kind::Effect, "commit");
        if batch.snapshot.is_some() {
            world.cover.hit(Kind::Effect, "snapshot");
        }
        world.commit(&self.life, batch)
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        self.read(None, |model| model.journal(stream, after, limit))
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        self.read(Some("look up"), |model| model.select(select))
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        self.read(None, ModelStore::oldest_outbox)
    }
}

impl World {
    fn commit(&mut self, life: &Arc<Life>, batch: Batch) -> Answer<()> {
        let who = life.who;
        if let Some(trouble) = self.stores[who].trouble.clone() {
            let done = Slot::empty();
            let failed = done.clone();
            let after = self.chance.disk.millis(0, 3);
            self.plan(after, "commit refused", move |_| failed.fill(Err(trouble)));
            return done.boxed();
        }
        let latency = self.latency();
        if latency == Micros(0) {
            let result = self.write(who, batch);
            return if self.point(life, Point::AfterCommit) { never() } else { ready(result).boxed() };
        }
        let store = &mut self.stores[who];
        store.commits += 1;
        let (number, done) = (store.commits, Slot::empty());
        store.pending = Some(Pending { number, batch, done: done.clone() });
        let life = Arc::clone(life);
        if self.point(&life, Point::DuringCommit) {
            return never();
        }
        self.plan(latency, "committed", move |world| world.finish_commit(&life, number));
        done.boxed()
    }

    fn latency(&self) -> Micros {
        let chance = &self.chance.disk;
        match self.weather.slow_disk {
            Micros(0) if chance.hits(700) => Micros(0),
            Micros(0) => chance.millis(0, 3),
            Micros(slow) => Micros(chance.between(0, slow)),
        }
    }

    fn finish_commit(&mut self, life: &Life, number: u64) {
        let who = life.who;
        if life.is_over() {
            return;
        }
        let Some(pending) = self.stores[who].pending.take_if(|pending| pending.number == number) else { return };
        let result = self.write(who, pending.batch);
        if !self.point(life, Point::AfterCommit) {
            pending.done.fill(result);
        }
    }

    /// A commit that a crash caught under way is there or not.
    pub(crate) fn end_commit(&mut self, who: Who) {
        if let Some(pending) = self.stores[who].pending.take()
            && self.chance.disk.hits(500)
        {
            // Nobody is left to hear of it.
            let _ = self.write(who, pending.batch);
        }
    }

    fn write(&mut self, who: Who, batch: Batch) -> Result<(), StoreError> {
        let at = self.now();
        for row in &batch.journal {
            self.trace.bytes(row.body.as_bytes());
            let service = if row.stream.starts_with("worker") { "worker" } else { &row.stream };
            self.cover.hit(Kind::Fact, &format!("{service}/{}", row.kind));
        }
        self.trace.note(at, "commit", who as u64, || {
            let facts =
                batch.journal.iter().map(|row| format!("\n{:20}{}#{} {}", "", row.stream, row.version, row.body));
            facts.collect()
        });
        self.judge_commit(who, &batch);
        let model = self.stores[who].model.clone();
        // The model answers at once.
        let result = model.commit(batch).now_or_never();
        if let Some(Err(error)) = &result {
            let text = format!("{} wrote what its own store refuses: {error}", name_of(who));
            self.violate(text);
        }
        result.unwrap_or(Ok(()))
    }
}
