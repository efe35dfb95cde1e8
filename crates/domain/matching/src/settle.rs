//! What follows from a match: balances, fees, fills, reports; and the end of orders.

use nightdesk_market::Side;
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Decimal, Lots, Qty, Symbol, Ticks, Timestamp};

use crate::accept::made_up_id;
use crate::book::Book;
use crate::order::{Fill, Order, notional};
use crate::slab::NONE;
use crate::sweep::{Hit, Maker};
use crate::tape::push_bounded;
use crate::venue::Venue;
use crate::{
    AccountId, Execution, FillView, MarketTrade, OrderRef, OrderReport, OrderStatus, OrderView, VenueError, VenueEvent,
};

/// Commissions are cut down to the exchange's eight decimal places.
const COMMISSION_DIGITS: u32 = 8;

/// The incoming side of matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party {
    /// Zero when it is no order here (recorded).
    pub(crate) order_id: u64,
    pub(crate) account: Option<AccountId>,
    pub(crate) side: Side,
}

/// One execution of an account's order.
struct Executed {
    order_id: u64,
    price: i64,
    lots: i64,
    trade_id: u64,
    maker: bool,
    /// The counterparty is no account here.
    outside: bool,
}

impl Venue {
    pub(crate) fn book(&mut self, market: u16) -> &mut Book {
        &mut self.markets[usize::from(market)].book
    }

    /// Carries out what matching found. The taker's fills are added to `fills`.
    pub(crate) fn settle(
        &mut self,
        market: u16,
        taker: Party,
        hits: &mut Vec<Hit>,
        fills: &mut Vec<FillView>,
        out: &mut Vec<VenueEvent>,
    ) {
        for hit in hits.drain(..) {
            match hit {
                Hit::Prevented { order_id } => {
                    self.forget_place(order_id);
                    self.end(order_id, OrderStatus::ExpiredInMatch, Execution::TradePrevention, None, out);
                }
                Hit::Trade { price, lots, maker } => {
                    let (maker_id, maker_account, left) = match maker {
                        Maker::Recorded => (0, None, 0),
                        Maker::Order { order_id, account, left } => (order_id, account, left),
                    };
                    let trade = self.print(market, taker, maker_id, (price, lots));
                    let executed = |order_id, maker, outside| Executed {
                        order_id,
                        price,
                        lots,
                        trade_id: trade.id,
                        maker,
                        outside,
                    };
                    if maker_account.is_some() {
                        self.fill(&executed(maker_id, true, taker.account.is_none()), out);
                    } else if left == 0 {
                        self.external.remove(&maker_id);
                    }
                    if taker.account.is_some() {
                        fills.extend(self.fill(&executed(taker.order_id, false, maker_account.is_none()), out));
                    }
                    if self.config.publish_market {
                        out.push(VenueEvent::Trade(trade));
                    }
                }
            }
        }
    }

    /// Puts a trade on the tape.
    pub(crate) fn print(&mut self, index: u16, taker: Party, maker_id: u64, (price, lots): (i64, i64)) -> MarketTrade {
        self.counters.trades += 1;
        let market = &mut self.markets[usize::from(index)];
        let buyer_is_maker = taker.side == Side::Sell;
        let (buyer, seller) = if buyer_is_maker { (maker_id, taker.order_id) } else { (taker.order_id, maker_id) };
        let trade = MarketTrade {
            symbol: market.instrument.symbol,
            id: market.tape.next_id(),
            price: Ticks(price),
            qty: Lots(lots),
            buyer_order_id: buyer,
            seller_order_id: seller,
            buyer_is_maker,
            at: self.now,
        };
        market.tape.record(&trade, &self.config.history);
        trade
    }

    fn fill(&mut self, executed: &Executed, out: &mut Vec<VenueEvent>) -> Option<FillView> {
        let now = self.now;
        let order = self.orders.get_mut(&executed.order_id)?;
        order.filled += executed.lots;
        order.filled_quote += i128::from(executed.price) * i128::from(executed.lots);
        order.updated_at = now;
        let done = order.filled == order.lots;
        order.status = if done { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let (account, market, side) = (order.account, order.market, order.side);
        let commission = self.exchange_money(executed)?;
        let fill = Fill {
            trade_id: executed.trade_id,
            order_id: executed.order_id,
            market,
            side,
            maker: executed.maker,
            price: executed.price,
            lots: executed.lots,
            commission: Qty::new(commission),
            at: now,
        };
        let view = fill.view(account, &self.markets[usize::from(market)].instrument);
        push_bounded(&mut self.accounts.get_mut(&account)?.fills, fill, self.config.history.fills);
        self.counters.fills += 1;
        self.mark_moved(account, market);
        self.report(executed.order_id, Execution::Trade, Some(view), None, out);
        if done {
            self.forget_place(executed.order_id);
            self.retire(executed.order_id);
        }
        Some(view)
    }

    /// Moves base and quote for one execution; returns the commission, which is taken out of what is received.
    fn exchange_money(&mut self, executed: &Executed) -> Option<Decimal> {
        let order = self.orders.get(&executed.order_id)?;
        let instrument = &self.markets[usize::from(order.market)].instrument;
        let holder = self.accounts.get_mut(&order.account)?;
        let qty = instrument.qty(Lots(executed.lots));
        let quote = notional(instrument.price(Ticks(executed.price)), qty).get();
        let (qty, rate) = (qty.get(), if executed.maker { holder.maker_fee } else { holder.taker_fee });
        let (paid, paid_in, got, got_in) = match order.side {
            Side::Buy => (quote, instrument.quote, qty, instrument.base),
            Side::Sell => (qty, instrument.base, quote, instrument.quote),
        };
        let commission = got.saturating_mul(rate).trunc_with_scale(COMMISSION_DIGITS);
        if order.locks() {
            // A buy locked its limit price; what a better price saves comes free.
            let locked = match order.side {
                Side::Buy => notional(instrument.price(Ticks(order.price)), Qty::new(qty)).get(),
                Side::Sell => qty,
            };
            holder.change(paid_in, locked - paid, -locked);
        } else {
            holder.change(paid_in, -paid, Decimal::ZERO);
        }
        holder.change(got_in, got - commission, Decimal::ZERO);
        self.books.fee(got_in, commission);
        if executed.outside {
            self.books.pay(paid_in, paid);
            self.books.pay(got_in, -got);
        }
        Some(commission)
    }

    /// Ends an order that is not in the book any more: unlocks what it held and tells.
    pub(crate) fn end(
        &mut self,
        order_id: u64,
        status: OrderStatus,
        execution: Execution,
        cancel_id: Option<ClientOrderId>,
        out: &mut Vec<VenueEvent>,
    ) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&order_id) else { return };
        order.status = status;
        order.updated_at = now;
        let (account, market) = (order.account, order.market);
        self.unlock(order_id);
        self.mark_moved(account, market);
        self.report(order_id, execution, None, cancel_id, out);
        self.retire(order_id);
    }

    fn unlock(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(&order_id).filter(|order| order.locks()) else { return };
        let instrument = &self.markets[usize::from(order.market)].instrument;
        let left = instrument.qty(Lots(order.lots - order.filled));
        let Some(holder) = self.accounts.get_mut(&order.account) else { return };
        match order.side {
            Side::Buy => {
                holder.lock(instrument.quote, -notional(instrument.price(Ticks(order.price)), left).get());
            }
            Side::Sell => holder.lock(instrument.base, -left.get()),
        }
    }

    /// The book no longer holds the order.
    fn forget_place(&mut self, order_id: u64) {
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.node = NONE;
            let key = (order.account, order.market, order_id);
            self.open.remove(&key);
        }
    }

    /// Keeps an ended order among the last so many.
    fn retire(&mut self, order_id: u64) {
        self.ended.push_back(order_id);
        while self.ended.len() > self.config.history.final_orders.max(1) {
            let Some(oldest) = self.ended.pop_front() else { return };
            let Some(Order { account, market, client_order_id, .. }) = self.orders.remove(&oldest) else { continue };
            let key = (account, market, client_order_id);
            if self.newest.get(&key) == Some(&oldest) {
                self.newest.remove(&key);
            }
        }
    }

    pub(crate) fn report(
        &mut self,
        order_id: u64,
        execution: Execution,
        fill: Option<FillView>,
        cancel_id: Option<ClientOrderId>,
        out: &mut Vec<VenueEvent>,
    ) {
        let Some(order) = self.order_view(order_id) else { return };
        let execution_id = self.next_execution_id;
        self.next_execution_id += 1;
        let report = OrderReport { order, execution, fill, cancel_id, execution_id, at: self.now };
        out.push(VenueEvent::Order(Box::new(report)));
    }

    pub(crate) fn order_view(&self, order_id: u64) -> Option<OrderView> {
        let order = self.orders.get(&order_id)?;
        Some(order.view(order_id, &self.markets[usize::from(order.market)].instrument))
    }

    /// Cancels an open order. `cancel_id` is the cancel request's own id, made up when absent. Returns the order and that id.
    ///
    /// # Errors
    /// `UnknownOrder` when no such order is open; `UnknownAccount`, `InvalidSymbol`.
    pub fn cancel(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        order: OrderRef,
        cancel_id: Option<ClientOrderId>,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(OrderView, ClientOrderId), VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        let order_id = self.find(account, index, order).ok_or(VenueError::UnknownOrder)?;
        if !self.open.contains(&(account, index, order_id)) {
            return Err(VenueError::UnknownOrder);
        }
        self.advance(now);
        let cancel_id = cancel_id.unwrap_or_else(|| made_up_id("c", self.next_execution_id));
        self.cancel_open(order_id, cancel_id, out);
        self.conclude(index, out);
        self.order_view(order_id).map(|view| (view, cancel_id)).ok_or(VenueError::UnknownOrder)
    }

    /// Cancels all open orders of the account on `symbol`, oldest first; all under one cancel id, which is returned.
    ///
    /// # Errors
    /// `UnknownOrder` when none is open; `UnknownAccount`, `InvalidSymbol`.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(Vec<OrderView>, ClientOrderId), VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        let open: Vec<u64> = self.open_of(account, index).map(|(order_id, _)| order_id).collect();
        if open.is_empty() {
            return Err(VenueError::UnknownOrder);
        }
        self.advance(now);
        let cancel_id = made_up_id("c", self.next_execution_id);
        let mut views = Vec::with_capacity(open.len());
        for order_id in open {
            self.cancel_open(order_id, cancel_id, out);
            views.extend(self.order_view(order_id));
        }
        self.conclude(index, out);
        Ok((views, cancel_id))
    }

    fn cancel_open(&mut self, order_id: u64, cancel_id: ClientOrderId, out: &mut Vec<VenueEvent>) {
        let Some((market, node)) = self.orders.get(&order_id).map(|order| (order.market, order.node)) else { return };
        self.book(market).cancel(node);
        self.forget_place(order_id);
        self.counters.cancels += 1;
        self.end(order_id, OrderStatus::Canceled, Execution::Canceled, Some(cancel_id), out);
    }
}
