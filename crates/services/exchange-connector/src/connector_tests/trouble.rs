//! Contradictions, a store that fails, and what is told besides.

use expect_test::expect;

use super::check;
use crate::test_house::House;

#[test]
fn an_order_that_shows_after_its_absence_was_proven_gets_no_brother() {
    check(
        "mode normal | place a | admitted a | placed a lost | at 3 | queried a none | place a/2 | report a open | admitted a
         | place a/2 | queried a open",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            at 3
            queried a none: [absent a/1], send a/1 never arrived
            place a/2: -> admit a Place
            report a open: tell report a New
            admitted a
            place a/2: -> query a
            queried a open: tell a/1 known New
        "#]],
    );
}

#[test]
fn a_late_failure_does_not_unsay_what_the_stream_has_said() {
    check(
        "mode normal | place a | admitted a | report a filled | placed a refused | place a",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        report a filled: [over a], tell report a Filled
        placed a refused
        place a: -> query a
    "#]],
    );
    check(
        "mode normal | place a | admitted a | report a open | placed a retry 100",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        report a open: tell report a New
        placed a retry 100: -> query a
    "#]],
    );
}

#[test]
fn a_forgotten_order_is_looked_up_before_its_command_is_judged() {
    let mut house = House::new();
    house.play("mode normal | place a | admitted a | placed a filled | place b | admitted b | placed b refused");
    // As if many orders had ended since.
    house.connector.durable.horizon = house.now;
    house.connector.durable.attempts.clear();
    expect![[r#"
        place a: -> recall a
        recalled known a: [recalled a/1 over], -> query a
        queried a filled: tell a/1 known Filled
        place b: -> recall b
        recalled known b: [recalled b/1 rejected], send b/1 rejected 0
        place c: -> recall c
        recalled unknown c: -> admit c Place
        admitted c: [attempted c/1 until 12000], -> place c/1
        decided 1
        place d: -> admit d Place
    "#]].assert_eq(&house.play(
        "place a | recalled known a | queried a filled | place b | recalled known b | place c | recalled unknown c | admitted c
         | decided 1 | place d",
    ));
    house.check_rows();
}

#[test]
fn without_a_store_cancels_leave_and_a_halt_holds() {
    check(
        "mode normal | place a | admitted a | placed a open | place b | without a store: cancel a | without a store: mode halted
         | without a store: admitted b | without a store: canceled a canceled | without a store: place c
         | without a store: trade 1 0 | wake | cancel a | mode halted | place b | restart",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a open: tell a/1 known New
            place b: -> admit b Place
            without a store: cancel a: emergency_cancel, -> cancel a
            without a store: mode halted: emergency_mode
            without a store: admitted b
            without a store: canceled a canceled
            without a store: place c
            without a store: trade 1 0
            wake: [refused b/1: held back: trading was halted while it waited], [over a], send b/1 never arrived, tell a/1 known Canceled
            cancel a: -> query a
            mode halted: [mode v1], send mode v1 effective, in flight []
            place b: send b/1 never arrived
            restart: -> instruments
        "#]],
    );
}

#[test]
fn a_cancel_in_the_turn_that_finds_the_store_failing_leaves_at_once_and_a_placement_does_not() {
    check(
        "mode normal | place a | admitted a | placed a open | place b | held back: cancel a | held back: admitted b",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a open: tell a/1 known New
            place b: -> admit b Place
            held back: cancel a: at once [emergency_cancel_sent, -> cancel a], later []
            held back: admitted b: at once [], later [-> place b/1]
        "#]],
    );
}

#[test]
fn too_many_events_without_a_store_are_made_good_by_asking() {
    let mut house = House::new();
    house.play("mode normal | place a | admitted a | placed a open | place b");
    for _ in 0..10_000 {
        house.run("without a store: stream user alive");
    }
    expect![[r#"
        without a store: admitted b
        wake: -> instruments, -> query a
        queried a open: tell a/1 known New
        place b: -> admit b Place
    "#]]
    .assert_eq(&house.play("without a store: admitted b | wake | queried a open | place b"));
}

#[test]
fn streams_are_told_when_they_change_and_every_five_seconds() {
    check(
        "stream user up | stream user alive | at 4 | wake | at 5 | wake | stream user down | stream user back | stream market up
         | at 10 | wake",
        expect![[r#"
            stream user up: tell User up
            stream user alive
            at 4
            wake
            at 5
            wake: tell User up
            stream user down: tell User down
            stream user back: tell User up with a gap
            stream market up: tell Market up
            at 10
            wake: tell User up
        "#]],
    );
}

#[test]
fn trades_pass_once_and_make_candles_unless_a_part_was_missed() {
    let mut house = House::new();
    house.config.candles = vec![(crate::test_house::symbol(), nightdesk_market::Interval::ONE_SECOND)];
    house.restart();
    expect![[r#"
        trade 1 0.5: trade 1
        trade 2 1.1: trade 2
        trade 2 1.1
        trade 1 0.5
        trade 3 2.2: candle of 11000, trade 3
        stream market down: tell Market down
        trade 4 2.5: trade 4
        trade 5 3.5: trade 5
        trade 6 4.1: candle of 13000, trade 6
    "#]].assert_eq(&house.play(
        "trade 1 0.5 | trade 2 1.1 | trade 2 1.1 | trade 1 0.5 | trade 3 2.2 | stream market down | trade 4 2.5 | trade 5 3.5
         | trade 6 4.1",
    ));
}

#[test]
fn figures_tell_of_doubt_and_of_fills() {
    let mut house = House::new();
    house.play("mode normal | place a | admitted a | placed a lost | at 1 | queried a filled");
    house.play("place b | admitted b | placed b open | report b canceled | report b canceled");
    let figures = house.gauges.figures();
    assert_eq!((figures.in_doubt, figures.doubt_resolved, figures.doubt_time_max.as_millis()), (1, 1, 1_000));
    assert_eq!((figures.orders_ended, figures.orders_filled, figures.fill_rate()), (2, 1, Some(0.5)));
    assert_eq!(figures.mean_slippage(), Some(0.0));
}

#[test]
fn what_was_decided_too_long_ago_does_not_leave_unless_it_is_an_exit() {
    check(
        "mode normal | place a | reduce b | at 14.1 | admitted a | admitted b | place c",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            reduce b: -> admit b Exit
            at 14.1
            admitted a: [refused a/1: held back: decided 15100 ms ago], send a/1 never arrived
            admitted b: [attempted b/1 until 26100], -> place b/1
            place c: [refused c/1: held back: decided 15100 ms ago], send c/1 never arrived
        "#]],
    );
}

#[test]
fn a_process_that_stops_lets_exits_and_cancels_leave_and_takes_the_rest_back() {
    check(
        "mode normal | place a | admitted a | place b | reduce c | drain | admitted b | admitted c | place d | cancel a",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            place b: -> admit b Place
            reduce c: -> admit c Exit
            drain: [refused b/1: held back: stopping], send b/1 never arrived
            admitted b
            admitted c: [attempted c/1 until 12000], -> place c/1
            place d: [refused d/1: held back: stopping], send d/1 never arrived
            cancel a
        "#]],
    );
}
