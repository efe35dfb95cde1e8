//! The routes before a real manager.

use std::future::Future;
use std::sync::Mutex;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::task::noop_waker_ref;
use nightdesk_shell::{Input, Service, Step, Turn};
use nightdesk_units::Timestamp;
use nightdesk_wire::{AllocationRequest, Message};
use serde_json::{Value, json};
use tower_service::Service as _;

use super::*;
use crate::manager::tests::rules;
use crate::{CapitalManager, Config};

const NOW: Timestamp = Timestamp(1_723_161_600_000_000);

/// Nothing here waits for anything outside.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(noop_waker_ref())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// A manager that has granted `grants` requests.
fn manager(grants: usize) -> Ask {
    let mut manager = CapitalManager::new(Config { rules: rules(), epoch: 1 });
    let mut take = move |input| {
        manager.handle(&Turn { now: NOW, oldest_outbox: None }, input, &mut Step::default());
    };
    take(Input::Started);
    for number in 0..grants {
        let instance = "123".parse().unwrap();
        let intent_id = IntentId::derive(instance, 1, &number.to_string());
        let (symbol, worst_cost) = ("BTCUSDT".parse().unwrap(), "1.5".parse().unwrap());
        let request = AllocationRequest { intent_id, instance, symbol, worst_cost, at: NOW };
        take(Input::Message(Message::AllocationRequest(request)));
    }
    let take = Mutex::new(take);
    Arc::new(move |query| {
        let told = Arc::new(Mutex::new(None));
        let into = Arc::clone(&told);
        let reply = Box::new(move |view| *into.lock().unwrap() = Some(view));
        (take.lock().unwrap())(Input::Event(Event::Query(query, reply)));
        Box::pin(async move { told.lock().unwrap().take() })
    })
}

fn get(ask: &Ask, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = at_once(routes(Arc::clone(ask)).call(request)).unwrap();
    let status = response.status().as_u16();
    let bytes = at_once(to_bytes(response.into_body(), usize::MAX)).unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[test]
fn figures_and_rules_are_told() {
    let ask = manager(2);
    let (status, kpis) = get(&ask, "/v1/kpis");
    assert_eq!((status, &kpis["granted"]), (200, &json!("3")), "{kpis}");
    assert_eq!(kpis["strategies"]["123"]["tally"]["granted"], 2);
    assert_eq!(get(&ask, "/v1/rules"), (200, serde_json::to_value(rules()).unwrap()));
}

#[test]
fn what_is_set_aside_comes_page_by_page_and_each_once() {
    // As many as the rate lets through in one second.
    let ask = manager(5);
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(&ask, &format!("/v1/allocations?limit=2{cursor}"));
        assert_eq!(status, 200, "{page}");
        for item in page["items"].as_array().unwrap() {
            assert_eq!((&item["amount"], &item["at"]), (&json!("1.5"), &json!("2024-08-09T00:00:00.000000Z")));
            ids.push(item["intent_id"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a < b));
}

#[test]
fn pages_that_make_no_sense_are_refused() {
    let ask = manager(0);
    for query in ["limit=0", "limit=501", "limit=x", "cursor=a%20b", "page=2"] {
        assert_eq!(get(&ask, &format!("/v1/allocations?{query}")).0, 400, "{query}");
    }
}

#[test]
fn a_manager_that_is_gone_is_said_to_be() {
    let gone: Ask = Arc::new(|_| Box::pin(std::future::ready(None)));
    for path in ["/v1/kpis", "/v1/rules", "/v1/allocations"] {
        let (status, said) = get(&gone, path);
        assert_eq!(status, 503);
        assert!(said.as_str().unwrap().contains("capital-manager does not answer"));
    }
}
