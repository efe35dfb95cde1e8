//! What is declared at the broker, by code: every session declares what it uses, so that a broker which lost everything
//! is set up again by whoever comes first.
//!
//! A durable quorum queue per nightdesk queue, `PREFIX.QUEUE`, and beside it `PREFIX.QUEUE.dead`, reached through the
//! exchange `PREFIX.dead`. Market data goes through the exchange `PREFIX.market` to queues that live as long as their
//! subscriber. A queue that exists with other arguments is refused by the broker: change them by a policy, or delete it.
//!
//! RabbitMQ 3.10 writes a new queue's existence to disk a little after it has confirmed it: a kill within about two seconds
//! takes the queue and its messages with it (seen: the queue came back in raft term 1, empty). Queues are made once in an installation's life, so no message waits for that.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use nightdesk_bus::Interest;
use nightdesk_market::MarketEvent;
use nightdesk_units::Symbol;
use nightdesk_wire::Queue;

use crate::config::RabbitConfig;

/// How many messages lie in a queue and in the one beside it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Depth {
    pub(crate) waiting: usize,
    pub(crate) dead: usize,
}

pub(crate) fn queue_name(config: &RabbitConfig, queue: &Queue) -> ShortString {
    format!("{}.{queue}", config.prefix).into()
}

fn dead_name(config: &RabbitConfig, queue: &Queue) -> ShortString {
    format!("{}.{queue}.dead", config.prefix).into()
}

pub(crate) fn dead_exchange(config: &RabbitConfig) -> ShortString {
    format!("{}.dead", config.prefix).into()
}

pub(crate) fn market_exchange(config: &RabbitConfig) -> ShortString {
    format!("{}.market", config.prefix).into()
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(i64::from(value))
}

fn table<const N: usize>(entries: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}

/// Declares `queue` and what takes its dead letters; safe to repeat. Returns how much lies in them.
pub(crate) async fn declare(channel: &Channel, config: &RabbitConfig, queue: &Queue) -> lapin::Result<Depth> {
    let (name, dead, exchange) = (queue_name(config, queue), dead_name(config, queue), dead_exchange(config));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.clone(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
    let quorum = table([("x-queue-type", text("quorum"))]);
    let beside = channel.queue_declare(dead.clone(), QueueDeclareOptions::durable(), quorum).await?;
    let bind = QueueBindOptions::default();
    channel.queue_bind(dead, exchange.clone(), name.clone(), bind, FieldTable::default()).await?;
    let arguments = table([
        ("x-queue-type", text("quorum")),
        // Readers in several processes are standbys of each other.
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
        // With a limit, what is given back keeps its place; without one it would go to the end of the queue.
        ("x-delivery-limit", number(config.delivery_limit)),
        ("x-dead-letter-exchange", text(exchange.as_str())),
        ("x-dead-letter-routing-key", text(name.as_str())),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]);
    let declared = channel.queue_declare(name, QueueDeclareOptions::durable(), arguments).await?;
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Ok(Depth { waiting: count(declared.message_count()), dead: count(beside.message_count()) })
}

/// Declares the exchange for market data.
pub(crate) async fn declare_market(channel: &Channel, config: &RabbitConfig) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions::default();
    channel.exchange_declare(market_exchange(config), ExchangeKind::Topic, options, FieldTable::default()).await
}

/// Declares a subscriber's own queue and binds what it wants; returns the queue's name.
pub(crate) async fn subscribe(
    channel: &Channel,
    config: &RabbitConfig,
    interest: &Interest,
) -> lapin::Result<ShortString> {
    declare_market(channel, config).await?;
    let arguments = table([("x-max-length", number(config.market_length)), ("x-overflow", text("drop-head"))]);
    let options = QueueDeclareOptions::exclusive().auto_delete();
    let queue = channel.queue_declare("".into(), options, arguments).await?.name().clone();
    for key in keys(interest) {
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.clone(), market_exchange(config), key, options, FieldTable::default()).await?;
    }
    Ok(queue)
}

/// The routing keys of what `interest` covers.
fn keys(interest: &Interest) -> Vec<ShortString> {
    let kinds = [("quote", interest.quotes), ("trade", interest.trades), ("candle", interest.candles)];
    let symbols: Vec<String> = match interest.symbols.as_slice() {
        [] => vec!["*".to_owned()],
        symbols => symbols.iter().map(Symbol::to_string).collect(),
    };
    let wanted = kinds.into_iter().filter(|(_, wanted)| *wanted);
    wanted.flat_map(|(kind, _)| symbols.iter().map(move |symbol| format!("{kind}.{symbol}").into())).collect()
}

/// The routing key of an event; `None` for what does not travel between processes.
pub(crate) fn market_key(event: &MarketEvent) -> Option<ShortString> {
    let kind = match event {
        MarketEvent::Quote(_) => "quote",
        MarketEvent::Trade(_) => "trade",
        MarketEvent::Candle(_) => "candle",
        MarketEvent::Depth(_) | MarketEvent::Snapshot(_) => return None,
    };
    Some(format!("{kind}.{}", event.symbol()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interest: &Interest, expected: &[&str]) {
        let keys: Vec<String> = keys(interest).into_iter().map(|key| key.to_string()).collect();
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_subscription_binds_what_it_covers() {
        let symbols = vec!["BTCUSDT".parse().unwrap(), "ETHUSDT".parse().unwrap()];
        check(&Interest { quotes: true, ..Interest::default() }, &["quote.*"]);
        let some = Interest { symbols, trades: true, candles: true, quotes: false };
        check(&some, &["trade.BTCUSDT", "trade.ETHUSDT", "candle.BTCUSDT", "candle.ETHUSDT"]);
        check(&Interest::default(), &[]);
    }
}
