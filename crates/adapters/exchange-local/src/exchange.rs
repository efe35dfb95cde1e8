//! The exchange port.

use futures_util::future::{BoxFuture, FutureExt, ready};
use nightdesk_exchange::{
    AccountTrade, Answer, Balance, ClockOffset, Exchange, ExchangeError, LimitUsage, NewOrder, Placed, Purpose, Window,
};
use nightdesk_market::{Candle, Instrument, Interval};
use nightdesk_matching::{FillQuery, OrderQuery, OrderRef, VenueError};
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_units::{Micros, Symbol, Timestamp};

use crate::convert;
use crate::fault::{Call, CallFate};
use crate::record::Asked;
use crate::venue::{LocalVenue, State, check_window, request};

/// A connection's calls.
#[derive(Clone)]
pub struct LocalExchange {
    venue: LocalVenue,
}

/// An answer as the exchange gives it.
type Given<T> = Result<T, ExchangeError>;

impl LocalExchange {
    pub(crate) fn new(venue: LocalVenue) -> Self {
        Self { venue }
    }

    /// Makes a call when first polled, with whatever fate strikes it. `late` is what arrives when it is delayed beyond the
    /// caller's patience.
    fn call<T: Send + 'static>(
        &self,
        call: Call,
        late: Option<(Asked, Window)>,
        act: impl FnOnce(&mut State, Timestamp) -> Given<T> + Send + 'static,
    ) -> Answer<T> {
        let venue = self.venue.clone();
        async move {
            let fate = venue.lock().fate(call);
            let act = |venue: &LocalVenue| {
                let mut state = venue.lock();
                let now = state.arrive(&*venue.clock);
                act(&mut state, now)
            };
            match fate {
                CallFate::Answer => act(&venue),
                CallFate::LostBefore => Err(in_doubt()),
                CallFate::LostAfter => {
                    // The lost answer may as well have been a refusal: the caller cannot know.
                    let _ = act(&venue);
                    Err(in_doubt())
                }
                CallFate::Late(delay) => {
                    let mut state = venue.lock();
                    let now = state.arrive(&*venue.clock);
                    if let Some((asked, window)) = late {
                        state.send_later(asked, window, now + delay);
                    }
                    Err(in_doubt())
                }
                CallFate::Reject(code, reason) => Err(ExchangeError::Rejected { code, reason }),
                CallFate::Retry(after) => Err(ExchangeError::Retry { after, reason: "Too many requests.".to_owned() }),
                CallFate::SlowRequest(delay) => {
                    pause(&venue, delay).await;
                    act(&venue)
                }
                CallFate::SlowAnswer(delay) => {
                    let answer = act(&venue);
                    pause(&venue, delay).await;
                    answer
                }
            }
        }
        .boxed()
    }

    fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        look: impl FnOnce(&State, Timestamp) -> Result<T, VenueError> + Send + 'static,
    ) -> Answer<T> {
        self.call(Call::Ask(what), None, |state, now| look(state, now).map_err(convert::refused))
    }
}

async fn pause(venue: &LocalVenue, delay: Micros) {
    let at = venue.clock.now() + delay;
    venue.clock.sleep_until("exchange", at).await;
}

fn in_doubt() -> ExchangeError {
    ExchangeError::InDoubt { reason: "no answer from the exchange".to_owned() }
}

/// Changes the venue for a signed request.
fn act(state: &mut State, asked: Asked, window: Window, now: Timestamp) -> Given<Placed> {
    check_window(window, now)?;
    state.check_record()?;
    let placed =
        state.ask(asked, now)?.ok_or(ExchangeError::InDoubt { reason: "no order in the answer".to_owned() })?;
    let order = convert::report(&placed.order, None, placed.order.updated_at);
    Ok(Placed { order, fills: placed.fills.iter().map(convert::fill).collect() })
}

/// Enough for everything that the venue keeps.
const ALL: usize = usize::MAX;

fn fills(state: &State, symbol: Symbol, query: FillQuery) -> Result<Vec<AccountTrade>, VenueError> {
    let fills = state.venue.fills(state.account(), symbol, query)?;
    Ok(fills.iter().map(convert::account_trade).collect())
}

impl Exchange for LocalExchange {
    fn admit(&self, _: Purpose) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }

    fn clock_offset(&self) -> ClockOffset {
        let offset = self.venue.exchange_time().since(self.venue.clock.now());
        ClockOffset { offset, uncertainty: Micros(0) }
    }

    fn limit_usage(&self) -> LimitUsage {
        LimitUsage::default()
    }

    fn instruments(&self, symbols: &[Symbol]) -> Answer<Vec<Instrument>> {
        let symbols = symbols.to_vec();
        self.ask("instruments", move |state, _| {
            if symbols.is_empty() {
                return Ok(state.venue.config().instruments.clone());
            }
            symbols.iter().map(|symbol| state.venue.instrument(*symbol).cloned()).collect()
        })
    }

    fn place(&self, order: &NewOrder, window: Window) -> Answer<Placed> {
        let asked = Asked::Place(request(order));
        let call = Call::Place(order.symbol, order.client_order_id);
        self.call(call, Some((asked, window)), move |state, now| act(state, asked, window, now))
    }

    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        let asked = Asked::Cancel(symbol, id);
        let cancel = move |state: &mut State, now| act(state, asked, window, now).map(|placed| placed.order);
        self.call(Call::Cancel(symbol, id), Some((asked, window)), cancel)
    }

    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Answer<ExecutionReport> {
        self.call(Call::Order(symbol, id), None, move |state, _| {
            let order = state.venue.order(state.account(), symbol, OrderRef::Client(id)).map_err(convert::refused)?;
            Ok(convert::report(&order, None, order.updated_at))
        })
    }

    fn open_orders(&self, symbol: Symbol) -> Answer<Vec<ExecutionReport>> {
        self.ask("open_orders", move |state, _| {
            let orders = state.venue.open_orders(state.account(), Some(symbol))?;
            Ok(orders.iter().map(|order| convert::report(order, None, order.updated_at)).collect())
        })
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp, _: Purpose) -> Answer<Vec<ExecutionReport>> {
        self.ask("all_orders", move |state, _| {
            let query = OrderQuery { start: Some(since), limit: ALL, ..OrderQuery::default() };
            let orders = state.venue.all_orders(state.account(), symbol, query)?;
            Ok(orders.iter().map(|order| convert::report(order, None, order.updated_at)).collect())
        })
    }

    fn trades(&self, symbol: Symbol, since: Timestamp, _: Purpose) -> Answer<Vec<AccountTrade>> {
        let query = FillQuery { start: Some(since), limit: ALL, ..FillQuery::default() };
        self.ask("trades", move |state, _| fills(state, symbol, query))
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>> {
        let query = FillQuery { order_id: Some(exchange_order_id), limit: ALL, ..FillQuery::default() };
        self.ask("trades_of", move |state, _| fills(state, symbol, query))
    }

    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        self.ask("balances", |state, now| {
            let balances = state.venue.balances(state.account())?;
            let held = balances.iter().filter(|b| !b.free.is_zero() || !b.locked.is_zero());
            Ok((now, held.map(convert::balance).collect()))
        })
    }

    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Answer<Vec<Candle>> {
        self.ask("candles", move |state, now| {
            let until = Timestamp(to.0.saturating_sub(1));
            let klines = state.venue.klines(symbol, interval, Some(from), Some(until), ALL, now)?;
            let candles = klines.iter().map(|kline| convert::candle(symbol, interval, kline));
            Ok(candles.filter(|candle| candle.close_at() <= now).collect())
        })
    }
}
