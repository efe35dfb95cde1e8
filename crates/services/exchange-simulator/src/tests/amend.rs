use serde_json::{Value, json};

use super::client::{Exchange, config};

const AMEND: &str = "/api/v3/order/amend/keepPriority";

#[tokio::test]
async fn an_amended_order_is_told_everywhere() {
    let exchange = Exchange::open(config()).await;
    let mut events = exchange.stream("/ws-api/v3").await;
    events.call_signed("userDataStream.subscribe.signature", json!({})).await;
    let order = exchange.rest_order("a-1").await.good();
    let whole: f64 = order["origQty"].as_str().unwrap().parse().unwrap();
    let query = format!("symbol=BTCUSDT&origClientOrderId=a-1&newClientOrderId=a-2&newQty={:.5}", whole * 0.8);
    let answer = exchange.signed("PUT", AMEND, &query).await.good();
    let amended = &answer["amendedOrder"];
    assert_eq!((&amended["origClientOrderId"], &amended["clientOrderId"]), (&json!("a-1"), &json!("a-2")));
    assert_eq!((&amended["orderId"], &amended["status"]), (&order["orderId"], &json!("NEW")));
    let report = events.until(|message| message["event"]["x"] == "REPLACED").await;
    let report = &report["event"];
    assert_eq!((&report["C"], &report["c"], &report["q"]), (&json!("a-1"), &json!("a-2"), &amended["qty"]));
    assert_eq!(report["I"], answer["executionId"]);
    let query = format!("symbol=BTCUSDT&orderId={}", order["orderId"]);
    let list = exchange.signed("GET", "/api/v3/order/amendments", &query).await.good();
    assert_eq!((&list[0]["origQty"], &list[0]["newQty"]), (&order["origQty"], &amended["qty"]));
    let line = &exchange.record("amend").await[0];
    assert_eq!((&line["old_client_order_id"], &line["client_order_id"]), (&json!("a-1"), &json!("a-2")));
    let found = exchange.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a-2").await.good();
    assert_eq!(found["origQty"], amended["qty"]);
}

#[tokio::test]
async fn an_amendment_that_cannot_be_is_refused_in_the_exchanges_words() {
    let exchange = Exchange::open(config()).await;
    exchange.rest_order("a-1").await.good();
    let amend = async |query: &str| -> (i64, Value) {
        let reply = exchange.signed("PUT", AMEND, &format!("symbol=BTCUSDT&{query}")).await;
        (reply.code(), reply.body["msg"].clone())
    };
    assert_eq!(amend("origClientOrderId=nobody&newQty=0.0001").await, (-2038, json!("Unknown order sent.")));
    assert_eq!(amend("origClientOrderId=a-1&newQty=90").await.0, -2038);
    assert_eq!(amend("origClientOrderId=a-1&newQty=0.00001").await, (-1013, json!("Filter failure: NOTIONAL")));
    assert_eq!(amend("origClientOrderId=a-1").await.0, -1102);
    assert_eq!(amend("newQty=0.0001").await.0, -1102);
}
