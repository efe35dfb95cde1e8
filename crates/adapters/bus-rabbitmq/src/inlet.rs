//! What has been delivered to one reader: ready to be taken, in hand, or acknowledged and to be told to the broker.
//!
//! Tags are ours and go on counting over reconnects: the broker's begin anew on every channel, and an acknowledgement
//! that comes too late must not hit somebody else's message.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_bus::Delivery;
use nightdesk_wire::Envelope;
use tokio::sync::Notify;

#[derive(Default)]
struct State {
    ready: VecDeque<Delivery>,
    /// Our tag and the broker's of what is ready or in hand.
    held: BTreeMap<u64, u64>,
    /// Broker's tags to acknowledge; at most the prefetch.
    acks: Vec<u64>,
    last: u64,
    closed: bool,
    left: bool,
    waker: Option<Waker>,
}

/// An acknowledgement as the broker takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) tag: u64,
    /// This one and all before it.
    pub(crate) multiple: bool,
}

/// A reader's deliveries.
#[derive(Default)]
pub(crate) struct Inlet {
    state: Mutex<State>,
    /// There is something to acknowledge, or the reader has left.
    news: Notify,
}

impl Inlet {
    /// A new session: what the last one delivered will come again.
    pub(crate) fn begin(&self) {
        let mut state = self.lock();
        state.ready.clear();
        state.held.clear();
        state.acks.clear();
    }

    pub(crate) fn push(&self, envelope: Envelope, broker_tag: u64) {
        let mut state = self.lock();
        state.last += 1;
        let tag = state.last;
        state.held.insert(tag, broker_tag);
        state.ready.push_back(Delivery { tag, envelope });
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn ack(&self, tag: u64) {
        let mut state = self.lock();
        // Of an earlier session, or for the second time: the broker knows nothing of it.
        let Some(broker_tag) = state.held.remove(&tag) else { return };
        state.acks.push(broker_tag);
        drop(state);
        self.news.notify_one();
    }

    pub(crate) fn next(&self) -> BoxFuture<'_, Option<Delivery>> {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.closed {
                return Poll::Ready(None);
            }
            match state.ready.pop_front() {
                Some(delivery) => Poll::Ready(Some(delivery)),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }

    pub(crate) fn try_next(&self) -> Option<Delivery> {
        let mut state = self.lock();
        if state.closed { None } else { state.ready.pop_front() }
    }

    /// Resolves when there is something to acknowledge, or the reader has left.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// The acknowledgements since the last call, as few as will do.
    pub(crate) fn acks(&self) -> Vec<Ack> {
        let mut state = self.lock();
        let mut tags = std::mem::take(&mut state.acks);
        let first_held = state.held.values().next().copied().unwrap_or(u64::MAX);
        drop(state);
        tags.sort_unstable();
        let (below, above) = tags.split_at(tags.partition_point(|tag| *tag < first_held));
        let all_below = below.last().map(|tag| Ack { tag: *tag, multiple: true });
        all_below.into_iter().chain(above.iter().map(|tag| Ack { tag: *tag, multiple: false })).collect()
    }

    pub(crate) fn held(&self) -> usize {
        self.lock().held.len()
    }

    pub(crate) fn leave(&self) {
        self.lock().left = true;
        self.news.notify_one();
    }

    pub(crate) fn has_left(&self) -> bool {
        self.lock().left
    }

    pub(crate) fn close(&self) {
        let waker = {
            let mut state = self.lock();
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use nightdesk_bus::contract::message;
    use nightdesk_wire::Queue;

    use super::*;

    fn inlet(broker_tags: std::ops::RangeInclusive<u64>) -> Inlet {
        let inlet = Inlet::default();
        broker_tags.for_each(|tag| inlet.push(message(&Queue::CORE, "a", tag), tag));
        inlet
    }

    #[track_caller]
    fn check(inlet: &Inlet, acked: &[u64], expected: &[(u64, bool)]) {
        acked.iter().for_each(|tag| inlet.ack(*tag));
        let acks: Vec<_> = inlet.acks().into_iter().map(|ack| (ack.tag, ack.multiple)).collect();
        assert_eq!(acks, expected);
    }

    #[test]
    fn acknowledgements_are_joined_where_nothing_lies_between() {
        let inlet = inlet(1..=6);
        check(&inlet, &[2, 1, 3], &[(3, true)]);
        check(&inlet, &[5], &[(5, false)]);
        check(&inlet, &[4, 6], &[(6, true)]);
        check(&inlet, &[6, 99], &[]);
    }

    #[test]
    fn a_late_acknowledgement_hits_nothing() {
        let inlet = inlet(1..=2);
        assert_eq!(inlet.try_next().map(|delivery| delivery.tag), Some(1));
        inlet.begin();
        inlet.push(message(&Queue::CORE, "a", 1), 1);
        check(&inlet, &[1, 2], &[]);
        assert_eq!(inlet.try_next().map(|delivery| delivery.tag), Some(3));
        check(&inlet, &[3], &[(1, true)]);
    }
}
