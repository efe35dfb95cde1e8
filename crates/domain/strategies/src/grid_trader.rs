//! `grid-trader`: buys at evenly spaced levels below the market, sells each purchase one step above.
//!
//! - Orders are limit orders that only make (`LIMIT_MAKER`). A level buys when the ask is above it, and sells what it holds
//!   at its selling price, or just above the bid where that is higher. A finished sale completes the level's cycle, and it
//!   buys again.
//! - A purchase that executed in part waits for the rest, until the market reaches its selling price: then the rest is
//!   cancelled and what it bought is sold. What is too small to sell stays with the level and goes with its next sale.
//! - An order that came to nothing (refused, denied, cancelled from outside) is tried again after a pause that doubles.
//! - **Moving** (only with `step_pct`): when the whole spread has been more than one step outside the grid for
//!   `reanchor_after` and no level holds anything that can be sold, the open buys are cancelled, and when the last is
//!   gone the grid is laid anew around the middle. While anything is held it does not move: it never averages down with more capital
//!   than its levels have, and never sells below a purchase.
//! - Nothing is decided on a quote older than `max_age`, or on a crossed or empty one.
//!
//! A quote that changes nothing costs six comparisons: `wake` says at which price or time something will.

use nightdesk_market::{Instrument, Quote, Side};
use nightdesk_orders::{OrderKind, Status};
use nightdesk_units::{Micros, Qty, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::grid_level::{key, parse_key};
use crate::grid_params::GridRange;
use crate::{
    Context, Decision, Event, GridLevel, GridParams, GridShape, OrderNews, Placement, RestoreError, SavedState,
    Strategy, StrategyKind, Wants,
};

/// State of `grid-trader`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GridState {
    /// How often the grid has been laid; part of every decision's key.
    pub generation: u32,
    /// Where it lies; `None` before the first quote.
    pub shape: Option<GridShape>,
    /// Its levels, lowest first.
    pub levels: Vec<GridLevel>,
    /// Since when the market has been outside.
    pub outside_since: Option<Timestamp>,
    /// True while the last buys are being cancelled before the grid moves.
    pub moving: bool,
}

/// When the next quote may matter; everything else is skipped.
#[derive(Debug, Clone, Copy)]
struct Wake {
    /// Matters once the ask is above this: a level may buy.
    ask_above: Ticks,
    /// Matters once the bid is at or above this: a purchase in part can be sold, or the market leaves upwards.
    bid_from: Ticks,
    /// Matters once the ask is below this: the market leaves downwards.
    ask_below: Ticks,
    /// Matters while the market is outside, once it is inside again: bid below, or ask above.
    inside: Option<(Ticks, Ticks)>,
    /// Matters from this time on: a pause is over.
    at: Timestamp,
}

impl Wake {
    const NOW: Self = Self {
        ask_above: Ticks(i64::MIN),
        bid_from: Ticks(i64::MIN),
        ask_below: Ticks(i64::MAX),
        inside: None,
        at: Timestamp(i64::MIN),
    };
    const NEVER: Self = Self {
        ask_above: Ticks(i64::MAX),
        bid_from: Ticks(i64::MAX),
        ask_below: Ticks(i64::MIN),
        inside: None,
        at: Timestamp(i64::MAX),
    };

    fn is_due(&self, quote: &Quote, now: Timestamp) -> bool {
        quote.ask > self.ask_above
            || quote.bid >= self.bid_from
            || quote.ask < self.ask_below
            || now >= self.at
            || self.inside.is_some_and(|(low, high)| quote.bid < high && quote.ask > low)
    }
}

/// The strategy.
#[derive(Debug, Clone)]
pub struct GridTrader {
    params: GridParams,
    state: GridState,
    wake: Wake,
    quote: Option<Quote>,
}

impl GridTrader {
    /// A grid that is not laid yet.
    #[must_use]
    pub fn new(params: GridParams) -> Self {
        Self { params, state: GridState::default(), wake: Wake::NOW, quote: None }
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> &GridState {
        &self.state
    }

    /// Does all that can be done at this quote, and works out when to look again.
    fn work(&mut self, quote: &Quote, context: &Context<'_>, out: &mut Vec<Decision>) {
        let usable = quote.bid < quote.ask && quote.bid.0 > 0 && context.now.since(quote.at) <= self.params.max_age;
        if !usable {
            return;
        }
        let middle = Ticks(quote.bid.0 + (quote.ask.0 - quote.bid.0) / 2);
        if self.state.shape.is_none() {
            self.lay(context.instrument, middle);
        }
        self.move_if_left(quote, middle, context, out);
        for i in 0..self.state.levels.len() {
            self.step(i, quote, context, out);
        }
        self.wake = self.next_wake(context);
    }

    /// Lays the grid. What levels of the last one still held in crumbs goes to the new top level.
    fn lay(&mut self, instrument: &Instrument, anchor: Ticks) {
        let crumbs = self.state.levels.iter().fold(Qty::ZERO, |sum, level| sum.add(level.held).unwrap_or(sum));
        let shape = self.params.shape(instrument, anchor);
        let mut levels: Vec<_> =
            (0..shape.levels).map(|i| GridLevel::new(shape.price(i), shape.price(i + 1))).collect();
        if let Some(top) = levels.last_mut() {
            top.held = crumbs;
        }
        let generation = self.state.generation.saturating_add(1);
        self.state = GridState { generation, shape: Some(shape), levels, outside_since: None, moving: false };
    }

    fn move_if_left(&mut self, quote: &Quote, middle: Ticks, context: &Context<'_>, out: &mut Vec<Decision>) {
        let (Some(shape), GridRange::Anchored { reanchor_after, .. }) = (self.state.shape, self.params.range) else {
            return;
        };
        let (low, high) = edges(&shape);
        if quote.ask >= low && quote.bid <= high {
            (self.state.outside_since, self.state.moving) = (None, false);
            return;
        }
        let since = *self.state.outside_since.get_or_insert(context.now);
        let holds =
            self.state.levels.iter().any(|level| sellable(level, level.held, quote, context.instrument).is_some());
        self.state.moving = context.now.since(since) >= reanchor_after && !holds;
        if !self.state.moving {
            return;
        }
        for level in self.state.levels.iter_mut().filter(|level| level.is_buying() && !level.cancelling) {
            level.cancelling = true;
            out.extend(level.order.map(|key| Decision::Cancel { key }));
        }
        if self.state.levels.iter().all(|level| level.order.is_none()) {
            self.lay(context.instrument, middle);
        }
    }

    /// Lets one level do what it can.
    fn step(&mut self, i: usize, quote: &Quote, context: &Context<'_>, out: &mut Vec<Decision>) {
        let (generation, moving, pause) = (self.state.generation, self.state.moving, self.params.retry_after);
        let Some(level) = self.state.levels.get_mut(i) else { return };
        if let Some(key) = level.order {
            let stuck = level.is_buying() && level.partial && quote.bid >= level.sell_at;
            if stuck && !level.cancelling {
                level.cancelling = true;
                out.push(Decision::Cancel { key });
            }
            return;
        }
        if context.now < level.retry_at {
            return;
        }
        let instrument = context.instrument;
        let placement = if let Some((price, qty)) = sellable(level, level.held, quote, instrument) {
            // Sales decided in this very call are not among the context's orders yet.
            let selling = out.iter().fold(context.orders.selling(), |sum, decision| match decision {
                Decision::Place(p) if p.side == Side::Sell => sum.add(p.qty).unwrap_or(sum),
                _ => sum,
            });
            let free = context.position.sub(selling).unwrap_or_default();
            if free < qty && sellable(level, free, quote, instrument).is_none() {
                // The position has not caught up, or somebody else sold it: look again later.
                level.retry_at = context.now + pause;
                return;
            }
            let qty = instrument.qty_down(qty.min(free));
            let kind = OrderKind::LimitMaker { price: instrument.price(price) };
            key(generation, i, level, Side::Sell).map(|key| Placement {
                key,
                side: Side::Sell,
                kind,
                qty,
                reduces: true,
            })
        } else if context.may_add_risk && !moving && quote.ask > level.buy_at {
            let buy = purchase(&self.params, level, quote, instrument);
            if buy.is_none() {
                level.failures = level.failures.saturating_add(1);
                level.retry_at = context.now + backoff(pause, level.failures);
            }
            buy.zip(key(generation, i, level, Side::Buy)).map(|((kind, qty), key)| Placement {
                key,
                side: Side::Buy,
                kind,
                qty,
                reduces: false,
            })
        } else {
            None
        };
        if let Some(placement) = placement {
            level.attempt = level.attempt.saturating_add(1);
            (level.order, level.side) = (Some(placement.key), placement.side);
            (level.partial, level.cancelling) = (false, false);
            out.push(Decision::Place(placement));
        }
    }

    /// Books what an order brought, and frees its level when it is over.
    fn on_order(&mut self, news: &OrderNews, now: Timestamp) -> Option<usize> {
        let order = &news.order;
        let (generation, level_index) = parse_key(order.placement.key)?;
        // A fill of a grid that has moved meanwhile: its crumb goes to the top, as when the grid moved.
        let current = generation == self.state.generation && level_index < self.state.levels.len();
        let i = if current { level_index } else { self.state.levels.len().checked_sub(1)? };
        let pause = self.params.retry_after;
        let level = self.state.levels.get_mut(i)?;
        level.held = level.held.add(news.change).unwrap_or(level.held).max(Qty::ZERO);
        if level.order != Some(order.placement.key) {
            return Some(i);
        }
        level.partial = order.filled.is_positive();
        if level.partial || order.status == Status::Open {
            level.failures = 0;
        }
        if !order.status.is_final() {
            return Some(i);
        }
        level.order = None;
        level.cancelling = false;
        if order.placement.side == Side::Sell && order.status == Status::Filled {
            level.cycle = level.cycle.saturating_add(1);
            level.attempt = 0;
        }
        if order.filled.is_positive() {
            level.retry_at = now;
        } else {
            level.failures = level.failures.saturating_add(1);
            level.retry_at = now + backoff(pause, level.failures);
        }
        Some(i)
    }

    /// Believes the context: an order that is not open is over, and what is not held cannot be sold.
    fn resync(&mut self, context: &Context<'_>) {
        for level in &mut self.state.levels {
            if level.order.is_some_and(|key| context.orders.get(key).is_none()) {
                (level.order, level.cancelling, level.partial) = (None, false, false);
                level.retry_at = context.now;
            }
        }
        let held = self.state.levels.iter().fold(Qty::ZERO, |sum, level| sum.add(level.held).unwrap_or(sum));
        let mut missing = held.sub(context.position.max(Qty::ZERO)).unwrap_or_default();
        for level in self.state.levels.iter_mut().rev().filter(|level| level.held.is_positive()) {
            if !missing.is_positive() {
                break;
            }
            let gone = missing.min(level.held);
            level.held = level.held.sub(gone).unwrap_or_default();
            missing = missing.sub(gone).unwrap_or_default();
        }
        self.wake = Wake::NOW;
    }

    fn next_wake(&self, context: &Context<'_>) -> Wake {
        let mut wake = Wake::NEVER;
        for level in &self.state.levels {
            if level.order.is_some() {
                if level.is_buying() && level.partial && !level.cancelling {
                    wake.bid_from = wake.bid_from.min(level.sell_at);
                }
            } else if context.now < level.retry_at {
                wake.at = wake.at.min(level.retry_at);
            } else if context.may_add_risk {
                wake.ask_above = wake.ask_above.min(level.buy_at);
            } else {
                // Nothing tells when risk may be added again: look once a second.
                wake.at = wake.at.min(context.now + Micros::from_secs(1));
            }
        }
        if let (Some(shape), GridRange::Anchored { reanchor_after, .. }) = (self.state.shape, self.params.range) {
            let (low, high) = edges(&shape);
            match self.state.outside_since {
                None => {
                    wake.ask_below = low;
                    wake.bid_from = wake.bid_from.min(Ticks(high.0.saturating_add(1)));
                }
                Some(since) => {
                    wake.inside = Some((Ticks(low.0.saturating_sub(1)), Ticks(high.0.saturating_add(1))));
                    // Once due it waits for orders to end, or for a holding to be sold: both are events of their own.
                    let due = since + reanchor_after;
                    if due > context.now {
                        wake.at = wake.at.min(due);
                    }
                }
            }
        }
        wake
    }
}

/// One step below the lowest level, one step above the highest sale: beyond them the market has left.
fn edges(shape: &GridShape) -> (Ticks, Ticks) {
    (Ticks(shape.low.0.saturating_sub(shape.step.0)), Ticks(shape.top().0.saturating_add(shape.step.0)))
}

/// Price and quantity at which a level can sell `held`, or `None` when that is too little for an order.
fn sellable(level: &GridLevel, held: Qty, quote: &Quote, instrument: &Instrument) -> Option<(Ticks, Qty)> {
    if !held.is_positive() {
        return None;
    }
    let price = level.sell_at.max(Ticks(quote.bid.0.saturating_add(1)));
    let qty = instrument.qty_down(held);
    let reference = Some(instrument.price(quote.ask));
    instrument.check(Side::Sell, Some(instrument.price(price)), qty, reference).ok()?;
    Some((price, qty))
}

/// The order that a level buys with, or `None` when the filters refuse it.
fn purchase(
    params: &GridParams,
    level: &GridLevel,
    quote: &Quote,
    instrument: &Instrument,
) -> Option<(OrderKind, Qty)> {
    let price = instrument.price(level.buy_at);
    let qty = params.qty(instrument, price)?;
    instrument.check(Side::Buy, Some(price), qty, Some(instrument.price(quote.bid))).ok()?;
    Some((OrderKind::LimitMaker { price }, qty))
}

/// The pause after `failures` in a row.
fn backoff(pause: Micros, failures: u32) -> Micros {
    Micros(pause.0.saturating_mul(1 << failures.saturating_sub(1).min(6)))
}

impl Strategy for GridTrader {
    fn kind(&self) -> StrategyKind {
        StrategyKind::GridTrader
    }

    fn wants(&self) -> Wants {
        Wants { quotes: true, ..Wants::default() }
    }

    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>) {
        match event {
            Event::Quote(quote) => {
                self.quote = Some(*quote);
                if self.wake.is_due(quote, context.now) {
                    self.work(quote, context, out);
                }
            }
            Event::Order(news) => {
                if self.on_order(news, context.now).is_some() {
                    self.wake = Wake::NOW;
                    if let Some(quote) = self.quote {
                        self.work(&quote, context, out);
                    }
                }
            }
            Event::Resync => self.resync(context),
            Event::Backfill(_) | Event::Candle(_) | Event::Trade(_) => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.state.shape.is_some()
    }

    fn save(&self) -> SavedState {
        SavedState::GridTrader(self.state.clone())
    }

    fn restore(&mut self, state: SavedState) -> Result<(), RestoreError> {
        match state {
            SavedState::GridTrader(state) => {
                self.state = state;
                self.wake = Wake::NOW;
                Ok(())
            }
            other => Err(RestoreError { saved: other.kind(), running: self.kind() }),
        }
    }
}

#[cfg(test)]
#[path = "grid_trader_tests.rs"]
mod tests;
