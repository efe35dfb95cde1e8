//! Comparisons with the exchange, and the books' value.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
