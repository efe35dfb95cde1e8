//! A connection and the one thread that uses it.
//!
//! A commit is one piece of work: whoever asks for it sleeps once and is woken once, however many statements it has. What the
//! thread has begun it ends, whatever becomes of who asked.

use nightdesk_store::{Batch, StoreError};
use tokio::sync::{mpsc, oneshot};

use super::opener::{Access, Opener};
use super::statements::Statements;
use crate::error::sqlite_error;

/// Pieces of work that may wait. A service asks for one commit at a time.
const WAITING_MAX: usize = 16;

/// What the thread is asked to do.
enum Job {
    Work(Box<dyn FnOnce(&mut Link) + Send>),
    /// Ends, and tells when the file is closed.
    Close(oneshot::Sender<()>),
}

/// Asks the thread.
pub(crate) struct Connection {
    jobs: mpsc::Sender<Job>,
}

/// Why the thread did not take a piece of work.
pub(super) enum Refused {
    Full,
    Closed,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Ended,
}

impl Connection {
    /// Starts the thread and opens the file there.
    pub(super) async fn open(opener: Opener, access: Access) -> Result<Self, StoreError> {
        let place = opener.place.clone();
        let unavailable = |detail: String| StoreError::Unavailable { place: place.clone(), detail };
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name(opener.thread_name());
        let link = Link { opener, access, connection: None };
        // Nobody joins it: it ends when nobody can ask any more.
        thread.spawn(|| work(link, waiting)).map_err(|error| unavailable(format!("no thread for it: {error}")))?;
        let connection = Self { jobs };
        match connection.ask(|link| link.connection().map(drop)).await {
            Ok(()) => Ok(connection),
            Err(Failure::Sqlite(error)) => Err(sqlite_error(&place, &error)),
            Err(ended @ Failure::Ended) => Err(unavailable(ended.to_string())),
        }
    }

    /// Hands `work` over at once, so that it is done in the order it is asked for.
    pub(super) fn hand_over<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Refused> {
        let (job, answer) = job(work);
        match self.jobs.try_send(job) {
            Ok(()) => Ok(answer),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refused::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refused::Closed),
        }
    }

    /// What SQLite answers, once the thread has time.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (job, answer) = job(work);
        self.jobs.send(job).await.map_err(|_| Failure::Ended)?;
        answer.await.map_err(|_| Failure::Ended)?.map_err(Failure::Sqlite)
    }

    /// Resolves when the file is closed. What was asked for before is done first.
    pub(super) async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            // An error means that it had ended already.
            drop(closed.await);
        }
    }
}

fn job<T: Send + 'static>(work: impl FnOnce(&mut Link) -> T + Send + 'static) -> (Job, oneshot::Receiver<T>) {
    let (answer, answered) = oneshot::channel();
    // Who asked may have gone.
    (Job::Work(Box::new(move |link| drop(answer.send(work(link))))), answered)
}

/// Works until nobody can ask any more.
fn work(mut link: Link, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.blocking_recv() {
        match job {
            Job::Work(work) => work(&mut link),
            Job::Close(answer) => {
                // Everything is durable already: closing only tidies the log away.
                drop((link, jobs));
                let _ = answer.send(());
                return;
            }
        }
    }
}

/// What the thread owns: the connection, and what it needs to come back after a failure.
pub(crate) struct Link {
    opener: Opener,
    access: Access,
    /// `None` before the first question, and after a failure that has left it inside a transaction.
    connection: Option<rusqlite::Connection>,
}

impl Link {
    pub(super) fn connection(&mut self) -> rusqlite::Result<&mut rusqlite::Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.opener.open(self.access)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Commits `batch`, or leaves the file as it was.
    pub(super) fn commit(&mut self, statements: &Statements, batch: &Batch) -> Result<(), StoreError> {
        let place = self.opener.place.clone();
        let rows = statements.sort(batch, &place)?;
        let connection = self.connection().map_err(|error| sqlite_error(&place, &error))?;
        let committed = statements.commit(connection, batch, &rows);
        if committed.is_err() && !is_free(connection) {
            self.connection = None;
        }
        committed.map_err(|error| sqlite_error(&place, &error))
    }
}

/// After a failure: true once no transaction is open any more.
fn is_free(connection: &rusqlite::Connection) -> bool {
    // SQLite may have rolled back by itself, as it does when the disk is full.
    connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() && connection.is_autocommit()
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "{error}"),
            Self::Ended => f.write_str("the database's thread has ended"),
        }
    }
}
