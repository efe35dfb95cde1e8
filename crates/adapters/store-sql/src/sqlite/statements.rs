//! A batch as statements: one for each kind of row, prepared once and run for each row.
//!
//! A statement for many rows takes as long up to 16 rows of a kind, and a quarter less at 64. That is not worth a text for each
//! number of rows: most commits have fewer than ten.

use nightdesk_store::{Batch, Row, Schema, StoreError, Table};
use rusqlite::{Connection, params, params_from_iter};

use super::backend::parameter;
use crate::dialect::SQLITE;
use crate::text::{names, quoted};

const JOURNAL: &str = "INSERT INTO journal (stream, version, epoch, ts, kind, body) VALUES (?, ?, ?, ?, ?, ?)";
const OUTBOX: &str = "INSERT INTO outbox (queue, seq, ts, body) VALUES (?, ?, ?, ?)";
const DELIVERED: &str = "DELETE FROM outbox WHERE queue = ? AND seq <= ?";
const INBOX: &str = "INSERT INTO inbox (source, floor, above) VALUES (?, ?, ?)
    ON CONFLICT (source) DO UPDATE SET floor = excluded.floor, above = excluded.above";
const CURSORS: &str =
    "INSERT INTO cursors (queue, seq) VALUES (?, ?) ON CONFLICT (queue) DO UPDATE SET seq = excluded.seq";
const FORGET: &str = "DELETE FROM snapshot";
const SNAPSHOT: &str = "INSERT INTO snapshot (stream, version, ts, body) VALUES (?, ?, ?, ?)";

/// The statements of one service's store.
#[derive(Debug)]
pub(super) struct Statements {
    /// Each table's name and its statement.
    tables: Vec<(&'static str, String)>,
}

/// Of each of the service's tables the rows of a batch.
pub(super) type Sorted<'a> = Vec<Vec<&'a Row>>;

impl Statements {
    pub(super) fn new(schema: &Schema) -> Self {
        Self { tables: schema.tables.iter().map(|table| (table.name, insert_or_replace(table))).collect() }
    }

    /// # Errors
    /// When a row's table is not in the schema.
    pub(super) fn sort<'a>(&self, batch: &'a Batch, place: &str) -> Result<Sorted<'a>, StoreError> {
        let mut sorted = vec![Vec::new(); self.tables.len()];
        for row in &batch.rows {
            let Some(position) = self.tables.iter().position(|(name, _)| *name == row.table.name) else {
                let detail = format!("table {} is not in the service's schema", row.table.name);
                return Err(StoreError::Unavailable { place: place.to_owned(), detail });
            };
            sorted[position].push(row);
        }
        Ok(sorted)
    }

    /// The batch as one transaction. After an error it may still be open.
    pub(super) fn commit(&self, connection: &Connection, batch: &Batch, rows: &Sorted<'_>) -> rusqlite::Result<()> {
        connection.prepare_cached(SQLITE.begin)?.execute([])?;
        write_base(connection, batch)?;
        for ((_, sql), rows) in self.tables.iter().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            let mut insert = connection.prepare_cached(sql)?;
            for row in rows {
                insert.execute(params_from_iter(row.values.iter().map(parameter)))?;
            }
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// What goes into the tables that every store has.
fn write_base(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    each(connection, JOURNAL, &batch.journal, |insert, row| {
        let (version, epoch) = (number(row.version), number(row.epoch));
        insert.execute(params![row.stream, version, epoch, row.at.0, row.kind, row.body])
    })?;
    each(connection, OUTBOX, &batch.outbox, |insert, row| {
        insert.execute(params![row.queue, number(row.seq), row.at.0, row.body])
    })?;
    // After the outbox, so that one batch may bring and remove a message.
    each(connection, DELIVERED, &batch.delivered, |delete, (queue, seq)| delete.execute(params![queue, number(*seq)]))?;
    each(connection, INBOX, &batch.inbox, |insert, mark| {
        insert.execute(params![mark.source, number(mark.floor), json(&mark.above)])
    })?;
    each(connection, CURSORS, &batch.cursors, |insert, (queue, seq)| insert.execute(params![queue, number(*seq)]))?;
    if let Some(snapshot) = &batch.snapshot {
        connection.prepare_cached(FORGET)?.execute([])?;
        let version = number(snapshot.version);
        let values = params![snapshot.stream, version, snapshot.at.0, snapshot.body];
        connection.prepare_cached(SNAPSHOT)?.execute(values)?;
    }
    Ok(())
}

fn each<T>(
    connection: &Connection,
    sql: &str,
    rows: &[T],
    run: impl Fn(&mut rusqlite::Statement<'_>, &T) -> rusqlite::Result<usize>,
) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(sql)?;
    rows.iter().try_for_each(|row| run(&mut statement, row).map(drop))
}

/// Inserts a row, or replaces the one with the same key.
fn insert_or_replace(table: &Table) -> String {
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let (key, rest) = columns.split_at(table.key.min(columns.len()));
    let set: Vec<_> = rest.iter().map(|name| format!("{0} = excluded.{0}", quoted(name))).collect();
    let action = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
    format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {action}",
        quoted(table.name),
        names(columns.iter().copied()),
        vec!["?"; columns.len()].join(", "),
        names(key.iter().copied()),
    )
}

/// A number that `limits::check` has found to fit.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(numbers: &[u64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use nightdesk_store::contract::{BALANCES, ORDERS};
    use nightdesk_store::{Column, Kind};

    use super::*;

    #[test]
    fn a_row_replaces_the_one_with_its_key() {
        let seen = Table { name: "seen", columns: &[Column { name: "id", kind: Kind::Text }], key: 1, indexes: &[] };
        let expected = expect![[r#"
            INSERT INTO "orders" ("id", "status", "updated_at", "note", "done_at") VALUES (?, ?, ?, ?, ?) ON CONFLICT ("id") DO UPDATE SET "status" = excluded."status", "updated_at" = excluded."updated_at", "note" = excluded."note", "done_at" = excluded."done_at"
            INSERT INTO "balances" ("account", "asset", "free") VALUES (?, ?, ?) ON CONFLICT ("account", "asset") DO UPDATE SET "free" = excluded."free"
            INSERT INTO "seen" ("id") VALUES (?) ON CONFLICT ("id") DO NOTHING
        "#]];
        let texts: String = [&ORDERS, &BALANCES, &seen].map(|table| insert_or_replace(table) + "\n").concat();
        expected.assert_eq(&texts);
    }
}
