//! How services reach each other.
//!
//! Messages are delivered at least once, per sender and queue in order unless something broke; a receiver acknowledges what
//! it has *committed*. Market data travels apart from them: quotes and books newest-first, trades and candles in order
//! with visible gaps, and none of it is ever stored.

#[cfg(feature = "contract")]
pub mod contract;
mod mailbox;

use futures_util::future::BoxFuture;
use nightdesk_market::MarketEvent;
use nightdesk_units::Symbol;
use nightdesk_wire::{Envelope, Queue};

pub use mailbox::Mailbox;

/// Why the bus did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// It cannot be reached; the message may have been taken. Publish again: receivers know repeats.
    #[error("bus not available: {0}")]
    Unavailable(String),
    /// The bus has been closed for good.
    #[error("bus is closed")]
    Closed,
}

/// A message handed to a consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names the delivery for [`Consumer::ack`].
    pub tag: u64,
    /// The message.
    pub envelope: Envelope,
}

/// One queue's only reader at a time.
pub trait Consumer: Send {
    /// The next message; `None` when the bus is closed. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>>;

    /// The next message if one is there.
    fn try_next(&mut self) -> Option<Delivery>;

    /// The message's effects are durable: it need not be delivered again. What is not acknowledged when the consumer is
    /// dropped is delivered to the next one.
    fn ack(&mut self, tag: u64);
}

/// Which market data a subscriber wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interest {
    /// Of these instruments; empty: of all.
    pub symbols: Vec<Symbol>,
    /// Best bid and ask, newest wins.
    pub quotes: bool,
    /// The market's trades, in order.
    pub trades: bool,
    /// Closed candles, in order.
    pub candles: bool,
}

impl Interest {
    /// True when the subscriber wants `event`.
    #[must_use]
    pub fn covers(&self, event: &MarketEvent) -> bool {
        let kind = match event {
            MarketEvent::Quote(_) => self.quotes,
            MarketEvent::Trade(_) => self.trades,
            MarketEvent::Candle(_) => self.candles,
            MarketEvent::Depth(_) | MarketEvent::Snapshot(_) => false,
        };
        kind && (self.symbols.is_empty() || self.symbols.contains(&event.symbol()))
    }
}

/// A subscriber's market data.
pub trait MarketStream: Send {
    /// The next event; `None` when the bus is closed. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Option<MarketEvent>>;

    /// The next event if one is there.
    fn try_next(&mut self) -> Option<MarketEvent>;

    /// Everything taken so far has been dealt with (a lockstep bus waits for this).
    fn handled(&mut self);
}

/// The bus.
pub trait Bus: Send + Sync {
    /// Sends a message; resolves when the bus has taken it for good: a broker has it on disk, or, where nothing lies
    /// between, the receiver has acknowledged it.
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>>;

    /// Becomes the reader of `queue`, which is declared if it is new. A reader in another process is no error: a bus
    /// between processes hands the queue's messages to one of its readers, and the others stand by.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` when this process reads the queue already.
    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError>;

    /// Sends market data to whoever wants it. Never waits.
    fn publish_market(&self, event: &MarketEvent);

    /// Subscribes to market data.
    fn market(&self, subscriber: &str, interest: Interest) -> Box<dyn MarketStream>;

    /// Messages waiting, by queue.
    fn waiting(&self) -> Vec<(Queue, usize)>;
}
