//! Placing orders: the checks in the exchange's order, then acceptance.

use nightdesk_market::{FilterFailure, Instrument, Side};
use nightdesk_orders::{ClientOrderId, TimeInForce};
use nightdesk_units::{Asset, Decimal, Lots, Money, Qty, Timestamp};

use crate::book::{Resting, key_of};
use crate::order::{Order, amount, notional};
use crate::settle::Party;
use crate::slab::NONE;
use crate::sweep::{Estimate, Taker};
use crate::venue::{Market, Venue};
use crate::{AccountId, Execution, OrderRequest, OrderStatus, OrderType, Placed, RequestKind, VenueError, VenueEvent};

/// An order that has passed every check.
struct Plan {
    order: Order,
    taker: Taker,
    /// What it locks.
    lock: Option<(Asset, Decimal)>,
    /// FOK, and the book does not hold all of it.
    killed: bool,
}

impl Venue {
    /// Places an order. It is told as `New`, then its executions, then its end if it does not rest.
    ///
    /// # Errors
    /// The refusal, in the exchange's codes and words; nothing has happened then.
    pub fn place(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Placed, VenueError> {
        let now = self.advance(now);
        match self.plan(account, request, now) {
            Ok(plan) => self.accept(plan, out),
            Err(error) => {
                self.counters.rejected += 1;
                Err(error)
            }
        }
    }

    /// Makes every check that [`Venue::place`] makes, and nothing else (`order/test`).
    ///
    /// # Errors
    /// As [`Venue::place`].
    pub fn check(&self, account: AccountId, request: &OrderRequest, now: Timestamp) -> Result<(), VenueError> {
        self.plan(account, request, self.now.max(now)).map(drop)
    }

    fn plan(&self, account: AccountId, request: &OrderRequest, now: Timestamp) -> Result<Plan, VenueError> {
        let index = self.market_index(request.symbol)?;
        self.account(account)?;
        let market = &self.markets[usize::from(index)];
        check_filters(market, request, now)?;
        self.check_max_orders(account, index, market, request)?;
        self.check_max_position(account, index, market, request)?;
        let client_order_id = match request.client_order_id {
            Some(id) => self.check_duplicate(account, index, id)?,
            None => made_up_id("o", self.next_order_id),
        };
        let mut order = order_of(account, index, market, request, now)?;
        order.client_order_id = client_order_id;
        order.stp = request.stp.unwrap_or(self.config.stp);
        let mut taker = taker_of(&order, request, market);
        if order.order_type == OrderType::LimitMaker && would_match(market, order.side, order.price) {
            return Err(VenueError::WouldMatch);
        }
        let estimate = market.book.estimate(taker);
        if order.is_by_quote() {
            if estimate.lots == 0 && market.book.best(order.side.opposite()).is_some() {
                return Err(FilterFailure("LOT_SIZE").into());
            }
            // From here on it is an order by quantity; one that the book cannot satisfy never becomes `Filled`.
            order.lots = if estimate.satisfied { estimate.lots } else { i64::MAX };
            taker.lots = order.lots;
        }
        let need = need(&market.instrument, &order, request, &estimate);
        let asset = if order.side == Side::Buy { market.instrument.quote } else { market.instrument.base };
        if need > self.account(account)?.balance(asset).free.get() {
            return Err(VenueError::InsufficientBalance);
        }
        let lock = order.locks().then_some((asset, need));
        let killed = order.tif == TimeInForce::Fok && !estimate.satisfied;
        Ok(Plan { order, taker, lock, killed })
    }

    fn check_max_orders(
        &self,
        account: AccountId,
        index: u16,
        market: &Market,
        request: &OrderRequest,
    ) -> Result<(), VenueError> {
        let most = usize::try_from(market.instrument.filters.max_open_orders).unwrap_or(usize::MAX);
        let rests = request.kind.order_type() != OrderType::Market;
        if rests && most > 0 && self.open_of(account, index).count() >= most {
            return Err(FilterFailure("MAX_NUM_ORDERS").into());
        }
        Ok(())
    }

    /// Base held (free and locked) plus what open buys and this one would add.
    fn check_max_position(
        &self,
        account: AccountId,
        index: u16,
        market: &Market,
        request: &OrderRequest,
    ) -> Result<(), VenueError> {
        let most = market.instrument.filters.max_position;
        if request.side == Side::Sell || !most.is_positive() {
            return Ok(());
        }
        let held = self.account(account)?.balance(market.instrument.base);
        let buys = self.open_of(account, index).filter(|(_, order)| order.side == Side::Buy);
        let pending: i64 = buys.map(|(_, order)| order.lots - order.filled).sum();
        let parts = [held.free, held.locked, market.instrument.qty(Lots(pending)), request.kind.qty()];
        let sum = parts.iter().try_fold(Qty::ZERO, |sum, part| sum.add(*part));
        if sum.is_ok_and(|sum| sum <= most) { Ok(()) } else { Err(FilterFailure("MAX_POSITION").into()) }
    }

    /// The client-order-id trap: only an *open* order makes an id a duplicate. The id of one that has ended makes a new order.
    pub(crate) fn check_duplicate(
        &self,
        account: AccountId,
        market: u16,
        id: ClientOrderId,
    ) -> Result<ClientOrderId, VenueError> {
        let newest = self.newest.get(&(account, market, id)).and_then(|order_id| self.orders.get(order_id));
        if newest.is_some_and(|order| order.status.is_open()) { Err(VenueError::DuplicateOrder) } else { Ok(id) }
    }

    fn accept(&mut self, plan: Plan, out: &mut Vec<VenueEvent>) -> Result<Placed, VenueError> {
        let Plan { order, mut taker, lock, killed } = plan;
        let (account, index, side, price) = (order.account, order.market, order.side, order.price);
        let rests = order.locks() && order.tif == TimeInForce::Gtc;
        let order_id = self.next_order_id;
        self.next_order_id += 1;
        self.counters.orders += 1;
        if let (Some((asset, need)), Some(holder)) = (lock, self.accounts.get_mut(&account)) {
            holder.lock(asset, need);
        }
        self.newest.insert((account, index, order.client_order_id), order_id);
        self.orders.insert(order_id, order);
        self.mark_moved(account, index);
        self.report(order_id, Execution::New, None, None, out);
        let mut fills = Vec::new();
        let mut prevented = false;
        if !killed {
            let mut hits = std::mem::take(&mut self.hits);
            prevented = self.book(index).take(&mut taker, &mut hits);
            self.settle(index, Party { order_id, account: Some(account), side }, &mut hits, &mut fills, out);
            self.hits = hits;
        }
        if prevented {
            self.end(order_id, OrderStatus::ExpiredInMatch, Execution::TradePrevention, None, out);
        } else if taker.lots > 0 && rests {
            let ahead = self.markets[usize::from(index)].queue_ahead(side, price);
            let resting = Resting { order_id, account: Some(account), side, price, lots: taker.lots, ahead };
            let node = self.book(index).rest(&resting);
            self.open.insert((account, index, order_id));
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.node = node;
            }
        } else if taker.lots > 0 {
            self.end(order_id, OrderStatus::Expired, Execution::Expired, None, out);
        }
        let placed = self.order_view(order_id).map(|order| Placed { order, fills }).ok_or(VenueError::NoSuchOrder);
        self.conclude(index, out);
        placed
    }
}

/// What the order needs of the asset it gives away.
fn need(instrument: &Instrument, order: &Order, request: &OrderRequest, estimate: &Estimate) -> Decimal {
    match (order.side, order.locks()) {
        (Side::Buy, true) => notional(request.kind.price(), request.kind.qty()).get(),
        (Side::Buy, false) if order.is_by_quote() => order.quote_order_qty.get(),
        (Side::Buy, false) => amount(estimate.quote, instrument),
        (Side::Sell, _) if order.is_by_quote() => instrument.qty(Lots(estimate.lots)).get(),
        (Side::Sell, _) => request.kind.qty().get(),
    }
}

fn check_filters(market: &Market, request: &OrderRequest, now: Timestamp) -> Result<(), VenueError> {
    let (instrument, reference) = (&market.instrument, market.reference(now));
    let (side, kind) = (request.side, &request.kind);
    match kind {
        RequestKind::Limit { price, qty, .. } | RequestKind::LimitMaker { price, qty } => {
            instrument.check(side, Some(*price), *qty, reference)?;
        }
        RequestKind::Market { qty } => instrument.check(side, None, *qty, reference)?,
        RequestKind::MarketQuote { quote_qty } => {
            let filters = &instrument.filters;
            let applies = filters.min_notional_applies_to_market;
            if !quote_qty.is_positive() || (applies && *quote_qty < filters.min_notional) {
                return Err(FilterFailure("NOTIONAL").into());
            }
        }
    }
    Ok(())
}

fn order_of(
    account: AccountId,
    index: u16,
    market: &Market,
    request: &OrderRequest,
    now: Timestamp,
) -> Result<Order, VenueError> {
    let scale = &market.instrument.scale;
    let price = scale.ticks(request.kind.price()).map_err(|_| FilterFailure("PRICE_FILTER"))?;
    let lots = scale.lots(request.kind.qty()).map_err(|_| FilterFailure("LOT_SIZE"))?;
    Ok(Order {
        client_order_id: made_up_id("o", 0),
        account,
        market: index,
        side: request.side,
        order_type: request.kind.order_type(),
        tif: request.kind.tif(),
        stp: crate::SelfTradePrevention::default(),
        status: OrderStatus::New,
        price: price.0,
        lots: lots.0,
        quote_order_qty: request.kind.quote_qty(),
        filled: 0,
        filled_quote: 0,
        created_at: now,
        updated_at: now,
        node: NONE,
        amendments: Vec::new(),
    })
}

fn taker_of(order: &Order, request: &OrderRequest, market: &Market) -> Taker {
    let quote = match request.kind {
        RequestKind::MarketQuote { quote_qty } => Some(units_down(quote_qty, market)),
        _ => None,
    };
    Taker {
        side: order.side,
        limit: order.locks().then_some(order.price),
        lots: if quote.is_some() { i64::MAX } else { order.lots },
        quote,
        account: Some(order.account),
        stp: order.stp,
    }
}

/// A quote amount in whole units of tick × lot, rounded down.
fn units_down(amount: Money, market: &Market) -> i128 {
    let scale = &market.instrument.scale;
    let unit = scale.tick.saturating_mul(scale.step);
    amount.get().checked_div(unit).and_then(|units| i128::try_from(units.trunc()).ok()).unwrap_or(i128::MAX)
}

fn would_match(market: &Market, side: Side, price: i64) -> bool {
    let best = market.book.best(side.opposite());
    best.is_some_and(|(best, _)| key_of(side, price) >= key_of(side, best))
}

/// An id for whoever does not bring one: 22 characters, as the exchange's own.
pub(crate) fn made_up_id(prefix: &str, number: u64) -> ClientOrderId {
    let text = format!("{prefix}{number:021}");
    text.parse().unwrap_or_else(|_| unreachable_id())
}

#[allow(clippy::panic, reason = "a letter and 21 digits always parse")]
fn unreachable_id() -> ClientOrderId {
    panic!("a letter and 21 digits are a client order id")
}
