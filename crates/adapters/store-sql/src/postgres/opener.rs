//! How PostgreSQL is reached.

use std::str::FromStr;
use std::time::Duration;

use nightdesk_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Postgres};

use crate::backend::Backend;
use crate::text::quoted;

/// How long reaching the database may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Who may write, as the lease says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The lease.
    pub lease: String,
    /// The epoch in which we hold it.
    pub epoch: u64,
}

/// Where a service's store is.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    schema: String,
    fence: Option<Fence>,
}

impl PostgresOptions {
    /// The schema `schema` of the database that `url` names, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// # Errors
    /// When the address does not make sense. It is not repeated in the error: it holds a password.
    pub fn new(url: &str, schema: &str) -> Result<Self, StoreError> {
        let place = || StoreError::Unavailable {
            place: "the database's address".to_owned(),
            detail: "it does not read as postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned(),
        };
        let connect = PgConnectOptions::from_str(url).map_err(|_| place())?.disable_statement_logging();
        Ok(Self { connect, schema: schema.replace('-', "_"), fence: None })
    }

    /// Lets only the holder of a lease write.
    #[must_use]
    pub fn fenced(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    pub(crate) fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresOptions({})", place(self))
    }
}

fn place(options: &PostgresOptions) -> String {
    let (host, port) = (options.connect.get_host(), options.connect.get_port());
    format!("{host}:{port}/{} schema {}", options.connect.get_database().unwrap_or("postgres"), options.schema)
}

/// A schema and how it is reached, also once more after a failure.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    options: PostgresOptions,
    place: String,
}

impl Opener {
    pub(crate) fn new(options: PostgresOptions) -> Self {
        let place = place(&options);
        Self { options, place }
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn fence(&self) -> Option<&Fence> {
        self.options.fence()
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection, StoreError> {
        // By this name a successor finds the writers of a lease that has ended, to end them.
        let lease = self.options.fence().map_or("-", |fence| fence.lease.as_str());
        let name = format!("nightdesk {lease} {}", self.options.schema);
        let options = self.options.connect.clone().application_name(&name).options([
            // Quoted, as where it is made: a strategy instance's name may hold capitals and dots.
            ("search_path", quoted(&self.options.schema).as_str()),
            // A commit that is answered is on disk, whatever the server's default is.
            ("synchronous_commit", "on"),
            // That something exists already is no news.
            ("client_min_messages", "warning"),
            ("lock_timeout", "1500"),
            ("idle_in_transaction_session_timeout", "5000"),
            // A server that has lost us frees what we held.
            ("client_connection_check_interval", "1000"),
            ("tcp_user_timeout", "3000"),
            // One text per shape of batch: planning it for its values again and again gains nothing.
            ("plan_cache_mode", "force_generic_plan"),
        ]);
        let connected = tokio::time::timeout(CONNECT, options.connect()).await;
        match connected {
            Ok(connected) => connected.map_err(|error| self.failure(&error)),
            Err(_) => Err(self.unavailable(&format!("no answer within {CONNECT:?}"))),
        }
    }

    /// Makes the service's schema if it is not there.
    pub(crate) async fn make_schema(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        // IF NOT EXISTS fails when two make it at the same moment.
        let name = quoted(&self.options.schema);
        let sql = format!(
            "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended({}, 1)); CREATE SCHEMA IF NOT EXISTS {name}; COMMIT",
            literal(&self.options.schema)
        );
        self.run(connection, &sql).await
    }

    pub(crate) async fn run(&self, connection: &mut PgConnection, sql: &str) -> Result<(), StoreError> {
        Postgres::run(connection, sql.to_owned()).await.map_err(|error| self.failure(&error))
    }

    pub(crate) fn failure(&self, error: &sqlx::Error) -> StoreError {
        Postgres::failure(&self.place, error)
    }

    pub(crate) fn unavailable(&self, detail: &str) -> StoreError {
        StoreError::Unavailable { place: self.place.clone(), detail: detail.to_owned() }
    }

    pub(crate) fn fenced(&self, detail: &str) -> StoreError {
        StoreError::Fenced { place: self.place.clone(), detail: detail.to_owned() }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
