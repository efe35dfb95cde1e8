//! The connection over which one queue's messages come in.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use lapin::message::Delivery as Arrival;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Confirmation, Connection};
use nightdesk_bus::{Consumer, Delivery};
use nightdesk_platform::kpi;
use nightdesk_wire::Queue;

use crate::codec::{self, REASON_HEADER, Refused};
use crate::depths::Depths;
use crate::inlet::Inlet;
use crate::link::{Link, Lost, Session};
use crate::topology;

/// The queues that this process reads.
pub(crate) type Attached = Arc<Mutex<BTreeSet<Queue>>>;

/// Takes messages in.
pub(crate) struct Reader {
    pub(crate) queue: Queue,
    pub(crate) inlet: Arc<Inlet>,
    pub(crate) depths: Arc<Depths>,
}

impl Session for Reader {
    fn work<'a>(&'a mut self, connection: &'a Connection, link: &'a Link) -> BoxFuture<'a, Result<(), Lost>> {
        async move {
            let channel = link.within(connection.create_channel()).await?;
            let aside = link.within(connection.create_channel()).await?;
            link.within(aside.confirm_select(ConfirmSelectOptions::default())).await?;
            link.within(channel.basic_qos(link.config().prefetch, BasicQosOptions::default())).await?;
            link.within(topology::declare(&channel, link.config(), &self.queue)).await?;
            self.inlet.begin();
            let name = topology::queue_name(link.config(), &self.queue);
            let options = BasicConsumeOptions::default();
            let consume = channel.basic_consume(name, "".into(), options, FieldTable::default());
            let consumer = link.within(consume).await?;
            link.up();
            let outcome = tokio::select! {
                outcome = self.read(&channel, &aside, consumer, link) => outcome,
                () = link.closed() => Ok(()),
            };
            if outcome.is_ok() {
                // What was acknowledged just before the end need not come again.
                self.acknowledge(&channel, link).await?;
            }
            outcome
        }
        .boxed()
    }
}

impl Reader {
    async fn read(
        &self,
        channel: &Channel,
        aside: &Channel,
        mut consumer: lapin::Consumer,
        link: &Link,
    ) -> Result<(), Lost> {
        loop {
            if self.inlet.has_left() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.inlet.news() => self.acknowledge(channel, link).await?,
                arrival = consumer.next() => {
                    let arrival = arrival.ok_or_else(|| Lost("the broker ended the reading".to_owned()))??;
                    self.arrive(channel, aside, arrival, link).await?;
                }
            }
            self.depths.in_hand(&self.queue, self.inlet.held());
        }
    }

    async fn acknowledge(&self, channel: &Channel, link: &Link) -> Result<(), Lost> {
        for ack in self.inlet.acks() {
            link.within(channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple })).await?;
        }
        Ok(())
    }

    async fn arrive(&self, channel: &Channel, aside: &Channel, arrival: Arrival, link: &Link) -> Result<(), Lost> {
        match codec::decode(&self.queue, &arrival.data, &arrival.properties) {
            Ok(envelope) => {
                self.inlet.push(envelope, arrival.delivery_tag);
                Ok(())
            }
            Err(refused) => self.put_aside(channel, aside, arrival, refused, link).await,
        }
    }

    /// Puts a message nobody here can handle among the dead letters, with the reason. It leaves the queue only when it
    /// is safe there; should the broker die in between, it lies there twice rather than nowhere.
    async fn put_aside(
        &self,
        channel: &Channel,
        aside: &Channel,
        arrival: Arrival,
        refused: Refused,
        link: &Link,
    ) -> Result<(), Lost> {
        let (config, queue) = (link.config(), self.queue.as_str());
        let mut headers = arrival.properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(refused.to_string().into()));
        let properties = arrival.properties.clone().with_headers(headers).with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (topology::dead_exchange(config), topology::queue_name(config, &self.queue));
        let stored = async { aside.basic_publish(exchange, key, options, &arrival.data, properties).await?.await };
        match link.within(stored).await? {
            Confirmation::Ack(None) => {}
            other => return Err(Lost(format!("a dead letter of {queue} could not be stored: {other:?}"))),
        }
        let tag = arrival.delivery_tag;
        link.within(channel.basic_ack(tag, BasicAckOptions::default())).await?;
        kpi::BUS_DEAD_LETTERS.counter(&[queue, refused.kind()]).increment(1);
        let id = arrival.properties.message_id().as_ref().map(ToString::to_string);
        tracing::error!(
            queue,
            reason = %refused,
            message.id = id.as_deref().unwrap_or("unknown"),
            "a message to {queue} was put among the dead letters: {refused}; see docs/runbooks/dead-letters.md"
        );
        Ok(())
    }
}

/// A queue's reader.
pub(crate) struct RabbitConsumer {
    pub(crate) queue: Queue,
    pub(crate) inlet: Arc<Inlet>,
    pub(crate) attached: Attached,
    pub(crate) depths: Arc<Depths>,
}

impl Consumer for RabbitConsumer {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        self.inlet.next()
    }

    fn try_next(&mut self) -> Option<Delivery> {
        self.inlet.try_next()
    }

    fn ack(&mut self, tag: u64) {
        self.inlet.ack(tag);
    }
}

impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        self.inlet.leave();
        self.depths.in_hand(&self.queue, 0);
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.queue);
    }
}
