use expect_test::expect_file;
use proptest::prelude::*;

use super::*;
use crate::TimeInForce;

fn order() -> Order {
    let instance = "123".parse().unwrap();
    let intent_id = IntentId::derive(instance, 1, "k");
    Order::new(OrderSpec {
        client_order_id: ClientOrderId::of(instance, intent_id),
        intent_id,
        instance,
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        kind: OrderKind::Limit { price: "100".parse().unwrap(), tif: TimeInForce::Gtc },
        qty: "2".parse().unwrap(),
        created_at: Timestamp(0),
    })
}

fn event(text: &str) -> Event {
    let mut words = text.split_whitespace();
    let (name, qty) = (words.next().unwrap(), words.next().map(|q| q.parse::<Qty>().unwrap()));
    match name {
        "grant" => Event::Granted,
        "abandon" => Event::Abandoned,
        "cancel" => Event::CancelAsked,
        "ack" => Event::Acked,
        "reject" => Event::Rejected,
        "cancel-refused" => Event::CancelRefused,
        "doubt" => Event::DoubtRaised,
        "overdue" => Event::AnswerOverdue,
        "never-arrived" => Event::NeverArrived,
        "fill" => Event::Fill {
            qty: qty.unwrap(),
            quote: Money::new(qty.unwrap().get() * nightdesk_units::Decimal::ONE_HUNDRED),
        },
        "up-to" => Event::ExecutedUpTo { filled: qty.unwrap() },
        "canceled" => Event::Canceled,
        "expired" => Event::Expired,
        other => panic!("no event {other}"),
    }
}

fn show(order: &Order) -> String {
    format!("{} {}/{}", order.status.as_str(), order.filled, order.spec.qty)
}

/// Runs `text` on a fresh order and compares status, quantities and the last effect.
fn check(text: &str, expected: &str) {
    let mut order = order();
    let mut last = String::new();
    for word in text.split('|') {
        last = match order.apply(event(word.trim())) {
            Ok(None) => String::new(),
            Ok(Some(effect)) => format!(" -> {effect:?}"),
            Err(refused) => format!(" !! {refused}"),
        };
    }
    assert_eq!(format!("{}{last}", show(&order)), expected, "{text}");
}

#[test]
fn the_common_life() {
    check("grant", "pending_new 0/2 -> Drive");
    check("grant | ack", "open 0/2");
    check("grant | ack | fill 0.5", "open 0.5/2");
    check("grant | ack | fill 0.5 | fill 1.5", "filled 2/2 -> Settle");
    check("grant | fill 2", "filled 2/2 -> Settle");
    check("abandon", "abandoned 0/2 -> Settle");
}

#[test]
fn silence_is_not_a_refusal() {
    check("grant | overdue", "in_doubt 0/2 -> Drive");
    check("grant | doubt | never-arrived", "pending_new 0/2 -> Drive");
    check("grant | doubt | ack", "open 0/2");
    check("grant | doubt | fill 2", "filled 2/2 -> Settle");
}

#[test]
fn a_cancel_is_not_forgotten_while_in_doubt() {
    check("grant | doubt | cancel | ack", "pending_cancel 0/2 -> Drive");
    check("grant | doubt | cancel | never-arrived", "canceled 0/2 -> Settle");
    check("grant | cancel | never-arrived", "canceled 0/2 -> Settle");
    check("grant | cancel | cancel-refused | fill 2", "filled 2/2 -> Settle");
}

#[test]
fn a_fill_after_cancel_still_counts() {
    check("grant | ack | cancel | canceled | fill 1", "canceled 1/2");
    check("grant | ack | cancel | fill 1 | canceled", "canceled 1/2 -> Settle");
    check("grant | ack | expired | fill 2", "filled 2/2");
}

#[test]
fn an_order_settles_only_when_every_reported_fill_is_known() {
    check("grant | ack | up-to 1", "open 0/2 -> FetchFills");
    check("grant | ack | up-to 1 | canceled", "canceled 0/2");
    check("grant | ack | up-to 1 | canceled | fill 1", "canceled 1/2 -> Settle");
}

#[test]
fn impossible_events_are_refused_and_change_nothing() {
    check("fill 1", "requested 0/2 !! event does not apply to an order that is requested");
    check("grant | ack | fill 3", "open 0/2 !! executed more than ordered");
    check("grant | ack | fill 0", "open 0/2 !! impossible quantity");
    check("grant | ack | never-arrived", "open 0/2 !! event does not apply to an order that is open");
    check("grant | ack | up-to 3", "open 0/2 !! executed more than ordered");
}

const EVENTS: [&str; 13] = [
    "grant",
    "abandon",
    "cancel",
    "ack",
    "reject",
    "cancel-refused",
    "doubt",
    "overdue",
    "never-arrived",
    "fill 1",
    "up-to 1",
    "canceled",
    "expired",
];

/// Each status meets each event, one line each. Read it: it is the specification.
#[test]
fn the_whole_table() {
    let mut text = String::new();
    for status in Status::ALL {
        for word in EVENTS {
            let mut order = order();
            order.status = status;
            if status == Status::Filled {
                let all = order.spec.qty;
                (order.filled, order.reported) = (all, all);
            }
            let outcome = match order.apply(event(word)) {
                Ok(effect) => {
                    format!("{:<14} {}", order.status.as_str(), effect.map_or(String::new(), |e| format!("{e:?}")))
                }
                Err(refused) => format!("refused: {refused}"),
            };
            text.push_str(format!("{:<14} {word:<14} => {outcome}", status.as_str()).trim_end());
            text.push('\n');
        }
    }
    let table = expect_file!["order_table.txt"];
    table.assert_eq(&text);
}

proptest! {
    #[test]
    fn quantities_stay_in_bounds_and_replay_equals_live(words in prop::collection::vec(0usize..EVENTS.len(), 0..40)) {
        let mut live = order();
        let mut accepted = Vec::new();
        for word in words {
            let before = live;
            match live.apply(event(EVENTS[word])) {
                Ok(_) => accepted.push(event(EVENTS[word])),
                Err(_) => prop_assert_eq!(live, before),
            }
            prop_assert!(live.filled <= live.spec.qty && live.filled <= live.reported);
            prop_assert!(!before.status.is_final() || live.status.is_final());
        }
        let mut replayed = order();
        for event in accepted {
            prop_assert!(replayed.apply(event).is_ok());
        }
        prop_assert_eq!(replayed, live);
    }
}
