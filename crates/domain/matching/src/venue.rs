//! The venue's state, its accounts, and what every call ends with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightdesk_market::{Instrument, Quote, Side};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Decimal, Lots, Price, Qty, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::{Account, Books};
use crate::book::Book;
use crate::order::Order;
use crate::recorded::Recording;
use crate::sweep::Hit;
use crate::tape::Tape;
use crate::{
    AccountId, BalanceView, BalancesChanged, Counters, LevelChange, Transfer, VenueConfig, VenueError, VenueEvent,
};

/// The largest balance; sums of many stay far within a decimal's range.
const MAX_BALANCE: Decimal = Decimal::from_parts(0xa4c6_8000, 0x0003_8d7e, 0, false, 0);

/// One instrument's market.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Market {
    pub(crate) instrument: Instrument,
    pub(crate) book: Book,
    pub(crate) tape: Tape,
    pub(crate) recording: Recording,
    /// The best quote as last told.
    told: [i64; 4],
}

impl Market {
    fn new(instrument: Instrument, publish: bool) -> Self {
        let book = Book::new(publish);
        Self { instrument, book, tape: Tape::default(), recording: Recording::default(), told: [0; 4] }
    }

    /// Bid, its quantity, ask, its quantity; zeros for an empty side.
    fn best(&self) -> [i64; 4] {
        let (bid, bid_qty) = self.book.best(Side::Buy).unwrap_or_default();
        let (ask, ask_qty) = self.book.best(Side::Sell).unwrap_or_default();
        [bid, bid_qty, ask, ask_qty]
    }

    pub(crate) fn quote(&self, at: Timestamp) -> Quote {
        let [bid, bid_qty, ask, ask_qty] = self.best();
        Quote {
            symbol: self.instrument.symbol,
            update_id: self.book.update_id,
            bid: Ticks(bid),
            bid_qty: Lots(bid_qty),
            ask: Ticks(ask),
            ask_qty: Lots(ask_qty),
            at,
        }
    }

    /// The average price of the last five minutes, else the last price.
    pub(crate) fn reference(&self, now: Timestamp) -> Option<Price> {
        let (quote, lots) = self.tape.average(now);
        let ticks = |price: Decimal| Price::new(price.saturating_mul(self.instrument.scale.tick));
        let average = || {
            let quote = Decimal::try_from_i128_with_scale(quote, 0).ok()?;
            quote.checked_div(Decimal::try_from_i128_with_scale(lots, 0).ok()?).map(|p| ticks(p.round_dp(8)))
        };
        average().or_else(|| self.tape.last.map(|trade| self.instrument.price(trade.price)))
    }

    fn publish(&mut self, now: Timestamp, out: &mut Vec<VenueEvent>) {
        if !self.book.publishes() {
            return;
        }
        let symbol = self.instrument.symbol;
        for touched in std::mem::take(&mut self.book.touched) {
            let (price, qty) = (Ticks(touched.price), Lots(self.book.total_at(touched.side, touched.price)));
            let change = LevelChange { symbol, side: touched.side, price, qty, update_id: touched.update_id, at: now };
            out.push(VenueEvent::Level(change));
        }
        let best = self.best();
        if best != self.told {
            self.told = best;
            out.push(VenueEvent::Best(self.quote(now)));
        }
    }
}

/// A deterministic exchange.
///
/// Every call that changes something takes the time and appends what happened to `out`. Time never runs back: a call with an
/// earlier time happens at the latest time seen. A refused call changes nothing but [`Counters::rejected`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Venue {
    pub(crate) config: VenueConfig,
    pub(crate) now: Timestamp,
    pub(crate) symbols: BTreeMap<Symbol, u16>,
    pub(crate) markets: Vec<Market>,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) orders: BTreeMap<u64, Order>,
    pub(crate) open: BTreeSet<(AccountId, u16, u64)>,
    /// The newest order with a client order id; only it can be open.
    #[serde(with = "crate::pairs")]
    pub(crate) newest: BTreeMap<(AccountId, u16, ClientOrderId), u64>,
    /// Orders no longer open, in the order in which they ended.
    pub(crate) ended: VecDeque<u64>,
    /// Anonymous resting orders: market and place in the book.
    pub(crate) external: BTreeMap<u64, (u16, u32)>,
    pub(crate) next_order_id: u64,
    pub(crate) next_execution_id: u64,
    pub(crate) counters: Counters,
    pub(crate) books: Books,
    /// Accounts whose balances the call in progress has changed.
    #[serde(skip)]
    pub(crate) moved: Vec<(AccountId, u16)>,
    /// Scratch, so that matching does not allocate.
    #[serde(skip)]
    pub(crate) hits: Vec<Hit>,
}

impl Venue {
    /// A venue without accounts, with empty books.
    #[must_use]
    pub fn new(config: VenueConfig) -> Self {
        let symbols = (0..).zip(&config.instruments).map(|(i, instrument)| (instrument.symbol, i)).collect();
        let markets = config.instruments.iter().map(|i| Market::new(i.clone(), config.publish_market)).collect();
        Self {
            config,
            now: Timestamp(0),
            symbols,
            markets,
            accounts: BTreeMap::new(),
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            newest: BTreeMap::new(),
            ended: VecDeque::new(),
            external: BTreeMap::new(),
            next_order_id: 1,
            next_execution_id: 1,
            counters: Counters::default(),
            books: Books::default(),
            moved: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &VenueConfig {
        &self.config
    }

    /// The latest time it has seen.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Opens an account with the configured fee rates; does nothing when it exists.
    pub fn open_account(&mut self, account: AccountId) {
        let (maker, taker) = (self.config.maker_fee, self.config.taker_fee);
        self.accounts.entry(account).or_insert_with(|| Account::new(maker, taker));
    }

    /// Sets an account's fee rates.
    ///
    /// # Errors
    /// `UnknownAccount`.
    pub fn set_fees(&mut self, account: AccountId, maker: Decimal, taker: Decimal) -> Result<(), VenueError> {
        let account = self.accounts.get_mut(&account).ok_or(VenueError::UnknownAccount)?;
        (account.maker_fee, account.taker_fee) = (maker, taker);
        Ok(())
    }

    /// An account's maker and taker fee rates.
    ///
    /// # Errors
    /// `UnknownAccount`.
    pub fn fees(&self, account: AccountId) -> Result<(Decimal, Decimal), VenueError> {
        self.account(account).map(|account| (account.maker_fee, account.taker_fee))
    }

    /// Deposits, or withdraws when negative.
    ///
    /// # Errors
    /// `UnknownAccount`; `InsufficientBalance` for a withdrawal beyond the free balance; `AmountTooLarge`.
    pub fn deposit(
        &mut self,
        account: AccountId,
        asset: Asset,
        delta: Qty,
        now: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        let held = self.account(account)?.balance(asset);
        let free = held.free.add(delta).map_err(|_| VenueError::AmountTooLarge)?;
        if free.is_negative() {
            return Err(VenueError::InsufficientBalance);
        }
        if free.get() > MAX_BALANCE {
            return Err(VenueError::AmountTooLarge);
        }
        let at = self.advance(now);
        if let Some(account) = self.accounts.get_mut(&account) {
            account.change(asset, delta.get(), Decimal::ZERO);
        }
        self.books.deposit(asset, delta.get());
        out.push(VenueEvent::Transfer(Transfer { account, asset, delta, at }));
        let balances = vec![self.account(account)?.view(asset)];
        out.push(VenueEvent::Balances(Box::new(BalancesChanged { account, balances, at })));
        Ok(())
    }

    pub(crate) fn account(&self, account: AccountId) -> Result<&Account, VenueError> {
        self.accounts.get(&account).ok_or(VenueError::UnknownAccount)
    }

    pub(crate) fn market_index(&self, symbol: Symbol) -> Result<u16, VenueError> {
        // A venue of few instruments is searched faster from the front than as a tree.
        if self.markets.first().is_some_and(|market| market.instrument.symbol == symbol) {
            return Ok(0);
        }
        self.symbols.get(&symbol).copied().ok_or(VenueError::InvalidSymbol)
    }

    pub(crate) fn market(&self, symbol: Symbol) -> Result<&Market, VenueError> {
        self.market_index(symbol).map(|index| &self.markets[usize::from(index)])
    }

    /// Time moves on, never back.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(now);
        self.now
    }

    /// Tells what the call in progress has changed: balances, then the book.
    pub(crate) fn conclude(&mut self, market: u16, out: &mut Vec<VenueEvent>) {
        for (account, index) in std::mem::take(&mut self.moved) {
            let instrument = &self.markets[usize::from(index)].instrument;
            let Some(holder) = self.accounts.get(&account) else { continue };
            let balances: Vec<BalanceView> = [instrument.base, instrument.quote].map(|a| holder.view(a)).into();
            out.push(VenueEvent::Balances(Box::new(BalancesChanged { account, balances, at: self.now })));
        }
        self.markets[usize::from(market)].publish(self.now, out);
    }

    pub(crate) fn mark_moved(&mut self, account: AccountId, market: u16) {
        if !self.moved.contains(&(account, market)) {
            self.moved.push((account, market));
        }
    }
}
