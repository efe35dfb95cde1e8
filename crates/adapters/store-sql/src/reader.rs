//! Reading, on a connection of its own, so that no reader makes the writer wait.

use nightdesk_store::{InboxMark, JournalRow, OutboxRow, Recovered, Select, Snapshot, StoreError, Value, limits};
use nightdesk_units::Timestamp;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Decode, Row, SqlSafeStr, Sqlite, Type};

use crate::dialect::SQLITE;
use crate::error::store_error;
use crate::select;

/// A connection that reads.
pub(crate) struct Reader {
    pub(crate) connection: SqliteConnection,
    pub(crate) place: String,
}

impl Reader {
    /// Everything a start needs. Each part is read by itself: nobody writes yet.
    pub(crate) async fn recover(&mut self) -> Result<Recovered, StoreError> {
        let snapshot = self.snapshot().await?;
        let tail = self.tail(snapshot.as_ref()).await?;
        limits::check_tail(snapshot.as_ref(), &tail, &self.place)?;
        Ok(Recovered {
            snapshot,
            tail,
            outbox: self.outbox().await?,
            inbox: self.inbox().await?,
            cursors: self.cursors().await?,
        })
    }

    pub(crate) async fn journal(
        &mut self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let rows = self.versions(stream, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    pub(crate) async fn select(&mut self, select: &Select) -> Result<Vec<Vec<Value>>, StoreError> {
        let (sql, arguments) = select::build(&SQLITE, select, &self.place)?;
        let rows = self.rows(AssertSqlSafe(sql), arguments, select.keys.is_empty()).await?;
        rows.iter().map(|row| select::values(select.table, row, &self.place)).collect()
    }

    /// Of each queue the first message, by a walk through the key that touches nothing else however long the queues are.
    pub(crate) async fn oldest_outbox(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let mut oldest: Option<i64> = None;
        let mut next = self.rows("SELECT queue, ts FROM outbox ORDER BY queue, seq LIMIT 1", none(), true).await?;
        while let Some(row) = next.pop() {
            let ts = self.get(&row, 1)?;
            oldest = Some(oldest.map_or(ts, |oldest| oldest.min(ts)));
            let sql = "SELECT queue, ts FROM outbox WHERE queue > ? ORDER BY queue, seq LIMIT 1";
            next = self.rows(sql, text(&self.get::<String>(&row, 0)?), true).await?;
        }
        Ok(oldest.map(Timestamp))
    }

    async fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        let rows = self.rows("SELECT stream, version, ts, body FROM snapshot", none(), true).await?;
        let snapshot = |row: &SqliteRow| {
            let (stream, at, body) = (self.get(row, 0)?, Timestamp(self.get(row, 2)?), self.get(row, 3)?);
            Ok(Snapshot { stream, version: self.number(row, 1)?, at, body })
        };
        rows.first().map(snapshot).transpose()
    }

    /// Journal rows after the snapshot, of all streams in the order they were written.
    async fn tail(&mut self, snapshot: Option<&Snapshot>) -> Result<Vec<JournalRow>, StoreError> {
        let mut tail = Vec::new();
        let mut next = self.rows("SELECT stream FROM journal ORDER BY stream LIMIT 1", none(), true).await?;
        while let Some(row) = next.pop() {
            let stream: String = self.get(&row, 0)?;
            let after = snapshot.filter(|snapshot| snapshot.stream == stream).map_or(0, |snapshot| snapshot.version);
            tail.extend(self.versions(&stream, after, i64::MAX).await?);
            let sql = "SELECT stream FROM journal WHERE stream > ? ORDER BY stream LIMIT 1";
            next = self.rows(sql, text(&stream), true).await?;
        }
        tail.sort_by_key(|(seq, _)| *seq);
        Ok(tail.into_iter().map(|(_, row)| row).collect())
    }

    async fn versions(&mut self, stream: &str, after: u64, limit: i64) -> Result<Vec<(i64, JournalRow)>, StoreError> {
        let sql = "SELECT seq, stream, version, epoch, ts, kind, body FROM journal
                   WHERE stream = ? AND version > ? ORDER BY version LIMIT ?";
        let mut arguments = text(stream);
        for number in [i64::try_from(after).unwrap_or(i64::MAX), limit] {
            // Encoding an integer cannot fail.
            let _ = arguments.add(number);
        }
        let rows = self.rows(sql, arguments, true).await?;
        let row = |row: &SqliteRow| {
            let fact = JournalRow {
                stream: self.get(row, 1)?,
                version: self.number(row, 2)?,
                epoch: self.number(row, 3)?,
                at: Timestamp(self.get(row, 4)?),
                kind: self.get(row, 5)?,
                body: self.get(row, 6)?,
            };
            Ok((self.get(row, 0)?, fact))
        };
        rows.iter().map(row).collect()
    }

    async fn outbox(&mut self) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = self.rows("SELECT queue, seq, ts, body FROM outbox ORDER BY queue, seq", none(), true).await?;
        let row = |row: &SqliteRow| {
            let (queue, at, body) = (self.get(row, 0)?, Timestamp(self.get(row, 2)?), self.get(row, 3)?);
            Ok(OutboxRow { queue, seq: self.number(row, 1)?, at, body })
        };
        rows.iter().map(row).collect()
    }

    async fn inbox(&mut self) -> Result<Vec<InboxMark>, StoreError> {
        let rows = self.rows("SELECT source, floor, above FROM inbox ORDER BY source", none(), true).await?;
        let mark = |row: &SqliteRow| {
            let (source, above): (String, String) = (self.get(row, 0)?, self.get(row, 2)?);
            let above = serde_json::from_str(&above).map_err(|error| {
                let detail = format!("inbox mark of {source}: {error}");
                StoreError::Corrupt { place: self.place.clone(), detail }
            })?;
            Ok(InboxMark { source, floor: self.number(row, 1)?, above })
        };
        rows.iter().map(mark).collect()
    }

    async fn cursors(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = self.rows("SELECT queue, seq FROM cursors ORDER BY queue", none(), true).await?;
        rows.iter().map(|row| Ok((self.get(row, 0)?, self.number(row, 1)?))).collect()
    }

    async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        arguments: SqliteArguments,
        keep: bool,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let query = sqlx::query_with(sql, arguments).persistent(keep);
        query.fetch_all(&mut self.connection).await.map_err(|error| store_error(&self.place, &error))
    }

    fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, row: &'r SqliteRow, at: usize) -> Result<T, StoreError> {
        row.try_get(at).map_err(|error| store_error(&self.place, &error))
    }

    fn number(&self, row: &SqliteRow, at: usize) -> Result<u64, StoreError> {
        let number: i64 = self.get(row, at)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt {
            place: self.place.clone(),
            detail: format!("{number} stands where a count should"),
        })
    }
}

fn none() -> SqliteArguments {
    SqliteArguments::default()
}

fn text(text: &str) -> SqliteArguments {
    let mut arguments = none();
    // Encoding text cannot fail.
    let _ = arguments.add(text.to_owned());
    arguments
}
