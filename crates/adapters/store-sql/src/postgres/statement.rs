//! A batch as one statement.
//!
//! Parts of one statement all see the database as it was before it, and their order is not defined. So what depends on an
//! order within a batch is settled here: a message that is written and delivered in one batch is not written, and of several
//! rows with one key only the last is.

use std::collections::BTreeMap;

use nightdesk_store::{Batch, Kind, OutboxRow, Row, Snapshot, Table, Value};
use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use super::opener::Fence;
use crate::text::{names, quoted};

/// Who writes, and which of its commits this is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writing<'a> {
    pub(crate) token: &'a str,
    pub(crate) session: i64,
    pub(crate) commit: i64,
    pub(crate) fence: Option<&'a Fence>,
}

/// Where the lease rows are.
pub(crate) const LEASES: &str = "nightdesk_leases.leases";

/// A statement being put together.
struct Statement {
    parts: Vec<String>,
    arguments: PgArguments,
    next: usize,
}

/// The statement that commits `batch` if `writing` may, and answers with one row if it did.
pub(crate) fn commit(batch: Batch, writing: Writing<'_>) -> (String, PgArguments) {
    let mut statement = Statement { parts: Vec::new(), arguments: PgArguments::default(), next: 1 };
    statement.right_to_write(writing);
    let Batch { journal, outbox, delivered, inbox, cursors, rows, snapshot } = batch;
    let columns = ["stream", "version", "epoch", "ts", "kind", "body"];
    statement.insert(
        "journal",
        &columns,
        0,
        &[
            Array::text(journal.iter().map(|row| row.stream.as_str())),
            Array::numbers(journal.iter().map(|row| row.version)),
            Array::numbers(journal.iter().map(|row| row.epoch)),
            Array::ints(journal.iter().map(|row| row.at.0)),
            Array::text(journal.iter().map(|row| row.kind.as_str())),
            Array::text(journal.iter().map(|row| row.body.as_str())),
        ],
    );
    let outbox: Vec<OutboxRow> = outbox.into_iter().filter(|row| !is_delivered(row, &delivered)).collect();
    statement.insert(
        "outbox",
        &["queue", "seq", "ts", "body"],
        0,
        &[
            Array::text(outbox.iter().map(|row| row.queue.as_str())),
            Array::numbers(outbox.iter().map(|row| row.seq)),
            Array::ints(outbox.iter().map(|row| row.at.0)),
            Array::text(outbox.iter().map(|row| row.body.as_str())),
        ],
    );
    statement.remove(&delivered);
    let inbox: BTreeMap<_, _> = inbox.iter().map(|mark| (mark.source.as_str(), mark)).collect();
    statement.insert(
        "inbox",
        &["source", "floor", "above"],
        1,
        &[
            Array::text(inbox.keys().copied()),
            Array::numbers(inbox.values().map(|mark| mark.floor)),
            Array::text(inbox.values().map(|mark| json(&mark.above))),
        ],
    );
    let cursors: BTreeMap<_, _> = cursors.iter().map(|(queue, seq)| (queue.as_str(), *seq)).collect();
    let (queues, last) = (Array::text(cursors.keys().copied()), Array::numbers(cursors.values().copied()));
    statement.insert("cursors", &["queue", "seq"], 1, &[queues, last]);
    statement.rows(rows);
    statement.snapshot(snapshot);
    statement.end()
}

/// The batch says itself that this message need not be kept.
fn is_delivered(row: &OutboxRow, delivered: &[(String, u64)]) -> bool {
    delivered.iter().any(|(queue, seq)| *queue == row.queue && row.seq <= *seq)
}

/// One column of several rows.
enum Array {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
}

impl Array {
    fn text(values: impl Iterator<Item = impl Into<String>>) -> Self {
        Self::Text(values.map(|value| Some(value.into())).collect())
    }

    fn ints(values: impl Iterator<Item = i64>) -> Self {
        Self::Int(values.map(Some).collect())
    }

    /// Numbers that `limits::check` has found to fit.
    fn numbers(values: impl Iterator<Item = u64>) -> Self {
        Self::ints(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Int(values) => values.len(),
        }
    }
}

impl Statement {
    fn right_to_write(&mut self, writing: Writing<'_>) {
        let mut held = String::new();
        if let Some(Fence { lease, epoch }) = writing.fence {
            let lease = self.bind(lease.clone());
            let epoch = self.bind(i64::try_from(*epoch).unwrap_or(i64::MAX));
            // Locked, so that a takeover waits for us and we for it; a plain look would let a slow commit slip past it.
            self.parts
                .push(format!("held AS (SELECT 1 FROM {LEASES} WHERE name = {lease} AND epoch = {epoch} FOR SHARE)"));
            held = " AND EXISTS (SELECT 1 FROM held)".to_owned();
        }
        let (token, session) = (self.bind(writing.token.to_owned()), self.bind(writing.session));
        let commit = self.bind(writing.commit);
        self.parts.push(format!(
            "mine AS (UPDATE writer SET commits = {commit} WHERE token = {token} AND session = {session} \
             AND commits = {commit} - 1{held} RETURNING 1)"
        ));
    }

    /// Inserts rows given by columns; those with the same first `key` columns are replaced, unless it is 0.
    fn insert(&mut self, table: &str, columns: &[&str], key: usize, arrays: &[Array]) {
        if arrays.first().is_none_or(|array| array.len() == 0) {
            return;
        }
        let parameters: Vec<_> = arrays.iter().map(|array| self.bind_array(array)).collect();
        let listed = names(columns.iter().copied());
        let action = match key {
            0 => String::new(),
            key => {
                let (keys, rest) = columns.split_at(key.min(columns.len()));
                let rest: Vec<_> = rest.iter().map(|name| format!("{0} = excluded.{0}", quoted(name))).collect();
                let update =
                    if rest.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", rest.join(", ")) };
                format!(" ON CONFLICT ({}) DO {update}", names(keys.iter().copied()))
            }
        };
        let part = self.parts.len();
        self.parts.push(format!(
            "p{part} AS (INSERT INTO {} ({listed}) SELECT {listed} FROM unnest({}) WITH ORDINALITY AS r ({listed}, nth) \
             WHERE EXISTS (SELECT 1 FROM mine) ORDER BY nth{action})",
            quoted(table),
            parameters.join(", ")
        ));
    }

    fn remove(&mut self, delivered: &[(String, u64)]) {
        if delivered.is_empty() {
            return;
        }
        let queues = self.bind_array(&Array::text(delivered.iter().map(|(queue, _)| queue.as_str())));
        let last = self.bind_array(&Array::numbers(delivered.iter().map(|(_, seq)| *seq)));
        self.parts.push(format!(
            "removed AS (DELETE FROM outbox USING unnest({queues}, {last}) AS d (queue, seq) \
             WHERE outbox.queue = d.queue AND outbox.seq <= d.seq AND EXISTS (SELECT 1 FROM mine))"
        ));
    }

    fn rows(&mut self, rows: Vec<Row>) {
        let mut tables: BTreeMap<&str, (&'static Table, BTreeMap<Vec<Value>, Row>)> = BTreeMap::new();
        for row in rows {
            let (_, kept) = tables.entry(row.table.name).or_insert_with(|| (row.table, BTreeMap::new()));
            kept.insert(row.key().to_vec(), row);
        }
        for (name, (table, rows)) in tables {
            let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            let array = |(at, kind): (usize, Kind)| {
                let values = rows.values().map(|row| &row.values[at]);
                match kind {
                    Kind::Text | Kind::OptText => Array::Text(values.map(|v| v.as_str().map(str::to_owned)).collect()),
                    Kind::Int | Kind::OptInt => Array::Int(values.map(Value::as_int).collect()),
                }
            };
            let arrays: Vec<_> = table.columns.iter().map(|column| column.kind).enumerate().map(array).collect();
            self.insert(name, &columns, table.key, &arrays);
        }
    }

    /// There is one snapshot, whoever's the one before was.
    fn snapshot(&mut self, snapshot: Option<Snapshot>) {
        let Some(Snapshot { stream, version, at, body }) = snapshot else { return };
        let this = self.bind(stream.clone());
        self.parts
            .push(format!("older AS (DELETE FROM snapshot WHERE stream <> {this} AND EXISTS (SELECT 1 FROM mine))"));
        self.insert(
            "snapshot",
            &["stream", "version", "ts", "body"],
            1,
            &[
                Array::text(std::iter::once(stream)),
                Array::numbers(std::iter::once(version)),
                Array::ints(std::iter::once(at.0)),
                Array::text(std::iter::once(body)),
            ],
        );
    }

    fn end(self) -> (String, PgArguments) {
        (format!("WITH {}\nSELECT 1 FROM mine", self.parts.join(",\n")), self.arguments)
    }

    fn bind<'q, T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + 'q>(&mut self, value: T) -> String {
        // Encoding text, integers and arrays of them cannot fail.
        let _ = self.arguments.add(value);
        self.next += 1;
        format!("${}", self.next - 1)
    }

    fn bind_array(&mut self, array: &Array) -> String {
        match array {
            Array::Text(values) => self.bind(values.clone()) + "::text[]",
            Array::Int(values) => self.bind(values.clone()) + "::bigint[]",
        }
    }
}

fn json(numbers: &[u64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
    format!("[{}]", numbers.join(","))
}
