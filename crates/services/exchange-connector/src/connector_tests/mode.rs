//! What a mode holds back, and what a start finds.

use expect_test::expect;

use super::check;
use crate::test_house::House;

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
