//! The market from a recording, and anonymous orders: liquidity that is nobody's here.
//!
//! A recorded event sets what is displayed ([`crate::display`] tells what that means for orders resting beside it) and
//! prints its trades. Never more than the recorded quantity is filled:
//! - A trade through an order's price fills it first, at its own price; the rest is printed as recorded.
//! - A trade at its price fills it when its queue-ahead is used up.
//! - A quote that crosses it fills it up to the quoted quantity, which is gone from the display then.
//!
//! What an order of ours takes from the display stays taken until the recording tells of that level again. Recorded trades
//! alone do not change the display: the recording's own quotes and depth do. Of a quote and a depth update, the one with
//! the higher update id counts. Depth before the first snapshot, and after a gap until the next one, is held back as the
//! exchange documents it for local books; the best levels come from the quotes meanwhile.

use std::collections::VecDeque;

use nightdesk_market::{DepthSnapshot, DepthUpdate, Level, MarketEvent, Quote, Side, Trade};
use nightdesk_units::{Lots, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::book::{Resting, UNKNOWN, key_of};
use crate::settle::Party;
use crate::sweep::{Hit, Taker};
use crate::tape::push_bounded;
use crate::venue::{Market, Venue};
use crate::{SelfTradePrevention, VenueError, VenueEvent};

/// How far the recording has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// Best bid and ask as last recorded; a newer depth update makes them stale.
    quote: Option<[Level; 2]>,
    quote_id: u64,
    /// `None` while there is no usable depth.
    depth_id: Option<u64>,
    /// Updates that wait for a snapshot they may follow on.
    held: VecDeque<DepthUpdate>,
}

/// A snapshot is asked for within a second or two of ten updates each; older ones are dropped.
const HELD_MAX: usize = 256;

impl Market {
    /// The recorded quantity that an order joining now stands behind.
    pub(crate) fn queue_ahead(&self, side: Side, price: i64) -> i64 {
        let (half, key) = (self.book.half(side), key_of(side, price));
        let recorded = half.find(key).map_or(0, |at| half.slots[at].recorded);
        let unseen = |[bid, ask]: [Level; 2]| {
            let best = if side == Side::Buy { bid } else { ask };
            key < key_of(side, best.0.0)
        };
        let quotes_only = self.recording.depth_id.is_none();
        if recorded == 0 && quotes_only && self.recording.quote.is_some_and(unseen) { UNKNOWN } else { recorded }
    }

    fn quote_from(&mut self, quote: &Quote, now: Timestamp) {
        let known = self.recording.depth_id.unwrap_or(0).max(self.recording.quote_id);
        if quote.update_id != 0 && quote.update_id <= known {
            return;
        }
        self.recording.quote_id = quote.update_id;
        let next = [(quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)];
        let last = self.recording.quote.replace(next);
        let keep_rest = self.recording.depth_id.is_some();
        for (i, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
            let (price, lots) = next[i];
            // An unchanged side says nothing new: what was taken from it stays taken.
            if last.is_none_or(|last| last[i] != next[i]) {
                if lots.0 > 0 {
                    self.book.set_best(side, price.0, lots.0, keep_rest, now);
                } else {
                    self.book.forget_recorded(side);
                }
            }
        }
    }

    /// False on a gap.
    fn depth_from(&mut self, update: &DepthUpdate, now: Timestamp) -> bool {
        let Some(last) = self.recording.depth_id else {
            push_bounded(&mut self.recording.held, update.clone(), HELD_MAX);
            return true;
        };
        if update.last_id <= last {
            return true;
        }
        if update.first_id > last + 1 {
            self.book.forget_recorded(Side::Buy);
            self.book.forget_recorded(Side::Sell);
            let held = [update.clone()].into();
            self.recording = Recording { quote_id: self.recording.quote_id, held, ..Recording::default() };
            return false;
        }
        self.recording.depth_id = Some(update.last_id);
        let bounds = self.stale_bounds(update.last_id);
        for (i, (side, levels)) in [(Side::Buy, &update.bids), (Side::Sell, &update.asks)].into_iter().enumerate() {
            for (price, lots) in levels {
                if key_of(side, price.0) < bounds[i] {
                    self.book.set_recorded(side, price.0, lots.0, now);
                }
            }
        }
        true
    }

    /// False when what was held back does not follow on the snapshot.
    fn snapshot_from(&mut self, snapshot: &DepthSnapshot, now: Timestamp) -> bool {
        if self.recording.depth_id.is_some_and(|last| snapshot.last_id <= last) {
            return true;
        }
        self.recording.depth_id = Some(snapshot.last_id);
        let bounds = self.stale_bounds(snapshot.last_id);
        for (i, (side, levels)) in [(Side::Buy, &snapshot.bids), (Side::Sell, &snapshot.asks)].into_iter().enumerate() {
            // Worst first: each next level then goes to the end of the vector.
            let mut sorted: Vec<Level> = levels.clone();
            sorted.retain(|(price, _)| key_of(side, price.0) < bounds[i]);
            sorted.sort_unstable_by_key(|(price, _)| key_of(side, price.0));
            self.book.replace_recorded(side, &sorted, bounds[i], now);
        }
        let held = std::mem::take(&mut self.recording.held);
        held.iter().all(|update| self.depth_from(update, now))
    }

    /// Keys from which on what is as of `update_id` is older than the last quote. Without a newer quote there is none, and
    /// the quote is stale.
    fn stale_bounds(&mut self, update_id: u64) -> [i64; 2] {
        match self.recording.quote.filter(|_| self.recording.quote_id > update_id) {
            Some([bid, ask]) => [key_of(Side::Buy, bid.0.0), key_of(Side::Sell, ask.0.0)],
            None => {
                self.recording.quote = None;
                [i64::MAX; 2]
            }
        }
    }
}

impl Venue {
    /// Takes a recorded event in. Its prices and quantities count; it happens at `now` (a replay in real time restamps).
    /// Events of instruments that are not traded here are counted and dropped; candles are not used.
    pub fn apply(&mut self, event: &MarketEvent, now: Timestamp, out: &mut Vec<VenueEvent>) {
        let now = self.advance(now);
        let Ok(index) = self.market_index(event.symbol()) else {
            self.counters.foreign_events += 1;
            return;
        };
        self.counters.market_events += 1;
        let market = &mut self.markets[usize::from(index)];
        match event {
            MarketEvent::Quote(quote) => market.quote_from(quote, now),
            MarketEvent::Depth(update) => self.counters.gaps += u64::from(!market.depth_from(update, now)),
            MarketEvent::Snapshot(snapshot) => self.counters.gaps += u64::from(!market.snapshot_from(snapshot, now)),
            MarketEvent::Trade(trade) => return self.apply_trade(index, trade, out),
            MarketEvent::Candle(_) => return,
        }
        if self.book(index).has_orders() {
            let mut hits = std::mem::take(&mut self.hits);
            for side in [Side::Buy, Side::Sell] {
                self.book(index).uncross(side, &mut hits);
                self.settle_recorded(index, side.opposite(), &mut hits, out);
            }
            self.hits = hits;
        }
        self.conclude(index, out);
    }

    fn apply_trade(&mut self, index: u16, trade: &Trade, out: &mut Vec<VenueEvent>) {
        let (resting, taking) = if trade.buyer_is_maker { (Side::Buy, Side::Sell) } else { (Side::Sell, Side::Buy) };
        let (price, mut left, now) = (trade.price.0, trade.qty.0, self.now);
        if self.book(index).half(resting).orders > 0 {
            let mut hits = std::mem::take(&mut self.hits);
            let book = self.book(index);
            left = book.run_over(resting, price, true, left, &mut hits);
            left = book.trade_at(resting, price, left, now, &mut hits);
            self.settle_recorded(index, taking, &mut hits, out);
            self.hits = hits;
        }
        if left > 0 {
            let printed = self.print(index, Party { order_id: 0, account: None, side: taking }, 0, (price, left));
            if self.config.publish_market {
                out.push(VenueEvent::Trade(printed));
            }
        }
        self.conclude(index, out);
    }

    fn settle_recorded(&mut self, index: u16, side: Side, hits: &mut Vec<Hit>, out: &mut Vec<VenueEvent>) {
        self.settle(index, Party { order_id: 0, account: None, side }, hits, &mut Vec::new(), out);
    }

    /// Places an anonymous order, at a price or (`None`) at whatever the book offers. Returns its id when some of it rests.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn place_external(
        &mut self,
        symbol: Symbol,
        side: Side,
        price: Option<Ticks>,
        qty: Lots,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Option<u64>, VenueError> {
        let index = self.market_index(symbol)?;
        self.advance(now);
        let order_id = self.next_order_id;
        self.next_order_id += 1;
        let limit = price.map(|price| price.0);
        let stp = SelfTradePrevention::None;
        let mut taker = Taker { side, limit, lots: qty.0.max(0), quote: None, account: None, stp };
        let mut hits = std::mem::take(&mut self.hits);
        self.book(index).take(&mut taker, &mut hits);
        self.settle(index, Party { order_id, account: None, side }, &mut hits, &mut Vec::new(), out);
        self.hits = hits;
        let mut resting = None;
        if let Some(price) = limit.filter(|price| taker.lots > 0 && *price > 0) {
            let ahead = self.markets[usize::from(index)].queue_ahead(side, price);
            let node = Resting { order_id, account: None, side, price, lots: taker.lots, ahead };
            let node = self.book(index).rest(&node);
            self.external.insert(order_id, (index, node));
            resting = Some(order_id);
        }
        self.conclude(index, out);
        Ok(resting)
    }

    /// True while the anonymous order rests.
    pub(crate) fn rests(&self, order_id: u64) -> bool {
        self.external.contains_key(&order_id)
    }

    /// Cancels an anonymous order; false when it is no longer there.
    pub fn cancel_external(&mut self, order_id: u64, now: Timestamp, out: &mut Vec<VenueEvent>) -> bool {
        let Some((index, node)) = self.external.remove(&order_id) else { return false };
        self.advance(now);
        self.book(index).cancel(node);
        self.conclude(index, out);
        true
    }
}
