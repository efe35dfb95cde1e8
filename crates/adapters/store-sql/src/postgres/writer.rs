//! The one task that writes, and how it finds out what became of a commit whose answer it has lost.
//!
//! The table `writer` has one row: the token of the process that may write, the number of its present connection, and how
//! many commits there have been. A commit counts on by one, and only for that token and connection. So after a connection
//! is lost, taking a new number shuts the old connection out for good, and the count then says whether its last commit
//! took effect.

use std::time::Duration;

use nightdesk_store::{Batch, Schema, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Postgres};
use tokio::sync::{mpsc, oneshot};

use super::opener::Opener;
use super::statement::{LEASES, Writing, commit};
use crate::backend::Backend;
use crate::dialect::POSTGRES;

/// How long a commit may take before its connection counts as lost.
const COMMIT: Duration = Duration::from_secs(3);

/// What the task is asked to do.
pub(crate) enum Job {
    /// Commits a batch.
    Commit(Batch, oneshot::Sender<Result<(), StoreError>>),
    /// Ends, and tells when the connection is closed.
    Close(oneshot::Sender<()>),
}

/// The connection that writes, and what it needs to come back after a failure.
pub(crate) struct Writer {
    opener: Opener,
    tables: Vec<&'static str>,
    token: String,
    session: i64,
    commits: i64,
    /// `None` after a failure.
    connection: Option<PgConnection>,
    /// A batch that was sent and not answered.
    unknown: Option<Batch>,
}

impl Writer {
    /// Becomes the one that writes; whoever was it before is shut out.
    pub(crate) async fn begin(
        opener: Opener,
        schema: &'static Schema,
        mut connection: PgConnection,
    ) -> Result<Self, StoreError> {
        // Replicas may start at the same moment.
        opener.run(&mut connection, &format!("{};{WRITER};COMMIT", POSTGRES.begin)).await?;
        let held = match opener.fence() {
            Some(fence) => {
                let (name, epoch) = (fence.lease.replace('\'', "''"), fence.epoch);
                format!("WHERE EXISTS (SELECT 1 FROM {LEASES} WHERE name = '{name}' AND epoch = {epoch} FOR SHARE)")
            }
            None => String::new(),
        };
        let sql =
            format!("UPDATE writer SET token = gen_random_uuid()::text, session = 1 {held} RETURNING token, commits");
        let begun = Postgres::fetch(&mut connection, sql, sqlx::postgres::PgArguments::default(), false).await;
        let begun = begun.map_err(|error| opener.failure(&error))?;
        let Some(row) = begun.first() else { return Err(opener.fenced(PASSED)) };
        let failed = |error| opener.failure(&error);
        let token = Postgres::text(row, 0).map_err(failed)?.unwrap_or_default();
        let commits = Postgres::int(row, 1).map_err(failed)?.unwrap_or_default();
        let tables = schema.tables.iter().map(|table| table.name).collect();
        Ok(Self { opener, tables, token, session: 1, commits, connection: Some(connection), unknown: None })
    }

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
            // Everything is durable already.
            drop(connection.close().await);
        }
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        if let Some(row) = batch.rows.iter().find(|row| !self.tables.contains(&row.table.name)) {
            return Err(self.opener.unavailable(&format!("table {} is not in the service's schema", row.table.name)));
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.reconnect().await?,
        };
        if let Some(unknown) = self.unknown.take() {
            // It took effect after all: only the answer was lost.
            if unknown == batch {
                self.connection = Some(connection);
                return Ok(());
            }
            return Err(self.opener.fenced("a commit that counted as failed has taken effect: start anew"));
        }
        let writing =
            Writing { token: &self.token, session: self.session, commit: self.commits + 1, fence: self.opener.fence() };
        let (sql, arguments) = commit(batch.clone(), writing);
        let written = tokio::time::timeout(COMMIT, Postgres::fetch(&mut connection, sql, arguments, true)).await;
        match written {
            Ok(Ok(rows)) if rows.is_empty() => Err(self.opener.fenced(PASSED)),
            Ok(Ok(_)) => {
                self.commits += 1;
                self.connection = Some(connection);
                Ok(())
            }
            Ok(Err(error)) => {
                if is_refusal(&error) {
                    self.connection = Some(connection);
                } else {
                    self.unknown = Some(batch);
                }
                Err(self.opener.failure(&error))
            }
            Err(_) => {
                self.unknown = Some(batch);
                Err(self.opener.unavailable(&format!("no answer to a commit within {COMMIT:?}")))
            }
        }
    }

    /// Shuts the lost connection out, and settles what became of its last commit.
    async fn reconnect(&mut self) -> Result<PgConnection, StoreError> {
        let mut connection = self.opener.connect().await?;
        // Counted before it is asked: an answer that is lost again must not leave us with a number already used.
        self.session += 1;
        let sql = format!(
            "UPDATE writer SET session = {0} WHERE token = '{1}' AND session < {0} RETURNING commits",
            self.session, self.token
        );
        let resumed = Postgres::fetch(&mut connection, sql, sqlx::postgres::PgArguments::default(), false);
        let resumed = match tokio::time::timeout(COMMIT, resumed).await {
            Ok(resumed) => resumed.map_err(|error| self.opener.failure(&error))?,
            Err(_) => return Err(self.opener.unavailable("no answer to who writes")),
        };
        let Some(row) = resumed.first() else { return Err(self.opener.fenced(PASSED)) };
        let commits = Postgres::int(row, 0).map_err(|error| self.opener.failure(&error))?.unwrap_or_default();
        if commits == self.commits {
            self.unknown = None;
        }
        self.commits = commits;
        Ok(connection)
    }
}

const PASSED: &str = "the right to write has passed to another process";

const WRITER: &str = "CREATE TABLE IF NOT EXISTS writer (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
     token TEXT NOT NULL, session BIGINT NOT NULL, commits BIGINT NOT NULL);
     INSERT INTO writer (id, token, session, commits) VALUES (1, '', 0, 0) ON CONFLICT DO NOTHING";

/// Whether the server has judged the statement, so that nothing of it was done; otherwise nobody knows.
fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    // Class 08 is the connection's end, 57 the server's.
    !error.code().is_none_or(|code| code.starts_with("08") || code.starts_with("57"))
}
