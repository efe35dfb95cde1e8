//! Every path of a command, text in, text out: facts in brackets, `send` what must arrive, `tell` what may be lost, `->` what
//! is done. Times of windows are in milliseconds; the start is at 10,000.

use expect_test::{Expect, expect};

use crate::test_house::House;

#[track_caller]
fn check(script: &str, expected: Expect) {
    expected.assert_eq(&House::new().play(script));
}

#[test]
fn a_placement_is_admitted_then_recorded_then_sent() {
    check(
        "mode normal | place a | admitted a | placed a open | report a filled | restart",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a open: tell a/1 known New
        report a filled: [over a], tell report a Filled
        restart: -> instruments
    "#]],
    );
}

#[test]
fn a_command_heard_again_is_never_a_second_placement() {
    check(
        "mode normal | place a | place a | admitted a | admitted a | place a | placed a open | place a | queried a open
         | report a filled | place a | queried a filled",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            place a
            admitted a: [attempted a/1 until 12000], -> place a/1
            admitted a
            place a
            placed a open: tell a/1 known New
            place a: -> query a
            queried a open: tell a/1 known New
            report a filled: [over a], tell report a Filled
            place a: -> query a
            queried a filled: tell a/1 known Filled
        "#]],
    );
}

#[test]
fn a_lost_answer_is_asked_about_and_found() {
    check(
        "mode normal | place a | admitted a | at 0.5 | placed a lost | at 0.7 | queried a open | report a filled",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        at 0.5
        placed a lost: tell a/1 in doubt, -> query a
        at 0.7
        queried a open: tell a/1 known New
        report a filled: [over a], tell report a Filled
    "#]],
    );
}

#[test]
fn absence_is_believed_only_when_asked_about_after_the_window() {
    check(
        "mode normal | place a | admitted a | at 1 | placed a lost | queried a none | wake | at 2.2 | wake
         | queried a none | place a | place a/2 | admitted a | placed a open",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            at 1
            placed a lost: tell a/1 in doubt, -> query a
            queried a none
            wake
            at 2.2
            wake: -> query a
            queried a none: [absent a/1], send a/1 never arrived
            place a: send a/1 never arrived
            place a/2: -> admit a Place
            admitted a: [attempted a/2 until 14200], -> place a/2
            placed a open: tell a/2 known New
        "#]],
    );
}

#[test]
fn the_window_is_the_exchange_s_time_and_the_margin_is_added() {
    check(
        "skew 500 | mode normal | place a | admitted a | placed a lost | queried a none asked 2.599
         | queried a none asked 2.601",
        expect![[r#"
            skew 500
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12500], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            queried a none asked 2.599
            queried a none asked 2.601: [absent a/1], send a/1 never arrived
        "#]],
    );
}

#[test]
fn an_absence_seen_while_the_placement_is_under_way_proves_nothing() {
    check(
        "mode normal | place a | admitted a | at 3 | queried a none | placed a open",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        at 3
        queried a none
        placed a open: tell a/1 known New
    "#]],
    );
}

#[test]
fn an_order_that_was_shown_is_not_absent() {
    check(
        "mode normal | place a | admitted a | report a open | at 3 | placed a lost | queried a none | wake",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        report a open: tell report a New
        at 3
        placed a lost: -> query a
        queried a none
        wake
    "#]],
    );
}

#[test]
fn queries_without_an_answer_are_repeated_with_growing_pauses() {
    check(
        "mode normal | place a | admitted a | placed a lost | queried a lost | at 0.2 | wake | queried a lost | at 0.5 | wake
         | at 0.6 | wake | queried a retry 2000 | at 2.5 | wake | at 2.6 | wake | queried a filled",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            queried a lost
            at 0.2
            wake: -> query a
            queried a lost
            at 0.5
            wake
            at 0.6
            wake: -> query a
            queried a retry 2000
            at 2.5
            wake
            at 2.6
            wake: -> query a
            queried a filled: [over a], tell a/1 known Filled
        "#]],
    );
}

#[test]
fn a_refusal_is_final() {
    check(
        "mode normal | place a | admitted a | placed a refused | place a | place a/2 | cancel a | restart",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a refused: [rejected a -2010], send a/1 rejected -2010
        place a: send a/1 rejected 0
        place a/2: send a/1 rejected 0
        cancel a: send a/1 rejected 0
        restart: -> instruments
    "#]],
    );
}

#[test]
fn a_duplicate_means_that_it_is_there() {
    check(
        "mode normal | place a | admitted a | placed a duplicate | queried a open",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a duplicate: tell a/1 in doubt, -> query a
        queried a open: tell a/1 known New
    "#]],
    );
}

#[test]
fn later_holds_everything_back_until_then() {
    check(
        "mode normal | place a | place b | admitted a | placed a retry 1000 | place a/2 | admitted b | place c | at 0.5 | wake
         | at 1 | wake | admitted a | admitted b | admitted c",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            place b: -> admit b Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a retry 1000: [absent a/1], send a/1 never arrived
            place a/2
            admitted b
            place c
            at 0.5
            wake
            at 1
            wake: -> admit a Place, -> admit c Place, -> admit b Place
            admitted a: [attempted a/2 until 13000], -> place a/2
            admitted b: [attempted b/1 until 13000], -> place b/1
            admitted c: [attempted c/1 until 13000], -> place c/1
        "#]],
    );
}

#[test]
fn later_in_no_time_is_still_a_pause() {
    check(
        "mode normal | place a | admitted a | placed a retry 0 | place a/2 | wake | at 0.1 | wake",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a retry 0: [absent a/1], send a/1 never arrived
        place a/2
        wake
        at 0.1
        wake: -> admit a Place
    "#]],
    );
}

#[test]
fn a_cancel_finds_a_resting_order() {
    check(
        "mode normal | place a | admitted a | placed a open | cancel a | cancel a | canceled a canceled | cancel a",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a open: tell a/1 known New
        cancel a: -> cancel a
        cancel a
        canceled a canceled: [over a], tell a/1 known Canceled
        cancel a: -> query a
    "#]],
    );
}

#[test]
fn a_cancel_waits_for_the_placement_s_answer() {
    check(
        "mode normal | place a | admitted a | cancel a | placed a open | canceled a canceled",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        cancel a
        placed a open: tell a/1 known New, -> cancel a
        canceled a canceled: [over a], tell a/1 known Canceled
    "#]],
    );
    check(
        "mode normal | place a | admitted a | cancel a | report a open | placed a lost | canceled a canceled",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        cancel a
        report a open: tell report a New, -> cancel a
        placed a lost
        canceled a canceled: [over a], tell a/1 known Canceled
    "#]],
    );
    check(
        "mode normal | place a | admitted a | cancel a | placed a lost | at 3 | queried a none",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        cancel a
        placed a lost: tell a/1 in doubt, -> query a
        at 3
        queried a none: [absent a/1], send a/1 never arrived
    "#]],
    );
}

#[test]
fn a_cancel_that_finds_nothing_asks_what_became_of_the_order() {
    check(
        "mode normal | place a | admitted a | placed a open | cancel a | canceled a refused | queried a filled",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        admitted a: [attempted a/1 until 12000], -> place a/1
        placed a open: tell a/1 known New
        cancel a: -> cancel a
        canceled a refused: -> query a
        queried a filled: [over a], tell a/1 known Filled
    "#]],
    );
    check(
        "mode normal | place a | admitted a | placed a open | cancel a | canceled a lost | at 0.2 | wake | queried a open
         | canceled a retry 500 | at 0.4 | wake | at 0.5 | wake | canceled a canceled",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a open: tell a/1 known New
            cancel a: -> cancel a
            canceled a lost
            at 0.2
            wake: -> cancel a
            queried a open: tell a/1 known New, -> cancel a
            canceled a retry 500
            at 0.4
            wake
            at 0.5
            wake
            canceled a canceled: [over a], tell a/1 known Canceled
        "#]],
    );
}

#[test]
fn an_exchange_that_refuses_to_cancel_is_given_pauses() {
    check(
        "mode normal | place a | admitted a | placed a open | cancel a | canceled a refused | queried a open
         | canceled a refused | at 0.4 | wake | queried a open | canceled a refused | at 1.2 | wake | queried a open",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a open: tell a/1 known New
            cancel a: -> cancel a
            canceled a refused: -> query a
            queried a open: tell a/1 known New, -> cancel a
            canceled a refused
            at 0.4
            wake: -> query a
            queried a open: tell a/1 known New, -> cancel a
            canceled a refused
            at 1.2
            wake: -> query a
            queried a open: tell a/1 known New, -> cancel a
        "#]],
    );
}

#[test]
fn a_cancel_that_comes_first_leaves_a_tombstone() {
    check(
        "mode normal | cancel a | place a | cancel a | restart | place a",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        cancel a: [refused a/1: cancelled before it was sent], send a/1 never arrived
        place a: send a/1 never arrived
        cancel a: send a/1 never arrived
        restart: -> instruments
        place a: send a/1 never arrived
    "#]],
    );
}

#[test]
fn a_cancel_stops_what_waits_for_its_turn() {
    check(
        "mode normal | place a | cancel a | admitted a | place a",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        cancel a: [refused a/1: cancelled before it was sent], send a/1 never arrived
        admitted a
        place a: send a/1 never arrived
    "#]],
    );
    check(
        "mode normal | place a | admitted a | placed a lost | at 3 | queried a none | place a/2 | cancel a/2 | admitted a
         | place a/2",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            at 3
            queried a none: [absent a/1], send a/1 never arrived
            place a/2: -> admit a Place
            cancel a/2: [refused a/2: cancelled before it was sent], send a/2 never arrived
            admitted a
            place a/2: send a/2 never arrived
        "#]],
    );
    check(
        "mode normal | place a | admitted a | placed a lost | at 3 | queried a none | cancel a/2 | place a/2 | restart
         | place a/2",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            at 3
            queried a none: [absent a/1], send a/1 never arrived
            cancel a/2: [refused a/2: cancelled before it was sent], send a/2 never arrived
            place a/2: send a/2 never arrived
            restart: -> instruments
            place a/2: send a/2 never arrived
        "#]],
    );
}

#[test]
fn nothing_that_adds_risk_leaves_before_the_mode_is_known() {
    check(
        "place a | reduce b | admitted b | mode normal | place a",
        expect![[r#"
        place a
        reduce b: -> admit b Exit
        admitted b: [attempted b/1 until 12000], -> place b/1
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
    "#]],
    );
}

#[test]
fn a_halt_refuses_what_waits_and_names_what_has_left() {
    check(
        "mode normal | place a | admitted a | place b | reduce c | mode halted | admitted b | admitted c | place b | place d
         | mode normal | place b | place b/2",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            place b: -> admit b Place
            reduce c: -> admit c Exit
            mode halted: [mode v1], [refused b/1: held back: trading was halted while it waited], send b/1 never arrived, send mode v1 effective, in flight ["a"]
            admitted b
            admitted c: [attempted c/1 until 12000], -> place c/1
            place b: send b/1 never arrived
            place d: [refused d/1: held back: trading is halted], send d/1 never arrived
            mode normal: [mode v2], send mode v2 effective, in flight []
            place b: send b/1 never arrived
            place b/2: -> admit b Place
        "#]],
    );
}

#[test]
fn a_halt_names_orders_in_doubt_also_after_a_restart() {
    check(
        "mode normal | place a | place b | place c | reduce d | admitted a | admitted b | admitted c | admitted d
         | placed a lost | placed b open | placed d lost | mode halted | restart | mode halted | queried b open | mode halted",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            place b: -> admit b Place
            place c: -> admit c Place
            reduce d: -> admit d Exit
            admitted a: [attempted a/1 until 12000], -> place a/1
            admitted b: [attempted b/1 until 12000], -> place b/1
            admitted c: [attempted c/1 until 12000], -> place c/1
            admitted d: [attempted d/1 until 12000], -> place d/1
            placed a lost: tell a/1 in doubt, -> query a
            placed b open: tell b/1 known New
            placed d lost: tell d/1 in doubt, -> query d
            mode halted: [mode v1], send mode v1 effective, in flight ["a", "c"]
            restart: -> instruments, -> query d, -> query a, -> query c, -> query b
            mode halted: [mode v2], send mode v2 effective, in flight ["a", "c", "b"]
            queried b open: tell b/1 known New
            mode halted: [mode v3], send mode v3 effective, in flight ["a", "c"]
        "#]],
    );
}

#[test]
fn read_only_storage_lets_no_new_risk_out() {
    check(
        "mode read-only | place a | reduce b | admitted b",
        expect![[r#"
        mode read-only: [mode v0], send mode v0 effective, in flight []
        place a: [refused a/1: held back: trading is normal], send a/1 never arrived
        reduce b: -> admit b Exit
        admitted b: [attempted b/1 until 12000], -> place b/1
    "#]],
    );
}

#[test]
fn an_older_mode_changes_nothing() {
    check(
        "mode halted 5 | mode normal 4 | place a | mode halted 5 | mode normal 6 | place b",
        expect![[r#"
        mode halted 5: [mode v5], send mode v5 effective, in flight []
        mode normal 4
        place a: [refused a/1: held back: trading is halted], send a/1 never arrived
        mode halted 5: send mode v5 effective, in flight []
        mode normal 6: [mode v6], send mode v6 effective, in flight []
        place b: -> admit b Place
    "#]],
    );
}

#[test]
fn a_start_asks_about_every_open_attempt_before_anything_else() {
    check(
        "mode normal | place a | admitted a | place b | admitted b | placed b open | place c | admitted c | placed c filled
         | snapshot | place d | restart | place a | queried a none | at 2.5 | wake | queried a none | queried b open | place d",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            place b: -> admit b Place
            admitted b: [attempted b/1 until 12000], -> place b/1
            placed b open: tell b/1 known New
            place c: -> admit c Place
            admitted c: [attempted c/1 until 12000], -> place c/1
            placed c filled: [over c], tell c/1 known Filled
            snapshot
            place d: -> admit d Place
            restart: -> instruments, -> query a, -> query b
            place a
            queried a none
            at 2.5
            wake: -> query a
            queried a none: [absent a/1], send a/1 never arrived
            queried b open: tell b/1 known New
            place d: -> admit d Place
        "#]],
    );
}

#[test]
fn commands_of_an_older_epoch_are_refused_also_after_a_restart() {
    check(
        "mode normal | place a | epoch 2 | place b | epoch 1 | place c | restart | place c | epoch 2 | place c",
        expect![[r#"
        mode normal: [mode v0], send mode v0 effective, in flight []
        place a: -> admit a Place
        epoch 2
        place b: [epoch 2], -> admit b Place
        epoch 1
        place c
        restart: -> instruments
        place c
        epoch 2
        place c: -> admit c Place
    "#]],
    );
    let mut house = House::new();
    house.play("mode normal | snapshot");
    house.config.epoch = 3;
    house.restart();
    expect![[r#"
        epoch 2
        place a
        epoch 3
        place a: -> admit a Place
    "#]]
    .assert_eq(&house.play("epoch 2 | place a | epoch 3 | place a"));
}

#[test]
fn whoever_has_fallen_behind_hears_how_it_stands() {
    check(
        "mode normal | place a | admitted a | placed a lost | at 3 | queried a none | place a/2 | admitted a | place a
         | placed a lost | place a | at 6 | queried a none | place a | place a/4",
        expect![[r#"
            mode normal: [mode v0], send mode v0 effective, in flight []
            place a: -> admit a Place
            admitted a: [attempted a/1 until 12000], -> place a/1
            placed a lost: tell a/1 in doubt, -> query a
            at 3
            queried a none: [absent a/1], send a/1 never arrived
            place a/2: -> admit a Place
            admitted a: [attempted a/2 until 15000], -> place a/2
            place a
            placed a lost: tell a/2 in doubt, -> query a
            place a
            at 6
            queried a none: [absent a/2], send a/2 never arrived
            place a: send a/2 never arrived
            place a/4
        "#]],
    );
}

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
