//! What the venue answers when asked.

use nightdesk_market::{Instrument, Interval, Quote, Side};
use nightdesk_units::{Symbol, Ticks, Timestamp};

use crate::order::Order;
use crate::tape::AVERAGE_SPAN;
use crate::venue::Venue;
use crate::{
    AccountId, Average, BalanceView, Counters, DepthView, FillQuery, FillView, Kline, Ledger, MarketTrade, OrderQuery,
    OrderRef, OrderView, Ticker, VenueError,
};

impl Venue {
    /// Everything the account ever held, by name.
    ///
    /// # Errors
    /// `UnknownAccount`.
    pub fn balances(&self, account: AccountId) -> Result<Vec<BalanceView>, VenueError> {
        let account = self.account(account)?;
        Ok(account.balances.keys().map(|asset| account.view(*asset)).collect())
    }

    /// An instrument.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn instrument(&self, symbol: Symbol) -> Result<&Instrument, VenueError> {
        self.market(symbol).map(|market| &market.instrument)
    }

    /// An order, open or not; by client order id, the newest that carried it.
    ///
    /// # Errors
    /// `NoSuchOrder`, also when it ended so long ago that it was dropped; `UnknownAccount`, `InvalidSymbol`.
    pub fn order(&self, account: AccountId, symbol: Symbol, order: OrderRef) -> Result<OrderView, VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        self.find(account, index, order).and_then(|id| self.order_view(id)).ok_or(VenueError::NoSuchOrder)
    }

    /// Open orders of one instrument or of all, oldest first.
    ///
    /// # Errors
    /// `UnknownAccount`, `InvalidSymbol`.
    pub fn open_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Result<Vec<OrderView>, VenueError> {
        self.account(account)?;
        let indices = match symbol {
            Some(symbol) => vec![self.market_index(symbol)?],
            None => self.symbols.values().copied().collect(),
        };
        let open = indices.into_iter().flat_map(|index| self.open_of(account, index));
        let mut views: Vec<OrderView> = open.filter_map(|(id, _)| self.order_view(id)).collect();
        views.sort_unstable_by_key(|order| order.order_id);
        Ok(views)
    }

    /// Orders, open or not, oldest first.
    ///
    /// # Errors
    /// `UnknownAccount`, `InvalidSymbol`.
    pub fn all_orders(
        &self,
        account: AccountId,
        symbol: Symbol,
        query: OrderQuery,
    ) -> Result<Vec<OrderView>, VenueError> {
        self.account(account)?;
        let index = self.market_index(symbol)?;
        let wanted = |order: &Order| {
            let started = query.start.is_none_or(|start| order.created_at.max(order.updated_at) >= start);
            let ended = query.end.is_none_or(|end| order.created_at <= end);
            order.account == account && order.market == index && started && ended
        };
        let found = self.orders.range(query.from_id.unwrap_or(0)..).filter(|(_, order)| wanted(order));
        Ok(if query.from_id.is_some() || query.start.is_some() {
            found.take(query.limit).filter_map(|(id, _)| self.order_view(*id)).collect()
        } else {
            latest(found.rev().take(query.limit).filter_map(|(id, _)| self.order_view(*id)))
        })
    }

    /// Executions of the account's orders, oldest first.
    ///
    /// # Errors
    /// `UnknownAccount`, `InvalidSymbol`.
    pub fn fills(&self, account: AccountId, symbol: Symbol, query: FillQuery) -> Result<Vec<FillView>, VenueError> {
        let holder = self.account(account)?;
        let index = self.market_index(symbol)?;
        let instrument = &self.markets[usize::from(index)].instrument;
        let born = query.order_id.and_then(|id| self.orders.get(&id)).map(|order| order.created_at);
        let start = query.start.max(born);
        let from = start.map_or(0, |start| holder.fills.partition_point(|fill| fill.at < start));
        let found = holder.fills.range(from..).filter(|fill| {
            fill.market == index
                && query.order_id.is_none_or(|id| fill.order_id == id)
                && query.from_id.is_none_or(|id| fill.trade_id >= id)
                && query.end.is_none_or(|end| fill.at <= end)
        });
        let views = found.map(|fill| fill.view(account, instrument));
        Ok(if query.from_id.is_some() || query.start.is_some() {
            views.take(query.limit).collect()
        } else {
            latest(views.rev().take(query.limit))
        })
    }

    /// Book levels, `limit` of each side, best first.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn depth(&self, symbol: Symbol, limit: usize) -> Result<DepthView, VenueError> {
        let book = &self.market(symbol)?.book;
        let (bids, asks) = (book.levels(Side::Buy, limit), book.levels(Side::Sell, limit));
        Ok(DepthView { last_id: book.update_id, bids, asks })
    }

    /// Best bid and ask; price and quantity are zero for an empty side.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn best(&self, symbol: Symbol) -> Result<Quote, VenueError> {
        self.market(symbol).map(|market| market.quote(self.now))
    }

    /// Market trades, oldest first: from `from_id` on, else the most recent.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn trades(&self, symbol: Symbol, from_id: Option<u64>, limit: usize) -> Result<Vec<MarketTrade>, VenueError> {
        let trades = &self.market(symbol)?.tape.trades;
        let from = match from_id {
            Some(id) => trades.partition_point(|trade| trade.id < id),
            None => trades.len().saturating_sub(limit),
        };
        Ok(trades.range(from..).take(limit).copied().collect())
    }

    /// Candles, oldest first, the one in progress included. `start` and `end` bound the open time, both inclusive; without
    /// `start`, the most recent `limit` up to `end`. A span without a trade is flat at the last close.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn klines(
        &self,
        symbol: Symbol,
        interval: Interval,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Kline>, VenueError> {
        Ok(self.market(symbol)?.tape.klines(interval, (start, end), limit, now.max(self.now)))
    }

    /// Statistics of the last 24 hours; `None` before the first trade.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn ticker(&self, symbol: Symbol, now: Timestamp) -> Result<Option<Ticker>, VenueError> {
        Ok(self.market(symbol)?.tape.ticker(now.max(self.now)))
    }

    /// The average price that filters use; `None` before the first trade.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn average(&self, symbol: Symbol, now: Timestamp) -> Result<Option<Average>, VenueError> {
        let market = self.market(symbol)?;
        let minutes = u32::try_from(AVERAGE_SPAN.0 / 60_000_000).unwrap_or_default();
        let (price, last) = (market.reference(now.max(self.now)), market.tape.last);
        Ok(price.zip(last).map(|(price, last)| Average { minutes, price, last_trade_at: last.at }))
    }

    /// The price of the last trade; `None` before the first.
    ///
    /// # Errors
    /// `InvalidSymbol`.
    pub fn last_price(&self, symbol: Symbol) -> Result<Option<Ticks>, VenueError> {
        Ok(self.market(symbol)?.tape.last.map(|trade| trade.price))
    }

    /// What the venue has done.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Where each asset's money has gone.
    #[must_use]
    pub fn ledger(&self) -> Vec<Ledger> {
        self.books.view()
    }

    pub(crate) fn find(&self, account: AccountId, market: u16, order: OrderRef) -> Option<u64> {
        let id = match order {
            OrderRef::Id(id) => id,
            OrderRef::Client(client) => *self.newest.get(&(account, market, client))?,
        };
        let found = self.orders.get(&id)?;
        (found.account == account && found.market == market).then_some(id)
    }

    pub(crate) fn open_of(&self, account: AccountId, market: u16) -> impl Iterator<Item = (u64, &Order)> {
        let open = self.open.range((account, market, 0)..=(account, market, u64::MAX));
        open.filter_map(|(_, _, id)| self.orders.get(id).map(|order| (*id, order)))
    }
}

/// What was found newest first, oldest first.
fn latest<T>(found: impl Iterator<Item = T>) -> Vec<T> {
    let mut found: Vec<T> = found.collect();
    found.reverse();
    found
}
