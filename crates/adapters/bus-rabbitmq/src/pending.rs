//! Messages on their way to the broker, in order, each until its confirm or its time limit.
//!
//! What a broken connection left unconfirmed goes out again on the next one, before everything newer: the first copy of
//! each message then arrives in order, and receivers know the others as repeats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use lapin::BasicProperties;
use nightdesk_bus::BusError;
use nightdesk_wire::Queue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A message's fate.
pub(crate) type Fate = Result<(), BusError>;

/// A message as it goes to the broker.
pub(crate) struct Parcel {
    pub(crate) queue: Queue,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
}

struct Waiting {
    parcel: Arc<Parcel>,
    deadline: Instant,
    fate: Sender<Fate>,
    /// Why the broker did not take it the last time it was sent.
    refused: Option<&'static str>,
}

#[derive(Default)]
struct State {
    /// By serial number, which is also by deadline: all have the same limit.
    waiting: BTreeMap<u64, Waiting>,
    last: u64,
    /// The next one that the present connection has not sent.
    next: u64,
    closed: bool,
}

/// The messages that have no confirm yet.
pub(crate) struct Pending {
    state: Mutex<State>,
    /// Something is there to send.
    more: Notify,
    /// Something is there to expire.
    first: Notify,
    limit: Duration,
    capacity: usize,
}

impl Pending {
    pub(crate) fn new(limit: Duration, capacity: usize) -> Self {
        Self { state: Mutex::default(), more: Notify::new(), first: Notify::new(), limit, capacity }
    }

    /// Takes a message; its fate will be told. Never waits: when too much is under way, the bus is not available.
    pub(crate) fn push(&self, parcel: Parcel) -> Result<Receiver<Fate>, BusError> {
        let mut state = self.lock();
        if state.closed {
            return Err(BusError::Closed);
        }
        if state.waiting.len() >= self.capacity {
            return Err(BusError::Unavailable(format!("{} messages wait for the broker already", self.capacity)));
        }
        let (fate, told) = async_channel::bounded(1);
        let was_empty = state.waiting.is_empty();
        state.last += 1;
        let (serial, deadline) = (state.last, Instant::now() + self.limit);
        state.waiting.insert(serial, Waiting { parcel: Arc::new(parcel), deadline, fate, refused: None });
        drop(state);
        self.more.notify_one();
        if was_empty {
            self.first.notify_one();
        }
        Ok(told)
    }

    /// The next message that the present connection has not sent. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> (u64, Arc<Parcel>) {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.more.notified().await;
        }
    }

    fn try_next(&self) -> Option<(u64, Arc<Parcel>)> {
        let mut state = self.lock();
        let from = state.next;
        let (serial, waiting) = state.waiting.range(from..).next()?;
        let next = (*serial, Arc::clone(&waiting.parcel));
        state.next = next.0 + 1;
        Some(next)
    }

    /// A new connection begins with the oldest.
    pub(crate) fn rewind(&self) {
        self.lock().next = 0;
    }

    /// The broker did not take this one: it and what follows are sent again, in order. False when it is to be sent
    /// again already, or waits no more.
    pub(crate) fn again(&self, serial: u64, why: &'static str) -> bool {
        let mut state = self.lock();
        let Some(waiting) = state.waiting.get_mut(&serial) else { return false };
        waiting.refused = Some(why);
        let behind = serial < state.next;
        state.next = state.next.min(serial);
        behind
    }

    /// Tells a message's fate.
    pub(crate) fn settle(&self, serial: u64, fate: Fate) {
        let waiting = self.lock().waiting.remove(&serial);
        if let Some(waiting) = waiting {
            // The sender may have lost interest.
            let _ = waiting.fate.try_send(fate);
        }
    }

    /// Tells everyone that the bus is closed.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        for waiting in waiting.into_values() {
            let _ = waiting.fate.try_send(Err(BusError::Closed));
        }
    }

    /// Gives up whatever has waited too long, also when nobody polls for it; never ends.
    pub(crate) async fn expire(&self) {
        loop {
            let deadline = self.lock().waiting.values().next().map(|first| first.deadline);
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => self.first.notified().await,
            }
            for (serial, why) in self.overdue(Instant::now()) {
                self.settle(serial, Err(BusError::Unavailable(why)));
            }
        }
    }

    fn overdue(&self, now: Instant) -> Vec<(u64, String)> {
        let (state, seconds) = (self.lock(), self.limit.as_secs_f32());
        let overdue = state.waiting.iter().take_while(|(_, waiting)| waiting.deadline <= now);
        let why = |waiting: &Waiting| {
            let why = waiting.refused.map_or_else(String::new, |why| format!(": {why}"));
            format!("no confirm for a message to {} within {seconds} s{why}", waiting.parcel.queue)
        };
        overdue.map(|(serial, waiting)| (*serial, why(waiting))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(n: u8) -> Parcel {
        Parcel { queue: Queue::CORE, body: vec![n], properties: BasicProperties::default() }
    }

    fn sent(pending: &Pending) -> Vec<u8> {
        std::iter::from_fn(|| pending.try_next()).map(|(_, parcel)| parcel.body[0]).collect()
    }

    #[test]
    fn what_was_not_confirmed_goes_out_again_first() {
        let pending = Pending::new(Duration::from_secs(1), 4);
        let told: Vec<_> = (1..=3).map(|n| pending.push(parcel(n)).unwrap()).collect();
        assert_eq!(sent(&pending), [1, 2, 3]);
        pending.settle(2, Ok(()));
        assert_eq!(told[1].try_recv(), Ok(Ok(())));
        pending.rewind();
        let _fourth = pending.push(parcel(4)).unwrap();
        assert_eq!(sent(&pending), [1, 3, 4]);
        assert!(pending.again(3, "no room") && !pending.again(4, "no room") && !pending.again(2, "no room"));
        assert_eq!(sent(&pending), [3, 4]);
    }

    #[test]
    fn too_much_is_refused_and_closed_is_closed() {
        let pending = Pending::new(Duration::from_secs(1), 1);
        let told = pending.push(parcel(1)).unwrap();
        let why = "1 messages wait for the broker already".to_owned();
        assert_eq!(pending.push(parcel(2)).unwrap_err(), BusError::Unavailable(why));
        pending.close();
        assert_eq!(told.try_recv(), Ok(Err(BusError::Closed)));
        assert_eq!(pending.push(parcel(3)).unwrap_err(), BusError::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_without_a_confirm_is_given_up_in_time() {
        let pending = Arc::new(Pending::new(Duration::from_secs(5), 9));
        let expiring = Arc::clone(&pending);
        let task = tokio::spawn(async move { expiring.expire().await });
        let start = Instant::now();
        let told = pending.push(parcel(1)).unwrap();
        let why = "no confirm for a message to core within 5 s".to_owned();
        assert_eq!(told.recv().await, Ok(Err(BusError::Unavailable(why))));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        assert!(sent(&pending).is_empty());
        task.abort();
    }
}
