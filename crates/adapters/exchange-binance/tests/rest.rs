//! Every outcome class of the REST side, against a strict scripted exchange.

mod fake;

use std::time::{Duration, Instant};

use fake::{API_KEY, Fake, Reply, SECRET, order, placed, window};
use nightdesk_exchange::{Exchange, ExchangeError, Purpose};
use nightdesk_market::Interval;
use nightdesk_orders::ExchangeStatus;
use nightdesk_units::{Micros, Symbol, Timestamp};
use serde_json::json;

const POST: &str = "POST /api/v3/order";

fn class<T>(result: &Result<T, ExchangeError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(ExchangeError::Rejected { code, .. }) => format!("rejected {code}"),
        Err(ExchangeError::Retry { .. }) => "retry".to_owned(),
        Err(ExchangeError::InDoubt { .. }) => "in doubt".to_owned(),
    }
}

#[tokio::test]
async fn a_placement_is_signed_sent_once_and_decoded() {
    let fake = Fake::start().await;
    fake.once(POST, Reply::ok(placed("nd-1")));
    let (binance, _events) = fake.connect_ready().await;
    binance.admit(Purpose::Place).await;
    let placed = binance.place(&order("nd-1"), window()).await.unwrap();
    assert_eq!((placed.order.exchange_order_id, placed.order.status), (1, ExchangeStatus::New));
    let seen = fake.seen(POST);
    let query = &seen[0].query;
    for (name, value) in [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("price", "100.5"),
        ("quantity", "0.25"),
        ("newClientOrderId", "nd-1"),
        ("newOrderRespType", "FULL"),
        ("recvWindow", "2000"),
    ] {
        assert_eq!(query[name], value);
    }
    fake.check();
}

#[tokio::test]
async fn each_failure_of_a_placement_has_its_class_and_nothing_is_sent_twice() {
    let cases = [
        (Reply::error(400, -2010, "Account has insufficient balance for requested action."), "rejected -2010"),
        (Reply::error(400, -1013, "Filter failure: LOT_SIZE"), "rejected -1013"),
        (Reply::error(504, -1007, "Timeout waiting for response from backend server."), "in doubt"),
        (Reply::error(500, -1006, "An unexpected response was received from the message bus."), "in doubt"),
        (Reply::error(503, -1008, "Server is currently overloaded."), "in doubt"),
        (Reply::Json(502, "<html>bad gateway</html>".to_owned()), "in doubt"),
        (Reply::Reset, "in doubt"),
        (Reply::Close, "in doubt"),
        (Reply::Half, "in doubt"),
        (Reply::Silence, "in doubt"),
        (Reply::Json(200, "not json".to_owned()), "in doubt"),
        (Reply::ok(placed("another-order")), "in doubt"),
        (Reply::With(307, vec![("Location", "/api/v3/order/test".to_owned())], String::new()), "in doubt"),
        (Reply::Json(403, "<html>firewall</html>".to_owned()), "retry"),
        (Reply::error(400, -1021, "Timestamp for this request is outside of the recvWindow."), "retry"),
        (Reply::error(429, -1015, "Too many new orders."), "retry"),
    ];
    for (reply, expected) in cases {
        let fake = Fake::start().await;
        fake.once(POST, reply.clone());
        let (binance, _events) = fake.connect_ready().await;
        let result = binance.place(&order("nd-1"), window()).await;
        assert_eq!(class(&result), expected, "{reply:?}: {result:?}");
        assert_eq!(fake.seen(POST).len(), 1, "{reply:?}");
        let text = format!("{result:?}");
        assert!(!text.contains(SECRET) && !text.contains("signature") && !text.contains(API_KEY), "{text}");
        fake.check();
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_means_that_nothing_happened() {
    let mut fake = Fake::start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fake.config.endpoints.rest = format!("http://{free}");
    let (binance, _events) = fake.connect();
    assert_eq!(class(&binance.place(&order("nd-1"), window()).await), "retry");
    let symbol: Symbol = "BTCUSDT".parse().unwrap();
    assert_eq!(class(&binance.cancel(symbol, "nd-1".parse().unwrap(), window()).await), "retry");
    fake.config.endpoints.rest = "http://no-such-host.invalid".to_owned();
    let (binance, _events) = fake.connect();
    assert_eq!(class(&binance.place(&order("nd-1"), window()).await), "retry");
}

#[tokio::test]
async fn after_429_nothing_leaves_before_retry_after_ends() {
    let fake = Fake::start().await;
    let body = json!({ "code": -1003, "msg": "Too much request weight used." }).to_string();
    fake.once(POST, Reply::With(429, vec![("Retry-After", "1".to_owned())], body));
    fake.once("DELETE /api/v3/order", Reply::error(400, -2011, "Unknown order sent."));
    let (binance, _events) = fake.connect_ready().await;
    let (symbol, id): (Symbol, _) = ("BTCUSDT".parse().unwrap(), "nd-1".parse().unwrap());
    let start = Instant::now();
    let limited = binance.place(&order("nd-1"), window()).await;
    assert!(matches!(limited, Err(ExchangeError::Retry { after: Micros(1_000_000), .. })), "{limited:?}");
    // Not even a cancel, and not even one that was never admitted.
    let held = binance.cancel(symbol, id, window()).await;
    assert!(matches!(held, Err(ExchangeError::Retry { .. })), "{held:?}");
    assert!(fake.seen("DELETE /api/v3/order").is_empty());
    binance.admit(Purpose::Exit).await;
    assert!(start.elapsed() >= Duration::from_millis(990));
    assert_eq!(class(&binance.cancel(symbol, id, window()).await), "rejected -2011");
    fake.check();
}

#[tokio::test]
async fn a_ban_holds_for_as_long_as_the_exchange_says() {
    let fake = Fake::start().await;
    let ban = vec![("Retry-After", "300".to_owned())];
    fake.once("GET /api/v3/account", Reply::With(418, ban, String::new()));
    let (binance, _events) = fake.connect_ready().await;
    let banned = binance.balances().await;
    assert!(matches!(banned, Err(ExchangeError::Retry { after: Micros(300_000_000), .. })), "{banned:?}");
    let held = binance.place(&order("nd-1"), window()).await;
    let Err(ExchangeError::Retry { after, .. }) = held else { panic!("{held:?}") };
    assert!(after > Micros::from_secs(290));
    assert!(fake.seen(POST).is_empty());
    fake.check();
}

#[tokio::test]
async fn a_refused_timestamp_has_the_clock_measured_again() {
    let fake = Fake::start().await;
    fake.once("GET /api/v3/account", Reply::error(400, -1021, "Timestamp for this request was 1000ms ahead."));
    let (binance, _events) = fake.connect_ready().await;
    let before = fake.seen("GET /api/v3/time").len();
    assert_eq!(class(&binance.balances().await), "retry");
    fake.wait_for("GET /api/v3/time", before + 1).await;
    fake.check();
}

#[tokio::test]
async fn the_exchanges_clock_is_known_within_half_a_round_trip() {
    let fake = Fake::start().await;
    fake.set_clock_ahead(7_000);
    fake.once("GET /api/v3/openOrders", Reply::ok(json!([])));
    let (binance, _events) = fake.connect_ready().await;
    let clock = binance.clock_offset();
    let error = (clock.offset.0 - 7_000_000).abs();
    assert!(error <= clock.uncertainty.0 + 1_000 && clock.uncertainty < Micros::from_millis(200), "{clock:?}");
    // A question signed by our own clock would be refused as stale.
    assert_eq!(binance.open_orders("BTCUSDT".parse().unwrap()).await, Ok(vec![]));
    fake.check();
}

#[tokio::test]
async fn a_read_that_fails_may_be_read_again() {
    let fake = Fake::start().await;
    let (symbol, id): (Symbol, _) = ("BTCUSDT".parse().unwrap(), "nd-1".parse().unwrap());
    let (binance, _events) = fake.connect_ready().await;
    let order = "GET /api/v3/order";
    for reply in [Reply::Reset, Reply::Silence, Reply::error(504, -1007, "Timeout"), Reply::Json(200, "[".to_owned())] {
        fake.once(order, reply);
        assert_eq!(class(&binance.order(symbol, id).await), "retry");
    }
    fake.once(order, Reply::error(400, -2013, "Order does not exist."));
    assert!(binance.order(symbol, id).await.unwrap_err().is_no_such_order());
    fake.check();
}

#[tokio::test]
async fn headers_tell_the_use_of_the_limits() {
    let fake = Fake::start().await;
    let headers = vec![("X-MBX-USED-WEIGHT-1M", "1500".to_owned()), ("X-MBX-ORDER-COUNT-10S", "25".to_owned())];
    fake.once(POST, Reply::With(200, headers, placed("nd-1").to_string()));
    let (binance, _events) = fake.connect_ready().await;
    binance.place(&order("nd-1"), window()).await.unwrap();
    let usage = binance.limit_usage();
    assert!((usage.weight - 0.25).abs() < 0.01 && (usage.orders - 0.25).abs() < 0.001, "{usage:?}");
    fake.check();
}

#[tokio::test]
async fn all_orders_include_an_older_one_that_rests_or_has_traded_since() {
    let fake = Fake::start().await;
    let now = fake::now_ms();
    let row = |id: u64, status: &str, time: i64| {
        let mut row = placed(&format!("nd-{id}"));
        row["orderId"] = json!(id);
        row["status"] = json!(status);
        row["time"] = json!(time);
        row["updateTime"] = json!(time);
        row
    };
    let trade = |id: u64, order: u64| {
        json!({ "symbol": "BTCUSDT", "id": id, "orderId": order, "price": "100.50", "qty": "0.25", "commission": "0",
            "commissionAsset": "BNB", "time": now, "isBuyer": true, "isMaker": true })
    };
    fake.once("GET /api/v3/allOrders", Reply::ok(json!([row(7, "CANCELED", now)])));
    fake.once("GET /api/v3/openOrders", Reply::ok(json!([row(3, "NEW", now - 99_000_000)])));
    fake.once("GET /api/v3/myTrades", Reply::ok(json!([trade(1, 5), trade(2, 5), trade(3, 7)])));
    fake.once("GET /api/v3/order", Reply::ok(row(5, "FILLED", now - 88_000_000)));
    let (binance, _events) = fake.connect_ready().await;
    let since = Timestamp::from_millis(now - 1_000);
    let orders = binance.all_orders("BTCUSDT".parse().unwrap(), since, Purpose::Query).await.unwrap();
    let ids: Vec<_> = orders.iter().map(|order| order.exchange_order_id).collect();
    assert_eq!(ids, [3, 5, 7]);
    fake.check();
}

#[tokio::test]
async fn candles_are_closed_ones_only() {
    let fake = Fake::start().await;
    let minute = fake::now_ms() / 60_000 * 60_000;
    let row = |open: i64| json!([open, "1.00", "2.00", "1.00", "1.50", "3.0", open + 59_999, "0", 4, "0", "0", "0"]);
    fake.once("GET /api/v3/klines", Reply::ok(json!([row(minute - 120_000), row(minute - 60_000), row(minute)])));
    let (binance, _events) = fake.connect_ready().await;
    let (from, to) = (Timestamp::from_millis(minute - 120_000), Timestamp::from_millis(minute + 60_000));
    let candles = binance.candles("BTCUSDT".parse().unwrap(), Interval::ONE_MINUTE, from, to).await.unwrap();
    assert_eq!(candles.len(), 2);
    fake.check();
}

#[tokio::test]
async fn without_a_key_signed_calls_are_refused_before_anything_leaves() {
    let fake = Fake::start().await;
    let (binance, _events) = nightdesk_exchange_binance::Binance::observe(fake.config.clone(), None).unwrap();
    assert_eq!(class(&binance.balances().await), "rejected -2014");
    fake.check();
}
