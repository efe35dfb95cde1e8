//! A bus that is spoken on under a lease: what wakes after its time says nothing, neither old prices nor old answers.
//!
//! What has been handed to the bus before may still leave; it was committed then, and receivers know repeats and old epochs.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, pending};
use nightdesk_bus::{Bus, BusError, Consumer, Interest, MarketStream};
use nightdesk_market::MarketEvent;
use nightdesk_wire::{Envelope, Queue};

use crate::tenure::Until;

/// The bus, for as long as the lease lasts.
pub(crate) struct LeasedBus {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) until: Until,
}

impl Bus for LeasedBus {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        // The process ends now; its successor finds the message in the outbox.
        if self.until.left().is_zero() { pending().boxed() } else { self.bus.publish(envelope) }
    }

    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        self.bus.consume(queue)
    }

    fn publish_market(&self, event: &MarketEvent) {
        if !self.until.left().is_zero() {
            self.bus.publish_market(event);
        }
    }

    fn market(&self, subscriber: &str, interest: Interest) -> Box<dyn MarketStream> {
        self.bus.market(subscriber, interest)
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        self.bus.waiting()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nightdesk_bus_local::LocalBus;
    use nightdesk_env::NoActivity;
    use nightdesk_wire::{Message, ReconcileRequest};

    use super::*;
    use crate::tenure::running;

    #[test]
    fn after_its_time_nothing_leaves() {
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::new(Arc::new(NoActivity)));
        let mut reader = bus.consume(Queue::CORE).unwrap();
        let leased = LeasedBus { bus, until: Until::default() };
        let message = || {
            let request = ReconcileRequest { id: 1, symbols: Vec::new(), since: Default::default(), urgent: false };
            Envelope { queue: Queue::CORE, id: None, message: Message::ReconcileRequest(request) }
        };
        assert_eq!(leased.publish(message()).now_or_never(), None);
        assert!(reader.try_next().is_none());
        leased.until.set(running() + Duration::from_secs(60));
        drop(leased.publish(message()).now_or_never());
        assert!(reader.try_next().is_some());
    }
}
