use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Exchange, config};

/// Orders in the record with this client id.
async fn orders(exchange: &Exchange, id: &str) -> usize {
    exchange.record("order").await.iter().filter(|line| line["client_order_id"] == id).count()
}

#[tokio::test]
async fn an_answer_lost_after_the_order_is_an_order_all_the_same() {
    let exchange = Exchange::open(config()).await;
    for (how, id) in [("504", "a"), ("1007", "b"), ("1006", "c"), ("reset", "d")] {
        exchange
            .fault(json!({ "kind": "answer_lost", "how": how, "endpoint": "POST /api/v3/order", "count": 1 }))
            .await;
        let query = format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId={id}");
        let reply = exchange.try_signed("POST", "/api/v3/order", &query).await;
        match how {
            "504" => {
                assert!(reply.as_ref().is_ok_and(|r| r.status == 504 && r.body.as_str().unwrap().contains("<html>")))
            }
            "1007" => assert!(reply.as_ref().is_ok_and(|r| r.status == 504 && r.code() == -1007)),
            "1006" => assert!(reply.as_ref().is_ok_and(|r| r.status == 500 && r.code() == -1006)),
            _ => assert!(reply.is_err()),
        }
        assert_eq!(orders(&exchange, id).await, 1, "{how}");
        exchange.market_order(&format!("{id}-next")).await.good();
    }
}

#[tokio::test]
async fn an_answer_lost_before_the_order_is_no_order() {
    let exchange = Exchange::open(config()).await;
    let fault = json!({ "kind": "answer_lost", "when": "before", "client_id_prefix": "x-", "count": 2 });
    exchange.fault(fault).await;
    assert_eq!(exchange.market_order("x-1").await.status, 504);
    assert_eq!(orders(&exchange, "x-1").await, 0);
    exchange.market_order("y-1").await.good();
    assert_eq!(exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=x-1").await.status, 504);
    assert_eq!(exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=x-1").await.code(), -2013);
    let mut stream = exchange.stream("/ws-api/v3").await;
    exchange.fault(json!({ "kind": "answer_lost", "when": "before", "how": "reset", "endpoint": "order.place" })).await;
    stream.send(json!({ "id": 1, "method": "order.place", "params": {} })).await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_request_held_up_beyond_its_window_is_refused() {
    let exchange = Exchange::open(config()).await;
    exchange.fault(json!({ "kind": "delay", "ms": 300, "count": 2 })).await;
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&recvWindow=100&newClientOrderId=late";
    assert_eq!(exchange.signed("POST", "/api/v3/order", order).await.code(), -1021);
    assert_eq!(orders(&exchange, "late").await, 0);
    let start = Instant::now();
    exchange.market_order("slow").await.good();
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn refusals_on_demand() {
    let exchange = Exchange::open(config()).await;
    let ask = async |fault: Value| {
        exchange.fault(fault).await;
        let reply = exchange.market_order("r").await;
        exchange.clear_faults().await;
        reply
    };
    let reply = ask(json!({ "kind": "reject", "code": -2010, "msg": "No.", "side": "BUY" })).await;
    assert_eq!((reply.status, reply.code()), (400, -2010));
    let reply = ask(json!({ "kind": "rate_limit", "retry_after_s": 7 })).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "7"));
    let reply = ask(json!({ "kind": "ban", "seconds": 30 })).await;
    assert_eq!((reply.status, reply.code(), reply.header("retry-after")), (418, -1003, "30"));
    let reply = ask(json!({ "kind": "firewall" })).await;
    assert_eq!((reply.status, reply.header("content-type")), (403, "text/html"));
    let reply = ask(json!({ "kind": "maintenance" })).await;
    assert_eq!((reply.status, reply.code()), (503, -1008));
    let reply = ask(json!({ "kind": "malformed" })).await;
    assert!(reply.status == 200 && reply.body.is_string());
    assert_eq!(orders(&exchange, "r").await, 1, "only the malformed answer follows an order");
    exchange.market_order("after").await.good();
}

#[tokio::test]
async fn a_ban_lasts_beyond_the_request_that_met_it() {
    let exchange = Exchange::open(config()).await;
    exchange.fault(json!({ "kind": "ban", "seconds": 60, "count": 1 })).await;
    assert_eq!(exchange.get("/api/v3/time", "").await.status, 418);
    assert_eq!(exchange.get("/api/v3/time", "").await.status, 418);
    exchange.clear_faults().await;
    assert_eq!(exchange.get("/api/v3/time", "").await.status, 200);
}

#[tokio::test]
async fn streams_are_cut_or_go_stale() {
    let exchange = Exchange::running(config()).await;
    let mut market = exchange.stream("/ws/btcusdt@bookTicker").await;
    market.next().await.unwrap();
    let mut user = exchange.stream("/ws-api/v3").await;
    user.call_signed("userDataStream.subscribe.signature", json!({})).await;
    exchange.fault(json!({ "kind": "stream_cut", "stream": "market" })).await;
    while market.next().await.is_some() {}
    exchange.market_order("still").await.good();
    user.until(|m| m["event"]["c"] == "still").await;
    exchange.fault(json!({ "kind": "stale_stream", "stream": "user" })).await;
    exchange.market_order("unheard").await.good();
    exchange.clear_faults().await;
    exchange.market_order("heard").await.good();
    let next = user.until(|m| m["event"]["e"] == "executionReport" && m["event"]["c"] != "still").await;
    assert_eq!(next["event"]["c"], "heard");
    exchange.fault(json!({ "kind": "stream_cut", "stream": "user", "reset": true })).await;
    while user.next().await.is_some() {}
}

#[tokio::test]
async fn a_shutdown_is_announced() {
    let exchange = Exchange::running(config()).await;
    let mut market = exchange.stream("/ws/btcusdt@trade").await;
    let mut user = exchange.stream("/ws-api/v3").await;
    user.call("ping", json!({})).await;
    exchange.fault(json!({ "kind": "server_shutdown", "grace_ms": 50 })).await;
    market.until(|m| m["e"] == "serverShutdown").await;
    user.until(|m| m["event"]["e"] == "serverShutdown").await;
    while market.next().await.is_some() {}
    assert!(user.next().await.is_none());
}

#[tokio::test]
async fn reports_are_doubled_dropped_and_swapped() {
    let exchange = Exchange::open(config()).await;
    let mut user = exchange.stream("/ws-api/v3").await;
    user.call_signed("userDataStream.subscribe.signature", json!({})).await;
    let mut told = async |fault: Value, id: &str, last: &str| {
        exchange.fault(fault).await;
        exchange.market_order(id).await.good();
        exchange.clear_faults().await;
        exchange.market_order(last).await.good();
        let mut reports = Vec::new();
        loop {
            let event = user.next().await.unwrap()["event"].clone();
            if event["c"] == last && event["x"] == "TRADE" {
                return reports.join(" ");
            }
            if event["c"] == id {
                reports.push(event["x"].as_str().unwrap().to_owned());
            }
        }
    };
    assert_eq!(told(json!({ "kind": "duplicate_reports" }), "a", "a-").await, "NEW NEW TRADE TRADE");
    assert_eq!(told(json!({ "kind": "drop_reports", "execution": "NEW" }), "b", "b-").await, "TRADE");
    assert_eq!(told(json!({ "kind": "reorder_reports", "count": 1 }), "c", "c-").await, "TRADE NEW");
}

#[tokio::test]
async fn the_clock_is_skewed_while_the_fault_lasts() {
    let exchange = Exchange::open(config()).await;
    exchange.fault(json!({ "kind": "clock_skew", "ms": 30_000 })).await;
    let told = exchange.get("/api/v3/time", "").await.good()["serverTime"].as_u64().unwrap();
    assert!(u128::from(told) > super::client::now_ms() + 20_000);
    assert_eq!(exchange.market_order("skewed").await.code(), -1021);
    exchange.clear_faults().await;
    exchange.market_order("straight").await.good();
}

#[tokio::test]
async fn lost_depth_updates_leave_a_gap() {
    let exchange = Exchange::running(config()).await;
    let mut stream = exchange.stream("/ws/btcusdt@depth@100ms").await;
    let mut last = stream.next().await.unwrap()["u"].as_u64().unwrap();
    exchange.fault(json!({ "kind": "drop_market", "stream": "@depth", "count": 1 })).await;
    let gap = loop {
        let update = stream.next().await.unwrap();
        let first = update["U"].as_u64().unwrap();
        if first != last + 1 {
            break first - last - 1;
        }
        last = update["u"].as_u64().unwrap();
    };
    assert!(gap > 0);
}

#[tokio::test]
async fn mistakes_at_the_control_address_are_named() {
    let exchange = Exchange::open(config()).await;
    for (body, says) in
        [(json!({ "kind": "boom" }), "boom"), (json!([{ "kind": "delay" }]), "ms"), (json!(5), "JSON object")]
    {
        let reply = exchange.control_post("/faults", body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.body["error"].as_str().unwrap().contains(says), "{}", reply.body);
    }
    assert_eq!(exchange.control_get("/faults").await.good(), json!([]));
    assert_eq!(exchange.control_get("/state").await.good()["accounts"][0]["name"], "main");
}

#[tokio::test]
async fn the_control_address_says_what_is_wrong_with_a_request() {
    let exchange = Exchange::open(config()).await;
    for (path, body, says) in [
        (
            "/faults",
            json!({ "kind": "delay", "ms": 1, "symbol": "NOPE" }),
            "symbol is one of BTCUSDT, ETHUSDT, SOLUSDT",
        ),
        ("/faults", json!({ "kind": "delay", "ms": 1, "account": "nobody" }), "account is one of main"),
        ("/faults", json!([{ "kind": "delay", "ms": 1 }, { "kind": "nope" }]), "unknown variant `nope`"),
        ("/nope", json!({}), "POST /nope"),
        ("/record", json!({}), "GET /health"),
    ] {
        let reply = exchange.control_post(path, body).await;
        assert!((400..500).contains(&reply.status));
        assert!(reply.body["error"].as_str().unwrap().contains(says), "{path}: {}", reply.body);
    }
    assert_eq!(exchange.control_get("/record?from=x").await.status, 400);
    assert!(exchange.control_get("/record?from=x").await.body["error"].is_string());
    // None of them was set, not even the good one of the list.
    assert_eq!(exchange.control_get("/faults").await.good(), json!([]));
}
