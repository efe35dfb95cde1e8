//! The local order book, kept by the exchange's documented rules: buffer updates, take a snapshot, drop what it already
//! contains, then demand continuity.

use nightdesk_units::{Lots, Ticks};

use crate::{DepthSnapshot, DepthUpdate, Level};

/// An update does not follow on the book; the caller takes a new snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// No snapshot yet.
    #[error("no snapshot yet")]
    NoSnapshot,
    /// Updates between `expected` and `got` are missing.
    #[error("gap in the book: expected update {expected}, got {got}")]
    Gap {
        /// The id that would have followed.
        expected: u64,
        /// The first id that came.
        got: u64,
    },
}

/// Levels of one instrument. Sorted vectors with the best price last: changes happen near the top, so they move little.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderBook {
    bids: Vec<Level>,
    asks: Vec<Level>,
    last_id: Option<u64>,
}

impl OrderBook {
    /// An empty book that waits for its snapshot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last update id applied; `None` before the first snapshot.
    #[must_use]
    pub fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    /// Replaces the book.
    pub fn restore(&mut self, snapshot: &DepthSnapshot) {
        self.bids.clone_from(&snapshot.bids);
        self.asks.clone_from(&snapshot.asks);
        self.bids.retain(|level| level.1.0 > 0);
        self.asks.retain(|level| level.1.0 > 0);
        self.bids.sort_unstable_by_key(|level| level.0);
        self.asks.sort_unstable_by_key(|level| std::cmp::Reverse(level.0));
        self.last_id = Some(snapshot.last_id);
    }

    /// Forgets everything: the stream was cut.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Applies an update; one that the book already contains changes nothing.
    ///
    /// # Errors
    /// `NoSnapshot`, or `Gap` when updates are missing; the book is then unusable until [`OrderBook::restore`].
    pub fn apply(&mut self, update: &DepthUpdate) -> Result<(), BookError> {
        let last_id = self.last_id.ok_or(BookError::NoSnapshot)?;
        if update.last_id <= last_id {
            return Ok(());
        }
        if update.first_id > last_id + 1 {
            self.clear();
            return Err(BookError::Gap { expected: last_id + 1, got: update.first_id });
        }
        for level in &update.bids {
            set(&mut self.bids, *level, |have, want| have < want);
        }
        for level in &update.asks {
            set(&mut self.asks, *level, |have, want| have > want);
        }
        self.last_id = Some(update.last_id);
        Ok(())
    }

    /// Best bid.
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.last().copied()
    }

    /// Best ask.
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.last().copied()
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = Level> + '_ {
        self.bids.iter().rev().copied()
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = Level> + '_ {
        self.asks.iter().rev().copied()
    }

    /// Quantity resting at a bid price.
    #[must_use]
    pub fn bid_qty(&self, price: Ticks) -> Lots {
        self.bids.binary_search_by_key(&price, |level| level.0).map_or(Lots(0), |i| self.bids[i].1)
    }

    /// Quantity resting at an ask price.
    #[must_use]
    pub fn ask_qty(&self, price: Ticks) -> Lots {
        let found = self.asks.binary_search_by(|level| price.cmp(&level.0));
        found.map_or(Lots(0), |i| self.asks[i].1)
    }
}

/// Sets one level; `before` says whether a price stands further from the best than another.
fn set(levels: &mut Vec<Level>, (price, qty): Level, before: impl Fn(Ticks, Ticks) -> bool) {
    let at = levels.partition_point(|level| before(level.0, price));
    let present = levels.get(at).is_some_and(|level| level.0 == price);
    match (present, qty.0 > 0) {
        (true, true) => levels[at].1 = qty,
        (true, false) => {
            levels.remove(at);
        }
        (false, true) => levels.insert(at, (price, qty)),
        (false, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use nightdesk_units::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn levels(raw: &[(i64, i64)]) -> Vec<Level> {
        raw.iter().map(|(price, qty)| (Ticks(*price), Lots(*qty))).collect()
    }

    fn snapshot(last_id: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> DepthSnapshot {
        let symbol = "BTCUSDT".parse().unwrap();
        DepthSnapshot { symbol, last_id, bids: levels(bids), asks: levels(asks), at: Timestamp(0) }
    }

    fn update(first_id: u64, last_id: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> DepthUpdate {
        let symbol = "BTCUSDT".parse().unwrap();
        DepthUpdate { symbol, first_id, last_id, bids: levels(bids), asks: levels(asks), at: Timestamp(0) }
    }

    #[test]
    fn updates_before_the_snapshot_are_dropped_and_overlapping_ones_apply() {
        let mut book = OrderBook::new();
        assert_eq!(book.apply(&update(1, 2, &[], &[])), Err(BookError::NoSnapshot));
        book.restore(&snapshot(10, &[(99, 1), (98, 2)], &[(101, 1)]));
        assert_eq!(book.apply(&update(8, 10, &[(99, 7)], &[])), Ok(()));
        assert_eq!(book.best_bid(), Some((Ticks(99), Lots(1))));
        assert_eq!(book.apply(&update(9, 12, &[(99, 0), (100, 5)], &[(101, 0), (102, 3)])), Ok(()));
        assert_eq!((book.best_bid(), book.best_ask()), (Some((Ticks(100), Lots(5))), Some((Ticks(102), Lots(3)))));
        assert_eq!((book.bid_qty(Ticks(98)), book.ask_qty(Ticks(101))), (Lots(2), Lots(0)));
    }

    #[test]
    fn a_gap_empties_the_book() {
        let mut book = OrderBook::new();
        book.restore(&snapshot(10, &[(99, 1)], &[]));
        assert_eq!(book.apply(&update(12, 13, &[], &[])), Err(BookError::Gap { expected: 11, got: 12 }));
        assert_eq!((book.best_bid(), book.last_id()), (None, None));
    }

    proptest! {
        #[test]
        fn the_book_equals_a_map(changes in prop::collection::vec((1i64..40, 0i64..4, any::<bool>()), 0..200)) {
            let mut book = OrderBook::new();
            book.restore(&snapshot(0, &[], &[]));
            let mut model = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
            for (id, (price, qty, is_bid)) in (1..).zip(&changes) {
                let change = [(*price, *qty)];
                let (bids, asks): (&[_], &[_]) = if *is_bid { (&change, &[]) } else { (&[], &change) };
                book.apply(&update(id, id, bids, asks)).unwrap();
                let side = if *is_bid { &mut model.0 } else { &mut model.1 };
                if *qty == 0 { side.remove(price); } else { side.insert(*price, *qty); }
            }
            let raw = |levels: Vec<Level>| levels.into_iter().map(|l| (l.0.0, l.1.0)).collect::<Vec<_>>();
            prop_assert_eq!(raw(book.bids().collect()), model.0.into_iter().rev().collect::<Vec<_>>());
            prop_assert_eq!(raw(book.asks().collect()), model.1.into_iter().collect::<Vec<_>>());
        }
    }
}
