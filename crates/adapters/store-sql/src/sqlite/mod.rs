//! The store on SQLite: a thread that writes and a thread that reads, so that a long question delays no commit.

mod backend;
mod connection;
mod opener;
mod statements;

use std::path::Path;
use std::sync::Arc;

use nightdesk_store::{Answer, Batch, JournalRow, Recovered, Schema, Select, Store, StoreError, Value, limits};
use nightdesk_units::Timestamp;
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, oneshot};

pub(crate) use backend::Sqlite;
pub use opener::Options;

use crate::backend::Backend;
use crate::reader;
use crate::schema;
use connection::{Connection, Refused};
use opener::{Access, Opener};
use statements::Statements;

type Reader = reader::Reader<Sqlite>;
type Reading = OwnedMappedMutexGuard<Option<Reader>, Reader>;

/// A service's store in an SQLite file.
///
/// After a failed commit nothing of its batch is visible and the next one may succeed: a full disk that has room again
/// needs no restart.
pub struct SqliteStore {
    place: String,
    statements: Arc<Statements>,
    /// `None` when it is open for reading only.
    writer: Option<Connection>,
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
        let mut writer = Connection::open(opener.clone(), Access::Write).await?;
        schema::prepare::<Sqlite>(&mut writer, schema, &opener.place).await?;
        let reader = Connection::open(opener.clone(), Access::Read).await?;
        Ok(Self::build(opener.place, schema, Some(writer), reader))
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
        let mut reader = Connection::open(opener.clone(), Access::Read).await?;
        let begun = Sqlite::run(&mut reader, "BEGIN".to_owned()).await;
        begun.map_err(|error| Sqlite::failure(&opener.place, &error))?;
        // The first read inside it settles what the transaction sees.
        schema::check_only::<Sqlite>(&mut reader, schema, &opener.place).await?;
        Ok(Self::build(opener.place, schema, None, reader))
    }

    fn build(place: String, schema: &Schema, writer: Option<Connection>, reader: Connection) -> Self {
        let reader = Reader { connection: reader, place: place.clone() };
        let statements = Arc::new(Statements::new(schema));
        Self { place, statements, writer, reader: Arc::new(Mutex::new(Some(reader))) }
    }

    /// Resolves when the file is closed and its log tidied away. Commits asked for before are done first.
    pub async fn close(&self) {
        if let Some(reader) = self.reader.lock().await.take() {
            reader.connection.close().await;
        }
        if let Some(writer) = &self.writer {
            writer.close().await;
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
        let writer = self.writer.as_ref().ok_or_else(|| self.unavailable("it is open for reading only"))?;
        let statements = Arc::clone(&self.statements);
        writer.hand_over(move |link| link.commit(&statements, &batch)).map_err(|refused| match refused {
            Refused::Full => self.unavailable("too many commits are waiting"),
            Refused::Closed => self.unavailable("it has been closed"),
        })
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
mod tests;
