//! How many durable trades a second the protocol carries on this machine:
//! `cargo run --release -p nightdesk-exchange-simulator --example load -- [SECONDS [CLIENTS]]`
//!
//! Server and clients share the process, so half of the time is the clients'. Each trade is a signed POST that fills, on a
//! data directory, answered after its fdatasync.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use nightdesk_exchange_simulator::{Config, ExchangeSimulator, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let seconds: u64 = args.next().map_or(Ok(10), |text| text.parse())?;
    let clients: usize = args.next().map_or(Ok(16), |text| text.parse())?;
    let dir = std::env::temp_dir().join(format!("nightdesk-load-{}", std::process::id()));
    let mut config = Config::new(vec!["k:s".parse()?]);
    config.control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.data_dir = Some(dir.clone());
    config.limits = Limits { weight_1m: u32::MAX, orders_10s: u32::MAX, orders_1d: u32::MAX, ..Limits::default() };
    config.balances = vec![("USDT".parse()?, "1000000000".parse()?), ("BTC".parse()?, "100000".parse()?)];
    let exchange = ExchangeSimulator::start(config).await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(trade(exchange.address(), end))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await?);
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
    let rate = latencies.len() as u64 / seconds;
    println!(
        "{} filled orders in {seconds} s by {clients} clients: {rate}/s, p50 {:?}, p99 {:?}",
        latencies.len(),
        at(50),
        at(99)
    );
    let control = exchange.control_address().ok_or("a control address")?;
    let state: serde_json::Value = reqwest::get(format!("http://{control}/state")).await?.json().await?;
    println!(
        "commits with account events {}, fdatasync {}, counters {}",
        state["commits"], state["syncs"], state["counters"]
    );
    exchange.stop().await?;
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// Buys and sells in turn until `end`; gives how long each answer took.
async fn trade(address: SocketAddr, end: Instant) -> Vec<Duration> {
    let (client, key) = (reqwest::Client::new(), hmac::Key::new(hmac::HMAC_SHA256, b"s"));
    let mut latencies = Vec::new();
    for side in ["BUY", "SELL"].iter().cycle() {
        let start = Instant::now();
        if start >= end {
            break;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let payload = format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.0002&timestamp={now}");
        let hex: String = hmac::sign(&key, payload.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let url = format!("http://{address}/api/v3/order?{payload}&signature={hex}");
        match client.post(url).header("X-MBX-APIKEY", "k").send().await {
            Ok(answer) if answer.status() == 200 => {
                // The body is part of the answer.
                let _ = answer.bytes().await;
                latencies.push(start.elapsed());
            }
            Ok(answer) => println!("refused: {}", answer.text().await.unwrap_or_default()),
            Err(error) => println!("failed: {error}"),
        }
    }
    latencies
}
