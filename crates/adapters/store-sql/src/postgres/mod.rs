//! The store on PostgreSQL: one schema per service, one connection that writes and one that reads.
//!
//! A commit is one statement sent in one trip: every kind of row is a part of it with arrays for parameters, so whatever a
//! turn changed costs one round trip and one flush of the server's log. The same statement proves that we may still write:
//! it locks the lease row for sharing and moves the writer's own row on by one commit. Who has lost either changes nothing.

mod backend;
mod lease;
mod opener;
mod statement;
mod writer;

use std::sync::Arc;

use nightdesk_store::{Answer, Batch, JournalRow, Recovered, Schema, Select, Store, StoreError, Value, limits};
use nightdesk_units::Timestamp;
use sqlx::{Connection, Postgres};
use tokio::sync::{Mutex, mpsc, oneshot};

pub use lease::PostgresLease;
pub use opener::{Fence, PostgresOptions};

use crate::reader::Reader;
use crate::schema;
use opener::Opener;
use writer::{Job, Writer};

/// Commits that may wait for the writer. A service asks for one at a time.
const WAITING_MAX: usize = 16;

/// A service's store in a schema of a PostgreSQL database. Must be opened inside a tokio runtime.
///
/// A commit whose answer was lost counts as failed, and the same batch may be committed again: the store finds out which of
/// the two it was before it writes anything.
pub struct PostgresStore {
    place: String,
    jobs: Option<mpsc::Sender<Job>>,
    reading: Arc<Mutex<Reading>>,
}

/// The connection that reads, and what it needs to come back.
struct Reading {
    opener: Opener,
    schema: &'static Schema,
    /// `None` after a failure, and before the first question.
    reader: Option<Reader<Postgres>>,
    /// Whether all reads see one state of the database.
    frozen: bool,
}

impl PostgresStore {
    /// Opens the service's schema, making or migrating it as `schema` says, and becomes its writer: whoever was it before
    /// can write no more.
    ///
    /// # Errors
    /// When the database cannot be reached, the schema is newer than we are, damaged, or another service's, or the lease
    /// has passed to another.
    pub async fn open(options: PostgresOptions, schema: &'static Schema) -> Result<Self, StoreError> {
        let opener = Opener::new(options);
        let mut connection = opener.connect().await?;
        opener.make_schema(&mut connection).await?;
        schema::prepare::<Postgres>(&mut connection, schema, opener.place()).await?;
        let writer = Writer::begin(opener.clone(), schema, connection).await?;
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(writer.run(waiting));
        Ok(Self::build(opener, schema, Some(jobs), false))
    }

    /// Opens the service's schema for reading only, also while its service runs: all reads see it as it was at the first.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]; it must exist and have our version.
    pub async fn open_to_read(options: PostgresOptions, schema: &'static Schema) -> Result<Self, StoreError> {
        let store = Self::build(Opener::new(options), schema, None, true);
        store.reading.lock().await.reader().await?;
        Ok(store)
    }

    fn build(opener: Opener, schema: &'static Schema, jobs: Option<mpsc::Sender<Job>>, frozen: bool) -> Self {
        let place = opener.place().to_owned();
        let reading = Reading { opener, schema, reader: None, frozen };
        Self { place, jobs, reading: Arc::new(Mutex::new(reading)) }
    }

    /// Resolves when both connections are closed. Commits asked for before are done first.
    pub async fn close(&self) {
        if let Some(reader) = self.reading.lock().await.reader.take() {
            // Nothing can be lost by a reader.
            drop(reader.connection.close().await);
        }
        let (answer, closed) = oneshot::channel();
        if let Some(jobs) = &self.jobs
            && jobs.send(Job::Close(answer)).await.is_ok()
        {
            // An error means that it had ended already.
            drop(closed.await);
        }
    }

    fn unavailable(&self, detail: &str) -> StoreError {
        StoreError::Unavailable { place: self.place.clone(), detail: detail.to_owned() }
    }

    /// Hands the batch over at once, so that commits happen in the order they are asked for.
    fn send(&self, batch: Batch) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        limits::check(&batch, &self.place)?;
        let jobs = self.jobs.as_ref().ok_or_else(|| self.unavailable("it is open for reading only"))?;
        let (answer, committed) = oneshot::channel();
        match jobs.try_send(Job::Commit(batch, answer)) {
            Ok(()) => Ok(committed),
            Err(mpsc::error::TrySendError::Full(_)) => Err(self.unavailable("too many commits are waiting")),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.unavailable("it has been closed")),
        }
    }
}

impl Reading {
    async fn reader(&mut self) -> Result<&mut Reader<Postgres>, StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.connect().await?,
        };
        Ok(self.reader.insert(reader))
    }

    async fn connect(&self) -> Result<Reader<Postgres>, StoreError> {
        let mut connection = self.opener.connect().await?;
        if self.frozen {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET idle_in_transaction_session_timeout = 0";
            self.opener.run(&mut connection, begin).await?;
            // The first read inside it settles what the transaction sees.
            schema::check_only::<Postgres>(&mut connection, self.schema, self.opener.place()).await?;
        }
        Ok(Reader { connection, place: self.opener.place().to_owned() })
    }

    /// After an error the connection may be gone; what only failed to make sense costs a new one, too.
    fn judge<T>(&mut self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(read, Err(StoreError::Unavailable { .. })) && !self.frozen {
            self.reader = None;
        }
        read
    }
}

/// Asks the reader, with `$reader` standing for it.
macro_rules! read {
    ($store:expr, $reader:ident, $question:expr) => {{
        let reading = Arc::clone(&$store.reading);
        Box::pin(async move {
            let mut reading = reading.lock_owned().await;
            let $reader = reading.reader().await?;
            let read = $question.await;
            reading.judge(read)
        })
    }};
}

impl Store for PostgresStore {
    fn recover(&self) -> Answer<Recovered> {
        read!(self, reader, reader.recover())
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let sent = self.send(batch);
        let ended = self.unavailable("its writer has ended");
        Box::pin(async move { sent?.await.unwrap_or(Err(ended)) })
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        let stream = stream.to_owned();
        read!(self, reader, reader.journal(&stream, after, limit))
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        read!(self, reader, reader.select(&select))
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        read!(self, reader, reader.oldest_outbox())
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresStore({})", self.place)
    }
}
