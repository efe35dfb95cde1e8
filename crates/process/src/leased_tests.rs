use std::sync::Mutex;
use std::time::Duration;

use nightdesk_market::Side;
use nightdesk_orders::OrderKind;
use nightdesk_platform_local::SystemClock;

use super::*;
use crate::tenure::running;

/// Writes down the windows it is asked to place in.
#[derive(Default)]
struct Wire(Mutex<Vec<Window>>);

fn silent<T: Send + 'static>() -> Answer<T> {
    ready(Err(ExchangeError::InDoubt { reason: "silent".to_owned() })).boxed()
}

impl Exchange for Wire {
    fn admit(&self, _: Purpose) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
    fn clock_offset(&self) -> ClockOffset {
        ClockOffset { offset: Micros::from_millis(40), uncertainty: Micros::from_millis(5) }
    }
    fn limit_usage(&self) -> LimitUsage {
        LimitUsage::default()
    }
    fn instruments(&self, _: &[Symbol]) -> Answer<Vec<Instrument>> {
        silent()
    }
    fn place(&self, _: &NewOrder, window: Window) -> Answer<Placed> {
        self.0.lock().unwrap().push(window);
        silent()
    }
    fn cancel(&self, _: Symbol, _: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        self.0.lock().unwrap().push(window);
        silent()
    }
    fn order(&self, _: Symbol, _: ClientOrderId) -> Answer<ExecutionReport> {
        silent()
    }
    fn open_orders(&self, _: Symbol) -> Answer<Vec<ExecutionReport>> {
        silent()
    }
    fn all_orders(&self, _: Symbol, _: Timestamp, _: Purpose) -> Answer<Vec<ExecutionReport>> {
        silent()
    }
    fn trades(&self, _: Symbol, _: Timestamp, _: Purpose) -> Answer<Vec<AccountTrade>> {
        silent()
    }
    fn trades_of(&self, _: Symbol, _: u64) -> Answer<Vec<AccountTrade>> {
        silent()
    }
    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        silent()
    }
    fn candles(&self, _: Symbol, _: Interval, _: Timestamp, _: Timestamp) -> Answer<Vec<Candle>> {
        silent()
    }
}

/// What a placement with a window of two seconds, stamped `age` ago, leaves with when the lease lasts `left` longer: the
/// end of its window after now by our clock, in milliseconds.
fn leaves(age: u64, left: u64) -> Option<i64> {
    let (wire, until, clock) = (Arc::new(Wire::default()), Until::default(), Arc::new(SystemClock::new()));
    until.set(running() + Duration::from_millis(left));
    let leased = Leased { exchange: wire.clone(), until, clock: clock.clone() };
    let order = NewOrder {
        symbol: "BTCUSDT".parse().unwrap(),
        client_order_id: "someone-elses".parse().unwrap(),
        side: Side::Buy,
        kind: OrderKind::Market,
        qty: "1".parse().unwrap(),
    };
    let now = clock.now();
    let timestamp = now + Micros::from_millis(40) - Micros::from(Duration::from_millis(age));
    let window = Window { timestamp, recv_window: Micros::from_secs(2) };
    let answer = leased.place(&order, window).now_or_never().unwrap().unwrap_err();
    let sent = wire.0.lock().unwrap().pop();
    assert_eq!(sent.is_none(), matches!(answer, ExchangeError::Retry { .. }), "{answer:?}");
    sent.map(|sent| sent.end().since(now + Micros::from_millis(40)).as_millis())
}

#[test]
fn no_window_ends_after_the_lease() {
    // By the exchange's clock, known to within 5 ms.
    let end = leaves(0, 1_000).unwrap();
    assert!((900..=995).contains(&end), "{end}");
    let end = leaves(500, 1_000).unwrap();
    assert!((900..=995).contains(&end), "an older stamp gets a longer window, not a later end: {end}");
    let end = leaves(0, 60_000).unwrap();
    assert!((1_990..=2_000).contains(&end), "never longer than asked for: {end}");
}

#[test]
fn what_wakes_after_its_lease_sends_nothing() {
    assert_eq!(leaves(0, 0), None);
    assert_eq!(leaves(0, 90), None, "too short to arrive");
}
