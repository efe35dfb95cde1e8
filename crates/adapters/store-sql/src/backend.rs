//! The two drivers behind one face: what reading, selecting and making tables need of a database.

use nightdesk_store::{StoreError, Value};
use sqlx::postgres::Postgres;
use sqlx::{Arguments, AssertSqlSafe, Database, Row, Sqlite};

use crate::dialect::{Dialect, POSTGRES, SQLITE};
use crate::error::{postgres_error, sqlite_error};

/// A database and its driver.
pub(crate) trait Backend: Database {
    /// How it says things.
    const DIALECT: &'static Dialect;

    /// Says `error` in the port's words.
    fn failure(place: &str, error: &sqlx::Error) -> StoreError;

    /// Adds a parameter.
    fn bind(arguments: &mut Self::Arguments, value: Value);

    /// All rows of a query; `keep` its text prepared.
    fn fetch(
        connection: &mut Self::Connection,
        sql: String,
        arguments: Self::Arguments,
        keep: bool,
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;

    /// Runs statements without parameters.
    fn run(connection: &mut Self::Connection, sql: String) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// A column that has no value or text.
    fn text(row: &Self::Row, at: usize) -> Result<Option<String>, sqlx::Error>;

    /// A column that has no value or an integer.
    fn int(row: &Self::Row, at: usize) -> Result<Option<i64>, sqlx::Error>;
}

macro_rules! backend {
    ($database:ty, $dialect:expr, $failure:path) => {
        impl Backend for $database {
            const DIALECT: &'static Dialect = &$dialect;

            fn failure(place: &str, error: &sqlx::Error) -> StoreError {
                $failure(place, error)
            }

            fn bind(arguments: &mut Self::Arguments, value: Value) {
                // Encoding text, integers and NULL cannot fail.
                let _ = match value {
                    Value::Null => arguments.add(None::<i64>),
                    Value::Int(int) => arguments.add(int),
                    Value::Text(text) => arguments.add(text),
                };
            }

            async fn fetch(
                connection: &mut Self::Connection,
                sql: String,
                arguments: Self::Arguments,
                keep: bool,
            ) -> Result<Vec<Self::Row>, sqlx::Error> {
                let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(keep);
                query.fetch_all(connection).await
            }

            async fn run(connection: &mut Self::Connection, sql: String) -> Result<(), sqlx::Error> {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
            }

            fn text(row: &Self::Row, at: usize) -> Result<Option<String>, sqlx::Error> {
                row.try_get(at)
            }

            fn int(row: &Self::Row, at: usize) -> Result<Option<i64>, sqlx::Error> {
                row.try_get(at)
            }
        }
    };
}

backend!(Sqlite, SQLITE, sqlite_error);
backend!(Postgres, POSTGRES, postgres_error);
