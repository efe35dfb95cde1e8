//! An exchange that is spoken to under a lease: nothing is signed for a time in which another may act.
//!
//! The exchange knows no epochs, but it knows time: what a process sends after it was frozen, the exchange itself refuses,
//! because the request's window ends before the lease does.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use nightdesk_env::Clock;
use nightdesk_exchange::{
    AccountTrade, Answer, Balance, ClockOffset, Exchange, ExchangeError, LimitUsage, NewOrder, Placed, Purpose, Window,
};
use nightdesk_market::{Candle, Instrument, Interval};
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_units::{Micros, Symbol, Timestamp};

use crate::tenure::Until;

/// A window shorter than this would end on the way.
const SHORTEST: Micros = Micros::from_millis(100);
/// After a refusal; by then the lease is renewed or the process has ended.
const LATER: Micros = Micros::from_millis(100);

/// The exchange, for as long as the lease lasts.
pub(crate) struct Leased {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) until: Until,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Leased {
    /// The part of `window` that ends before the lease does.
    fn within(&self, window: Window) -> Result<Window, ExchangeError> {
        let ClockOffset { offset, uncertainty } = self.exchange.clock_offset();
        // Read in this order: a freeze in between makes the rest shorter than it is, never longer.
        let now = self.clock.now();
        let left = Micros::from(self.until.left());
        let most = (now + offset + left - uncertainty).since(window.timestamp);
        if left <= Micros(0) || most < SHORTEST {
            return Err(over());
        }
        Ok(Window { recv_window: window.recv_window.min(most), ..window })
    }

    fn ask<T: Send + 'static>(&self, question: impl FnOnce(&dyn Exchange) -> Answer<T>) -> Answer<T> {
        if self.until.left().is_zero() { ready(Err(over())).boxed() } else { question(&*self.exchange) }
    }
}

fn over() -> ExchangeError {
    ExchangeError::Retry { after: LATER, reason: "our right to act ends: nothing is sent".to_owned() }
}

impl Exchange for Leased {
    fn admit(&self, purpose: Purpose) -> BoxFuture<'static, ()> {
        self.exchange.admit(purpose)
    }

    fn clock_offset(&self) -> ClockOffset {
        self.exchange.clock_offset()
    }

    fn limit_usage(&self) -> LimitUsage {
        self.exchange.limit_usage()
    }

    fn instruments(&self, symbols: &[Symbol]) -> Answer<Vec<Instrument>> {
        self.ask(|exchange| exchange.instruments(symbols))
    }

    fn place(&self, order: &NewOrder, window: Window) -> Answer<Placed> {
        match self.within(window) {
            Ok(window) => self.exchange.place(order, window),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        match self.within(window) {
            Ok(window) => self.exchange.cancel(symbol, id, window),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Answer<ExecutionReport> {
        self.ask(|exchange| exchange.order(symbol, id))
    }

    fn open_orders(&self, symbol: Symbol) -> Answer<Vec<ExecutionReport>> {
        self.ask(|exchange| exchange.open_orders(symbol))
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<ExecutionReport>> {
        self.ask(|exchange| exchange.all_orders(symbol, since, purpose))
    }

    fn trades(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<AccountTrade>> {
        self.ask(|exchange| exchange.trades(symbol, since, purpose))
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>> {
        self.ask(|exchange| exchange.trades_of(symbol, exchange_order_id))
    }

    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        self.ask(|exchange| exchange.balances())
    }

    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Answer<Vec<Candle>> {
        self.ask(|exchange| exchange.candles(symbol, interval, from, to))
    }
}

#[cfg(test)]
#[path = "leased_tests.rs"]
mod tests;
