//! A lease as a row of a table, by the database's clock.

use std::sync::Arc;
use std::time::Duration;

use nightdesk_platform::{Lease, LeaseAnswer, PlatformError};
use nightdesk_store::StoreError;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments, Postgres};
use tokio::sync::Mutex;

use super::opener::{Opener, PostgresOptions};
use super::statement::LEASES;
use crate::backend::Backend;

/// How long an answer may take before its connection counts as lost.
const ANSWER: Duration = Duration::from_secs(2);

/// The table. It has a schema of its own: every service's writer reads it.
const TABLE: &str = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('nightdesk_leases', 2));
    CREATE SCHEMA IF NOT EXISTS nightdesk_leases;
    CREATE TABLE IF NOT EXISTS nightdesk_leases.leases (name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL,
        epoch BIGINT NOT NULL, expires_at TIMESTAMPTZ NOT NULL);
    COMMIT";

/// Ends the writers of epochs before the one in which we hold the lease: a commit of theirs that hangs would keep the lease's
/// row locked, and one that a frozen server process finishes late would find the row changed only after we have begun.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND split_part(application_name, ' ', 1) = 'nightdesk'
      AND split_part(application_name, ' ', 2) = $1
      AND EXISTS (SELECT 1 FROM nightdesk_leases.leases WHERE name = $1 AND expires_at <= clock_timestamp())";

const ACQUIRE: &str = "INSERT INTO nightdesk_leases.leases AS l (name, holder, epoch, expires_at)
    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 microsecond')
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = l.epoch + 1, expires_at = excluded.expires_at
    WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder
    RETURNING epoch";

const RENEW: &str = "UPDATE nightdesk_leases.leases SET expires_at = clock_timestamp() + $3 * interval '1 microsecond'
    WHERE name = $1 AND holder = $2 AND epoch = $4 RETURNING epoch";

const RELEASE: &str = "UPDATE nightdesk_leases.leases SET expires_at = clock_timestamp()
    WHERE name = $1 AND holder = $2 AND epoch = $3 RETURNING epoch";

/// A lease in PostgreSQL. Its rows are what [`super::Fence`] compares with.
#[derive(Clone)]
pub struct PostgresLease {
    opener: Opener,
    name: Arc<str>,
    holder: Arc<str>,
    /// `None` before the first question and after a failure.
    connection: Arc<Mutex<Option<PgConnection>>>,
}

/// A parameter.
enum Bound {
    Text(Arc<str>),
    Int(i64),
}

impl PostgresLease {
    /// The lease `name` in the database of `options`; `holder` names this process and no other.
    #[must_use]
    pub fn new(options: PostgresOptions, name: &str, holder: &str) -> Self {
        Self { opener: Opener::new(options), name: name.into(), holder: holder.into(), connection: Arc::default() }
    }

    /// Asks, and returns the epoch in the first row; `None` without a row.
    async fn ask(&self, sql: &'static str, bound: Vec<Bound>) -> Result<Option<u64>, PlatformError> {
        let mut place = self.connection.lock().await;
        // Only a connection that has answered is used again.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => self.connect().await.map_err(|error| self.failure(&error))?,
        };
        let mut arguments = PgArguments::default();
        for value in bound {
            // Encoding text and integers cannot fail.
            let _ = match value {
                Bound::Text(text) => arguments.add(text.to_string()),
                Bound::Int(int) => arguments.add(int),
            };
        }
        let asked = Postgres::fetch(&mut connection, sql.to_owned(), arguments, true);
        let rows = match tokio::time::timeout(ANSWER, asked).await {
            Ok(answered) => answered.map_err(|error| self.failure(&self.opener.failure(&error)))?,
            Err(_) => return Err(self.failure(&self.opener.unavailable(&format!("no answer within {ANSWER:?}")))),
        };
        *place = Some(connection);
        let epoch = rows.first().and_then(|row| Postgres::int(row, 0).ok().flatten());
        Ok(epoch.and_then(|epoch| u64::try_from(epoch).ok()))
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.opener.connect().await?;
        self.opener.run(&mut connection, TABLE).await?;
        Ok(connection)
    }

    fn failure(&self, error: &StoreError) -> PlatformError {
        PlatformError::Unavailable { place: format!("lease {}", self.name), detail: error.to_string() }
    }

    fn mine(&self) -> Vec<Bound> {
        vec![Bound::Text(Arc::clone(&self.name)), Bound::Text(Arc::clone(&self.holder))]
    }
}

impl Lease for PostgresLease {
    fn acquire(&self, ttl: Duration) -> LeaseAnswer<Option<u64>> {
        let lease = self.clone();
        Box::pin(async move {
            lease.ask(TERMINATE, vec![Bound::Text(Arc::clone(&lease.name))]).await?;
            let mut bound = lease.mine();
            bound.push(Bound::Int(micros(ttl)));
            lease.ask(ACQUIRE, bound).await
        })
    }

    fn renew(&self, epoch: u64, ttl: Duration) -> LeaseAnswer<bool> {
        let lease = self.clone();
        Box::pin(async move {
            let mut bound = lease.mine();
            bound.extend([Bound::Int(micros(ttl)), Bound::Int(number(epoch))]);
            Ok(lease.ask(RENEW, bound).await?.is_some())
        })
    }

    fn release(&self, epoch: u64) -> LeaseAnswer<()> {
        let lease = self.clone();
        Box::pin(async move {
            let mut bound = lease.mine();
            bound.push(Bound::Int(number(epoch)));
            lease.ask(RELEASE, bound).await.map(drop)
        })
    }
}

impl std::fmt::Debug for PostgresLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresLease({} in {LEASES})", self.name)
    }
}

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}

fn number(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}
