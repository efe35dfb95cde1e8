//! What every secrets store and every emergency journal must do, as tests that each adapter runs.
//!
//! An adapter calls [`crate::secrets_contract_tests!`] or [`crate::emergency_contract_tests!`] with a function that gives each case
//! a fresh harness and, for secrets, an executor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests, also where they are compiled as a library.

use std::sync::Arc;

use nightdesk_units::Timestamp;

use crate::{EmergencyJournal, EmergencyRecord, PlatformError, Secret, Secrets};

/// A place for secrets, empty when the harness is made.
pub trait SecretsHarness: Sync {
    /// The store there, opened anew.
    fn open(&self) -> Arc<dyn Secrets>;
    /// Sets a secret the way an operator does.
    fn set(&self, name: &str, value: &[u8]);
    /// Removes a secret the way an operator does.
    fn remove(&self, name: &str);
}

/// A place for an emergency journal, empty when the harness is made.
pub trait EmergencyHarness {
    /// The journal there, opened anew after the one handed out before has been dropped.
    fn open(&self) -> Arc<dyn EmergencyJournal>;
}

/// Makes one `#[test]` of each case for secrets.
#[macro_export]
macro_rules! secrets_contract_tests {
    ($check:path) => {
        $crate::secrets_contract_tests!($check: a_secret_that_was_never_set_names_itself_and_the_remedy,
            a_secret_is_what_was_set_byte_for_byte, the_newest_value_counts_without_reopening,
            a_removed_secret_is_gone, secrets_do_not_print);
    };
    ($check:path: $($case:ident),+) => {
        $(#[test]
        fn $case() {
            $check(|harness| Box::pin($crate::contract::$case(harness)));
        })+
    };
}

/// Makes one `#[test]` of each case for emergency journals.
#[macro_export]
macro_rules! emergency_contract_tests {
    ($check:path) => {
        $crate::emergency_contract_tests!($check: a_new_journal_has_nothing_pending,
            records_are_pending_in_order_and_after_reopening, merged_records_are_forgotten_for_good,
            more_merged_than_pending_forgets_all, appending_goes_on_after_merging, any_text_is_kept,
            many_rounds_stay_apart);
    };
    ($check:path: $($case:ident),+) => {
        $(#[test]
        fn $case() {
            $check($crate::contract::$case);
        })+
    };
}

/// An operator must know what to do.
pub async fn a_secret_that_was_never_set_names_itself_and_the_remedy(harness: &dyn SecretsHarness) {
    let answer = harness.open().get("binance-api-key").await;
    let Err(PlatformError::NoSecret { name, remedy }) = answer else { panic!("{answer:?}") };
    assert_eq!(name, "binance-api-key");
    assert!(remedy.contains("binance-api-key"), "{remedy}");
}

/// Keys are bytes, not text.
pub async fn a_secret_is_what_was_set_byte_for_byte(harness: &dyn SecretsHarness) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let values: [(&str, &[u8]); 3] = [("a", b"hunter2"), ("b.c-d_e", &every_byte), ("empty", b"")];
    for (name, value) in values {
        harness.set(name, value);
    }
    let secrets = harness.open();
    for (name, value) in values {
        assert_eq!(secrets.get(name).await.unwrap().expose(), value, "{name}");
    }
}

/// A key may be replaced while we run.
pub async fn the_newest_value_counts_without_reopening(harness: &dyn SecretsHarness) {
    let secrets = harness.open();
    harness.set("a", b"one");
    assert_eq!(secrets.get("a").await.unwrap(), Secret::new("one"));
    harness.set("a", b"two");
    assert_eq!(secrets.get("a").await.unwrap(), Secret::new("two"));
}

/// And the others stay.
pub async fn a_removed_secret_is_gone(harness: &dyn SecretsHarness) {
    harness.set("a", b"one");
    harness.set("b", b"two");
    harness.remove("a");
    let secrets = harness.open();
    assert!(matches!(secrets.get("a").await, Err(PlatformError::NoSecret { .. })));
    assert_eq!(secrets.get("b").await.unwrap(), Secret::new("two"));
}

/// Neither as a value nor in an error.
pub async fn secrets_do_not_print(harness: &dyn SecretsHarness) {
    harness.set("a", b"hunter2");
    let secrets = harness.open();
    let printed = format!("{:?} {:?}", secrets.get("a").await, secrets.get("b").await);
    assert!(!printed.contains("hunter2"), "{printed}");
}

fn record(number: i64) -> EmergencyRecord {
    EmergencyRecord { at: Timestamp(number), kind: "cancel".to_owned(), body: format!("{{\"order\":{number}}}") }
}

fn append(journal: &Arc<dyn EmergencyJournal>, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        journal.append(&record(number)).expect("the record is appended");
    }
}

fn pending(journal: &Arc<dyn EmergencyJournal>) -> Vec<i64> {
    journal.pending().expect("the journal is read").iter().map(|record| record.at.0).collect()
}

/// Nothing to merge at a first start.
pub fn a_new_journal_has_nothing_pending(harness: &dyn EmergencyHarness) {
    assert_eq!(harness.open().pending(), Ok(vec![]));
    assert_eq!(harness.open().merged(0), Ok(()));
}

/// Durability.
pub fn records_are_pending_in_order_and_after_reopening(harness: &dyn EmergencyHarness) {
    let journal = harness.open();
    append(&journal, 1..=3);
    assert_eq!(journal.pending(), Ok((1..=3).map(record).collect()));
    drop(journal);
    assert_eq!(harness.open().pending(), Ok((1..=3).map(record).collect()));
}

/// A record is merged once.
pub fn merged_records_are_forgotten_for_good(harness: &dyn EmergencyHarness) {
    let journal = harness.open();
    append(&journal, 1..=3);
    journal.merged(2).unwrap();
    assert_eq!(pending(&journal), [3]);
    drop(journal);
    let journal = harness.open();
    assert_eq!(pending(&journal), [3]);
    journal.merged(1).unwrap();
    drop(journal);
    assert_eq!(pending(&harness.open()), [0; 0]);
}

/// Not an error: they are gone.
pub fn more_merged_than_pending_forgets_all(harness: &dyn EmergencyHarness) {
    let journal = harness.open();
    append(&journal, 1..=2);
    journal.merged(9).unwrap();
    append(&journal, 3..=3);
    assert_eq!(pending(&journal), [3]);
}

/// The next emergency.
pub fn appending_goes_on_after_merging(harness: &dyn EmergencyHarness) {
    let journal = harness.open();
    append(&journal, 1..=3);
    journal.merged(1).unwrap();
    append(&journal, 4..=4);
    assert_eq!(pending(&journal), [2, 3, 4]);
    journal.merged(3).unwrap();
    append(&journal, 5..=6);
    drop(journal);
    assert_eq!(pending(&harness.open()), [5, 6]);
}

/// Bodies are not ours to choose.
pub fn any_text_is_kept(harness: &dyn EmergencyHarness) {
    let bodies = ["", "line\nbreak", "\0", "日本語 🦀", "{\"quoted\":\"\\\"\"}", &"x".repeat(20_000)];
    let records = bodies.map(|body| EmergencyRecord { at: Timestamp(-1), kind: body.into(), body: body.into() });
    let journal = harness.open();
    for record in &records {
        journal.append(record).unwrap();
    }
    drop(journal);
    assert_eq!(harness.open().pending(), Ok(records.to_vec()));
}

/// What was merged long ago does not come back when its place is used again.
pub fn many_rounds_stay_apart(harness: &dyn EmergencyHarness) {
    for round in 0..20 {
        let journal = harness.open();
        assert_eq!(pending(&journal), [0; 0], "round {round}");
        let (first, count) = (round * 100, 1 + round * 7 % 5);
        append(&journal, first..=first + count - 1);
        drop(journal);
        let journal = harness.open();
        assert_eq!(pending(&journal), (first..first + count).collect::<Vec<_>>(), "round {round}");
        journal.merged(usize::try_from(count).unwrap()).unwrap();
    }
}
