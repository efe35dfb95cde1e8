//! The bounded queue between the streams and the consumer.
//!
//! What may be superseded (a quote, a sign of life) waits in one place per symbol or stream: the newest wins. Everything
//! else waits in order and is never dropped; when the queue is full the producer waits, and says so by a cut.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightdesk_exchange::{ExchangeEvent, Stream};
use nightdesk_market::MarketEvent;
use nightdesk_units::Symbol;
use tokio::sync::Notify;

/// The consumer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// What supersedes what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Quote(Symbol),
    Alive(Stream),
}

fn slot(event: &ExchangeEvent) -> Option<Slot> {
    match event {
        ExchangeEvent::Market(MarketEvent::Quote(quote)) => Some(Slot::Quote(quote.symbol)),
        ExchangeEvent::Alive { stream } => Some(Slot::Alive(*stream)),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<ExchangeEvent>,
    /// Number of the event at the front; numbers never repeat.
    front: u64,
    slots: BTreeMap<Slot, u64>,
    closed: bool,
}

/// The queue. Many producers, one consumer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
    readable: Notify,
    writable: Notify,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), capacity, readable: Notify::new(), writable: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the event out of `event` if there is room or it supersedes one that waits.
    pub(crate) fn try_push(&self, event: &mut Option<ExchangeEvent>) -> Result<bool, Closed> {
        let mut state = self.state();
        if state.closed {
            return Err(Closed);
        }
        let Some(slot) = event.as_ref().map(slot) else { return Ok(true) };
        if let Some(slot) = slot {
            let front = state.front;
            let waiting = state.slots.get(&slot).and_then(|number| number.checked_sub(front));
            let place = waiting.and_then(|i| usize::try_from(i).ok()).and_then(|i| state.events.get_mut(i));
            if let Some(place) = place {
                // In the older one's place: newer than it was, and no later than what came in between.
                if let Some(event) = event.take() {
                    *place = event;
                }
                return Ok(true);
            }
            let number = state.front + state.events.len() as u64;
            state.slots.insert(slot, number);
        } else if state.events.len() >= self.capacity {
            return Ok(false);
        }
        state.events.extend(event.take());
        drop(state);
        self.readable.notify_one();
        Ok(true)
    }

    /// Puts the event in, waiting for room. Dropped while it waits, it leaves the event where it was.
    pub(crate) async fn push(&self, event: &mut Option<ExchangeEvent>) -> Result<(), Closed> {
        loop {
            let writable = self.writable.notified();
            tokio::pin!(writable);
            writable.as_mut().enable();
            if self.try_push(event)? {
                return Ok(());
            }
            writable.await;
        }
    }

    /// The next event; `None` once the queue is closed and empty.
    pub(crate) async fn pop(&self) -> Option<ExchangeEvent> {
        loop {
            let readable = self.readable.notified();
            {
                let mut state = self.state();
                if let Some(event) = state.events.pop_front() {
                    state.front += 1;
                    if let Some(slot) = slot(&event) {
                        state.slots.remove(&slot);
                    }
                    drop(state);
                    self.writable.notify_waiters();
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            readable.await;
        }
    }

    /// Ends the queue for both sides; what waits can still be read.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.readable.notify_one();
        self.writable.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nightdesk_market::{Quote, Trade};
    use nightdesk_units::{Lots, Ticks, Timestamp};

    use super::*;

    fn quote(symbol: &str, update_id: u64) -> ExchangeEvent {
        let symbol = symbol.parse().unwrap();
        let (bid, bid_qty, ask, ask_qty) = (Ticks(1), Lots(1), Ticks(2), Lots(1));
        ExchangeEvent::Market(MarketEvent::Quote(Quote {
            symbol,
            update_id,
            bid,
            bid_qty,
            ask,
            ask_qty,
            at: Timestamp(0),
        }))
    }

    fn trade(id: u64) -> ExchangeEvent {
        let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp(0));
        ExchangeEvent::Market(MarketEvent::Trade(Trade {
            symbol,
            id,
            price: Ticks(1),
            qty: Lots(1),
            buyer_is_maker: false,
            at,
        }))
    }

    async fn push(queue: &Queue, event: ExchangeEvent) -> Result<(), Closed> {
        queue.push(&mut Some(event)).await
    }

    #[tokio::test]
    async fn the_newest_quote_of_a_symbol_takes_the_older_ones_place() {
        let queue = Queue::new(10);
        for event in [quote("A", 1), trade(1), quote("B", 1), quote("A", 2), trade(2), quote("A", 3)] {
            push(&queue, event).await.unwrap();
        }
        for expected in [quote("A", 3), trade(1), quote("B", 1), trade(2)] {
            assert_eq!(queue.pop().await, Some(expected));
        }
        push(&queue, quote("A", 4)).await.unwrap();
        push(&queue, quote("A", 5)).await.unwrap();
        assert_eq!(queue.pop().await, Some(quote("A", 5)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_makes_trades_wait_but_not_quotes() {
        let queue = Queue::new(2);
        push(&queue, trade(1)).await.unwrap();
        push(&queue, trade(2)).await.unwrap();
        let wait = Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, push(&queue, trade(3))).await.is_err());
        assert!(tokio::time::timeout(wait, push(&queue, quote("A", 1))).await.is_ok());
        assert_eq!(queue.pop().await, Some(trade(1)));
        assert_eq!(queue.pop().await, Some(trade(2)));
        let (pushed, _) = tokio::join!(push(&queue, trade(3)), queue.pop());
        assert_eq!((pushed, queue.pop().await), (Ok(()), Some(trade(3))));
    }

    #[tokio::test]
    async fn a_closed_queue_is_read_to_its_end() {
        let queue = Queue::new(2);
        push(&queue, trade(1)).await.unwrap();
        queue.close();
        assert_eq!(push(&queue, trade(2)).await, Err(Closed));
        assert_eq!((queue.pop().await, queue.pop().await), (Some(trade(1)), None));
    }
}
