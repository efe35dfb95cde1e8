use super::*;
use crate::OwnOrders;
use crate::desk::{self, Desk, instrument, quote_of, show, table};

/// Levels at 80, 85, 90, 95, each selling 5 above; 50 of quote currency each.
const FIXED: &str = "levels=4 order_quote=50 lower=80 upper=100";
/// Around 100: levels at 98, 99, 100, 101, each selling 1 above.
const ANCHORED: &str = "levels=4 order_quote=50 step_pct=1 reanchor_after_s=60";
const START: &str =
    "buy 0.625 @ 80 g1-l0-c0-b0, buy 0.588 @ 85 g1-l1-c0-b0, buy 0.555 @ 90 g1-l2-c0-b0, buy 0.526 @ 95 g1-l3-c0-b0";

fn check(commands: &str, expected: &str) {
    desk::check(StrategyKind::GridTrader, FIXED, commands, expected);
}

fn check_moving(commands: &str, expected: &str) {
    desk::check(StrategyKind::GridTrader, ANCHORED, commands, expected);
}

#[test]
fn it_buys_at_every_level_below_the_market() {
    check("quote 99 99.1", START);
    check("quote 86 86.1", "buy 0.625 @ 80 g1-l0-c0-b0, buy 0.588 @ 85 g1-l1-c0-b0");
    check(
        "quote 90 90.1 | quote 89.9 90",
        "buy 0.625 @ 80 g1-l0-c0-b0, buy 0.588 @ 85 g1-l1-c0-b0, buy 0.555 @ 90 g1-l2-c0-b0",
    );
    check("quote 70 70.1", "");
}

#[test]
fn a_level_above_the_market_buys_once_the_market_has_risen_past_it() {
    check(
        "quote 86 86.1 | quote 89.9 90 | quote 90 90.1",
        "buy 0.625 @ 80 g1-l0-c0-b0, buy 0.588 @ 85 g1-l1-c0-b0; buy 0.555 @ 90 g1-l2-c0-b0",
    );
}

#[test]
fn a_filled_buy_is_sold_one_step_above_and_then_bought_again() {
    check(
        "quote 99 99.1 | fill g1-l3-c0-b0 | fill g1-l3-c0-s1",
        &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1; buy 0.526 @ 95 g1-l3-c1-b0"),
    );
}

#[test]
fn a_sale_never_asks_less_than_the_market_bids() {
    check("quote 99 99.1 | quote 104 104.1 | fill g1-l3-c0-b0", &format!("{START}; sell 0.526 @ 104.1 g1-l3-c0-s1"));
}

#[test]
fn a_fee_in_base_is_not_sold() {
    // Of 0.526 bought, 0.525 arrived: one lot less.
    check("quote 99 99.1 | cancel g1-l3-c0-b0 0.526 0.001", &format!("{START}; sell 0.525 @ 100 g1-l3-c0-s1"));
    // What is below a lot stays, and is sold when it has grown to one.
    check(
        "quote 99 99.1 | cancel g1-l3-c0-b0 0.526 0.0005 | fill g1-l3-c0-s1 | cancel g1-l3-c1-b0 0.526 0.0005",
        &format!("{START}; sell 0.525 @ 100 g1-l3-c0-s1; buy 0.526 @ 95 g1-l3-c1-b0; sell 0.526 @ 100 g1-l3-c1-s1"),
    );
}

#[test]
fn a_buy_filled_in_part_waits_until_its_selling_price_is_reached() {
    check(
        "quote 99 99.1 | open g1-l2-c0-b0 0.3 | quote 94.9 95 | quote 95 95.1 | cancel g1-l2-c0-b0 0.3",
        &format!("{START}; cancel g1-l2-c0-b0; sell 0.3 @ 95.1 g1-l2-c0-s1"),
    );
    check("quote 99 99.1 | open g1-l2-c0-b0 | quote 94.9 95 | quote 95 95.1", START);
}

#[test]
fn a_crumb_of_a_buy_is_kept_for_the_next_sale() {
    // 0.05 × 100 is an order of 5; 0.04 is not.
    check(
        "quote 99 99.1 | cancel g1-l3-c0-b0 0.04 | fill g1-l3-c0-b1",
        &format!("{START}; buy 0.526 @ 95 g1-l3-c0-b1; sell 0.566 @ 100 g1-l3-c0-s2"),
    );
}

#[test]
fn a_sale_that_ended_early_is_placed_again_for_the_rest() {
    check(
        "quote 99 99.1 | fill g1-l3-c0-b0 | cancel g1-l3-c0-s1 0.2 | fill g1-l3-c0-s2",
        &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1; sell 0.326 @ 100 g1-l3-c0-s2; buy 0.526 @ 95 g1-l3-c1-b0"),
    );
}

#[test]
fn an_order_that_came_to_nothing_is_tried_again_after_a_pause_that_doubles() {
    check(
        "quote 99 99.1 | reject g1-l3-c0-b0 | at 4.9 | quote 99 99.1 | at 5 | quote 99 99.1 | abandon g1-l3-c0-b1 \
         | at 14.9 | quote 99 99.1 | at 15 | quote 99 99.1 | open g1-l3-c0-b2 | cancel g1-l3-c0-b2 | at 20 | quote 99 99.1",
        &format!("{START}; buy 0.526 @ 95 g1-l3-c0-b1; buy 0.526 @ 95 g1-l3-c0-b2; buy 0.526 @ 95 g1-l3-c0-b3"),
    );
}

#[test]
fn a_fill_after_the_cancel_is_sold_like_any_other() {
    check(
        "quote 99 99.1 | cancel g1-l3-c0-b0 | cancel g1-l3-c0-b0 0.526 | at 5 | quote 99 99.1",
        &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1"),
    );
}

#[test]
fn no_new_risk_while_that_is_forbidden_but_sales_go_out() {
    check("risk off | quote 99 99.1 | risk on | at 1 | quote 99 99.1", START);
    check("quote 99 99.1 | risk off | fill g1-l3-c0-b0", &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1"));
}

#[test]
fn nothing_is_decided_on_a_stale_crossed_or_empty_quote() {
    check("quote 99 98 | quote 99 99 | quote 0 0", "");
    let mut desk = Desk::new(StrategyKind::GridTrader, FIXED);
    let quote = desk.quote("99", "99.1");
    desk.now = Timestamp(2_000_001);
    assert!(desk.event(Event::Quote(&quote)).is_empty());
    desk.now = Timestamp(2_000_000);
    assert_eq!(desk.event(Event::Quote(&quote)).len(), 4);
}

#[test]
fn a_fill_on_a_stale_quote_is_sold_with_the_next_one() {
    check(
        "quote 99 99.1 | at 60 | fill g1-l3-c0-b0 | quote 96 96.1",
        &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1"),
    );
}

#[test]
fn a_position_that_lags_behind_the_fill_is_waited_for() {
    let mut desk = Desk::new(StrategyKind::GridTrader, FIXED);
    desk.run("quote 99 99.1");
    desk.position = "-0.526".parse().unwrap();
    assert!(desk.run("fill g1-l3-c0-b0").is_empty());
    desk.position = "0.526".parse().unwrap();
    assert!(desk.run("quote 99 99.1").is_empty());
    desk.run("at 5");
    assert_eq!(show(&desk.run("quote 99 99.1")[0]), "sell 0.526 @ 100 g1-l3-c0-s1");
}

#[test]
fn a_restart_keeps_the_grid_and_believes_the_books() {
    check("quote 99 99.1 | restart | quote 99 99.1", START);
    check(
        "quote 99 99.1 | restart | quote 99 99.1 | fill g1-l3-c0-b0",
        &format!("{START}; sell 0.526 @ 100 g1-l3-c0-s1"),
    );
    let mut desk = Desk::new(StrategyKind::GridTrader, FIXED);
    desk.run("quote 99 99.1");
    // Its buy at level 3 filled and was sold by somebody else, and all other orders are gone.
    desk.run("open g1-l3-c0-b0 0.526");
    (desk.orders, desk.position) = (OwnOrders::default(), Qty::ZERO);
    desk.run("resync");
    let decided: Vec<String> = desk.run("quote 99 99.1").iter().map(show).collect();
    assert_eq!(
        decided.join(", "),
        "buy 0.625 @ 80 g1-l0-c0-b1, buy 0.588 @ 85 g1-l1-c0-b1, buy 0.555 @ 90 g1-l2-c0-b1, buy 0.526 @ 95 g1-l3-c0-b1"
    );
}

#[test]
fn an_anchored_grid_lies_around_the_first_quote() {
    check_moving(
        "quote 99.9 100.1",
        "buy 0.51 @ 98 g1-l0-c0-b0, buy 0.505 @ 99 g1-l1-c0-b0, buy 0.5 @ 100 g1-l2-c0-b0",
    );
}

#[test]
fn a_grid_that_holds_nothing_moves_after_the_market_has_left_for_good() {
    let start =
        "buy 0.51 @ 98 g1-l0-c0-b0, buy 0.505 @ 99 g1-l1-c0-b0, buy 0.5 @ 100 g1-l2-c0-b0; buy 0.495 @ 101 g1-l3-c0-b0";
    let cancels = "cancel g1-l0-c0-b0, cancel g1-l1-c0-b0, cancel g1-l2-c0-b0, cancel g1-l3-c0-b0";
    let gone = "cancel g1-l0-c0-b0 | cancel g1-l1-c0-b0 | cancel g1-l2-c0-b0 | cancel g1-l3-c0-b0";
    let left = "quote 99.9 100.1 | quote 103.9 104.1 | at 59 | quote 103.9 104.1";
    check_moving(left, start);
    check_moving(&format!("{left} | at 60 | quote 103.9 104.1"), &format!("{start}; {cancels}"));
    check_moving(
        &format!("{left} | at 60 | quote 103.9 104.1 | {gone}"),
        &format!(
            "{start}; {cancels}; buy 0.49 @ 102 g2-l0-c0-b0, buy 0.485 @ 103 g2-l1-c0-b0, buy 0.48 @ 104 g2-l2-c0-b0"
        )
        .replace("0.485 @ 103", "0.485 @ 103"),
    );
    // Back in time: it stays.
    check_moving(&format!("{left} | quote 101.9 102 | at 61 | quote 103.9 104.1"), start);
}

#[test]
fn a_buy_that_fills_while_the_grid_is_about_to_move_keeps_it() {
    let commands = "quote 99.9 100.1 | quote 103.9 104.1 | at 60 | quote 103.9 104.1 | fill g1-l3-c0-b0";
    let mut desk = Desk::new(StrategyKind::GridTrader, ANCHORED);
    let mut last = Vec::new();
    commands.split('|').for_each(|command| last = desk.run(command.trim()));
    assert_eq!(last.iter().map(show).collect::<Vec<_>>(), ["sell 0.495 @ 104 g1-l3-c0-s1"]);
}

#[test]
fn a_grid_that_holds_something_does_not_follow_the_market_down() {
    let fills = "fill g1-l0-c0-b0 | fill g1-l1-c0-b0 | fill g1-l2-c0-b0";
    check_moving(
        &format!("quote 99.9 100.1 | quote 90 90.1 | {fills} | at 3600 | quote 80 80.1 | at 7200 | quote 80 80.1"),
        "buy 0.51 @ 98 g1-l0-c0-b0, buy 0.505 @ 99 g1-l1-c0-b0, buy 0.5 @ 100 g1-l2-c0-b0; \
         sell 0.51 @ 99 g1-l0-c0-s1; sell 0.505 @ 100 g1-l1-c0-s1; sell 0.5 @ 101 g1-l2-c0-s1",
    );
}

#[test]
fn every_bad_parameter_is_named_at_once() {
    let problems = |text: &str| {
        let problems = GridParams::read(&table(text)).unwrap_err();
        problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(problems(""), "levels: missing; order_quote: missing; step_pct: missing, and so are lower and upper");
    assert_eq!(
        problems("levels=0 order_quote=x lower=5 step_pct=60 reanchor_after_s=0 retry_after_s=0 max_age_ms=0 depth=3"),
        "depth: unknown parameter; order_quote: cannot read \"x\"; levels: 0 is out of range; \
         step_pct: 60 is out of range; reanchor_after_s: 0 is out of range; step_pct: given beside lower or upper; \
         retry_after_s: 0 is out of range; max_age_ms: 0 is out of range"
    );
    assert_eq!(
        problems("levels=4 order_quote=50 upper=80 reanchor_after_s=5"),
        "lower: missing beside upper; reanchor_after_s: given without step_pct: a fixed grid does not move"
    );
    assert_eq!(problems("levels=4 order_quote=50 lower=80 upper=80"), "upper: 80 is not above lower, which is 80");
    let check = |text: &str| {
        let params = GridParams::read(&table(text)).unwrap();
        params.check(&instrument()).iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>()
    };
    assert_eq!(check(FIXED), Vec::<String>::new());
    assert_eq!(
        check("levels=4 order_quote=5.4 step_pct=1"),
        ["order_quote: 5.4 is not a tenth above the least order of 5"]
    );
    assert_eq!(
        check("levels=200 order_quote=50 lower=80 upper=90"),
        ["levels: 200 levels do not fit between 80 and 90"]
    );
    assert_eq!(check("levels=4 order_quote=50 lower=2000000 upper=3000000").len(), 2);
}

#[test]
fn a_quote_that_changes_nothing_decides_nothing_and_allocates_nothing() {
    let mut desk = Desk::new(StrategyKind::GridTrader, FIXED);
    desk.run("quote 99 99.1");
    let context = |desk: &Desk| (desk.orders.clone(), desk.position);
    let (orders, position) = context(&desk);
    let mut out = Vec::new();
    for i in 0..100_000 {
        let quote = quote_of(&desk, 960 + i % 60, 1);
        let now = desk.now;
        let context = Context { now, instrument: &desk.instrument, position, orders: &orders, may_add_risk: true };
        desk.strategy.on_event(Event::Quote(&quote), &context, &mut out);
    }
    assert_eq!((out.len(), out.capacity()), (0, 0));
}
