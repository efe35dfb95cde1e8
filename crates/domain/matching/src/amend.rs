//! Amending: an open order gives up a part of its quantity and keeps its place in the queue.

use nightdesk_market::{FilterFailure, Side};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Lots, Qty, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::made_up_id;
use crate::order::{Order, notional};
use crate::{AccountId, Execution, OrderRef, OrderView, Venue, VenueError, VenueEvent};

/// The most amendments of one order (`MAX_NUM_ORDER_AMENDS`).
pub const MAX_AMENDS: usize = 10;

/// One amendment of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// Number of the report that told it.
    pub execution_id: u64,
    /// The order's id before.
    pub old_id: ClientOrderId,
    /// The order's id since.
    pub new_id: ClientOrderId,
    /// Base quantity before.
    pub old_qty: Qty,
    /// Base quantity since.
    pub new_qty: Qty,
    /// When.
    pub at: Timestamp,
}

impl Venue {
    /// Reduces the quantity of an open order to `qty`; what has executed counts. The order gets the id `new_id`, made up when
    /// absent; its own may be given again.
    ///
    /// # Errors
    /// `UnknownOrder` when no such order is open; `NotReduced`; `Filter` for the new quantity or too many amendments;
    /// `DuplicateOrder` when another open order has `new_id`; `UnknownAccount`, `InvalidSymbol`.
    #[allow(clippy::too_many_arguments, reason = "the request's own parameters")]
    pub fn amend(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        order: OrderRef,
        qty: Qty,
        new_id: Option<ClientOrderId>,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(OrderView, Amendment), VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        let order_id = self.find(account, index, order).ok_or(VenueError::UnknownOrder)?;
        let open = self.orders.get(&order_id).filter(|order| order.status.is_open()).ok_or(VenueError::UnknownOrder)?;
        let old_id = open.client_order_id;
        let given_up = self.given_up(open, qty, now)?;
        if let Some(id) = new_id.filter(|id| *id != old_id) {
            self.check_duplicate(account, index, id)?;
        }
        let (at, execution_id) = (self.advance(now), self.next_execution_id);
        let new_id = new_id.unwrap_or_else(|| made_up_id("a", execution_id));
        let instrument = &self.markets[usize::from(index)].instrument;
        let Some(order) = self.orders.get_mut(&order_id) else { return Err(VenueError::UnknownOrder) };
        let old_qty = instrument.qty(Lots(order.lots));
        order.lots -= given_up;
        (order.client_order_id, order.updated_at) = (new_id, at);
        let amendment = Amendment { execution_id, old_id, new_id, old_qty, new_qty: qty, at };
        order.amendments.push(amendment);
        let (node, freed) = (order.node, instrument.qty(Lots(given_up)));
        let (asset, amount) = match order.side {
            Side::Buy => (instrument.quote, notional(instrument.price(Ticks(order.price)), freed).get()),
            Side::Sell => (instrument.base, freed.get()),
        };
        if let Some(holder) = self.accounts.get_mut(&account) {
            holder.lock(asset, -amount);
        }
        self.book(index).reduce(node, given_up);
        self.newest.remove(&(account, index, old_id));
        self.newest.insert((account, index, new_id), order_id);
        self.mark_moved(account, index);
        self.report(order_id, Execution::Replaced, None, Some(old_id), out);
        self.conclude(index, out);
        self.order_view(order_id).map(|view| (view, amendment)).ok_or(VenueError::UnknownOrder)
    }

    /// The lots that an order of `qty` instead gives up.
    fn given_up(&self, order: &Order, qty: Qty, now: Timestamp) -> Result<i64, VenueError> {
        let market = &self.markets[usize::from(order.market)];
        let lots = market.instrument.scale.lots(qty).map_err(|_| FilterFailure("LOT_SIZE"))?.0;
        if lots >= order.lots || lots <= order.filled {
            return Err(VenueError::NotReduced);
        }
        let price = market.instrument.price(Ticks(order.price));
        market.instrument.check(order.side, Some(price), qty, market.reference(now))?;
        if order.amendments.len() >= MAX_AMENDS {
            return Err(FilterFailure("MAX_NUM_ORDER_AMENDS").into());
        }
        Ok(order.lots - lots)
    }

    /// An order's amendments, oldest first.
    ///
    /// # Errors
    /// `NoSuchOrder`, `UnknownAccount`, `InvalidSymbol`.
    pub fn amendments(&self, account: AccountId, symbol: Symbol, order_id: u64) -> Result<Vec<Amendment>, VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        let found = self.find(account, index, OrderRef::Id(order_id)).and_then(|id| self.orders.get(&id));
        found.map(|order| order.amendments.clone()).ok_or(VenueError::NoSuchOrder)
    }
}
