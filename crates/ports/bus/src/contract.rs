//! What every bus must do, as tests that each adapter runs.
//!
//! An adapter gives a [`Harness`] and runs each of [`CASES`] with it: one test each with [`crate::contract_tests!`], or,
//! where a bus is dear to start, one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests, also where they are compiled as a library.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use nightdesk_market::{MarketEvent, Quote, Trade};
use nightdesk_units::{Lots, Symbol, Ticks, Timestamp};
use nightdesk_wire::{Envelope, Message, MessageId, Queue};

use crate::{Bus, BusError, Consumer, Interest, MarketStream};

/// A bus to test.
pub trait Harness: Send + Sync {
    /// The bus.
    fn bus(&self) -> Arc<dyn Bus>;

    /// A queue that no case has used before.
    fn queue(&self) -> Queue;

    /// Resolves when what is under way has arrived: readers and subscribers are in place, messages where they go.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// Closes the bus for good.
    fn close(&self);
}

/// A case of the suite.
pub type Case = for<'a> fn(&'a dyn Harness) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        /// Every case with its name. The last one closes the bus.
        pub const CASES: &[(&str, Case)] = &[$((stringify!($case), |harness| $case(harness).boxed())),+];
    };
}

cases!(
    messages_arrive_in_the_order_of_their_sender,
    a_message_waits_for_its_reader,
    a_publish_resolves_when_the_message_has_been_taken,
    what_is_not_acknowledged_goes_to_the_next_reader_in_order,
    what_is_acknowledged_is_not_delivered_again,
    a_second_reader_is_refused_until_the_first_is_gone,
    giving_up_a_wait_loses_nothing,
    queues_are_apart,
    messages_that_wait_are_counted,
    the_newest_quote_wins,
    no_trade_is_skipped,
    a_subscriber_gets_what_it_wants,
    a_closed_bus_says_so,
);

/// Makes one `#[test]` that runs all cases; `$check` is called with a case's name and the case.
#[macro_export]
macro_rules! contract_tests {
    ($check:path) => {
        #[test]
        fn it_does_what_every_bus_does() {
            for (name, case) in $crate::contract::CASES {
                $check(name, *case);
            }
        }
    };
}

/// Message `seq` of `source`.
#[must_use]
pub fn message(queue: &Queue, source: &str, seq: u64) -> Envelope {
    let message = Message::ModeEffective { version: seq, in_flight: Vec::new() };
    Envelope { queue: queue.clone(), id: Some(MessageId { source: source.to_owned(), seq }), message }
}

/// A quote of `symbol`.
#[must_use]
pub fn quote(symbol: &str, bid: i64) -> MarketEvent {
    let (symbol, ask) = (symbol.parse().expect("a symbol"), Ticks(bid + 1));
    let (bid_qty, ask_qty, at) = (Lots(1), Lots(1), Timestamp(bid));
    MarketEvent::Quote(Quote { symbol, update_id: 0, bid: Ticks(bid), bid_qty, ask, ask_qty, at })
}

/// A trade of `symbol`.
#[must_use]
pub fn trade(symbol: &str, id: u64) -> MarketEvent {
    let (symbol, at) = (symbol.parse().expect("a symbol"), Timestamp(0));
    MarketEvent::Trade(Trade { symbol, id, price: Ticks(1), qty: Lots(1), buyer_is_maker: false, at })
}

/// Source and number of the next `count` messages, none of them acknowledged; and their tags.
async fn read(consumer: &mut Box<dyn Consumer>, count: usize) -> (Vec<(String, u64)>, Vec<u64>) {
    let (mut ids, mut tags) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let delivery = consumer.next().await.expect("the bus is open");
        let id = delivery.envelope.id.expect("the suite numbers its messages");
        ids.push((id.source, id.seq));
        tags.push(delivery.tag);
    }
    (ids, tags)
}

fn numbers(ids: &[(String, u64)]) -> Vec<u64> {
    ids.iter().map(|(_, seq)| *seq).collect()
}

async fn messages_arrive_in_the_order_of_their_sender(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let sent: Vec<_> =
        (1..=100).flat_map(|seq| ["a", "b"].map(|source| bus.publish(message(&queue, source, seq)))).collect();
    let (ids, tags) = read(&mut consumer, 200).await;
    for source in ["a", "b"] {
        let of_one: Vec<u64> = ids.iter().filter(|(from, _)| from == source).map(|(_, seq)| *seq).collect();
        assert_eq!(of_one, (1..=100).collect::<Vec<_>>(), "{source}");
    }
    tags.into_iter().for_each(|tag| consumer.ack(tag));
    assert!(join_all(sent).await.into_iter().all(|sent| sent.is_ok()));
}

async fn a_message_waits_for_its_reader(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let sent = bus.publish(message(&queue, "a", 1));
    harness.settled().await;
    let mut consumer = bus.consume(queue).unwrap();
    let (ids, tags) = read(&mut consumer, 1).await;
    assert_eq!(numbers(&ids), [1]);
    consumer.ack(tags[0]);
    assert_eq!(sent.await, Ok(()));
}

async fn a_publish_resolves_when_the_message_has_been_taken(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let mut consumer = bus.consume(queue.clone()).unwrap();
    // Nobody polls the first: it is sent all the same.
    let (first, second) = (bus.publish(message(&queue, "a", 1)), bus.publish(message(&queue, "a", 2)));
    let (_, tags) = read(&mut consumer, 2).await;
    tags.into_iter().for_each(|tag| consumer.ack(tag));
    assert_eq!((second.await, first.await), (Ok(()), Ok(())));
}

async fn what_is_not_acknowledged_goes_to_the_next_reader_in_order(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let _sent: Vec<_> = (1..=5).map(|seq| bus.publish(message(&queue, "a", seq))).collect();
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let (ids, first) = read(&mut consumer, 4).await;
    assert_eq!(numbers(&ids), [1, 2, 3, 4]);
    consumer.ack(first[1]);
    drop(consumer);
    let mut consumer = bus.consume(queue).unwrap();
    let (ids, _) = read(&mut consumer, 4).await;
    assert_eq!(numbers(&ids), [1, 3, 4, 5]);
}

async fn what_is_acknowledged_is_not_delivered_again(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let _sent: Vec<_> = (1..=3).map(|seq| bus.publish(message(&queue, "a", seq))).collect();
    let (_, tags) = read(&mut consumer, 3).await;
    // In any order, and twice.
    for tag in [tags[2], tags[0], tags[1], tags[1]] {
        consumer.ack(tag);
    }
    drop(consumer);
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let _sent = bus.publish(message(&queue, "a", 4));
    assert_eq!(numbers(&read(&mut consumer, 1).await.0), [4]);
}

async fn a_second_reader_is_refused_until_the_first_is_gone(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let first = bus.consume(queue.clone()).unwrap();
    assert!(matches!(bus.consume(queue.clone()), Err(BusError::Unavailable(_))));
    drop(first);
    assert!(bus.consume(queue).is_ok());
}

async fn giving_up_a_wait_loses_nothing(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let mut consumer = bus.consume(queue.clone()).unwrap();
    harness.settled().await;
    assert!(consumer.try_next().is_none());
    assert!(consumer.next().now_or_never().is_none());
    let _sent: Vec<_> = (1..=2).map(|seq| bus.publish(message(&queue, "a", seq))).collect();
    harness.settled().await;
    drop(consumer.next());
    assert_eq!(numbers(&read(&mut consumer, 2).await.0), [1, 2]);
}

async fn queues_are_apart(harness: &dyn Harness) {
    let (bus, one, other) = (harness.bus(), harness.queue(), harness.queue());
    let mut consumer = bus.consume(other.clone()).unwrap();
    let _sent = [bus.publish(message(&one, "a", 1)), bus.publish(message(&other, "a", 2))];
    assert_eq!(numbers(&read(&mut consumer, 1).await.0), [2]);
    harness.settled().await;
    assert!(consumer.try_next().is_none());
}

async fn messages_that_wait_are_counted(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let _sent: Vec<_> = (1..=3).map(|seq| bus.publish(message(&queue, "a", seq))).collect();
    harness.settled().await;
    let waiting = |bus: &Arc<dyn Bus>| bus.waiting().into_iter().find(|(name, _)| *name == queue).map(|(_, n)| n);
    assert_eq!(waiting(&bus), Some(3));
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let (_, tags) = read(&mut consumer, 3).await;
    harness.settled().await;
    assert_eq!(waiting(&bus), Some(3), "in hand is not done");
    tags.into_iter().for_each(|tag| consumer.ack(tag));
    harness.settled().await;
    assert_eq!(waiting(&bus), Some(0));
}

fn everything(symbol: &str) -> Interest {
    let symbols: Vec<Symbol> = vec![symbol.parse().expect("a symbol")];
    Interest { symbols, quotes: true, trades: true, candles: true }
}

fn all(stream: &mut Box<dyn MarketStream>) -> Vec<MarketEvent> {
    std::iter::from_fn(|| stream.try_next()).collect()
}

async fn the_newest_quote_wins(harness: &dyn Harness) {
    let bus = harness.bus();
    let mut stream = bus.market("newest", everything("AAAUSDT"));
    harness.settled().await;
    for event in [quote("AAAUSDT", 1), trade("AAAUSDT", 1), quote("AAAUSDT", 2), trade("AAAUSDT", 2)] {
        bus.publish_market(&event);
    }
    bus.publish_market(&quote("AAAUSDT", 3));
    harness.settled().await;
    let got = all(&mut stream);
    let quotes: Vec<_> = got.iter().filter(|event| matches!(event, MarketEvent::Quote(_))).collect();
    assert_eq!(quotes, [&quote("AAAUSDT", 3)]);
    bus.publish_market(&quote("AAAUSDT", 4));
    assert_eq!(stream.next().await, Some(quote("AAAUSDT", 4)));
}

async fn no_trade_is_skipped(harness: &dyn Harness) {
    let bus = harness.bus();
    let mut stream = bus.market("trades", everything("BBBUSDT"));
    harness.settled().await;
    (1..=1000).for_each(|id| bus.publish_market(&trade("BBBUSDT", id)));
    for id in 1..=1000 {
        assert_eq!(stream.next().await, Some(trade("BBBUSDT", id)));
    }
    stream.handled();
}

async fn a_subscriber_gets_what_it_wants(harness: &dyn Harness) {
    let bus = harness.bus();
    let mut quotes = bus.market("quotes", Interest { trades: false, candles: false, ..everything("CCCUSDT") });
    let mut any = bus.market("any", Interest { trades: true, ..Interest::default() });
    harness.settled().await;
    for event in [quote("CCCUSDT", 1), trade("CCCUSDT", 1), quote("DDDUSDT", 1), trade("DDDUSDT", 1)] {
        bus.publish_market(&event);
    }
    harness.settled().await;
    assert_eq!(all(&mut quotes), [quote("CCCUSDT", 1)]);
    assert_eq!(all(&mut any), [trade("CCCUSDT", 1), trade("DDDUSDT", 1)]);
}

async fn a_closed_bus_says_so(harness: &dyn Harness) {
    let (bus, queue) = (harness.bus(), harness.queue());
    let mut consumer = bus.consume(queue.clone()).unwrap();
    let mut stream = bus.market("last", everything("EEEUSDT"));
    harness.close();
    assert_eq!(consumer.next().await, None);
    assert_eq!(stream.next().await, None);
    assert_eq!(bus.publish(message(&queue, "a", 1)).await, Err(BusError::Closed));
    assert!(matches!(bus.consume(queue), Err(BusError::Closed)));
}
