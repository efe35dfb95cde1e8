use std::sync::{Arc, Mutex};

use expect_test::expect;
use tracing::subscriber::with_default;
use tracing::{debug, info, info_span, warn};

use super::*;

/// Runs `say` under a layer and gives what it wrote, times and source lines taken out.
fn written(human: bool, options: &Options, say: impl FnOnce(&LogLayer)) -> String {
    let page = Arc::new(Mutex::new(String::new()));
    let out = Arc::clone(&page);
    let write = move |line: &str| out.lock().unwrap().push_str(line);
    let layer = LogLayer::with_writer("core-engine", "1.2.3", options, (human, false), Box::new(write));
    layer.set_levels(&options.level).unwrap();
    let told = layer.clone();
    with_default(tracing_subscriber::registry().with(layer), || say(&told));
    let page = page.lock().unwrap().clone();
    page.lines().map(|line| format!("{}\n", without_time(line))).collect()
}

fn without_time(line: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(line) else {
        return line[13..].to_owned();
    };
    let time = json["time"].as_str().unwrap();
    assert_eq!((time.len(), &time[10..11], &time[26..]), (27, "T", "Z"), "RFC 3339 in UTC: {time}");
    json.as_object_mut().unwrap().remove("time");
    let place = &mut json["logging.googleapis.com/sourceLocation"];
    assert!(place["line"].as_str().unwrap().parse::<u32>().is_ok());
    place.as_object_mut().unwrap().remove("line");
    json.to_string()
}

fn as_json(say: impl FnOnce(&LogLayer)) -> String {
    let labels = vec![("region".to_owned(), "us-central1".to_owned())];
    written(false, &Options { labels, project: Some("p1".to_owned()), ..Options::default() }, say)
}

fn as_text(say: impl FnOnce(&LogLayer)) -> String {
    written(true, &Options::default(), say)
}

#[test]
fn a_line_is_what_cloud_logging_expects() {
    let page = as_json(|_| info!(order.id = "o-1", age_ms = 12, "order {} acknowledged", "o-1"));
    expect![[r#"
        {"age_ms":12,"logging.googleapis.com/labels":{"region":"us-central1","service":"core-engine"},"logging.googleapis.com/sourceLocation":{"file":"crates/adapters/host/src/logs/tests.rs","function":"nightdesk_host::logs::tests"},"message":"order o-1 acknowledged","order.id":"o-1","serviceContext":{"service":"core-engine","version":"1.2.3"},"severity":"INFO"}
    "#]]
    .assert_eq(&page);
}

#[test]
fn spans_give_trace_and_service_and_the_nearest_wins() {
    let page = as_json(|_| {
        let outer = info_span!("outer", trace_id = "abc", service = "strategy-worker", strategy = "1").entered();
        let inner = info_span!("inner", span_id = "def", strategy = "2").entered();
        warn!("careful");
        drop((inner, outer));
    });
    let line: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(line["severity"], "WARNING");
    assert_eq!(line["logging.googleapis.com/trace"], "projects/p1/traces/abc");
    assert_eq!(line["logging.googleapis.com/spanId"], "def");
    assert_eq!(line["serviceContext"]["service"], "strategy-worker");
    assert_eq!(line["logging.googleapis.com/labels"]["service"], "strategy-worker");
    assert_eq!(line["strategy"], "2");
}

#[test]
fn errors_are_marked_for_error_reporting_and_reserved_names_are_kept_apart() {
    let page = as_json(|_| error!(severity = "low", ratio = f64::NAN, "line\nbreak and \"quotes\""));
    assert_eq!(page.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["field.severity"], "low");
    assert_eq!(line["ratio"], "NaN");
    assert_eq!(line["message"], "line\nbreak and \"quotes\"");
    assert!(line["@type"].as_str().unwrap().ends_with("ReportedErrorEvent"));
}

#[test]
fn secrets_do_not_get_out() {
    let say = |_: &LogLayer| {
        let span = info_span!("request", authorization = "Bearer hunter1").entered();
        let cause = std::io::Error::other("GET /order?signature=hunter2 failed");
        info!(api_key = "hunter3", error = %cause, debugged = ?("token=hunter4"), "with password=hunter5");
        drop(span);
    };
    for page in [as_json(say), as_text(say)] {
        assert!(!page.contains("hunter"), "{page}");
        assert!(page.contains("[redacted]"), "{page}");
    }
}

#[test]
fn people_get_short_lines_and_are_not_told_twice() {
    let page = as_text(|_| {
        info!(order.id = "o-1", queue = 3, "order o-1 acknowledged");
        warn!(reason = "it is late", "no\u{1b}[31m colours from outside");
    });
    expect![[r#"
        INFO  order o-1 acknowledged queue=3
        WARN  no�[31m colours from outside reason="it is late"
    "#]]
    .assert_eq(&page);
}

#[test]
fn levels_can_be_set_by_target_and_changed() {
    let page = as_text(|layer| {
        debug!("hidden");
        layer.set_levels("info,nightdesk_host=debug").unwrap();
        debug!("shown");
        layer.set_levels("warn").unwrap();
        info!("hidden");
        assert!(layer.set_levels("loud").unwrap_err().contains("not one of off, error"));
        warn!("shown too");
        assert_eq!(layer.counts(), (0, 1));
    });
    assert_eq!(page, "DEBUG shown\nWARN  shown too\n");
}

#[test]
fn repeated_complaints_are_counted_not_repeated() {
    let page = as_json(|_| {
        for symbol in ["A", "B", "A", "C"] {
            warn!(once_per_minute = "malformed depth", symbol, "malformed depth message");
        }
        warn!(once_per_minute = "malformed trade", "malformed trade message");
    });
    assert_eq!(page.lines().count(), 2, "{page}");
    assert!(!page.contains("once_per_minute"));
}
