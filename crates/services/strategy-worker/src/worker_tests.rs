use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use nightdesk_market::Side;
use nightdesk_orders::OrderKind;
use nightdesk_strategies::{
    CandleWish, Context, DecisionKey, Placement, RestoreError as ForeignState, SavedState, StrategyKind,
};
use nightdesk_units::Decimal;

use super::*;
use crate::query::Query;
use crate::tables::{INTENTS, STRATEGY_STATE};
use crate::test_house::{House, grid, instrument, ma, params};

fn check(config: Config, commands: &str, expected: &Expect) {
    let mut house = House::new(config);
    expected.assert_eq(&house.script(commands));
    house.run("restart");
}

#[test]
fn it_decides_once_instrument_and_history_are_there() {
    check(
        ma(),
        "start
         candle 9 100
         instruments
         history 7:100 8:90 9:80
         at 11
         candle 10 95
         candle 10 95
         at 12
         candle 11 97",
        &expect![[r#"
            start: is WarmingUp
            candle 9 100: -
            instruments: instrument, asks 7..10
            history 7:100 8:90 9:80: is Running
            candle 10 95: decided, 11000000-buy BUY market 1.052 ~95
            candle 10 95: -
            candle 11 97: -
        "#]],
    );
}

#[test]
fn a_crossing_in_the_newest_fetched_candle_is_decided_and_an_older_one_is_not() {
    check(
        ma(),
        "start
         instruments
         history 7:100 8:80 9:95",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10
            history 7:100 8:80 9:95: decided, is Running, 10000000-buy BUY market 1.052 ~95
        "#]],
    );
    check(
        ma(),
        "start
         instruments
         history 6:100 7:80 8:95 9:96",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10
            history 6:100 7:80 8:95 9:96: is Running
        "#]],
    );
}

#[test]
fn a_candle_that_comes_too_late_is_learnt_from_only() {
    check(
        ma(),
        "start
         instruments
         history 7:100 8:90 9:80
         at 14.1
         candle 10 95
         at 15.1
         candle 11 80
         candle 12 99",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10
            history 7:100 8:90 9:80: is Running
            candle 10 95: -
            candle 11 80: -
            candle 12 99: decided, 13000000-buy BUY market 1.01 ~99
        "#]],
    );
}

#[test]
fn a_missing_candle_is_fetched_before_the_next_one_counts() {
    check(
        ma(),
        "start
         instruments
         history 7:100 8:90 9:80
         at 12
         candle 11 95
         wake
         at 13
         wake
         history 10:70",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10
            history 7:100 8:90 9:80: is Running
            candle 11 95: asks 10..11, is WarmingUp
            wake: -
            wake: asks 10..11
            history 10:70: decided, is Running, 12000000-buy BUY market 1.052 ~95
        "#]],
    );
}

#[test]
fn an_unanswered_request_is_repeated_when_its_time_comes() {
    let mut house = House::new(ma());
    house.script("start\ninstruments");
    let at = house.worker.next_wakeup().unwrap();
    assert_eq!(at, Timestamp::from_millis(11_000));
    assert_eq!(house.run("wake"), "");
    house.now = at;
    assert_eq!(house.run("wake"), "asks 7..10");
    house.run("history 9:1");
    assert_eq!(house.worker.next_wakeup(), None);
}

#[test]
fn a_crash_after_the_decision_does_not_decide_again() {
    let script = "start
         instruments
         history 7:100 8:90 9:80
         at 11
         candle 10 95
         restart
         history 8:90 9:80 10:95
         order 11000000-buy abandoned 0 0
         restart
         history 8:90 9:80 10:95";
    check(
        ma(),
        script,
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10
            history 7:100 8:90 9:80: is Running
            candle 10 95: decided, 11000000-buy BUY market 1.052 ~95
            restart: asks 8..11, is WarmingUp
            history 8:90 9:80 10:95: is Running
            order 11000000-buy abandoned 0 0: order
            restart: asks 8..11, is WarmingUp
            history 8:90 9:80 10:95: is Running
        "#]],
    );
}

#[test]
fn a_crash_before_the_commit_decides_the_same_again() {
    let mut house = House::new(ma());
    house.script("start\ninstruments\nhistory 7:100 8:90 9:80\nat 11");
    let facts = house.journal.len();
    house.run("candle 10 95");
    let first = std::mem::take(&mut house.intents);
    // The commit never happened.
    house.journal.truncate(facts);
    house.worker = StrategyWorker::new(ma());
    house.worker.restore(None, &house.journal).unwrap();
    house.run("start");
    house.run("history 8:90 9:80 10:95");
    assert_eq!(house.intents, first);
}

#[test]
fn the_grid_journals_only_what_it_decides_and_what_becomes_of_it() {
    check(
        grid(),
        "start
         instruments
         quote 101 103
         quote 101 104
         quote 102 103
         order g1-l0-c0-b0 open 0 0
         again
         order g1-l2-c0-b0 open 0.05 0.05
         order g1-l2-c0-b0 filled 0.1 0.1
         again
         order g1-l2-c0-s1 filled 0.1 0",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument
            quote 101 103: decided, g1-l0-c0-b0 BUY limit-maker 90 0.111 ~102, g1-l1-c0-b0 BUY limit-maker 95 0.105 ~102, g1-l2-c0-b0 BUY limit-maker 100 0.1 ~102, is Running
            quote 101 104: -
            quote 102 103: -
            order g1-l0-c0-b0 open 0 0: order
            again: -
            order g1-l2-c0-b0 open 0.05 0.05: order
            order g1-l2-c0-b0 filled 0.1 0.1: order, g1-l2-c0-s1 SELL limit-maker 105 0.1 ~102.5
            again: -
            order g1-l2-c0-s1 filled 0.1 0: order, g1-l2-c1-b0 BUY limit-maker 100 0.1 ~102.5
        "#]],
    );
}

#[test]
fn the_grid_goes_on_where_it_was_after_a_restart() {
    check(
        grid(),
        "start
         instruments
         quote 101 103
         order g1-l2-c0-b0 filled 0.1 0.1
         snapshot
         order g1-l1-c0-b0 filled 0.105 0.205
         restart
         quote 101 103
         order g1-l2-c0-s1 filled 0.1 0.105
         quote 101 103",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument
            quote 101 103: decided, g1-l0-c0-b0 BUY limit-maker 90 0.111 ~102, g1-l1-c0-b0 BUY limit-maker 95 0.105 ~102, g1-l2-c0-b0 BUY limit-maker 100 0.1 ~102, is Running
            order g1-l2-c0-b0 filled 0.1 0.1: order, g1-l2-c0-s1 SELL limit-maker 105 0.1 ~102
            order g1-l1-c0-b0 filled 0.105 0.205: order, g1-l1-c0-s1 SELL limit-maker 102 0.105 ~102
            restart: is Running
            quote 101 103: -
            order g1-l2-c0-s1 filled 0.1 0.105: order, g1-l2-c1-b0 BUY limit-maker 100 0.1 ~102
            quote 101 103: -
        "#]],
    );
}

#[test]
fn a_stopped_instance_takes_its_orders_back_and_decides_nothing() {
    check(
        grid(),
        "start
         instruments
         quote 101 103
         stop
         stop
         quote 101 103
         order g1-l1-c0-b0 canceled 0 0
         order g1-l2-c0-b0 filled 0.1 0.1
         restart
         quote 101 103
         run
         quote 101 103",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument
            quote 101 103: decided, g1-l0-c0-b0 BUY limit-maker 90 0.111 ~102, g1-l1-c0-b0 BUY limit-maker 95 0.105 ~102, g1-l2-c0-b0 BUY limit-maker 100 0.1 ~102, is Running
            stop: control, cancel g1-l0-c0-b0, cancel g1-l1-c0-b0, cancel g1-l2-c0-b0, is Stopped
            stop: is Stopped
            quote 101 103: -
            order g1-l1-c0-b0 canceled 0 0: order
            order g1-l2-c0-b0 filled 0.1 0.1: order
            restart: is Stopped
            quote 101 103: -
            run: control, is Running
            quote 101 103: decided, g1-l2-c0-s2 SELL limit-maker 105 0.1 ~102
        "#]],
    );
}

#[test]
fn a_stopped_instance_keeps_its_averages_up_to_date() {
    check(
        ma(),
        "start
         stop
         instruments
         history 7:100 8:90 9:80
         at 11
         candle 10 70
         run
         at 12
         candle 11 95",
        &expect![[r#"
            start: is WarmingUp
            stop: control, is Stopped
            instruments: instrument, asks 7..10
            history 7:100 8:90 9:80: -
            candle 10 70: -
            run: control, is Running
            candle 11 95: decided, 12000000-buy BUY market 1.052 ~95
        "#]],
    );
}

#[test]
fn a_refused_order_is_an_error_and_one_held_back_is_none() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    house.run("order g1-l0-c0-b0 rejected 0 0");
    house.run("order g1-l1-c0-b0 abandoned 0 0");
    house.run("order g1-l2-c0-b0 filled 0.1 0.1");
    house.run("again");
    let tally = house.worker.view().tally;
    assert_eq!((tally.ended, tally.filled, tally.rejected), (3, 1, 1));
    assert!((tally.error_ratio() - 1.0 / 3.0).abs() < 1e-9);
    let reasons =
        house.table.iter().filter(|((table, _), _)| *table == INTENTS.name).map(|(_, row)| (&row[5], &row[7]));
    let refused: Vec<_> = reasons.filter(|(_, reason)| reason.as_str().is_some()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].0.as_str(), refused[0].1.as_str()), (Some("rejected"), Some("no")));
}

#[test]
fn an_old_update_changes_nothing() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103\nat 20\norder g1-l2-c0-b0 canceled 0.05 0.05");
    let state = house.worker.snapshot();
    house.script("at 15\norder g1-l2-c0-b0 open 0.02 0.02\norder g1-l2-c0-b0 pending_new 0 0");
    assert_eq!(house.worker.snapshot(), state);
    // The end of another order counts however late it is told; the position told with it is an old one.
    assert_eq!(house.run("order g1-l0-c0-b0 canceled 0 0"), "order");
    assert_eq!(house.worker.view().position, "0.05".parse().unwrap());
    // A fill may come after the end, and counts.
    let said = house.script("at 21\norder g1-l2-c0-b0 canceled 0.1 0.1");
    assert!(said.contains(": order"), "{said}");
    assert_eq!(house.worker.view().position, "0.1".parse().unwrap());
}

#[test]
fn a_position_that_somebody_else_changed_is_believed() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103\norder g1-l2-c0-b0 filled 0.1 0.1");
    assert_eq!(house.run("order foreign filled 0.1 0"), "order");
    assert_eq!(house.run("again"), "");
    house.run("order g1-l2-c0-s1 canceled 0 0");
    assert_eq!(house.worker.view().position, "0".parse().unwrap());
    let said = house.script("at 20\nquote 101 103");
    assert!(!said.contains("SELL"), "{said}");
}

#[test]
fn parameters_the_instrument_refuses_are_a_failure_that_is_told() {
    let small = Config { params: params(StrategyKind::MaCrossover, "interval=1s fast=1 slow=2 order_quote=4"), ..ma() };
    check(
        small,
        "start
         instruments
         candle 10 95
         stop
         run",
        &expect![[r#"
            start: is WarmingUp
            instruments: instrument, asks 7..10, is Failed (order_quote: 4 is below the least order of BTCUSDT, 5 (raise it))
            candle 10 95: -
            stop: control, is Failed (order_quote: 4 is below the least order of BTCUSDT, 5 (raise it))
            run: control, is Failed (order_quote: 4 is below the least order of BTCUSDT, 5 (raise it))
        "#]],
    );
}

#[test]
fn filters_that_no_longer_fit_stop_decisions_until_they_fit_again() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    let mut strict = instrument();
    strict.filters.max_open_orders = 1;
    let said = house.take(Input::Message(Message::Instruments { instruments: vec![strict] }));
    assert!(said.starts_with("instrument, is Failed (levels: 4 levels are more than 1 open orders"), "{said}");
    // What its orders bring is booked all the same, and sold once it works again.
    assert_eq!(house.run("order g1-l2-c0-b0 filled 0.1 0.1"), "order");
    assert_eq!(house.run("quote 101 103"), "");
    assert_eq!(house.run("instruments"), "instrument, is Running");
    assert_eq!(house.run("quote 101 103"), "decided, g1-l2-c0-s2 SELL limit-maker 105 0.1 ~102");
}

#[test]
fn a_state_of_another_strategy_is_a_failure_that_is_told() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    house.config = ma();
    let said = house.run("restart");
    assert!(
        said.contains("is Failed (the saved state is one of grid-trader, the instance runs ma-crossover"),
        "{said}"
    );
    assert_eq!(house.run("instruments"), "");
    assert_eq!(house.worker.view().state, RunState::Failed);
}

#[test]
fn new_filters_are_journaled_and_others_are_ignored() {
    let mut house = House::new(grid());
    house.script("start\ninstruments");
    assert_eq!(house.run("instruments"), "");
    let mut other = instrument();
    other.symbol = "ETHUSDT".parse().unwrap();
    assert_eq!(house.take(Input::Message(Message::Instruments { instruments: vec![other] })), "");
    let mut changed = instrument();
    changed.filters.max_open_orders = 100;
    assert_eq!(house.take(Input::Message(Message::Instruments { instruments: vec![changed] })), "instrument");
}

#[test]
fn what_leads_nowhere_leaves_no_trace() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    // The first quote after a turn of its own may work out when to look again.
    let mut step = Step::default();
    for ask in 103..105 {
        let quote = house.quote(101, ask);
        house.worker.on_market(&quote, house.now, &mut step);
    }
    let MarketEvent::Quote(mut other) = house.quote(50, 51) else { panic!("a quote") };
    other.symbol = "ETHUSDT".parse().unwrap();
    house.worker.on_quote(&other, house.now, &mut step);
    assert_eq!((step.records.capacity(), step.out.capacity()), (0, 0));
    let mut rows = Vec::new();
    house.worker.rows(&mut rows);
    assert!(rows.is_empty());
}

#[test]
fn rows_show_the_intents_and_the_state_in_short() {
    let mut house = House::new(ma());
    house.script("start\ninstruments\nhistory 7:100 8:90 9:80\nat 11\ncandle 10 95\nat 12\norder 11000000-buy filled 1.052 1.052");
    let text: Vec<String> = house.table.iter().map(|((table, _), row)| format!("{table}: {row:?}")).collect();
    expect![[r#"
        intents: [Text("nq6ykijqmw2pond5"), Text("11000000-buy"), Text("BUY"), Text("market"), Text("1.052"), Text("filled"), Text("1.052"), Null, Int(11000000), Int(12000000)]
        strategy_state: [Text("7"), Text("{\"run\":true,\"position\":\"1.052\",\"open_orders\":0,\"decided\":1,\"ended\":1,\"filled\":1,\"rejected\":0}"), Int(12000000)]"#]].assert_eq(&text.join("\n"));
}

#[test]
fn every_row_fits_its_table() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103\norder g1-l0-c0-b0 rejected 0 0");
    let rows = replay_rows(grid(), &house.journal).unwrap();
    assert_eq!(rows.len(), house.table.len());
    assert_eq!(rows.iter().filter(|row| *row.table == STRATEGY_STATE).count(), 1);
    let batch = nightdesk_store::Batch { rows, ..Default::default() };
    assert_eq!(nightdesk_store::limits::check(&batch, "test"), Ok(()));
    assert_eq!(crate::SCHEMA.tables.len(), 2);
}

#[test]
fn a_damaged_history_is_refused_by_its_place() {
    let mut house = House::new(grid());
    house.script("start\ninstruments");
    house.journal[0].body.truncate(9);
    let error = replay_rows(grid(), &house.journal).unwrap_err().to_string();
    assert!(error.contains("fact 1 (instrument) of worker.7"), "{error}");
    let error = StrategyWorker::new(grid()).restore(Some("[]"), &[]).unwrap_err().to_string();
    assert!(error.contains("snapshot of worker.7"), "{error}");
}

#[test]
fn questions_are_answered_also_while_the_store_takes_no_writes() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    let heard: Arc<Mutex<Vec<View>>> = Arc::default();
    let ask = || {
        let heard = Arc::clone(&heard);
        Input::Event(Event::Query(Query::Status, Box::new(move |view| heard.lock().unwrap().push(view))))
    };
    house.take(ask());
    let turn = Turn { now: house.now, oldest_outbox: None };
    house.worker.emergency(&turn, ask(), &mut Step::default());
    let heard = heard.lock().unwrap();
    assert_eq!((heard.len(), heard[0].state, heard[0].orders.len()), (2, RunState::Running, 3));
    assert_eq!(heard[0], heard[1]);
    assert_eq!(house.worker.queue().as_str(), "worker.7");
    let interest = house.worker.interest();
    assert_eq!((interest.quotes, interest.trades, interest.candles), (true, false, false));
}

#[test]
fn what_is_not_for_it_is_ignored() {
    let mut house = House::new(ma());
    let control = nightdesk_wire::StrategyControl { instance: "8".parse().unwrap(), run: false };
    assert_eq!(house.take(Input::Message(Message::StrategyControl(control))), "");
    assert_eq!(house.worker.view().state, RunState::WarmingUp);
}

/// Wants an order under the same key at each trade, whatever became of it; of a size that differs.
struct Stubborn(i64);

impl Strategy for Stubborn {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MaCrossover
    }
    fn wants(&self) -> Wants {
        Wants { candles: Vec::<CandleWish>::new(), quotes: false, trades: true }
    }
    fn on_event(&mut self, event: StrategyEvent<'_>, _: &Context<'_>, out: &mut Vec<Decision>) {
        self.0 += 1;
        let key: DecisionKey = "same".parse().unwrap();
        match event {
            StrategyEvent::Trade(_) => {
                let qty = nightdesk_units::Qty::new(Decimal::from(self.0));
                let placement = Placement { key, side: Side::Buy, kind: OrderKind::Market, qty, reduces: false };
                let larger = Placement { qty: nightdesk_units::Qty::new(Decimal::from(self.0 + 1)), ..placement };
                out.extend([Decision::Place(placement), Decision::Place(larger), Decision::Cancel { key }]);
            }
            StrategyEvent::Order(_) => out.push(Decision::Cancel { key }),
            _ => {}
        }
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn save(&self) -> SavedState {
        ma().params.build().save()
    }
    fn restore(&mut self, _: SavedState) -> Result<(), ForeignState> {
        Ok(())
    }
}

#[test]
fn a_key_is_never_decided_twice_whatever_the_strategy_says() {
    let mut house = House::new(ma());
    house.worker = StrategyWorker::with_strategy(ma(), Box::new(Stubborn(0)));
    house.script("start\ninstruments");
    let trade = Trade {
        symbol: "BTCUSDT".parse().unwrap(),
        id: 1,
        price: Ticks(100),
        qty: nightdesk_units::Lots(1),
        buyer_is_maker: false,
        at: house.now,
    };
    let said: Vec<String> = (0..3).map(|_| house.take(Input::Market(MarketEvent::Trade(trade)))).collect();
    assert_eq!(said, ["decided, same BUY market 2 ~100", "decided, cancel same", ""]);
    assert_eq!(house.run("order same filled 2 2"), "order");
    assert_eq!(house.take(Input::Market(MarketEvent::Trade(trade))), "");
    assert_eq!((house.intents.len(), house.worker.view().tally.decided), (1, 1));
}

#[test]
fn a_thousand_decisions_later_the_first_open_order_is_still_known() {
    let mut house = House::new(grid());
    house.script("start\ninstruments\nquote 101 103");
    let mut n = 0;
    while house.intents.len() < 2_000 {
        let sold = house.run(&format!("order g1-l2-c{n}-b0 filled 0.1 0.1"));
        assert!(sold.contains("SELL"), "{sold}");
        house.run(&format!("order g1-l2-c{n}-s1 filled 0.1 0"));
        n += 1;
    }
    let first = house.worker.state.intent("g1-l0-c0-b0".parse().unwrap());
    assert_eq!(first, Some(house.intent("g1-l0-c0-b0")));
    assert!(!house.worker.state.knows("g1-l2-c0-b0".parse().unwrap()));
    assert!(house.run("order g1-l0-c0-b0 open 0 0").starts_with("order"));
    assert_eq!(replay_rows(grid(), &house.journal).unwrap().len(), house.intents.len() + 1);
}
