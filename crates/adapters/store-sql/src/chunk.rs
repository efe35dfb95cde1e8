//! A batch as texts and parameters: one trip to the database each.
//!
//! A text has room for 1, 4, 16 or 64 rows of each kind, so that few different texts are ever prepared and nearly every
//! commit finds its own in the driver's cache. Room that is not used is bound to NULL.

use nightdesk_store::{Batch, InboxMark, JournalRow, OutboxRow, Row, Schema, Snapshot, StoreError, Value};
use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

use crate::dialect::Dialect;
use crate::text::Insert;

/// The most rows of a kind in one text.
const ROWS_MAX: usize = 64;

/// A text with its parameters.
pub(crate) struct Chunk {
    pub(crate) sql: String,
    pub(crate) arguments: SqliteArguments,
}

/// The statements of one service's store.
#[derive(Debug)]
pub(crate) struct Statements {
    dialect: &'static Dialect,
    journal: Insert,
    outbox: Insert,
    inbox: Insert,
    cursors: Insert,
    snapshot: Insert,
    tables: Vec<(&'static str, Insert)>,
}

/// What is left of a batch.
struct Rest {
    journal: std::vec::IntoIter<JournalRow>,
    outbox: std::vec::IntoIter<OutboxRow>,
    delivered: std::vec::IntoIter<(String, u64)>,
    inbox: std::vec::IntoIter<InboxMark>,
    cursors: std::vec::IntoIter<(String, u64)>,
    tables: Vec<std::vec::IntoIter<Row>>,
    snapshot: Option<Snapshot>,
}

impl Statements {
    pub(crate) fn new(dialect: &'static Dialect, schema: &Schema) -> Self {
        let tables = schema.tables.iter().map(|table| {
            let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            (table.name, Insert::or_replace(table.name, &columns, table.key))
        });
        Self {
            dialect,
            journal: Insert::new("journal", &["stream", "version", "epoch", "ts", "kind", "body"]),
            outbox: Insert::new("outbox", &["queue", "seq", "ts", "body"]),
            inbox: Insert::or_replace("inbox", &["source", "floor", "above"], 1),
            cursors: Insert::or_replace("cursors", &["queue", "seq"], 1),
            snapshot: Insert::new("snapshot", &["stream", "version", "ts", "body"]),
            tables: tables.collect(),
        }
    }

    /// The batch as one transaction. Mostly one chunk; several when more than 64 rows of a kind are in it.
    ///
    /// # Errors
    /// When a row's table is not in the schema.
    pub(crate) fn chunks(&self, batch: Batch, place: &str) -> Result<Vec<Chunk>, StoreError> {
        let mut rest = self.sort(batch, place)?;
        let mut chunks = Vec::with_capacity(1);
        let mut first = true;
        while first || !rest.is_empty() {
            let mut writer = Writer::new(self.dialect);
            if first {
                writer.sql.push_str(self.dialect.begin);
                writer.sql.push_str(";\n");
            }
            first = false;
            self.write(&mut rest, &mut writer);
            if rest.is_empty() {
                writer.sql.push_str("COMMIT");
            }
            chunks.push(Chunk { sql: writer.sql, arguments: writer.arguments });
        }
        Ok(chunks)
    }

    fn sort(&self, batch: Batch, place: &str) -> Result<Rest, StoreError> {
        let mut tables: Vec<Vec<Row>> = self.tables.iter().map(|_| Vec::new()).collect();
        for row in batch.rows {
            let Some(position) = self.tables.iter().position(|(name, _)| *name == row.table.name) else {
                let detail = format!("table {} is not in the service's schema", row.table.name);
                return Err(StoreError::Unavailable { place: place.to_owned(), detail });
            };
            tables[position].push(row);
        }
        Ok(Rest {
            journal: batch.journal.into_iter(),
            outbox: batch.outbox.into_iter(),
            delivered: batch.delivered.into_iter(),
            inbox: batch.inbox.into_iter(),
            cursors: batch.cursors.into_iter(),
            tables: tables.into_iter().map(Vec::into_iter).collect(),
            snapshot: batch.snapshot,
        })
    }

    /// Up to [`ROWS_MAX`] rows of each kind.
    fn write(&self, rest: &mut Rest, writer: &mut Writer) {
        writer.insert(&self.journal, &mut rest.journal, |row, to| {
            to.text(row.stream);
            to.number(row.version);
            to.number(row.epoch);
            to.int(row.at.0);
            to.text(row.kind);
            to.text(row.body);
        });
        writer.insert(&self.outbox, &mut rest.outbox, |row, to| {
            to.text(row.queue);
            to.number(row.seq);
            to.int(row.at.0);
            to.text(row.body);
        });
        // Messages are removed only once no more are to come, so that one batch may bring and remove a message.
        if rest.outbox.as_slice().is_empty() {
            writer.remove(&mut rest.delivered);
        }
        writer.insert(&self.inbox, &mut rest.inbox, |mark, to| {
            to.text(mark.source);
            to.number(mark.floor);
            to.text(json(&mark.above));
        });
        writer.insert(&self.cursors, &mut rest.cursors, |(queue, seq), to| {
            to.text(queue);
            to.number(seq);
        });
        for ((_, insert), rows) in self.tables.iter().zip(&mut rest.tables) {
            if !rows.as_slice().is_empty() {
                writer.insert(insert, rows, |row, to| row.values.into_iter().for_each(|value| to.value(value)));
            }
        }
        if let Some(snapshot) = rest.snapshot.take() {
            writer.sql.push_str("DELETE FROM snapshot;\n");
            writer.insert(&self.snapshot, &mut vec![snapshot].into_iter(), |snapshot, to| {
                to.text(snapshot.stream);
                to.number(snapshot.version);
                to.int(snapshot.at.0);
                to.text(snapshot.body);
            });
        }
    }
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.journal.as_slice().is_empty()
            && self.outbox.as_slice().is_empty()
            && self.delivered.as_slice().is_empty()
            && self.inbox.as_slice().is_empty()
            && self.cursors.as_slice().is_empty()
            && self.tables.iter().all(|rows| rows.as_slice().is_empty())
            && self.snapshot.is_none()
    }
}

struct Writer {
    dialect: &'static Dialect,
    sql: String,
    next: usize,
    arguments: SqliteArguments,
}

impl Writer {
    fn new(dialect: &'static Dialect) -> Self {
        Self { dialect, sql: String::with_capacity(4_096), next: 1, arguments: SqliteArguments::default() }
    }

    /// Room is also made when there are no rows: a kind that comes and goes would double the number of texts.
    fn insert<T>(&mut self, insert: &Insert, rows: &mut std::vec::IntoIter<T>, mut bind: impl FnMut(T, &mut Self)) {
        let count = rows.as_slice().len().min(ROWS_MAX);
        let room = room(count);
        self.next = insert.write(self.dialect, room, self.next, &mut self.sql);
        self.arguments.reserve(room * insert.width(), 0);
        for row in rows.take(count) {
            bind(row, self);
        }
        for _ in 0..(room - count) * insert.width() {
            self.value(Value::Null);
        }
    }

    fn remove(&mut self, delivered: &mut std::vec::IntoIter<(String, u64)>) {
        let count = delivered.as_slice().len().min(ROWS_MAX);
        for _ in 0..room(count) {
            let (queue, seq) = ((self.dialect.parameter)(self.next), (self.dialect.parameter)(self.next + 1));
            self.next += 2;
            self.sql.push_str(&format!("DELETE FROM outbox WHERE queue = {queue} AND seq <= {seq};\n"));
            match delivered.next() {
                Some((queue, seq)) => {
                    self.text(queue);
                    self.number(seq);
                }
                None => (0..2).for_each(|_| self.value(Value::Null)),
            }
        }
    }

    fn value(&mut self, value: Value) {
        // Encoding text, integers and NULL cannot fail.
        let _ = match value {
            Value::Null => self.arguments.add(None::<i64>),
            Value::Int(int) => self.arguments.add(int),
            Value::Text(text) => self.arguments.add(text),
        };
    }

    fn text(&mut self, text: String) {
        self.value(Value::Text(text));
    }

    fn int(&mut self, int: i64) {
        self.value(Value::Int(int));
    }

    /// A number that `limits::check` has found to fit.
    fn number(&mut self, number: u64) {
        self.int(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

fn room(rows: usize) -> usize {
    [1, 4, 16].into_iter().find(|room| rows <= *room).unwrap_or(ROWS_MAX)
}

fn json(numbers: &[u64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nightdesk_store::contract::{SCHEMA, fact, message, order};

    use super::*;
    use crate::dialect::SQLITE;

    fn chunks(journal: u64, outbox: u64, rows: u64) -> Vec<Chunk> {
        let batch = Batch {
            journal: (1..=journal).map(|version| fact("a", version)).collect(),
            outbox: (1..=outbox).map(|seq| message("q", seq, 1)).collect(),
            delivered: vec![("q".to_owned(), outbox)],
            rows: (0..rows).map(|n| order(&n.to_string(), "open", 1, None)).collect(),
            ..Batch::default()
        };
        Statements::new(&SQLITE, &SCHEMA).chunks(batch, "p").unwrap()
    }

    #[test]
    fn batches_of_like_size_share_a_text() {
        let texts: BTreeSet<_> = (5..=16).flat_map(|n| chunks(n, n, n)).map(|chunk| chunk.sql).collect();
        assert_eq!(texts.len(), 1);
    }

    #[test]
    fn each_parameter_is_bound() {
        for chunk in chunks(70, 5, 1) {
            assert_eq!(chunk.sql.matches('?').count(), chunk.arguments.len());
        }
    }

    #[test]
    fn a_transaction_spans_its_chunks_and_removes_messages_last() {
        let chunks = chunks(3, 130, 0);
        let (begins, commits): (Vec<_>, Vec<_>) =
            chunks.iter().map(|chunk| (chunk.sql.starts_with("BEGIN"), chunk.sql.ends_with("COMMIT"))).unzip();
        assert_eq!((begins, commits), (vec![true, false, false], vec![false, false, true]));
        let removes: Vec<_> = chunks.iter().map(|chunk| chunk.sql.contains("DELETE")).collect();
        assert_eq!(removes, [false, false, true]);
    }
}
