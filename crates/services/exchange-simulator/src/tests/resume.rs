use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::{Exchange, config};
use crate::{Config, ExchangeSimulator, StartError};

fn temp(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("nightdesk-exchange-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

fn on(dir: &Path) -> Config {
    let mut config = config();
    config.data_dir = Some(dir.to_owned());
    config
}

/// Account state and history as clients see them.
async fn picture(exchange: &Exchange) -> Vec<Value> {
    let mut picture = Vec::new();
    for (path, query) in [
        ("/api/v3/openOrders", ""),
        ("/api/v3/allOrders", "symbol=BTCUSDT"),
        ("/api/v3/myTrades", "symbol=BTCUSDT"),
        ("/api/v3/account", ""),
    ] {
        picture.push(exchange.signed("GET", path, query).await.good());
    }
    picture[3] = picture[3]["balances"].clone();
    picture.push(exchange.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.good());
    picture.push(exchange.get("/api/v3/trades", "symbol=BTCUSDT").await.good());
    picture.push(Value::from(exchange.record("fill").await));
    picture
}

/// Copies a data directory while it is in use: what a crash at this moment would leave.
fn crash_copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

async fn trade(exchange: &Exchange) {
    exchange.rest_order("resting").await.good();
    exchange.market_order("filled").await.good();
    exchange.rest_order("canceled").await.good();
    exchange.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=canceled").await.good();
    exchange.rest_order("refused-\u{7f}").await;
    exchange.control_post("/deposit", json!({ "asset": "ETH", "amount": "3" })).await.good();
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash_and_after_a_stop() {
    let (dir, crashed) = (temp("live"), temp("crashed"));
    let exchange = Exchange::open(on(&dir)).await;
    trade(&exchange).await;
    let before = picture(&exchange).await;
    crash_copy(&dir, &crashed);
    let again = paused(on(&crashed)).await;
    assert_eq!(picture(&again).await, before);
    exchange.market_order("more").await.good();
    let before = picture(&exchange).await;
    exchange.sim.stop().await.unwrap();
    let again = paused(on(&dir)).await;
    assert_eq!(picture(&again).await, before);
    let sequences: Vec<u64> = lines(&dir).iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.iter().copied().eq(1..=sequences.len() as u64), "{sequences:?}");
}

/// Opens with the market standing still from the first moment, as far as a client can tell: the book it resumed is
/// compared by its last state, so the market must not move on.
async fn paused(config: Config) -> Exchange {
    let mut config = config;
    config.paused = true;
    Exchange::running(config).await
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("record.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn torn_and_missing_lines_are_mended() {
    let dir = temp("torn");
    let exchange = Exchange::open(on(&dir)).await;
    trade(&exchange).await;
    let whole = lines(&dir);
    for (name, damage) in [("torn-record", true), ("torn-commands", false)] {
        let copy = temp(name);
        crash_copy(&dir, &copy);
        if damage {
            let path = copy.join("record.jsonl");
            let text = std::fs::read(&path).unwrap();
            std::fs::write(&path, &text[..text.len() - 150]).unwrap();
        } else {
            let path = std::fs::read_dir(&copy).unwrap().map(|e| e.unwrap().path());
            let path =
                path.into_iter().find(|p| p.file_name().unwrap().to_string_lossy().starts_with("commands-")).unwrap();
            let mut text = std::fs::read(&path).unwrap();
            text.extend_from_slice(b"{\"sequence\":99999,\"at\":17");
            std::fs::write(&path, &text).unwrap();
        }
        let again = paused(on(&copy)).await;
        assert_eq!(lines(&copy), whole, "{name}");
        again.sim.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_record_that_contradicts_the_commands_stops_the_start() {
    let (dir, copy) = (temp("contradiction"), temp("contradiction-copy"));
    let exchange = Exchange::open(on(&dir)).await;
    trade(&exchange).await;
    crash_copy(&dir, &copy);
    let path = copy.join("record.jsonl");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"filled\"", "\"follod\"");
    std::fs::write(&path, text).unwrap();
    let error = ExchangeSimulator::start(on(&copy)).await.unwrap_err().to_string();
    assert!(error.contains("record.jsonl") && error.contains("not what the commands say"), "{error}");
}

#[tokio::test]
async fn a_data_directory_serves_one_exchange_and_one_market() {
    let dir = temp("one");
    let exchange = Exchange::open(on(&dir)).await;
    let error = ExchangeSimulator::start(on(&dir)).await.unwrap_err().to_string();
    assert!(error.contains("in use by another"), "{error}");
    exchange.sim.stop().await.unwrap();
    let mut other = on(&dir);
    other.seed = 2;
    let error = ExchangeSimulator::start(other).await.unwrap_err();
    assert!(matches!(error, StartError::DataDir(_)) && error.to_string().contains("seed 2"), "{error}");
    std::fs::write(dir.join("snapshot.json"), "{\"version\":2}").unwrap();
    let error = ExchangeSimulator::start(on(&dir)).await.unwrap_err().to_string();
    assert!(error.contains("version 2"), "{error}");
}
