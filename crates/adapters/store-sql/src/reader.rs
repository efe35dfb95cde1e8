//! Reading, on a connection of its own, so that no reader makes the writer wait.

use nightdesk_store::{InboxMark, JournalRow, OutboxRow, Recovered, Select, Snapshot, StoreError, Value, limits};
use nightdesk_units::Timestamp;

use crate::backend::Backend;
use crate::select;

/// A connection that reads.
pub(crate) struct Reader<B: Backend> {
    pub(crate) connection: B::Connection,
    pub(crate) place: String,
}

impl<B: Backend> Reader<B> {
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
        let (sql, arguments) = select::build::<B>(select, &self.place)?;
        // A text for each number of keys would crowd the others out.
        let rows = self.fetch(sql, arguments, select.keys.is_empty()).await?;
        rows.iter().map(|row| select::values::<B>(select.table, row, &self.place)).collect()
    }

    /// Of each queue the first message, by a walk through the key that touches nothing else however long the queues are.
    pub(crate) async fn oldest_outbox(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let mut oldest: Option<i64> = None;
        let mut next = self.rows("SELECT queue, ts FROM outbox ORDER BY queue, seq LIMIT 1", &[]).await?;
        while let Some(row) = next.pop() {
            let ts = self.int(&row, 1)?;
            oldest = Some(oldest.map_or(ts, |oldest| oldest.min(ts)));
            let sql = "SELECT queue, ts FROM outbox WHERE queue > ? ORDER BY queue, seq LIMIT 1";
            next = self.rows(sql, &[self.text(&row, 0)?.into()]).await?;
        }
        Ok(oldest.map(Timestamp))
    }

    async fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        let rows = self.rows("SELECT stream, version, ts, body FROM snapshot", &[]).await?;
        let snapshot = |row: &B::Row| {
            let (stream, at, body) = (self.text(row, 0)?, Timestamp(self.int(row, 2)?), self.text(row, 3)?);
            Ok(Snapshot { stream, version: self.number(row, 1)?, at, body })
        };
        rows.first().map(snapshot).transpose()
    }

    /// Journal rows after the snapshot, of all streams in the order they were written.
    async fn tail(&mut self, snapshot: Option<&Snapshot>) -> Result<Vec<JournalRow>, StoreError> {
        let mut tail = Vec::new();
        let mut next = self.rows("SELECT stream FROM journal ORDER BY stream LIMIT 1", &[]).await?;
        while let Some(row) = next.pop() {
            let stream: String = self.text(&row, 0)?;
            let after = snapshot.filter(|snapshot| snapshot.stream == stream).map_or(0, |snapshot| snapshot.version);
            tail.extend(self.versions(&stream, after, i64::MAX).await?);
            let sql = "SELECT stream FROM journal WHERE stream > ? ORDER BY stream LIMIT 1";
            next = self.rows(sql, &[stream.into()]).await?;
        }
        tail.sort_by_key(|(seq, _)| *seq);
        Ok(tail.into_iter().map(|(_, row)| row).collect())
    }

    async fn versions(&mut self, stream: &str, after: u64, limit: i64) -> Result<Vec<(i64, JournalRow)>, StoreError> {
        let sql = "SELECT seq, stream, version, epoch, ts, kind, body FROM journal
                   WHERE stream = ? AND version > ? ORDER BY version LIMIT ?";
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = self.rows(sql, &[stream.into(), after.into(), limit.into()]).await?;
        let row = |row: &B::Row| {
            let fact = JournalRow {
                stream: self.text(row, 1)?,
                version: self.number(row, 2)?,
                epoch: self.number(row, 3)?,
                at: Timestamp(self.int(row, 4)?),
                kind: self.text(row, 5)?,
                body: self.text(row, 6)?,
            };
            Ok((self.int(row, 0)?, fact))
        };
        rows.iter().map(row).collect()
    }

    async fn outbox(&mut self) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = self.rows("SELECT queue, seq, ts, body FROM outbox ORDER BY queue, seq", &[]).await?;
        let row = |row: &B::Row| {
            let (queue, at, body) = (self.text(row, 0)?, Timestamp(self.int(row, 2)?), self.text(row, 3)?);
            Ok(OutboxRow { queue, seq: self.number(row, 1)?, at, body })
        };
        rows.iter().map(row).collect()
    }

    async fn inbox(&mut self) -> Result<Vec<InboxMark>, StoreError> {
        let rows = self.rows("SELECT source, floor, above FROM inbox ORDER BY source", &[]).await?;
        let mark = |row: &B::Row| {
            let (source, above): (String, String) = (self.text(row, 0)?, self.text(row, 2)?);
            let above = serde_json::from_str(&above).map_err(|error| {
                let detail = format!("inbox mark of {source}: {error}");
                StoreError::Corrupt { place: self.place.clone(), detail }
            })?;
            Ok(InboxMark { source, floor: self.number(row, 1)?, above })
        };
        rows.iter().map(mark).collect()
    }

    async fn cursors(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = self.rows("SELECT queue, seq FROM cursors ORDER BY queue", &[]).await?;
        rows.iter().map(|row| Ok((self.text(row, 0)?, self.number(row, 1)?))).collect()
    }

    /// The rows of `sql`, whose question marks stand for `values`.
    async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<B::Row>, StoreError> {
        let (mut text, mut arguments) = (String::with_capacity(sql.len()), B::Arguments::default());
        let mut parts = sql.split('?');
        text.push_str(parts.next().unwrap_or_default());
        for ((number, part), value) in (1..).zip(parts).zip(values) {
            text.push_str(&(B::DIALECT.parameter)(number));
            text.push_str(part);
            B::bind(&mut arguments, value.clone());
        }
        self.fetch(text, arguments, true).await
    }

    async fn fetch(&mut self, sql: String, arguments: B::Arguments, keep: bool) -> Result<Vec<B::Row>, StoreError> {
        let rows = B::fetch(&mut self.connection, sql, arguments, keep).await;
        rows.map_err(|error| B::failure(&self.place, &error))
    }

    fn text(&self, row: &B::Row, at: usize) -> Result<String, StoreError> {
        self.some(B::text(row, at))
    }

    fn int(&self, row: &B::Row, at: usize) -> Result<i64, StoreError> {
        self.some(B::int(row, at))
    }

    /// What stands in a column that always has a value.
    fn some<T>(&self, value: Result<Option<T>, B::Error>) -> Result<T, StoreError> {
        let value = value.map_err(|error| B::failure(&self.place, &error))?;
        let place = self.place.clone();
        value.ok_or_else(|| StoreError::Corrupt { place, detail: "a value is missing where one must stand".to_owned() })
    }

    fn number(&self, row: &B::Row, at: usize) -> Result<u64, StoreError> {
        let number = self.int(row, at)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt {
            place: self.place.clone(),
            detail: format!("{number} stands where a count should"),
        })
    }
}
