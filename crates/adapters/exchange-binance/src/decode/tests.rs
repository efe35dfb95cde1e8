//! What recorded and documented messages become.

use std::collections::BTreeMap;
use std::fmt::Debug;

use expect_test::{Expect, expect};
use nightdesk_units::{Decimal, Micros};

use super::*;

fn scale() -> Scale {
    Scale { tick: Decimal::new(1, 2), step: Decimal::new(1, 5) }
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// One line, without the noise of `Debug`.
fn show<T: Debug>(got: Decoded<T>) -> String {
    got.map_or_else(|e| e.to_string(), |value| format!("{value:?}"))
}

fn check_market(text: &str, expected: Expect) {
    let scales = BTreeMap::from([(symbol(), scale())]);
    expected.assert_eq(&show(market(text, &scales, Timestamp::from_millis(1_723_161_255_000))));
}

fn check_user(text: &str, expected: Expect) {
    expected.assert_eq(&show(user(text, |_| "USDT".parse().ok())));
}

/// Lines as recorded from Binance on 2024-08-08.
#[test]
fn recorded_market_messages() {
    check_market(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255748,"s":"BTCUSDT","t":3735683298,"p":"61828.55000000","q":"0.00017000","T":1723161255745,"m":true,"M":true}}"#,
        expect![
            "Trade(Trade { symbol: BTCUSDT, id: 3735683298, price: Ticks(6182855), qty: Lots(17), buyer_is_maker: true, at: Timestamp(1723161255745000) })"
        ],
    );
    check_market(
        r#"{"stream":"btcusdt@bookTicker","data":{"u":50093240049,"s":"BTCUSDT","b":"61828.55000000","B":"0.00016000","a":"61828.57000000","A":"0.10027000"}}"#,
        expect![
            "Quote(Quote { symbol: BTCUSDT, update_id: 50093240049, bid: Ticks(6182855), bid_qty: Lots(16), ask: Ticks(6182857), ask_qty: Lots(10027), at: Timestamp(1723161255000000) })"
        ],
    );
    check_market(
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT","U":50093239203,"u":50093239207,"b":[["55653.87000000","0.00000000"]],"a":[["61838.04000000","0.32332000"],["61844.30000000","0.40163000"],["61862.50000000","0.05019000"],["61862.51000000","0.00000000"]]}}"#,
        expect![
            "Depth(DepthUpdate { symbol: BTCUSDT, first_id: 50093239203, last_id: 50093239207, bids: [(Ticks(5565387), Lots(0))], asks: [(Ticks(6183804), Lots(32332)), (Ticks(6184430), Lots(40163)), (Ticks(6186250), Lots(5019)), (Ticks(6186251), Lots(0))], at: Timestamp(1723161255308000) })"
        ],
    );
}

#[test]
fn documented_market_messages() {
    let kline = |closed: &str| {
        format!(
            r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{{"t":1672515780000000,"T":1672515839999999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"10.00","c":"20.00","h":"25.00","l":"5.00","v":"1.5","n":100,"x":{closed},"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}}}}"#
        )
    };
    check_market(&kline("false"), expect!["OpenCandle(BTCUSDT)"]);
    check_market(
        &kline("true"),
        expect![[
            r#"Candle(Candle { symbol: BTCUSDT, interval: Interval(Micros(60000000)), open_at: Timestamp(1672515780000000), open: Ticks(1000), high: Ticks(2500), low: Ticks(500), close: Ticks(2000), volume: Lots(150000), trades: 100 })"#
        ]],
    );
    check_market(r#"{"result":null,"id":3}"#, expect!["Ack { id: 3, error: None }"]);
    check_market(
        r#"{"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":3}"#,
        expect![[r#"Ack { id: 3, error: Some("Invalid request: unknown stream") }"#]],
    );
    check_market(r#"{"code":3,"msg":"Invalid JSON"}"#, expect![[r#"Ack { id: 0, error: Some("Invalid JSON") }"#]]);
    check_market(r#"{"e":"serverShutdown","E":1770123456789}"#, expect!["Shutdown"]);
    check_market(r#"{"stream":"!x","data":{"e":"serverShutdown","E":1770123456789}}"#, expect!["Shutdown"]);
    check_market(r#"{"stream":"btcusdt@avgPrice","data":{"e":"avgPrice","s":"BTCUSDT"}}"#, expect!["Unknown"]);
    check_market(r#"{"hello":1}"#, expect!["Unknown"]);
}

#[test]
fn malformed_market_messages_say_what_is_wrong_and_quote_little() {
    let trade = |price: &str, qty: &str, symbol: &str| {
        format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"{symbol}","t":1,"p":"{price}","q":"{qty}","T":1,"m":true}}}}"#
        )
    };
    check_market(
        &trade("61828.555", "1", "BTCUSDT"),
        expect!["malformed trade: price 61828.555 is not a whole multiple of 0.01 within range"],
    );
    check_market(&trade("1.00", "-1", "BTCUSDT"), expect!["malformed trade: negative quantity"]);
    check_market(&trade("NaN", "1", "BTCUSDT"), expect![[r#"malformed trade: price is "NaN""#]]);
    check_market(&trade("1.00", "1", "ETHUSDT"), expect!["malformed trade: symbol was not subscribed"]);
    check_market("not json", expect!["malformed market frame: Syntax error at column 2"]);
    check_market(r#"{"stream":"btcusdt@trade","data":[]}"#, expect!["malformed trade: Data error at column 2"]);
    check_market(
        r#"{"stream":"btcusdt@depth@100ms","data":{"E":1,"s":"BTCUSDT","U":9,"u":8,"b":[],"a":[]}}"#,
        expect!["malformed depth: first update id after the last"],
    );
}

#[test]
fn no_text_makes_the_decoders_panic() {
    let good = [
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1.00","q":"1","T":1,"m":true}}"#,
        r#"{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1,"a":"BTC","d":"1","T":1}}"#,
        r#"[[1,"1","1","1","1","1",2,"1",1,"1","1","0"]]"#,
    ];
    let scales = BTreeMap::from([(symbol(), scale())]);
    for text in good {
        for cut in 0..text.len() {
            for patch in ["", "\0", "\"", "9999999999999999999999", "-", "ü", "{", "null"] {
                let text = format!("{}{patch}{}", &text[..cut], &text[cut..]);
                drop(market(&text, &scales, Timestamp(0)));
                drop(user(&text, |_| None));
                drop(candles(&text, symbol(), nightdesk_market::Interval::ONE_SECOND, &scale()));
                drop(exchange_info(&text));
                drop(order(&text));
            }
            drop(market(&text[..cut], &scales, Timestamp(0)));
        }
    }
}

fn execution(changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("e", r#""executionReport""#),
        ("E", "1499405658658"),
        ("s", r#""BTCUSDT""#),
        ("c", r#""nd-123-aaaa""#),
        ("S", r#""BUY""#),
        ("o", r#""LIMIT""#),
        ("f", r#""GTC""#),
        ("q", r#""1.00000000""#),
        ("p", r#""0.10""#),
        ("P", r#""0.00000000""#),
        ("F", r#""0.00000000""#),
        ("g", "-1"),
        ("C", r#""""#),
        ("x", r#""NEW""#),
        ("X", r#""NEW""#),
        ("r", r#""NONE""#),
        ("i", "4293153"),
        ("l", r#""0.00000000""#),
        ("z", r#""0.00000000""#),
        ("L", r#""0.00000000""#),
        ("n", r#""0""#),
        ("N", "null"),
        ("T", "1499405658657123"),
        ("t", "-1"),
        ("I", "8641984"),
        ("w", "true"),
        ("m", "false"),
        ("M", "false"),
        ("O", "1499405658657"),
        ("Z", r#""0.00000000""#),
        ("Y", r#""0.00000000""#),
        ("Q", r#""0.00000000""#),
        ("W", "1499405658657"),
        ("V", r#""NONE""#),
    ];
    for (name, value) in changes {
        fields.retain(|(have, _)| have != name);
        fields.push((name, value));
    }
    let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!(r#"{{"subscriptionId":0,"event":{{{}}}}}"#, body.join(","))
}

#[test]
fn execution_reports() {
    check_user(
        &execution(&[]),
        expect![
            "Report(ExecutionReport { symbol: BTCUSDT, client_order_id: ClientOrderId(nd-123-aaaa), exchange_order_id: 4293153, side: Buy, kind: Limit { price: Price(0.1), tif: Gtc }, qty: Qty(1), status: New, filled: Qty(0), filled_quote: Money(0), fill: None, at: Timestamp(1499405658657123) })"
        ],
    );
    let fill = [
        ("x", r#""TRADE""#),
        ("X", r#""PARTIALLY_FILLED""#),
        ("l", r#""0.4""#),
        ("z", r#""0.5""#),
        ("L", r#""0.09""#),
        ("n", r#""0.0004""#),
        ("N", r#""BNB""#),
        ("t", "77"),
        ("m", "true"),
        ("Z", r#""0.046""#),
    ];
    check_user(
        &execution(&fill),
        expect![
            "Report(ExecutionReport { symbol: BTCUSDT, client_order_id: ClientOrderId(nd-123-aaaa), exchange_order_id: 4293153, side: Buy, kind: Limit { price: Price(0.1), tif: Gtc }, qty: Qty(1), status: PartiallyFilled, filled: Qty(0.5), filled_quote: Money(0.046), fill: Some(Fill { trade_id: 77, price: Price(0.09), qty: Qty(0.4), fee: Qty(0.0004), fee_asset: BNB, maker: true, at: Timestamp(1499405658657123) }), at: Timestamp(1499405658657123) })"
        ],
    );
}

/// The order's id, status and fill of a report.
fn check_report(changes: &[(&str, &str)], expected: &str) {
    let got = match user(&execution(changes), |_| "USDT".parse().ok()) {
        Ok(UserMessage::Report(r)) => {
            let fee = r.fill.map(|fill| format!(" fee {} {}", fill.fee, fill.fee_asset)).unwrap_or_default();
            format!("{} {:?}{fee}", r.client_order_id, r.status)
        }
        other => show(other),
    };
    assert_eq!(got, expected);
}

#[test]
fn a_report_names_the_order_and_its_status_as_the_exchange_means_them() {
    let cancel = [("c", r#""web_cancel""#), ("C", r#""nd-123-aaaa""#), ("x", r#""CANCELED""#), ("X", r#""CANCELED""#)];
    check_report(&cancel, "nd-123-aaaa Canceled");
    check_report(&[("x", r#""EXPIRED""#), ("X", r#""EXPIRED""#)], "nd-123-aaaa Expired");
    check_report(&[("x", r#""TRADE_PREVENTION""#), ("X", r#""EXPIRED_IN_MATCH""#)], "nd-123-aaaa Expired");
    check_report(&[("x", r#""REJECTED""#), ("X", r#""REJECTED""#)], "nd-123-aaaa Rejected");
    check_report(&[("c", r#""web:a\/b""#)], "web_a_b New");
    check_report(&[("c", r#""nd:123""#)], "nd_123 New");
    let free = [("x", r#""TRADE""#), ("X", r#""FILLED""#), ("t", "1"), ("n", r#""0""#)];
    check_report(&free, "nd-123-aaaa Filled fee 0 USDT");
    check_report(&[("x", r#""TRADE""#), ("t", "-1")], "malformed execution report: trade without a trade id");
    check_report(&[("X", r#""ODD""#)], r#"malformed execution report: status is "ODD""#);
    check_report(&[("o", r#""ODD""#)], r#"malformed execution report: order type is "ODD""#);
}

#[test]
fn account_messages() {
    check_user(
        r#"{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH","f":"10000.000000","l":"0.500000"}]}}"#,
        expect![
            "Balances { at: Timestamp(1564034571073000), balances: [Balance { asset: ETH, free: Qty(10000), locked: Qty(0.5) }] }"
        ],
    );
    check_user(
        r#"{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1573200697110,"a":"BTC","d":"-100.00000000","T":1573200697068}}"#,
        expect!["Transfer { asset: BTC, delta: Qty(-100), at: Timestamp(1573200697068000) }"],
    );
    check_user(r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#, expect!["Terminated"]);
    check_user(r#"{"event":{"e":"serverShutdown","E":1}}"#, expect!["Shutdown"]);
    check_user(r#"{"e":"serverShutdown","E":1}"#, expect!["Shutdown"]);
    check_user(r#"{"subscriptionId":0,"event":{"e":"listStatus","E":1}}"#, expect!["Unknown"]);
    check_user(
        r#"{"id":1,"status":200,"result":{"subscriptionId":0},"rateLimits":[]}"#,
        expect!["Answer { id: 1, error: None }"],
    );
    check_user(
        r#"{"id":"1","status":400,"error":{"code":-1022,"msg":"Signature for this request is not valid."}}"#,
        expect![[r#"Answer { id: 1, error: Some((-1022, "Signature for this request is not valid.")) }"#]],
    );
}

#[test]
fn placements_cancels_and_queries() {
    let text = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"6gCrw2kRUAF9CvJDGP16IP","transactTime":1507725176595,"price":"0.00000000","origQty":"10.00000000","executedQty":"10.00000000","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"10.00000000","status":"FILLED","timeInForce":"GTC","type":"MARKET","side":"SELL","workingTime":1507725176595,"selfTradePreventionMode":"NONE","fills":[{"price":"4000.00000000","qty":"1.00000000","commission":"4.00000000","commissionAsset":"USDT","tradeId":56}]}"#;
    expect!["Placed { order: ExecutionReport { symbol: BTCUSDT, client_order_id: ClientOrderId(6gCrw2kRUAF9CvJDGP16IP), exchange_order_id: 28, side: Sell, kind: Market, qty: Qty(10), status: Filled, filled: Qty(10), filled_quote: Money(10), fill: None, at: Timestamp(1507725176595000) }, fills: [Fill { trade_id: 56, price: Price(4000), qty: Qty(1), fee: Qty(4), fee_asset: USDT, maker: false, at: Timestamp(1507725176595000) }] }"].assert_eq(&show(placed(text)));
    let text = r#"{"symbol":"LTCBTC","origClientOrderId":"myOrder1","orderId":4,"orderListId":-1,"clientOrderId":"cancelMyOrder1","transactTime":1684804350068,"price":"2.00000000","origQty":"1.00000000","executedQty":"0.00000000","cummulativeQuoteQty":"-1.0","status":"CANCELED","timeInForce":"GTC","type":"LIMIT_MAKER","side":"BUY","selfTradePreventionMode":"NONE"}"#;
    expect!["ExecutionReport { symbol: LTCBTC, client_order_id: ClientOrderId(myOrder1), exchange_order_id: 4, side: Buy, kind: LimitMaker { price: Price(2) }, qty: Qty(1), status: Canceled, filled: Qty(0), filled_quote: Money(0), fill: None, at: Timestamp(1684804350068000) }"].assert_eq(&show(canceled(text)));
    let text = r#"[{"symbol":"LTCBTC","orderId":1,"orderListId":-1,"clientOrderId":"myOrder1","price":"0.1","origQty":"1.0","executedQty":"0.0","cummulativeQuoteQty":"0.0","status":"NEW","timeInForce":"GTC","type":"STOP_LOSS_LIMIT","side":"BUY","stopPrice":"0.0","icebergQty":"0.0","time":1499827319559,"updateTime":1499827319560,"isWorking":true,"workingTime":1499827319559,"origQuoteOrderQty":"0.000000","selfTradePreventionMode":"NONE"}]"#;
    expect!["[(Timestamp(1499827319559000), ExecutionReport { symbol: LTCBTC, client_order_id: ClientOrderId(myOrder1), exchange_order_id: 1, side: Buy, kind: Limit { price: Price(0.1), tif: Gtc }, qty: Qty(1), status: New, filled: Qty(0), filled_quote: Money(0), fill: None, at: Timestamp(1499827319560000) })]"].assert_eq(&show(orders(text)));
    expect!["malformed order: Data error at column 2"].assert_eq(&show(order("{}")));
}

#[test]
fn executions_and_balances() {
    let text = r#"[{"symbol":"BNBBTC","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,"isBestMatch":true}]"#;
    expect!["[AccountTrade { symbol: BNBBTC, exchange_order_id: 100234, side: Buy, fill: Fill { trade_id: 28457, price: Price(4.000001), qty: Qty(12), fee: Qty(10.1), fee_asset: BNB, maker: false, at: Timestamp(1499865549590000) } }]"].assert_eq(&show(trades(text)));
    let text = r#"{"makerCommission":15,"commissionRates":{"maker":"0.00150000"},"canTrade":true,"updateTime":123456789000,"accountType":"SPOT","balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.00000000"},{"asset":"币安人生","free":"0.0","locked":"0.0"}],"permissions":["SPOT"],"uid":354937868}"#;
    expect!["(Timestamp(123456789000000), [Balance { asset: BTC, free: Qty(4723846.89208129), locked: Qty(0) }])"]
        .assert_eq(&show(balances(text)));
}

#[test]
fn exchange_information() {
    let text = r#"{"timezone":"UTC","serverTime":1565246363776,
        "rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},
            {"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000},
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100},
            {"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":61000}],
        "exchangeFilters":[],
        "symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
            {"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
            {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
            {"filterType":"ICEBERG_PARTS","limit":10},
            {"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"100.5","stepSize":"0.00000000"},
            {"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","askMultiplierUp":"5","askMultiplierDown":"0.2","avgPriceMins":5},
            {"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},
            {"filterType":"MAX_NUM_ORDERS","maxNumOrders":200},{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5}]},
        {"symbol":"ODD","status":"TRADING","baseAsset":"O","quoteAsset":"D","filters":[]}]}"#;
    let info = exchange_info(text).unwrap();
    assert_eq!((info.weight_per_minute, info.orders), (Some(6_000), Some((100, Micros::from_secs(10)))));
    expect!["[Malformed { kind: \"instrument\", detail: \"PRICE_FILTER or LOT_SIZE is missing\" }]"]
        .assert_eq(&format!("{:?}", info.malformed));
    expect!["[Instrument { symbol: BTCUSDT, base: BTC, quote: USDT, scale: Scale { tick: 0.01000000, step: 0.00001000 }, filters: Filters { min_price: Price(0.01), max_price: Price(1000000), min_qty: Qty(0.00001), max_qty: Qty(9000), max_market_qty: Qty(100.5), min_notional: Money(5), min_notional_applies_to_market: true, max_notional: Money(9000000), percent_price: Some([5, 0.2, 5, 0.2]), max_open_orders: 200, max_position: Qty(0) } }]"]
        .assert_eq(&format!("{:?}", info.instruments));
}

#[test]
fn public_lists() {
    let text = r#"[{"id":28458,"price":"4.01","qty":"12.0","quoteQty":"48.1","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true},{"id":28457,"price":"4.00","qty":"12.0","quoteQty":"48.0","time":1499865549590,"isBuyerMaker":false,"isBestMatch":true}]"#;
    let ids: Vec<_> = public_trades(text, symbol(), &scale()).unwrap().iter().map(|trade| trade.id).collect();
    assert_eq!(ids, [28_457, 28_458]);
    let text = r#"[[1499040000000,"0.01","0.80","0.01","0.02","148976.11427",1499644799999,"2434.19",308,"1756.8","28.4","0"]]"#;
    let interval = nightdesk_market::Interval::ONE_MINUTE;
    expect!["[Candle { symbol: BTCUSDT, interval: Interval(Micros(60000000)), open_at: Timestamp(1499040000000000), open: Ticks(1), high: Ticks(80), low: Ticks(1), close: Ticks(2), volume: Lots(14897611427), trades: 308 }]"].assert_eq(&show(candles(text, symbol(), interval, &scale())));
    let text = r#"{"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"asks":[["61837.64000000","1.54698000"]]}"#;
    expect!["DepthSnapshot { symbol: BTCUSDT, last_id: 50093239218, bids: [(Ticks(6183763), Lots(378826))], asks: [(Ticks(6183764), Lots(154698))], at: Timestamp(5) }"].assert_eq(&show(snapshot(text, symbol(), &scale(), Timestamp(5))));
    assert_eq!(snapshot_id(text), Ok(50_093_239_218));
    let text = r#"{"symbol":"BTCUSDT","bidPrice":"4.00","bidQty":"431.0","askPrice":"4.01","askQty":"9.0"}"#;
    assert_eq!(best_quote(text, &scale()), Ok([400, 43_100_000, 401, 900_000]));
}

#[test]
fn times_are_understood_in_either_unit() {
    assert_eq!(server_time(r#"{"serverTime":1723161255208}"#), Ok((Timestamp(1_723_161_255_208_000), Micros(1_000))));
    assert_eq!(server_time(r#"{"serverTime":1723161255208123}"#), Ok((Timestamp(1_723_161_255_208_123), Micros(1))));
}
