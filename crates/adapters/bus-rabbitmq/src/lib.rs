//! The message bus on RabbitMQ.
//!
//! A message counts as taken when the broker has confirmed that it lies in a quorum queue; a reader acknowledges what it
//! has committed, and whatever it had not acknowledged comes again. Market data takes another way on which nothing is
//! stored. The bus makes each of its connections again by itself, whatever breaks, and says in [`RabbitBus::status`] what
//! it waits for. It does not know which messages are repeats: receivers do.
//!
//! Two processes may read the same queue: the broker hands its messages to one of them and to the other when that is
//! gone, or frozen for two to three heartbeats. Within one process a second reader is refused.

mod codec;
mod config;
mod depths;
mod inlet;
mod link;
mod management;
mod market;
mod pending;
mod publisher;
mod reader;
mod status;
mod topology;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, ready};
use nightdesk_bus::{Bus, BusError, Consumer, Interest, MarketStream};
use nightdesk_market::MarketEvent;
use nightdesk_wire::{Envelope, Queue};
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use config::{ConfigError, RabbitConfig};
pub use management::{Management, ManagementError};
pub use status::BusState;

use depths::Depths;
use inlet::Inlet;
use link::{Common, Link, Session};
use market::{Feeder, Inbox, Outlet, RabbitStream, Subscription};
use pending::{Parcel, Pending};
use publisher::Publisher;
use reader::{Attached, RabbitConsumer, Reader};
use status::Board;

/// The longest name of a queue: AMQP allows 255 bytes, of which prefix and ending take some.
const QUEUE_NAME_MAX: usize = 128;

/// The bus; clones share it. It ends with [`RabbitBus::close`] or the last clone.
#[derive(Clone)]
pub struct RabbitBus(Arc<Inner>);

struct Inner {
    runtime: Handle,
    common: Common,
    closing: watch::Sender<bool>,
    pending: Arc<Pending>,
    depths: Arc<Depths>,
    attached: Attached,
    outlet: OnceLock<Arc<Outlet>>,
}

impl RabbitBus {
    /// A bus that begins to look for its broker now, and goes on until it finds it. Needs a tokio runtime.
    ///
    /// # Errors
    /// Outside of a runtime.
    pub fn start(config: RabbitConfig) -> Result<Self, ConfigError> {
        let runtime = Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let board = Arc::new(Board::new(config.place()));
        let pending = Arc::new(Pending::new(config.confirm_limit, config.outstanding));
        let (closing, closed) = watch::channel(false);
        let common = Common { config: Arc::new(config), board, closing: closed };
        let depths = Arc::new(Depths::default());
        let attached = Arc::new(Mutex::new(BTreeSet::new()));
        let inner = Inner { runtime, common, closing, pending, depths, attached, outlet: OnceLock::new() };
        let publisher = Publisher { pending: Arc::clone(&inner.pending), depths: Arc::clone(&inner.depths) };
        inner.keep("publish", publisher, || {});
        let (pending, mut closing) = (Arc::clone(&inner.pending), inner.common.closing.clone());
        inner.runtime.spawn(async move {
            tokio::select! {
                () = pending.expire() => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        });
        Ok(Self(Arc::new(inner)))
    }

    /// Whether the broker can be reached, and what for the bus waits.
    #[must_use]
    pub fn status(&self) -> BusState {
        self.0.common.board.state()
    }

    /// Dead letters by queue, as last counted.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<(Queue, usize)> {
        self.0.depths.dead()
    }

    /// Ends readers and subscribers; what has not been confirmed stays with its senders, what has not been
    /// acknowledged with the broker.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    /// Runs a session over a connection of its own; `ended` is called when the bus is closed.
    fn keep(&self, purpose: &str, session: impl Session, ended: impl FnOnce() + Send + 'static) {
        let link = Link::new(&self.common, purpose.to_owned());
        self.runtime.spawn(async move {
            link.keep(session).await;
            ended();
        });
    }

    fn is_closed(&self) -> bool {
        *self.common.closing.borrow()
    }

    fn close(&self) {
        self.common.board.close();
        self.closing.send_replace(true);
        self.pending.close();
    }

    fn send(&self, envelope: &Envelope) -> Result<async_channel::Receiver<pending::Fate>, BusError> {
        if self.is_closed() {
            return Err(BusError::Closed);
        }
        check_name(&envelope.queue)?;
        // The envelope does not carry a trace yet; when it does, it goes here.
        let encoded = codec::encode(envelope, None);
        let (body, properties) = encoded.map_err(|error| BusError::Unavailable(error.to_string()))?;
        self.depths.know(&envelope.queue);
        self.pending.push(Parcel { queue: envelope.queue.clone(), body, properties })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn check_name(queue: &Queue) -> Result<(), BusError> {
    if queue.as_str().len() <= QUEUE_NAME_MAX {
        return Ok(());
    }
    Err(BusError::Unavailable(format!("the name of queue {queue} is longer than {QUEUE_NAME_MAX} bytes")))
}

impl Bus for RabbitBus {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        match self.0.send(&envelope) {
            Ok(told) => async move { told.recv().await.unwrap_or(Err(BusError::Closed)) }.boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        let inner = &self.0;
        if inner.is_closed() {
            return Err(BusError::Closed);
        }
        check_name(&queue)?;
        if !inner.attached.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone()) {
            return Err(BusError::Unavailable(format!("queue {queue} has a reader already")));
        }
        inner.depths.know(&queue);
        let inlet = Arc::new(Inlet::default());
        let (depths, attached) = (Arc::clone(&inner.depths), Arc::clone(&inner.attached));
        let reader = Reader { queue: queue.clone(), inlet: Arc::clone(&inlet), depths: Arc::clone(&depths) };
        let ended = Arc::clone(&inlet);
        inner.keep(&format!("read {queue}"), reader, move || ended.close());
        Ok(Box::new(RabbitConsumer { queue, inlet, attached, depths }))
    }

    fn publish_market(&self, event: &MarketEvent) {
        if topology::market_key(event).is_none() || self.0.is_closed() {
            return;
        }
        let outlet = self.0.outlet.get_or_init(|| {
            let outlet = Arc::new(Outlet::default());
            self.0.keep("send market data", Feeder(Arc::clone(&outlet)), || {});
            outlet
        });
        outlet.push(event.clone());
    }

    fn market(&self, subscriber: &str, interest: Interest) -> Box<dyn MarketStream> {
        let inbox = Arc::new(Inbox::default());
        let subscription = Subscription { interest, inbox: Arc::clone(&inbox) };
        let ended = Arc::clone(&inbox);
        self.0.keep(&format!("market data for {subscriber}"), subscription, move || ended.close());
        Box::new(RabbitStream(inbox))
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        self.0.depths.waiting()
    }
}

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod test_house;
