//! PostgreSQL through sqlx.

use nightdesk_store::{StoreError, Value};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::{Arguments, AssertSqlSafe, Row};

use crate::backend::Backend;
use crate::dialect::{Dialect, POSTGRES};
use crate::error::postgres_error;

impl Backend for Postgres {
    const DIALECT: &'static Dialect = &POSTGRES;

    type Connection = PgConnection;
    type Arguments = PgArguments;
    type Row = PgRow;
    type Error = sqlx::Error;

    fn failure(place: &str, error: &sqlx::Error) -> StoreError {
        postgres_error(place, error)
    }

    fn bind(arguments: &mut PgArguments, value: Value) {
        // Encoding text, integers and NULL cannot fail.
        let _ = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
        };
    }

    async fn fetch(
        connection: &mut PgConnection,
        sql: String,
        arguments: PgArguments,
        keep: bool,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(keep);
        query.fetch_all(connection).await
    }

    async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
    }

    fn text(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
        row.try_get(at)
    }

    fn int(row: &PgRow, at: usize) -> Result<Option<i64>, sqlx::Error> {
        row.try_get(at)
    }
}
