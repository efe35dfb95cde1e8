//! Halts, liquidation, and what else operators ask for.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
