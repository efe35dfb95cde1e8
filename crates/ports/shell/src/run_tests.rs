use expect_test::{Expect, expect};
use nightdesk_store::{Batch, OutboxRow, Store};
use nightdesk_units::Timestamp;

use crate::StorageState;
use crate::test_house::House;

#[track_caller]
fn check(script: &str, expected: Expect) {
    expected.assert_eq(&House::new().play(script));
}

#[test]
fn nothing_leaves_and_nothing_is_acknowledged_before_the_commit() {
    check(
        "shut | hear 1 7 | ask 8 | open",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > shut
        > hear 1 7
        > ask 8
        > open
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
          commit facts [8] outbox [core#2] inbox []
          publish 8 to core as adder/core#2
          effect 8
    "#]],
    );
}

#[test]
fn inputs_that_came_together_share_a_commit() {
    check(
        "shut | hear 1 1 | hear 2 2 | hear 3 3 | ask 4 | open",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > shut
        > hear 1 1
        > hear 2 2
        > hear 3 3
        > ask 4
        > open
          commit facts [1] outbox [core#1] inbox [1]
          publish 1 to core as adder/core#1
          effect 1
          ack 1
          commit facts [4, 2, 3] outbox [core#2, core#3, core#4] inbox [3]
          publish 4 to core as adder/core#2
          publish 2 to core as adder/core#3
          publish 3 to core as adder/core#4
          effect 4
          effect 2
          effect 3
          ack 2
          ack 3
    "#]],
    );
}

#[test]
fn a_repeat_is_acknowledged_and_has_no_effect_also_after_a_restart() {
    check(
        "hear 1 7 | hear 1 7 | hear 2 5 | crash | start | hear 1 7 | hear 2 5 | hear 3 1 | rows",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
        > hear 1 7
          ack 2
        > hear 2 5
          commit facts [5] outbox [core#2] inbox [2]
          publish 5 to core as adder/core#2
          effect 5
          ack 3
        > crash
        > start
          restored sum 12 snapshot None tail 2
          publish 7 to core as adder/core#1
          publish 5 to core as adder/core#2
        > hear 1 7
          ack 4
        > hear 2 5
          ack 5
        > hear 3 1
          commit facts [1] outbox [core#3] inbox [3]
          publish 1 to core as adder/core#3
          effect 1
          ack 6
        > rows
          rows [[Text("sum"), Int(13)]]
    "#]],
    );
}

#[test]
fn what_only_tells_is_not_committed() {
    check(
        "hear 1 100",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 100
          publish 100 to core as unnumbered
          ack 1
    "#]],
    );
}

#[test]
fn what_was_not_confirmed_goes_out_again_under_its_number() {
    check(
        "hear 1 7 | hear 2 5 | crash | start | confirm | wait 300 | crash | start",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
        > hear 2 5
          commit facts [5] outbox [core#2] inbox [2]
          publish 5 to core as adder/core#2
          effect 5
          ack 2
        > crash
        > start
          restored sum 12 snapshot None tail 2
          publish 7 to core as adder/core#1
          publish 5 to core as adder/core#2
        > confirm
        > wait 300
          commit facts [] outbox [] inbox [] delivered [(core, 2)]
        > crash
        > start
          restored sum 12 snapshot None tail 2
    "#]],
    );
}

#[test]
fn confirmed_messages_are_forgotten_with_the_next_commit_or_soon_after() {
    check(
        "hear 1 7 | confirm | hear 2 5 | confirm | wait 100 | wait 100",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
        > confirm
        > hear 2 5
          commit facts [5] outbox [core#2] inbox [2] delivered [(core, 1)]
          publish 5 to core as adder/core#2
          effect 5
          ack 2
        > confirm
        > wait 100
        > wait 100
          commit facts [] outbox [] inbox [] delivered [(core, 2)]
    "#]],
    );
}

#[test]
fn a_bus_that_is_down_is_tried_again() {
    check(
        "bus down | hear 1 7 | wait 50 | bus up | wait 50 | confirm | wait 200",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > bus down
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1, lost
          effect 7
          ack 1
        > wait 50
        > bus up
        > wait 50
          publish 7 to core as adder/core#1
        > confirm
        > wait 200
          commit facts [] outbox [] inbox [] delivered [(core, 1)]
    "#]],
    );
}

#[test]
fn a_full_store_holds_the_turn_back_and_lets_it_out_when_there_is_room() {
    check(
        "fault full | hear 1 7 | hear 2 5 | wait 100 | fault none | wait 100",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > fault full
        > hear 1 7
          no commit: no space left on the device of adder.db
          storage failed
        > hear 2 5
        > wait 100
          no commit: no space left on the device of adder.db
        > fault none
        > wait 100
          commit facts [7] outbox [core#1] inbox [1]
          storage works
          publish 7 to core as adder/core#1
          effect 7
          ack 1
          commit facts [5] outbox [core#2] inbox [2]
          publish 5 to core as adder/core#2
          effect 5
          ack 2
    "#]],
    );
}

#[test]
fn an_exit_does_not_wait_for_the_commit_that_found_the_store_failing() {
    check(
        "fault full | hear 1 9 | fault none | wait 100",
        expect![[r#"
            restored sum 0 snapshot None tail 0
            > fault full
            > hear 1 9
              no commit: no space left on the device of adder.db
              storage failed
              emergency journal: exit 9
              effect 9
              emergency journal: emergency 1009
              effect 1009
            > fault none
            > wait 100
              commit facts [9] outbox [core#1] inbox [1]
              storage works
              publish 9 to core as adder/core#1
              ack 1
        "#]],
    );
}

#[test]
fn without_a_store_control_messages_and_requests_are_served_and_control_is_handled_again_with_one() {
    check(
        "fault full | hear 1 7 | control 1 3 | ask 4 | fault none | wait 100 | control 1 3 | rows",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > fault full
        > hear 1 7
          no commit: no space left on the device of adder.db
          storage failed
        > control 1 3
          emergency journal: emergency 3
          effect 3
        > ask 4
          emergency journal: emergency 4
          effect 4
        > fault none
        > wait 100
          commit facts [7] outbox [core#1] inbox [1]
          storage works
          publish 7 to core as adder/core#1
          effect 7
          ack 1
          commit facts [3] outbox [core#2] inbox [1]
          publish 3 to core as adder/core#2
          effect 3
          ack 2
        > control 1 3
          ack 3
        > rows
          rows [[Text("sum"), Int(10)]]
    "#]],
    );
}

#[test]
fn status_tells_that_the_store_fails() {
    let mut house = House::new();
    assert_eq!(house.status.storage(), StorageState::Works);
    house.play("fault full | hear 1 7");
    assert_eq!(house.status.storage(), StorageState::Failed);
    let before = house.status.progress();
    house.play("wait 100");
    assert!(house.status.progress() > before, "waiting for the store is progress");
    house.play("fault none | wait 100");
    assert_eq!(house.status.storage(), StorageState::Works);
    assert_eq!(house.status.journal_version(), 1);
}

#[test]
fn a_store_that_is_another_s_ends_the_shell_and_nothing_leaves() {
    check(
        "fault fenced | hear 1 7",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > fault fenced
        > hear 1 7
          no commit: adder.db was written by another: epoch 2
          ended: adder cannot go on
    "#]],
    );
}

#[test]
fn a_shell_whose_store_fails_can_be_stopped() {
    check(
        "fault full | hear 1 7 | stop",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > fault full
        > hear 1 7
          no commit: no space left on the device of adder.db
          storage failed
        > stop
          ended: adder cannot go on
    "#]],
    );
}

#[test]
fn stopping_writes_a_snapshot_and_the_next_start_needs_nothing_else() {
    check(
        "hear 1 7 | confirm | hear 2 5 | stop | start | hear 2 5 | stop",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
        > confirm
        > hear 2 5
          commit facts [5] outbox [core#2] inbox [2] delivered [(core, 1)]
          publish 5 to core as adder/core#2
          effect 5
          ack 2
        > stop
          commit facts [] outbox [] inbox [] snapshot 12 at version 2
          ended
        > start
          restored sum 12 snapshot Some("12") tail 0
          publish 5 to core as adder/core#2
        > hear 2 5
          ack 3
        > stop
          commit facts [] outbox [] inbox []
          ended
    "#]],
    );
}

#[test]
fn an_effect_s_outcome_comes_back() {
    check(
        "hear 1 9",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > hear 1 9
          commit facts [9] outbox [core#1] inbox [1]
          publish 9 to core as adder/core#1
          effect 9
          ack 1
          outcome 1009
    "#]],
    );
}

#[test]
fn a_service_nobody_can_ask_goes_on() {
    check(
        "nobody | hear 1 7 | stop",
        expect![[r#"
        restored sum 0 snapshot None tail 0
        > nobody
        > hear 1 7
          commit facts [7] outbox [core#1] inbox [1]
          publish 7 to core as adder/core#1
          effect 7
          ack 1
        > stop
          commit facts [] outbox [] inbox [] snapshot 7 at version 1
          ended
    "#]],
    );
}

#[test]
fn an_outbox_row_that_cannot_be_read_stays_and_shows() {
    let mut house = House::idle();
    let row = |seq, body: &str| OutboxRow { queue: "core".to_owned(), seq, at: Timestamp(5), body: body.to_owned() };
    let good = r#"{"type":"mode_effective","version":3,"in_flight":[]}"#;
    let batch = Batch {
        outbox: vec![row(1, r#"{"type":"from_the_future"}"#), row(2, good)],
        cursors: vec![("core".to_owned(), 2)],
        ..Batch::default()
    };
    futures_util::FutureExt::now_or_never(house.store.inner.commit(batch)).unwrap().unwrap();
    house.start();
    expect![[r#"
        restored sum 0 snapshot None tail 0
        publish 3 to core as adder/core#2
        > confirm
        > hear 1 7
          commit facts [7] outbox [core#3] inbox [1]
          publish 7 to core as adder/core#3
          effect 7
          ack 1
        > confirm
        > wait 300
    "#]]
    .assert_eq(&house.play("confirm | hear 1 7 | confirm | wait 300"));
    assert_eq!(house.status.oldest_outbox(), Some(Timestamp(5)));
}

#[test]
fn a_flood_on_one_port_delays_neither_commands_nor_the_clock() {
    let mut house = House::new();
    house.play("ask 500");
    *house.flood.lock().unwrap() = 2_000;
    let text = house.play("wait 10");
    assert!(text.find("woken") < text.rfind("publish 100"), "woken although never at rest");
    *house.flood.lock().unwrap() = 2_000;
    let text = house.play("hear 1 7");
    assert!(text.contains("ack 1") && text.find("ack 1") < text.rfind("publish 100"));
}
