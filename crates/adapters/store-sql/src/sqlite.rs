//! The store on SQLite.

use std::path::Path;
use std::sync::Arc;

use nightdesk_store::{Answer, Batch, JournalRow, Recovered, Schema, Select, Store, StoreError, Value, limits};
use nightdesk_units::Timestamp;
use sqlx::{Connection, Sqlite};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, mpsc, oneshot};

use crate::chunk::Statements;
use crate::dialect::SQLITE;
use crate::open::{Opener, Options};
use crate::reader;
use crate::schema;
use crate::writer::{Job, Writer};

/// Commits that may wait for the writer. A service asks for one at a time.
const WAITING_MAX: usize = 16;

type Reader = reader::Reader<Sqlite>;
type Reading = OwnedMappedMutexGuard<Option<Reader>, Reader>;

/// A service's store in an SQLite file. Must be opened inside a tokio runtime.
///
/// After a failed commit nothing of its batch is visible and the next one may succeed: a full disk that has room again
/// needs no restart.
pub struct SqliteStore {
    place: String,
    jobs: Option<mpsc::Sender<Job>>,
    /// `None` once closed.
    reader: Arc<Mutex<Option<Reader>>>,
}

impl SqliteStore {
    /// Opens `folder/SERVICE.sqlite`, making or migrating it as `schema` says.
    ///
    /// One process at a time may write; who holds the data directory's lock sees to that. A second writer that comes all
    /// the same is refused by [`StoreError::Locked`] or, by the journal's own numbers, by [`StoreError::Fenced`].
    ///
    /// # Errors
    /// When the file is missing though it must exist, newer than we are, damaged, another service's, or cannot be reached.
    pub async fn open(folder: &Path, schema: &'static Schema, options: Options) -> Result<Self, StoreError> {
        let opener = Opener::new(&folder.join(format!("{}.sqlite", schema.service)), options);
        opener.check()?;
        let mut connection = opener.writer().await?;
        schema::prepare::<Sqlite>(&mut connection, schema, &opener.place).await?;
        let reader = Reader { connection: opener.reader().await?, place: opener.place.clone() };
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let place = opener.place.clone();
        let writer = Writer { opener, statements: Statements::new(&SQLITE, schema), connection: Some(connection) };
        tokio::spawn(writer.run(waiting));
        Ok(Self { place, jobs: Some(jobs), reader: Arc::new(Mutex::new(Some(reader))) })
    }

    /// Opens `folder/SERVICE.sqlite` for reading only, also while its service runs: all reads see it as it was now.
    ///
    /// Keep it open briefly: the service's log grows meanwhile.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; it must exist and have our version.
    pub async fn open_to_read(folder: &Path, schema: &'static Schema) -> Result<Self, StoreError> {
        let options = Options { must_exist: true, ..Options::default() };
        let opener = Opener::new(&folder.join(format!("{}.sqlite", schema.service)), options);
        opener.check()?;
        let mut connection = opener.reader().await?;
        let begun = sqlx::raw_sql("BEGIN").execute(&mut connection).await;
        begun.map_err(|error| crate::error::sqlite_error(&opener.place, &error))?;
        // The first read inside it settles what the transaction sees.
        schema::check_only::<Sqlite>(&mut connection, schema, &opener.place).await?;
        let reader = Reader { connection, place: opener.place.clone() };
        Ok(Self { place: opener.place, jobs: None, reader: Arc::new(Mutex::new(Some(reader))) })
    }

    /// Resolves when the file is closed and its log tidied away. Commits asked for before are done first.
    pub async fn close(&self) {
        if let Some(reader) = self.reader.lock().await.take() {
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

    /// The connection that reads, when nobody else reads.
    fn reader(&self) -> impl Future<Output = Result<Reading, StoreError>> + Send + use<> {
        let (reader, closed) = (Arc::clone(&self.reader), self.unavailable("it has been closed"));
        async move { OwnedMutexGuard::try_map(reader.lock_owned().await, Option::as_mut).map_err(|_| closed) }
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

impl Store for SqliteStore {
    fn recover(&self) -> Answer<Recovered> {
        let reader = self.reader();
        Box::pin(async move { reader.await?.recover().await })
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let sent = self.send(batch);
        let ended = self.unavailable("its writer has ended");
        Box::pin(async move { sent?.await.unwrap_or(Err(ended)) })
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        let (reader, stream) = (self.reader(), stream.to_owned());
        Box::pin(async move { reader.await?.journal(&stream, after, limit).await })
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        let reader = self.reader();
        Box::pin(async move { reader.await?.select(&select).await })
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        let reader = self.reader();
        Box::pin(async move { reader.await?.oldest_outbox().await })
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.place)
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
