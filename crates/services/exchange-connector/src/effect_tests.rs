//! What the performer asks of the exchange and the store, and when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use nightdesk_env::{NoActivity, SeededEntropy, VirtualClock};
use nightdesk_exchange::{Answer, Balance};
use nightdesk_market::{Candle, Interval};
use nightdesk_orders::ExchangeStatus;
use nightdesk_store::{Batch, ModelStore, StoreError};

use super::*;
use crate::attempt::State;
use crate::test_house::{command, id, report, symbol};

type Orders = Result<Vec<ExecutionReport>, ExchangeError>;

/// What the exchange was asked, and what it answers; the limiter makes everybody wait 10 ms.
#[derive(Clone)]
struct Scripted {
    clock: VirtualClock,
    log: Arc<Mutex<Vec<String>>>,
    orders: Arc<Mutex<VecDeque<Orders>>>,
    trades: Arc<Mutex<Result<u64, ExchangeError>>>,
    balances: Arc<Mutex<Result<(), ExchangeError>>>,
}

fn lost() -> ExchangeError {
    ExchangeError::InDoubt { reason: "lost".to_owned() }
}

fn fill(trade_id: u64) -> Fill {
    Fill {
        trade_id,
        price: "100".parse().unwrap(),
        qty: "1".parse().unwrap(),
        fee: "0".parse().unwrap(),
        fee_asset: "USDT".parse().unwrap(),
        maker: true,
        at: Timestamp(0),
    }
}

impl Scripted {
    fn new() -> Self {
        Self {
            clock: VirtualClock::new(Timestamp(0)),
            log: Arc::default(),
            orders: Arc::default(),
            trades: Arc::new(Mutex::new(Ok(1))),
            balances: Arc::new(Mutex::new(Ok(()))),
        }
    }

    fn say(&self, text: &str) {
        self.log.lock().unwrap().push(format!("{text} at {}", self.clock.now().0 / 1_000));
    }

    fn next_orders(&self) -> Orders {
        self.orders.lock().unwrap().pop_front().unwrap_or(Ok(Vec::new()))
    }

    /// Performs an effect, lets time pass until it is done, and shows what was asked and what came of it.
    fn perform(&self, store: &ModelStore, effect: Effect) -> (String, Event) {
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(1)),
            activity: Arc::new(NoActivity),
        };
        let mut perform = performer(env, Arc::new(self.clone()), Arc::new(store.clone()), Micros::from_secs(2));
        let mut future = perform(effect).unwrap();
        self.say("performed");
        for step in 0..200 {
            if step == 100 {
                // Long enough: the store works again.
                store.set_fault(None);
            }
            if let Some(event) = (&mut future).now_or_never() {
                return (std::mem::take(&mut *self.log.lock().unwrap()).join(", "), event);
            }
            self.clock.advance_to(self.clock.now() + Micros::from_millis(5));
        }
        panic!("the effect did not finish");
    }

    #[track_caller]
    fn check(&self, effect: Effect, expected: Expect) {
        let (asked, event) = self.perform(&ModelStore::new("connector"), effect);
        expected.assert_eq(&format!("{asked}\n=> {}\n", show(&event)));
    }
}

fn show(event: &Event) -> String {
    let view = |reports: &[ExecutionReport]| {
        reports.iter().map(|report| format!("{} {:?}", report.exchange_order_id, report.status)).collect::<Vec<_>>()
    };
    match event {
        Event::Queried { asked_at, result, .. } => {
            let result = result.as_ref().map(|(order, fills)| (order.status, fills.len()));
            format!("asked at {}: {result:?}", asked_at.0 / 1_000)
        }
        Event::Placed { attempt, result, .. } => format!("attempt {attempt}: {}", result.is_ok()),
        Event::Canceled { result, .. } => format!("cancelled: {}", result.is_ok()),
        Event::Reconciled(answer) => {
            let (orders, trades, balances) = (view(&answer.orders), answer.trades.len(), answer.balances.len());
            format!("orders {orders:?}, {trades} trades, {balances} balances, failed {:?}", answer.failed)
        }
        Event::Instruments(result) => format!("instruments: {}", result.is_ok()),
        Event::Admitted { limits, .. } => format!("admitted, weight {}", limits.weight),
        Event::Recalled(_, found) => format!("recalled {:?}", found.as_ref().map(|found| found.0.state)),
        other => format!("{other:?}"),
    }
}

impl Exchange for Scripted {
    fn admit(&self, purpose: Purpose) -> BoxFuture<'static, ()> {
        self.say(&format!("admit {purpose:?}"));
        self.clock.sleep_until("limiter", self.clock.now() + Micros::from_millis(10))
    }

    fn clock_offset(&self) -> ClockOffset {
        ClockOffset { offset: Micros::from_millis(1_000), uncertainty: Micros::from_millis(3) }
    }

    fn limit_usage(&self) -> LimitUsage {
        LimitUsage { weight: 0.5, orders: 0.1 }
    }

    fn instruments(&self, _: &[Symbol]) -> Answer<Vec<Instrument>> {
        self.say("instruments");
        ready(Ok(Vec::new())).boxed()
    }

    fn place(&self, _: &NewOrder, window: Window) -> Answer<Placed> {
        self.say(&format!("place until {}", window.end().0 / 1_000));
        let order = report("a", ExchangeStatus::New);
        ready(Ok(Placed { order, fills: Vec::new() })).boxed()
    }

    fn cancel(&self, _: Symbol, _: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        self.say(&format!("cancel until {}", window.end().0 / 1_000));
        ready(Ok(report("a", ExchangeStatus::Canceled))).boxed()
    }

    fn order(&self, _: Symbol, _: ClientOrderId) -> Answer<ExecutionReport> {
        self.say("order");
        ready(self.next_orders().map(|orders| orders[0])).boxed()
    }

    fn open_orders(&self, _: Symbol) -> Answer<Vec<ExecutionReport>> {
        self.say("open orders");
        ready(self.next_orders()).boxed()
    }

    fn all_orders(&self, _: Symbol, _: Timestamp, purpose: Purpose) -> Answer<Vec<ExecutionReport>> {
        self.say(&format!("all orders, more of them as {purpose:?},"));
        ready(self.next_orders()).boxed()
    }

    fn trades(&self, symbol: Symbol, _: Timestamp, _: Purpose) -> Answer<Vec<AccountTrade>> {
        self.trades_of(symbol, 1)
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>> {
        self.say("trades");
        let side = nightdesk_market::Side::Buy;
        let trade = |id| vec![AccountTrade { symbol, exchange_order_id, side, fill: fill(id) }];
        ready(self.trades.lock().unwrap().clone().map(trade)).boxed()
    }

    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        self.say("balances");
        let (free, locked) = ("5".parse().unwrap(), "0".parse().unwrap());
        let balance = Balance { asset: "USDT".parse().unwrap(), free, locked };
        ready(self.balances.lock().unwrap().clone().map(|()| (Timestamp(9), vec![balance]))).boxed()
    }

    fn candles(&self, _: Symbol, _: Interval, _: Timestamp, _: Timestamp) -> Answer<Vec<Candle>> {
        self.say("candles");
        ready(Ok(Vec::new())).boxed()
    }
}

fn query() -> Effect {
    Effect::Query { symbol: symbol(), id: id("a") }
}

#[test]
fn a_placement_leaves_when_it_is_performed_not_when_it_is_waited_for() {
    let window = Window { timestamp: Timestamp::from_millis(1_000), recv_window: Micros::from_secs(2) };
    let order = command("a", 1, false, false).order;
    Scripted::new().check(
        Effect::Place { order, attempt: 1, window },
        expect![[r#"
        place until 3000 at 0, performed at 0
        => attempt 1: true
    "#]],
    );
}

#[test]
fn a_question_is_dated_after_the_limiter_before_the_request_and_at_its_earliest() {
    let exchange = Scripted::new();
    exchange.orders.lock().unwrap().push_back(Ok(vec![report("a", ExchangeStatus::New)]));
    exchange.check(
        query(),
        expect![[r#"
        performed at 0, admit Query at 0, order at 10
        => asked at 1007: Ok((New, 0))
    "#]],
    );
    exchange.orders.lock().unwrap().push_back(Err(ExchangeError::Rejected { code: -2013, reason: "no".to_owned() }));
    exchange.check(
        query(),
        expect![[r#"
        performed at 10, admit Query at 10, order at 20
        => asked at 1017: Err(Rejected { code: -2013, reason: "no" })
    "#]],
    );
}

#[test]
fn an_executed_order_is_told_with_its_executions_or_not_at_all() {
    let exchange = Scripted::new();
    exchange.orders.lock().unwrap().push_back(Ok(vec![report("a", ExchangeStatus::Filled)]));
    exchange.check(
        query(),
        expect![[r#"
            performed at 0, admit Query at 0, order at 10, admit Query at 10, trades at 20
            => asked at 1007: Ok((Filled, 1))
        "#]],
    );
    exchange.orders.lock().unwrap().push_back(Ok(vec![report("a", ExchangeStatus::Filled)]));
    *exchange.trades.lock().unwrap() = Err(lost());
    exchange.check(
        query(),
        expect![[r#"
            performed at 20, admit Query at 20, order at 30, admit Query at 30, trades at 40
            => asked at 1027: Err(InDoubt { reason: "lost" })
        "#]],
    );
}

#[test]
fn a_cancel_is_signed_after_the_limiter_has_let_it_pass() {
    Scripted::new().check(
        Effect::Cancel { symbol: symbol(), id: id("a") },
        expect![[r#"
        performed at 0, admit Exit at 0, cancel until 3010 at 10
        => cancelled: true
    "#]],
    );
}

#[test]
fn admission_tells_the_use_of_the_limits() {
    Scripted::new().check(
        Effect::Admit { id: id("a"), purpose: Purpose::Place },
        expect![[r#"
        performed at 0, admit Place at 0
        => admitted, weight 0.5
    "#]],
    );
}

fn reconciliation() -> Effect {
    let symbols = vec![symbol(), "ETHUSDT".parse().unwrap()];
    Effect::Reconcile(ReconcileRequest { id: 1, symbols, since: Timestamp(0), urgent: false })
}

#[test]
fn a_comparison_that_trading_waits_for_ranks_as_a_query_in_all_its_pages() {
    let exchange = Scripted::new();
    exchange.orders.lock().unwrap().extend([Ok(Vec::new()), Ok(Vec::new())]);
    let request = ReconcileRequest { id: 1, symbols: vec![symbol()], since: Timestamp(0), urgent: true };
    exchange.check(Effect::Reconcile(request), expect![[r#"
        performed at 0, admit Query at 0, open orders at 10, admit Query at 10, all orders, more of them as Query, at 20, admit Query at 20, trades at 30, admit Query at 30, balances at 40
        => orders [], 1 trades, 1 balances, failed []
    "#]]);
}

fn numbered(exchange_order_id: u64, status: ExchangeStatus) -> ExecutionReport {
    ExecutionReport { exchange_order_id, ..report("a", status) }
}

#[test]
fn the_exchange_s_view_has_the_later_word_on_each_order_and_the_balances_last() {
    let exchange = Scripted::new();
    let open = vec![numbered(1, ExchangeStatus::New), numbered(2, ExchangeStatus::New)];
    let recent = vec![numbered(2, ExchangeStatus::Filled), numbered(3, ExchangeStatus::Canceled)];
    exchange.orders.lock().unwrap().extend([Ok(open), Ok(recent)]);
    exchange.check(reconciliation(), expect![[r#"
        performed at 0, admit Background at 0, open orders at 10, admit Background at 10, all orders, more of them as Background, at 20, admit Background at 20, trades at 30, admit Background at 30, open orders at 40, admit Background at 40, all orders, more of them as Background, at 50, admit Background at 50, trades at 60, admit Background at 60, balances at 70
        => orders ["1 New", "2 Filled", "3 Canceled"], 2 trades, 1 balances, failed []
    "#]]);
}

#[test]
fn what_could_not_be_asked_about_is_named() {
    let exchange = Scripted::new();
    exchange.orders.lock().unwrap().extend([Ok(Vec::new()), Err(lost())]);
    exchange.check(reconciliation(), expect![[r#"
        performed at 0, admit Background at 0, open orders at 10, admit Background at 10, all orders, more of them as Background, at 20, admit Background at 20, open orders at 30, admit Background at 30, all orders, more of them as Background, at 40, admit Background at 40, trades at 50, admit Background at 50, balances at 60
        => orders [], 1 trades, 1 balances, failed [BTCUSDT]
    "#]]);
    *exchange.balances.lock().unwrap() = Err(lost());
    exchange.check(reconciliation(), expect![[r#"
        performed at 60, admit Background at 60, open orders at 70, admit Background at 70, all orders, more of them as Background, at 80, admit Background at 80, trades at 90, admit Background at 90, open orders at 100, admit Background at 100, all orders, more of them as Background, at 110, admit Background at 110, trades at 120, admit Background at 120, balances at 130
        => orders [], 2 trades, 0 balances, failed [BTCUSDT, ETHUSDT]
    "#]]);
}

#[test]
fn instruments_are_asked_for_again_after_a_pause() {
    Scripted::new().check(
        Effect::RetryInstruments(Vec::new()),
        expect![[r#"
            performed at 0, instruments at 500
            => instruments: true
        "#]],
    );
}

#[test]
fn a_forgotten_attempt_is_found_in_the_store_also_when_it_cannot_be_read_at_first() {
    let (exchange, store) = (Scripted::new(), ModelStore::new("connector"));
    let recalled = |store: &ModelStore, name| {
        let (_, event) = exchange.perform(store, Effect::Recall(command(name, 1, false, false)));
        show(&event)
    };
    assert_eq!(recalled(&store, "a"), "recalled None");
    let attempt = Attempt { command: command("a", 2, false, false), window: None, state: State::Absent };
    let batch = Batch { rows: vec![tables::row(&attempt)], ..Batch::default() };
    store.commit(batch).now_or_never().unwrap().unwrap();
    assert_eq!(recalled(&store, "a"), "recalled Some(Absent)");
    store.set_fault(Some(StoreError::Unavailable { place: "connector".to_owned(), detail: "gone".to_owned() }));
    assert_eq!(recalled(&store, "a"), "recalled Some(Absent)", "not found is not what an unreadable store says");
}
