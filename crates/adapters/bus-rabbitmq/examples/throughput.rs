//! How many durable messages a second go through a private RabbitMQ: published, confirmed, delivered and acknowledged.
//!
//! `cargo run --release -p nightdesk-bus-rabbitmq --example throughput [MESSAGES]`
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A measurement, not the product.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nightdesk_bus::Bus;
use nightdesk_bus::contract::message;
use nightdesk_bus_rabbitmq::{RabbitBus, RabbitConfig};
use nightdesk_private_servers::Rabbitmq;
use nightdesk_wire::Queue;

/// Publishes under way at a time.
const WINDOW: usize = 1000;

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(50_000_u64);
    let folder = std::env::temp_dir().join(format!("nightdesk-throughput-{}", std::process::id()));
    let broker = Rabbitmq::start(&folder).unwrap();
    let bus = RabbitBus::start(RabbitConfig::new(&broker.url(), "throughput").unwrap()).unwrap();
    let queue = Queue::named("throughput".to_owned());
    for seq in 1..=200 {
        round_trip(&bus, &queue, seq).await;
    }
    let mut latencies = Vec::new();
    for seq in 201..=1200 {
        latencies.push(round_trip(&bus, &queue, seq).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    latencies.sort_unstable();
    println!("publish to confirm, one at a time: p50 {:?}, p99 {:?}", latencies[500], latencies[990]);
    let mut consumer = bus.consume(queue.clone()).unwrap();
    for _ in 1..=1200 {
        let tag = consumer.next().await.unwrap().tag;
        consumer.ack(tag);
    }
    let start = Instant::now();
    let reader = tokio::spawn(async move {
        for _ in 0..count {
            let tag = consumer.next().await.unwrap().tag;
            consumer.ack(tag);
        }
    });
    let mut confirms = FuturesUnordered::new();
    for seq in 1..=count {
        confirms.push(bus.publish(message(&queue, "a", seq)));
        if confirms.len() >= WINDOW {
            confirms.next().await.unwrap().unwrap();
        }
    }
    while let Some(confirm) = confirms.next().await {
        confirm.unwrap();
    }
    reader.await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} durable messages in {seconds:.1} s: {:.0} a second", count as f64 / seconds);
    drop(broker);
    let _ = std::fs::remove_dir_all(folder);
}

async fn round_trip(bus: &RabbitBus, queue: &Queue, seq: u64) -> Duration {
    let start = Instant::now();
    bus.publish(message(queue, "a", seq)).await.unwrap();
    start.elapsed()
}
