//! A placement, its doubt, and the end of both.

use expect_test::expect;

use super::check;

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
