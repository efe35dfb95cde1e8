//! What lives is what a replay gives, whatever comes in.

use nightdesk_orders::Status;
use nightdesk_shell::Service;
use proptest::prelude::*;

use crate::test_house::{House, Table, collect, grid, ma};
use crate::{Config, StrategyWorker, replay_rows};

fn commands() -> impl Strategy<Value = String> {
    let status = (0..Status::ALL.len()).prop_map(|i| Status::ALL[i].as_str());
    prop_oneof![
        8 => (85..115i64, 1..4i64).prop_map(|(bid, spread)| format!("quote {bid} {}", bid + spread)),
        8 => (9..40u32, 80..120u32).prop_map(|(second, close)| format!("candle {second} {close}")),
        4 => (0..40u32, 80..120u32).prop_map(|(second, close)| format!("history {second}:{close} {}:{}", second + 1, close + 7)),
        8 => (0..30usize, status, 0..3u32, 0..4u32).prop_map(|(n, status, filled, position)| {
            format!("order #{n} {status} 0.0{filled} 0.0{position}")
        }),
        2 => Just("order foreign filled 1 0.05".to_owned()),
        3 => Just("again".to_owned()),
        4 => (10..40u32).prop_map(|second| format!("at {second}")),
        2 => Just("wake".to_owned()),
        1 => Just("run".to_owned()),
        1 => Just("stop".to_owned()),
        1 => Just("restart".to_owned()),
        1 => Just("snapshot".to_owned()),
        1 => Just("instruments".to_owned()),
    ]
}

fn live_is_replay(config: Config, commands: &[String]) {
    let mut house = House::new(config.clone());
    house.script("start\ninstruments");
    for command in commands {
        house.run(command);
    }
    let mut replayed = StrategyWorker::new(config.clone());
    replayed.restore(None, &house.journal).unwrap();
    assert_eq!(replayed.snapshot(), house.worker.snapshot());
    let mut table = Table::new();
    collect(replay_rows(config, &house.journal).unwrap(), &mut table);
    assert_eq!(table, house.table);
    let facts = house.journal.len();
    house.run("restart");
    house.run("again");
    assert!(house.journal[facts..].iter().all(|row| row.kind != "order"), "a repeat is no news");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn live_state_and_rows_of_the_grid_are_those_of_a_replay(commands in prop::collection::vec(commands(), 1..80)) {
        live_is_replay(grid(), &commands);
    }

    #[test]
    fn live_state_and_rows_of_the_averages_are_those_of_a_replay(commands in prop::collection::vec(commands(), 1..80)) {
        live_is_replay(ma(), &commands);
    }
}
