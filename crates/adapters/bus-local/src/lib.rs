//! The message bus within one process.
//!
//! Nothing lies between sender and receiver, so a message counts as taken when its receiver has acknowledged it: until
//! then the sender's outbox row is the durable copy. Two ways to deliver: at once, or *held* — one message at a time, in one
//! global order, when the run's driver says so ([`LocalBus::release_next`]). A held run is reproducible to the byte.

mod market;
mod queue;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_bus::{Bus, BusError, Consumer, Interest, MarketStream};
use nightdesk_env::Activity;
use nightdesk_market::MarketEvent;
use nightdesk_wire::{Envelope, Queue};

use market::{LocalStream, Subscriber};
use queue::{Item, LocalConsumer, Queues};

/// What a test's chaos does to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Delivered as it should be.
    Deliver,
    /// Lost; the sender is told that the bus was not available.
    Lose,
    /// Delivered, but the sender is told that the bus was not available.
    LoseConfirm,
    /// Delivered twice.
    Duplicate,
    /// Delivered before what is already waiting.
    Overtake,
}

/// Decides a message's fate.
pub type Chaos = Box<dyn FnMut(&Envelope) -> Fate + Send>;

/// The bus; clones share it.
#[derive(Clone)]
pub struct LocalBus(Arc<Mutex<State>>);

struct State {
    queues: Queues,
    subscribers: Vec<Subscriber>,
    held: Option<Held>,
    chaos: Option<Chaos>,
    activity: Arc<dyn Activity>,
    closed: bool,
}

#[derive(Default)]
struct Held(VecDeque<HeldItem>);

enum HeldItem {
    Message(Queue, Item),
    Market(usize, MarketEvent),
}

impl LocalBus {
    /// A bus that delivers at once.
    #[must_use]
    pub fn new(activity: Arc<dyn Activity>) -> Self {
        Self::build(activity, None)
    }

    /// A bus that delivers only by [`LocalBus::release_next`].
    #[must_use]
    pub fn held(activity: Arc<dyn Activity>) -> Self {
        Self::build(activity, Some(Held::default()))
    }

    fn build(activity: Arc<dyn Activity>, held: Option<Held>) -> Self {
        let (queues, subscribers) = (Queues::default(), Vec::new());
        Self(Arc::new(Mutex::new(State { queues, subscribers, held, chaos: None, activity, closed: false })))
    }

    /// Lets `chaos` decide what becomes of each message.
    pub fn set_chaos(&self, chaos: Chaos) {
        self.lock().chaos = Some(chaos);
    }

    /// Delivers the oldest held message; false when there is none. The activity counter is above zero until it has been
    /// handled.
    #[must_use]
    pub fn release_next(&self) -> bool {
        let mut state = self.lock();
        let Some(item) = state.held.as_mut().and_then(|held| held.0.pop_front()) else { return false };
        match item {
            HeldItem::Message(queue, item) => state.deliver(&queue, item, false),
            HeldItem::Market(index, event) => {
                let activity = Arc::clone(&state.activity);
                state.subscribers[index].push_tracked(event, &activity);
            }
        }
        true
    }

    /// Ends all streams and consumers; what has not been acknowledged stays with its senders.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queues.wake_all();
        for subscriber in &mut state.subscribers {
            subscriber.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole, so a panic elsewhere does not make it unusable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn accept(&mut self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        let fate = self.chaos.as_mut().map_or(Fate::Deliver, |chaos| chaos(&envelope));
        let lost = || futures_util::future::ready(Err(BusError::Unavailable("lost on the way".to_owned()))).boxed();
        if fate == Fate::Lose {
            return lost();
        }
        let queue = envelope.queue.clone();
        if fate == Fate::Duplicate {
            self.enqueue(&queue, Item::new(envelope.clone()).0, false);
        }
        let (item, confirmed) = Item::new(envelope);
        self.enqueue(&queue, item, fate == Fate::Overtake);
        if fate == Fate::LoseConfirm {
            return lost();
        }
        async move { confirmed.recv().await.map_err(|_| BusError::Closed) }.boxed()
    }

    fn enqueue(&mut self, queue: &Queue, item: Item, first: bool) {
        match (&mut self.held, first) {
            (Some(held), false) => held.0.push_back(HeldItem::Message(queue.clone(), item)),
            (Some(held), true) => held.0.push_front(HeldItem::Message(queue.clone(), item)),
            (None, _) => self.deliver(queue, item, first),
        }
    }

    fn deliver(&mut self, queue: &Queue, mut item: Item, first: bool) {
        item.busy = Some(nightdesk_env::Busy::new(&self.activity));
        self.queues.push(queue, item, first);
    }
}

impl Bus for LocalBus {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        let mut state = self.lock();
        if state.closed {
            return futures_util::future::ready(Err(BusError::Closed)).boxed();
        }
        state.accept(envelope)
    }

    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        let mut state = self.lock();
        if state.closed {
            return Err(BusError::Closed);
        }
        state.queues.attach(&queue)?;
        Ok(Box::new(LocalConsumer::new(self.clone(), queue)))
    }

    fn publish_market(&self, event: &MarketEvent) {
        let mut state = self.lock();
        let State { subscribers, held, activity, .. } = &mut *state;
        for (index, subscriber) in subscribers.iter_mut().enumerate() {
            if !subscriber.wants(event) {
                continue;
            }
            match held {
                Some(held) => held.0.push_back(HeldItem::Market(index, event.clone())),
                None => subscriber.push(event.clone(), activity),
            }
        }
    }

    fn market(&self, subscriber: &str, interest: Interest) -> Box<dyn MarketStream> {
        let mut state = self.lock();
        let index = match state.subscribers.iter().position(|known| known.name == subscriber) {
            Some(index) => {
                state.subscribers[index] = Subscriber::new(subscriber, interest);
                index
            }
            None => {
                state.subscribers.push(Subscriber::new(subscriber, interest));
                state.subscribers.len() - 1
            }
        };
        Box::new(LocalStream { bus: self.clone(), index })
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        self.lock().queues.waiting()
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
