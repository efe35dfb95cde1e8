//! The connection over which durable messages leave, and over which the queues are counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection, PublisherConfirm};
use nightdesk_wire::Queue;
use tokio::time::sleep;

use crate::depths::Depths;
use crate::link::{Link, Lost, Session};
use crate::pending::{Parcel, Pending};
use crate::topology;

/// How often the queues are counted.
const COUNT_EVERY: Duration = Duration::from_millis(500);
/// The pause before messages that the broker did not take are sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Sends what is pending.
pub(crate) struct Publisher {
    pub(crate) pending: Arc<Pending>,
    pub(crate) depths: Arc<Depths>,
}

impl Session for Publisher {
    fn work<'a>(&'a mut self, connection: &'a Connection, link: &'a Link) -> BoxFuture<'a, Result<(), Lost>> {
        async move {
            let channel = link.within(connection.create_channel()).await?;
            link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
            let counting = link.within(connection.create_channel()).await?;
            let mut declared = BTreeSet::new();
            for queue in self.depths.queues() {
                declare(&counting, link, &self.depths, &queue).await?;
                declared.insert(queue);
            }
            self.pending.rewind();
            link.up();
            tokio::select! {
                lost = self.send(&channel, link, declared) => Err(lost),
                lost = self.count(&counting, link) => Err(lost),
                () = link.closed() => Ok(()),
            }
        }
        .boxed()
    }
}

impl Publisher {
    /// Sends one message after the other; confirms come in as they please.
    async fn send(&self, channel: &Channel, link: &Link, mut declared: BTreeSet<Queue>) -> Lost {
        let mut confirms = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some((serial, queue, confirm)) = confirms.next(), if !confirms.is_empty() => {
                    match verdict(confirm) {
                        Ok(None) => self.pending.settle(serial, Ok(())),
                        Ok(Some(why)) => {
                            // Somebody may have deleted the queue, or it is still being set up.
                            declared.remove(&queue);
                            if self.pending.again(serial, why) {
                                sleep(AGAIN_AFTER).await;
                            }
                        }
                        Err(lost) => return lost,
                    }
                }
                (serial, parcel) = self.pending.next() => {
                    if !declared.contains(&parcel.queue) {
                        if let Err(lost) = declare(channel, link, &self.depths, &parcel.queue).await {
                            return lost;
                        }
                        declared.insert(parcel.queue.clone());
                    }
                    match link.within(publish(channel, link, &parcel)).await {
                        Ok(confirm) => confirms.push(async move { (serial, parcel.queue.clone(), confirm.await) }),
                        Err(lost) => return lost,
                    }
                }
            }
        }
    }

    /// Counts what lies in the queues, on a channel of its own: no message waits for it.
    async fn count(&self, channel: &Channel, link: &Link) -> Lost {
        loop {
            for queue in self.depths.queues() {
                if let Err(lost) = declare(channel, link, &self.depths, &queue).await {
                    return lost;
                }
            }
            sleep(COUNT_EVERY).await;
        }
    }
}

async fn declare(channel: &Channel, link: &Link, depths: &Depths, queue: &Queue) -> Result<(), Lost> {
    let depth = link.within(topology::declare(channel, link.config(), queue)).await?;
    depths.counted(queue, depth);
    Ok(())
}

async fn publish(channel: &Channel, link: &Link, parcel: &Parcel) -> lapin::Result<PublisherConfirm> {
    let key = topology::queue_name(link.config(), &parcel.queue);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish("".into(), key, options, &parcel.body, parcel.properties.clone()).await
}

/// What the broker's answer means: it has the message, or, with the reason, it has not.
fn verdict(confirm: lapin::Result<Confirmation>) -> Result<Option<&'static str>, Lost> {
    Ok(match confirm? {
        Confirmation::Ack(None) => None,
        Confirmation::Ack(Some(_)) => Some("the broker has no such queue"),
        Confirmation::Nack(_) => Some("the broker could not store it"),
        Confirmation::NotRequested => Some("the broker does not confirm"),
    })
}
