//! Questions.

use std::collections::BTreeSet;

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use nightdesk_orders::{ExchangeStatus, ExecutionReport};

use super::super::Archive;
use super::*;

/// Reads a whole list page by page, and returns the ids as they came.
fn pages(house: &mut House, path: &str, limit: usize, id: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("{path}limit={limit}{cursor}"));
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.iter().map(|item| item[id].to_string()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
        assert!(all.len() < 1_000, "pages never end");
    }
}

#[test]
fn the_status_shows_everything_with_exact_decimals_and_readable_times() {
    let mut house = House::new();
    let status = house.get("/v1/status");
    assert_eq!(status["at"], "2024-08-09T00:00:00.000000Z");
    assert_eq!((&status["mode"]["level"], &status["mode"]["at"]), (&json!("normal"), &Value::Null));
    assert_eq!(status["currency"], "USDT");
    assert_eq!(status["strategies"][1]["figures"]["equity"], "20000");
    assert_eq!(status["strategies"][0]["wanted"], true);
    let why = status["held_back"][0]["reason"].as_str().unwrap();
    assert!(!why.is_empty(), "no market data has come, and that is said: {status}");
}

#[test]
fn the_portfolio_names_its_balances() {
    let mut house = House::new();
    let row = |asset: &str, total: &str| Row { table: &BALANCES, values: vec![asset.into(), total.into()] };
    house.put(vec![row("USDT", "99999.10"), row("BTC", "0.015")]);
    let portfolio = house.get("/v1/portfolio");
    assert_eq!(portfolio["balances"], json!({ "BTC": "0.015", "USDT": "99999.1" }));
    assert_eq!(portfolio["currency"], "USDT");
}

#[test]
fn orders_come_newest_first_and_each_once_whatever_the_page() {
    let mut house = House::new();
    // Three at every instant, so that an instant is cut by a page's end.
    let at = |number: usize| START + Micros((number / 3).try_into().unwrap());
    house.put((0..50).map(|number| order_row(number, Status::ALL[number % 10], at(number))).collect());
    let whole = pages(&mut house, "/v1/orders?", 500, "client_order_id");
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 50);
    let ages: Vec<String> = pages(&mut house, "/v1/orders?", 500, "created_at");
    assert!(ages.is_sorted_by(|a, b| a >= b));
    for limit in [1, 2, 7, 49, 50] {
        assert_eq!(pages(&mut house, "/v1/orders?", limit, "client_order_id"), whole, "pages of {limit}");
    }
}

#[test]
fn orders_are_chosen_by_status_instrument_and_instance() {
    let mut house = House::new();
    house.put((0..40).map(|number| order_row(number, Status::ALL[number % 10], START)).collect());
    let mut count = |query: &str| pages(&mut house, &format!("/v1/orders?{query}&"), 3, "client_order_id").len();
    assert_eq!(count("status=filled"), 4);
    assert_eq!(count("status=active"), 20);
    assert_eq!(count("status=filled,rejected,filled"), 8);
    assert_eq!(count("symbol=BTCUSDT"), 20);
    assert_eq!(count("symbol=ETHUSDT&status=active"), 8);
    assert_eq!(count("instance=123"), 40);
    assert_eq!(count("instance=999"), 0);
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let mut house = House::new();
    for path in [
        "/v1/orders?limit=0",
        "/v1/orders?limit=501",
        "/v1/orders?limit=many",
        "/v1/orders?cursor=zz",
        "/v1/orders?symbol=BTC/USDT",
        "/v1/fills?instance=",
        "/v1/orders?status=lost",
        "/v1/orders?simbol=BTCUSDT",
        "/v1/fills?offset=3",
        "/v1/orders/a%20b",
        "/v1/events?types=weather",
    ] {
        assert_eq!(house.ask("GET", path, None).0, 400, "{path}");
    }
    let (status, problem) = house.ask("GET", "/v1/orders?status=lost", None);
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("pending_new"), "the choices are named: {problem}");
    assert_eq!(house.ask("GET", "/v1/orders/nd-123-nothing", None).0, 404);
    assert_eq!(house.ask("GET", "/v1/nothing", None).0, 404);
    assert_eq!(house.ask("POST", "/v1/status", None).0, 405);
    let allow = house.send("POST", "/api/core/v1/status", None, None).headers()["allow"].clone();
    assert!(allow.to_str().unwrap().contains("GET"));
}

#[test]
fn one_order_is_told_in_full() {
    let mut house = House::new();
    house.put(vec![order_row(0, Status::Open, START)]);
    let id = ClientOrderId::of("123".parse().unwrap(), intent(0).intent_id);
    let order = house.get(&format!("/v1/orders/{id}"));
    let expected = json!({
        "client_order_id": id.as_str(), "exchange_order_id": null, "intent_id": intent(0).intent_id.as_str(),
        "key": "0/buy", "instance": "123", "symbol": "BTCUSDT", "side": "BUY", "kind": "limit", "price": "60000.5",
        "time_in_force": "GTC", "quantity": "0.015", "filled": "0", "filled_quote": "0", "fees_quote": "0",
        "status": "open", "reduces": false, "reason": null,
        "created_at": "2024-08-09T00:00:00.000000Z", "updated_at": "2024-08-09T00:00:00.000000Z",
    });
    assert_eq!(order, expected);
}

#[test]
fn executions_come_newest_first_page_by_page() {
    let mut house = House::new();
    house.put((1..=20).map(|number| fill_row(number, START.0 + number / 4)).collect());
    let whole = pages(&mut house, "/v1/fills?", 100, "trade_id");
    let expected: Vec<String> = (1..=20).rev().map(|number: i32| number.to_string()).collect();
    assert_eq!(whole, expected);
    assert_eq!(pages(&mut house, "/v1/fills?", 3, "trade_id"), expected);
    assert_eq!(pages(&mut house, "/v1/fills?client_order_id=nd-2&", 3, "trade_id").len(), 0);
    let fill = house.get("/v1/fills?limit=1")["items"][0].clone();
    assert_eq!((&fill["price"], &fill["side"], &fill["maker"]), (&json!("60000.1"), &json!("SELL"), &json!(true)));
}

fn fill(trade_id: u64, qty: &str) -> nightdesk_orders::Fill {
    nightdesk_orders::Fill {
        trade_id,
        price: "60000".parse().unwrap(),
        qty: qty.parse().unwrap(),
        fee: "0".parse().unwrap(),
        fee_asset: "USDT".parse().unwrap(),
        maker: true,
        at: START,
    }
}

#[test]
fn the_executions_of_an_order_are_found_by_its_id() {
    let mut house = House::new();
    house.tell(Message::Instruments { instruments: vec![instrument()] });
    let both = "0.005".parse().unwrap();
    house.tell(Message::Report(ExecutionReport {
        fill: Some(fill(9, "0.002")),
        filled: fill(9, "0.002").qty,
        ..report(1)
    }));
    house.tell(Message::Report(ExecutionReport { fill: Some(fill(10, "0.003")), filled: both, ..report(1) }));
    let path = format!("/v1/fills?client_order_id={}&", report(1).client_order_id);
    assert_eq!(pages(&mut house, &path, 1, "trade_id"), ["10", "9"]);
    assert_eq!(pages(&mut house, &format!("{path}symbol=ETHUSDT&"), 1, "trade_id").len(), 0);
}

#[test]
fn the_archive_tells_the_engines_last_word_without_it() {
    let mut house = House::new();
    house.ask("POST", "/v1/mode/halt", Some(r#"{"reason":"drill"}"#));
    house.tell(Message::Instruments { instruments: vec![instrument()] });
    let fill = fill(9, "0.005");
    house.tell(Message::Report(ExecutionReport { filled: fill.qty, fill: Some(fill), ..report(1) }));
    house.tell(Message::Report(ExecutionReport { exchange_order_id: 78, ..report(1) }));
    let live: Vec<Value> = ["/v1/mode", "/v1/quarantine"].map(|path| house.get(path)).to_vec();
    let positions = house.get("/v1/positions");

    let archive = Archive::new(Arc::new(house.store.clone()));
    let mode = house.wait(archive.mode()).unwrap().unwrap();
    let quarantine = house.wait(archive.quarantine()).unwrap();
    assert_eq!(live, [json!(mode), json!(quarantine)]);
    let held = house.wait(archive.positions()).unwrap();
    assert_eq!(json!(held), positions, "there was no quote, so neither has a mark");
    assert_eq!(held.len(), 1);
    assert_eq!(house.wait(archive.balances()).unwrap()[&"BTC".parse().unwrap()], fill.qty);
}

/// The events of a stream until one of `kind` has come.
fn events_until(house: &mut House, stream: &mut BodyDataStream, kind: &str) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for _ in 0..1_000 {
        let chunk = house.wait(stream.next()).unwrap().unwrap();
        let text = String::from_utf8(chunk.to_vec()).unwrap();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let Some(event) = line("event: ") else { continue };
        let data = serde_json::from_str(&line("data: ").unwrap()).unwrap();
        let last = event == kind;
        events.push((event, data));
        if last {
            return events;
        }
    }
    panic!("no {kind} among {} events", events.len());
}

fn listen(house: &mut House, types: &str) -> BodyDataStream {
    let response = house.send("GET", &format!("/api/core/v1/events{types}"), None, None);
    assert_eq!(media_type(&response), "text/event-stream");
    response.into_body().into_data_stream()
}

#[test]
fn a_stream_begins_with_the_status_and_repeats_it_every_second() {
    let mut house = House::new();
    let mut stream = listen(&mut house, "");
    let mut at = |house: &mut House| events_until(house, &mut stream, "status")[0].1["at"].clone();
    let seconds: Vec<Value> = (0..3).map(|_| at(&mut house)).collect();
    let expected = ["00.000000Z", "01.000000Z", "02.000000Z"].map(|end| format!("2024-08-09T00:00:{end}"));
    assert_eq!(seconds, expected);
}

#[test]
fn what_has_become_durable_is_told_and_nothing_else() {
    let mut house = House::new();
    let mut stream = listen(&mut house, "?types=order,mode");
    // Nothing to trade on: the engine takes the decision up and abandons it.
    house.tell(Message::Intent(intent(1)));
    let events = events_until(&mut house, &mut stream, "order");
    assert_eq!((events.len(), &events[0].1["status"]), (1, &json!("abandoned")));
    assert_eq!(house.store.rows(&tables::ORDERS).len(), 1);
    house.ask("POST", "/v1/mode/halt", Some(r#"{"reason":"drill"}"#));
    let events = events_until(&mut house, &mut stream, "mode");
    assert_eq!((&events[0].1["level"], &events[0].1["by"]), (&json!("halted"), &json!("tester")));
}

#[test]
fn an_execution_is_told_with_its_order() {
    let mut house = House::new();
    let mut stream = listen(&mut house, "?types=order,fill");
    let fill = nightdesk_orders::Fill {
        trade_id: 9,
        price: "60000.5".parse().unwrap(),
        qty: "0.005".parse().unwrap(),
        fee: "0.3".parse().unwrap(),
        fee_asset: "USDT".parse().unwrap(),
        maker: true,
        at: START,
    };
    house.tell(Message::Report(ExecutionReport { filled: fill.qty, fill: Some(fill), ..report(1) }));
    let events = events_until(&mut house, &mut stream, "fill");
    assert_eq!((&events[0].0, &events[0].1["filled"]), (&"order".to_owned(), &json!("0.005")));
    assert_eq!((&events[1].1["trade_id"], &events[1].1["fee"]), (&json!(9), &json!("0.3")));
}

#[test]
fn a_reader_who_lags_is_told_so_and_goes_on() {
    let mut house = House::new();
    let mut stream = listen(&mut house, "?types=order");
    let _ = house.wait(stream.next());
    // Each makes a commit of its own.
    (0..300).for_each(|number| house.tell(Message::Intent(intent(number))));
    let events = events_until(&mut house, &mut stream, "lagged");
    assert_eq!(events.len(), 257);
    house.tell(Message::Intent(intent(1_000)));
    assert_eq!(events_until(&mut house, &mut stream, "order")[0].1["key"], "1000/buy");
}

#[test]
fn there_is_room_for_so_many_readers_and_a_leaver_makes_room() {
    let mut house = House::new();
    let mut streams: Vec<BodyDataStream> = (0..64).map(|_| listen(&mut house, "")).collect();
    let (status, problem) = house.ask("GET", "/v1/events", None);
    assert_eq!((status, &problem["type"]), (503, &json!("urn:nightdesk:problem:unavailable")));
    streams.pop();
    streams.push(listen(&mut house, ""));
}

/// An order of ours that the exchange has and the book lacks: the engine adopts it.
pub(super) fn report(number: usize) -> ExecutionReport {
    let Intent { intent_id, instance, symbol, side, kind, qty, .. } = intent(number);
    ExecutionReport {
        symbol,
        client_order_id: ClientOrderId::of(instance, intent_id),
        exchange_order_id: 77,
        side,
        kind,
        qty,
        status: ExchangeStatus::New,
        filled: "0".parse().unwrap(),
        filled_quote: Money::ZERO,
        fill: None,
        at: START,
    }
}
