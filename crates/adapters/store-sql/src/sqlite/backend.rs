//! SQLite through rusqlite.

use nightdesk_store::{StoreError, Value};
use rusqlite::params_from_iter;
use rusqlite::types::{ToSqlOutput, Type, ValueRef};

use super::connection::{Connection, Failure};
use crate::backend::Backend;
use crate::dialect::{Dialect, SQLITE};
use crate::error::sqlite_error;

/// The database.
pub(crate) struct Sqlite;

impl Backend for Sqlite {
    const DIALECT: &'static Dialect = &SQLITE;

    type Connection = Connection;
    type Arguments = Vec<Value>;
    type Row = Vec<Value>;
    type Error = Failure;

    fn failure(place: &str, error: &Failure) -> StoreError {
        match error {
            Failure::Sqlite(error) => sqlite_error(place, error),
            Failure::Ended => StoreError::Unavailable { place: place.to_owned(), detail: error.to_string() },
        }
    }

    fn bind(arguments: &mut Vec<Value>, value: Value) {
        arguments.push(value);
    }

    async fn fetch(
        connection: &mut Connection,
        sql: String,
        arguments: Vec<Value>,
        keep: bool,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        connection.ask(move |link| rows(link.connection()?, &sql, &arguments, keep)).await
    }

    async fn run(connection: &mut Connection, sql: String) -> Result<(), Failure> {
        connection.ask(move |link| link.connection()?.execute_batch(&sql)).await
    }

    fn text(row: &Vec<Value>, at: usize) -> Result<Option<String>, Failure> {
        match row.get(at) {
            Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Int(_)) => Err(mistyped(at, Type::Integer)),
            None => Err(rusqlite::Error::InvalidColumnIndex(at).into()),
        }
    }

    fn int(row: &Vec<Value>, at: usize) -> Result<Option<i64>, Failure> {
        match row.get(at) {
            Some(Value::Null) => Ok(None),
            Some(Value::Int(int)) => Ok(Some(*int)),
            Some(Value::Text(_)) => Err(mistyped(at, Type::Text)),
            None => Err(rusqlite::Error::InvalidColumnIndex(at).into()),
        }
    }
}

/// A value as a parameter.
pub(super) fn parameter(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Int(int) => ValueRef::Integer(*int),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
    })
}

fn rows(
    connection: &rusqlite::Connection,
    sql: &str,
    arguments: &[Value],
    keep: bool,
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let width = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.query(params_from_iter(arguments.iter().map(parameter)))?;
    while let Some(row) = rows.next()? {
        found.push((0..width).map(|at| value(row, at)).collect::<Result<_, _>>()?);
    }
    drop(rows);
    if !keep {
        statement.discard();
    }
    Ok(found)
}

fn value(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Value> {
    let value = row.get_ref(at)?;
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(int) => Ok(Value::Int(int)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(error) => Err(rusqlite::Error::Utf8Error(at, error)),
        },
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(rusqlite::Error::InvalidColumnType(at, "?".to_owned(), value.data_type()))
        }
    }
}

fn mistyped(at: usize, found: Type) -> Failure {
    rusqlite::Error::InvalidColumnType(at, "?".to_owned(), found).into()
}
