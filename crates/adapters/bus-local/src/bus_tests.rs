use std::sync::atomic::{AtomicI64, Ordering};

use nightdesk_bus::contract;
use nightdesk_env::NoActivity;
use nightdesk_market::{Quote, Trade};
use nightdesk_units::{Lots, Ticks, Timestamp};
use nightdesk_wire::{Message, MessageId};

use super::*;

struct Here(LocalBus, AtomicI64);

impl contract::Harness for Here {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(self.0.clone())
    }
    fn queue(&self) -> Queue {
        Queue::named(format!("case.{}", self.1.fetch_add(1, Ordering::Relaxed)))
    }
    fn settled(&self) -> BoxFuture<'_, ()> {
        futures_util::future::ready(()).boxed()
    }
    fn close(&self) {
        self.0.close();
    }
}

nightdesk_bus::contract_tests!(check);

fn check(name: &str, case: contract::Case) {
    let harness = Here(LocalBus::new(Arc::new(NoActivity)), AtomicI64::new(0));
    // Nothing lies between sender and reader, so no case ever waits.
    assert!(case(&harness).now_or_never().is_some(), "{name} waits for ever");
}

fn message(seq: u64) -> Envelope {
    let message = Message::ModeEffective { version: seq, in_flight: Vec::new() };
    Envelope { queue: Queue::CORE, id: Some(MessageId { source: "t".to_owned(), seq }), message }
}

fn taken(consumer: &mut Box<dyn Consumer>) -> Vec<u64> {
    std::iter::from_fn(|| consumer.try_next()).filter_map(|d| d.envelope.id).map(|id| id.seq).collect()
}

#[derive(Default)]
struct Count(AtomicI64);

impl Activity for Count {
    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn end(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_message_is_confirmed_when_its_receiver_acknowledges() {
    let bus = LocalBus::new(Arc::new(NoActivity));
    let mut confirmed = bus.publish(message(1));
    let mut consumer = bus.consume(Queue::CORE).unwrap();
    let delivery = consumer.try_next().unwrap();
    assert!((&mut confirmed).now_or_never().is_none());
    consumer.ack(delivery.tag);
    assert_eq!(confirmed.now_or_never(), Some(Ok(())));
}

#[test]
fn what_a_consumer_leaves_unacknowledged_goes_to_the_next_in_order() {
    let bus = LocalBus::new(Arc::new(NoActivity));
    let _confirms: Vec<_> = (1..=3).map(|seq| bus.publish(message(seq))).collect();
    let mut consumer = bus.consume(Queue::CORE).unwrap();
    assert!(bus.consume(Queue::CORE).is_err());
    assert_eq!(taken(&mut consumer), [1, 2, 3]);
    consumer.ack(1);
    drop(consumer);
    assert_eq!(taken(&mut bus.consume(Queue::CORE).unwrap()), [2, 3]);
}

#[test]
fn chaos_loses_repeats_and_reorders() {
    let bus = LocalBus::new(Arc::new(NoActivity));
    let fates = [Fate::Deliver, Fate::Lose, Fate::Duplicate, Fate::Overtake, Fate::LoseConfirm];
    let mut next = fates.into_iter();
    bus.set_chaos(Box::new(move |_| next.next().unwrap_or(Fate::Deliver)));
    let confirms: Vec<_> = (1..=5).map(|seq| bus.publish(message(seq))).collect();
    let lost = confirms.into_iter().map(|c| matches!(c.now_or_never(), Some(Err(_)))).collect::<Vec<_>>();
    assert_eq!(lost, [false, true, false, false, true]);
    assert_eq!(taken(&mut bus.consume(Queue::CORE).unwrap()), [4, 1, 3, 3, 5]);
}

fn quote(bid: i64) -> MarketEvent {
    let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp(0));
    MarketEvent::Quote(Quote {
        symbol,
        update_id: 0,
        bid: Ticks(bid),
        bid_qty: Lots(1),
        ask: Ticks(9),
        ask_qty: Lots(1),
        at,
    })
}

fn trade(id: u64) -> MarketEvent {
    let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp(0));
    MarketEvent::Trade(Trade { symbol, id, price: Ticks(1), qty: Lots(1), buyer_is_maker: false, at })
}

fn everything() -> Interest {
    Interest { symbols: Vec::new(), quotes: true, trades: true, candles: true }
}

#[test]
fn the_newest_quote_wins_and_no_trade_is_skipped() {
    let bus = LocalBus::new(Arc::new(NoActivity));
    let mut stream = bus.market("w", everything());
    for event in [quote(1), trade(1), quote(2), trade(2), quote(3)] {
        bus.publish_market(&event);
    }
    let got: Vec<_> = std::iter::from_fn(|| stream.try_next()).collect();
    assert_eq!(got, [quote(3), trade(1), trade(2)]);
    bus.publish_market(&quote(4));
    assert_eq!(stream.try_next(), Some(quote(4)));
}

#[test]
fn a_held_bus_hands_out_one_thing_at_a_time_in_one_order() {
    let count = Arc::new(Count::default());
    let bus = LocalBus::held(Arc::clone(&count) as Arc<dyn Activity>);
    let (mut stream, mut consumer) = (bus.market("w", everything()), bus.consume(Queue::CORE).unwrap());
    bus.publish_market(&quote(1));
    let _confirm = bus.publish(message(1));
    bus.publish_market(&quote(2));
    assert_eq!((stream.try_next(), consumer.try_next(), count.0.load(Ordering::SeqCst)), (None, None, 0));
    assert!(bus.release_next());
    assert_eq!((stream.try_next(), count.0.load(Ordering::SeqCst)), (Some(quote(1)), 1));
    stream.handled();
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    assert!(bus.release_next());
    let tag = consumer.try_next().unwrap().tag;
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    consumer.ack(tag);
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    assert!(bus.release_next());
    assert_eq!(stream.try_next(), Some(quote(2)));
    assert!(!bus.release_next());
}
