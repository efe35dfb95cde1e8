//! The one task that writes. A transaction it has begun it ends, whatever becomes of who asked for it.

use nightdesk_store::{Batch, StoreError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::{mpsc, oneshot};

use crate::chunk::{Chunk, Statements};
use crate::error::sqlite_error;
use crate::open::Opener;

/// What the task is asked to do.
pub(crate) enum Job {
    /// Commits a batch.
    Commit(Batch, oneshot::Sender<Result<(), StoreError>>),
    /// Ends, and tells when the file is closed.
    Close(oneshot::Sender<()>),
}

/// The connection that writes, and what it needs to come back after a failure.
pub(crate) struct Writer {
    pub(crate) opener: Opener,
    pub(crate) statements: Statements,
    /// `None` after a failure that may have left the connection inside a transaction.
    pub(crate) connection: Option<SqliteConnection>,
}

impl Writer {
    /// Works until nobody can ask any more.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            match job {
                // Who asked may have gone.
                Job::Commit(batch, answer) => drop(answer.send(self.commit(batch).await)),
                Job::Close(answer) => {
                    self.close().await;
                    let _ = answer.send(());
                    return;
                }
            }
        }
        self.close().await;
    }

    async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Everything is durable already: closing only tidies the log away.
            drop(connection.close().await);
        }
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let chunks = self.statements.chunks(batch, &self.opener.place)?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.opener.writer().await?,
        };
        match execute(&mut connection, chunks).await {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                if end_transaction(&mut connection).await {
                    self.connection = Some(connection);
                }
                Err(sqlite_error(&self.opener.place, &error))
            }
        }
    }
}

async fn execute(connection: &mut SqliteConnection, chunks: Vec<Chunk>) -> Result<(), sqlx::Error> {
    for chunk in chunks {
        sqlx::query_with(AssertSqlSafe(chunk.sql), chunk.arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

/// After a failure: true if no transaction is open any more.
async fn end_transaction(connection: &mut SqliteConnection) -> bool {
    match sqlx::raw_sql("ROLLBACK").execute(connection).await {
        Ok(_) => true,
        // SQLite has rolled back by itself, as it does when the disk is full, and says so with a plain error.
        Err(sqlx::Error::Database(error)) => error.code().as_deref() == Some("1"),
        Err(_) => false,
    }
}
