//! The two drivers behind one face: what reading, selecting and making tables need of a database.

use nightdesk_store::{StoreError, Value};

use crate::dialect::Dialect;

/// A database and its driver.
pub(crate) trait Backend {
    /// How it says things.
    const DIALECT: &'static Dialect;

    type Connection: Send;
    type Arguments: Default + Send;
    type Row: Send + Sync;
    type Error: std::fmt::Display + Send;

    /// Says `error` in the port's words.
    fn failure(place: &str, error: &Self::Error) -> StoreError;

    /// Adds a parameter.
    fn bind(arguments: &mut Self::Arguments, value: Value);

    /// All rows of a query; `keep` its text prepared.
    fn fetch(
        connection: &mut Self::Connection,
        sql: String,
        arguments: Self::Arguments,
        keep: bool,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Self::Error>> + Send;

    /// Runs statements without parameters.
    fn run(connection: &mut Self::Connection, sql: String) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// A column that has no value or text.
    fn text(row: &Self::Row, at: usize) -> Result<Option<String>, Self::Error>;

    /// A column that has no value or an integer.
    fn int(row: &Self::Row, at: usize) -> Result<Option<i64>, Self::Error>;
}
