//! Tells what core-engine has made durable, to whoever listens at the moment.
//!
//! It sits between the engine and its store and passes on the rows of each commit once that commit is durable. So nobody
//! hears of what did not happen, the engine need not know who listens, and without listeners it costs one load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightdesk_store::{Answer, Batch, JournalRow, Recovered, Row, Select, Store, Value};
use nightdesk_units::Timestamp;

use crate::tables::{FILLS, MODES, ORDERS};

/// Who may listen at once.
const LISTENERS_MAX: usize = 64;
/// How many commits a listener may lag behind.
const LAG_MAX: usize = 256;

/// The rows of one commit, shared by the listeners.
pub(super) type News = Arc<[Row]>;

/// What has been written, for listeners. Clones share it.
#[derive(Clone, Default)]
pub struct Feed(Arc<Shared>);

#[derive(Default)]
struct Shared {
    listeners: Mutex<Vec<async_channel::Sender<News>>>,
    count: AtomicUsize,
}

impl Feed {
    /// The store to hand to the engine, so that what it writes is told.
    #[must_use]
    pub fn tap(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Tap { store, feed: self.clone() })
    }

    /// A new listener; `None` when there are too many. It ends when it has lagged too far behind.
    pub(super) fn listen(&self) -> Option<async_channel::Receiver<News>> {
        let mut listeners = self.lock();
        listeners.retain(|listener| !listener.is_closed());
        if listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let (tx, rx) = async_channel::bounded(LAG_MAX);
        listeners.push(tx);
        self.0.count.store(listeners.len(), Ordering::Release);
        Some(rx)
    }

    fn tell(&self, news: Vec<Row>) {
        if news.is_empty() {
            return;
        }
        let news: News = news.into();
        let mut listeners = self.lock();
        // Who is gone or too slow is dropped; the slow one sees the end and looks at everything anew.
        listeners.retain(|listener| listener.try_send(Arc::clone(&news)).is_ok());
        self.0.count.store(listeners.len(), Ordering::Release);
    }

    fn has_listeners(&self) -> bool {
        self.0.count.load(Ordering::Acquire) > 0
    }

    fn lock(&self) -> MutexGuard<'_, Vec<async_channel::Sender<News>>> {
        // A list of senders is whole whatever happened to who held it.
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Tap {
    store: Arc<dyn Store>,
    feed: Feed,
}

impl Store for Tap {
    fn recover(&self) -> Answer<Recovered> {
        self.store.recover()
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        if !self.feed.has_listeners() {
            return self.store.commit(batch);
        }
        let told = [ORDERS.name, FILLS.name, MODES.name];
        let news: Vec<Row> = batch.rows.iter().filter(|row| told.contains(&row.table.name)).cloned().collect();
        let (done, feed) = (self.store.commit(batch), self.feed.clone());
        Box::pin(async move {
            done.await?;
            feed.tell(news);
            Ok(())
        })
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        self.store.journal(stream, after, limit)
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        self.store.select(select)
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        self.store.oldest_outbox()
    }
}
