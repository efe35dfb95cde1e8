use serde_json::json;

use super::client::{Exchange, KEY, SECRET, config, now_ms, sign};
use crate::KeySpec;

#[tokio::test]
async fn signed_requests_are_refused_for_the_right_reason() {
    let exchange = Exchange::open(config()).await;
    let send = async |query: String, key: bool| exchange.try_send("GET", "/api/v3/account", &query, key).await.unwrap();
    let now = i64::try_from(now_ms()).unwrap();
    let signed = |payload: String| format!("{payload}&signature={}", sign(&payload));
    for (query, key, expected) in [
        (signed(format!("timestamp={now}")), false, (401, -2014)),
        (format!("timestamp={now}"), true, (400, -1102)),
        (signed("recvWindow=5000".to_owned()), true, (400, -1102)),
        (format!("timestamp={now}&signature=00"), true, (400, -1022)),
        (signed(format!("timestamp={}", now - 60_000)), true, (400, -1021)),
        (signed(format!("timestamp={}", now + 5_000)), true, (400, -1021)),
        (signed(format!("timestamp={now}&recvWindow=60001")), true, (400, -1102)),
        (signed(format!("timestamp={now}&recvWindow=60000")), true, (200, 0)),
        (signed(format!("timestamp={now}000")), true, (200, 0)),
    ] {
        let reply = send(query.clone(), key).await;
        assert_eq!((reply.status, reply.code()), expected, "{query}: {}", reply.body);
    }
    let url = format!("http://{}/api/v3/account", exchange.sim.address());
    let unknown = reqwest::Client::new().get(url).header("X-MBX-APIKEY", "nobody").send().await.unwrap();
    assert_eq!(unknown.status(), 401);
}

#[tokio::test]
async fn balances_follow_orders_and_deposits() {
    let exchange = Exchange::open(config()).await;
    exchange.rest_order("a").await.good();
    let account = exchange.signed("GET", "/api/v3/account", "omitZeroBalances=true").await.good();
    let usdt = account["balances"].as_array().unwrap().iter().find(|b| b["asset"] == "USDT").unwrap().clone();
    assert_eq!((usdt["free"].as_str(), usdt["locked"].as_str()), (Some("99950.00000000"), Some("50.00000000")));
    assert_eq!(account["commissionRates"]["taker"], "0.00100000");
    exchange.control_post("/deposit", json!({ "asset": "ETH", "amount": "2.5" })).await.good();
    exchange.control_post("/withdraw", json!({ "asset": "ETH", "amount": "1" })).await.good();
    assert_eq!(exchange.control_post("/withdraw", json!({ "asset": "ETH", "amount": "9" })).await.status, 400);
    assert_eq!(exchange.control_post("/deposit", json!({ "asset": "ETH", "amount": "-1" })).await.status, 400);
    let account = exchange.signed("GET", "/api/v3/account", "").await.good();
    let eth = account["balances"].as_array().unwrap().iter().find(|b| b["asset"] == "ETH").unwrap().clone();
    assert_eq!(eth["free"], "1.50000000");
    let deltas: Vec<_> = exchange.record("transfer").await.iter().map(|line| line["delta"].clone()).collect();
    assert_eq!(deltas.last().unwrap(), "-1");
}

#[tokio::test]
async fn accounts_are_apart_and_may_have_several_keys() {
    let mut config = config();
    config.keys.push(format!("key-2:{SECRET}@second").parse::<KeySpec>().unwrap());
    config.keys.push(format!("key-3:{SECRET}@main").parse::<KeySpec>().unwrap());
    let exchange = Exchange::open(config).await;
    exchange.rest_order("mine").await.good();
    let orders = async |key: &str| {
        let payload = format!("timestamp={}", now_ms());
        let url = format!("http://{}/api/v3/openOrders?{payload}&signature={}", exchange.sim.address(), sign(&payload));
        let reply = reqwest::Client::new().get(url).header("X-MBX-APIKEY", key).send().await.unwrap();
        reply.json::<Vec<serde_json::Value>>().await.unwrap().len()
    };
    assert_eq!((orders(KEY).await, orders("key-2").await, orders("key-3").await), (1, 0, 1));
}

#[tokio::test]
async fn order_limits_and_wallet_requests_answer() {
    let exchange = Exchange::open(config()).await;
    let limits = exchange.signed("GET", "/api/v3/rateLimit/order", "").await.good();
    assert_eq!((limits[0]["limit"].as_i64(), limits[1]["interval"].as_str()), (Some(100), Some("DAY")));
    assert_eq!(exchange.signed("GET", "/sapi/v1/capital/config/getall", "").await.good()[0]["coin"], "BTC");
    assert_eq!(
        exchange.signed("GET", "/sapi/v1/asset/tradeFee", "symbol=BTCUSDT").await.good()[0]["takerCommission"],
        "0.001"
    );
    assert_eq!(exchange.get("/sapi/v1/system/status", "").await.good()["status"], 0);
    let commission = exchange.signed("GET", "/api/v3/account/commission", "symbol=BTCUSDT").await.good();
    assert_eq!(commission["standardCommission"]["maker"], "0.00100000");
}
