//! One instrument's book: recorded liquidity and resting orders at the same price levels.
//!
//! A level has a *recorded* quantity (displayed by a recording, nobody's order here) and a queue of resting orders in the
//! order of their arrival. Each order remembers how much recorded quantity stands before it (`ahead`); for a market without
//! a recording that is always zero and the queue alone decides. How `ahead` shrinks is told in [`crate::recorded`].

use nightdesk_market::{Level, Side};
use nightdesk_units::{Lots, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::AccountId;
use crate::levels::Levels;
use crate::slab::{NONE, Slab};

/// Queue-ahead of an order at a price whose displayed quantity is not known yet.
pub(crate) const UNKNOWN: i64 = i64::MAX;

/// A resting order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) order_id: u64,
    /// `None` for an anonymous order.
    pub(crate) account: Option<AccountId>,
    pub(crate) left: i64,
    /// Recorded quantity at this level that trades before the order.
    pub(crate) ahead: i64,
    /// Shrinkage of the display that a trade, printed a moment later, may still explain.
    pub(crate) slack: i64,
    pub(crate) slack_at: Timestamp,
    side: Side,
    key: i64,
    prev: u32,
    pub(crate) next: u32,
}

/// A resting order to be.
pub(crate) struct Resting {
    pub(crate) order_id: u64,
    pub(crate) account: Option<AccountId>,
    pub(crate) side: Side,
    pub(crate) price: i64,
    pub(crate) lots: i64,
    pub(crate) ahead: i64,
}

/// The orders of one level.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) head: u32,
    tail: u32,
    pub(crate) total: i64,
}

/// One price. The key grows with priority: the price of a bid, minus the price of an ask.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) key: i64,
    pub(crate) recorded: i64,
    pub(crate) queue: u32,
}

/// One side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Half {
    pub(crate) slots: Levels,
    /// Resting orders on this side.
    pub(crate) orders: usize,
}

impl Half {
    /// Where `key` is, or where it belongs.
    pub(crate) fn find(&self, key: i64) -> Result<usize, usize> {
        self.slots.find(key)
    }
}

/// A level that changed, with the id of the change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touched {
    pub(crate) side: Side,
    pub(crate) price: i64,
    pub(crate) update_id: u64,
}

/// The book.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    bids: Half,
    asks: Half,
    pub(crate) nodes: Slab<Node>,
    pub(crate) queues: Slab<Queue>,
    pub(crate) update_id: u64,
    /// Whether changed levels are collected for publication.
    publish: bool,
    #[serde(skip)]
    pub(crate) touched: Vec<Touched>,
}

pub(crate) const fn key_of(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => price,
        Side::Sell => -price,
    }
}

impl Book {
    pub(crate) fn new(publish: bool) -> Self {
        Self { publish, ..Self::default() }
    }

    pub(crate) fn publishes(&self) -> bool {
        self.publish
    }

    pub(crate) fn half(&self, side: Side) -> &Half {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(crate) fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// True when any order rests, on either side.
    pub(crate) fn has_orders(&self) -> bool {
        self.bids.orders + self.asks.orders > 0
    }

    pub(crate) fn touch(&mut self, side: Side, key: i64) {
        self.update_id += 1;
        if self.publish {
            self.touched.push(Touched { side, price: key_of(side, key), update_id: self.update_id });
        }
    }

    pub(crate) fn slot_total(&self, slot: Slot) -> i64 {
        let queued = if slot.queue == NONE { 0 } else { self.queues[slot.queue].total };
        slot.recorded.saturating_add(queued)
    }

    /// Everything at a price.
    pub(crate) fn total_at(&self, side: Side, price: i64) -> i64 {
        let half = self.half(side);
        half.find(key_of(side, price)).map_or(0, |i| self.slot_total(half.slots[i]))
    }

    /// Best price and its total; `None` for an empty side.
    pub(crate) fn best(&self, side: Side) -> Option<(i64, i64)> {
        self.half(side).slots.last().map(|slot| (key_of(side, slot.key), self.slot_total(*slot)))
    }

    /// Levels, best first.
    pub(crate) fn levels(&self, side: Side, limit: usize) -> Vec<Level> {
        let slots = self.half(side).slots.iter().rev().take(limit);
        slots.map(|slot| (Ticks(key_of(side, slot.key)), Lots(self.slot_total(*slot)))).collect()
    }

    /// Puts an order at the end of its level's queue.
    pub(crate) fn rest(&mut self, order: &Resting) -> u32 {
        let key = key_of(order.side, order.price);
        let node = Node {
            order_id: order.order_id,
            account: order.account,
            left: order.lots,
            ahead: order.ahead,
            slack: 0,
            slack_at: Timestamp(0),
            side: order.side,
            key,
            prev: NONE,
            next: NONE,
        };
        let index = self.nodes.insert(node);
        let at = self.slot_for(order.side, key);
        let queue = self.half(order.side).slots[at].queue;
        if queue == NONE {
            let queue = self.queues.insert(Queue { head: index, tail: index, total: order.lots });
            self.half_mut(order.side).slots[at].queue = queue;
        } else {
            let tail = std::mem::replace(&mut self.queues[queue].tail, index);
            self.queues[queue].total += order.lots;
            self.nodes[tail].next = index;
            self.nodes[index].prev = tail;
        }
        self.half_mut(order.side).orders += 1;
        self.touch(order.side, key);
        index
    }

    /// The place of the level `key`, made when there is none.
    pub(crate) fn slot_for(&mut self, side: Side, key: i64) -> usize {
        let half = self.half_mut(side);
        half.find(key).unwrap_or_else(|at| {
            half.slots.insert(at, Slot { key, recorded: 0, queue: NONE });
            at
        })
    }

    /// Takes an order out of the book.
    pub(crate) fn cancel(&mut self, index: u32) {
        let (side, key) = (self.nodes[index].side, self.nodes[index].key);
        if let Ok(at) = self.half(side).find(key) {
            self.unlink(side, at, index);
            self.drop_if_empty(side, at);
            self.touch(side, key);
        }
    }

    /// Takes `lots` off an order that keeps its place.
    pub(crate) fn reduce(&mut self, index: u32, lots: i64) {
        let (side, key) = (self.nodes[index].side, self.nodes[index].key);
        if let Ok(at) = self.half(side).find(key) {
            let queue = self.half(side).slots[at].queue;
            self.nodes[index].left -= lots;
            self.queues[queue].total -= lots;
            self.touch(side, key);
        }
    }

    /// Takes an order out of its level's queue; the level itself stays.
    pub(crate) fn unlink(&mut self, side: Side, at: usize, index: u32) {
        let queue = self.half(side).slots[at].queue;
        let Node { prev, next, left, .. } = self.nodes[index];
        self.queues[queue].total -= left;
        if prev == NONE {
            self.queues[queue].head = next;
        } else {
            self.nodes[prev].next = next;
        }
        if next == NONE {
            self.queues[queue].tail = prev;
        } else {
            self.nodes[next].prev = prev;
        }
        self.nodes.remove(index);
        if self.queues[queue].head == NONE {
            self.queues.remove(queue);
            self.half_mut(side).slots[at].queue = NONE;
        }
        self.half_mut(side).orders -= 1;
    }

    pub(crate) fn drop_if_empty(&mut self, side: Side, at: usize) {
        let slot = self.half(side).slots[at];
        if slot.recorded == 0 && slot.queue == NONE {
            self.half_mut(side).slots.remove(at);
        }
    }
}
