//! What the connector wants done, what comes of it, and the doing.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightdesk_env::{Clock, Env};
use nightdesk_exchange::{
    AccountTrade, ClockOffset, Exchange, ExchangeError, ExchangeEvent, LimitUsage, NewOrder, Placed, Purpose, Window,
};
use nightdesk_market::Instrument;
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill};
use nightdesk_store::{Select, Store, Value};
use nightdesk_units::{Micros, Symbol, Timestamp};
use nightdesk_wire::{CandleBatch, CandleRequest, Command, ReconcileAnswer, ReconcileRequest, Resolve};

use crate::attempt::Attempt;
use crate::tables;

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Wait for the rate limiter before a placement.
    Admit {
        /// The order.
        id: ClientOrderId,
        /// Its rank.
        purpose: Purpose,
    },
    /// Send a placement; its attempt is on record.
    Place {
        /// The order.
        order: NewOrder,
        /// Which placement of it.
        attempt: u32,
        /// When the exchange may accept it.
        window: Window,
    },
    /// Send a cancel. Repeating it does no harm, so it needs no record.
    Cancel {
        /// Instrument.
        symbol: Symbol,
        /// The order.
        id: ClientOrderId,
    },
    /// Ask how an order stands and what it executed.
    Query {
        /// Instrument.
        symbol: Symbol,
        /// The order.
        id: ClientOrderId,
    },
    /// The same for core-engine, which misses executions.
    Resolve(Resolve),
    /// Look an old order up in our store before its command is judged.
    Recall(Command),
    /// Gather the exchange's view.
    Reconcile(ReconcileRequest),
    /// Fetch candles.
    Candles(CandleRequest),
    /// Fetch the instruments.
    Instruments(Vec<Symbol>),
    /// Wait, then ask for the instruments again.
    RetryInstruments(Vec<Symbol>),
}

/// What comes of effects, and what the exchange says.
#[derive(Debug)]
pub enum Event {
    /// The exchange said something.
    Exchange(ExchangeEvent),
    /// The rate limiter lets a placement pass.
    Admitted {
        /// The order.
        id: ClientOrderId,
        /// The exchange's clock, as last measured.
        offset: ClockOffset,
        /// Use of the limits.
        limits: LimitUsage,
    },
    /// A placement was answered, or not.
    Placed {
        /// The order.
        id: ClientOrderId,
        /// Which placement of it.
        attempt: u32,
        /// The answer.
        result: Result<Placed, ExchangeError>,
    },
    /// A cancel was answered, or not.
    Canceled {
        /// The order.
        id: ClientOrderId,
        /// The answer.
        result: Result<ExecutionReport, ExchangeError>,
    },
    /// A query was answered, or not.
    Queried {
        /// The order.
        id: ClientOrderId,
        /// Exchange time at which the query left, at the earliest.
        asked_at: Timestamp,
        /// The order and its executions.
        result: Result<(ExecutionReport, Vec<Fill>), ExchangeError>,
    },
    /// An old order was looked up.
    Recalled(Command, Option<Recalled>),
    /// The exchange's view.
    Reconciled(ReconcileAnswer),
    /// Candles, or why not.
    Candles(CandleRequest, Result<CandleBatch, ExchangeError>),
    /// The process is about to stop: nothing that adds risk leaves any more.
    Drain,
    /// Instruments, or why not.
    Instruments(Result<Vec<Instrument>, ExchangeError>),
}

/// An attempt found in the store.
#[derive(Debug)]
pub struct Recalled(pub(crate) Attempt);

/// Wait between attempts to learn the instruments at the start.
const INSTRUMENTS_RETRY: Micros = Micros::from_millis(500);

/// Does effects on `exchange` and `store`.
pub fn performer(
    env: Env,
    exchange: Arc<dyn Exchange>,
    store: Arc<dyn Store>,
    recv_window: Micros,
) -> impl FnMut(Effect) -> Option<BoxFuture<'static, Event>> + Send {
    move |effect| {
        let (exchange, store, clock) = (Arc::clone(&exchange), Arc::clone(&store), Arc::clone(&env.clock));
        Some(match effect {
            Effect::Admit { id, purpose } => Box::pin(async move {
                exchange.admit(purpose).await;
                Event::Admitted { id, offset: exchange.clock_offset(), limits: exchange.limit_usage() }
            }),
            Effect::Place { order, attempt, window } => {
                // Called now, not when first polled: the request leaves as soon as its attempt is durable.
                let answer = exchange.place(&order, window);
                Box::pin(async move { Event::Placed { id: order.client_order_id, attempt, result: answer.await } })
            }
            Effect::Cancel { symbol, id } => Box::pin(async move {
                exchange.admit(Purpose::Exit).await;
                let timestamp = clock.now() + exchange.clock_offset().offset;
                Event::Canceled { id, result: exchange.cancel(symbol, id, Window { timestamp, recv_window }).await }
            }),
            Effect::Query { symbol, id } => Box::pin(query(exchange, clock, symbol, id)),
            Effect::Resolve(resolve) => Box::pin(query(exchange, clock, resolve.symbol, resolve.client_order_id)),
            Effect::Recall(command) => Box::pin(recall(store, clock, command)),
            Effect::Reconcile(request) => {
                Box::pin(async move { Event::Reconciled(reconcile(&*exchange, request).await) })
            }
            Effect::Candles(request) => Box::pin(async move {
                exchange.admit(Purpose::Background).await;
                let CandleRequest { symbol, interval, from, to, .. } = request;
                let candles = exchange.candles(symbol, interval, from, to).await;
                Event::Candles(request, candles.map(|candles| CandleBatch { request, candles }))
            }),
            Effect::Instruments(symbols) => {
                Box::pin(async move { Event::Instruments(exchange.instruments(&symbols).await) })
            }
            Effect::RetryInstruments(symbols) => Box::pin(async move {
                clock.sleep_until("exchange-connector", clock.now() + INSTRUMENTS_RETRY).await;
                Event::Instruments(exchange.instruments(&symbols).await)
            }),
        })
    }
}

async fn query(exchange: Arc<dyn Exchange>, clock: Arc<dyn Clock>, symbol: Symbol, id: ClientOrderId) -> Event {
    exchange.admit(Purpose::Query).await;
    let ClockOffset { offset, uncertainty } = exchange.clock_offset();
    let asked_at = clock.now() + offset - uncertainty;
    let result = match exchange.order(symbol, id).await {
        Ok(report) if report.filled.is_positive() => {
            exchange.admit(Purpose::Query).await;
            let trades = exchange.trades_of(symbol, report.exchange_order_id).await;
            trades.map(|trades| (report, trades.into_iter().map(|trade| trade.fill).collect()))
        }
        Ok(report) => Ok((report, Vec::new())),
        Err(error) => Err(error),
    };
    Event::Queried { id, asked_at, result }
}

async fn recall(store: Arc<dyn Store>, clock: Arc<dyn Clock>, command: Command) -> Event {
    let key = Value::from(command.order.client_order_id.as_str());
    loop {
        let select = Select { keys: vec![key.clone()], ..Select::from(&tables::ATTEMPTS, 1) };
        match store.select(select).await {
            Ok(rows) => {
                let attempt = rows.first().and_then(|values| tables::attempt(values));
                return Event::Recalled(command, attempt.map(Recalled));
            }
            // Without the store nobody knows whether the order was sent: it waits.
            Err(_) => clock.sleep_until("exchange-connector", clock.now() + INSTRUMENTS_RETRY).await,
        }
    }
}

async fn reconcile(exchange: &dyn Exchange, request: ReconcileRequest) -> ReconcileAnswer {
    let (mut orders, mut trades, mut failed) = (Vec::new(), Vec::<AccountTrade>::new(), Vec::new());
    let purpose = if request.urgent { Purpose::Query } else { Purpose::Background };
    for symbol in &request.symbols {
        match view(exchange, *symbol, request.since, purpose).await {
            Ok((mut seen, mut executed)) => {
                orders.append(&mut seen);
                trades.append(&mut executed);
            }
            Err(_) => failed.push(*symbol),
        }
    }
    exchange.admit(purpose).await;
    // Balances last: what they show is at least as new as the orders above.
    let (at, balances) = match exchange.balances().await {
        Ok(answer) => answer,
        Err(_) => {
            failed.clone_from(&request.symbols);
            (Timestamp::default(), Vec::new())
        }
    };
    ReconcileAnswer { id: request.id, orders, trades, balances, at, failed }
}

async fn view(
    exchange: &dyn Exchange,
    symbol: Symbol,
    since: Timestamp,
    purpose: Purpose,
) -> Result<(Vec<ExecutionReport>, Vec<AccountTrade>), ExchangeError> {
    exchange.admit(purpose).await;
    let mut orders = exchange.open_orders(symbol).await?;
    exchange.admit(purpose).await;
    let recent = exchange.all_orders(symbol, since, purpose).await?;
    // The later word wins: an order may have ended between the two reads.
    orders.retain(|open| recent.iter().all(|known| known.exchange_order_id != open.exchange_order_id));
    orders.extend(recent);
    exchange.admit(purpose).await;
    Ok((orders, exchange.trades(symbol, since, purpose).await?))
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
