//! One instrument's book, kept in step by the documented rules: buffer updates, fetch a snapshot, drop what it holds
//! already, demand continuity, start over on a gap. The rules themselves are [`OrderBook`]'s. Pure: the caller fetches.

use nightdesk_market::{DepthSnapshot, DepthUpdate, MarketEvent, OrderBook};

/// A book that is being kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct BookSync {
    book: OrderBook,
    /// Updates since the book was last lost.
    held: Vec<DepthUpdate>,
    /// A snapshot is on its way.
    asked: bool,
}

/// The most updates that wait for a snapshot: a quarter of an hour's at ten a second.
const MAX_HELD: usize = 10_000;

impl BookSync {
    /// The stream was cut: the book is worth nothing.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The last update id seen, applied or waiting.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.held.last().map(|update| update.last_id).or(self.book.last_id())
    }

    /// True when there is neither a book nor a snapshot on its way: one is to be fetched, for a quiet market sends no
    /// update that would ask for it.
    pub(crate) fn ask_if_idle(&mut self) -> bool {
        self.book.last_id().is_none() && !std::mem::replace(&mut self.asked, true)
    }

    /// Takes in an update. True when a snapshot is to be fetched.
    pub(crate) fn update(&mut self, update: DepthUpdate, out: &mut Vec<MarketEvent>) -> bool {
        let Some(before) = self.book.last_id() else {
            if self.held.len() >= MAX_HELD {
                self.held.clear();
            }
            self.held.push(update);
            return !std::mem::replace(&mut self.asked, true);
        };
        match self.book.apply(&update) {
            Ok(()) if update.last_id > before => out.push(MarketEvent::Depth(update)),
            Ok(()) => {}
            Err(_) => {
                self.held.push(update);
                return !std::mem::replace(&mut self.asked, true);
            }
        }
        false
    }

    /// Takes in a snapshot. True when another is to be fetched: it is older than the updates that wait for it, or they
    /// have a gap.
    pub(crate) fn snapshot(&mut self, snapshot: DepthSnapshot, out: &mut Vec<MarketEvent>) -> bool {
        self.asked = false;
        if self.held.first().is_some_and(|first| first.first_id > snapshot.last_id + 1) {
            self.asked = true;
            return true;
        }
        self.book.restore(&snapshot);
        out.push(MarketEvent::Snapshot(snapshot));
        let mut again = false;
        for update in std::mem::take(&mut self.held) {
            again |= self.update(update, out);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use nightdesk_units::{Lots, Ticks, Timestamp};

    use super::*;

    /// Runs a script: `3-5` is an update, `=4` a snapshot; `?` in the result asks for a snapshot.
    fn check(script: &str, expected: &str) {
        let (mut sync, mut told) = (BookSync::default(), Vec::new());
        let (symbol, at) = ("BTCUSDT".parse().unwrap(), Timestamp(0));
        let levels = vec![(Ticks(1), Lots(1))];
        for word in script.split(' ') {
            let mut out = Vec::new();
            let ask = if let Some(id) = word.strip_prefix('=') {
                let (bids, asks) = (levels.clone(), Vec::new());
                sync.snapshot(DepthSnapshot { symbol, last_id: id.parse().unwrap(), bids, asks, at }, &mut out)
            } else if word == "cut" {
                sync.reset();
                false
            } else {
                let (first, last) = word.split_once('-').unwrap();
                let (first_id, last_id) = (first.parse().unwrap(), last.parse().unwrap());
                let (bids, asks) = (levels.clone(), Vec::new());
                sync.update(DepthUpdate { symbol, first_id, last_id, bids, asks, at }, &mut out)
            };
            told.extend(out.iter().map(|event| match event {
                MarketEvent::Snapshot(s) => format!("={}", s.last_id),
                MarketEvent::Depth(u) => format!("{}-{}", u.first_id, u.last_id),
                _ => "?!".to_owned(),
            }));
            if ask {
                told.push("?".to_owned());
            }
        }
        assert_eq!(told.join(" "), expected, "{script}");
    }

    #[test]
    fn updates_wait_for_the_snapshot_and_what_it_holds_is_dropped() {
        check("1-3 4-6 7-9 =5 10-12", "? =5 4-6 7-9 10-12");
    }

    #[test]
    fn a_snapshot_older_than_the_first_update_is_fetched_again() {
        check("7-9 10-11 =5 =8 12-12", "? ? =8 7-9 10-11 12-12");
    }

    #[test]
    fn a_gap_brings_a_new_snapshot_and_nothing_before_it() {
        check("1-3 =3 4-5 8-9 10-11 =9 12-13", "? =3 4-5 ? =9 10-11 12-13");
    }

    #[test]
    fn a_gap_among_the_waiting_updates_is_found() {
        check("1-3 6-7 =3 8-8 =7", "? =3 ? =7 8-8");
    }

    #[test]
    fn repeats_from_an_overlapping_connection_change_nothing() {
        check("1-3 =3 4-5 4-5 1-3 6-6", "? =3 4-5 6-6");
    }

    #[test]
    fn a_cut_starts_over() {
        check("1-3 =3 cut 4-5 =5 6-6", "? =3 ? =5 6-6");
    }
}
