use serde_json::{Value, json};

use super::client::{Exchange, config};

/// The names and kinds of an answer's fields, sorted.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", shape(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.first().map_or_else(String::new, shape)),
        Value::String(text) if text.parse::<f64>().is_ok() && text.contains('.') => "d".to_owned(),
        Value::String(_) => "s".to_owned(),
        Value::Number(_) => "n".to_owned(),
        Value::Bool(_) => "b".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

#[tokio::test]
async fn public_answers_have_the_exchanges_shape() {
    let exchange = Exchange::running(config()).await;
    for symbol in ["symbol=BTCUSDT", "symbol=ETHUSDT"] {
        exchange.within(async |e| e.get("/api/v3/ticker/24hr", symbol).await.body["count"].as_i64() > Some(0)).await;
    }
    let ticker = "{askPrice:d,askQty:d,bidPrice:d,bidQty:d,closeTime:n,count:n,firstId:n,highPrice:d,lastId:n,lastPrice:d,lastQty:d,lowPrice:d,openPrice:d,openTime:n,prevClosePrice:d,priceChange:d,priceChangePercent:d,quoteVolume:d,symbol:s,volume:d,weightedAvgPrice:d}";
    let trade = "[{id:n,isBestMatch:b,isBuyerMaker:b,price:d,qty:d,quoteQty:d,time:n}]";
    for (path, query, expected) in [
        ("ping", "", "{}"),
        ("time", "", "{serverTime:n}"),
        ("depth", "symbol=BTCUSDT&limit=5", "{asks:[[d]],bids:[[d]],lastUpdateId:n}"),
        ("trades", "symbol=BTCUSDT", trade),
        ("historicalTrades", "symbol=BTCUSDT&limit=1", trade),
        ("aggTrades", "symbol=BTCUSDT", "[{M:b,T:n,a:n,f:n,l:n,m:b,p:d,q:d}]"),
        ("klines", "symbol=BTCUSDT&interval=1m", "[[n]]"),
        ("avgPrice", "symbol=BTCUSDT", "{closeTime:n,mins:n,price:d}"),
        ("ticker/24hr", "symbol=BTCUSDT", ticker),
        ("ticker/24hr", "symbols=[\"BTCUSDT\",\"ETHUSDT\"]", &format!("[{ticker}]")),
        ("ticker/price", "symbol=BTCUSDT", "{price:d,symbol:s}"),
        ("ticker/price", "", "[{price:d,symbol:s}]"),
        ("ticker/bookTicker", "symbol=ETHUSDT", "{askPrice:d,askQty:d,bidPrice:d,bidQty:d,symbol:s}"),
    ] {
        let body = exchange.get(&format!("/api/v3/{path}"), query).await.good();
        let got = shape(&body);
        assert_eq!(got, expected, "{path}?{query}");
    }
    let kline = &exchange.get("/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1").await.good()[0];
    assert_eq!(kline.as_array().unwrap().len(), 12);
    assert_eq!(kline[6].as_i64().unwrap() - kline[0].as_i64().unwrap(), 59_999);
}

#[tokio::test]
async fn a_market_without_a_trade_has_a_ticker_of_zeros() {
    let mut config = config();
    config.paused = true;
    let exchange = Exchange::running(config).await;
    for path in ["ticker/24hr", "ticker", "ticker/tradingDay"] {
        let ticker = exchange.get(&format!("/api/v3/{path}"), "symbol=BTCUSDT").await.good();
        assert_eq!((&ticker["symbol"], &ticker["priceChangePercent"]), (&json!("BTCUSDT"), &json!("0.000")), "{path}");
        assert_eq!((&ticker["firstId"], &ticker["lastId"], &ticker["count"]), (&json!(-1), &json!(-1), &json!(0)));
    }
    assert_eq!(exchange.get("/api/v3/ticker/24hr", "").await.good().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_spot_knows_and_this_exchange_has_none_of_is_answered_all_the_same() {
    let exchange = Exchange::open(config()).await;
    let none = exchange.get("/api/v3/referencePrice", "symbol=BTCUSDT").await.good();
    assert_eq!((&none["symbol"], none["referencePrice"].is_null()), (&json!("BTCUSDT"), true));
    assert_eq!(exchange.get("/api/v3/referencePrice/calculation", "symbol=BTCUSDT").await.code(), -2043);
    let blocks = exchange.get("/api/v3/historicalBlockTrades", "symbol=BTCUSDT&fromId=0").await.good();
    assert_eq!(blocks, json!([]));
}

#[tokio::test]
async fn exchange_info_lists_limits_and_filters() {
    let exchange = Exchange::open(config()).await;
    let info = exchange.get("/api/v3/exchangeInfo", "symbol=BTCUSDT").await.good();
    let symbol = &info["symbols"][0];
    assert_eq!((symbol["baseAsset"].as_str(), symbol["status"].as_str()), (Some("BTC"), Some("TRADING")));
    let filters: Vec<_> =
        symbol["filters"].as_array().unwrap().iter().map(|f| f["filterType"].as_str().unwrap()).collect();
    for wanted in [
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "PERCENT_PRICE_BY_SIDE",
        "NOTIONAL",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
    ] {
        assert!(filters.contains(&wanted), "{wanted}");
    }
    assert_eq!(info["rateLimits"][0]["limit"], 6_000);
    assert_eq!(exchange.get("/api/v3/exchangeInfo", "").await.good()["symbols"].as_array().unwrap().len(), 3);
    assert_eq!(exchange.get("/api/v3/exchangeInfo", "symbol=NOPE").await.code(), -1121);
}

#[tokio::test]
async fn bad_public_requests_have_the_exchanges_codes() {
    let exchange = Exchange::open(config()).await;
    for (path, query, code) in [
        ("depth", "", -1102),
        ("depth", "symbol=btcusdt", -1100),
        ("depth", "symbol=NOPE", -1121),
        ("depth", "symbol=BTCUSDT&foo=1", -1104),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", -1101),
        ("klines", "symbol=BTCUSDT", -1102),
        ("klines", "symbol=BTCUSDT&interval=7m", -1120),
        ("ticker/24hr", "symbol=BTCUSDT&symbols=[\"BTCUSDT\"]", -1128),
        ("ticker/24hr", "symbol=BTCUSDT&type=HUGE", -1139),
        ("ticker", "symbol=BTCUSDT&windowSize=8d", -1100),
    ] {
        let reply = exchange.get(&format!("/api/v3/{path}"), query).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{path}?{query}");
    }
    assert_eq!(exchange.get("/api/v3/nothing", "").await.status, 404);
}

#[tokio::test]
async fn candles_reach_back_before_the_market_began_and_are_continuous() {
    let exchange = Exchange::open(config()).await;
    let rows = exchange.get("/api/v3/klines", "symbol=BTCUSDT&interval=5m&limit=1000").await.good();
    let opens: Vec<i64> = rows.as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect();
    assert_eq!(opens.len(), 1_000);
    assert!(opens.windows(2).all(|pair| pair[1] - pair[0] == 300_000));
    let months = exchange.get("/api/v3/klines", "symbol=BTCUSDT&interval=1M&limit=13").await.good();
    assert_eq!(months.as_array().unwrap().len(), 13);
    let from = opens[10];
    let query = format!("symbol=BTCUSDT&interval=5m&startTime={from}&limit=7");
    let page = exchange.get("/api/v3/klines", &query).await.good();
    assert_eq!(page.as_array().unwrap()[..], rows.as_array().unwrap()[10..17]);
}

#[tokio::test]
async fn times_are_microseconds_where_asked_for() {
    let exchange = Exchange::open(config()).await;
    let url = format!("http://{}/api/v3/time", exchange.sim.address());
    let ask = async |unit: &str| {
        reqwest::Client::new()
            .get(&url)
            .header("X-MBX-TIME-UNIT", unit)
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    };
    assert!(ask("MICROSECOND").await["serverTime"].as_i64().unwrap() > 1_000_000_000_000_000);
    assert!(ask("MILLISECOND").await["serverTime"].as_i64().unwrap() < 100_000_000_000_000);
    assert_eq!(ask("FORTNIGHT").await["code"], -1194);
}

#[tokio::test]
async fn weight_is_counted_and_too_much_of_it_banned() {
    let mut config = config();
    config.limits.weight_1m = 300;
    let exchange = Exchange::running(config).await;
    let first = exchange.get("/api/v3/time", "").await;
    let used: u32 = first.header("x-mbx-used-weight-1m").parse().unwrap();
    let second = exchange.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await;
    assert_eq!(second.header("x-mbx-used-weight-1m").parse::<u32>().unwrap(), used + 250);
    let mut statuses = Vec::new();
    let mut last = second;
    while last.status != 418 {
        last = exchange.get("/api/v3/exchangeInfo", "").await;
        statuses.push(last.status);
        assert!(statuses.len() < 40, "{statuses:?}");
    }
    assert!(statuses.contains(&429));
    assert_eq!(last.code(), -1003);
    assert!(last.header("retry-after").parse::<u32>().unwrap() > 60, "{}", last.header("retry-after"));
}
