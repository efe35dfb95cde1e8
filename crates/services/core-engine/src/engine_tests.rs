//! An intent's life and everything that may happen on the way, text in, text out: facts in brackets, then messages. `tell` is
//! the account's stream, `known` the connector's answer to a question, `reconcile` the exchange's whole view.

use expect_test::{Expect, expect};

use crate::test_house::House;

#[track_caller]
fn check(script: &str, expected: Expect) {
    let mut house = House::new();
    expected.assert_eq(&house.play(script));
    house.check_replay();
}

#[test]
fn a_first_start_opens_the_books() {
    let mut house = House::blank();
    let script = "start | instruments | instruments | link up | quote 100 100.02 | reconcile | book | quote 100 100.02
        | quote ETHUSDT 10 10.02 | restart | link up | reconcile";
    expect![[r#"
        start: [123 has 5000], [456 has 5000], mode v0, 123 to run, 456 to run, compare
        instruments: [instruments]
        instruments
        link up
        quote 100 100.02
        reconcile: [opening, flow 10000], [reconciled]
        book: 10000 USDT
        quote 100 100.02: [equity 10000]
        quote ETHUSDT 10 10.02
        restart: mode v0, 123 to run, 456 to run, compare
        link up
        reconcile: [reconciled]
    "#]]
    .assert_eq(&house.play(script));
}

#[test]
fn an_intent_is_granted_placed_filled_and_settled() {
    check(
        "buy a 2 100 | grant a | ack a | fill a 1 100 | fill a 1 99.5 0.1 | show a | book",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        fill a 1 100: [a filled 1 at 100], update a open 1 holds 1, settle a used 100 cost 100
        fill a 1 99.5 0.1: [a filled 1 at 99.5], update a filled 2 holds 2, settle a used 199.6 cost 199.6 over
        show a: filled 2/2
        book: 123 holds 2 BTCUSDT at 199.6, 2 BTC, 9800.4 USDT
    "#]],
    );
}

#[test]
fn a_denied_intent_is_abandoned() {
    check(
        "buy a 2 100 | deny a budget | grant a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        deny a budget: [a abandoned: budget], update a abandoned 0 holds 0
        grant a
        show a: abandoned 0/2: budget
    "#]],
    );
}

#[test]
fn a_decision_heard_again_is_the_same_intent() {
    check(
        "buy a 2 100 | buy a 2 100 | grant a | grant a | ack a | buy a 2 100",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        buy a 2 100: update a requested 0 holds 0
        grant a: [a granted], place a/1
        grant a
        ack a: [a acked], update a open 0 holds 0
        buy a 2 100: update a open 0 holds 0
    "#]],
    );
}

#[test]
fn a_sale_needs_no_grant_and_no_more_than_is_held_is_sold() {
    check(
        "sell b 1 100 | buy a 2 100 | grant a | ack a | fill a 2 100 | sell c 1.5 101 | sell d 1 101 | sell e 0.5 101 | ack c
         | end c | sell f 1.5 101",
        expect![[r#"
            sell b 1 100: [SELL b 1 limit 100 gtc, reduces], [b abandoned: sells 1 of 0 held, of which 0 is being sold already], update b abandoned 0 holds 0
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            fill a 2 100: [a filled 2 at 100], update a filled 2 holds 2, settle a used 200 cost 200 over
            sell c 1.5 101: [SELL c 1.5 limit 101 gtc, reduces], [c granted], place c/1
            sell d 1 101: [SELL d 1 limit 101 gtc, reduces], [d abandoned: sells 1 of 2 held, of which 1.5 is being sold already], update d abandoned 0 holds 2
            sell e 0.5 101: [SELL e 0.5 limit 101 gtc, reduces], [e granted], place e/1
            ack c: [c acked], update c open 0 holds 2
            end c: [c canceled], update c canceled 0 holds 2, settle c used 0 cost 200 over
            sell f 1.5 101: [SELL f 1.5 limit 101 gtc, reduces], [f granted], place f/1
        "#]],
    );
}

#[test]
fn a_market_order_leaves_as_an_ioc_order_at_the_collar() {
    check(
        "buy a 2 market | grant a | ack a | execute a 1 100.02 | expire a | tell a | tell a | sell b 1 market",
        expect![[r#"
        buy a 2 market: [BUY a 2 limit 102.01 ioc, costs 204.22402], ask for a 204.22402
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        execute a 1 100.02
        expire a
        tell a: [a filled 1 at 100.02], update a open 1 holds 1, settle a used 100.02 cost 100.02
        tell a: [a expired], update a expired 1 holds 1, settle a used 100.02 cost 100.02 over
        sell b 1 market: [SELL b 1 limit 98.01 ioc, reduces], [b granted], place b/1
    "#]],
    );
}

#[test]
fn what_must_not_be_sent_is_abandoned_with_the_reason() {
    check(
        "buy a 2 103 | buy b 0.01 100 | buy c 2.0001 100 | age 11 | buy d 1 100 | age 0 | quote 100 100.02 | at 31 | buy e 1 100
         | quote 100 100.02 | at 91 | quote 100 100.02 | buy f 1 100 | link up | link down | buy g 1 100 | link up | at 181
         | quote 100 100.02 | link up | buy h 1 100 | outbox 175 | wake | reconcile | buy i 1 100",
        expect![[r#"
            buy a 2 103: [BUY a 2 limit 103 gtc, costs 0], [a abandoned: price 103 is beyond the collar of 2% around 100.01: the worst allowed is 102.0102], update a abandoned 0 holds 0
            buy b 0.01 100: [BUY b 0.01 limit 100 gtc, costs 0], [b abandoned: Filter failure: NOTIONAL], update b abandoned 0 holds 0
            buy c 2.0001 100: [BUY c 2.0001 limit 100 gtc, costs 0], [c abandoned: Filter failure: LOT_SIZE], update c abandoned 0 holds 0
            age 11
            buy d 1 100: [BUY d 1 limit 100 gtc, costs 0], [d abandoned: decided 11000 ms ago, the limit is 10000 ms], update d abandoned 0 holds 0
            age 0
            quote 100 100.02: [equity 10000]
            at 31
            buy e 1 100: [BUY e 1 limit 100 gtc, costs 0], [e abandoned: market data of BTCUSDT is 31000 ms old], update e abandoned 0 holds 0
            quote 100 100.02
            at 91
            quote 100 100.02: [equity 10000]
            buy f 1 100: [BUY f 1 limit 100 gtc, costs 0], [f abandoned: account stream silent for 91000 ms], update f abandoned 0 holds 0
            link up
            link down
            buy g 1 100: [BUY g 1 limit 100 gtc, costs 0], [g abandoned: account stream is down], update g abandoned 0 holds 0
            link up
            at 181
            quote 100 100.02: [equity 10000]
            link up
            buy h 1 100: [BUY h 1 limit 100 gtc, costs 0], [h abandoned: last reconciled 181000 ms ago], update h abandoned 0 holds 0
            outbox 175
            wake: compare
            reconcile: [reconciled]
            buy i 1 100: [BUY i 1 limit 100 gtc, costs 0], [i abandoned: a message has waited for 6000 ms], update i abandoned 0 holds 0
        "#]],
    );
}

#[test]
fn a_grant_that_comes_too_late_is_given_back() {
    check(
        "buy a 1 100 | at 11 | grant a | show a",
        expect![[r#"
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
        at 11
        grant a: [a abandoned: decided 11000 ms ago, the limit is 10000 ms], update a abandoned 0 holds 0, settle a used 0 cost 0 over
        show a: abandoned 0/1: decided 11000 ms ago, the limit is 10000 ms
    "#]],
    );
    check(
        "buy a 1 100 | halt fire | grant a | show a",
        expect![[r#"
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
        halt fire: [halted v1], [a cancelasked: cancelled by halt], mode v1, update a abandoned 0 holds 0, settle a used 0 cost 0 over
        grant a
        show a: abandoned 0/1: cancelled by halt
    "#]],
    );
    check(
        "buy a 1 100 | link down | grant a | show a",
        expect![[r#"
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
        link down
        grant a: [a abandoned: account stream is down], update a abandoned 0 holds 0, settle a used 0 cost 0 over
        show a: abandoned 0/1: account stream is down
    "#]],
    );
}

#[test]
fn a_start_lets_decisions_wait_until_the_books_are_compared() {
    let mut house = House::new();
    house.play("buy b 1 100");
    let script = "restart | quote 100 100.02 | buy a 1 100 | link up | reconcile | grant a | grant b";
    expect![[r#"
        restart: mode v0, 123 to run, 456 to run, compare
        quote 100 100.02: [equity 10000]
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1]
        link up
        reconcile: [reconciled], ask for a 100.1, ask for b 100.1
        grant a: [a granted], place a/1
        grant b: [b granted], place b/1
    "#]]
    .assert_eq(&house.play(script));
    let script = "restart | quote 100 100.02 | buy c 1 100 | at 12 | link up | reconcile | show c";
    expect![[r#"
        restart: mode v0, 123 to run, 456 to run, place a/1, place b/1, compare
        quote 100 100.02: [equity 10000]
        buy c 1 100: [BUY c 1 limit 100 gtc, costs 100.1]
        at 12
        link up
        reconcile: [c abandoned: decided 12000 ms ago, the limit is 10000 ms], [reconciled], update c abandoned 0 holds 0, settle c used 0 cost 0 over
        show c: abandoned 0/1: decided 12000 ms ago, the limit is 10000 ms
    "#]].assert_eq(&house.play(script));
}

#[test]
fn a_fill_counts_once_whoever_tells_it() {
    check(
        "buy a 2 100 | grant a | ack a | fill a 1 100 | again | known a | tell a 1 | tell a 0 | compare | reconcile | fill a 1 100
         | again | known a | tell a 1 | book",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            fill a 1 100: [a filled 1 at 100], update a open 1 holds 1, settle a used 100 cost 100
            again
            known a
            tell a 1
            tell a 0
            compare: compare, answer done
            reconcile: [reconciled]
            fill a 1 100: [a filled 1 at 100], update a filled 2 holds 2, settle a used 200 cost 200 over
            again
            known a
            tell a 1
            book: 123 holds 2 BTCUSDT at 200, 2 BTC, 9800 USDT
        "#]],
    );
}

#[test]
fn an_answer_brings_the_fills_before_the_stream_does() {
    check(
        "buy a 2 100 | grant a | arrive a | execute a 2 100 | known a | tell a | tell a | book",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        arrive a
        execute a 2 100
        known a: [a filled 2 at 100], [a executed up to 2], update a filled 2 holds 2, settle a used 200 cost 200 over
        tell a
        tell a
        book: 123 holds 2 BTCUSDT at 200, 2 BTC, 9800 USDT
    "#]],
    );
}

#[test]
fn a_fill_after_the_cancel_still_counts() {
    check(
        "buy a 2 100 | grant a | ack a | drop a | execute a 1 100 | gone a | tell a 2 | tell a 1 | restart | known a | show a | book",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            drop a: [a cancelasked: cancelled by strategy], cancel a/1
            execute a 1 100
            gone a
            tell a 2: [a executed up to 1], [a canceled], resolve a, update a canceled 0 holds 0
            tell a 1: [a filled 1 at 100], update a canceled 1 holds 1, settle a used 100 cost 100 over
            restart: mode v0, 123 to run, 456 to run, compare
            known a
            show a: canceled 1/2: cancelled by strategy
            book: 123 holds 1 BTCUSDT at 100, 1 BTC, 9900 USDT
        "#]],
    );
}

#[test]
fn executions_that_were_missed_are_fetched_with_growing_pauses() {
    check(
        "buy a 3 100 | grant a | ack a | execute a 1 100 | execute a 1 100 | tell a 2 | at 1 | wake | at 2 | wake | at 3 | wake
         | at 7 | wake | known a | at 20 | wake",
        expect![[r#"
            buy a 3 100: [BUY a 3 limit 100 gtc, costs 300.3], ask for a 300.3
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            execute a 1 100
            execute a 1 100
            tell a 2: [a filled 1 at 100], [a executed up to 2], resolve a, update a open 1 holds 1, settle a used 100 cost 100
            at 1
            wake: resolve a
            at 2
            wake
            at 3
            wake: resolve a
            at 7
            wake: resolve a
            known a: [a filled 1 at 100], update a open 2 holds 2, settle a used 200 cost 200
            at 20
            wake
        "#]],
    );
}

#[test]
fn silence_is_doubt_and_the_order_is_driven_with_growing_pauses() {
    check(
        "buy a 2 100 | grant a | at 0.9 | wake | at 1 | wake | at 2 | wake | at 3 | wake | at 6 | wake | at 7 | wake | at 12 | wake
         | ack a | at 30 | wake",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            at 0.9
            wake
            at 1
            wake: [a answeroverdue], place a/1
            at 2
            wake
            at 3
            wake: place a/1
            at 6
            wake
            at 7
            wake: place a/1
            at 12
            wake: place a/1
            ack a: [a acked], update a open 0 holds 0
            at 30
            wake
        "#]],
    );
}

#[test]
fn an_order_that_never_arrived_is_placed_again() {
    check(
        "buy a 2 100 | grant a | doubt a | again | never a | again | never a 1 | ack a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        doubt a: [a doubtraised: lost], place a/1
        again
        never a: [a neverarrived: asked], place a/2
        again
        never a 1
        ack a: [a acked], update a open 0 holds 0
        show a: open 0/2: asked
    "#]],
    );
}

#[test]
fn an_order_that_never_arrived_while_new_risk_is_forbidden_is_given_up() {
    check(
        "buy a 2 100 | grant a | link down | never a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        link down
        never a: [a cancelasked: asked], [a neverarrived: asked], cancel a/1, update a canceled 0 holds 0, settle a used 0 cost 0 over
        show a: canceled 0/2: asked
    "#]],
    );
    check(
        "buy a 2 100 | grant a | halt fire | never a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        halt fire: [halted v1], [a cancelasked: cancelled by halt], mode v1, cancel a/1
        never a: [a neverarrived: asked], update a canceled 0 holds 0, settle a used 0 cost 0 over
        show a: canceled 0/2: asked
    "#]],
    );
}

#[test]
fn a_refusal_of_the_exchange_ends_the_order() {
    check(
        "buy a 2 100 | grant a | rejected a | again | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        rejected a: [a rejected: -2010 no], update a rejected 0 holds 0, settle a used 0 cost 0 over
        again
        show a: rejected 0/2: -2010 no
    "#]],
    );
}

#[test]
fn a_cancel_while_in_doubt_waits_for_certainty() {
    check(
        "buy a 2 100 | grant a | doubt a | drop a | drop a | never a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        doubt a: [a doubtraised: lost], place a/1
        drop a: [a cancelasked: cancelled by strategy], cancel a/1
        drop a: cancel a/1
        never a: [a neverarrived: asked], update a canceled 0 holds 0, settle a used 0 cost 0 over
        show a: canceled 0/2: asked
    "#]],
    );
    check(
        "buy a 2 100 | grant a | arrive a | doubt a | drop a | tell a | end a | show a",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            arrive a
            doubt a: [a doubtraised: lost], place a/1
            drop a: [a cancelasked: cancelled by strategy], cancel a/1
            tell a: [a acked], cancel a/1
            end a: [a canceled], update a canceled 0 holds 0, settle a used 0 cost 0 over
            show a: canceled 0/2: cancelled by strategy
        "#]],
    );
    check(
        "buy a 2 100 | drop a | grant a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        drop a: [a cancelasked: cancelled by strategy], update a abandoned 0 holds 0, settle a used 0 cost 0 over
        grant a
        show a: abandoned 0/2: cancelled by strategy
    "#]],
    );
    check(
        "buy a 2 100 | grant a | drop a | never a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        drop a: [a cancelasked: cancelled by strategy], cancel a/1
        never a: [a neverarrived: asked], update a canceled 0 holds 0, settle a used 0 cost 0 over
        show a: canceled 0/2: asked
    "#]],
    );
}

#[test]
fn an_open_order_that_never_arrived_is_a_contradiction() {
    check(
        "buy a 2 100 | grant a | ack a | never a | buy b 1 100",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        never a: [quarantined BTCUSDT: order nd-123-25t5wlcfpizursnv was at the exchange as 1, and now it never arrived: asked]
        buy b 1 100: [BUY b 1 limit 100 gtc, costs 0], [b abandoned: BTCUSDT is quarantined: order nd-123-25t5wlcfpizursnv was at the exchange as 1, and now it never arrived: asked], update b abandoned 0 holds 0
    "#]],
    );
    check(
        "buy a 2 100 | grant a | ack a | halt fire | never a | show a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        halt fire: [halted v1], [a cancelasked: cancelled by halt], mode v1, cancel a/1
        never a: [quarantined BTCUSDT: order nd-123-25t5wlcfpizursnv was at the exchange as 1, and now it never arrived: asked]
        show a: pending_cancel 0/2: cancelled by halt
    "#]],
    );
}

#[test]
fn more_executed_than_ordered_is_a_contradiction() {
    let mut house = House::new();
    house.play("buy a 1 100 | grant a | ack a | fill a 1 100");
    let order = house.exchange.get_mut("a").unwrap();
    order.report.status = nightdesk_orders::ExchangeStatus::New;
    order.report.qty = crate::test_house::qty("2");
    expect![[r#"
        fill a 1 100: [quarantined BTCUSDT: order nd-123-25t5wlcfpizursnv is filled, but fill 3 of 1 came: event does not apply to an order that is filled]
        book: 123 holds 1 BTCUSDT at 100, 1 BTC, 9900 USDT
    "#]].assert_eq(&house.play("fill a 1 100 | book"));
}

#[test]
fn two_orders_of_one_id_are_a_contradiction() {
    check(
        "buy a 2 100 | grant a | ack a | forget a | arrive a | tell a",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        forget a
        arrive a
        tell a: [quarantined BTCUSDT: two orders at the exchange carry the id nd-123-25t5wlcfpizursnv]
    "#]],
    );
}

#[test]
fn a_halt_cancels_resting_risk_and_is_answered_when_it_holds() {
    check(
        "buy a 2 100 | grant a | ack a | buy b 1 100 | grant b | buy c 1 100 | buy n 1 10 | grant n | ack n | fill n 1 10
         | sell o 1 11 | ack o | halt fire | halt fire | buy d 1 100 | effective 1 b | halt fire",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            buy b 1 100: [BUY b 1 limit 100 gtc, costs 100.1], ask for b 100.1
            grant b: [b granted], place b/1
            buy c 1 100: [BUY c 1 limit 100 gtc, costs 100.1], ask for c 100.1
            buy n 1 10: [BUY n 1 limit 10 gtc, costs 10.01], ask for n 10.01
            grant n: [n granted], place n/1
            ack n: [n acked], update n open 0 holds 0
            fill n 1 10: [n filled 1 at 10], update n filled 1 holds 1, settle n used 10 cost 10 over
            sell o 1 11: [SELL o 1 limit 11 gtc, reduces], [o granted], place o/1
            ack o: [o acked], update o open 0 holds 1
            halt fire: [halted v1], [a cancelasked: cancelled by halt], [b cancelasked: cancelled by halt], [c cancelasked: cancelled by halt], mode v1, cancel a/1, cancel b/1, update c abandoned 0 holds 0, settle c used 0 cost 0 over
            halt fire
            buy d 1 100: [BUY d 1 limit 100 gtc, costs 0], [d abandoned: trading is halted: fire], update d abandoned 0 holds 0
            effective 1 b: answer halted v1 effective, in flight ["b"], answer halted v1 effective, in flight ["b"]
            halt fire: answer halted v1 effective, in flight []
        "#]],
    );
}

#[test]
fn a_halt_without_confirmation_is_answered_after_two_seconds() {
    check(
        "halt fire | at 1.9 | wake | at 2 | wake | halt fire | effective 1 | halt flood | effective 1 | effective 2",
        expect![[r#"
        halt fire: [halted v1], mode v1
        at 1.9
        wake
        at 2
        wake: answer halted v1 not effective yet, in flight []
        halt fire: mode v1
        effective 1: answer halted v1 effective, in flight []
        halt flood: [halted v2], mode v2
        effective 1
        effective 2: answer halted v2 effective, in flight []
    "#]],
    );
}

#[test]
fn resuming_names_the_version() {
    check(
        "resume 0 | halt fire | effective 1 | resume 0 | resume 1 | effective 2 | buy a 1 100",
        expect![[r#"
        resume 0: answer refused: trading is not halted: there is nothing to resume
        halt fire: [halted v1], mode v1
        effective 1: answer halted v1 effective, in flight []
        resume 0: answer refused: mode version 0 is not the current one (1): look again, then resume what you see
        resume 1: [normal v2], mode v2
        effective 2: answer normal v2 effective, in flight []
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
    "#]],
    );
}

#[test]
fn read_only_forbids_new_risk_and_cancels_it() {
    check(
        "buy a 1 100 | grant a | read-only on | effective 1 | buy b 1 100 | read-only off | effective 2",
        expect![[r#"
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
        grant a: [a granted], place a/1
        read-only on: [normal v1 read-only], [a cancelasked: cancelled by halt], mode v1, cancel a/1
        effective 1: answer normal v1 effective, in flight []
        buy b 1 100: [BUY b 1 limit 100 gtc, costs 0], [b abandoned: storage is read-only: disk], update b abandoned 0 holds 0
        read-only off: [normal v2], mode v2
        effective 2: answer normal v2 effective, in flight []
    "#]],
    );
}

#[test]
fn a_start_while_halted_cancels_what_rests() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a");
    // As if the mode had been written while nothing ran.
    let mode = nightdesk_capital::Mode::default().halt("fire", "op", house.now).unwrap();
    house.record(&crate::Fact::Mode(mode));
    expect![[r#"
        restart: [a cancelasked: cancelled by halt], mode v1, 123 to run, 456 to run, cancel a/1, cancel a/1, compare
        end a: [a canceled], update a canceled 0 holds 0, settle a used 0 cost 0 over
    "#]]
    .assert_eq(&house.play("restart | end a"));
}

#[test]
fn liquidation_sells_everything_but_dust_and_ends() {
    check(
        "buy a 2 100 | grant a | ack a | fill a 2 100 | buy b 1 99 | grant b | ack b | sell c 1 101 | ack c | liquidate fire
         | effective 1 | wake | end b | at 1 | wake | end c | at 2 | wake | at 3 | wake",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            fill a 2 100: [a filled 2 at 100], update a filled 2 holds 2, settle a used 200 cost 200 over
            buy b 1 99: [BUY b 1 limit 99 gtc, costs 99.099], ask for b 99.099
            grant b: [b granted], place b/1
            ack b: [b acked], update b open 0 holds 2
            sell c 1 101: [SELL c 1 limit 101 gtc, reduces], [c granted], place c/1
            ack c: [c acked], update c open 0 holds 2
            liquidate fire: [liquidating v1], [b cancelasked: cancelled by halt], mode v1, cancel b/1
            effective 1: answer liquidating v1 effective, in flight []
            wake: [c cancelasked: cancelled by liquidation], [SELL liquidation 1 limit 98.01 ioc, reduces], [liquidation granted], cancel c/1, place liquidation/1
            end b: [b canceled], update b canceled 0 holds 2, settle b used 0 cost 200 over
            at 1
            wake: [liquidation answeroverdue], place liquidation/1, cancel c/1
            end c: [c canceled], update c canceled 0 holds 2, settle c used 0 cost 200 over
            at 2
            wake: [SELL liquidation 1 limit 98.01 ioc, reduces], [liquidation granted], place liquidation/1
            at 3
            wake: [liquidation answeroverdue], place liquidation/1, place liquidation/1
        "#]],
    );
}

#[test]
fn liquidation_waits_for_a_price_and_goes_on_after_a_restart() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a | fill a 2 100 | liquidate fire | effective 1");
    let script = "restart | wake | at 1 | wake | quote 100 100.02 | at 2 | wake | at 3 | wake";
    expect![[r#"
        restart: mode v1, 123 to run, 456 to run, compare
        wake
        at 1
        wake
        quote 100 100.02: [equity 10000.02]
        at 2
        wake: [SELL liquidation 2 limit 98.01 ioc, reduces], [liquidation granted], place liquidation/1
        at 3
        wake: [liquidation answeroverdue], place liquidation/1
    "#]]
    .assert_eq(&house.play(script));
}

#[test]
fn liquidation_sells_what_a_purchase_under_way_still_brings() {
    check(
        "buy a 2 100 | grant a | ack a | liquidate fire | effective 1 | wake | at 5 | wake | fill a 1 100 | wake",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            liquidate fire: [liquidating v1], [a cancelasked: cancelled by halt], mode v1, cancel a/1
            effective 1: answer liquidating v1 effective, in flight []
            wake
            at 5
            wake: cancel a/1
            fill a 1 100: [a filled 1 at 100], cancel a/1, update a pending_cancel 1 holds 1, settle a used 100 cost 100
            wake: [SELL liquidation 1 limit 98.01 ioc, reduces], [liquidation granted], place liquidation/1
        "#]],
    );
}

#[test]
fn strategies_are_started_and_stopped() {
    check(
        "buy a 1 100 | grant a | ack a | fill a 1 100 | strategy 123 stop | buy b 1 100 | sell c 1 100 | buy n 1 10 | restart
         | strategy 123 start | strategy 999 stop",
        expect![[r#"
            buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            fill a 1 100: [a filled 1 at 100], update a filled 1 holds 1, settle a used 100 cost 100 over
            strategy 123 stop: [123 is to stop], 123 to stop, answer done
            buy b 1 100: [BUY b 1 limit 100 gtc, costs 0], [b abandoned: instance 123 is stopped], update b abandoned 0 holds 1
            sell c 1 100: [SELL c 1 limit 100 gtc, reduces], [c granted], place c/1
            buy n 1 10: [BUY n 1 limit 10 gtc, costs 10.01], ask for n 10.01
            restart: mode v0, 123 to stop, 456 to run, place c/1, compare
            strategy 123 start: [123 is to run], 123 to run, answer done
            strategy 999 stop: answer not found: no strategy instance 999
        "#]],
    );
}

#[test]
fn operators_cancel_orders_and_ask_how_things_stand() {
    check(
        "buy a 1 100 | grant a | ack a | cancel a | cancel b | view | compare",
        expect![[r#"
        buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        cancel a: [a cancelasked: cancelled by op], cancel a/1, answer done
        cancel b: answer not found: no open order nd-123-rnhltvttl34mkypq
        view: answer view of 1 open orders
        compare: compare, answer done
    "#]],
    );
}

#[test]
fn a_missed_end_is_found_by_comparing() {
    check(
        "buy a 2 100 | grant a | ack a | execute a 1 100 | gone a | at 60 | wake | reconcile | quote 100 100.02 | buy b 1 100 | grant b | ack b
         | forget b | compare | reconcile",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            execute a 1 100
            gone a
            at 60
            wake: compare
            reconcile: [a filled 1 at 100], [a canceled], [reconciled], update a canceled 1 holds 1, settle a used 100 cost 100 over
            quote 100 100.02: [equity 10000.01]
            buy b 1 100: [BUY b 1 limit 100 gtc, costs 100.1], ask for b 100.1
            grant b: [b granted], place b/1
            ack b: [b acked], update b open 0 holds 1
            forget b
            compare: compare, answer done
            reconcile: [reconciled], resolve b
        "#]],
    );
}

#[test]
fn a_gap_in_the_account_s_stream_is_asked_about() {
    check(
        "link down | link gap | reconcile",
        expect![[r#"
        link down
        link gap: compare
        reconcile: [reconciled]
    "#]],
    );
}

#[test]
fn an_answer_that_lacks_something_is_asked_for_again_and_settles_nothing() {
    check(
        "pay USDT 5 | compare | reconcile BTCUSDT | at 5 | wake | reconcile BTCUSDT | at 10 | wake",
        expect![[r#"
        pay USDT 5
        compare: compare, answer done
        reconcile BTCUSDT
        at 5
        wake: compare
        reconcile BTCUSDT
        at 10
        wake: compare
    "#]],
    );
    let mut house = House::blank();
    let script = "start | instruments | reconcile BTCUSDT | at 5 | wake | reconcile";
    expect![[r#"
        start: [123 has 5000], [456 has 5000], mode v0, 123 to run, 456 to run, compare
        instruments: [instruments]
        reconcile BTCUSDT
        at 5
        wake: compare
        reconcile: [opening, flow 10000], [reconciled]
    "#]]
    .assert_eq(&house.play(script));
}

#[test]
fn an_unanswered_comparison_is_asked_for_again() {
    check(
        "compare | at 19 | wake | at 20 | wake | reconcile | reconcile",
        expect![[r#"
        compare: compare, answer done
        at 19
        wake
        at 20
        wake: compare
        reconcile: [reconciled]
        reconcile: not asked
    "#]],
    );
}

#[test]
fn an_order_of_ours_that_the_book_lacks_is_adopted_with_its_fills() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a | fill a 1 100");
    let mut after = House::new();
    (after.exchange, after.balances) = (house.exchange, house.balances);
    expect![[r#"
        compare: compare, answer done
        reconcile: [reconciled], looked up a not found: [adopted a], [a filled 1 at 100], update a open 1 holds 1, settle a used 100 cost 100
        fill a 1 100: [a filled 1 at 100], update a filled 2 holds 2, settle a used 200 cost 200 over
        book: 123 holds 2 BTCUSDT at 200, 2 BTC, 9800 USDT
        restart: mode v0, 123 to run, 456 to run, compare
    "#]].assert_eq(&after.play("compare | reconcile | fill a 1 100 | book | restart"));
    after.check_replay();
}

#[test]
fn an_adopted_order_is_cancelled_while_halted() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a");
    let mut after = House::new();
    after.exchange = house.exchange;
    expect![[r#"
        halt fire: [halted v1], mode v1
        effective 1: answer halted v1 effective, in flight []
        compare: compare, answer done
        reconcile: [reconciled], looked up a not found: [adopted a], [a cancelasked: cancelled by halt], cancel a/1, cancel a/1
    "#]].assert_eq(&after.play("halt fire | effective 1 | compare | reconcile"));
}

#[test]
fn an_order_that_is_not_ours_quarantines_its_instrument() {
    check(
        "foreign open | compare | reconcile | buy a 1 100 | buy n 1 10 | compare | reconcile | release BTCUSDT | reconcile",
        expect![[r#"
            foreign open
            compare: compare, answer done
            reconcile: [reconciled], looked up x not found: [quarantined BTCUSDT: order web_1 at the exchange is not ours]
            buy a 1 100: [BUY a 1 limit 100 gtc, costs 0], [a abandoned: BTCUSDT is quarantined: order web_1 at the exchange is not ours], update a abandoned 0 holds 0
            buy n 1 10: [BUY n 1 limit 10 gtc, costs 10.01], ask for n 10.01
            compare: compare, answer done
            reconcile: [reconciled], looked up x not found: 
            release BTCUSDT: [released BTCUSDT], compare, answer done
            reconcile: [reconciled], looked up x not found: [quarantined BTCUSDT: order web_1 at the exchange is not ours]
        "#]],
    );
    check(
        "foreign canceled | compare | reconcile",
        expect![[r#"
        foreign canceled
        compare: compare, answer done
        reconcile: [reconciled]
    "#]],
    );
}

#[test]
fn a_foreign_trade_is_accepted_by_an_operator_s_release() {
    check(
        "foreign filled | compare | reconcile | release BTCUSDT | reconcile | at 2 | wake | reconcile | book | buy a 1 100
         | release BTCUSDT",
        expect![[r#"
            foreign filled
            compare: compare, answer done
            reconcile: [reconciled], looked up x not found: [quarantined BTCUSDT: order web_1 at the exchange is not ours]
            release BTCUSDT: [released BTCUSDT], compare, answer done
            reconcile: [opening, flow 10.01], [reconciled]
            at 2
            wake
            reconcile: not asked
            book: 1 BTC, 9910 USDT
            buy a 1 100: [BUY a 1 limit 100 gtc, costs 100.1], ask for a 100.1
            release BTCUSDT: answer not found: BTCUSDT is not quarantined
        "#]],
    );
}

#[test]
fn orders_that_were_open_before_we_began_are_somebody_else_s() {
    let mut house = House::blank();
    expect![[r#"
        foreign open
        start: [123 has 5000], [456 has 5000], mode v0, 123 to run, 456 to run, compare
        instruments: [instruments]
        reconcile: [opening, flow 10000], [quarantined BTCUSDT: order web_1 was open before Nightdesk began], [reconciled]
    "#]].assert_eq(&house.play("foreign open | start | instruments | reconcile"));
}

#[test]
fn a_difference_in_balances_counts_only_on_the_second_look() {
    check(
        "pay USDT 5 | compare | reconcile | at 2 | wake | reconcile | release BTCUSDT | reconcile | book",
        expect![[r#"
        pay USDT 5
        compare: compare, answer done
        reconcile: [reconciled]
        at 2
        wake: compare
        reconcile: [quarantined BTCUSDT: balance of USDT: 10000 by our fills, 10005 at the exchange], [quarantined ETHUSDT: balance of USDT: 10000 by our fills, 10005 at the exchange], [reconciled]
        release BTCUSDT: [released BTCUSDT], compare, answer done
        reconcile: [opening, flow 5], [reconciled]
        book: 10005 USDT
    "#]],
    );
    check(
        "pay USDT 5 | compare | reconcile | pay USDT -5 | at 2 | wake | reconcile",
        expect![[r#"
        pay USDT 5
        compare: compare, answer done
        reconcile: [reconciled]
        pay USDT -5
        at 2
        wake: compare
        reconcile: [reconciled]
    "#]],
    );
}

#[test]
fn an_execution_between_two_looks_starts_them_anew() {
    check(
        "buy a 2 100 | grant a | ack a | pay USDT 5 | compare | reconcile | fill a 1 100 | at 2 | wake | reconcile | at 4 | wake
         | reconcile",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            pay USDT 5
            compare: compare, answer done
            reconcile: [reconciled]
            fill a 1 100: [a filled 1 at 100], update a open 1 holds 1, settle a used 100 cost 100
            at 2
            wake: compare
            reconcile: [reconciled]
            at 4
            wake: compare
            reconcile: [quarantined BTCUSDT: balance of USDT: 9900 by our fills, 9905 at the exchange], [quarantined ETHUSDT: balance of USDT: 9900 by our fills, 9905 at the exchange], [reconciled]
        "#]],
    );
}

#[test]
fn balances_are_not_judged_while_executions_are_under_way() {
    check(
        "buy a 2 100 | grant a | pay USDT 5 | compare | reconcile | at 1 | compare | reconcile | ack a | compare | reconcile",
        expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        pay USDT 5
        compare: compare, answer done
        reconcile: [reconciled]
        at 1
        compare: compare, answer done
        reconcile: [reconciled]
        ack a: [a acked], update a open 0 holds 0
        compare: compare, answer done
        reconcile: [reconciled]
    "#]],
    );
}

#[test]
fn a_transfer_is_neither_profit_nor_a_difference() {
    check(
        "transfer USDT 500 | transfer BTC 1 | compare | reconcile | at 60 | quote 100 100.02 | book",
        expect![[r#"
        transfer USDT 500: [transfer 500 USDT, flow 500]
        transfer BTC 1: [transfer 1 BTC, flow 100.01]
        compare: compare, answer done
        reconcile: [reconciled]
        at 60
        quote 100 100.02: [equity 10600.01]
        book: 1 BTC, 10500 USDT
    "#]],
    );
}

#[test]
fn money_paid_in_or_taken_over_is_no_profit() {
    let mut house = House::new();
    house.play("quote 100 100.02 | transfer USDT 500 | transfer BTC 1 | pay USDT 7 | compare | reconcile | at 2 | wake | reconcile");
    house.play("release BTCUSDT | reconcile | at 61 | quote 100 100.02");
    let figures = house.engine.durable.portfolio.figures(None).unwrap();
    assert_eq!((figures.equity.to_string(), figures.pnl.to_string()), ("10607.01".to_owned(), "0".to_owned()));
    assert_eq!((figures.today.to_string(), figures.max_drawdown_pct.to_string()), ("0".to_owned(), "0".to_owned()));
    house.check_replay();
}

#[test]
fn the_books_are_valued_each_minute_and_only_with_all_prices() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a | fill a 2 100");
    let script =
        "at 61 | quote 110 110.02 | quote 110 110.02 | restart | at 120 | quote ETHUSDT 10 10.02 | quote 120 120.02";
    expect![[r#"
        at 61
        quote 110 110.02: [equity 10020.02]
        quote 110 110.02
        restart: mode v0, 123 to run, 456 to run, compare
        at 120
        quote ETHUSDT 10 10.02
        quote 120 120.02: [equity 10040.02]
    "#]]
    .assert_eq(&house.play(script));
}

#[test]
fn capital_manager_hears_of_the_account_at_most_once_a_second() {
    let mut house = House::new();
    house.play("quote 100 100.02 | buy a 2 100 | grant a | ack a | fill a 2 100 | quote 100 100.02 | at 1");
    house.views.clear();
    house.play("quote 110 110.02 | quote 111 111.02 | at 1.9 | quote 112 112.02 | at 2 | quote 112 112.02");
    let told: Vec<String> =
        house.views.iter().map(|view| format!("{} {}", view.equity, view.strategies[0].1.pnl)).collect();
    assert_eq!(told, ["10020.02 20.02", "10024.02 24.02"]);
}

#[test]
fn a_restart_takes_up_every_order_where_it_stood() {
    check(
        "buy a 2 100 | buy b 2 100 | grant b | buy c 2 100 | grant c | doubt c | buy d 2 100 | grant d | ack d | drop d
         | buy e 2 100 | grant e | ack e | execute e 1 100 | execute e 1 100 | tell e 2 | snapshot | buy f 1 100 | grant f | ack f
         | restart | quote 100 100.02 | link up | reconcile",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            buy b 2 100: [BUY b 2 limit 100 gtc, costs 200.2], ask for b 200.2
            grant b: [b granted], place b/1
            buy c 2 100: [BUY c 2 limit 100 gtc, costs 200.2], ask for c 200.2
            grant c: [c granted], place c/1
            doubt c: [c doubtraised: lost], place c/1
            buy d 2 100: [BUY d 2 limit 100 gtc, costs 200.2], ask for d 200.2
            grant d: [d granted], place d/1
            ack d: [d acked], update d open 0 holds 0
            drop d: [d cancelasked: cancelled by strategy], cancel d/1
            buy e 2 100: [BUY e 2 limit 100 gtc, costs 200.2], ask for e 200.2
            grant e: [e granted], place e/1
            ack e: [e acked], update e open 0 holds 0
            execute e 1 100
            execute e 1 100
            tell e 2: [e filled 1 at 100], [e executed up to 2], resolve e, update e open 1 holds 1, settle e used 100 cost 100
            snapshot
            buy f 1 100: [BUY f 1 limit 100 gtc, costs 100.1], ask for f 100.1
            grant f: [f granted], place f/1
            ack f: [f acked], update f open 0 holds 1
            restart: mode v0, 123 to run, 456 to run, cancel d/1, resolve e, place b/1, place c/1, compare
            quote 100 100.02: [equity 10000.01]
            link up
            reconcile: [e filled 1 at 100], [reconciled], cancel d/1, update e filled 2 holds 2, settle e used 200 cost 200 over, ask for a 200.2
        "#]],
    );
}

#[test]
fn an_order_that_was_forgotten_comes_back_for_news_only() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a | execute a 1 100 | gone a | tell a 2 | known a");
    house.forget_all();
    let script = "tell a 0 | known a | buy a 2 100 | compare | reconcile";
    expect![[r#"
        tell a 0: looked up a found: 
        known a: looked up a found: 
        buy a 2 100: looked up a found: update a canceled 1 holds 1
        compare: compare, answer done
        reconcile: [reconciled], looked up a found: 
    "#]]
    .assert_eq(&house.play(script));
    house.exchange.get_mut("a").unwrap().report.status = nightdesk_orders::ExchangeStatus::New;
    expect![[r#"
        fill a 0.5 100: looked up a found: [recalled a], [a filled 0.5 at 100], update a canceled 1.5 holds 1.5, settle a used 150 cost 150 over
        book: 123 holds 1.5 BTCUSDT at 150, 1.5 BTC, 9850 USDT
        restart: mode v0, 123 to run, 456 to run, compare
    "#]].assert_eq(&house.play("fill a 0.5 100 | book | restart"));
}

#[test]
fn without_a_store_halts_and_cancels_leave_and_are_journaled_later() {
    check(
        "buy a 2 100 | grant a | ack a | without a store: halt fire | without a store: liquidate flood
         | without a store: cancel a | without a store: resume 1 | without a store: view | wake | effective 2 | resume 2 | effective 3",
        expect![[r#"
            buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
            grant a: [a granted], place a/1
            ack a: [a acked], update a open 0 holds 0
            without a store: halt fire: (emergency_mode), (emergency_cancel), mode v1, cancel a/1, answer halted v1 not effective yet, in flight []
            without a store: liquidate flood: (emergency_mode), (emergency_cancel), mode v2, cancel a/1, answer liquidating v2 not effective yet, in flight []
            without a store: cancel a: (emergency_cancel), cancel a/1, answer done
            without a store: resume 1: answer refused: the database takes no writes: only halt, liquidate and cancel are possible
            without a store: view: answer view of 1 open orders
            wake: [halted v1], [a cancelasked: cancelled by halt], [liquidating v2], mode v1, cancel a/1, mode v2
            effective 2
            resume 2: [normal v3], mode v3
            effective 3: answer normal v3 effective, in flight []
        "#]],
    );
}

#[test]
fn exits_in_the_turn_that_finds_the_store_failing_leave_at_once_and_nothing_else_does() {
    let mut house = House::new();
    let said = house.play(
        "buy a 2 100 | grant a | ack a | buy b 1 100 | grant b | ack b | held back: cancel a | held back: halt fire
         | held back: resume 1 | buy c 1 100",
    );
    expect![[r#"
        buy a 2 100: [BUY a 2 limit 100 gtc, costs 200.2], ask for a 200.2
        grant a: [a granted], place a/1
        ack a: [a acked], update a open 0 holds 0
        buy b 1 100: [BUY b 1 limit 100 gtc, costs 100.1], ask for b 100.1
        grant b: [b granted], place b/1
        ack b: [b acked], update b open 0 holds 0
        held back: cancel a: (emergency_cancel), cancel a/1
        held back: halt fire: (emergency_mode), (emergency_cancel), mode v1, cancel b/1
        held back: resume 1
        buy c 1 100: [BUY c 1 limit 100 gtc, costs 0], [c abandoned: the database takes no writes], update c abandoned 0 holds 0
    "#]].assert_eq(&said);
}

#[test]
fn a_halt_acknowledged_without_a_store_holds_after_a_crash() {
    let mut house = House::new();
    house.play("buy a 2 100 | grant a | ack a");
    let said = house.emergency_then_crash("halt fire");
    expect![[r#"
        restart: mode v0, 123 to run, 456 to run, compare
        merge: [from the emergency journal: emergency_mode], [halted v1], [a cancelasked: cancelled by halt], [from the emergency journal: emergency_cancel], mode v1, cancel a/1, merged 2
    "#]].assert_eq(&said);
    // Merged again (the file could not be shortened), after an operator has resumed: it does not come back.
    let said = house.merge_again("effective 1 | resume 1 | effective 2");
    expect![[r#"
        effective 1
        resume 1: [normal v2], mode v2
        effective 2: answer normal v2 effective, in flight []
        merge: [from the emergency journal: emergency_mode], [from the emergency journal: emergency_cancel], merged 2
    "#]]
    .assert_eq(&said);
}
