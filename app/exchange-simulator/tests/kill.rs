//! Given a running exchange-simulator on a data directory / When it is killed with SIGKILL in the midst of orders, again
//! and again / Then whatever it answered is in its record once, and it goes on from there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use serde_json::Value;

struct Exchange {
    child: Child,
    address: String,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // SIGKILL; already dead is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Exchange {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_exchange-simulator"))
            .args(["--listen", "127.0.0.1:0", "--control", "off", "--key", "k:s", "--weight-limit", "100000000"])
            .args(["--order-limit", "100000000", "--data-dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find_map(|line| {
                let text = line["message"].as_str()?.strip_prefix("REST and streams on http://")?.to_owned();
                Some(text.split(' ').next()?.to_owned())
            })
            .expect("it says where it listens");
        // The rest of its log must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

async fn send(
    client: &reqwest::Client,
    address: &str,
    method: &str,
    path: &str,
    query: &str,
) -> reqwest::Result<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let payload = format!("{query}&timestamp={now}&recvWindow=60000");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"s"), payload.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let url = format!("http://{address}{path}?{payload}&signature={hex}");
    client.request(method.parse().unwrap(), url).header("X-MBX-APIKEY", "k").send().await?.json().await
}

fn record(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("record.jsonl")).unwrap();
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Orders until the exchange dies; gives the ids that were answered.
async fn trade_until_death(address: String, round: usize, worker: usize) -> Vec<String> {
    let client = reqwest::Client::new();
    let mut answered = Vec::new();
    for i in 0.. {
        let id = format!("r{round}-w{worker}-{i}");
        let kind =
            if i % 2 == 0 { "MARKET&quantity=0.0002" } else { "LIMIT&timeInForce=GTC&quantity=0.0002&price=30000" };
        let side = if i % 4 == 2 { "SELL" } else { "BUY" };
        let query = format!("symbol=BTCUSDT&side={side}&type={kind}&newClientOrderId={id}");
        match send(&client, &address, "POST", "/api/v3/order", &query).await {
            Ok(answer) if answer["orderId"].is_u64() => answered.push(id),
            Ok(_) => {}
            Err(_) => break,
        }
        if i % 2 == 1 {
            let query = format!("symbol=BTCUSDT&origClientOrderId=r{round}-w{worker}-{i}");
            if send(&client, &address, "DELETE", "/api/v3/order", &query).await.is_err() {
                break;
            }
        }
    }
    answered
}

fn check(dir: &Path, answered: &BTreeSet<String>) -> BTreeMap<String, Value> {
    let lines = record(dir);
    let mut orders: BTreeMap<String, usize> = BTreeMap::new();
    let mut balances = BTreeMap::new();
    for (line, sequence) in lines.iter().zip(1..) {
        assert_eq!(line["sequence"], sequence);
        match line["event"].as_str().unwrap() {
            "order" => *orders.entry(line["client_order_id"].as_str().unwrap().to_owned()).or_default() += 1,
            "balance" => drop(balances.insert(line["asset"].as_str().unwrap().to_owned(), line.clone())),
            _ => {}
        }
    }
    assert!(orders.values().all(|count| *count == 1));
    let missing: Vec<_> = answered.iter().filter(|id| !orders.contains_key(*id)).collect();
    assert!(missing.is_empty(), "answered, but not in the record: {missing:?}");
    balances
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_exchange_keeps_what_it_answered() {
    let dir: PathBuf = std::env::temp_dir().join(format!("nightdesk-kill-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let mut answered = BTreeSet::new();
    for round in 0..8usize {
        let exchange = Exchange::start(&dir);
        let workers: Vec<_> =
            (0..4).map(|worker| tokio::spawn(trade_until_death(exchange.address.clone(), round, worker))).collect();
        // The moment of the kill is the point: it differs from round to round.
        tokio::time::sleep(Duration::from_millis(150 + 37 * round as u64)).await;
        drop(exchange);
        for worker in workers {
            answered.extend(worker.await.unwrap());
        }
        check(&dir, &answered);
    }
    assert!(answered.len() > 100, "{}", answered.len());
    let exchange = Exchange::start(&dir);
    let balances = check(&dir, &answered);
    let account =
        send(&reqwest::Client::new(), &exchange.address, "GET", "/api/v3/account", "omitZeroBalances=true").await;
    for balance in account.unwrap()["balances"].as_array().unwrap() {
        let recorded = &balances[balance["asset"].as_str().unwrap()];
        for part in ["free", "locked"] {
            let number = |value: &Value| value[part].as_str().unwrap().parse::<f64>().unwrap();
            assert!((number(balance) - number(recorded)).abs() < 1e-9, "{balance} {recorded}");
        }
    }
    // A data directory in use, and bad arguments, end with codes that say so.
    let second = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_exchange-simulator")).args(args).output().unwrap();
    let used =
        second(&["--listen", "127.0.0.1:0", "--control", "off", "--key", "k:s", "--data-dir", dir.to_str().unwrap()]);
    assert_eq!(used.status.code(), Some(78));
    assert_eq!(second(&["--replay"]).status.code(), Some(64));
    drop(exchange);
    std::fs::remove_dir_all(&dir).unwrap();
}
