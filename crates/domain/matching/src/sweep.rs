//! Matching: an incoming order against a side of the book, by price, then time.

use nightdesk_market::Side;

use crate::book::{Book, key_of};
use crate::slab::NONE;
use crate::{AccountId, SelfTradePrevention};

/// An incoming order. Matching takes from its quantities what it executes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taker {
    pub(crate) side: Side,
    /// Limit price; `None` takes any.
    pub(crate) limit: Option<i64>,
    /// Lots still wanted.
    pub(crate) lots: i64,
    /// Quote currency still to be spent or earned, in units of tick × lot.
    pub(crate) quote: Option<i128>,
    /// `None` for an anonymous order.
    pub(crate) account: Option<AccountId>,
    pub(crate) stp: SelfTradePrevention,
}

impl Taker {
    fn accepts(&self, price: i64) -> bool {
        self.limit.is_none_or(|limit| key_of(self.side, price) <= key_of(self.side, limit))
    }

    /// Lots wanted at `price`.
    fn wants(&self, price: i64) -> i64 {
        let Some(quote) = self.quote else { return self.lots };
        let affordable = quote.checked_div(i128::from(price)).unwrap_or(0);
        self.lots.min(i64::try_from(affordable).unwrap_or(i64::MAX))
    }

    fn took(&mut self, price: i64, lots: i64) {
        self.lots -= lots;
        if let Some(quote) = &mut self.quote {
            *quote -= i128::from(price) * i128::from(lots);
        }
    }

    /// What becomes of a meeting with an order of `account`.
    fn meets_itself(&self, account: Option<AccountId>) -> bool {
        self.stp != SelfTradePrevention::None && self.account.is_some() && self.account == account
    }

    fn yields_to_itself(&self) -> bool {
        matches!(self.stp, SelfTradePrevention::ExpireTaker | SelfTradePrevention::ExpireBoth)
    }
}

/// What an order would execute at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) lots: i64,
    /// In units of tick × lot.
    pub(crate) quote: i128,
    /// All that it wants.
    pub(crate) satisfied: bool,
}

/// The resting side of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Recorded liquidity.
    Recorded,
    /// An order, and what is left of it.
    Order { order_id: u64, account: Option<AccountId>, left: i64 },
}

/// What matching found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A trade at the maker's price.
    Trade { price: i64, lots: i64, maker: Maker },
    /// A resting order that self-trade prevention took out.
    Prevented { order_id: u64 },
}

impl Book {
    /// Matches `taker` against the other side. True when self-trade prevention ended the taker.
    pub(crate) fn take(&mut self, taker: &mut Taker, hits: &mut Vec<Hit>) -> bool {
        let side = taker.side.opposite();
        while let Some(slot) = self.half(side).slots.last() {
            let (at, key) = (self.half(side).slots.len() - 1, slot.key);
            let price = key_of(side, key);
            if !taker.accepts(price) || taker.wants(price) == 0 {
                return false;
            }
            let known = hits.len();
            let ended = self.take_level(taker, at, price, hits);
            let slot = self.half(side).slots[at];
            let emptied = slot.recorded == 0 && slot.queue == NONE;
            self.drop_if_empty(side, at);
            if hits.len() > known {
                self.touch(side, key);
            }
            if ended || !emptied {
                return ended;
            }
        }
        false
    }

    fn take_level(&mut self, taker: &mut Taker, at: usize, price: i64, hits: &mut Vec<Hit>) -> bool {
        let side = taker.side.opposite();
        let slot = self.half(side).slots[at];
        let mut passed = 0; // Recorded lots taken.
        let mut next = if slot.queue == NONE { NONE } else { self.queues[slot.queue].head };
        let mut ended = false;
        while next != NONE {
            let index = next;
            next = self.nodes[index].next;
            let before = self.nodes[index].ahead.min(slot.recorded) - passed;
            passed += take_recorded(taker, price, before, hits);
            let lots = taker.wants(price).min(self.nodes[index].left);
            if lots == 0 {
                break;
            }
            if taker.meets_itself(self.nodes[index].account) {
                if taker.stp != SelfTradePrevention::ExpireTaker {
                    hits.push(Hit::Prevented { order_id: self.nodes[index].order_id });
                    self.unlink(side, at, index);
                }
                ended = taker.yields_to_itself();
                if ended {
                    break;
                }
                continue;
            }
            taker.took(price, lots);
            hits.push(self.execute(side, at, index, price, lots));
        }
        if !ended {
            passed += take_recorded(taker, price, slot.recorded - passed, hits);
        }
        self.pass_recorded(side, at, passed);
        ended
    }

    /// Executes `lots` of a resting order.
    pub(crate) fn execute(&mut self, side: Side, at: usize, index: u32, price: i64, lots: i64) -> Hit {
        let queue = self.half(side).slots[at].queue;
        self.nodes[index].left -= lots;
        self.queues[queue].total -= lots;
        let node = &self.nodes[index];
        let (order_id, account, left) = (node.order_id, node.account, node.left);
        if left == 0 {
            self.unlink(side, at, index);
        }
        Hit::Trade { price, lots, maker: Maker::Order { order_id, account, left } }
    }

    /// `lots` of recorded quantity are gone from the front of a level.
    pub(crate) fn pass_recorded(&mut self, side: Side, at: usize, lots: i64) {
        if lots == 0 {
            return;
        }
        let slot = &mut self.half_mut(side).slots[at];
        slot.recorded -= lots;
        let queue = slot.queue;
        let mut next = if queue == NONE { NONE } else { self.queues[queue].head };
        while next != NONE {
            let node = &mut self.nodes[next];
            if node.ahead != crate::book::UNKNOWN {
                node.ahead = (node.ahead - lots).max(0);
            }
            next = node.next;
        }
    }

    /// What `taker` would execute.
    pub(crate) fn estimate(&self, mut taker: Taker) -> Estimate {
        let side = taker.side.opposite();
        let mut estimate = Estimate { lots: 0, quote: 0, satisfied: false };
        for slot in self.half(side).slots.iter().rev() {
            let price = key_of(side, slot.key);
            if !taker.accepts(price) || estimate.satisfied {
                break;
            }
            let (available, ended) = self.available(slot.recorded, slot.queue, &taker);
            let part = taker.wants(price).min(available);
            taker.took(price, part);
            estimate.lots += part;
            estimate.quote += i128::from(price) * i128::from(part);
            estimate.satisfied = taker.wants(price) == 0;
            if ended {
                break;
            }
        }
        estimate
    }

    fn available(&self, recorded: i64, queue: u32, taker: &Taker) -> (i64, bool) {
        if queue == NONE {
            return (recorded, false);
        }
        let (mut sum, mut passed, mut next) = (0_i64, 0_i64, self.queues[queue].head);
        while next != NONE {
            let node = &self.nodes[next];
            let before = (node.ahead.min(recorded) - passed).max(0);
            passed += before;
            sum = sum.saturating_add(before);
            if !taker.meets_itself(node.account) {
                sum = sum.saturating_add(node.left);
            } else if taker.yields_to_itself() {
                return (sum, true);
            }
            next = node.next;
        }
        (sum.saturating_add(recorded - passed), false)
    }

    /// A recorded aggressor of `lots` meets the resting orders at `limit` or better for it, whatever is recorded beside
    /// them; `strict` leaves the limit itself out. Returns what it did not use.
    pub(crate) fn run_over(&mut self, side: Side, limit: i64, strict: bool, mut lots: i64, hits: &mut Vec<Hit>) -> i64 {
        let bound = key_of(side, limit).saturating_add(i64::from(strict));
        let mut at = self.half(side).slots.len();
        while at > 0 && lots > 0 && self.half(side).orders > 0 {
            at -= 1;
            let slot = self.half(side).slots[at];
            if slot.key < bound {
                break;
            }
            if slot.queue == NONE {
                continue;
            }
            let mut next = self.queues[slot.queue].head;
            while next != NONE && lots > 0 {
                let index = next;
                next = self.nodes[index].next;
                let part = lots.min(self.nodes[index].left);
                lots -= part;
                hits.push(self.execute(side, at, index, key_of(side, slot.key), part));
            }
            self.drop_if_empty(side, at);
            self.touch(side, slot.key);
        }
        lots
    }
}

/// Takes up to `available` recorded lots; returns how many.
fn take_recorded(taker: &mut Taker, price: i64, available: i64, hits: &mut Vec<Hit>) -> i64 {
    let lots = taker.wants(price).min(available);
    if lots <= 0 {
        return 0;
    }
    taker.took(price, lots);
    hits.push(Hit::Trade { price, lots, maker: Maker::Recorded });
    lots
}
