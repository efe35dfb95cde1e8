//! Requests: the way there, what the exchange does, the way back, and everything that goes wrong in between.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_exchange::{
    AccountTrade, Answer, Balance, ClockOffset, Exchange, ExchangeError, LimitUsage, NewOrder, Placed, Purpose, Window,
};
use nightdesk_market::{Candle, Instrument, Interval};
use nightdesk_matching::{FillQuery, OrderQuery, OrderRef, OrderRequest, RequestKind};
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_units::{Micros, Symbol, Timestamp};

use super::{ACCOUNT, convert};
use crate::coverage::Kind;
use crate::life::{Life, Point};
use crate::slot::Slot;
use crate::world::{Sim, World, never};

/// Before an unanswered request is given up.
pub(crate) const TIMEOUT: Micros = Micros::from_secs(4);

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Read,
    Place,
    Cancel,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    /// When it reaches the exchange; `None`: never.
    pub(crate) there: Option<Micros>,
    /// How long the answer takes back; `None`: it is lost.
    pub(crate) back: Option<Micros>,
    /// When the caller gives up, or hears of a failure on the way.
    pub(crate) failed: Option<(Micros, ExchangeError)>,
}

pub(crate) fn doubt(reason: &str) -> ExchangeError {
    ExchangeError::InDoubt { reason: reason.to_owned() }
}

impl World {
    fn fate_of(&mut self, act: Act) -> Fate {
        if act == Act::Place
            && let Some(fate) = self.aim()
        {
            return fate;
        }
        let now = self.now();
        if self.exchange.banned_until > now {
            let after = self.exchange.banned_until.since(now);
            let error = ExchangeError::Retry { after, reason: "418 banned".to_owned() };
            return Fate { there: None, back: None, failed: Some((Micros::from_millis(20), error)) };
        }
        if self.exchange.maintenance_until > now {
            let error = self.unknown(act, "503 maintenance");
            return Fate { there: None, back: None, failed: Some((Micros::from_millis(40), error)) };
        }
        let (there, back) = (self.way(), self.way());
        let fate = self.misfortune(act, there, back);
        fate.unwrap_or(Fate { there: Some(there), back: Some(back), failed: None })
    }

    fn misfortune(&mut self, act: Act, there: Micros, back: Micros) -> Option<Fate> {
        let net = self.weather.net;
        if net.is_calm() {
            return None;
        }
        let chance = &self.chance.net;
        let quick = Micros(there.0 + back.0);
        let late = chance.millis(300, 9_000);
        let timeout = (TIMEOUT, self.unknown(act, "no answer in time"));
        let reset = (chance.millis(5, 400), self.unknown(act, "connection reset"));
        let gone = if chance.hits(500) { timeout } else { reset };
        let refused = |after: Micros, reason: &str| (quick, ExchangeError::Retry { after, reason: reason.to_owned() });
        let wrong = |reason: &str| (quick, self.unknown(act, reason));
        let table = [
            (net.request_lost, "request lost", None, None, Some(gone.clone())),
            (net.answer_lost, "answer lost", Some(there), None, Some(gone.clone())),
            (net.late, "request late", Some(late), None, Some(gone)),
            (net.error_before, "504, not executed", None, None, Some(wrong("504"))),
            (net.error_after, "504, executed", Some(there), None, Some(wrong("504 -1007"))),
            (net.retry, "429", None, None, Some(refused(chance.millis(500, 12_000), "429"))),
        ];
        for (per_mille, name, there, back, failed) in table {
            if self.chance.net.hits(per_mille) {
                self.fault(name);
                return Some(Fate { there, back, failed });
            }
        }
        if act == Act::Place && self.chance.net.hits(net.reject) {
            self.fault("reject");
            let error = ExchangeError::Rejected { code: -2010, reason: "This action is disabled.".to_owned() };
            return Some(Fate { there: None, back: None, failed: Some((quick, error)) });
        }
        None
    }

    /// A failure of which nobody knows what it means: harmless for a read, doubt for the rest.
    fn unknown(&self, act: Act, reason: &str) -> ExchangeError {
        match act {
            Act::Read => ExchangeError::Retry { after: Micros::from_millis(250), reason: reason.to_owned() },
            Act::Place | Act::Cancel => doubt(reason),
        }
    }

    fn way(&self) -> Micros {
        match self.weather.slow_net {
            Micros(0) => self.chance.net.millis(1, 40),
            Micros(slow) => Micros(self.chance.net.between(1_000, slow)),
        }
    }

    /// Sends a request on its way; it lives on when whoever sent it dies.
    fn send<T: Send + 'static>(
        &mut self,
        act: Act,
        what: &'static str,
        work: impl FnOnce(&mut World) -> Result<T, ExchangeError> + Send + 'static,
    ) -> Answer<T> {
        self.cover.hit(Kind::Effect, what);
        let fate = self.fate_of(act);
        self.note("request", act as u64, || format!("{what} {fate:?}"));
        let slot = Slot::empty();
        if let Some((after, error)) = fate.failed {
            let failed = slot.clone();
            self.plan(after, "request failed", move |_| failed.fill(Err(error)));
        }
        if let Some(there) = fate.there {
            let (answered, back) = (slot.clone(), fate.back);
            self.plan(there, what, move |world| {
                let closed = world.exchange.maintenance_until > world.now();
                let result = if closed { Err(world.unknown(act, "503 maintenance")) } else { work(world) };
                if matches!(&result, Err(ExchangeError::Retry { reason, .. }) if reason.starts_with("-1021")) {
                    world.fault("request outside of its window");
                }
                if let Some(back) = back {
                    world.plan(back, "answer", move |_| answered.fill(result));
                }
            });
        }
        slot.boxed()
    }

    fn place(&mut self, order: &NewOrder, window: Window) -> Result<Placed, ExchangeError> {
        self.in_time(window)?;
        let (at, mut out) = (self.exchange_time(), Vec::new());
        let request = OrderRequest {
            symbol: order.symbol,
            side: order.side,
            kind: RequestKind::of(order.kind, order.qty),
            client_order_id: Some(order.client_order_id),
            stp: None,
        };
        let placed = self.exchange.venue.place(ACCOUNT, &request, at, &mut out);
        self.note("exchange place", u64::from(placed.is_ok()), || format!("{order:?} {placed:?}"));
        let placed = placed.map_err(Self::refusal)?;
        self.judge_accepted(order, placed.order.order_id);
        self.told(&out);
        self.judge_limits();
        self.taken(&placed.order);
        let fills = placed.fills.iter().map(convert::execution).collect();
        Ok(Placed { order: convert::report(&placed.order, None, at), fills })
    }

    fn cancel(&mut self, symbol: Symbol, id: ClientOrderId, window: Window) -> Result<ExecutionReport, ExchangeError> {
        self.in_time(window)?;
        let (at, mut out) = (self.exchange_time(), Vec::new());
        let canceled = self.exchange.venue.cancel(ACCOUNT, symbol, OrderRef::Client(id), None, at, &mut out);
        let (order, _) = canceled.map_err(Self::refusal)?;
        self.told(&out);
        Ok(convert::report(&order, None, at))
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp) -> Result<Vec<ExecutionReport>, ExchangeError> {
        let query = OrderQuery { start: Some(since), limit: usize::MAX, ..OrderQuery::default() };
        let orders = self.exchange.venue.all_orders(ACCOUNT, symbol, query).map_err(Self::refusal)?;
        Ok(orders.iter().map(|order| convert::report(order, None, order.updated_at)).collect())
    }

    fn executions(&self, symbol: Symbol, query: FillQuery) -> Result<Vec<AccountTrade>, ExchangeError> {
        let query = FillQuery { limit: usize::MAX, ..query };
        let fills = self.exchange.venue.fills(ACCOUNT, symbol, query).map_err(Self::refusal)?;
        Ok(fills.iter().map(convert::account_trade).collect())
    }

    fn candles(
        &self,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Candle>, ExchangeError> {
        let now = self.exchange_time();
        let span = interval.span().0.max(1);
        let limit = usize::try_from(to.since(from).0 / span + 1).unwrap_or(0);
        let klines = self.exchange.venue.klines(symbol, interval, Some(from), Some(to), limit, now);
        let klines = klines.map_err(Self::refusal)?;
        let closed = |open: Timestamp| open >= from && open < to && open + interval.span() <= now;
        let closed = klines.iter().filter(|kline| closed(kline.open_at));
        Ok(closed.map(|kline| convert::candle(symbol, interval, kline)).collect())
    }
}

/// A life's hold of the exchange.
pub(crate) struct SimExchange {
    pub(crate) sim: Sim,
    pub(crate) life: Arc<Life>,
}

impl SimExchange {
    fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut World) -> Result<T, ExchangeError> + Send + 'static,
    ) -> Answer<T> {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforeRead) {
            return never();
        }
        world.send(Act::Read, what, work)
    }
}

impl Exchange for SimExchange {
    fn admit(&self, _: Purpose) -> BoxFuture<'static, ()> {
        let mut world = self.sim.lock();
        if self.life.is_over() {
            return never();
        }
        world.cover.hit(Kind::Effect, "admit");
        if world.chance.net.hits(800) {
            return Slot::full(()).boxed();
        }
        let after = world.chance.net.millis(0, 300);
        let slot = Slot::empty();
        let admitted = slot.clone();
        world.plan(after, "admitted", move |_| admitted.fill(()));
        slot.boxed()
    }

    fn clock_offset(&self) -> ClockOffset {
        self.sim.lock().exchange.believed
    }

    fn limit_usage(&self) -> LimitUsage {
        LimitUsage::default()
    }

    fn instruments(&self, symbols: &[Symbol]) -> Answer<Vec<Instrument>> {
        let symbols = symbols.to_vec();
        self.read("instruments", move |world| {
            let instruments = &world.exchange.venue.config().instruments;
            Ok(instruments.iter().filter(|known| symbols.contains(&known.symbol)).cloned().collect())
        })
    }

    fn place(&self, order: &NewOrder, window: Window) -> Answer<Placed> {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforePlace) {
            return never();
        }
        let order = *order;
        world.judge_sent(&order, window);
        let answer = world.send(Act::Place, "place", move |world| world.place(&order, window));
        if world.point(&self.life, Point::AfterPlace) { never() } else { answer }
    }

    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforeCancel) {
            return never();
        }
        let answer = world.send(Act::Cancel, "cancel", move |world| world.cancel(symbol, id, window));
        if world.point(&self.life, Point::AfterCancel) { never() } else { answer }
    }

    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Answer<ExecutionReport> {
        self.read("query order", move |world| {
            let order = world.exchange.venue.order(ACCOUNT, symbol, OrderRef::Client(id)).map_err(World::refusal)?;
            Ok(convert::report(&order, None, order.updated_at))
        })
    }

    fn open_orders(&self, symbol: Symbol) -> Answer<Vec<ExecutionReport>> {
        self.read("open orders", move |world| {
            let orders = world.exchange.venue.open_orders(ACCOUNT, Some(symbol)).map_err(World::refusal)?;
            Ok(orders.iter().map(|order| convert::report(order, None, order.updated_at)).collect())
        })
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp, _: Purpose) -> Answer<Vec<ExecutionReport>> {
        self.read("all orders", move |world| world.all_orders(symbol, since))
    }

    fn trades(&self, symbol: Symbol, since: Timestamp, _: Purpose) -> Answer<Vec<AccountTrade>> {
        let query = FillQuery { start: Some(since), ..FillQuery::default() };
        self.read("executions", move |world| world.executions(symbol, query))
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>> {
        let query = FillQuery { order_id: Some(exchange_order_id), ..FillQuery::default() };
        self.read("query executions", move |world| world.executions(symbol, query))
    }

    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        self.read("balances", |world| {
            let balances = world.exchange.venue.balances(ACCOUNT).map_err(World::refusal)?;
            Ok((world.exchange_time(), balances.iter().map(convert::balance).collect()))
        })
    }

    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Answer<Vec<Candle>> {
        self.read("candles", move |world| world.candles(symbol, interval, from, to))
    }
}
