//! What every store must do, as tests that each adapter runs.
//!
//! An adapter gives a [`Harness`] and calls [`crate::contract_tests!`], which makes one test of each case here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests, also where they are compiled as a library.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join, join_all};
use nightdesk_units::Timestamp;

use crate::{Batch, Column, InboxMark, JournalRow, Kind, OutboxRow, Recovered, Row, Schema, Select, Snapshot};
use crate::{Store, StoreError, Table, Value};

/// One place where a store can be, empty when the harness is made.
pub trait Harness: Send + Sync {
    /// Opens the store there, again after everything handed out before has been dropped.
    fn open<'a>(&'a self, schema: &'static Schema) -> BoxFuture<'a, Result<Arc<dyn Store>, StoreError>>;
}

/// Hands the names of all cases to another macro, after whatever it is to be given first.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_names {
    ([$($with:tt)*] $($first:tt)*) => {
        $($with)*! { $($first)*
            a_new_store_is_empty, an_empty_batch_changes_nothing, a_commit_is_there_after_reopening,
            a_version_is_written_once, a_message_is_written_once, a_refused_batch_leaves_nothing_behind,
            the_journal_reads_in_order_and_in_pages, streams_are_apart,
            a_snapshot_shortens_the_tail, a_newer_snapshot_replaces_the_older, a_gap_in_the_history_is_damage,
            delivery_removes_all_up_to_the_number, a_message_may_be_written_and_delivered_in_one_batch,
            the_oldest_message_is_the_oldest_of_all_queues, marks_and_cursors_replace_their_predecessors,
            a_row_replaces_the_one_with_its_key, the_last_word_of_a_batch_wins, a_row_of_the_wrong_shape_is_refused,
            numbers_at_their_limits_survive, numbers_beyond_the_limit_are_refused, any_text_survives,
            selection_by_equality_and_by_keys, pages_join_into_the_whole, pages_go_through_rows_without_a_value,
            an_unknown_column_is_refused, big_batches_commit_whole, readers_see_whole_commits
        }
    };
}

/// Makes one `#[test]` of each case of the suite. `$check` is called with the case and gives it a fresh harness and an executor.
#[macro_export]
macro_rules! contract_tests {
    ($check:path) => {
        $crate::contract_names!([$crate::contract_tests] $check:);
    };
    ($check:path: $($case:ident),+) => {
        $(#[test]
        fn $case() {
            $check(|harness| Box::pin($crate::contract::$case(harness)));
        })+
    };
}

/// A case of the suite.
pub type Case = for<'a> fn(&'a dyn Harness) -> BoxFuture<'a, ()>;

macro_rules! list {
    ($($case:ident),+) => {
        vec![$((stringify!($case), |harness| Box::pin($case(harness)))),+]
    };
}

/// All cases by name, for adapters whose harness is too costly to be made in a process for each.
#[must_use]
pub fn cases() -> Vec<(&'static str, Case)> {
    crate::contract_names!([list])
}

/// A projection of every kind of column.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        Column { name: "id", kind: Kind::Text },
        Column { name: "status", kind: Kind::Text },
        Column { name: "updated_at", kind: Kind::Int },
        Column { name: "note", kind: Kind::OptText },
        Column { name: "done_at", kind: Kind::OptInt },
    ],
    key: 1,
    indexes: &["status", "updated_at", "done_at"],
};

/// A projection whose key has two columns.
pub static BALANCES: Table = Table {
    name: "balances",
    columns: &[
        Column { name: "account", kind: Kind::Text },
        Column { name: "asset", kind: Kind::Text },
        Column { name: "free", kind: Kind::Text },
    ],
    key: 2,
    indexes: &[],
};

/// A projection with a number for a key.
pub static HOURS: Table = Table {
    name: "hours",
    columns: &[Column { name: "hour", kind: Kind::Int }, Column { name: "equity", kind: Kind::Text }],
    key: 1,
    indexes: &[],
};

/// The schema the suite opens stores with.
pub static SCHEMA: Schema =
    Schema { service: "core-engine", version: 1, tables: &[&ORDERS, &BALANCES, &HOURS], migrations: &[] };

/// A journal row.
#[must_use]
pub fn fact(stream: &str, version: u64) -> JournalRow {
    let (stream, at) = (stream.to_owned(), Timestamp(i64::try_from(version).unwrap_or(0)));
    JournalRow { stream, version, epoch: 1, at, kind: "fact".to_owned(), body: format!("{{\"n\":{version}}}") }
}

/// A message.
#[must_use]
pub fn message(queue: &str, seq: u64, at: i64) -> OutboxRow {
    OutboxRow { queue: queue.to_owned(), seq, at: Timestamp(at), body: format!("{{\"seq\":{seq}}}") }
}

/// A row of [`ORDERS`].
#[must_use]
pub fn order(id: &str, status: &str, updated_at: i64, done_at: Option<i64>) -> Row {
    Row { table: &ORDERS, values: vec![id.into(), status.into(), updated_at.into(), Value::Null, done_at.into()] }
}

fn facts(stream: &str, versions: std::ops::RangeInclusive<u64>) -> Batch {
    Batch { journal: versions.map(|version| fact(stream, version)).collect(), ..Batch::default() }
}

fn snapshot(stream: &str, version: u64) -> Option<Snapshot> {
    Some(Snapshot { stream: stream.to_owned(), version, at: Timestamp(7), body: format!("{{\"as_of\":{version}}}") })
}

async fn open(harness: &dyn Harness) -> Arc<dyn Store> {
    harness.open(&SCHEMA).await.expect("the store opens")
}

async fn commit(store: &Arc<dyn Store>, batch: Batch) {
    store.commit(batch).await.expect("the batch commits");
}

async fn recover(store: &Arc<dyn Store>) -> Recovered {
    store.recover().await.expect("the store recovers")
}

async fn ids(store: &Arc<dyn Store>, select: Select) -> Vec<String> {
    let rows = store.select(select).await.expect("the selection answers");
    rows.iter().map(|row| row[0].as_str().unwrap_or("?").to_owned()).collect()
}

fn versions(rows: &[JournalRow]) -> Vec<u64> {
    rows.iter().map(|row| row.version).collect()
}

fn messages(recovered: &Recovered) -> Vec<(&str, u64)> {
    recovered.outbox.iter().map(|row| (row.queue.as_str(), row.seq)).collect()
}

/// Nothing is found where nothing was written.
pub async fn a_new_store_is_empty(harness: &dyn Harness) {
    let store = open(harness).await;
    assert_eq!(recover(&store).await, Recovered::default());
    assert_eq!(store.journal("a", 0, 10).await, Ok(vec![]));
    assert_eq!(store.oldest_outbox().await, Ok(None));
    assert_eq!(store.select(Select::from(&ORDERS, 10)).await, Ok(vec![]));
}

/// A turn without consequences is allowed.
pub async fn an_empty_batch_changes_nothing(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, Batch::default()).await;
    assert_eq!(recover(&store).await, Recovered::default());
}

/// Durability, of every part of a batch.
pub async fn a_commit_is_there_after_reopening(harness: &dyn Harness) {
    let store = open(harness).await;
    let batch = Batch {
        journal: vec![fact("a", 1), fact("a", 2)],
        outbox: vec![message("orders", 1, 5), message("events", 1, 6)],
        delivered: vec![],
        inbox: vec![InboxMark { source: "connector/reports".to_owned(), floor: 7, above: vec![9, 12] }],
        cursors: vec![("orders".to_owned(), 1), ("events".to_owned(), 1)],
        rows: vec![order("o1", "open", 3, None)],
        snapshot: snapshot("a", 1),
    };
    commit(&store, batch.clone()).await;
    drop(store);
    let store = open(harness).await;
    let expected = Recovered {
        snapshot: batch.snapshot,
        tail: vec![fact("a", 2)],
        outbox: vec![message("events", 1, 6), message("orders", 1, 5)],
        inbox: batch.inbox,
        cursors: vec![("events".to_owned(), 1), ("orders".to_owned(), 1)],
    };
    assert_eq!(recover(&store).await, expected);
    assert_eq!(store.journal("a", 0, 10).await, Ok(batch.journal));
    assert_eq!(store.select(Select::from(&ORDERS, 10)).await, Ok(vec![batch.rows[0].values.clone()]));
}

/// Two writers cannot both write the next fact.
pub async fn a_version_is_written_once(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("a", 1..=3)).await;
    let again = store.commit(facts("a", 3..=4)).await;
    assert!(matches!(again, Err(StoreError::Fenced { .. })), "{again:?}");
    let twice = store.commit(Batch { journal: vec![fact("a", 4), fact("a", 4)], ..Batch::default() }).await;
    assert!(matches!(twice, Err(StoreError::Fenced { .. })), "{twice:?}");
    assert_eq!(versions(&recover(&store).await.tail), [1, 2, 3]);
    commit(&store, facts("a", 4..=4)).await;
}

/// The same for messages.
pub async fn a_message_is_written_once(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, Batch { outbox: vec![message("q", 1, 5)], ..Batch::default() }).await;
    let again = store.commit(Batch { outbox: vec![message("q", 1, 6)], ..Batch::default() }).await;
    assert!(matches!(again, Err(StoreError::Fenced { .. })), "{again:?}");
    assert_eq!(recover(&store).await.outbox, [message("q", 1, 5)]);
}

/// All or nothing, and the store goes on.
pub async fn a_refused_batch_leaves_nothing_behind(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("a", 1..=1)).await;
    let before = recover(&store).await;
    let refused = Batch {
        journal: vec![fact("b", 1), fact("a", 1)],
        outbox: vec![message("q", 1, 5)],
        delivered: vec![("q".to_owned(), 1)],
        inbox: vec![InboxMark { source: "s".to_owned(), floor: 1, above: vec![] }],
        cursors: vec![("q".to_owned(), 1)],
        rows: vec![order("o1", "open", 3, None)],
        snapshot: snapshot("a", 1),
    };
    assert!(store.commit(refused).await.is_err());
    assert_eq!(recover(&store).await, before);
    assert_eq!(store.journal("b", 0, 10).await, Ok(vec![]));
    assert_eq!(store.select(Select::from(&ORDERS, 10)).await, Ok(vec![]));
    commit(&store, facts("a", 2..=2)).await;
    drop(store);
    assert_eq!(versions(&recover(&open(harness).await).await.tail), [1, 2]);
}

/// Paging through the history.
pub async fn the_journal_reads_in_order_and_in_pages(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("a", 1..=7)).await;
    commit(&store, facts("a", 8..=10)).await;
    let mut read = Vec::new();
    loop {
        let after = read.last().map_or(0, |row: &JournalRow| row.version);
        let page = store.journal("a", after, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        read.extend(page);
    }
    assert_eq!(read, (1..=10).map(|version| fact("a", version)).collect::<Vec<_>>());
    assert_eq!(store.journal("a", u64::MAX, 4).await, Ok(vec![]));
}

/// Versions count per stream; the tail keeps the order of writing.
pub async fn streams_are_apart(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("b", 1..=2)).await;
    commit(&store, Batch { journal: vec![fact("a", 1), fact("b", 3)], ..Batch::default() }).await;
    assert_eq!(versions(&store.journal("a", 0, 10).await.unwrap()), [1]);
    assert_eq!(versions(&store.journal("b", 1, 10).await.unwrap()), [2, 3]);
    let tail = recover(&store).await.tail;
    assert_eq!(tail, [fact("b", 1), fact("b", 2), fact("a", 1), fact("b", 3)]);
}

/// Only what came after the snapshot is replayed; what it covers stays in the journal.
pub async fn a_snapshot_shortens_the_tail(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("a", 1..=5)).await;
    commit(&store, Batch { snapshot: snapshot("a", 5), ..facts("b", 1..=1) }).await;
    commit(&store, facts("a", 6..=6)).await;
    let recovered = recover(&store).await;
    assert_eq!(recovered.snapshot, snapshot("a", 5));
    assert_eq!(recovered.tail, [fact("b", 1), fact("a", 6)]);
    assert_eq!(versions(&store.journal("a", 0, 10).await.unwrap()), [1, 2, 3, 4, 5, 6]);
}

/// A store has one snapshot.
pub async fn a_newer_snapshot_replaces_the_older(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, Batch { snapshot: snapshot("a", 2), ..facts("a", 1..=3) }).await;
    commit(&store, Batch { snapshot: snapshot("a", 3), ..Batch::default() }).await;
    let recovered = recover(&store).await;
    assert_eq!((recovered.snapshot, recovered.tail), (snapshot("a", 3), vec![]));
}

/// A history with a hole is not replayed.
pub async fn a_gap_in_the_history_is_damage(harness: &dyn Harness) {
    let store = open(harness).await;
    commit(&store, facts("a", 1..=2)).await;
    commit(&store, facts("a", 4..=4)).await;
    let recovered = store.recover().await;
    let Err(StoreError::Corrupt { detail, .. }) = recovered else { panic!("{recovered:?}") };
    assert_eq!(detail, "journal a: version 4 follows version 2");
}

/// Delivery is told by the last number.
pub async fn delivery_removes_all_up_to_the_number(harness: &dyn Harness) {
    let store = open(harness).await;
    let outbox = (1..=5).flat_map(|seq| [message("a", seq, 5), message("b", seq, 5)]).collect();
    commit(&store, Batch { outbox, ..Batch::default() }).await;
    let delivered = vec![("a".to_owned(), 3), ("b".to_owned(), 9), ("never".to_owned(), 1)];
    commit(&store, Batch { delivered, ..Batch::default() }).await;
    assert_eq!(messages(&recover(&store).await), [("a", 4), ("a", 5)]);
    commit(&store, Batch { outbox: vec![message("b", 6, 5)], ..Batch::default() }).await;
    assert_eq!(messages(&recover(&store).await), [("a", 4), ("a", 5), ("b", 6)]);
}

/// Writing comes before removing.
pub async fn a_message_may_be_written_and_delivered_in_one_batch(harness: &dyn Harness) {
    let store = open(harness).await;
    let outbox = vec![message("a", 1, 5), message("a", 2, 5)];
    commit(&store, Batch { outbox, delivered: vec![("a".to_owned(), 1)], ..Batch::default() }).await;
    assert_eq!(messages(&recover(&store).await), [("a", 2)]);
}

/// The watchdog's reading.
pub async fn the_oldest_message_is_the_oldest_of_all_queues(harness: &dyn Harness) {
    let store = open(harness).await;
    let outbox = vec![message("a", 1, 50), message("a", 2, 60), message("b", 1, 40), message("c", 1, 70)];
    commit(&store, Batch { outbox, ..Batch::default() }).await;
    assert_eq!(store.oldest_outbox().await, Ok(Some(Timestamp(40))));
    commit(&store, Batch { delivered: vec![("b".to_owned(), 1), ("a".to_owned(), 1)], ..Batch::default() }).await;
    assert_eq!(store.oldest_outbox().await, Ok(Some(Timestamp(60))));
}

/// Not histories: the newest counts.
pub async fn marks_and_cursors_replace_their_predecessors(harness: &dyn Harness) {
    let store = open(harness).await;
    let mark = |source: &str, floor, above| InboxMark { source: source.to_owned(), floor, above };
    let batch = |inbox, cursor| Batch { inbox, cursors: vec![("q".to_owned(), cursor)], ..Batch::default() };
    commit(&store, batch(vec![mark("a", 1, vec![3]), mark("b", 9, vec![])], 4)).await;
    commit(&store, batch(vec![mark("a", 3, vec![])], 5)).await;
    let recovered = recover(&store).await;
    assert_eq!(recovered.inbox, [mark("a", 3, vec![]), mark("b", 9, vec![])]);
    assert_eq!(recovered.cursors, [("q".to_owned(), 5)]);
}

/// Upsert, with keys of one and of two columns.
pub async fn a_row_replaces_the_one_with_its_key(harness: &dyn Harness) {
    let store = open(harness).await;
    let balance =
        |asset: &str, free: &str| Row { table: &BALANCES, values: vec!["main".into(), asset.into(), free.into()] };
    let hour = |hour: i64, equity: &str| Row { table: &HOURS, values: vec![hour.into(), equity.into()] };
    let rows = vec![order("o1", "open", 1, None), balance("BTC", "1"), balance("USDT", "9"), hour(-1, "3")];
    commit(&store, Batch { rows, ..Batch::default() }).await;
    let rows =
        vec![order("o1", "filled", 2, Some(2)), balance("BTC", "0"), hour(-1, "4"), order("o2", "open", 2, None)];
    commit(&store, Batch { rows, ..Batch::default() }).await;
    let all = |table| store.select(Select::from(table, 10));
    let values = |rows: Vec<Row>| Ok(rows.into_iter().map(|row| row.values).collect::<Vec<_>>());
    assert_eq!(all(&ORDERS).await, values(vec![order("o1", "filled", 2, Some(2)), order("o2", "open", 2, None)]));
    assert_eq!(all(&BALANCES).await, values(vec![balance("BTC", "0"), balance("USDT", "9")]));
    assert_eq!(all(&HOURS).await, values(vec![hour(-1, "4")]));
}

/// Also when a batch says it twice.
pub async fn the_last_word_of_a_batch_wins(harness: &dyn Harness) {
    let store = open(harness).await;
    let mark = |floor| InboxMark { source: "s".to_owned(), floor, above: vec![] };
    let batch = Batch {
        rows: vec![order("o1", "new", 1, None), order("o2", "new", 1, None), order("o1", "open", 2, None)],
        inbox: vec![mark(1), mark(2)],
        cursors: vec![("q".to_owned(), 1), ("q".to_owned(), 2)],
        ..Batch::default()
    };
    commit(&store, batch).await;
    let rows = store.select(Select::from(&ORDERS, 10)).await.unwrap();
    assert_eq!(rows, [order("o1", "open", 2, None).values, order("o2", "new", 1, None).values]);
    let recovered = recover(&store).await;
    assert_eq!((recovered.inbox, recovered.cursors), (vec![mark(2)], vec![("q".to_owned(), 2)]));
}

/// A fault of the caller is told, not stored.
pub async fn a_row_of_the_wrong_shape_is_refused(harness: &dyn Harness) {
    let store = open(harness).await;
    let wrong = [
        vec![Value::from("1"), "10".into(), "x".into()],
        vec![1.into(), 10.into()],
        vec![Value::Null, "10".into()],
        vec![1.into(), Value::Null],
        vec![1.into(), Value::from("a\0b")],
    ];
    for values in wrong {
        let answer = store.commit(Batch { rows: vec![Row { table: &HOURS, values }], ..facts("a", 1..=1) }).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(recover(&store).await, Recovered::default());
}

/// 2^63 - 1 and the other end.
pub async fn numbers_at_their_limits_survive(harness: &dyn Harness) {
    let store = open(harness).await;
    let max = i64::MAX.unsigned_abs();
    let last = JournalRow { epoch: max, at: Timestamp(i64::MIN), ..fact("a", max) };
    let batch = Batch {
        journal: vec![last.clone()],
        outbox: vec![message("q", max, i64::MIN)],
        inbox: vec![InboxMark { source: "s".to_owned(), floor: max, above: vec![max + 1, u64::MAX] }],
        cursors: vec![("q".to_owned(), max)],
        rows: vec![order("o1", "open", i64::MIN, Some(i64::MAX))],
        snapshot: snapshot("a", max),
        ..Batch::default()
    };
    commit(&store, batch.clone()).await;
    assert_eq!(store.journal("a", max - 1, 10).await, Ok(vec![last]));
    let recovered = recover(&store).await;
    assert_eq!((recovered.snapshot, recovered.outbox), (batch.snapshot, batch.outbox));
    assert_eq!((recovered.inbox, recovered.cursors), (batch.inbox, batch.cursors));
    assert_eq!(store.select(Select::from(&ORDERS, 1)).await, Ok(vec![batch.rows[0].values.clone()]));
    commit(&store, Batch { delivered: vec![("q".to_owned(), max)], ..Batch::default() }).await;
    assert_eq!(store.oldest_outbox().await, Ok(None));
}

/// 2^63 is refused rather than wrapped.
pub async fn numbers_beyond_the_limit_are_refused(harness: &dyn Harness) {
    let store = open(harness).await;
    let beyond = i64::MAX.unsigned_abs() + 1;
    let batches = [
        facts("a", beyond..=beyond),
        Batch { outbox: vec![message("q", beyond, 1)], ..Batch::default() },
        Batch { cursors: vec![("q".to_owned(), beyond)], ..Batch::default() },
        Batch { snapshot: snapshot("a", beyond), ..Batch::default() },
    ];
    for batch in batches {
        let answer = store.commit(batch).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(recover(&store).await, Recovered::default());
}

/// Names and bodies are not ours to choose.
pub async fn any_text_survives(harness: &dyn Harness) {
    let store = open(harness).await;
    let texts =
        ["", "'; DROP TABLE journal; --", "日本語 🦀 e\u{301}", "line\nbreak\t\"quoted\"", "$1 ? :a", "\u{feff}"];
    for (seq, text) in (1..).zip(texts) {
        let row = JournalRow { kind: text.to_owned(), body: text.repeat(1_000), ..fact(text, 1) };
        let batch = Batch {
            journal: vec![row.clone()],
            outbox: vec![OutboxRow { body: text.to_owned(), ..message(text, seq, 1) }],
            rows: vec![order(text, text, 1, None)],
            ..Batch::default()
        };
        commit(&store, batch.clone()).await;
        assert_eq!(store.journal(text, 0, 1).await, Ok(vec![row]));
        let select =
            Select { keys: vec![text.into()], equal: vec![("status", text.into())], ..Select::from(&ORDERS, 9) };
        assert_eq!(ids(&store, select).await, [text]);
    }
    assert_eq!(recover(&store).await.outbox.len(), texts.len());
    let mut sorted = texts.to_vec();
    sorted.sort_unstable();
    assert_eq!(ids(&store, Select::from(&ORDERS, 9)).await, sorted, "text sorts by its bytes");
}

/// Conditions.
pub async fn selection_by_equality_and_by_keys(harness: &dyn Harness) {
    let store = open(harness).await;
    let rows = vec![
        order("o1", "open", 3, None),
        order("o2", "filled", 2, Some(2)),
        order("o3", "open", 2, None),
        order("o4", "open", 2, Some(4)),
    ];
    commit(&store, Batch { rows, ..Batch::default() }).await;
    let all = || Select::from(&ORDERS, 10);
    let equal = |equal| Select { equal, ..all() };
    assert_eq!(ids(&store, equal(vec![("status", "open".into())])).await, ["o1", "o3", "o4"]);
    assert_eq!(ids(&store, equal(vec![("status", "open".into()), ("updated_at", 2.into())])).await, ["o3", "o4"]);
    assert_eq!(ids(&store, equal(vec![("done_at", Value::Null)])).await, ["o1", "o3"]);
    assert_eq!(ids(&store, equal(vec![("status", Value::Null)])).await, [""; 0]);
    let keys = vec!["o3".into(), "o1".into(), "none".into()];
    assert_eq!(ids(&store, Select { keys, descending: true, ..all() }).await, ["o3", "o1"]);
    assert_eq!(ids(&store, Select { limit: 0, ..all() }).await, [""; 0]);
    assert_eq!(ids(&store, Select { order_by: Some("updated_at"), ..all() }).await, ["o2", "o3", "o4", "o1"]);
}

/// Reads all pages of `limit` rows.
async fn paged(store: &Arc<dyn Store>, order_by: Option<&'static str>, descending: bool, limit: usize) -> Vec<String> {
    let column = ORDERS.columns.iter().position(|column| Some(column.name) == order_by).unwrap_or(0);
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let select = Select { order_by, descending, after, ..Select::from(&ORDERS, limit) };
        let page = store.select(select).await.expect("the page answers");
        let Some(last) = page.last() else { return read };
        assert!(page.len() <= limit);
        after = Some((last[column].clone(), last[0].clone()));
        read.extend(page.iter().map(|row| row[0].as_str().unwrap_or("?").to_owned()));
    }
}

async fn check_pages(store: &Arc<dyn Store>, order_by: Option<&'static str>) {
    for descending in [false, true] {
        let whole = ids(store, Select { order_by, descending, ..Select::from(&ORDERS, usize::MAX) }).await;
        assert_eq!(whole.len(), 23);
        for limit in [1, 2, 5, 23, 100] {
            assert_eq!(paged(store, order_by, descending, limit).await, whole, "{order_by:?} {descending} {limit}");
        }
    }
}

/// Keyset pagination: nothing twice, nothing missed, among equal values too.
pub async fn pages_join_into_the_whole(harness: &dyn Harness) {
    let store = open(harness).await;
    let rows = (0..23).map(|n| order(&format!("o{}", n * 7 % 23), ["open", "filled"][n % 2], (n / 4) as i64, None));
    commit(&store, Batch { rows: rows.collect(), ..Batch::default() }).await;
    for order_by in [None, Some("updated_at"), Some("status")] {
        check_pages(&store, order_by).await;
    }
    let after = Some((Value::Null, "main".into()));
    let answer = store.select(Select { after, ..Select::from(&BALANCES, 1) }).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable { .. })),
        "a key of two columns has no room in it: {answer:?}"
    );
}

/// No value is smaller than any value.
pub async fn pages_go_through_rows_without_a_value(harness: &dyn Harness) {
    let store = open(harness).await;
    let done_at = |n: usize| (!n.is_multiple_of(3)).then_some((n / 4) as i64);
    let rows = (0..23).map(|n| order(&format!("o{}", n * 7 % 23), "open", 0, done_at(n)));
    commit(&store, Batch { rows: rows.collect(), ..Batch::default() }).await;
    check_pages(&store, Some("done_at")).await;
    let select = Select { order_by: Some("done_at"), ..Select::from(&ORDERS, 1) };
    assert_eq!(store.select(select).await.unwrap()[0][4], Value::Null);
}

/// A misspelt column is told.
pub async fn an_unknown_column_is_refused(harness: &dyn Harness) {
    let store = open(harness).await;
    let all = Select::from(&ORDERS, 1);
    for select in
        [Select { order_by: Some("colour"), ..all.clone() }, Select { equal: vec![("colour", "red".into())], ..all }]
    {
        let answer = store.select(select).await;
        let Err(StoreError::Unavailable { detail, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(detail, "orders has no column colour");
    }
}

/// More than one statement's worth of everything.
pub async fn big_batches_commit_whole(harness: &dyn Harness) {
    let store = open(harness).await;
    let count = 5_003;
    let batch = Batch {
        outbox: (1..=count).map(|seq| message("q", seq, 5)).collect(),
        inbox: (0..300).map(|n| InboxMark { source: format!("s{n:03}"), floor: n, above: vec![] }).collect(),
        cursors: (0..300).map(|n| (format!("q{n:03}"), n)).collect(),
        delivered: (0..300).map(|n| (format!("q{n:03}"), n)).collect(),
        rows: (0..count).map(|n| order(&format!("o{n}"), "open", 1, None)).collect(),
        ..facts("a", 1..=count)
    };
    commit(&store, batch.clone()).await;
    drop(store);
    let store = open(harness).await;
    let recovered = recover(&store).await;
    assert_eq!((recovered.tail, recovered.outbox), (batch.journal, batch.outbox));
    assert_eq!((recovered.inbox, recovered.cursors), (batch.inbox, batch.cursors));
    assert_eq!(store.select(Select::from(&ORDERS, usize::MAX)).await.unwrap().len() as u64, count);
    let keys = (0..3_000).map(|n| Value::from(format!("o{}", n * 2))).collect();
    let chosen = store.select(Select { keys, ..Select::from(&ORDERS, usize::MAX) }).await.unwrap();
    assert_eq!(chosen.len(), 2_502);
}

/// A reader sees all of a commit or nothing of it, and neither waits for the other for long.
pub async fn readers_see_whole_commits(harness: &dyn Harness) {
    let store = open(harness).await;
    let writer = async {
        for round in 1..=50_i64 {
            let rows = (0..10).map(|n| order(&format!("o{n}"), "open", round, None)).collect();
            commit(&store, Batch { rows, ..Batch::default() }).await;
        }
    };
    let reader = async {
        for _ in 0..50 {
            let rows = store.select(Select::from(&ORDERS, 100)).await.unwrap();
            assert!(rows.iter().all(|row| row[2] == rows[0][2]), "a torn commit: {rows:?}");
        }
    };
    join(writer, join_all([reader])).await;
    let rows = store.select(Select::from(&ORDERS, 100)).await.unwrap();
    assert!(rows.len() == 10 && rows.iter().all(|row| row[2] == Value::Int(50)), "{rows:?}");
}
