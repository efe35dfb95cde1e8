//! What the real binary refuses, with which exit code and in which words; and what `verify` finds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::{Scratch, config, nightdesk, verify};
use nightdesk_core_engine::{SCHEMA, tables};
use nightdesk_store::{Batch, JournalRow, Row, Select, Store, Value};
use nightdesk_store_sql::{Options, SqliteStore};
use nightdesk_units::Timestamp;

/// Exit code and everything that was said.
fn said(args: &[&str]) -> (Option<i32>, String) {
    let done = nightdesk(args, "");
    let text = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (done.status.code(), text)
}

/// A recording of so many seconds in which both strategies find something to do: ten quotes and five trades a second.
fn recording(file: &Path, seconds: i64) -> PathBuf {
    let mut text = String::new();
    for tick in 0..seconds * 10 {
        let ns = 1_723_161_600_000_000_000 + tick * 100_000_000;
        // Up and down by 0.4 % in half a minute.
        let phase = (tick % 300 - 150).abs();
        let bid = 60_000 + phase * 16 / 10;
        let _ = writeln!(
            text,
            r#"{ns} {{"stream":"btcusdt@bookTicker","data":{{"u":{tick},"s":"BTCUSDT","b":"{bid}.00","B":"5","a":"{bid}.02","A":"5"}}}}"#
        );
        if tick % 2 == 0 {
            let ms = ns / 1_000_000;
            let _ = writeln!(
                text,
                r#"{ns} {{"stream":"btcusdt@trade","data":{{"e":"trade","E":{ms},"s":"BTCUSDT","t":{tick},"p":"{bid}.01","q":"0.5","T":{ms},"m":false,"M":true}}}}"#
            );
        }
    }
    std::fs::write(file, text).unwrap();
    file.to_owned()
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64() {
    for args in [
        &["up", "--speed", "max"][..],
        &["up", "--exit-at-end"],
        &["up", "--speed", "0", "--replay", "x"],
        &["up", "--for", "5x"],
        &["halt"],
        &["halt", "--reason", " "],
        &["record", "--symbols", "bad/symbol", "/nonexistent/file"],
        &["nonsense"],
        &[],
    ] {
        assert_eq!(said(args).0, Some(64), "{args:?}");
    }
    let (code, text) = said(&["help", "up"]);
    assert!(code == Some(0) && text.contains("--exit-at-end"), "{text}");
}

#[test]
fn nothing_to_talk_to_ends_with_69_and_makes_nothing() {
    let scratch = Scratch::new("nothing-there");
    let dir = scratch.join("misspelt");
    let name = dir.to_str().unwrap();
    for command in ["status", "orders", "positions", "pnl", "strategies", "resume", "reconcile", "verify"] {
        assert_eq!(said(&[command, "--data-dir", name]).0, Some(69), "{command}");
    }
    let (code, text) = said(&["halt", "--reason", "drill", "--data-dir", name]);
    assert!(code == Some(69) && text.contains("NOTHING WAS HALTED"), "{text}");
    assert!(!dir.exists(), "asking makes no directory");
}

#[test]
fn a_configuration_with_mistakes_or_without_its_secret_ends_with_78_before_anything_starts() {
    let scratch = Scratch::new("bad-config");
    let dir = scratch.join("data");
    let strategies =
        [("123", "ma-crossover", "BTCUSDT", "fast = 50\nslow = 20\ninterval = \"1s\"\norder_quote = \"1000\"")];
    let wrong = config(
        &scratch.join("wrong.toml"),
        "kind = \"simulator\"\nsecret = \"k\"\nrequests_per_secnd = 1",
        &strategies,
    );
    let up = |config: &Path| {
        said(&["up", "--for", "1s", "--data-dir", dir.to_str().unwrap(), "--config", config.to_str().unwrap()])
    };
    let (code, text) = up(&wrong);
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.contains("requests_per_second") && text.contains("is not above fast"),
        "every mistake at once: {text}"
    );
    assert!(!dir.exists());
    let fine = [("123", "ma-crossover", "BTCUSDT", "fast = 5\nslow = 20\ninterval = \"1s\"\norder_quote = \"1000\"")];
    let (code, text) = up(&config(&scratch.join("testnet.toml"), "kind = \"testnet\"\nsecret = \"unset\"", &fine));
    assert!(code == Some(78) && text.contains("nightdesk secrets set unset"), "{text}");
}

#[test]
fn a_recording_that_is_damaged_ends_with_78_and_names_the_line() {
    let scratch = Scratch::new("bad-recording");
    let good = std::fs::read_to_string(recording(&scratch.join("good"), 4)).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let (first, second) = (lines[..30].join("\n"), lines[30..].join("\n"));
    let files = [
        ("empty", String::new(), "no market message"),
        ("text", "hello\n".to_owned(), "line 1"),
        ("broken", format!("{first}\n1723161602000000000 {{\"stream\":\n{second}\n"), "line 31"),
        ("swapped", format!("{second}\n{first}\n"), "received 3 s before the message before it"),
    ];
    for (name, text, expected) in files {
        let (file, dir) = (scratch.join(name), scratch.join(&format!("{name}-data")));
        std::fs::write(&file, text).unwrap();
        let (file, dir_name) = (file.to_str().unwrap(), dir.to_str().unwrap());
        for args in [
            &["backtest", file][..],
            &["up", "--data-dir", dir_name, "--speed", "max", "--exit-at-end", "--replay", file],
            &["up", "--data-dir", dir_name, "--speed", "9", "--exit-at-end", "--replay", file],
        ] {
            let (code, text) = said(args);
            assert!(code == Some(78) && text.contains(expected), "{args:?}: {code:?} {text}");
        }
        assert!(!dir.exists(), "{name}: nothing was begun");
    }
}

#[test]
fn up_at_full_speed_and_backtest_journal_the_same_bytes_and_verify_finds_what_was_changed() {
    let scratch = Scratch::new("same-bytes");
    let file = recording(&scratch.join("recording"), 120);
    let (dir, journal) = (scratch.join("data"), scratch.join("journal"));
    let listen = ["--listen", "127.0.0.1:0", "--replay", file.to_str().unwrap()];
    let args = [&["up", "--json", "--speed", "max", "--exit-at-end", "--data-dir", dir.to_str().unwrap()][..], &listen]
        .concat();
    let done = nightdesk(&args, "");
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &summary["verify"]), (Some(0), &"clean".into()), "{summary}");
    for strategy in summary["strategies"].as_array().unwrap() {
        assert!(strategy["fills"].as_u64().unwrap() > 0, "both strategies trade: {summary}");
    }
    let (code, text) = said(&["backtest", file.to_str().unwrap(), "--journal", journal.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    let told: Vec<JournalRow> =
        std::fs::read_to_string(&journal).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (stream, folder, schema) in [
            ("core-engine", dir.clone(), &SCHEMA),
            ("capital-manager", dir.clone(), &nightdesk_capital_manager::SCHEMA),
            ("exchange-connector", dir.clone(), &nightdesk_exchange_connector::SCHEMA),
            ("worker.123", dir.join("worker.123"), &nightdesk_strategy_worker::SCHEMA),
            ("worker.456", dir.join("worker.456"), &nightdesk_strategy_worker::SCHEMA),
        ] {
            let store = SqliteStore::open_to_read(&folder, schema).await.unwrap();
            let bodies = |rows: &[JournalRow]| rows.iter().map(|row| row.body.clone()).collect::<Vec<_>>();
            let here: Vec<_> = told.iter().filter(|row| row.stream == stream).cloned().collect();
            let there = store.journal(stream, 0, 1_000_000).await.unwrap();
            assert!(!there.is_empty() && bodies(&here) == bodies(&there), "{stream}");
        }
    });
    runtime.block_on(tamper(&dir));
}

/// Changes one thing after the other; each must be found.
async fn tamper(dir: &Path) {
    let record = dir.join("exchange").join("record.jsonl");
    let text = std::fs::read_to_string(&record).unwrap();
    let found = |expected: &str| {
        let (code, report) = verify(dir, None);
        let listed = report["listed"].to_string();
        assert!(code == Some(1) && listed.contains(expected), "{expected}: {code:?} {report}");
    };
    let fill = text.lines().find(|line| line.contains("\"event\":\"fill\"")).unwrap();
    std::fs::write(&record, text.replace(fill, &fill.replacen("\"price\":\"60", "\"price\":\"61", 1))).unwrap();
    found("at the exchange");
    std::fs::remove_file(&record).unwrap();
    found("record cannot be compared with");
    std::fs::write(&record, &text).unwrap();
    assert_eq!(verify(dir, None).0, Some(0), "as it was");

    let store = SqliteStore::open(dir, &SCHEMA, Options::default()).await.unwrap();
    let mut values = store.select(Select::from(&tables::POSITIONS, 1)).await.unwrap().remove(0);
    let quantity = tables::POSITIONS.columns.iter().position(|column| column.name == "quantity").unwrap();
    let before = std::mem::replace(&mut values[quantity], Value::from("1"));
    let row = |values: Vec<Value>| Batch { rows: vec![Row { table: &tables::POSITIONS, values }], ..Batch::default() };
    store.commit(row(values.clone())).await.unwrap();
    found("quantity: journal");
    values[quantity] = before;
    store.commit(row(values)).await.unwrap();
    assert_eq!(verify(dir, None).0, Some(0), "as it was");

    let last = store.journal("core-engine", 0, 1_000_000).await.unwrap().pop().unwrap();
    let row = JournalRow { version: last.version + 2, at: Timestamp(0), ..last.clone() };
    store.commit(Batch { journal: vec![row], ..Batch::default() }).await.unwrap();
    found(&format!("version {} is missing", last.version + 1));
    store.close().await;
}
