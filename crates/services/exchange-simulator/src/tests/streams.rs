use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::client::{Exchange, KEY, config, now_ms};
use crate::{KeySecret, KeySpec};

#[tokio::test]
async fn market_streams_carry_the_market() {
    let exchange = Exchange::running(config()).await;
    let streams = "btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@depth5@100ms/btcusdt@kline_1s/btcusdt@ticker/btcusdt@miniTicker/btcusdt@avgPrice/!miniTicker@arr";
    let mut stream = exchange.stream(&format!("/stream?streams={streams}")).await;
    for name in streams.split('/') {
        let message = stream.until(|message| message["stream"] == name).await;
        let data = &message["data"];
        let (event, fields): (Option<&str>, &[&str]) = match name.split_once('@').unwrap().1 {
            "trade" => (Some("trade"), &["E", "s", "t", "p", "q", "T", "m", "M"]),
            "aggTrade" => (Some("aggTrade"), &["a", "f", "l", "p", "q", "T", "m"]),
            "bookTicker" => (None, &["u", "s", "b", "B", "a", "A"]),
            "depth@100ms" => (Some("depthUpdate"), &["E", "s", "U", "u", "b", "a"]),
            "depth5@100ms" => (None, &["lastUpdateId", "bids", "asks"]),
            "kline_1s" => (Some("kline"), &["E", "s", "k"]),
            "ticker" => (
                Some("24hrTicker"),
                &["p", "P", "w", "x", "c", "Q", "b", "B", "a", "A", "o", "h", "l", "v", "q", "O", "C", "F", "L", "n"],
            ),
            "miniTicker" => (Some("24hrMiniTicker"), &["c", "o", "h", "l", "v", "q"]),
            "avgPrice" => (Some("avgPrice"), &["i", "w", "T"]),
            _ => (None, &[]),
        };
        assert_eq!(data["e"].as_str(), event, "{message}");
        for field in fields {
            assert!(!data[*field].is_null(), "{field} of {message}");
        }
    }
}

#[tokio::test]
async fn long_candles_and_rolling_windows_are_streamed_too() {
    let exchange = Exchange::running(config()).await;
    let names = ["kline_3d", "kline_1w", "kline_1M", "kline_1m@+08:00", "kline_1d@+08:00", "ticker_1h", "ticker_4h"];
    let mut streams: Vec<String> = names.iter().map(|name| format!("btcusdt@{name}")).collect();
    streams.extend(["!ticker_1d@arr", "!ticker@arr@1000ms", "!miniTicker@arr@3000ms"].map(str::to_owned));
    let mut stream = exchange.stream(&format!("/stream?streams={}", streams.join("/").replace('+', "%2B"))).await;
    for name in &streams {
        let message = stream.until(|message| message["stream"] == name.as_str()).await;
        let data = &message["data"];
        let Some((_, kind)) = name.strip_prefix("btcusdt").map(|name| name.split_at(1)) else {
            assert!(!data.as_array().unwrap().is_empty(), "{message}");
            continue;
        };
        match kind.split_once('_').unwrap() {
            ("kline", interval) => {
                assert_eq!(data["k"]["i"], interval.split('@').next().unwrap());
                assert!(data["k"]["t"].as_i64() <= data["E"].as_i64() && data["E"].as_i64() <= data["k"]["T"].as_i64());
                let zone = if kind.ends_with("+08:00") { 8 * 3_600_000 } else { 0 };
                let day = (data["k"]["t"].as_i64().unwrap() + zone) % 86_400_000;
                assert!(interval.starts_with("1m") || day == 0, "{message}");
            }
            (_, window) => {
                assert_eq!(data["e"], format!("{window}Ticker"));
                for field in ["s", "p", "P", "o", "h", "l", "c", "w", "v", "q", "O", "C", "F", "L", "n"] {
                    assert!(!data[field].is_null(), "{field} of {message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_local_book_kept_by_the_documented_rules_equals_the_exchanges() {
    let exchange = Exchange::running(config()).await;
    let mut stream = exchange.stream("/ws/btcusdt@depth@100ms").await;
    stream.next().await.unwrap();
    let snapshot = exchange.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.good();
    let mut book = std::collections::BTreeMap::new();
    let put = |book: &mut std::collections::BTreeMap<(char, String), String>, side: char, levels: &Value| {
        for level in levels.as_array().unwrap() {
            let (price, qty) = (level[0].as_str().unwrap().to_owned(), level[1].as_str().unwrap().to_owned());
            if qty.parse::<f64>().unwrap() == 0.0 {
                book.remove(&(side, price));
            } else {
                book.insert((side, price), qty);
            }
        }
    };
    put(&mut book, 'b', &snapshot["bids"]);
    put(&mut book, 'a', &snapshot["asks"]);
    let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
    let mut target = u64::MAX;
    for round in 0.. {
        if round == 8 {
            exchange.control_post("/market", json!({ "paused": true })).await.good();
            target = exchange.get("/api/v3/depth", "symbol=BTCUSDT").await.good()["lastUpdateId"].as_u64().unwrap();
        }
        if last >= target {
            break;
        }
        let update = stream.next().await.unwrap();
        let (first, end) = (update["U"].as_u64().unwrap(), update["u"].as_u64().unwrap());
        if end > last {
            assert!(first <= last + 1, "gap: {first} after {last}");
            put(&mut book, 'b', &update["b"]);
            put(&mut book, 'a', &update["a"]);
            last = end;
        }
    }
    let now = exchange.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.good();
    let mut real = std::collections::BTreeMap::new();
    put(&mut real, 'b', &now["bids"]);
    put(&mut real, 'a', &now["asks"]);
    assert_eq!(book, real);
}

#[tokio::test]
async fn streams_are_subscribed_listed_and_left() {
    let exchange = Exchange::running(config()).await;
    let mut stream = exchange.stream("/ws").await;
    stream.send(json!({ "method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1 })).await;
    assert_eq!(stream.until(|m| m["id"] == 1).await["result"], Value::Null);
    assert_eq!(stream.until(|m| m.get("u").is_some()).await["s"], "BTCUSDT");
    stream.send(json!({ "method": "LIST_SUBSCRIPTIONS", "id": 2 })).await;
    assert_eq!(stream.until(|m| m["id"] == 2).await["result"], json!(["btcusdt@bookTicker"]));
    stream.send(json!({ "method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": "x" })).await;
    stream.until(|m| m["id"] == "x").await;
    stream.send(json!({ "method": "WISH", "id": 4 })).await;
    assert_eq!(stream.until(|m| m["id"] == 4).await["error"]["code"], 2);
}

#[tokio::test]
async fn more_than_five_messages_a_second_close_a_stream() {
    let exchange = Exchange::running(config()).await;
    let mut stream = exchange.stream("/ws").await;
    for id in 0..6 {
        stream.send(json!({ "method": "LIST_SUBSCRIPTIONS", "id": id })).await;
    }
    let mut answers = 0;
    while stream.next().await.is_some() {
        answers += 1;
    }
    assert!(answers <= 5, "{answers}");
}

#[tokio::test]
async fn a_connection_without_pongs_is_closed_and_one_with_them_lives_its_life() {
    let mut config = config();
    config.timing.ping_every = Duration::from_millis(50);
    config.timing.pong_within = Duration::from_millis(200);
    config.timing.life = Duration::from_millis(900);
    let exchange = Exchange::running(config).await;
    let mut silent = exchange.stream("/ws").await;
    silent.pong = false;
    let start = std::time::Instant::now();
    assert!(silent.next().await.is_none());
    assert!(start.elapsed() < Duration::from_millis(850));
    let mut good = exchange.stream("/ws").await;
    assert!(good.next().await.is_none());
    assert!(good.pings > 5, "{}", good.pings);
}

#[tokio::test]
async fn account_events_come_by_signature() {
    let exchange = Exchange::open(config()).await;
    let mut stream = exchange.stream("/ws-api/v3").await;
    let answer = stream.call_signed("userDataStream.subscribe.signature", json!({})).await;
    assert_eq!((answer["status"].as_i64(), answer["result"]["subscriptionId"].as_i64()), (Some(200), Some(0)));
    assert_eq!(answer["rateLimits"][0]["rateLimitType"], "REQUEST_WEIGHT");
    let order = json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.00100", "newClientOrderId": "w-1" });
    stream.send(json!({ "id": 0, "method": "ping" })).await;
    exchange.market_order("w-1").await.good();
    let event = async |stream: &mut super::client::Stream| stream.until(|m| m.get("event").is_some()).await;
    let new = event(&mut stream).await;
    assert_eq!((new["subscriptionId"].as_i64(), new["event"]["x"].as_str()), (Some(0), Some("NEW")));
    let trade = event(&mut stream).await["event"].clone();
    assert_eq!(
        (trade["x"].as_str(), trade["X"].as_str(), trade["c"].as_str()),
        (Some("TRADE"), Some("FILLED"), Some("w-1"))
    );
    assert_eq!(
        (trade["l"].as_str(), trade["z"].as_str(), trade["N"].as_str()),
        (Some("0.00100000"), Some("0.00100000"), Some("BTC"))
    );
    let position = event(&mut stream).await["event"].clone();
    assert_eq!((position["e"].as_str(), position["B"].as_array().unwrap().len()), (Some("outboundAccountPosition"), 2));
    exchange.control_post("/deposit", json!({ "asset": "ETH", "amount": "1" })).await.good();
    assert_eq!(event(&mut stream).await["event"]["d"], "1.00000000");
    let placed = stream.call_signed("order.place", order).await;
    assert_eq!(placed["result"]["status"], "FILLED");
    assert_eq!(placed["rateLimits"][0]["interval"], "SECOND");
    stream.send(json!({ "id": "u", "method": "userDataStream.unsubscribe" })).await;
    let ended = stream.until(|m| m["event"]["e"] == "eventStreamTerminated").await;
    assert_eq!(ended["subscriptionId"], 0);
}

#[tokio::test]
async fn requests_by_websocket_answer_as_by_rest() {
    let exchange = Exchange::open(config()).await;
    let mut stream = exchange.stream("/ws-api/v3").await;
    assert!(stream.call("time", json!({})).await["result"]["serverTime"].is_i64());
    let depth = stream.call("depth", json!({ "symbol": "BTCUSDT", "limit": 5 })).await;
    assert_eq!(depth["result"], exchange.get("/api/v3/depth", "symbol=BTCUSDT&limit=5").await.good());
    let limit = json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.001, "price": 50000.5, "newClientOrderId": "ws-1" });
    assert_eq!(stream.call_signed("order.place", limit.clone()).await["result"]["status"], "NEW");
    assert_eq!(stream.call_signed("order.place", limit).await["error"]["code"], -2010);
    let named = json!({ "symbol": "BTCUSDT", "origClientOrderId": "ws-1" });
    assert_eq!(stream.call_signed("order.status", named.clone()).await["result"]["price"], "50000.50000000");
    assert_eq!(stream.call_signed("openOrders.status", json!({})).await["result"].as_array().unwrap().len(), 1);
    assert_eq!(stream.call_signed("order.cancel", named.clone()).await["result"]["status"], "CANCELED");
    assert_eq!(stream.call_signed("order.cancel", named).await["status"], 400);
    assert_eq!(stream.call("order.wish", json!({})).await["status"], 400);
    assert_eq!(stream.call("userDataStream.subscribe", json!({})).await["error"]["code"], -2015);
}

#[tokio::test]
async fn an_ed25519_session_needs_no_further_signature() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
    let mut config = config();
    let (key, account) = ("ed-1".to_owned(), "main".to_owned());
    config.keys.push(KeySpec { key, secret: KeySecret::Ed25519(public), account });
    let exchange = Exchange::open(config).await;
    let mut stream = exchange.stream("/ws-api/v3").await;
    assert_eq!(stream.call_signed("session.logon", json!({})).await["error"]["code"], -4056);
    let timestamp = u64::try_from(now_ms()).unwrap();
    let tag = pair.sign(format!("apiKey=ed-1&timestamp={timestamp}").as_bytes());
    let signature = crate::auth::tests::base64(tag.as_ref());
    let logon = json!({ "apiKey": "ed-1", "timestamp": timestamp, "signature": signature });
    assert_eq!(stream.call("session.logon", logon).await["result"]["apiKey"], "ed-1");
    assert_eq!(stream.call("userDataStream.subscribe", json!({})).await["result"]["subscriptionId"], 0);
    assert_eq!(stream.call("account.status", json!({ "timestamp": timestamp })).await["status"], 200);
    assert_eq!(stream.call("session.status", json!({})).await["result"]["userDataStream"], true);
    assert_eq!(stream.call("session.logout", json!({})).await["result"]["apiKey"], Value::Null);
    assert_eq!(stream.call("account.status", json!({ "timestamp": timestamp })).await["status"], 401);
}

#[tokio::test]
async fn listen_keys_still_work_for_older_clients() {
    let exchange = Exchange::open(config()).await;
    let url = "/api/v3/userDataStream";
    let key = exchange.try_send("POST", url, "", true).await.unwrap().good()["listenKey"].as_str().unwrap().to_owned();
    let mut stream = exchange.stream(&format!("/ws/{key}")).await;
    exchange.rest_order("lk").await.good();
    assert_eq!(stream.next().await.unwrap()["c"], "lk");
    exchange.try_send("PUT", url, &format!("listenKey={key}"), true).await.unwrap().good();
    exchange.try_send("DELETE", url, &format!("listenKey={key}"), true).await.unwrap().good();
    let gone = exchange.try_send("PUT", url, &format!("listenKey={key}"), true).await.unwrap();
    assert_eq!(gone.code(), -1125);
    assert_eq!(exchange.try_send("POST", url, "", false).await.unwrap().status, 401);
    assert_eq!(KEY, "key-1");
}
