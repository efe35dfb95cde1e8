//! Queues of messages with one reader each.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_bus::{BusError, Consumer, Delivery};
use nightdesk_env::Busy;
use nightdesk_wire::{Envelope, Queue};

use crate::LocalBus;

/// A message, whoever waits for its acknowledgement, and the token that keeps a lockstep run from going on without it.
pub(crate) struct Item {
    envelope: Envelope,
    confirm: async_channel::Sender<()>,
    pub(crate) busy: Option<Busy>,
}

impl Item {
    pub(crate) fn new(envelope: Envelope) -> (Self, async_channel::Receiver<()>) {
        let (confirm, confirmed) = async_channel::bounded(1);
        (Self { envelope, confirm, busy: None }, confirmed)
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Item>,
    unacked: BTreeMap<u64, Item>,
    next_tag: u64,
    attached: bool,
    waker: Option<Waker>,
}

impl State {
    fn take(&mut self) -> Option<Delivery> {
        let item = self.waiting.pop_front()?;
        self.next_tag += 1;
        let delivery = Delivery { tag: self.next_tag, envelope: item.envelope.clone() };
        self.unacked.insert(self.next_tag, item);
        Some(delivery)
    }
}

#[derive(Default)]
pub(crate) struct Queues(BTreeMap<Queue, State>);

impl Queues {
    fn state(&mut self, queue: &Queue) -> &mut State {
        self.0.entry(queue.clone()).or_default()
    }

    pub(crate) fn push(&mut self, queue: &Queue, item: Item, first: bool) {
        let state = self.state(queue);
        if first {
            state.waiting.push_front(item);
        } else {
            state.waiting.push_back(item);
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn attach(&mut self, queue: &Queue) -> Result<(), BusError> {
        let state = self.state(queue);
        if state.attached {
            return Err(BusError::Unavailable(format!("queue {queue} has a reader already")));
        }
        state.attached = true;
        Ok(())
    }

    pub(crate) fn wake_all(&mut self) {
        for state in self.0.values_mut() {
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }

    pub(crate) fn waiting(&self) -> Vec<(Queue, usize)> {
        self.0.iter().map(|(queue, state)| (queue.clone(), state.waiting.len() + state.unacked.len())).collect()
    }
}

/// A queue's reader.
pub(crate) struct LocalConsumer {
    bus: LocalBus,
    queue: Queue,
}

impl LocalConsumer {
    pub(crate) fn new(bus: LocalBus, queue: Queue) -> Self {
        Self { bus, queue }
    }
}

impl Consumer for LocalConsumer {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        poll_fn(|context| {
            let mut bus = self.bus.lock();
            if bus.closed {
                return Poll::Ready(None);
            }
            let state = bus.queues.state(&self.queue);
            match state.take() {
                Some(delivery) => Poll::Ready(Some(delivery)),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<Delivery> {
        self.bus.lock().queues.state(&self.queue).take()
    }

    fn ack(&mut self, tag: u64) {
        let item = self.bus.lock().queues.state(&self.queue).unacked.remove(&tag);
        // Outside the lock: the sender's waker and the activity counter may call back.
        if let Some(item) = item {
            let _ = item.confirm.try_send(());
        }
    }
}

impl Drop for LocalConsumer {
    fn drop(&mut self) {
        let mut bus = self.bus.lock();
        let state = bus.queues.state(&self.queue);
        state.attached = false;
        // Newest first to the front, so that the order is as it was.
        while let Some((_, item)) = state.unacked.pop_last() {
            state.waiting.push_front(item);
        }
    }
}
