//! What becomes of an order that has left.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
