//! From a decision to a command.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
