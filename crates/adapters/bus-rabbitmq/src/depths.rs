//! How many messages lie in the queues this process sends to or reads: the latest count, asked for without waiting.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightdesk_platform::kpi;
use nightdesk_wire::Queue;

use crate::topology::Depth;

#[derive(Default)]
struct Known {
    depth: Depth,
    /// Delivered to this process and not acknowledged: the broker does not count them as waiting.
    in_hand: usize,
}

/// The queues this process knows.
#[derive(Default)]
pub(crate) struct Depths(Mutex<BTreeMap<Queue, Known>>);

impl Depths {
    /// The queue is to be counted from now on.
    pub(crate) fn know(&self, queue: &Queue) {
        let mut known = self.lock();
        if !known.contains_key(queue) {
            known.insert(queue.clone(), Known::default());
        }
    }

    pub(crate) fn queues(&self) -> Vec<Queue> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn counted(&self, queue: &Queue, depth: Depth) {
        self.lock().entry(queue.clone()).or_default().depth = depth;
        #[allow(clippy::cast_precision_loss, reason = "a gauge; nothing is computed from it")]
        kpi::BUS_DEAD_LETTERS_WAITING.gauge(&[queue.as_str()]).set(depth.dead as f64);
    }

    pub(crate) fn in_hand(&self, queue: &Queue, count: usize) {
        self.lock().entry(queue.clone()).or_default().in_hand = count;
    }

    pub(crate) fn waiting(&self) -> Vec<(Queue, usize)> {
        self.lock().iter().map(|(queue, known)| (queue.clone(), known.depth.waiting + known.in_hand)).collect()
    }

    pub(crate) fn dead(&self) -> Vec<(Queue, usize)> {
        self.lock().iter().map(|(queue, known)| (queue.clone(), known.depth.dead)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Queue, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
