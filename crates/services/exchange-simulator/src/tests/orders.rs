use super::client::{Exchange, Reply, config};

async fn place(exchange: &Exchange, query: &str) -> Reply {
    exchange.signed("POST", "/api/v3/order", query).await
}

#[tokio::test]
async fn an_order_lives_from_placement_to_cancel() {
    let exchange = Exchange::open(config()).await;
    let placed = exchange.rest_order("a-1").await;
    assert_eq!((placed.header("x-mbx-order-count-10s"), placed.header("x-mbx-order-count-1d")), ("1", "1"));
    let placed = placed.good();
    assert_eq!((placed["status"].as_str(), placed["fills"].as_array().unwrap().len()), (Some("NEW"), 0));
    let query = "symbol=BTCUSDT&origClientOrderId=a-1";
    let found = exchange.signed("GET", "/api/v3/order", query).await.good();
    assert_eq!(
        (found["orderId"].clone(), found["price"].as_str()),
        (placed["orderId"].clone(), Some("50000.00000000"))
    );
    assert_eq!(exchange.signed("GET", "/api/v3/openOrders", "").await.good().as_array().unwrap().len(), 1);
    let canceled = exchange.signed("DELETE", "/api/v3/order", query).await.good();
    assert_eq!((canceled["status"].as_str(), canceled["origClientOrderId"].as_str()), (Some("CANCELED"), Some("a-1")));
    assert_eq!(exchange.signed("DELETE", "/api/v3/order", query).await.code(), -2011);
    assert_eq!(exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=999999999").await.code(), -2013);
    assert_eq!(exchange.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.code(), -2011);
    assert_eq!(exchange.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.good()[0]["status"], "CANCELED");
}

#[tokio::test]
async fn a_market_order_fills_and_pays_its_fee() {
    let exchange = Exchange::open(config()).await;
    let placed = exchange.market_order("m-1").await.good();
    assert_eq!((placed["status"].as_str(), placed["executedQty"].as_str()), (Some("FILLED"), Some("0.00100000")));
    let fill = &placed["fills"][0];
    assert_eq!(fill["commissionAsset"], "BTC");
    let trades = exchange.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.good();
    assert_eq!((&trades[0]["id"], &trades[0]["orderId"]), (&fill["tradeId"], &placed["orderId"]));
    assert_eq!(exchange.record("fill").await[0]["client_order_id"], "m-1");
    let quote = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100&newOrderRespType=RESULT";
    let placed = place(&exchange, quote).await.good();
    assert_eq!((placed["origQuoteOrderQty"].as_str(), placed.get("fills")), (Some("100.00000000"), None));
    let ack = place(&exchange, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newOrderRespType=ACK").await.good();
    assert_eq!(ack.as_object().unwrap().len(), 5, "{ack}");
}

#[tokio::test]
async fn the_client_order_id_trap_an_id_is_free_again_once_its_order_has_filled() {
    let exchange = Exchange::open(config()).await;
    let first = exchange.market_order("same").await.good();
    let second = exchange.market_order("same").await.good();
    assert_ne!(first["orderId"], second["orderId"]);
    exchange.rest_order("open").await.good();
    let again = exchange.rest_order("open").await;
    assert_eq!((again.code(), again.body["msg"].as_str()), (-2010, Some("Duplicate order sent.")));
    let newest = exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=same").await.good();
    assert_eq!(newest["orderId"], second["orderId"]);
}

#[tokio::test]
async fn bad_orders_have_the_exchanges_codes() {
    let exchange = Exchange::open(config()).await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT";
    for (query, code) in [
        ("side=BUY&type=MARKET&quantity=1".to_owned(), -1102),
        ("symbol=NOPE&side=BUY&type=MARKET&quantity=1".to_owned(), -1121),
        ("symbol=BTCUSDT&side=HOLD&type=MARKET&quantity=1".to_owned(), -1117),
        ("symbol=BTCUSDT&side=BUY&type=WISH&quantity=1".to_owned(), -1116),
        (format!("{limit}&timeInForce=GTX&quantity=1&price=1"), -1115),
        (format!("{limit}&quantity=1&price=1"), -1102),
        (format!("{limit}&timeInForce=GTC&quantity=1"), -1102),
        (format!("{limit}&timeInForce=GTC&quantity=0.123456789&price=50000"), -1111),
        (format!("{limit}&timeInForce=GTC&quantity=1x&price=50000"), -1100),
        (format!("{limit}&timeInForce=GTC&quantity=0.001&price=50000.001"), -1013),
        (format!("{limit}&timeInForce=GTC&quantity=0.00001&price=50000"), -1013),
        (format!("{limit}&timeInForce=GTC&quantity=100&price=50000"), -2010),
        (format!("{limit}&timeInForce=GTC&quantity=0.001&price=50000&unknown=1"), -1104),
        (format!("{limit}&timeInForce=GTC&quantity=0.001&price="), -1105),
        (format!("{limit}&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId=%C3%A4"), -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timeInForce=GTC".to_owned(), -1106),
        ("symbol=BTCUSDT&side=BUY&type=MARKET".to_owned(), -1102),
        ("symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.001&price=50000".to_owned(), -2010),
        ("symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.001&stopPrice=50000".to_owned(), -1013),
        (format!("{limit}&timeInForce=GTC&quantity=0.001&price=50000&stopPrice=1"), -1106),
    ] {
        let reply = place(&exchange, &query).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{query}: {}", reply.body);
    }
    assert!(exchange.record("order").await.is_empty());
    let test = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    assert_eq!(exchange.signed("POST", "/api/v3/order/test", test).await.good(), serde_json::json!({}));
}

#[tokio::test]
async fn parameters_may_come_in_the_body() {
    let exchange = Exchange::open(config()).await;
    let (query, body) =
        ("symbol=BTCUSDT&side=BUY&type=MARKET", format!("quantity=0.001&timestamp={}", super::client::now_ms()));
    let signature = super::client::sign(&format!("{query}{body}"));
    let url = format!("http://{}/api/v3/order?{query}", exchange.sim.address());
    let reply = reqwest::Client::new()
        .post(url)
        .header("X-MBX-APIKEY", super::client::KEY)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("{body}&signature={signature}"))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn unfilled_orders_are_limited_and_fills_give_them_back() {
    let mut config = config();
    config.limits.orders_10s = 2;
    let exchange = Exchange::open(config).await;
    // Fills do not count, so these never reach the limit, whatever ten-second window they fall in.
    for id in 0..4 {
        exchange.market_order(&format!("m-{id}")).await.good();
    }
    let mut refused = None;
    for id in 0..6 {
        let reply = exchange.rest_order(&format!("r-{id}")).await;
        if reply.status != 200 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.code()), (429, -1015));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() <= 10);
}

#[tokio::test]
async fn cancel_replace_tells_how_far_it_came() {
    let exchange = Exchange::open(config()).await;
    let order = exchange.rest_order("old").await.good();
    let replace = |id: &str, qty: &str, mode: &str| {
        format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity={qty}&price=50001&cancelReplaceMode={mode}&cancelOrderId={id}"
        )
    };
    let path = "/api/v3/order/cancelReplace";
    let id = order["orderId"].to_string();
    let done = exchange.signed("POST", path, &replace(&id, "0.002", "STOP_ON_FAILURE")).await.good();
    assert_eq!((done["cancelResult"].as_str(), done["newOrderResult"].as_str()), (Some("SUCCESS"), Some("SUCCESS")));
    let none = exchange.signed("POST", path, &replace(&id, "0.002", "STOP_ON_FAILURE")).await;
    assert_eq!((none.status, none.code()), (400, -2022));
    assert_eq!(none.body["data"]["newOrderResult"], "NOT_ATTEMPTED");
    let half = exchange.signed("POST", path, &replace(&id, "0.002", "ALLOW_FAILURE")).await;
    assert_eq!((half.status, half.code()), (409, -2021));
    assert_eq!(half.body["data"]["cancelResponse"]["code"], -2011);
}
