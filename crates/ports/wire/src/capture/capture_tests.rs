use super::*;

const QUOTE: &str = r#"1723161254087891268 {"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#;
const TRADE: &str = r#"1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
const DEPTH: &str = r#"1723161254036059768 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT","U":50093239203,"u":50093239207,"b":[["55653.87000000","0.00000000"]],"a":[["61838.04000000","0.32332000"]]}}"#;
const SNAPSHOT: &str =
    r#"1723161254206652067 {"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"asks":[]}"#;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn discovered() -> Instrument {
    let mut discovery = Discovery::new();
    for line in [QUOTE, TRADE, DEPTH, SNAPSHOT] {
        discovery.see(&decode(1, line).unwrap().message);
    }
    discovery.instruments().unwrap().remove(0)
}

#[test]
fn each_kind_of_line_decodes_exactly() {
    let quote = decode(1, QUOTE).unwrap();
    assert_eq!(quote.received_at(), Timestamp(1_723_161_254_087_891));
    let symbol = "BTCUSDT".parse().unwrap();
    let (bid, ask) = ((dec("61837.63"), dec("3.78826")), (dec("61837.64"), dec("1.54698")));
    assert_eq!(quote.message, Message::Quote { symbol, update_id: 50_093_239_212, bid, ask });
    let (id, price, qty, at) = (3_735_683_259, dec("61837.63"), dec("0.02"), Timestamp::from_millis(1_723_161_255_342));
    assert_eq!(decode(1, TRADE).unwrap().message, Message::Trade { symbol, id, price, qty, buyer_is_maker: true, at });
    let Message::Depth { first_id, last_id, bids, asks, .. } = decode(1, DEPTH).unwrap().message else {
        panic!("a depth update")
    };
    assert_eq!((first_id, last_id), (50_093_239_203, 50_093_239_207));
    assert_eq!((bids, asks), (vec![(dec("55653.87"), dec("0"))], vec![(dec("61838.04"), dec("0.32332"))]));
    let Message::Snapshot { symbol, last_id, .. } = decode(1, SNAPSHOT).unwrap().message else { panic!("a snapshot") };
    assert_eq!((symbol, last_id), (None, 50_093_239_218));
}

#[test]
fn bare_events_and_snapshots_with_an_envelope_decode_too() {
    for line in [QUOTE, TRADE, DEPTH] {
        let start = line.find("\"data\":").unwrap() + 7;
        let bare = format!("1 {}", &line[start..line.len() - 1]);
        assert_eq!(decode(1, &bare).unwrap().message, decode(1, line).unwrap().message);
    }
    let enveloped = r#"1 {"stream":"ethusdt@depthSnapshot","data":{"lastUpdateId":7,"bids":[],"asks":[["1.5","2"]]}}"#;
    assert_eq!(decode(1, enveloped).unwrap().message.symbol(), Some("ETHUSDT".parse().unwrap()));
}

#[test]
fn streams_that_replay_does_not_use_are_kept_as_other() {
    let line = r#"1 {"stream":"btcusdt@kline_1m","data":{"e":"kline"}}"#;
    assert_eq!(decode(1, line).unwrap().message, Message::Other("btcusdt@kline_1m".into()));
}

#[test]
fn a_bad_line_is_named_with_its_reason() {
    for (text, reason) in [
        ("", "line 7: no space after the receive time"),
        ("abc {}", "line 7: receive time is no integer of nanoseconds: \"abc\""),
        ("1 {\"stream\":\"btcusdt@trade\",\"da", "line 7: malformed message: EOF while parsing a string"),
        ("1 {}", "line 7: malformed message: no stream, no event type, no book"),
        (&TRADE.replace("0.02000000", "-1"), "line 7: malformed trade: not an exact, non-negative decimal: \"-1\""),
        (&TRADE.replace("\"0.02000000\"", "0.02"), "line 7: malformed trade: invalid type: floating point"),
        (&DEPTH.replace("50093239203", "50093239208"), "line 7: malformed depthUpdate: U 50093239208 is after u"),
        (&QUOTE.replace("BTCUSDT", "BTC/USDT"), "line 7: bad symbol"),
    ] {
        let error = decode(7, text).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

#[test]
fn numbers_are_exact_or_refused() {
    assert_eq!(decimal("61837.63000000"), Some(dec("61837.63")));
    assert_eq!(decimal("9223372036854775807"), Some(Decimal::from(i64::MAX)));
    assert_eq!(decimal("12345678901234567890.5"), Some(dec("12345678901234567890.5")));
    assert_eq!(decimal(".5"), Some(dec("0.5")));
    for bad in ["", ".", "1e5", "1.2.3", "-1", "+1", "9999999999999999999", "-1234567890123456789012"] {
        assert_eq!(decimal(bad), None, "{bad}");
    }
}

#[test]
fn instruments_are_discovered_with_the_known_tick_and_step() {
    let instrument = discovered();
    assert_eq!((instrument.base.as_str(), instrument.quote.as_str()), ("BTC", "USDT"));
    assert_eq!((instrument.scale.tick, instrument.scale.step), (dec("0.01"), dec("0.00001")));
    let mut discovery = Discovery::new();
    discovery.see(&message(r#"{"e":"trade","s":"NOQUOTE","t":1,"p":"1","q":"1","T":1,"m":true}"#).unwrap());
    assert!(discovery.instruments().unwrap_err().contains("NOQUOTE"));
}

#[test]
fn messages_become_events_in_ticks_and_lots() {
    let instrument = discovered();
    let captured = decode(1, QUOTE).unwrap();
    let Some(MarketEvent::Quote(quote)) = captured.message.event(&instrument, captured.received_at()).unwrap() else {
        panic!("a quote")
    };
    assert_eq!((quote.bid.0, quote.bid_qty.0, quote.at), (6_183_763, 378_826, Timestamp(1_723_161_254_087_891)));
    let finer = TRADE.replace("61837.63000000", "61837.63500000");
    let error = decode(1, &finer).unwrap().message.event(&instrument, Timestamp(0)).unwrap_err();
    assert!(error.contains("61837.635"), "{error}");
}
