//! Cancels, early and late.

use expect_test::expect;

use super::check;

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
