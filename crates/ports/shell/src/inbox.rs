//! Knows which messages have been handled, so that a repeat has no effect.

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_store::InboxMark;
use nightdesk_wire::MessageId;

#[derive(Debug, Default)]
struct Source {
    floor: u64,
    above: BTreeSet<u64>,
    dirty: bool,
}

/// Handled messages by source.
#[derive(Debug, Default)]
pub(crate) struct Inbox(BTreeMap<String, Source>);

impl Inbox {
    pub(crate) fn restore(marks: Vec<InboxMark>) -> Self {
        let entry = |mark: InboxMark| {
            let source = Source { floor: mark.floor, above: mark.above.into_iter().collect(), dirty: false };
            (mark.source, source)
        };
        Self(marks.into_iter().map(entry).collect())
    }

    /// True when the message is new; it then counts as handled.
    pub(crate) fn accept(&mut self, id: &MessageId) -> bool {
        if !self.0.contains_key(&id.source) {
            self.0.insert(id.source.clone(), Source::default());
        }
        let Some(source) = self.0.get_mut(&id.source) else { return true };
        if id.seq <= source.floor || !source.above.insert(id.seq) {
            return false;
        }
        while source.above.remove(&(source.floor + 1)) {
            source.floor += 1;
        }
        source.dirty = true;
        true
    }

    /// The marks that changed since the last call.
    pub(crate) fn changes(&mut self) -> Vec<InboxMark> {
        let changed = self.0.iter_mut().filter(|(_, source)| source.dirty);
        changed
            .map(|(name, source)| {
                source.dirty = false;
                InboxMark { source: name.clone(), floor: source.floor, above: source.above.iter().copied().collect() }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> MessageId {
        MessageId { source: "core".to_owned(), seq }
    }

    #[test]
    fn a_repeat_is_refused_also_out_of_order_and_after_a_restart() {
        let mut inbox = Inbox::default();
        assert!([1, 3, 2, 5].iter().all(|seq| inbox.accept(&id(*seq))));
        assert!([1, 2, 3, 5].iter().all(|seq| !inbox.accept(&id(*seq))));
        let marks = inbox.changes();
        assert_eq!(marks, vec![InboxMark { source: "core".to_owned(), floor: 3, above: vec![5] }]);
        assert!(inbox.changes().is_empty());
        let mut inbox = Inbox::restore(marks);
        assert!(!inbox.accept(&id(5)) && inbox.accept(&id(4)) && inbox.accept(&id(6)));
        assert_eq!(inbox.changes()[0].floor, 6);
    }
}
