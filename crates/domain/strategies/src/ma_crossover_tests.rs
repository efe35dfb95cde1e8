use super::*;
use crate::desk::{self, instrument, table};

const PARAMS: &str = "interval=1m fast=2 slow=3 order_quote=50";

fn check(commands: &str, expected: &str) {
    desk::check(StrategyKind::MaCrossover, PARAMS, commands, expected);
}

/// Falls, then rises: the averages cross at the fifth candle, five minutes in.
const UP: &str = "candle 100 | candle 99 | candle 98 | candle 97 | candle 105";
const ENTRY: &str = "buy 0.476 @ market 300000000-buy";

#[test]
fn it_enters_when_the_fast_average_crosses_above_the_slow_one() {
    check(UP, ENTRY);
    check("candle 100 | candle 99 | candle 98 | candle 97 | candle 96", "");
}

#[test]
fn it_leaves_with_everything_when_the_averages_cross_back() {
    let exit = format!("{ENTRY}; sell 0.476 @ market 420000000-sell");
    check(&format!("{UP} | fill 300000000-buy | candle 90 | candle 80"), &exit);
}

#[test]
fn averages_that_start_out_crossed_are_no_crossing() {
    check("candle 100 | candle 101 | candle 102 | candle 103 | candle 104", "");
}

#[test]
fn history_warms_up_without_trading_and_counts_for_the_first_crossing() {
    check("past 100 | past 99 | past 98 | past 97 | past 105 | candle 106", "");
    check("past 100 | past 99 | past 98 | past 97 | candle 105", ENTRY);
}

#[test]
fn a_missing_candle_starts_the_averages_over() {
    check("candle 100 | candle 99 | candle 98 | skip 1 | candle 97 | candle 105 | candle 110", "");
    check(
        "candle 100 | candle 99 | candle 98 | skip 1 | candle 97 | candle 96 | candle 95 | candle 105",
        "buy 0.476 @ market 480000000-buy",
    );
}

#[test]
fn a_repeated_or_old_candle_is_ignored() {
    check("candle 100 | candle 99 | at 60 | candle 99 | at 60 | candle 99 | candle 98 | candle 97 | candle 105", ENTRY);
}

#[test]
fn an_entry_that_fails_is_not_made_up_for_but_an_exit_is() {
    check(&format!("{UP} | reject 300000000-buy | candle 110 | candle 120"), ENTRY);
    let exits = format!("{ENTRY}; sell 0.476 @ market 420000000-sell; sell 0.476 @ market 480000000-sell");
    check(&format!("{UP} | fill 300000000-buy | candle 90 | candle 80 | reject 420000000-sell | candle 70"), &exits);
}

#[test]
fn what_an_exit_left_is_sold_on_the_next_candle() {
    let exits = format!("{ENTRY}; sell 0.476 @ market 420000000-sell; sell 0.176 @ market 480000000-sell");
    check(
        &format!("{UP} | fill 300000000-buy | candle 90 | candle 80 | expire 420000000-sell 0.3 | candle 70"),
        &exits,
    );
}

#[test]
fn an_entry_filled_in_part_is_left_at_that_and_sold_when_it_is_time() {
    let exit = format!("{ENTRY}; sell 0.2 @ market 420000000-sell");
    check(&format!("{UP} | expire 300000000-buy 0.2 | candle 90 | candle 80"), &exit);
}

#[test]
fn an_entry_still_working_is_cancelled_before_what_it_bought_is_sold() {
    let rest = format!("{ENTRY}; cancel 300000000-buy; sell 0.2 @ market 480000000-sell");
    check(
        &format!("{UP} | open 300000000-buy 0.2 | candle 90 | candle 80 | cancel 300000000-buy 0.2 | candle 70"),
        &rest,
    );
    // Asked once, not at every candle.
    check(
        &format!("{UP} | open 300000000-buy | candle 90 | candle 80 | candle 70"),
        &format!("{ENTRY}; cancel 300000000-buy"),
    );
}

#[test]
fn an_exit_at_work_is_waited_for() {
    let exit = format!("{ENTRY}; sell 0.476 @ market 420000000-sell");
    check(&format!("{UP} | fill 300000000-buy | candle 90 | candle 80 | open 420000000-sell | candle 70"), &exit);
}

#[test]
fn crumbs_are_kept_and_sold_with_the_next_exit() {
    // 0.004 × 80 is below the least order of 5: no exit, and no obstacle to the next entry.
    let kept = format!("{ENTRY}; buy 0.454 @ market 480000000-buy; sell 0.458 @ market 600000000-sell");
    let commands = format!(
        "{UP} | expire 300000000-buy 0.004 | candle 90 | candle 80 | candle 110 | fill 480000000-buy | candle 90 | candle 80"
    );
    check(&commands, &kept);
}

#[test]
fn a_fee_in_base_leaves_a_crumb_below_one_lot() {
    let exit = format!("{ENTRY}; sell 0.475 @ market 420000000-sell");
    let commands = format!("{UP} | expire 300000000-buy 0.476 0.000476 | candle 90 | candle 80");
    check(&commands, &exit);
}

#[test]
fn it_does_not_add_to_what_it_holds() {
    check(&UP.replace("candle 105", "held 1 | candle 105"), "");
}

#[test]
fn no_new_risk_while_that_is_forbidden_but_exits_go_out() {
    check(&format!("risk off | {UP} | risk on | candle 110"), "");
    let exit = format!("{ENTRY}; sell 0.476 @ market 420000000-sell");
    check(&format!("{UP} | fill 300000000-buy | risk off | candle 90 | candle 80"), &exit);
}

#[test]
fn a_stale_close_is_learned_but_not_acted_on() {
    let mut desk = desk::Desk::new(StrategyKind::MaCrossover, &format!("{PARAMS} max_age_s=10"));
    let candle = |i: i64, close: i64| Candle {
        symbol: desk::instrument().symbol,
        interval: Interval::ONE_MINUTE,
        open_at: Timestamp(i * 60_000_000),
        open: nightdesk_units::Ticks(close),
        high: nightdesk_units::Ticks(close),
        low: nightdesk_units::Ticks(close),
        close: nightdesk_units::Ticks(close),
        volume: nightdesk_units::Lots(1),
        trades: 1,
    };
    let mut decided = 0;
    for (i, close) in [1_000, 990, 980, 970, 1_050].into_iter().enumerate() {
        let candle = candle(i as i64, close);
        desk.now = candle.close_at() + Micros::from_secs(11);
        decided += desk.event(Event::Candle(&candle)).len();
    }
    assert_eq!((decided, desk.strategy.is_ready()), (0, true));
}

#[test]
fn averages_that_merely_touch_do_not_trade() {
    let wide = format!("{PARAMS} min_gap_bps=100");
    desk::check(
        StrategyKind::MaCrossover,
        &wide,
        "candle 100 | candle 99 | candle 98 | candle 97 | candle 99 | candle 98 | candle 99",
        "",
    );
    desk::check(
        StrategyKind::MaCrossover,
        &wide,
        "candle 100 | candle 96 | candle 92 | candle 91.9 | candle 93 | candle 120",
        "buy 0.416 @ market 360000000-buy",
    );
}

#[test]
fn with_a_slippage_limit_orders_are_immediate_or_cancel() {
    desk::check(
        StrategyKind::MaCrossover,
        &format!("{PARAMS} max_slippage_pct=1"),
        &format!("{UP} | fill 300000000-buy | candle 90 | candle 80"),
        "buy 0.471 @ 106 ioc 300000000-buy; sell 0.471 @ 79.2 ioc 420000000-sell",
    );
}

#[test]
fn an_exponential_average_trades_too() {
    desk::check(
        StrategyKind::MaCrossover,
        "interval=1m fast=2 slow=3 order_quote=50 average=exponential",
        "past 100 | past 99 | past 98 | past 97 | past 96 | past 95 | past 94 | past 93 | past 92 | candle 105",
        "buy 0.476 @ market 600000000-buy",
    );
}

#[test]
fn a_restart_between_two_candles_changes_nothing() {
    check(&UP.replace("candle 97", "candle 97 | restart"), ENTRY);
    let mut other = MaCrossover::new(MaParams::read(&table("interval=1m fast=3 slow=9 order_quote=50")).unwrap());
    let mut desk = desk::Desk::new(StrategyKind::MaCrossover, PARAMS);
    UP.split('|').for_each(|command| drop(desk.run(command.trim())));
    other.restore(desk.strategy.save()).unwrap();
    assert!(!other.is_ready(), "other windows need a history of their own");
    let grid = StrategyKind::GridTrader.read(&table("levels=4 order_quote=50 step_pct=1")).unwrap();
    let error = grid.build().restore(desk.strategy.save()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state is one of ma-crossover, the instance runs grid-trader: give the instance a new id, or clear its state"
    );
}

#[test]
fn it_asks_for_the_history_it_needs() {
    let wants = |params: &str| {
        let wish = StrategyKind::MaCrossover.read(&table(params)).unwrap().build().wants().candles[0];
        format!("{} {}", wish.interval, wish.history)
    };
    assert_eq!(wants(PARAMS), "1m 4");
    assert_eq!(wants("interval=1s fast=2 slow=10 order_quote=50 average=exponential"), "1s 31");
}

#[test]
fn every_bad_parameter_is_named_at_once() {
    let problems = |text: &str| {
        let problems = MaParams::read(&table(text)).unwrap_err();
        problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(problems(""), "interval: missing; fast: missing; slow: missing; order_quote: missing");
    assert_eq!(
        problems(
            "interval=7m fast=0 slow=x order_quote=-1 average=median colour=red max_slippage_pct=11 max_age_s=0 min_gap_bps=0.001"
        ),
        "colour: unknown parameter; interval: cannot read \"7m\"; slow: cannot read \"x\"; average: cannot read \"median\"; \
         fast: 0 is out of range; order_quote: -1 is out of range; min_gap_bps: 0.001 is out of range; \
         max_slippage_pct: 11 is out of range; max_age_s: 0 is out of range"
    );
    assert_eq!(problems("interval=1m fast=9 slow=9 order_quote=50"), "slow: 9 is not above fast, which is 9");
    let small = MaParams::read(&table("interval=1m fast=2 slow=3 order_quote=4.9")).unwrap();
    assert_eq!(
        small.check(&instrument())[0].to_string(),
        "order_quote: 4.9 is below the least order of BTCUSDT, 5 (raise it)"
    );
}
