//! Market data to subscribers: quotes newest-wins, trades and candles in order.

use std::sync::Arc;
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_bus::{Interest, Mailbox, MarketStream};
use nightdesk_env::{Activity, Busy};
use nightdesk_market::MarketEvent;

use crate::LocalBus;

pub(crate) struct Subscriber {
    pub(crate) name: String,
    interest: Interest,
    waiting: Mailbox<Busy>,
    in_hand: Vec<Busy>,
    waker: Option<Waker>,
}

impl Subscriber {
    pub(crate) fn new(name: &str, interest: Interest) -> Self {
        Self { name: name.to_owned(), interest, waiting: Mailbox::default(), in_hand: Vec::new(), waker: None }
    }

    pub(crate) fn wants(&self, event: &MarketEvent) -> bool {
        self.interest.covers(event)
    }

    pub(crate) fn push(&mut self, event: MarketEvent, activity: &Arc<dyn Activity>) {
        self.waiting.push(event, || Busy::new(activity));
        self.wake();
    }

    pub(crate) fn push_tracked(&mut self, event: MarketEvent, activity: &Arc<dyn Activity>) {
        self.waiting.append(event, Busy::new(activity));
        self.wake();
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn take(&mut self) -> Option<MarketEvent> {
        let (event, busy) = self.waiting.take()?;
        self.in_hand.push(busy);
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
