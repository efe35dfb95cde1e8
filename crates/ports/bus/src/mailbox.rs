//! Market data that waits for somebody: quotes newest-wins, trades and candles in order, bounded.
//!
//! It knows nothing of who waits and how they are woken.

use std::collections::{BTreeMap, VecDeque};

use nightdesk_market::MarketEvent;
use nightdesk_units::Symbol;

/// The most events that wait. Beyond it the oldest is dropped: the receiver sees the gap in trade ids or candle times
/// and asks for what it missed.
const CAPACITY: usize = 65_536;

/// Events that wait, each with a `T` of the owner's.
#[derive(Debug)]
pub struct Mailbox<T = ()> {
    waiting: VecDeque<(MarketEvent, T)>,
    /// How many events have left at the front since the start: position of an event minus this is its index.
    taken: u64,
    /// Position of the waiting quote of a symbol, which a newer one replaces.
    quotes: BTreeMap<Symbol, u64>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), taken: 0, quotes: BTreeMap::new() }
    }
}

impl<T> Mailbox<T> {
    /// Adds `event`; a quote takes the place of the one that waits for the same instrument. `token` is made only for an
    /// event that takes a place of its own.
    pub fn push(&mut self, event: MarketEvent, token: impl FnOnce() -> T) {
        if let MarketEvent::Quote(quote) = &event {
            let position = self.taken + self.waiting.len() as u64;
            let index = self.quotes.get(&quote.symbol).and_then(|at| usize::try_from(at.checked_sub(self.taken)?).ok());
            if let Some(slot) = index.and_then(|index| self.waiting.get_mut(index)) {
                slot.0 = event;
                return;
            }
            self.quotes.insert(quote.symbol, position);
        }
        if self.waiting.len() >= CAPACITY {
            self.waiting.pop_front();
            self.taken += 1;
        }
        self.append(event, token());
    }

    /// Adds `event` behind all others, also where it could take another's place.
    pub fn append(&mut self, event: MarketEvent, token: T) {
        self.waiting.push_back((event, token));
    }

    /// The event that has waited longest.
    pub fn take(&mut self) -> Option<(MarketEvent, T)> {
        let first = self.waiting.pop_front()?;
        self.taken += 1;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use nightdesk_market::{Quote, Trade};
    use nightdesk_units::{Lots, Ticks, Timestamp};

    use super::*;

    fn quote(bid: i64) -> MarketEvent {
        let (symbol, bid_qty, ask_qty) = ("BTCUSDT".parse().unwrap(), Lots(1), Lots(1));
        MarketEvent::Quote(Quote {
            symbol,
            update_id: 0,
            bid: Ticks(bid),
            bid_qty,
            ask: Ticks(9),
            ask_qty,
            at: Timestamp(0),
        })
    }

    fn trade(id: u64) -> MarketEvent {
        let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp(0));
        MarketEvent::Trade(Trade { symbol, id, price: Ticks(1), qty: Lots(1), buyer_is_maker: false, at })
    }

    fn take(mailbox: &mut Mailbox) -> Option<MarketEvent> {
        mailbox.take().map(|(event, ())| event)
    }

    #[test]
    fn a_full_mailbox_drops_the_oldest_and_still_knows_where_its_quote_is() {
        let mut mailbox = Mailbox::default();
        mailbox.push(trade(0), || ());
        mailbox.push(quote(1), || ());
        (1..CAPACITY as u64).for_each(|id| mailbox.push(trade(id), || ()));
        mailbox.push(quote(2), || ());
        assert_eq!((take(&mut mailbox), take(&mut mailbox)), (Some(quote(2)), Some(trade(1))));
        mailbox.push(quote(3), || ());
        mailbox.push(quote(4), || ());
        let rest: Vec<_> = std::iter::from_fn(|| take(&mut mailbox)).collect();
        assert_eq!((rest.len(), rest.last()), (CAPACITY - 1, Some(&quote(4))));
    }
}
