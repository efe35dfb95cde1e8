//! Market data to subscribers: quotes newest-wins, trades and candles in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_bus::{Interest, MarketStream};
use nightdesk_env::{Activity, Busy};
use nightdesk_market::MarketEvent;
use nightdesk_units::Symbol;

use crate::LocalBus;

/// The most events that wait for one subscriber. Beyond it the oldest is dropped: the subscriber sees the gap in trade ids
/// or candle times and asks for what it missed.
const CAPACITY: usize = 65_536;

pub(crate) struct Subscriber {
    pub(crate) name: String,
    interest: Interest,
    waiting: VecDeque<(MarketEvent, Option<Busy>)>,
    /// How many events have been taken from the front since the start: position of an event minus this is its index.
    taken: u64,
    /// Position of the waiting quote of a symbol, which a newer one replaces.
    quotes: BTreeMap<Symbol, u64>,
    in_hand: Vec<Busy>,
    waker: Option<Waker>,
}

impl Subscriber {
    pub(crate) fn new(name: &str, interest: Interest) -> Self {
        Self {
            name: name.to_owned(),
            interest,
            waiting: VecDeque::new(),
            taken: 0,
            quotes: BTreeMap::new(),
            in_hand: Vec::new(),
            waker: None,
        }
    }

    pub(crate) fn wants(&self, event: &MarketEvent) -> bool {
        self.interest.covers(event)
    }

    pub(crate) fn push(&mut self, event: MarketEvent, activity: &Arc<dyn Activity>) {
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
        self.push_tracked(event, activity);
    }

    pub(crate) fn push_tracked(&mut self, event: MarketEvent, activity: &Arc<dyn Activity>) {
        self.waiting.push_back((event, Some(Busy::new(activity))));
        self.wake();
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn take(&mut self) -> Option<MarketEvent> {
        let (event, busy) = self.waiting.pop_front()?;
        self.taken += 1;
        self.in_hand.extend(busy);
        Some(event)
    }
}

pub(crate) struct LocalStream {
    pub(crate) bus: LocalBus,
    pub(crate) index: usize,
}

impl MarketStream for LocalStream {
    fn next(&mut self) -> BoxFuture<'_, Option<MarketEvent>> {
        poll_fn(|context| {
            let mut bus = self.bus.lock();
            if bus.closed {
                return Poll::Ready(None);
            }
            let subscriber = &mut bus.subscribers[self.index];
            match subscriber.take() {
                Some(event) => Poll::Ready(Some(event)),
                None => {
                    subscriber.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<MarketEvent> {
        self.bus.lock().subscribers[self.index].take()
    }

    fn handled(&mut self) {
        // The tokens are dropped outside the lock: the activity counter may wake whoever waits for it.
        let tokens = std::mem::take(&mut self.bus.lock().subscribers[self.index].in_hand);
        drop(tokens);
    }
}
