//! Changes.

use super::read::report;
use super::*;

const REASON: Option<&str> = Some(r#"{"reason":"a drill"}"#);

#[test]
fn a_halt_is_journaled_with_who_and_why_and_a_resume_lifts_the_very_same() {
    let mut house = House::new();
    let (status, change) = house.ask("POST", "/v1/mode/halt", REASON);
    assert_eq!((status, &change["effective"], &change["in_flight"]), (200, &json!(false), &json!([])));
    let mode = house.get("/v1/mode");
    assert_eq!(mode, change["mode"]);
    let told = (&mode["level"], &mode["version"], &mode["reason"], &mode["by"]);
    assert_eq!(told, (&json!("halted"), &json!(1), &json!("a drill"), &json!("tester")));
    assert!(house.store.journal_rows().iter().any(|row| row.kind == "mode" && row.body.contains("a drill")));

    let (status, problem) = house.ask("POST", "/v1/mode/resume", Some(r#"{"version":0}"#));
    assert_eq!((status, &problem["mode"]["version"]), (409, &json!(1)), "the mode in force is told: {problem}");
    let (status, change) = house.ask("POST", "/v1/mode/resume", Some(r#"{"version":1}"#));
    assert_eq!((status, &change["mode"]["level"]), (200, &json!("normal")));
    let (status, problem) = house.ask("POST", "/v1/mode/resume", Some(r#"{"version":2}"#));
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("not halted"), "{problem}");
}

#[test]
fn a_halt_that_the_connector_confirms_is_effective_and_names_what_was_in_flight() {
    let mut house = House::new();
    house.settle();
    let id = ClientOrderId::of("123".parse().unwrap(), intent(1).intent_id);
    house.messages.try_send(Message::ModeEffective { version: 1, in_flight: vec![id] }).unwrap();
    let (_, change) = house.ask("POST", "/v1/mode/halt", REASON);
    // The confirmation waits in the queue behind the request.
    assert_eq!((&change["effective"], &change["in_flight"][0]), (&json!(true), &json!(id.as_str())));
}

#[test]
fn liquidation_and_read_only_are_modes_too() {
    let mut house = House::new();
    let (_, change) = house.ask("POST", "/v1/mode/liquidate", REASON);
    assert_eq!(change["mode"]["level"], "liquidating");
    let (_, change) = house.ask("POST", "/v1/mode/read-only", Some(r#"{"read_only":true,"reason":"disk"}"#));
    assert_eq!((&change["mode"]["read_only"], &change["mode"]["level"]), (&json!(true), &json!("liquidating")));
}

#[test]
fn changes_that_make_no_sense_are_refused_and_change_nothing() {
    let mut house = House::new();
    for (path, body, expected) in [
        ("/v1/mode/halt", r#"{"reason":""}"#, 400),
        ("/v1/mode/halt", r#"{"reason":"  "}"#, 400),
        ("/v1/mode/halt", r#"{"reason":"a\nb"}"#, 400),
        ("/v1/mode/halt", r#"{"reason":"a","why":"b"}"#, 422),
        ("/v1/mode/halt", r#"{"reason":"#, 400),
        ("/v1/mode/resume", r#"{"version":-1}"#, 422),
        ("/v1/mode/read-only", r#"{"reason":"a"}"#, 422),
        ("/v1/strategies/none/stop", "", 404),
        ("/v1/strategies/123/pause", "", 404),
    ] {
        assert_eq!(house.ask("POST", path, Some(body)).0, expected, "{path} {body}");
    }
    assert_eq!(house.ask("POST", "/v1/mode/halt", None).0, 415);
    for actor in ["", " ", "a\tb", &"x".repeat(65)] {
        let response = house.send("POST", "/api/core/v1/mode/halt", REASON, Some(actor));
        assert_eq!(response.status().as_u16(), 400, "{actor:?}");
    }
    assert_eq!(house.get("/v1/mode")["version"], 0);
}

#[test]
fn who_does_not_say_who_asks_is_api() {
    let mut house = House::new();
    assert_eq!(house.send("POST", "/api/core/v1/mode/halt", REASON, None).status().as_u16(), 200);
    assert_eq!(house.get("/v1/mode")["by"], "api");
}

#[test]
fn a_strategy_stops_and_starts() {
    let mut house = House::new();
    let (status, strategy) = house.ask("POST", "/v1/strategies/123/stop", None);
    assert_eq!((status, &strategy["instance"], &strategy["wanted"]), (200, &json!("123"), &json!(false)));
    assert_eq!(house.get("/v1/strategies")[1]["wanted"], true, "the other runs on");
    assert_eq!(house.ask("POST", "/v1/strategies/123/start", None).1["wanted"], true);
}

#[test]
fn an_open_order_is_cancelled_and_a_finished_one_is_not() {
    let mut house = House::new();
    house.settle();
    house.tell(Message::Report(report(1)));
    let id = ClientOrderId::of("123".parse().unwrap(), intent(1).intent_id);
    let (status, order) = house.ask("DELETE", &format!("/v1/orders/{id}"), None);
    assert_eq!((status, &order["status"]), (202, &json!("pending_cancel")), "{order}");
    assert_eq!(order["reason"], "cancelled by tester");

    house.tell(Message::Intent(intent(2)));
    let over = ClientOrderId::of("123".parse().unwrap(), intent(2).intent_id);
    let (status, problem) = house.ask("DELETE", &format!("/v1/orders/{over}"), None);
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("abandoned already"), "{problem}");
    assert_eq!(house.ask("DELETE", "/v1/orders/nd-1-unknown", None).0, 404);
}

#[test]
fn a_quarantined_instrument_is_released_by_name() {
    let mut house = House::new();
    house.settle();
    house.tell(Message::Report(report(1)));
    // A second order at the exchange with the same id: nobody can know what that means.
    house.tell(Message::Report(nightdesk_orders::ExecutionReport { exchange_order_id: 78, ..report(1) }));
    let quarantine = house.get("/v1/quarantine");
    assert_eq!(quarantine[0]["symbol"], "BTCUSDT");
    assert_eq!(house.ask("DELETE", "/v1/quarantine/BTCUSDT", None), (204, Value::Null));
    assert_eq!(house.get("/v1/quarantine"), json!([]));
    assert_eq!(house.ask("DELETE", "/v1/quarantine/BTCUSDT", None).0, 404);
}

#[test]
fn a_reconciliation_is_asked_for() {
    assert_eq!(House::new().ask("POST", "/v1/reconcile", None), (202, Value::Null));
}

#[test]
fn an_engine_that_has_stopped_is_said_to_have() {
    let mut house = House::new();
    house.get("/v1/mode");
    // The shell goes, and with it its end of the channel.
    house.shell = Box::pin(pending());
    let (status, problem) = house.ask("GET", "/v1/status", None);
    assert_eq!((status, &problem["type"]), (503, &json!("urn:nightdesk:problem:unavailable")));
    assert_eq!(house.send("GET", "/api/core/v1/mode", None, None).headers()["retry-after"], "5");
}
