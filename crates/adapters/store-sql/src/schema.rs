//! The tables of a store, made or brought up to date when it is opened. Never downgraded.

use nightdesk_store::{Schema, StoreError};

use crate::backend::Backend;
use crate::dialect::Dialect;
use crate::text::{create_table, quoted};

/// Version of the tables that every store has.
const LAYOUT: u32 = 1;

fn base_tables(dialect: &Dialect) -> String {
    let Dialect { text, integer, counter, heap, by_key, .. } = dialect;
    format!(
        "CREATE TABLE meta (key {text} NOT NULL PRIMARY KEY, value {text} NOT NULL) {heap};
         CREATE TABLE journal (seq {counter}, stream {text} NOT NULL, version {integer} NOT NULL, epoch {integer} NOT NULL,
             ts {integer} NOT NULL, kind {text} NOT NULL, body {text} NOT NULL, UNIQUE (stream, version)) {heap};
         CREATE TABLE outbox (queue {text} NOT NULL, seq {integer} NOT NULL, ts {integer} NOT NULL, body {text} NOT NULL,
             PRIMARY KEY (queue, seq)) {by_key};
         CREATE TABLE inbox (source {text} NOT NULL PRIMARY KEY, floor {integer} NOT NULL, above {text} NOT NULL) {by_key};
         CREATE TABLE cursors (queue {text} NOT NULL PRIMARY KEY, seq {integer} NOT NULL) {by_key};
         CREATE TABLE snapshot (stream {text} NOT NULL PRIMARY KEY, version {integer} NOT NULL, ts {integer} NOT NULL,
             body {text} NOT NULL) {heap};"
    )
}

/// Makes or migrates the tables in one transaction and checks that they are as `schema` says.
///
/// # Errors
/// [`StoreError::Newer`] for a store of a newer program, [`StoreError::Unavailable`] for one of another service or a
/// failing migration. The store is then as it was.
pub(crate) async fn prepare<B: Backend>(
    connection: &mut B::Connection,
    schema: &Schema,
    place: &str,
) -> Result<(), StoreError> {
    // Mostly there is nothing to do, and then nothing is locked either: another process may be writing.
    if is_current::<B>(connection, schema, place).await? {
        return check::<B>(connection, schema, place).await;
    }
    run::<B>(connection, B::DIALECT.begin.to_owned(), place).await?;
    let changed = change::<B>(connection, schema, place).await;
    let end = if changed.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = run::<B>(connection, end.to_owned(), place).await;
    changed.and(ended)?;
    check::<B>(connection, schema, place).await
}

/// Checks that a store which may only be read is usable as it is.
///
/// # Errors
/// As [`prepare`], and when it would have to be migrated.
pub(crate) async fn check_only<B: Backend>(
    connection: &mut B::Connection,
    schema: &Schema,
    place: &str,
) -> Result<(), StoreError> {
    if is_current::<B>(connection, schema, place).await? {
        return check::<B>(connection, schema, place).await;
    }
    let detail =
        "it is of an older version and opened for reading only: start the service once to migrate it".to_owned();
    Err(StoreError::Unavailable { place: place.to_owned(), detail })
}

async fn is_current<B: Backend>(
    connection: &mut B::Connection,
    schema: &Schema,
    place: &str,
) -> Result<bool, StoreError> {
    let versions = versions::<B>(connection, schema, place).await?;
    Ok(versions == Some((LAYOUT, schema.version)))
}

/// Versions of layout and schema, or `None` of a new store.
async fn versions<B: Backend>(
    connection: &mut B::Connection,
    schema: &Schema,
    place: &str,
) -> Result<Option<(u32, u32)>, StoreError> {
    let failed = |error: B::Error| B::failure(place, &error);
    let mut named = B::Arguments::default();
    B::bind(&mut named, "meta".into());
    let found = B::fetch(connection, B::DIALECT.find_table.to_owned(), named, true).await.map_err(failed)?;
    if found.is_empty() {
        return Ok(None);
    }
    let (mut layout, mut version, mut service) = (0, 0, String::new());
    let meta = "SELECT key, value FROM meta".to_owned();
    for row in B::fetch(connection, meta, B::Arguments::default(), true).await.map_err(failed)? {
        let [key, value] = [0, 1].map(|at| B::text(&row, at).map(Option::unwrap_or_default));
        let (key, value) = (key.map_err(failed)?, value.map_err(failed)?);
        match key.as_str() {
            "layout" => layout = value.parse().unwrap_or(0),
            "version" => version = value.parse().unwrap_or(0),
            "service" => service = value,
            _ => {}
        }
    }
    let place = place.to_owned();
    if layout == 0 || version == 0 {
        return Err(StoreError::Corrupt { place, detail: "its table meta does not tell its version".to_owned() });
    }
    if service != schema.service {
        let detail = format!("it belongs to {service}, not to {}", schema.service);
        return Err(StoreError::Unavailable { place, detail });
    }
    let newer = [(layout, LAYOUT), (version, schema.version)].into_iter().find(|(found, known)| found > known);
    match newer {
        Some((found, known)) => Err(StoreError::Newer { place, found, known }),
        None => Ok(Some((layout, version))),
    }
}

async fn change<B: Backend>(connection: &mut B::Connection, schema: &Schema, place: &str) -> Result<(), StoreError> {
    // Again, now that nobody else can change it.
    match versions::<B>(connection, schema, place).await? {
        None => run::<B>(connection, base_tables(B::DIALECT), place).await?,
        Some((_, version)) => {
            for (from, sql) in (1..).zip(schema.migrations).filter(|(from, _)| *from >= version) {
                let migrated = run::<B>(connection, (B::DIALECT.migration)(sql), place).await;
                migrated.map_err(|error| match error {
                    StoreError::Unavailable { place, detail } => {
                        let detail = format!("migration from version {from}: {detail}");
                        StoreError::Unavailable { place, detail }
                    }
                    other => other,
                })?;
            }
        }
    }
    for table in schema.tables {
        run::<B>(connection, create_table(B::DIALECT, table), place).await?;
    }
    let (service, version) = (schema.service, schema.version);
    let meta = format!(
        "DELETE FROM meta; INSERT INTO meta (key, value)
         VALUES ('layout', '{LAYOUT}'), ('version', '{version}'), ('service', '{}')",
        service.replace('\'', "''")
    );
    run::<B>(connection, meta, place).await
}

/// A projection that lacks a column is found here and not by the first commit.
async fn check<B: Backend>(connection: &mut B::Connection, schema: &Schema, place: &str) -> Result<(), StoreError> {
    for table in schema.tables {
        // With the table's name before it: SQLite takes a lone quoted name that is no column's for a string.
        let name = quoted(table.name);
        let columns: Vec<_> = table.columns.iter().map(|column| format!("{name}.{}", quoted(column.name))).collect();
        let sql = format!("SELECT {} FROM {name} LIMIT 0", columns.join(", "));
        B::fetch(connection, sql, B::Arguments::default(), false).await.map_err(|error| {
            let detail = format!("table {} is not as version {} says: {error}", table.name, schema.version);
            StoreError::Corrupt { place: place.to_owned(), detail }
        })?;
    }
    Ok(())
}

async fn run<B: Backend>(connection: &mut B::Connection, sql: String, place: &str) -> Result<(), StoreError> {
    B::run(connection, sql).await.map_err(|error| B::failure(place, &error))
}
