//! Restarts, and a store that takes no writes.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
