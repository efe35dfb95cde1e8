use std::path::PathBuf;

use serde_json::Value;

use super::client::{Exchange, config};
use crate::market::survey;
use crate::{Config, ExchangeSimulator, MarketSource, Speed};

/// A little recording: a book, then trades that walk through it.
fn recording(name: &str, tail: &str) -> PathBuf {
    let mut text = String::from(
        r#"1000000000 {"lastUpdateId":10,"bids":[["100.00","5"],["99.00","5"]],"asks":[["101.00","5"],["102.00","5"]]}
1000000000 {"stream":"btcusdt@bookTicker","data":{"u":10,"s":"BTCUSDT","b":"100.00","B":"5","a":"101.00","A":"5"}}
"#,
    );
    for i in 0..20u64 {
        let (ns, id) = (1_000_000_000 + i * 10_000_000, 11 + i);
        text.push_str(&format!(
            "{ns} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":1,\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"101.00\",\"q\":\"0.1\",\"T\":1,\"m\":false,\"M\":true}}}}\n\
             {ns} {{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":{id},\"u\":{id},\"b\":[[\"100.00\",\"{id}\"]],\"a\":[]}}}}\n"
        ));
    }
    text.push_str(tail);
    let path = std::env::temp_dir().join(format!("nightdesk-replay-{}-{name}.txt", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

fn playing(path: PathBuf, speed: Speed) -> Config {
    let mut config = config();
    config.market = MarketSource::Replay { files: vec![path], speed };
    config
}

async fn ended(exchange: &Exchange) {
    exchange.within(async |e| e.control_get("/state").await.good()["market"]["ended"] == true).await;
}

#[tokio::test]
async fn a_recording_is_played_to_its_end_and_its_last_book_stays() {
    let exchange = Exchange::running(playing(recording("plain", ""), Speed::Max)).await;
    ended(&exchange).await;
    let state = exchange.control_get("/state").await.good();
    assert_eq!((state["market"]["played"].as_i64(), state["market"]["failure"].clone()), (Some(42), Value::Null));
    let depth = exchange.get("/api/v3/depth", "symbol=BTCUSDT").await.good();
    assert_eq!(depth["bids"][0], serde_json::json!(["100.00000000", "30.00000000"]));
    assert_eq!(exchange.get("/api/v3/trades", "symbol=BTCUSDT").await.good().as_array().unwrap().len(), 20);
    let klines = exchange.get("/api/v3/klines", "symbol=BTCUSDT&interval=1m").await.good();
    assert!(klines.as_array().unwrap().len() <= 2, "a recorded market has no made-up past");
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1";
    assert_eq!(exchange.signed("POST", "/api/v3/order", order).await.good()["fills"][0]["price"], "101.00000000");
}

#[tokio::test]
async fn streams_of_a_recording_at_full_speed_miss_nothing() {
    let mut config = playing(recording("stream", ""), Speed::Max);
    config.paused = true;
    let exchange = Exchange::running(config).await;
    let mut stream = exchange.stream("/ws/btcusdt@trade").await;
    stream.send(serde_json::json!({ "method": "LIST_SUBSCRIPTIONS", "id": 1 })).await;
    stream.next().await.unwrap();
    exchange.control_post("/market", serde_json::json!({ "paused": false })).await.good();
    for id in 1..=20 {
        assert_eq!(stream.next().await.unwrap()["t"], id);
    }
}

#[tokio::test]
async fn a_recording_resumes_where_it_stood() {
    let dir = std::env::temp_dir().join(format!("nightdesk-replay-dir-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let path = recording("resume", "");
    let mut config = playing(path, Speed::Times(1.0));
    config.data_dir = Some(dir);
    let exchange = Exchange::running(config.clone()).await;
    let played = async |e: &Exchange| e.control_get("/state").await.good()["market"]["played"].as_i64().unwrap();
    exchange.within(async |e| played(e).await > 10).await;
    exchange.control_post("/market", serde_json::json!({ "paused": true })).await.good();
    let (before, book) = (played(&exchange).await, exchange.get("/api/v3/depth", "symbol=BTCUSDT").await.good());
    exchange.sim.stop().await.unwrap();
    config.paused = true;
    let exchange = Exchange::running(config).await;
    assert_eq!(played(&exchange).await, before);
    assert_eq!(exchange.get("/api/v3/depth", "symbol=BTCUSDT").await.good(), book);
    exchange.control_post("/market", serde_json::json!({ "paused": false })).await.good();
    ended(&exchange).await;
    assert_eq!(played(&exchange).await, 42);
}

#[tokio::test]
async fn a_damaged_recording_is_refused_before_anything_happens() {
    let path = recording("damaged", "1 {\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"tra");
    let error = ExchangeSimulator::start(playing(path.clone(), Speed::Max)).await.unwrap_err().to_string();
    assert!(error.contains("line 43") && error.contains("damaged"), "{error}");
    let empty = std::env::temp_dir().join(format!("nightdesk-replay-empty-{}", std::process::id()));
    std::fs::write(&empty, "").unwrap();
    assert!(survey(&[empty]).unwrap_err().to_string().contains("no market message"));
    assert!(survey(&[PathBuf::from("/does/not/exist")]).is_err());
}

#[test]
fn a_recording_that_goes_back_in_time_is_refused_with_its_line() {
    let quote = |ns: i64| {
        format!(
            "{ns} {{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":10,\"s\":\"BTCUSDT\",\"b\":\"100.00\",\"B\":\"5\",\
             \"a\":\"101.00\",\"A\":\"5\"}}}}\n"
        )
    };
    let file = |name: &str, times: &[i64]| {
        let path = std::env::temp_dir().join(format!("nightdesk-replay-order-{}-{name}", std::process::id()));
        std::fs::write(&path, times.iter().map(|ns| quote(*ns)).collect::<String>()).unwrap();
        path
    };
    let second = 1_000_000_000;
    let (late, early) = (file("late", &[90 * second, 99 * second]), file("early", &[second, 2 * second]));
    let both = survey(&[late.clone(), early.clone()]).unwrap_err().to_string();
    assert!(both.contains("early: line 1: received 98 s before"), "{both}");
    assert_eq!(survey(&[early, late]).unwrap().span_ns, (second, 99 * second));
    // Two connections recorded side by side are not in perfect order.
    assert_eq!(survey(&[file("jitter", &[2 * second, 2 * second - 1, 3 * second])]).unwrap().messages, 3);
    let swapped = survey(&[file("swapped", &[5 * second, 9 * second, 2 * second])]).unwrap_err().to_string();
    assert!(swapped.contains("swapped: line 3"), "{swapped}");
}
