//! What a recording displays, and what it means for the orders that rest beside it.
//!
//! The rules are on the conservative side:
//! - An order that joins a level stands behind all that is displayed there. Where nothing is known of the level (a
//!   recording of best quotes only, a price behind the best), it stands behind whatever is displayed there first.
//! - A recorded trade at the price shortens the queue-ahead; what exceeds it fills the order.
//! - A display smaller than the queue-ahead caps it: those ahead have traded or left. As the trade that explains the
//!   shrinkage may be printed a moment after the display, trades within [`SETTLE`] are first set off against it.
//! - Growth of the display joins behind the order.

use nightdesk_market::{Level, Side};
use nightdesk_units::{Micros, Timestamp};

use crate::book::{Book, UNKNOWN, key_of};
use crate::slab::NONE;
use crate::sweep::Hit;

/// For how long a trade may still explain a display that shrank before it.
const SETTLE: Micros = Micros::from_secs(1);

impl Book {
    /// Sets the recorded quantity at a price.
    pub(crate) fn set_recorded(&mut self, side: Side, price: i64, lots: i64, now: Timestamp) {
        let key = key_of(side, price);
        let lots = lots.max(0);
        match self.half(side).find(key) {
            Ok(at) => self.set_slot(side, at, lots, now),
            Err(_) if lots == 0 => {}
            Err(at) => {
                let slot = crate::book::Slot { key, recorded: lots, queue: NONE };
                self.half_mut(side).slots.insert(at, slot);
                self.touch(side, key);
            }
        }
    }

    fn set_slot(&mut self, side: Side, at: usize, lots: i64, now: Timestamp) {
        let slot = &mut self.half_mut(side).slots[at];
        let (key, queue, changed) = (slot.key, slot.queue, slot.recorded != lots);
        slot.recorded = lots;
        if queue != NONE {
            self.cap_queue(queue, lots, now);
        } else if lots == 0 {
            self.half_mut(side).slots.remove(at);
        }
        if changed {
            self.touch(side, key);
        }
    }

    fn cap_queue(&mut self, queue: u32, display: i64, now: Timestamp) {
        let mut next = self.queues[queue].head;
        while next != NONE {
            let node = &mut self.nodes[next];
            if node.ahead == UNKNOWN {
                node.ahead = display;
            } else if node.ahead > display {
                let kept = if now.since(node.slack_at) > SETTLE { 0 } else { node.slack };
                node.slack = kept.saturating_add(node.ahead - display);
                node.slack_at = now;
                node.ahead = display;
            }
            next = node.next;
        }
    }

    /// A recorded best level: nothing recorded is better, and unless the recording has depth, nothing is behind it.
    pub(crate) fn set_best(&mut self, side: Side, price: i64, lots: i64, keep_rest: bool, now: Timestamp) {
        let key = key_of(side, price);
        self.clear_better(side, key, now);
        self.set_recorded(side, price, lots, now);
        if !keep_rest {
            let mut at = self.half(side).find(key).unwrap_or_else(|at| at);
            while at > 0 {
                at -= 1;
                if self.half(side).slots[at].recorded > 0 {
                    self.forget_slot(side, at);
                }
            }
        }
    }

    /// Removes recorded quantity at better keys than `key`.
    fn clear_better(&mut self, side: Side, key: i64, now: Timestamp) {
        let mut at = self.half(side).slots.len();
        while at > 0 && self.half(side).slots[at - 1].key > key {
            at -= 1;
            self.set_slot(side, at, 0, now);
        }
    }

    /// Drops a level's recorded quantity without a word on what happened to it.
    fn forget_slot(&mut self, side: Side, at: usize) {
        let slot = &mut self.half_mut(side).slots[at];
        let key = slot.key;
        slot.recorded = 0;
        self.drop_if_empty(side, at);
        self.touch(side, key);
    }

    /// Drops all recorded quantity: the recording has a gap.
    pub(crate) fn forget_recorded(&mut self, side: Side) {
        for at in (0..self.half(side).slots.len()).rev() {
            if self.half(side).slots[at].recorded > 0 {
                self.forget_slot(side, at);
            }
        }
    }

    /// A recorded trade of `lots` at exactly this price, where `side` was resting. Returns what our orders did not use.
    pub(crate) fn trade_at(&mut self, side: Side, price: i64, lots: i64, now: Timestamp, hits: &mut Vec<Hit>) -> i64 {
        let Ok(at) = self.half(side).find(key_of(side, price)) else { return lots };
        let queue = self.half(side).slots[at].queue;
        if queue == NONE {
            return lots;
        }
        let (mut used, mut next) = (0, self.queues[queue].head);
        while next != NONE {
            let index = next;
            let node = &mut self.nodes[index];
            next = node.next;
            let explained = if now.since(node.slack_at) > SETTLE { 0 } else { node.slack.min(lots) };
            node.slack -= explained;
            // What reaches this order's place: the trade, less what shrank before it was printed, less orders before this one.
            let reaching = (lots - explained - used).max(0);
            let fill = if node.ahead == UNKNOWN { 0 } else { (reaching - node.ahead).clamp(0, node.left) };
            if node.ahead != UNKNOWN {
                node.ahead = (node.ahead - reaching).max(0);
            }
            if fill > 0 {
                used += fill;
                hits.push(self.execute(side, at, index, price, fill));
            }
        }
        if used > 0 {
            self.drop_if_empty(side, at);
            self.touch(side, key_of(side, price));
        }
        lots - used
    }

    /// Replaces recorded quantity at keys below `bound` by `levels`, which are sorted worst first.
    pub(crate) fn replace_recorded(&mut self, side: Side, levels: &[Level], bound: i64, now: Timestamp) {
        let mut fresh = levels.iter().map(|(price, _)| key_of(side, price.0)).peekable();
        let mut gone = Vec::new();
        for slot in self.half(side).slots.iter().filter(|slot| slot.key < bound) {
            while fresh.next_if(|key| *key < slot.key).is_some() {}
            if fresh.peek() != Some(&slot.key) {
                gone.push(slot.key);
            }
        }
        for key in gone.iter().rev() {
            self.set_recorded(side, key_of(side, *key), 0, now);
        }
        for (price, lots) in levels {
            self.set_recorded(side, price.0, lots.0, now);
        }
    }

    /// Orders that a recorded quote has crossed are filled by it, at their own price and up to its quantity, which is gone
    /// from the recorded level then.
    pub(crate) fn uncross(&mut self, side: Side, hits: &mut Vec<Hit>) {
        let other = side.opposite();
        let mut at = self.half(other).slots.len();
        while at > 0 && self.half(side).orders > 0 {
            at -= 1;
            let slot = self.half(other).slots[at];
            let price = key_of(other, slot.key);
            // Only the better of this side's levels can be crossed.
            if self.half(side).slots.last().is_none_or(|best| best.key < key_of(side, price)) {
                return;
            }
            if slot.recorded == 0 {
                continue;
            }
            let left = self.run_over(side, price, false, slot.recorded, hits);
            if left < slot.recorded {
                self.pass_recorded(other, at, slot.recorded - left);
                self.drop_if_empty(other, at);
                self.touch(other, slot.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Resting;

    fn book_with(ahead: i64) -> (Book, u32) {
        let mut book = Book::default();
        book.set_recorded(Side::Buy, 100, ahead, Timestamp(0));
        let order = Resting { order_id: 1, account: None, side: Side::Buy, price: 100, lots: 5, ahead };
        let node = book.rest(&order);
        (book, node)
    }

    #[test]
    fn a_trade_after_the_display_that_already_shows_it_does_not_count_twice() {
        let (mut book, node) = book_with(10);
        book.set_recorded(Side::Buy, 100, 6, Timestamp(1_000));
        assert_eq!(book.nodes[node].ahead, 6);
        let mut hits = Vec::new();
        assert_eq!(book.trade_at(Side::Buy, 100, 4, Timestamp(2_000), &mut hits), 4);
        assert_eq!((book.nodes[node].ahead, hits.len()), (6, 0));
        book.trade_at(Side::Buy, 100, 8, Timestamp(3_000), &mut hits);
        assert_eq!((book.nodes[node].ahead, book.nodes[node].left), (0, 3));
    }

    #[test]
    fn a_display_that_shrank_long_ago_was_a_cancel() {
        let (mut book, node) = book_with(10);
        book.set_recorded(Side::Buy, 100, 6, Timestamp(0));
        let mut hits = Vec::new();
        book.trade_at(Side::Buy, 100, 7, Timestamp(2_000_000), &mut hits);
        assert_eq!((book.nodes[node].ahead, book.nodes[node].left), (0, 4));
    }

    #[test]
    fn an_order_at_an_unseen_level_stands_behind_the_first_display() {
        let mut book = Book::default();
        let order = Resting { order_id: 1, account: None, side: Side::Buy, price: 98, lots: 5, ahead: UNKNOWN };
        let node = book.rest(&order);
        let mut hits = Vec::new();
        book.trade_at(Side::Buy, 98, 3, Timestamp(0), &mut hits);
        book.set_recorded(Side::Buy, 98, 7, Timestamp(0));
        assert_eq!((book.nodes[node].ahead, hits.len()), (7, 0));
    }
}
