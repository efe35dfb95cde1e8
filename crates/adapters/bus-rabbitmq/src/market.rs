//! Market data: its own connections, nothing durable, nothing confirmed, the newest quote wins at both ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use futures_util::stream::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection};
use nightdesk_bus::{Interest, Mailbox, MarketStream};
use nightdesk_market::MarketEvent;
use tokio::sync::Notify;

use crate::link::{Link, Lost, Session};
use crate::topology;

/// Events on their way out. While the broker is away they wait here, bounded: old quotes give way to new ones.
#[derive(Default)]
pub(crate) struct Outlet {
    waiting: Mutex<Mailbox>,
    more: Notify,
}

impl Outlet {
    pub(crate) fn push(&self, event: MarketEvent) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(event, || ());
        self.more.notify_one();
    }

    async fn next(&self) -> MarketEvent {
        loop {
            let taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken {
                Some((event, ())) => return event,
                None => self.more.notified().await,
            }
        }
    }
}

/// Sends market data.
pub(crate) struct Feeder(pub(crate) Arc<Outlet>);

impl Session for Feeder {
    fn work<'a>(&'a mut self, connection: &'a Connection, link: &'a Link) -> BoxFuture<'a, Result<(), Lost>> {
        async move {
            let channel = link.within(connection.create_channel()).await?;
            link.within(topology::declare_market(&channel, link.config())).await?;
            link.up();
            let exchange = topology::market_exchange(link.config());
            loop {
                let event = tokio::select! {
                    event = self.0.next() => event,
                    () = link.closed() => return Ok(()),
                };
                let Some(key) = topology::market_key(&event) else { continue };
                let Ok(body) = serde_json::to_vec(&event) else { continue };
                let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
                link.within(channel.basic_publish(exchange.clone(), key, options, &body, properties)).await?;
            }
        }
        .boxed()
    }
}

#[derive(Default)]
struct State {
    mailbox: Mailbox,
    waker: Option<Waker>,
    closed: bool,
}

/// A subscriber's events.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// The subscriber is gone.
    left: Notify,
}

impl Inbox {
    fn push(&self, event: MarketEvent) {
        let mut state = self.lock();
        state.mailbox.push(event, || ());
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes market data in.
pub(crate) struct Subscription {
    pub(crate) interest: Interest,
    pub(crate) inbox: Arc<Inbox>,
}

impl Session for Subscription {
    fn work<'a>(&'a mut self, connection: &'a Connection, link: &'a Link) -> BoxFuture<'a, Result<(), Lost>> {
        async move {
            let channel = link.within(connection.create_channel()).await?;
            let queue = link.within(topology::subscribe(&channel, link.config(), &self.interest)).await?;
            // Nothing is acknowledged: what is lost on the way is a gap that the receiver sees.
            let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
            let consume = channel.basic_consume(queue, "".into(), options, FieldTable::default());
            let mut consumer = link.within(consume).await?;
            link.up();
            loop {
                let arrival = tokio::select! {
                    arrival = consumer.next() => arrival,
                    () = self.inbox.left.notified() => return Ok(()),
                    () = link.closed() => return Ok(()),
                };
                let arrival = arrival.ok_or_else(|| Lost("the broker ended the subscription".to_owned()))??;
                match serde_json::from_slice::<MarketEvent>(&arrival.data) {
                    Ok(event) if self.interest.covers(&event) => self.inbox.push(event),
                    Ok(_) => {}
                    // A newer sender's kind of event: nobody here could have asked for it.
                    Err(error) => tracing::debug!(%error, "market data that cannot be read is dropped"),
                }
            }
        }
        .boxed()
    }
}

/// A subscriber's end.
pub(crate) struct RabbitStream(pub(crate) Arc<Inbox>);

impl MarketStream for RabbitStream {
    fn next(&mut self) -> BoxFuture<'_, Option<MarketEvent>> {
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.closed {
                return Poll::Ready(None);
            }
            match state.mailbox.take() {
                Some((event, ())) => Poll::Ready(Some(event)),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<MarketEvent> {
        self.0.lock().mailbox.take().map(|(event, ())| event)
    }

    fn handled(&mut self) {}
}

impl Drop for RabbitStream {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}
