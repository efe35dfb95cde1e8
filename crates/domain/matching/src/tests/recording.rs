//! Orders beside a recording: queue position, crossing quotes, consumed depth.

use expect_test::expect;

use super::text::{Desk, check};

#[test]
fn an_order_waits_behind_all_that_is_displayed_when_it_joins() {
    let desk = check(
        "snap 10 b100x8 b99x5 a102x4 | 1 buy 3 @ 100 id=a | trade sell 100x5 | trade sell 100x2 | trade sell 100x2 \
         | trade sell 100x9",
        &expect![[r#"
            snap 10 b100x8 b99x5 a102x4: 
            1 buy 3 @ 100 id=a: 1:a New 0/3
            trade sell 100x5: trade 100x5
            trade sell 100x2: trade 100x2
            trade sell 100x2: 1:a maker 100x1 PartiallyFilled 1/3, trade 100x1, trade 100x1
            trade sell 100x9: 1:a maker 100x2 Filled 3/3, trade 100x2, trade 100x7
        "#]],
    );
    assert_eq!(desk.book(), "100x8 99x5 / 102x4");
}

#[test]
fn two_orders_at_one_level_fill_in_the_order_of_their_arrival() {
    check(
        "snap 10 b100x4 a102x4 | 1 buy 3 @ 100 id=a | depth 11 11 b100x6 | 2 buy 3 @ 100 id=b | trade sell 100x5 \
         | trade sell 100x4 | trade sell 100x3",
        &expect![[r#"
            snap 10 b100x4 a102x4: 
            1 buy 3 @ 100 id=a: 1:a New 0/3
            depth 11 11 b100x6: 
            2 buy 3 @ 100 id=b: 2:b New 0/3
            trade sell 100x5: 1:a maker 100x1 PartiallyFilled 1/3, trade 100x1, trade 100x4
            trade sell 100x4: 1:a maker 100x2 Filled 3/3, trade 100x2, trade 100x2
            trade sell 100x3: 2:b maker 100x3 Filled 3/3, trade 100x3
        "#]],
    );
}

#[test]
fn a_trade_through_the_price_fills_at_the_orders_price_and_no_more_than_traded() {
    check(
        "snap 10 b100x8 a102x4 | 1 buy 9 @ 100 id=a | trade sell 99x4 | trade sell 98x10",
        &expect![[r#"
        snap 10 b100x8 a102x4: 
        1 buy 9 @ 100 id=a: 1:a New 0/9
        trade sell 99x4: 1:a maker 100x4 PartiallyFilled 4/9, trade 100x4
        trade sell 98x10: 1:a maker 100x5 Filled 9/9, trade 100x5, trade 98x5
    "#]],
    );
}

#[test]
fn a_quote_that_crosses_fills_up_to_its_quantity_once() {
    let mut desk = check(
        "quote 100x5 102x5 | 1 buy 9 @ 101 id=a | quote 99x5 101x4 | quote 98x5 101x4 | quote 97x5 100x20",
        &expect![[r#"
            quote 100x5 102x5: 
            1 buy 9 @ 101 id=a: 1:a New 0/9
            quote 99x5 101x4: 1:a maker 101x4 PartiallyFilled 4/9, trade 101x4
            quote 98x5 101x4: 
            quote 97x5 100x20: 1:a maker 101x5 Filled 9/9, trade 101x5
        "#]],
    );
    assert_eq!(desk.book(), "97x5 / 100x15");
    desk.run("quote 97x5 103x1");
    assert_eq!(desk.book(), "97x5 / 103x1");
}

#[test]
fn what_is_taken_from_the_display_stays_taken_until_the_recording_updates_the_level() {
    let mut desk = Desk::new();
    desk.run("snap 10 b100x8 a102x4 a103x5 | quote 100x8 102x4 | quote 100x8 102x4 | 1 buy 6 @ 103 ioc");
    assert_eq!(desk.book(), "100x8 / 103x3");
    desk.run("quote 99x8 102x4");
    assert_eq!(desk.book(), "100x8 / 103x3", "older than the depth: not used");
    desk.run("depth 11 12 b100x7");
    assert_eq!(desk.book(), "100x7 / 103x3");
    desk.run("depth 13 13 a102x2");
    assert_eq!(desk.book(), "100x7 / 102x2 103x3");
}

#[test]
fn quotes_alone_make_a_market_of_best_levels() {
    let mut desk = Desk::new();
    desk.run("quote 100x5 102x5 | quote 99x4 101x6 | quote 98x1 103x2");
    assert_eq!(desk.book(), "98x1 / 103x2");
    let told =
        desk.run("1 buy 3 market id=m | 1 buy 5 @ 97 id=a | quote 97x6 99x9 | trade sell 97x8 | trade sell 97x2");
    expect![[r#"
        1 buy 3 market id=m: 1:m New 0/3, 1:m taker 103x2 PartiallyFilled 2/3, trade 103x2, 1:m Expired Expired 2/3
        1 buy 5 @ 97 id=a: 1:a New 0/5
        quote 97x6 99x9: 
        trade sell 97x8: 1:a maker 97x2 PartiallyFilled 2/5, trade 97x2, trade 97x6
        trade sell 97x2: 1:a maker 97x2 PartiallyFilled 4/5, trade 97x2
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_newer_quote_outweighs_an_older_depth_update_and_the_reverse() {
    let mut desk = Desk::new();
    desk.run(
        "snap 1 b100x5 b99x5 a101x5 a102x5 | quote 99x3 101x5 | quote 99x3 101x5 | quote 99x3 101x5 | quote 99x2 101x5",
    );
    assert_eq!(desk.book(), "99x2 / 101x5 102x5");
    desk.run("depth 2 3 b100x7 b99x9 b98x4 a101x0");
    assert_eq!(desk.book(), "99x2 98x4 / 101x5 102x5");
    desk.run("depth 4 9 b100x7 a101x1");
    assert_eq!(desk.book(), "100x7 99x2 98x4 / 101x1 102x5");
}

#[test]
fn a_gap_in_the_depth_empties_the_display_but_not_our_orders() {
    let mut desk = Desk::new();
    desk.run("depth 1 2 b1x1 | snap 10 b100x5 a102x5 | 1 buy 3 @ 100 | depth 13 14 b99x5");
    assert_eq!(desk.book(), "100x3 / ");
    assert_eq!(desk.venue.counters().gaps, 1);
    desk.run("snap 20 b99x5 a102x5 | snap 15 b50x5 a51x5");
    assert_eq!(desk.book(), "100x3 99x5 / 102x5");
}

#[test]
fn updates_received_before_their_snapshot_are_applied_after_it() {
    let mut desk = Desk::new();
    desk.run("depth 5 9 b100x1 | depth 10 12 b100x7 a102x0 | snap 10 b100x5 a102x5 a103x1 | depth 13 13 b99x1");
    assert_eq!(desk.book(), "100x7 99x1 / 103x1");
    desk.run("depth 15 16 b98x2 | depth 17 17 b97x3 | snap 15 b100x5 a103x5");
    assert_eq!(desk.book(), "100x5 98x2 97x3 / 103x5");
    assert_eq!(desk.venue.counters().gaps, 1);
}

#[test]
fn our_orders_trade_with_each_other_within_the_recorded_queue() {
    let desk = check(
        "snap 10 b100x4 a102x4 | 1 buy 3 @ 100 id=a | 2 sell 5 @ 100 id=b | 2 sell 5 market id=c",
        &expect![[r#"
            snap 10 b100x4 a102x4: 
            1 buy 3 @ 100 id=a: 1:a New 0/3
            2 sell 5 @ 100 id=b: 2:b New 0/5, 2:b taker 100x4 PartiallyFilled 4/5, trade 100x4, 1:a maker 100x1 PartiallyFilled 1/3, 2:b taker 100x1 Filled 5/5, trade 100x1
            2 sell 5 market id=c: 2:c New 0/5, 1:a maker 100x2 Filled 3/3, 2:c taker 100x2 PartiallyFilled 2/5, trade 100x2, 2:c Expired Expired 2/5
        "#]],
    );
    assert_eq!(desk.book(), " / 102x4");
}

#[test]
fn events_of_other_instruments_are_counted_and_dropped() {
    let mut desk = Desk::new();
    let trade = nightdesk_market::Trade {
        symbol: "OTHER".parse().unwrap(),
        id: 1,
        price: nightdesk_units::Ticks(1),
        qty: nightdesk_units::Lots(1),
        buyer_is_maker: true,
        at: desk.now,
    };
    let mut out = Vec::new();
    desk.venue.apply(&nightdesk_market::MarketEvent::Trade(trade), desk.now, &mut out);
    assert_eq!((out.len(), desk.venue.counters().foreign_events), (0, 1));
}
