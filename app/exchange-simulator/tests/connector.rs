//! The connector `exchange-binance` against this exchange, over its real protocol: the two must agree on every word, and
//! the connector must tell the truth under every fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nightdesk_exchange::{Events, Exchange, ExchangeError, ExchangeEvent, NewOrder, Purpose, Stream, Window};
use nightdesk_exchange_binance::{ApiKey, Binance, BinanceEvents, Config, Endpoints};
use nightdesk_exchange_simulator::{Config as SimulatorConfig, DEFAULT_ACCOUNT, ExchangeSimulator, KeySecret, KeySpec};
use nightdesk_market::{Interval, MarketEvent, OrderBook, Side};
use nightdesk_orders::{ExchangeStatus, OrderKind, TimeInForce};
use nightdesk_units::{Micros, Symbol, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// An exchange and a connector on it.
struct Bench {
    simulator: Option<ExchangeSimulator>,
    settings: SimulatorConfig,
    control: SocketAddr,
    binance: Arc<Binance>,
    events: BinanceEvents,
}

impl Bench {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_settings(|_| {}, change).await
    }

    async fn with_settings(set: impl FnOnce(&mut SimulatorConfig), change: impl FnOnce(&mut Config)) -> Self {
        let key = ApiKey::hmac("key", "secret").unwrap();
        Self::with_key(KeySecret::Hmac("secret".to_owned()), key, set, change).await
    }

    async fn with_key(
        secret: KeySecret,
        api_key: ApiKey,
        set: impl FnOnce(&mut SimulatorConfig),
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let key = KeySpec { key: "key".to_owned(), secret, account: DEFAULT_ACCOUNT.to_owned() };
        let mut settings = SimulatorConfig::new(vec![key]);
        settings.control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.balances = vec![("USDT".parse().unwrap(), "1000000".parse().unwrap())];
        set(&mut settings);
        let simulator = ExchangeSimulator::start(settings.clone()).await.unwrap();
        let control = simulator.control_address().unwrap();
        let mut config = Config::new(Endpoints::simulator(&simulator.address().to_string()), vec![symbol()]);
        config.requests_per_second = 1_000;
        config.request_limit = Duration::from_millis(500);
        config.backoff = (Duration::from_millis(20), Duration::from_millis(200));
        config.stale_after = Duration::from_millis(700);
        config.report_limit = Duration::from_millis(700);
        config.streams.candles = vec![Interval::ONE_SECOND];
        change(&mut config);
        let (binance, events) = Binance::connect(config, api_key).unwrap();
        timeout(LIMIT, binance.ready()).await.expect("the connector becomes ready");
        Self { simulator: Some(simulator), settings, control, binance, events }
    }

    async fn fault(&self, fault: Value) {
        let answer = self.control("POST", "/faults", &fault.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    async fn clear_faults(&self) {
        self.control("DELETE", "/faults", "").await;
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.control).await.unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn next(&mut self) -> ExchangeEvent {
        timeout(LIMIT, self.events.next()).await.expect("an event comes").expect("the stream goes on")
    }

    /// Reads on to the first event that `wanted` accepts, and returns it.
    async fn until(&mut self, wanted: impl Fn(&ExchangeEvent) -> bool) -> ExchangeEvent {
        let search = async {
            loop {
                let event = self.events.next().await.expect("the stream goes on");
                if wanted(&event) {
                    return event;
                }
            }
        };
        timeout(LIMIT, search).await.expect("the event comes")
    }

    async fn up(&mut self, wanted: Stream) -> Option<Timestamp> {
        let up = self.until(|event| matches!(event, ExchangeEvent::Up { stream, .. } if *stream == wanted)).await;
        let ExchangeEvent::Up { since, .. } = up else { unreachable!() };
        since
    }

    async fn down(&mut self, wanted: Stream) -> String {
        let down = self.until(|event| matches!(event, ExchangeEvent::Down { stream, .. } if *stream == wanted)).await;
        let ExchangeEvent::Down { reason, .. } = down else { unreachable!() };
        reason
    }

    fn window(&self) -> Window {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let timestamp = Timestamp(Micros::from(now).0) + self.binance.clock_offset().offset;
        Window { timestamp, recv_window: Micros::from_secs(2) }
    }

    async fn place(&self, order: NewOrder) -> Result<nightdesk_exchange::Placed, ExchangeError> {
        self.binance.admit(Purpose::Place).await;
        self.binance.place(&order, self.window()).await
    }
}

/// A bid far below the market.
fn resting(id: &str) -> NewOrder {
    let kind = OrderKind::Limit { price: "30000".parse().unwrap(), tif: TimeInForce::Gtc };
    NewOrder {
        symbol: symbol(),
        client_order_id: id.parse().unwrap(),
        side: Side::Buy,
        kind,
        qty: "0.01".parse().unwrap(),
    }
}

fn market(id: &str) -> NewOrder {
    NewOrder { kind: OrderKind::Market, ..resting(id) }
}

#[tokio::test]
async fn an_order_lives_its_life_over_the_protocol() {
    let mut bench = Bench::start().await;
    bench.up(Stream::User).await;
    let (id, since) = ("nd-1".parse().unwrap(), bench.window().timestamp);
    let placed = bench.place(resting("nd-1")).await.unwrap();
    assert_eq!((placed.order.status, placed.order.client_order_id), (ExchangeStatus::New, id));
    let report = bench.until(|event| matches!(event, ExchangeEvent::Report(_))).await;
    let ExchangeEvent::Report(report) = report else { unreachable!() };
    assert_eq!(report, nightdesk_orders::ExecutionReport { at: report.at, ..placed.order });
    assert_eq!(bench.binance.order(symbol(), id).await.unwrap().exchange_order_id, report.exchange_order_id);
    assert_eq!(bench.binance.open_orders(symbol()).await.unwrap().len(), 1);

    let canceled = bench.binance.cancel(symbol(), id, bench.window()).await.unwrap();
    assert_eq!((canceled.status, canceled.client_order_id), (ExchangeStatus::Canceled, id));
    let report = bench.until(|event| matches!(event, ExchangeEvent::Report(r) if r.status.is_final())).await;
    assert!(matches!(report, ExchangeEvent::Report(r) if r.client_order_id == id));

    let filled = bench.place(market("nd-2")).await.unwrap();
    assert_eq!(filled.order.status, ExchangeStatus::Filled);
    let report = bench.until(|event| matches!(event, ExchangeEvent::Report(r) if r.fill.is_some())).await;
    let ExchangeEvent::Report(report) = report else { unreachable!() };
    let fill = report.fill.unwrap();
    let told = filled.fills.iter().find(|told| told.trade_id == fill.trade_id).unwrap();
    assert_eq!((told.price, told.qty, told.fee, told.fee_asset), (fill.price, fill.qty, fill.fee, fill.fee_asset));
    bench.until(|event| matches!(event, ExchangeEvent::Balances { .. })).await;

    let trades = bench.binance.trades(symbol(), since, Purpose::Query).await.unwrap();
    assert_eq!(trades.len(), filled.fills.len());
    assert_eq!(bench.binance.trades_of(symbol(), report.exchange_order_id).await.unwrap(), trades);
    let orders = bench.binance.all_orders(symbol(), since, Purpose::Query).await.unwrap();
    assert_eq!(
        orders.iter().map(|order| order.status).collect::<Vec<_>>(),
        [ExchangeStatus::Canceled, ExchangeStatus::Filled]
    );
    let (at, balances) = bench.binance.balances().await.unwrap();
    assert!(balances.iter().any(|balance| balance.asset.as_str() == "BTC" && balance.free.is_positive()));
    assert!(at >= report.at);
    let unknown = bench.binance.order(symbol(), "nd-9".parse().unwrap()).await.unwrap_err();
    assert!(unknown.is_no_such_order(), "{unknown}");
    let usage = bench.binance.limit_usage();
    assert!(usage.weight > 0.0 && usage.orders > 0.0, "{usage:?}");
}

#[tokio::test]
async fn an_ed25519_key_trades_and_hears() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.as_ref()).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let pem = format!("{begin}\n{}\n{end}\n", STANDARD.encode(pkcs8.as_ref()));
    let key = ApiKey::from_secret("key", &pem).unwrap();
    let mut bench = Bench::with_key(KeySecret::Ed25519(public), key, |_| {}, |_| {}).await;
    bench.up(Stream::User).await;
    bench.place(resting("nd-1")).await.unwrap();
    bench.until(|event| matches!(event, ExchangeEvent::Report(r) if r.status == ExchangeStatus::New)).await;
}

#[tokio::test]
async fn an_id_that_was_used_twice_tells_the_newest_order() {
    let bench = Bench::start().await;
    let first = bench.place(market("nd-1")).await.unwrap();
    // The trap: the id of an order that is no longer open is taken for a new one.
    let second = bench.place(resting("nd-1")).await.unwrap();
    assert_ne!(first.order.exchange_order_id, second.order.exchange_order_id);
    let told = bench.binance.order(symbol(), "nd-1".parse().unwrap()).await.unwrap();
    assert_eq!(told.exchange_order_id, second.order.exchange_order_id);
}

#[tokio::test]
async fn times_in_milliseconds_serve_as_well() {
    let mut bench = Bench::with(|config| config.microseconds = false).await;
    bench.up(Stream::User).await;
    let placed = bench.place(resting("nd-1")).await.unwrap();
    let report = bench.until(|event| matches!(event, ExchangeEvent::Report(_))).await;
    assert!(matches!(report, ExchangeEvent::Report(r) if r.at == placed.order.at && r.at.0 % 1_000 == 0));
    assert!(bench.binance.clock_offset().uncertainty < Micros::from_millis(100));
    let (at, now) = (placed.order.at, bench.window().timestamp);
    assert!(now.since(at) < Micros::from_secs(10), "{at} at {now}");
}

#[tokio::test]
async fn the_market_is_complete_and_in_order() {
    let mut bench = Bench::start().await;
    bench.up(Stream::Market).await;
    let (mut book, mut last_trade, mut last_candle) = (OrderBook::new(), None, None);
    let (mut trades, mut depths, mut candles, mut quotes) = (0, 0, 0, 0);
    while trades < 20 || depths < 20 || candles < 3 || quotes < 20 {
        match bench.next().await {
            ExchangeEvent::Market(MarketEvent::Trade(trade)) => {
                assert!(last_trade.is_none_or(|last| trade.id == last + 1));
                (last_trade, trades) = (Some(trade.id), trades + 1);
            }
            ExchangeEvent::Market(MarketEvent::Candle(candle)) => {
                assert!(last_candle.is_none_or(|last| candle.open_at == last));
                (last_candle, candles) = (Some(candle.close_at()), candles + 1);
            }
            ExchangeEvent::Market(MarketEvent::Snapshot(snapshot)) => book.restore(&snapshot),
            ExchangeEvent::Market(MarketEvent::Depth(update)) => {
                book.apply(&update).unwrap();
                assert!(book.best_bid().unwrap().0 < book.best_ask().unwrap().0);
                depths += 1;
            }
            ExchangeEvent::Market(MarketEvent::Quote(_)) => quotes += 1,
            ExchangeEvent::Down { reason, .. } => panic!("down: {reason}"),
            _ => {}
        }
    }
    // The same candles by REST as by the stream, and a past for strategies to warm up on.
    let now = bench.window().timestamp;
    let minute = Interval::ONE_MINUTE;
    let past = bench.binance.candles(symbol(), minute, now - Micros::from_secs(60 * 1_500), now).await.unwrap();
    assert!(past.len() >= 1_499, "{}", past.len());
    assert!(past.windows(2).all(|pair| pair[0].close_at() == pair[1].open_at));
    let instruments = bench.binance.instruments(&[]).await.unwrap();
    assert!(instruments.len() >= 3);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_in_doubt_and_the_exchange_knows_the_truth() {
    let bench = Bench::start().await;
    let mut number = 0;
    for how in ["504", "1007", "1006", "reset", "silence"] {
        for (when, arrived) in [("before", false), ("after", true)] {
            number += 1;
            let id = format!("nd-{number}");
            bench
                .fault(json!({ "kind": "answer_lost", "how": how, "when": when, "endpoint": "POST /api/v3/order", "count": 1 }))
                .await;
            let lost = bench.place(resting(&id)).await;
            assert!(matches!(lost, Err(ExchangeError::InDoubt { .. })), "{how} {when}: {lost:?}");
            let asked = bench.binance.order(symbol(), id.parse().unwrap()).await;
            match asked {
                Ok(order) => assert!(arrived && order.status == ExchangeStatus::New, "{how} {when}"),
                Err(error) => assert!(!arrived && error.is_no_such_order(), "{how} {when}: {error}"),
            }
        }
    }
    // Each was sent once.
    assert_eq!(bench.binance.open_orders(symbol()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn refusals_at_the_door_did_not_happen() {
    let bench = Bench::start().await;
    for (number, fault) in [
        json!({ "kind": "firewall", "endpoint": "POST /api/v3/order", "count": 1 }),
        json!({ "kind": "rate_limit", "retry_after_s": 1, "endpoint": "POST /api/v3/order", "count": 1 }),
    ]
    .into_iter()
    .enumerate()
    {
        bench.fault(fault).await;
        let id = format!("nd-{number}");
        let refused = bench.place(resting(&id)).await;
        assert!(matches!(refused, Err(ExchangeError::Retry { .. })), "{refused:?}");
        bench.binance.admit(Purpose::Query).await;
        assert!(bench.binance.order(symbol(), id.parse().unwrap()).await.unwrap_err().is_no_such_order());
    }
    let too_small = NewOrder { qty: "0.000001".parse().unwrap(), ..resting("nd-7") };
    let refused = bench.place(too_small).await;
    assert!(
        matches!(&refused, Err(ExchangeError::Rejected { code: -1013, reason }) if reason.contains("LOT_SIZE")),
        "{refused:?}"
    );
    bench.place(resting("nd-8")).await.unwrap();
    let twice = bench.place(resting("nd-8")).await;
    assert!(matches!(twice, Err(ExchangeError::Rejected { code: -2010, .. })), "{twice:?}");
}

#[tokio::test]
async fn maintenance_and_nonsense_leave_an_order_in_doubt() {
    let bench = Bench::start().await;
    for kind in ["maintenance", "malformed"] {
        bench.fault(json!({ "kind": kind, "endpoint": "POST /api/v3/order", "count": 1 })).await;
        let unknown = bench.place(resting(&format!("nd-{kind}"))).await;
        assert!(matches!(unknown, Err(ExchangeError::InDoubt { .. })), "{kind}: {unknown:?}");
    }
}

#[tokio::test]
async fn a_ban_is_waited_out() {
    let bench = Bench::start().await;
    bench.fault(json!({ "kind": "ban", "seconds": 2, "endpoint": "POST /api/v3/order", "count": 1 })).await;
    let banned = bench.place(resting("nd-1")).await;
    assert!(matches!(banned, Err(ExchangeError::Retry { after, .. }) if after > Micros::from_secs(1)), "{banned:?}");
    // Not one request reaches the exchange meanwhile: a second ban would be twice as long.
    let held = bench.binance.cancel(symbol(), "nd-1".parse().unwrap(), bench.window()).await;
    assert!(matches!(held, Err(ExchangeError::Retry { .. })), "{held:?}");
    bench.place(resting("nd-1")).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_is_measured_again() {
    let bench = Bench::start().await;
    bench.fault(json!({ "kind": "clock_skew", "ms": 30_000 })).await;
    let stale = bench.place(resting("nd-1")).await;
    assert!(matches!(stale, Err(ExchangeError::Retry { .. })), "{stale:?}");
    let resynced = async {
        while bench.binance.clock_offset().offset < Micros::from_secs(29) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, resynced).await.expect("the clock is measured again");
    bench.place(resting("nd-1")).await.unwrap();
}

/// Reads the market until `count` trades have come, each following on the last one.
async fn consecutive_trades(bench: &mut Bench, last: &mut Option<u64>, count: usize) {
    let mut seen = 0;
    while seen < count {
        match bench.next().await {
            ExchangeEvent::Market(MarketEvent::Trade(trade)) => {
                assert!(last.is_none_or(|last| trade.id == last + 1), "{last:?} then {}", trade.id);
                (*last, seen) = (Some(trade.id), seen + 1);
            }
            ExchangeEvent::Down { reason, .. } if reason.contains("trades of") => panic!("{reason}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn cuts_and_shutdowns_leave_no_hole_in_the_trades() {
    let mut bench = Bench::start().await;
    bench.up(Stream::Market).await;
    let mut last = None;
    consecutive_trades(&mut bench, &mut last, 5).await;
    for reset in [true, false] {
        bench.fault(json!({ "kind": "stream_cut", "stream": "market", "reset": reset })).await;
        consecutive_trades(&mut bench, &mut last, 10).await;
    }
    bench.fault(json!({ "kind": "drop_market", "stream": "trade", "probability": 0.3, "for_ms": 3_000 })).await;
    consecutive_trades(&mut bench, &mut last, 20).await;
    bench.clear_faults().await;
    consecutive_trades(&mut bench, &mut last, 5).await;
}

#[tokio::test]
async fn an_announced_shutdown_costs_neither_stream_a_moment() {
    let mut bench = Bench::start().await;
    bench.up(Stream::User).await;
    let mut last = None;
    consecutive_trades(&mut bench, &mut last, 3).await;
    bench.fault(json!({ "kind": "server_shutdown", "grace_ms": 2_500 })).await;
    bench.place(resting("nd-1")).await.unwrap();
    let end = tokio::time::Instant::now() + Duration::from_secs(4);
    let (mut trades, mut reports) = (0, 0);
    while tokio::time::Instant::now() < end {
        match bench.next().await {
            ExchangeEvent::Down { reason, .. } => panic!("down: {reason}"),
            ExchangeEvent::Market(MarketEvent::Trade(trade)) => {
                assert_eq!(Some(trade.id), last.map(|last| last + 1));
                (last, trades) = (Some(trade.id), trades + 1);
            }
            ExchangeEvent::Report(_) => reports += 1,
            _ => {}
        }
    }
    assert_eq!(reports, 1);
    assert!(trades > 0);
    // The new user stream works as well as the old one did.
    bench.place(resting("nd-2")).await.unwrap();
    let wanted = "nd-2".parse().unwrap();
    bench.until(|event| matches!(event, ExchangeEvent::Report(r) if r.client_order_id == wanted)).await;
}

#[tokio::test]
async fn a_silently_stale_market_is_noticed_and_made_whole() {
    let mut bench = Bench::start().await;
    bench.up(Stream::Market).await;
    let mut last = None;
    consecutive_trades(&mut bench, &mut last, 3).await;
    bench.fault(json!({ "kind": "stale_stream", "stream": "market", "for_ms": 4_000 })).await;
    let reason = bench.down(Stream::Market).await;
    assert!(reason.contains("silently stale"), "{reason}");
    last = None; // `down` has read past some trades.
    consecutive_trades(&mut bench, &mut last, 10).await;
}

#[tokio::test]
async fn a_silently_stale_user_stream_is_noticed_by_the_report_it_owes() {
    let mut bench = Bench::start().await;
    bench.up(Stream::User).await;
    let before = bench.window().timestamp;
    bench.fault(json!({ "kind": "stale_stream", "stream": "user", "for_ms": 2_000 })).await;
    bench.place(resting("nd-1")).await.unwrap();
    let reason = bench.down(Stream::User).await;
    assert!(reason.contains("no report of nd-1"), "{reason}");
    let since = bench.up(Stream::User).await.unwrap();
    assert!(since <= before + Micros::from_millis(50), "{since} after {before}");
}

#[tokio::test]
async fn a_cut_user_stream_tells_since_when_reports_may_be_missing() {
    let mut bench = Bench::start().await;
    bench.up(Stream::User).await;
    bench.place(resting("nd-1")).await.unwrap();
    let report = bench.until(|event| matches!(event, ExchangeEvent::Report(_))).await;
    let ExchangeEvent::Report(report) = report else { unreachable!() };
    bench.fault(json!({ "kind": "stream_cut", "stream": "user", "reset": true })).await;
    bench.down(Stream::User).await;
    let since = bench.up(Stream::User).await.unwrap();
    assert!(since <= report.at + Micros::from_millis(100), "{since} after {}", report.at);
    bench.place(resting("nd-2")).await.unwrap();
    let wanted = "nd-2".parse().unwrap();
    bench.until(|event| matches!(event, ExchangeEvent::Report(r) if r.client_order_id == wanted)).await;
}

#[tokio::test]
async fn a_report_told_twice_counts_once() {
    let mut bench = Bench::start().await;
    bench.up(Stream::User).await;
    bench.fault(json!({ "kind": "duplicate_reports" })).await;
    for id in ["nd-1", "nd-2"] {
        bench.place(resting(id)).await.unwrap();
    }
    let wanted = "nd-2".parse().unwrap();
    let mut reports = Vec::new();
    while reports.last() != Some(&wanted) {
        if let ExchangeEvent::Report(report) = bench.next().await {
            reports.push(report.client_order_id);
        }
    }
    assert_eq!(reports, ["nd-1".parse().unwrap(), wanted]);
}

#[tokio::test]
async fn pings_are_answered_and_the_day_ends_without_a_cut() {
    let settings = |settings: &mut SimulatorConfig| {
        // Pongs count against the five messages a second.
        settings.timing.ping_every = Duration::from_millis(400);
        settings.timing.pong_within = Duration::from_millis(1_200);
        settings.timing.life = Duration::from_millis(2_500);
    };
    let mut bench = Bench::with_settings(settings, |config| config.renew_after = Duration::from_millis(1_200)).await;
    bench.up(Stream::User).await;
    let (mut last, end) = (None, tokio::time::Instant::now() + Duration::from_secs(5));
    while tokio::time::Instant::now() < end {
        match bench.next().await {
            ExchangeEvent::Down { reason, .. } => panic!("down: {reason}"),
            ExchangeEvent::Market(MarketEvent::Trade(trade)) => {
                assert!(last.is_none_or(|last| trade.id == last + 1));
                last = Some(trade.id);
            }
            _ => {}
        }
    }
    bench.place(resting("nd-1")).await.unwrap();
    bench.until(|event| matches!(event, ExchangeEvent::Report(_))).await;
}

#[tokio::test]
async fn an_exchange_that_restarts_is_found_again_and_no_trade_is_missed() {
    let dir = std::env::temp_dir().join(format!("nightdesk-connector-{}", std::process::id()));
    let mut bench = Bench::with_settings(|settings| settings.data_dir = Some(dir.clone()), |_| {}).await;
    let mut last = None;
    bench.up(Stream::User).await;
    consecutive_trades(&mut bench, &mut last, 5).await;
    bench.place(resting("nd-1")).await.unwrap();
    let simulator = bench.simulator.take().unwrap();
    bench.settings.listen = simulator.address();
    simulator.stop().await.unwrap();
    let down = bench.place(resting("nd-2")).await;
    assert!(matches!(down, Err(ExchangeError::Retry { .. } | ExchangeError::InDoubt { .. })), "{down:?}");
    let restarted = async {
        loop {
            match ExchangeSimulator::start(bench.settings.clone()).await {
                Ok(simulator) => return simulator,
                // The old one has said goodbye and is about to let go of address and directory.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    bench.simulator = Some(timeout(LIMIT, restarted).await.expect("the exchange restarts"));
    consecutive_trades(&mut bench, &mut last, 10).await;
    assert_eq!(bench.binance.open_orders(symbol()).await.unwrap().len(), 1);
    bench.simulator.take().unwrap().stop().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}
