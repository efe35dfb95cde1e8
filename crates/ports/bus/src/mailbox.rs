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
