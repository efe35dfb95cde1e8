//! The port's contract against a real broker, and what is RabbitMQ's own: dead letters, standbys, returned messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use nightdesk_bus::contract::{self, message};

use super::test_house::{House, eventually, number, seconds};
use super::*;

struct Broker {
    bus: RabbitBus,
    queues: AtomicU64,
}

impl contract::Harness for Broker {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(self.bus.clone())
    }
    fn queue(&self) -> Queue {
        Queue::named(format!("case.{}", self.queues.fetch_add(1, Ordering::Relaxed)))
    }
    fn settled(&self) -> BoxFuture<'_, ()> {
        async {
            eventually("the bus is up", || self.bus.status() == BusState::Up).await;
            // The broker counts its quorum queues every now and then, and so do we.
            tokio::time::sleep(seconds(1.2)).await;
        }
        .boxed()
    }
    fn close(&self) {
        self.bus.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_broker() {
    let house = House::new("contract");
    let harness = Broker { bus: house.bus("contract"), queues: AtomicU64::new(1) };
    for (name, case) in contract::CASES {
        let start = Instant::now();
        let limit = tokio::time::timeout(seconds(20.0), case(&harness)).await;
        println!("{:>5} ms  {name}", start.elapsed().as_millis());
        assert!(limit.is_ok(), "{name} waits for ever");
    }
    poison_goes_aside_once_and_the_queue_moves_on(&house).await;
    a_standby_takes_over_when_the_reader_dies(&house).await;
    a_returned_message_is_not_confirmed(&house).await;
    a_late_ack_is_harmless_and_depths_reach_zero(&house).await;
    a_message_that_ends_its_readers_goes_aside(&house).await;
    a_queue_of_another_shape_is_named(&house).await;
}

async fn poison_goes_aside_once_and_the_queue_moves_on(house: &House) {
    let (bus, queue) = (house.bus("poison"), Queue::named("poison".to_owned()));
    let mut consumer = bus.consume(queue.clone()).unwrap();
    bus.publish(message(&queue, "a", 1)).await.unwrap();
    let (newer, _) = codec::encode(&message(&queue, "a", 2), None).unwrap();
    let mut headers = FieldTable::default();
    headers.insert("x-nightdesk-schema".into(), lapin::types::AMQPValue::LongLongInt(2));
    let foreign = house.foreign().await;
    let channel = foreign.create_channel().await.unwrap();
    for (body, headers) in [(&b"junk"[..], FieldTable::default()), (&newer, headers)] {
        let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
        let (options, key) = (BasicPublishOptions::default(), "nightdesk.poison".into());
        channel.basic_publish("".into(), key, options, body, properties).await.unwrap();
    }
    tokio::time::sleep(seconds(0.1)).await;
    bus.publish(message(&queue, "a", 3)).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivery = consumer.next().await.unwrap();
        consumer.ack(delivery.tag);
        seen.push(number(&delivery));
    }
    assert_eq!(seen, [1, 3]);
    let dead = |bus: &RabbitBus| bus.dead_letters().into_iter().find(|(name, _)| *name == queue).map(|(_, n)| n);
    eventually("two dead letters are counted", || dead(&bus) == Some(2)).await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut letters =
        channel.basic_consume("nightdesk.poison.dead".into(), "".into(), options, FieldTable::default()).await.unwrap();
    for reason in ["not a message: expected value", "message `mode_effective` is of schema 2, newer than 1"] {
        let letter = futures_util::StreamExt::next(&mut letters).await.unwrap().unwrap();
        let headers = letter.properties.headers().clone().unwrap_or_default();
        let text = headers.inner().get("x-nightdesk-reason").and_then(|value| value.as_long_string()).cloned();
        let text = text.map(|text| text.to_string()).unwrap_or_default();
        assert!(text.starts_with(reason), "{text}");
    }
}

async fn a_standby_takes_over_when_the_reader_dies(house: &House) {
    let queue = Queue::named("standby".to_owned());
    let (first, second) = (house.bus("first"), house.bus("second"));
    let mut active = first.consume(queue.clone()).unwrap();
    first.publish(message(&queue, "a", 1)).await.unwrap();
    let held = active.next().await.unwrap();
    let mut standby = second.consume(queue.clone()).unwrap();
    first.publish(message(&queue, "a", 2)).await.unwrap();
    tokio::time::sleep(seconds(0.3)).await;
    assert!(standby.try_next().is_none(), "the standby waits");
    let start = Instant::now();
    first.close();
    let got = [standby.next().await.unwrap(), standby.next().await.unwrap()];
    println!("{:>5} ms  a standby has what its predecessor held", start.elapsed().as_millis());
    assert_eq!(got.iter().map(number).collect::<Vec<_>>(), [1, 2]);
    active.ack(held.tag);
}

async fn a_returned_message_is_not_confirmed(house: &House) {
    let (bus, queue) = (house.bus("returned"), Queue::named("returned".to_owned()));
    bus.publish(message(&queue, "a", 1)).await.unwrap();
    let foreign = house.foreign().await;
    let channel = foreign.create_channel().await.unwrap();
    channel.queue_delete("nightdesk.returned".into(), QueueDeleteOptions::default()).await.unwrap();
    // The count declares it again within half a second; until then the message comes back. Never is it simply gone.
    let mut fates = Vec::new();
    for seq in 2..=4 {
        fates.push((seq, bus.publish(message(&queue, "a", seq)).await));
    }
    let mut consumer = bus.consume(queue).unwrap();
    for (seq, fate) in fates {
        if fate.is_ok() {
            assert_eq!(number(&consumer.next().await.unwrap()), seq);
        }
    }
}

async fn a_late_ack_is_harmless_and_depths_reach_zero(house: &House) {
    let (bus, queue) = (house.bus("late"), Queue::named("late".to_owned()));
    let mut consumer = bus.consume(queue.clone()).unwrap();
    for seq in 1..=500 {
        drop(bus.publish(message(&queue, "a", seq)));
    }
    for seq in 1..=500 {
        let delivery = consumer.next().await.unwrap();
        assert_eq!(number(&delivery), seq);
        consumer.ack(delivery.tag);
        consumer.ack(delivery.tag);
        consumer.ack(delivery.tag + 1_000_000);
    }
    eventually("the queue is empty", || bus.waiting() == [(queue.clone(), 0)]).await;
}

async fn a_message_that_ends_its_readers_goes_aside(house: &House) {
    let mut config = house.config("fragile");
    config.delivery_limit = 2;
    let (bus, queue) = (RabbitBus::start(config).unwrap(), Queue::named("fragile".to_owned()));
    bus.publish(message(&queue, "a", 1)).await.unwrap();
    for _ in 0..3 {
        let mut consumer = bus.consume(queue.clone()).unwrap();
        assert_eq!(number(&consumer.next().await.unwrap()), 1);
    }
    bus.publish(message(&queue, "a", 2)).await.unwrap();
    let mut consumer = bus.consume(queue.clone()).unwrap();
    assert_eq!(number(&consumer.next().await.unwrap()), 2);
    eventually("the dead letter is counted", || bus.dead_letters() == [(queue.clone(), 1)]).await;
}

async fn a_queue_of_another_shape_is_named(house: &House) {
    let foreign = house.foreign().await;
    let channel = foreign.create_channel().await.unwrap();
    let options = lapin::options::QueueDeclareOptions::durable();
    channel.queue_declare("nightdesk.shape".into(), options, FieldTable::default()).await.unwrap();
    let bus = house.bus("shape");
    let _consumer = bus.consume(Queue::named("shape".to_owned())).unwrap();
    eventually("the reason is told", || match bus.status() {
        BusState::Waiting(why) => why.contains("PRECONDITION_FAILED") || why.contains("PRECONDITION-FAILED"),
        _ => false,
    })
    .await;
}

impl House {
    /// A connection that is not ours.
    async fn foreign(&self) -> Connection {
        Connection::connect(&self.broker().url(), ConnectionProperties::default()).await.unwrap()
    }
}
