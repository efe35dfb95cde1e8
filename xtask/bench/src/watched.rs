//! Store and exchange as the services know them, with an eye on what passes through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use nightdesk_env::Clock;
use nightdesk_exchange::{
    AccountTrade, Answer as Reply, Balance, ClockOffset, Exchange, LimitUsage, NewOrder, Placed, Purpose, Window,
};
use nightdesk_market::{Candle, Instrument, Interval};
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_store::{Answer, Batch, JournalRow, Recovered, Select, Store, Value};
use nightdesk_units::{Symbol, Timestamp};

/// What has been committed, over all stores.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) commits: AtomicU64,
    pub(crate) journal: AtomicU64,
    pub(crate) outbox: AtomicU64,
    pub(crate) rows: AtomicU64,
    /// Placements on record: each was durable when it was counted.
    pub(crate) attempts: AtomicU64,
}

/// Figures of a [`Tally`] at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) commits: u64,
    pub(crate) journal: u64,
    pub(crate) outbox: u64,
    pub(crate) rows: u64,
}

impl Tally {
    pub(crate) fn now(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            commits: read(&self.commits),
            journal: read(&self.journal),
            outbox: read(&self.outbox),
            rows: read(&self.rows),
        }
    }
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            commits: self.commits - before.commits,
            journal: self.journal - before.journal,
            outbox: self.outbox - before.outbox,
            rows: self.rows - before.rows,
        }
    }
}

/// A store whose commits are counted once they are durable.
pub(crate) struct WatchedStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tally: Arc<Tally>,
}

impl Store for WatchedStore {
    fn recover(&self) -> Answer<Recovered> {
        self.store.recover()
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let attempts = batch.journal.iter().filter(|row| row.kind == "attempted").count();
        let sizes = [batch.journal.len(), batch.outbox.len(), batch.rows.len(), attempts];
        let (done, tally) = (self.store.commit(batch), Arc::clone(&self.tally));
        Box::pin(async move {
            done.await?;
            tally.commits.fetch_add(1, Ordering::Relaxed);
            for (counter, size) in [&tally.journal, &tally.outbox, &tally.rows, &tally.attempts].into_iter().zip(sizes)
            {
                counter.fetch_add(size as u64, Ordering::SeqCst);
            }
            Ok(())
        })
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        self.store.journal(stream, after, limit)
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<Value>>> {
        self.store.select(select)
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        self.store.oldest_outbox()
    }
}

/// What has been sent to the exchange.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    placed: AtomicU64,
    /// Placements that left before their attempt was durable.
    pub(crate) too_soon: AtomicU64,
    times: Mutex<Vec<(ClientOrderId, Timestamp)>>,
}

impl Sent {
    /// Every placement, and when it left.
    pub(crate) fn take(&self) -> Vec<(ClientOrderId, Timestamp)> {
        std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An exchange whose placements are timed as they leave.
pub(crate) struct WatchedExchange {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) sent: Arc<Sent>,
}

impl Exchange for WatchedExchange {
    fn admit(&self, purpose: Purpose) -> BoxFuture<'static, ()> {
        self.exchange.admit(purpose)
    }

    fn clock_offset(&self) -> ClockOffset {
        self.exchange.clock_offset()
    }

    fn limit_usage(&self) -> LimitUsage {
        self.exchange.limit_usage()
    }

    fn instruments(&self, symbols: &[Symbol]) -> Reply<Vec<Instrument>> {
        self.exchange.instruments(symbols)
    }

    fn place(&self, order: &NewOrder, window: Window) -> Reply<Placed> {
        let placed = self.sent.placed.fetch_add(1, Ordering::SeqCst) + 1;
        if placed > self.tally.attempts.load(Ordering::SeqCst) {
            self.sent.too_soon.fetch_add(1, Ordering::Relaxed);
        }
        let left = (order.client_order_id, self.clock.now());
        self.sent.times.lock().unwrap_or_else(PoisonError::into_inner).push(left);
        self.exchange.place(order, window)
    }

    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Reply<ExecutionReport> {
        self.exchange.cancel(symbol, id, window)
    }

    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Reply<ExecutionReport> {
        self.exchange.order(symbol, id)
    }

    fn open_orders(&self, symbol: Symbol) -> Reply<Vec<ExecutionReport>> {
        self.exchange.open_orders(symbol)
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Reply<Vec<ExecutionReport>> {
        self.exchange.all_orders(symbol, since, purpose)
    }

    fn trades(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Reply<Vec<AccountTrade>> {
        self.exchange.trades(symbol, since, purpose)
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Reply<Vec<AccountTrade>> {
        self.exchange.trades_of(symbol, exchange_order_id)
    }

    fn balances(&self) -> Reply<(Timestamp, Vec<Balance>)> {
        self.exchange.balances()
    }

    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Reply<Vec<Candle>> {
        self.exchange.candles(symbol, interval, from, to)
    }
}
