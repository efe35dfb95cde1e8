use proptest::prelude::*;

use super::*;
use crate::rules::tests::GOOD;

fn rules() -> CapitalRules {
    serde_json::from_str(GOOD).unwrap()
}

fn intent(name: &str) -> IntentId {
    IntentId::derive("t".parse().unwrap(), 1, name)
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn record(book: &mut CapitalBook, record: Option<CapitalRecord>) -> String {
    match record {
        Some(record) => {
            book.apply(&record);
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<CapitalRecord>(&text).unwrap(), record, "{text}");
            "ok".to_owned()
        }
        None => "nothing".to_owned(),
    }
}

fn ask(words: &[&str]) -> Request {
    let symbol = words.get(4).unwrap_or(&"BTCUSDT").parse().unwrap();
    Request { intent: intent(words[1]), instance: words[2].parse().unwrap(), symbol, worst_cost: money(words[3]) }
}

/// Runs one command: `ask INTENT INSTANCE COST [SYMBOL]`, `adopt …`, `use INTENT SUM VERSION`, `settle …`,
/// `release INTENT`, `hold INSTANCE COST VERSION`, `observe INSTANCE|all PNL_TODAY DRAWDOWN`, `at SECONDS`.
fn run(book: &mut CapitalBook, now: &mut Timestamp, command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[0] {
        "ask" => {
            let request = ask(&words);
            let reply = book.request(&request, *now);
            let again = if reply.record.is_none() { " again" } else { "" };
            record(book, reply.record);
            match reply.answer {
                Answer::Granted { amount } => format!("granted {amount}{again}"),
                Answer::Denied { reason } => format!("{reason}{again}"),
            }
        }
        "adopt" => {
            let adopted = book.adopt(&ask(&words), *now);
            record(book, adopted)
        }
        "use" | "settle" => {
            let (intent, used, version) = (intent(words[1]), money(words[2]), words[3].parse().unwrap());
            let outcome =
                if words[0] == "use" { book.used(intent, used, version) } else { book.settle(intent, used, version) };
            outcome.map_or_else(|e| e.to_string().replace(intent.as_str(), words[1]), |r| record(book, r))
        }
        "release" => {
            let released = book.release(intent(words[1]));
            record(book, released)
        }
        "hold" => {
            let holding = Holding { cost: money(words[2]), version: words[3].parse().unwrap() };
            let held = book.hold(words[1].parse().unwrap(), "BTCUSDT".parse().unwrap(), holding);
            record(book, held)
        }
        "observe" => {
            let instance = (words[1] != "all").then(|| words[1].parse().unwrap());
            let performance =
                Performance { pnl: money(words[2]), pnl_today: money(words[2]), drawdown: words[3].parse().unwrap() };
            let observed = book.observe(instance, performance);
            record(book, observed)
        }
        "at" => {
            *now = Timestamp(words[1].parse::<i64>().unwrap() * 1_000_000);
            "ok".to_owned()
        }
        other => panic!("no command {other}"),
    }
}

/// Runs commands separated by `|` and compares the last answer and the exposure.
fn check(commands: &str, expected: &str) {
    let (mut book, mut now) = (CapitalBook::new(rules()), Timestamp(0));
    let mut last = String::new();
    for command in commands.split('|') {
        last = run(&mut book, &mut now, command.trim());
    }
    assert_eq!(format!("{last}; {} exposed", book.exposure(None)), expected, "{commands}");
    let restored = CapitalBook::restore(rules(), book.state().clone());
    assert_eq!(restored.sums.all, book.sums.all);
    let text = serde_json::to_string(book.state()).unwrap();
    assert_eq!(&serde_json::from_str::<CapitalState>(&text).unwrap(), book.state());
}

#[test]
fn a_grant_is_set_aside_and_settles_into_a_position() {
    check("ask a 123 1000", "granted 1000; 1000 exposed");
    check("ask a 123 1000 | settle a 950 1", "ok; 950 exposed");
    check("ask a 123 1000 | settle a 0 0", "ok; 0 exposed");
    check("ask a 123 1000 | release a", "ok; 0 exposed");
}

#[test]
fn asked_again_is_answered_again() {
    check("ask a 123 1000 | ask a 123 1000", "granted 1000 again; 1000 exposed");
    check("ask a 123 1000 | settle a 900 1 | ask a 123 1000", "granted 1000 again; 900 exposed");
    check("ask a 123 1001 | ask a 123 1", "order of 1001 exceeds the largest order of 1000 again; 0 exposed");
    check("ask a 123 1000 | settle a 900 1 | settle a 900 1", "nothing; 900 exposed");
    check("ask a 123 1000 | release a | release a", "nothing; 0 exposed");
    check("settle a 900 1", "no capital is set aside for intent a; 0 exposed");
    check("ask a 123 2000 | settle a 900 1", "no capital is set aside for intent a; 0 exposed");
}

#[test]
fn a_partial_fill_moves_from_the_grant_to_the_position() {
    check("ask a 123 1000 | use a 400 1", "ok; 1000 exposed");
    check("ask a 123 1000 | use a 400 1 | use a 400 1", "nothing; 1000 exposed");
    check("ask a 123 1000 | use a 400 1 | settle a 400 1", "ok; 400 exposed");
    check("ask a 123 1000 | use a 400 1 | settle a 990 2", "ok; 990 exposed");
}

#[test]
fn a_positions_report_is_the_truth_in_whatever_order_it_comes() {
    check("ask a 123 1000 | settle a 990 1 | hold 123 990 1", "nothing; 990 exposed");
    check("ask a 123 1000 | hold 123 990 1 | settle a 990 1", "ok; 990 exposed");
    check("ask a 123 1000 | settle a 990 2 | hold 123 500 1", "nothing; 990 exposed");
    check("ask a 123 1000 | settle a 990 1 | hold 123 400 2", "ok; 400 exposed");
    check("ask a 123 1000 | settle a 990 1 | hold 123 0 2 | ask b 123 1000", "granted 1000; 1000 exposed");
}

#[test]
fn an_order_found_at_the_exchange_is_adopted_whatever_the_rules_say() {
    check("adopt a 123 9000", "ok; 9000 exposed");
    check("adopt a 123 9000 | adopt a 123 9000", "nothing; 9000 exposed");
    check("adopt a 123 9000 | settle a 8999 1", "ok; 8999 exposed");
    check(
        "adopt a 123 9000 | ask b 456 1000 ETHUSDT | ask c 456 1 ETHUSDT",
        "1 exceeds the free capital: 0; 10000 exposed",
    );
    check("ask a 123 9000 | adopt a 123 9000", "ok; 9000 exposed");
}

#[test]
fn each_limit_denies_with_its_own_reason() {
    check("ask a 999 1", "strategy 999 has no capital rules; 0 exposed");
    check("ask a 123 0", "a cost of 0 cannot be allocated; 0 exposed");
    check("ask a 123 -5", "a cost of -5 cannot be allocated; 0 exposed");
    check("ask a 123 1000.01", "order of 1000.01 exceeds the largest order of 1000; 0 exposed");
    check("observe all 0 15 | ask a 123 1", "portfolio drawdown 15% has reached its limit 15%: no new risk; 0 exposed");
    check(
        "observe 123 0 10.5 | ask a 123 1",
        "drawdown 10.5% of strategy 123 has reached its limit 10%: no new risk; 0 exposed",
    );
    check("observe 123 0 10.5 | ask a 456 1", "granted 1; 1 exposed");
    check(
        "hold 123 2500 1 | ask a 123 501",
        "position of strategy 123 in BTCUSDT would reach 3001, its limit is 3000; 2500 exposed",
    );
    check(
        "hold 123 3900 1 | ask a 123 101 ETHUSDT",
        "101 exceeds what is free of strategy 123's allocation: 100; 3900 exposed",
    );
    check(
        "hold 123 3000 1 | hold 456 2900 1 | ask a 456 101",
        "position of all strategies in BTCUSDT would reach 6001, the limit is 6000; 5900 exposed",
    );
    check("observe 123 -700 5 | ask a 123 1000", "granted 1000; 1000 exposed");
    check("observe 123 -750 5 | ask a 123 600", "risk of strategy 123 would reach 810, its budget is 800; 0 exposed");
    check(
        "observe all -1950 5 | ask a 123 600",
        "risk of the portfolio would reach 2010, its budget is 2000; 0 exposed",
    );
    check(
        "ask a 123 1 | ask b 123 1 | ask c 123 1 | ask d 123 1 | ask e 123 1 | ask f 123 1",
        "strategy 123 has sent its 5 orders of this second: again in 1000000 µs; 5 exposed",
    );
}

#[test]
fn a_profit_does_not_enlarge_the_risk_budget() {
    check("observe 123 5000 0 | hold 123 3999 1 | ask a 123 1 ETHUSDT", "granted 1; 4000 exposed");
    check("observe 123 5000 0 | hold 123 8000 1 | release x", "ok; 8000 exposed");
}

#[test]
fn grants_never_expire() {
    check("ask a 123 1000 | at 1000000000 | ask b 123 1000", "granted 1000; 2000 exposed");
}

#[test]
fn memory_of_finished_intents_is_bounded() {
    let mut book = CapitalBook::new(rules());
    for i in 0..REMEMBERED + 10 {
        let mut now = Timestamp(i as i64 * 2_000_000);
        run(&mut book, &mut now, &format!("ask {i} 123 1"));
        run(&mut book, &mut now, &format!("settle {i} 0 0"));
    }
    assert_eq!((book.state.closed.len(), book.state.closing_order.len()), (REMEMBERED, REMEMBERED));
    assert!(book.answered(intent("0")).is_none() && book.answered(intent("10")).is_some());
}

#[test]
fn the_figures_of_the_dashboard() {
    let (mut book, mut now) = (CapitalBook::new(rules()), Timestamp(0));
    for command in
        ["ask a 123 1000", "settle a 800 1", "ask b 123 2000", "ask c 123 400", "observe 123 -80 2", "ask d 123 5000"]
    {
        run(&mut book, &mut now, command);
    }
    let kpis = book.kpis();
    let own = &kpis.strategies[&"123".parse().unwrap()];
    let shown = format!(
        "exposure {} granted {} risk {} of {} = {}, roi {}, rejected {}, portfolio {}",
        own.exposure,
        kpis.granted,
        own.risk,
        own.risk_budget,
        own.risk_budget_used,
        own.roi,
        own.rejection_rate,
        kpis.portfolio.risk_budget_used,
    );
    assert_eq!(shown, "exposure 1200 granted 400 risk 200 of 800 = 25%, roi -2%, rejected 50%, portfolio 6%");
}

/// A random step of a random conversation: intents overlap, repeat and come in any order.
fn step() -> impl Strategy<Value = String> {
    let (name, who) = (0..12u8, prop_oneof![Just("123"), Just("456")]);
    (0..6u8, name, who, 1..1_500u32, 0..5u32).prop_map(|(what, name, who, cost, seconds)| match what {
        0 | 1 => format!("ask {who}-{name} {who} {cost}"),
        2 => format!("use {who}-{name} {} 0", cost / 8),
        3 => format!("settle {who}-{name} {} 0", cost / 8),
        4 => format!("release {who}-{name}"),
        _ => format!("at {seconds}"),
    })
}

proptest! {
    /// Invariant I5: whatever the order of requests, uses, settlements and releases, what is set aside and held never
    /// exceeds the capital, an allocation, or a position limit. (Uses stay within grants here: an exchange that fills
    /// beyond the order is a fact that no rule prevents.)
    #[test]
    fn no_interleaving_exceeds_the_capital(steps in proptest::collection::vec(step(), 1..200)) {
        let (mut book, mut now) = (CapitalBook::new(rules()), Timestamp(0));
        let mut version = 0;
        for step in steps {
            let words: Vec<&str> = step.split_whitespace().collect();
            let text = if matches!(words[0], "use" | "settle") {
                version += 1;
                let grant = book.state.grants.get(&intent(words[1]));
                let used = grant.map_or(Money::ZERO, |g| money(words[2]).max(g.used).min(g.amount));
                format!("{} {} {used} {version}", words[0], words[1])
            } else {
                step.clone()
            };
            run(&mut book, &mut now, &text);
            let rules = rules();
            prop_assert!(book.exposure(None) <= rules.total);
            for (instance, limits) in &rules.strategies {
                prop_assert!(book.exposure(Some(*instance)) <= limits.allocation.of(rules.total).unwrap());
                let both = get(&book.sums.by_both, &(*instance, "BTCUSDT".parse().unwrap()));
                prop_assert!(both <= limits.max_position);
            }
            prop_assert!(get(&book.sums.by_symbol, &"BTCUSDT".parse().unwrap()) <= money("6000"));
            let rebuilt = Sums::of(&book.state);
            prop_assert_eq!((rebuilt.all, rebuilt.granted), (book.sums.all, book.sums.granted));
        }
    }
}
