//! The streams' lives against a strict scripted exchange: cuts, hand-overs, gaps, silence, nonsense, slow consumers.

mod fake;

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake::{API_KEY, Fake, LIMIT, Reply, exchange_info, next, now_ms, order, placed, window};
use nightdesk_exchange::{Events, Exchange, ExchangeEvent, Stream};
use nightdesk_exchange_binance::{ApiKey, Binance, BinanceEvents};
use nightdesk_market::{Interval, MarketEvent};
use nightdesk_units::{Symbol, Timestamp};
use serde_json::{Value, json};
use tokio::time::timeout;

const TRADES: &str = "GET /api/v3/trades";
const DEPTH: &str = "GET /api/v3/depth";

/// An event in short; times of `Up` only as whether there is one.
fn tell(event: &ExchangeEvent) -> String {
    match event {
        ExchangeEvent::Market(MarketEvent::Trade(trade)) => format!("t{}", trade.id),
        ExchangeEvent::Market(MarketEvent::Depth(update)) => format!("d{}", update.last_id),
        ExchangeEvent::Market(MarketEvent::Snapshot(snapshot)) => format!("={}", snapshot.last_id),
        ExchangeEvent::Market(MarketEvent::Candle(candle)) => format!("c{}", candle.open_at.as_millis() / 1_000),
        ExchangeEvent::Market(MarketEvent::Quote(quote)) => format!("q{}", quote.update_id),
        ExchangeEvent::Report(report) => format!("{} {:?}", report.client_order_id, report.status),
        ExchangeEvent::Up { since: None, .. } => "up".to_owned(),
        ExchangeEvent::Up { since: Some(_), .. } => "up again".to_owned(),
        ExchangeEvent::Down { reason, .. } => format!("down: {reason}"),
        other => format!("{other:?}"),
    }
}

async fn expect(events: &mut BinanceEvents, expected: &[&str]) {
    for expected in expected {
        let got = tell(&next(events).await);
        assert!(got.starts_with(expected), "expected {expected:?}, got {got:?}");
    }
}

fn trade_list(ids: std::ops::RangeInclusive<u64>) -> Reply {
    let row = |id| json!({ "id": id, "price": "100.00", "qty": "1.0", "quoteQty": "100", "time": now_ms(), "isBuyerMaker": true });
    Reply::ok(Value::Array(ids.map(row).collect()))
}

fn book(last_id: u64) -> Reply {
    Reply::ok(json!({ "lastUpdateId": last_id, "bids": [["99.00", "1.0"]], "asks": [["101.00", "1.0"]] }))
}

#[tokio::test]
async fn the_book_follows_the_documented_rules_and_a_gap_brings_a_new_snapshot() {
    let mut fake = Fake::start().await;
    fake.config.streams.depth = true;
    fake.once(DEPTH, book(5));
    fake.once(DEPTH, book(20));
    let (_binance, mut events) = fake.connect();
    let mut market = fake.socket().await;
    assert_eq!(market.accept_subscription().await, ["btcusdt@depth@100ms"]);
    market.depth(1, 3).await;
    market.depth(4, 6).await;
    expect(&mut events, &["up", "=5", "d6"]).await;
    market.depth(7, 9).await;
    market.depth(15, 18).await;
    market.depth(19, 22).await;
    expect(&mut events, &["d9", "=20", "d22"]).await;
    fake.check();
}

#[tokio::test]
async fn after_a_cut_missed_trades_come_before_the_next_one() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    market.trade(10).await;
    expect(&mut events, &["up", "t10"]).await;
    fake.once(TRADES, trade_list(5..=13));
    market.cut();
    let mut market = fake.market().await;
    market.trade(14).await;
    market.trade(15).await;
    expect(&mut events, &["down: ", "up again", "t11", "t12", "t13", "t14", "t15"]).await;
    // A gap while the stream lives is found as well, and a list that lags behind the stream is read again.
    fake.once(TRADES, trade_list(1..=15));
    fake.once(TRADES, trade_list(1..=18));
    market.trade(18).await;
    expect(&mut events, &["t16", "t17", "t18"]).await;
    fake.check();
}

#[tokio::test]
async fn a_gap_beyond_the_recent_trades_is_read_from_the_archive() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    market.trade(10).await;
    fake.once(TRADES, trade_list(1_501..=2_500));
    fake.once("GET /api/v3/historicalTrades", trade_list(11..=1_010));
    fake.once("GET /api/v3/historicalTrades", trade_list(1_011..=2_010));
    fake.once("GET /api/v3/historicalTrades", trade_list(2_011..=2_500));
    market.trade(2_501).await;
    expect(&mut events, &["up", "t10"]).await;
    for id in 11..=2_501 {
        assert_eq!(tell(&next(&mut events).await), format!("t{id}"));
    }
    fake.check();
}

#[tokio::test]
async fn trades_that_cannot_be_had_are_told_by_a_cut() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    market.trade(1_000).await;
    expect(&mut events, &["up", "t1000"]).await;
    // The exchange was reset and counts from one.
    fake.always(TRADES, trade_list(1..=3));
    market.cut();
    let mut market = fake.market().await;
    market.trade(4).await;
    expect(
        &mut events,
        &["down: ", "up again", "down: trades of BTCUSDT: the exchange numbers anew", "up again", "t4"],
    )
    .await;
    fake.check();
}

#[tokio::test]
async fn missed_candles_are_fetched_at_once_after_a_cut() {
    let mut fake = Fake::start().await;
    fake.config.streams.candles = vec![Interval::ONE_SECOND];
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    let start = now_ms() / 1_000 - 60;
    market.candle((start - 1) * 1_000, false).await;
    market.candle(start * 1_000, true).await;
    expect(&mut events, &["up", &format!("c{start}")]).await;
    let row = |open: i64| json!([open * 1_000, "1.00", "1.00", "1.00", "1.00", "1.0", 0, "0", 1, "0", "0", "0"]);
    fake.once("GET /api/v3/klines", Reply::ok(json!([row(start + 1), row(start + 2)])));
    market.cut();
    let mut market = fake.market().await;
    expect(&mut events, &["down: ", "up again", &format!("c{}", start + 1), &format!("c{}", start + 2)]).await;
    market.candle((start + 3) * 1_000, true).await;
    expect(&mut events, &[&format!("c{}", start + 3)]).await;
    fake.check();
}

#[tokio::test]
async fn a_server_shutdown_is_survived_without_a_gap_a_repeat_or_a_cut() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut old = fake.market().await;
    old.trade(1).await;
    old.send(&json!({ "e": "serverShutdown", "E": 1 })).await;
    // The old connection goes on until the new one is subscribed, and for a while beside it.
    old.trade(2).await;
    let mut new = fake.market().await;
    new.trade(3).await;
    old.trade(3).await;
    old.trade(4).await;
    new.trade(4).await;
    new.trade(5).await;
    assert_eq!(old.receive().await, None, "the old connection is closed by us");
    new.trade(6).await;
    expect(&mut events, &["up", "t1", "t2", "t3", "t4", "t5", "t6"]).await;
    fake.check();
}

#[tokio::test]
async fn a_connection_is_replaced_before_its_24_hours_end() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    fake.config.renew_after = Duration::from_millis(300);
    let (_binance, mut events) = fake.connect();
    let mut id = 0;
    let mut market = fake.market().await;
    for _ in 0..3 {
        id += 1;
        market.trade(id).await;
        let next = fake.market().await;
        assert_eq!(market.receive().await, None);
        market = next;
    }
    market.trade(4).await;
    expect(&mut events, &["up", "t1", "t2", "t3", "t4"]).await;
    fake.check();
}

#[tokio::test]
async fn an_old_connection_that_ends_early_is_replaced_by_the_new_one_without_a_cut() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    fake.config.overlap = LIMIT;
    let (_binance, mut events) = fake.connect();
    let mut old = fake.market().await;
    old.trade(1).await;
    old.send(&json!({ "e": "serverShutdown", "E": 1 })).await;
    let mut new = fake.market().await;
    new.trade(2).await;
    old.trade(2).await;
    expect(&mut events, &["up", "t1", "t2"]).await;
    old.cut();
    new.trade(3).await;
    expect(&mut events, &["t3"]).await;
    fake.check();
}

#[tokio::test]
async fn a_silently_stale_stream_is_found_by_comparing_with_the_exchange() {
    let mut fake = Fake::start().await;
    fake.config.streams.depth = true;
    fake.config.stale_after = Duration::from_millis(200);
    fake.always(DEPTH, book(5));
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    expect(&mut events, &["up", "=5"]).await;
    // Quiet, but not stale: the exchange has not moved either.
    fake.wait_for(DEPTH, 4).await;
    market.ping().await;
    // The exchange has moved on, and the stream has not, however well it answers pings.
    fake.always(DEPTH, book(9));
    expect(&mut events, &["down: silently stale: BTCUSDT is behind the exchange"]).await;
    let _market = fake.market().await;
    expect(&mut events, &["up again", "=9"]).await;
    fake.check();
}

#[tokio::test]
async fn a_connection_without_a_frame_is_dead() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    fake.config.silence_limit = Duration::from_millis(200);
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        market.ping().await;
    }
    expect(&mut events, &["up", "down: no frame for 200ms"]).await;
    let _market = fake.market().await;
    expect(&mut events, &["up again"]).await;
    fake.check();
}

#[tokio::test]
async fn nonsense_is_counted_and_the_connection_starts_over_with_fresh_ticks_and_lots() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    for nonsense in ["not json", "{\"stream\":\"btcusdt@trade\",\"data\":{\"p\":\"x\"}}", "[]"] {
        market.send_text(nonsense).await;
        let words = if nonsense.contains("trade") { "down: malformed trade" } else { "down: malformed market frame" };
        let up = if nonsense == "not json" { "up" } else { "up again" };
        expect(&mut events, &[up, words]).await;
        market = fake.market().await;
    }
    // A tick size that changed: every price is between two ticks until the instrument is fetched again.
    fake.always("GET /api/v3/exchangeInfo", Reply::ok(exchange_info("0.001")));
    let data = json!({ "e": "trade", "E": 1, "s": "BTCUSDT", "t": 1, "p": "100.005", "q": "1.0", "T": 1, "m": true });
    let finer = json!({ "stream": "btcusdt@trade", "data": data });
    market.send(&finer).await;
    expect(&mut events, &["up again", "down: malformed trade: price 100.005 is not a whole multiple"]).await;
    let mut market = fake.market().await;
    market.send(&finer).await;
    // What is merely unknown is ignored.
    market.send(&json!({ "stream": "btcusdt@newThing", "data": { "e": "newThing" } })).await;
    market.trade(2).await;
    expect(&mut events, &["up again", "t1", "t2"]).await;
    fake.check();
}

#[tokio::test]
async fn a_refused_subscription_is_told_and_tried_again() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (_binance, mut events) = fake.connect();
    let mut market = fake.socket().await;
    let message = market.receive().await.unwrap();
    market.send(&json!({ "error": { "code": 2, "msg": "Invalid request" }, "id": message["id"] })).await;
    expect(&mut events, &["down: cannot subscribe: Invalid request"]).await;
    let _market = fake.market().await;
    expect(&mut events, &["up"]).await;
    fake.check();
}

#[tokio::test]
async fn an_exchange_that_cannot_be_reached_is_told() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fake.config.endpoints.streams = format!("ws://{free}");
    let (_binance, mut events) = fake.connect();
    expect(&mut events, &["down: cannot connect"]).await;
}

#[tokio::test]
async fn many_streams_are_subscribed_in_batches_below_five_messages_a_second() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    fake.config.streams.quotes = true;
    fake.config.symbols.extend((0..75).map(|i| format!("S{i}").parse::<Symbol>().unwrap()));
    let mut info = exchange_info("0.01");
    let symbols: Vec<Value> = fake
        .config
        .symbols
        .iter()
        .map(|symbol| {
            let mut one = info["symbols"][0].clone();
            one["symbol"] = json!(symbol);
            one
        })
        .collect();
    info["symbols"] = json!(symbols);
    fake.always("GET /api/v3/exchangeInfo", Reply::ok(info));
    let (_binance, mut events) = fake.connect();
    let mut market = fake.socket().await;
    assert_eq!(market.accept_subscription().await.len(), 100);
    let start = std::time::Instant::now();
    // Data that comes before the last answer is kept.
    market.trade(1).await;
    assert_eq!(market.accept_subscription().await.len(), 52);
    assert!(start.elapsed() >= Duration::from_millis(250));
    expect(&mut events, &["up", "t1"]).await;
    fake.check();
}

#[tokio::test]
async fn a_slow_consumer_costs_the_connection_and_not_one_trade() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    fake.config.queue_capacity = 10;
    fake.config.consumer_limit = Duration::from_millis(150);
    let (_binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    for id in 1..=30 {
        market.trade(id).await;
    }
    // Nobody reads: the stream is cut.
    assert_eq!(market.receive().await, None);
    fake.once(TRADES, trade_list(1..=40));
    let reader = async {
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "t41") {
            told.push(tell(&next(&mut events).await));
        }
        told
    };
    let writer = async {
        let mut market = fake.market().await;
        market.trade(41).await;
        market
    };
    let (told, _market) = tokio::join!(reader, writer);
    let trades: Vec<_> = told.iter().filter(|text| text.starts_with('t')).cloned().collect();
    assert_eq!(trades, (1..=41).map(|id| format!("t{id}")).collect::<Vec<_>>());
    assert!(told.contains(&"down: the consumer took nothing for 150ms".to_owned()), "{told:?}");
    assert!(told.contains(&"up again".to_owned()));
    fake.check();
}

#[tokio::test]
async fn stopping_ends_the_events_after_what_waits() {
    let mut fake = Fake::start().await;
    fake.config.streams.trades = true;
    let (binance, mut events) = fake.connect();
    let mut market = fake.market().await;
    market.trade(1).await;
    expect(&mut events, &["up"]).await;
    expect(&mut events, &["t1"]).await;
    drop(binance);
    assert_eq!(timeout(LIMIT, events.next()).await, Ok(None));
    assert_eq!(market.receive().await, None);
}

#[tokio::test]
async fn the_user_stream_tells_reports_and_from_when_on_they_may_be_missing() {
    let mut fake = Fake::start().await;
    fake.config.user_stream = true;
    let (_binance, mut events) = fake.connect();
    let mut user = fake.user().await;
    let at = now_ms() - 50;
    user.report("nd-1", "NEW", at).await;
    user.send(
        &json!({ "subscriptionId": 0, "event": { "e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1.5", "T": 1 } }),
    )
    .await;
    expect(&mut events, &["up", "nd-1 New", "Transfer { asset: BTC, delta: Qty(1.5)"]).await;
    user.send(&json!({ "subscriptionId": 0, "event": { "e": "eventStreamTerminated", "E": 1 } })).await;
    expect(&mut events, &["down: the exchange ended the subscription"]).await;
    let _user = fake.user().await;
    let ExchangeEvent::Up { stream: Stream::User, since: Some(since) } = next(&mut events).await else { panic!() };
    // Not after the last event: whatever happened since it may have been missed.
    assert!(since <= Timestamp::from_millis(at + 50) && since >= Timestamp::from_millis(at - 2_000), "{since}");
    fake.check();
}

#[tokio::test]
async fn a_user_stream_that_owes_a_report_is_silently_stale() {
    let mut fake = Fake::start().await;
    fake.config.user_stream = true;
    fake.config.report_limit = Duration::from_millis(200);
    fake.once("POST /api/v3/order", Reply::ok(placed("nd-1")));
    fake.once("POST /api/v3/order", Reply::ok(placed("nd-2")));
    fake.once("POST /api/v3/order", Reply::error(400, -2010, "no"));
    let (binance, mut events) = fake.connect();
    let mut user = fake.user().await;
    expect(&mut events, &["up"]).await;
    // A report before the answer counts as well as one after it.
    user.report("nd-1", "NEW", now_ms()).await;
    expect(&mut events, &["nd-1 New"]).await;
    // The exchange refused: nothing is owed.
    let first = binance.place(&order("nd-1"), window());
    first.await.unwrap();
    user.report("nd-1", "NEW", now_ms() + 1).await;
    binance.place(&order("nd-2"), window()).await.unwrap();
    binance.place(&order("nd-3"), window()).await.unwrap_err();
    expect(&mut events, &["nd-1 New", "down: silently stale: no report of nd-2"]).await;
    let _user = fake.user().await;
    expect(&mut events, &["up again"]).await;
    fake.check();
}

#[tokio::test]
async fn a_user_stream_is_handed_over_without_losing_or_repeating_a_report() {
    let mut fake = Fake::start().await;
    fake.config.user_stream = true;
    let (_binance, mut events) = fake.connect();
    let mut old = fake.user().await;
    old.send(&json!({ "event": { "e": "serverShutdown", "E": 1 } })).await;
    let mut new = fake.user().await;
    let at = now_ms();
    for id in ["nd-1", "nd-2"] {
        new.report(id, "NEW", at).await;
        old.report(id, "NEW", at).await;
    }
    new.report("nd-3", "NEW", at).await;
    assert_eq!(old.receive().await, None);
    expect(&mut events, &["up", "nd-1 New", "nd-2 New", "nd-3 New"]).await;
    fake.check();
}

#[tokio::test]
async fn a_refused_key_is_told() {
    let mut fake = Fake::start().await;
    fake.config.user_stream = true;
    let (_binance, mut events) = fake.connect();
    let mut user = fake.socket().await;
    let message = user.receive().await.unwrap();
    let error = json!({ "code": -2015, "msg": "Invalid API-key, IP, or permissions for action." });
    user.send(&json!({ "id": message["id"], "status": 401, "error": error })).await;
    expect(&mut events, &["down: userDataStream.subscribe.signature refused with -2015"]).await;
}

#[tokio::test]
async fn an_ed25519_key_logs_on_and_subscribes() {
    let mut fake = Fake::start().await;
    fake.config.user_stream = true;
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.as_ref()).unwrap();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let pem = format!("{begin}\n{}\n{end}\n", STANDARD.encode(pkcs8.as_ref()));
    let key = ApiKey::ed25519(API_KEY, &pem).unwrap();
    let (_binance, mut events) = Binance::connect(fake.config.clone(), key).unwrap();
    let mut user = fake.socket().await;
    let message = user.receive().await.unwrap();
    assert_eq!(message["method"], "session.logon");
    let params = &message["params"];
    let text = format!("apiKey={API_KEY}&recvWindow={}&timestamp={}", params["recvWindow"], params["timestamp"]);
    let signature = STANDARD.decode(params["signature"].as_str().unwrap()).unwrap();
    UnparsedPublicKey::new(&ED25519, public.public_key()).verify(text.as_bytes(), &signature).unwrap();
    user.send(&json!({ "id": message["id"], "status": 200, "result": {} })).await;
    let message = user.receive().await.unwrap();
    assert_eq!(message["method"], "userDataStream.subscribe");
    user.send(&json!({ "id": message["id"], "status": 200, "result": { "subscriptionId": 0 } })).await;
    expect(&mut events, &["up"]).await;
    fake.check();
}
