//! Numbers our messages per queue and knows which of them have not arrived.

use std::collections::BTreeMap;

use nightdesk_store::OutboxRow;
use nightdesk_units::Timestamp;

#[derive(Debug, Default)]
struct Lane {
    last: u64,
    /// Sequence number and commit time of what has not been confirmed.
    waiting: BTreeMap<u64, Timestamp>,
    /// Everything up to here is known to the store as delivered.
    stored: u64,
}

impl Lane {
    fn floor(&self) -> u64 {
        self.waiting.keys().next().map_or(self.last, |first| first - 1)
    }
}

/// Our messages by queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox(BTreeMap<String, Lane>);

impl Outbox {
    pub(crate) fn restore(cursors: Vec<(String, u64)>, rows: &[OutboxRow]) -> Self {
        let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
        for (queue, last) in cursors {
            lanes.insert(queue, Lane { last, waiting: BTreeMap::new(), stored: last });
        }
        for row in rows {
            let lane = lanes.entry(row.queue.clone()).or_default();
            lane.last = lane.last.max(row.seq);
            lane.waiting.insert(row.seq, row.at);
        }
        for lane in lanes.values_mut() {
            lane.stored = lane.floor();
        }
        Self(lanes)
    }

    /// The number of the next message to `queue`.
    pub(crate) fn number(&mut self, queue: &str, at: Timestamp) -> u64 {
        if !self.0.contains_key(queue) {
            self.0.insert(queue.to_owned(), Lane::default());
        }
        let Some(lane) = self.0.get_mut(queue) else { return 0 };
        lane.last += 1;
        lane.waiting.insert(lane.last, at);
        lane.last
    }

    pub(crate) fn last(&self, queue: &str) -> u64 {
        self.0.get(queue).map_or(0, |lane| lane.last)
    }

    /// The message has arrived.
    pub(crate) fn confirm(&mut self, queue: &str, seq: u64) {
        if let Some(lane) = self.0.get_mut(queue) {
            lane.waiting.remove(&seq);
        }
    }

    /// True when the store does not know of all arrivals.
    pub(crate) fn has_news(&self) -> bool {
        self.0.values().any(|lane| lane.floor() > lane.stored)
    }

    /// What the store can forget since the last call.
    pub(crate) fn delivered(&mut self) -> Vec<(String, u64)> {
        let mut news = Vec::new();
        for (queue, lane) in &mut self.0 {
            let floor = lane.floor();
            if floor > lane.stored {
                lane.stored = floor;
                news.push((queue.clone(), floor));
            }
        }
        news
    }

    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|lane| lane.waiting.values().next().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_forgotten_only_up_to_the_first_that_has_not_arrived() {
        let mut outbox = Outbox::default();
        assert_eq!([1, 2, 3].map(|at| outbox.number("q", Timestamp(at))), [1, 2, 3]);
        outbox.confirm("q", 2);
        assert!(!outbox.has_news() && outbox.delivered().is_empty());
        outbox.confirm("q", 1);
        assert_eq!((outbox.delivered(), outbox.oldest()), (vec![("q".to_owned(), 2)], Some(Timestamp(3))));
        outbox.confirm("q", 3);
        assert_eq!((outbox.delivered(), outbox.oldest()), (vec![("q".to_owned(), 3)], None));
    }

    #[test]
    fn numbering_goes_on_after_a_restart() {
        let row = OutboxRow { queue: "q".to_owned(), seq: 7, at: Timestamp(1), body: String::new() };
        let mut outbox = Outbox::restore(vec![("q".to_owned(), 8), ("p".to_owned(), 4)], &[row]);
        assert_eq!((outbox.number("q", Timestamp(2)), outbox.number("p", Timestamp(2))), (9, 5));
        outbox.confirm("q", 7);
        assert_eq!(outbox.delivered(), vec![("q".to_owned(), 8)]);
    }
}
