//! What every adapter refuses alike, before it writes.

use std::collections::BTreeMap;

use crate::{Batch, JournalRow, Kind, Row, Snapshot, StoreError};

/// Checks what no adapter may write: numbers beyond a BIGINT, and rows that do not have their table's shape.
///
/// # Errors
/// Names the first offence. Nothing is written then; the caller has a fault.
pub fn check(batch: &Batch, place: &str) -> Result<(), StoreError> {
    let unavailable = |detail: String| StoreError::Unavailable { place: place.to_owned(), detail };
    let numbers = (batch.journal.iter().flat_map(|row| [("version", row.version), ("epoch", row.epoch)]))
        .chain(batch.outbox.iter().map(|row| ("outbox seq", row.seq)))
        .chain(batch.delivered.iter().map(|(_, seq)| ("delivered seq", *seq)))
        .chain(batch.inbox.iter().map(|mark| ("inbox floor", mark.floor)))
        .chain(batch.cursors.iter().map(|(_, seq)| ("cursor", *seq)))
        .chain(batch.snapshot.iter().map(|snapshot| ("snapshot version", snapshot.version)));
    for (name, number) in numbers {
        if i64::try_from(number).is_err() {
            return Err(unavailable(format!("{name} {number} is beyond 2^63 - 1")));
        }
    }
    batch.rows.iter().try_for_each(|row| check_row(row).map_err(unavailable))
}

fn check_row(row: &Row) -> Result<(), String> {
    let table = row.table;
    if row.values.len() != table.columns.len() {
        return Err(format!("a row of {} has {} values, not {}", table.name, row.values.len(), table.columns.len()));
    }
    for (column, value) in table.columns.iter().zip(&row.values) {
        use crate::Value::{Int, Null, Text};
        let fits = match (column.kind, value) {
            (Kind::Text | Kind::OptText, Text(text)) => !text.contains('\0'), // PostgreSQL cannot store it.
            (Kind::Int | Kind::OptInt, Int(_)) | (Kind::OptText | Kind::OptInt, Null) => true,
            (Kind::Text | Kind::OptText, Int(_)) | (Kind::Int | Kind::OptInt, Text(_)) => false,
            (Kind::Text | Kind::Int, Null) => false,
        };
        if !fits {
            // Not the value: it may be private.
            return Err(format!("{}.{} takes {:?} and was given something else", table.name, column.name, column.kind));
        }
    }
    Ok(())
}

/// Checks that each stream's rows follow on without a gap: from the snapshot if it has one, else from version 1.
///
/// # Errors
/// [`StoreError::Corrupt`] naming the first gap: a history with a hole must not be acted upon.
pub fn check_tail(snapshot: Option<&Snapshot>, tail: &[JournalRow], place: &str) -> Result<(), StoreError> {
    let mut last: BTreeMap<&str, u64> = snapshot.iter().map(|s| (s.stream.as_str(), s.version)).collect();
    for row in tail {
        let last = last.entry(&row.stream).or_default();
        if row.version != *last + 1 {
            let detail = format!("journal {}: version {} follows version {last}", row.stream, row.version);
            return Err(StoreError::Corrupt { place: place.to_owned(), detail });
        }
        *last = row.version;
    }
    Ok(())
}
