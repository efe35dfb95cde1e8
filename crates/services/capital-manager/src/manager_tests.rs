use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use nightdesk_capital::Holding;
use nightdesk_orders::IntentId;
use nightdesk_shell::Outgoing;
use nightdesk_store::Value;
use proptest::prelude::*;

use super::*;
use crate::tables::{ALLOCATIONS, PORTFOLIO_RULES};

pub(crate) fn rules() -> CapitalRules {
    serde_json::from_str(include_str!("rules.json")).unwrap()
}

fn config() -> Config {
    Config { rules: rules(), epoch: 1 }
}

fn intent(name: &str) -> IntentId {
    IntentId::derive("t".parse().unwrap(), 1, name)
}

type Table = BTreeMap<(&'static str, Vec<Value>), Vec<Value>>;

fn collect(rows: Vec<Row>, into: &mut Table) {
    for row in rows {
        into.insert((row.table.name, row.key().to_vec()), row.values);
    }
}

/// A manager with what its shell would keep.
struct House {
    config: Config,
    manager: CapitalManager,
    journal: Vec<JournalRow>,
    snapshot: Option<(usize, String)>,
    table: Table,
    now: Timestamp,
}

impl House {
    fn new() -> Self {
        let (config, now) = (config(), Timestamp::from_millis(1_000));
        let manager = CapitalManager::new(config.clone());
        let mut house = Self { config, manager, journal: Vec::new(), snapshot: None, table: Table::new(), now };
        house.take(Input::Started);
        house
    }

    /// One turn: journals, writes rows; returns the journal's new kinds and the messages.
    fn take(&mut self, input: Input<Event>) -> (Vec<&'static str>, Vec<(Queue, Message)>) {
        let mut step = Step::default();
        self.manager.handle(&Turn { now: self.now, oldest_outbox: None }, input, &mut step);
        let kinds = step.records.iter().map(|record| record.kind).collect();
        for record in step.records {
            self.journal.push(JournalRow {
                stream: "capital-manager".to_owned(),
                version: self.journal.len() as u64 + 1,
                epoch: 1,
                at: record.at,
                kind: record.kind.to_owned(),
                body: record.body,
            });
        }
        self.write_rows();
        let messages = step.out.into_iter().map(|out| match out {
            Outgoing::Send(queue, message) => (queue, message),
            other => panic!("{other:?}"),
        });
        (kinds, messages.collect())
    }

    fn write_rows(&mut self) {
        let mut rows = Vec::new();
        self.manager.rows(&mut rows);
        collect(rows, &mut self.table);
    }

    /// Dies and comes back from its snapshot and the journal after it.
    fn restart(&mut self) {
        let before = self.manager.snapshot();
        self.manager = CapitalManager::new(self.config.clone());
        let (from, text) = self.snapshot.clone().unzip();
        self.manager.restore(text.as_deref(), &self.journal[from.unwrap_or(0)..]).unwrap();
        assert_eq!(self.manager.snapshot(), before, "what was restored is what lived");
        self.write_rows();
        self.take(Input::Started);
    }

    fn message(&mut self, message: Message) -> String {
        let (kinds, messages) = self.take(Input::Message(message));
        let answers = messages.into_iter().map(|(queue, message)| match message {
            Message::AllocationAnswer(answer) => match answer.verdict {
                Verdict::Granted => format!("{queue} granted"),
                Verdict::Denied(reason) => format!("{queue} denied: {reason}"),
            },
            other => format!("{other:?}"),
        });
        let journal = if kinds.is_empty() { "-".to_owned() } else { kinds.join("+") };
        answers.fold(journal, |text, answer| format!("{text} | {answer}"))
    }

    /// `ask INTENT INSTANCE COST`; `part|over|free INTENT INSTANCE USED COST VERSION` (`free`: without a grant);
    /// `account TODAY DRAWDOWN [INSTANCE TODAY DRAWDOWN]`; `at SECONDS`; `restart`; `snapshot`; `total AMOUNT`.
    fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let at = self.now;
        match words.as_slice() {
            ["ask", name, instance, cost] => {
                let (instance, worst_cost) = (instance.parse().unwrap(), cost.parse().unwrap());
                let symbol = "BTCUSDT".parse().unwrap();
                let request = AllocationRequest { intent_id: intent(name), instance, symbol, worst_cost, at };
                self.message(Message::AllocationRequest(request))
            }
            [how @ ("part" | "over" | "free"), name, instance, used, cost, version] => {
                let holding = Holding { cost: cost.parse().unwrap(), version: version.parse().unwrap() };
                self.message(Message::AllocationSettled(AllocationSettled {
                    intent_id: intent(name),
                    instance: instance.parse().unwrap(),
                    symbol: "BTCUSDT".parse().unwrap(),
                    granted: *how != "free",
                    over: *how != "part",
                    used: used.parse().unwrap(),
                    holding,
                    at,
                }))
            }
            ["account", figures @ ..] => {
                let of = |today: &str, drawdown: &str| {
                    let pnl: Money = today.parse().unwrap();
                    Performance { pnl, pnl_today: pnl, drawdown: drawdown.parse().unwrap() }
                };
                let strategies = match figures {
                    [_, _, instance, today, drawdown] => vec![(instance.parse().unwrap(), of(today, drawdown))],
                    _ => Vec::new(),
                };
                let equity = "10000".parse().unwrap();
                let portfolio = of(figures[0], figures[1]);
                self.message(Message::AccountView(AccountView { portfolio, strategies, equity, at }))
            }
            ["at", seconds] => {
                self.now = Timestamp::from_millis((seconds.parse::<f64>().unwrap() * 1_000.0) as i64);
                String::new()
            }
            ["restart"] => {
                self.restart();
                String::new()
            }
            ["snapshot"] => {
                self.snapshot = Some((self.journal.len(), self.manager.snapshot()));
                String::new()
            }
            ["total", amount] => {
                self.config.rules.total = amount.parse().unwrap();
                self.restart();
                self.journal.last().map(|row| row.kind.clone()).unwrap_or_default()
            }
            other => panic!("{other:?}"),
        }
    }

    fn rows_of(&self, table: &'static str) -> Vec<&Vec<Value>> {
        self.table.iter().filter(|((name, _), _)| *name == table).map(|(_, values)| values).collect()
    }
}

fn check(commands: &str, expected: &Expect) {
    let mut house = House::new();
    let said = commands.split('\n').map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = said
        .map(|line| (line, house.run(line)))
        .filter(|(_, said)| !said.is_empty())
        .map(|(line, said)| format!("{line}: {said}"))
        .collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
    house.restart();
}

#[test]
fn an_intent_is_granted_once_and_used_settled_and_released() {
    check(
        "ask a 123 500
         ask a 123 500
         part a 123 200 200 1
         part a 123 200 200 1
         over a 123 480 480 2
         over a 123 480 480 2
         ask a 123 500
         ask b 123 300
         over b 123 0 480 2
         over b 123 0 480 2",
        &expect![[r#"
            ask a 123 500: granted | core granted
            ask a 123 500: - | core granted
            part a 123 200 200 1: used
            part a 123 200 200 1: -
            over a 123 480 480 2: settled
            over a 123 480 480 2: -
            ask a 123 500: - | core granted
            ask b 123 300: granted | core granted
            over b 123 0 480 2: released
            over b 123 0 480 2: -
        "#]],
    );
}

/// Found by the simulator's seed 448: the request is lost, the strategy takes the order back, and the word of its end
/// overtakes the request that is said again.
#[test]
fn a_request_that_comes_after_its_orders_end_sets_nothing_aside() {
    check(
        "over a 123 0 0 1
         over a 123 0 0 1
         restart
         ask a 123 500
         ask b 123 1000",
        &expect![[r#"
            over a 123 0 0 1: released+held
            over a 123 0 0 1: -
            ask a 123 500: - | core denied: the order was over before it asked for capital
            ask b 123 1000: granted | core granted
        "#]],
    );
}

#[test]
fn a_denial_is_journaled_once_and_repeated_with_its_reason() {
    check(
        "ask a 123 1001
         ask a 123 10
         ask b 999 10",
        &expect![[r#"
            ask a 123 1001: denied | core denied: order of 1001 exceeds the largest order of 1000
            ask a 123 10: - | core denied: order of 1001 exceeds the largest order of 1000
            ask b 999 10: denied | core denied: strategy 999 has no capital rules
        "#]],
    );
}

#[test]
fn a_sale_without_a_grant_only_moves_what_is_held() {
    check(
        "ask a 123 500
         over a 123 500 500 1
         free s 123 0 100 2
         part unknown 123 50 100 2
         part unknown 123 50 150 3
         free s 123 0 100 2",
        &expect![[r#"
            ask a 123 500: granted | core granted
            over a 123 500 500 1: settled
            free s 123 0 100 2: held
            part unknown 123 50 100 2: -
            part unknown 123 50 150 3: held
            free s 123 0 100 2: -
        "#]],
    );
}

#[test]
fn performance_is_journaled_where_it_decides_and_hourly() {
    check(
        "account 0 0
         account -10 1
         at 1.5
         account -20 2 123 -20 2
         ask a 123 100
         ask b 123 100
         account -30 3 123 -30 3
         ask c 123 100
         at 4
         ask d 123 100
         account -30 16
         ask e 123 100
         account -30 16
         account -30 14
         at 3605
         account -40 14
         account -50 14",
        &expect![[r#"
            account 0 0: -
            account -10 1: observed
            account -20 2 123 -20 2: observed
            ask a 123 100: granted | core granted
            ask b 123 100: granted | core granted
            account -30 3 123 -30 3: -
            ask c 123 100: granted | core granted
            ask d 123 100: observed+observed+granted | core granted
            account -30 16: observed
            ask e 123 100: denied | core denied: portfolio drawdown 16% has reached its limit 15%: no new risk
            account -30 16: -
            account -30 14: observed
            account -40 14: observed
            account -50 14: -
        "#]],
    );
}

#[test]
fn a_drawdown_at_its_limit_still_denies_after_a_restart() {
    check(
        "account 0 0 123 -100 10
         restart
         ask a 123 100
         account 0 0 123 0 9.9
         restart
         ask b 123 100",
        &expect![[r#"
            account 0 0 123 -100 10: observed
            ask a 123 100: denied | core denied: drawdown 10% of strategy 123 has reached its limit 10%: no new risk
            account 0 0 123 0 9.9: observed
            ask b 123 100: granted | core granted
        "#]],
    );
}

#[test]
fn a_restart_from_a_snapshot_forgets_nothing() {
    check(
        "ask a 123 500
         part a 123 200 200 1
         snapshot
         ask b 456 700
         restart
         ask a 123 500
         ask b 456 700
         over a 123 300 300 2
         restart
         over a 123 300 300 2",
        &expect![[r#"
            ask a 123 500: granted | core granted
            part a 123 200 200 1: used
            ask b 456 700: granted | core granted
            ask a 123 500: - | core granted
            ask b 456 700: - | core granted
            over a 123 300 300 2: settled
            over a 123 300 300 2: -
        "#]],
    );
}

#[test]
fn new_rules_are_journaled_at_the_start_and_hold_from_then_on() {
    let mut house = House::new();
    assert_eq!(house.journal.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["rules"]);
    house.run("ask a 123 900");
    house.restart();
    assert_eq!(house.journal.len(), 2, "the same rules are no news");
    assert_eq!(house.run("total 2000"), "rules");
    assert_eq!(house.manager.ledger.book().rules().total, "2000".parse().unwrap());
    // 40 % of 2000 are 800: less than what is granted already.
    let said = house.run("ask b 123 10");
    assert!(said.contains("free of strategy 123's allocation: -100"), "{said}");
    let total = &house.table[&(PORTFOLIO_RULES.name, vec![Value::from("total")])];
    assert_eq!(total[1], Value::from("2000"));
}

#[test]
fn rows_say_what_became_of_each_allocation() {
    let mut house = House::new();
    for command in
        ["ask a 123 500", "part a 123 200 200 1", "ask b 123 5000", "ask c 456 50", "at 9", "over c 456 0 0 0"]
    {
        house.run(command);
    }
    let mut lines: Vec<String> = house
        .rows_of(ALLOCATIONS.name)
        .iter()
        .map(|row| {
            row[1..]
                .iter()
                .map(|v| v.as_str().map_or_else(|| format!("{v:?}"), str::to_owned))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    lines.sort_unstable();
    expect![[r#"
        123 BTCUSDT 500 200 granted Null Int(1000000) Int(1000000)
        123 BTCUSDT 5000 0 denied order of 5000 exceeds the largest order of 1000 Int(1000000) Int(1000000)
        456 BTCUSDT 50 0 released Null Int(1000000) Int(9000000)"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn questions_are_answered_also_while_the_store_takes_no_writes() {
    let mut house = House::new();
    house.run("ask a 123 500");
    house.run("ask b 123 100");
    house.run("account -100 1");
    house.run("account -300 3");
    let heard: Arc<Mutex<Vec<View>>> = Arc::default();
    let ask = |query| {
        let heard = Arc::clone(&heard);
        Input::Event(Event::Query(query, Box::new(move |view| heard.lock().unwrap().push(view))))
    };
    house.take(ask(Query::Kpis));
    house.take(ask(Query::Open { after: None, limit: 1 }));
    let turn = Turn { now: house.now, oldest_outbox: None };
    house.manager.emergency(&turn, ask(Query::Rules), &mut Step::default());
    let heard = heard.lock().unwrap();
    let View::Kpis(kpis) = &heard[0] else { panic!("{heard:?}") };
    // Ten per cent of 600 and the day's loss as last heard, though not journaled, of a budget of 2000.
    assert_eq!(
        (kpis.portfolio.risk.to_string().as_str(), kpis.portfolio.risk_budget_used.to_string().as_str()),
        ("360", "18%")
    );
    assert_eq!(kpis.portfolio.roi.to_string(), "-3%");
    assert_eq!(kpis.strategies[&"123".parse().unwrap()].tally.granted, 2);
    let View::Open(open) = &heard[1] else { panic!("{heard:?}") };
    assert_eq!(open.len(), 1);
    assert_eq!(heard[2], View::Rules(rules()));
    let after = Some(open[0].intent_id);
    assert!(matches!(house.manager.view(Query::Open { after, limit: 9 }), View::Open(rest) if rest.len() == 1));
    assert_eq!(house.journal.len(), 4, "questions leave no trace");
}

#[test]
fn a_view_that_comes_after_a_newer_one_is_not_believed() {
    check(
        "at 10
         account 0 16
         at 9
         account 0 0
         ask a 123 100
         at 10
         account 0 0
         ask b 123 100",
        &expect![[r#"
            account 0 16: observed
            account 0 0: -
            ask a 123 100: denied | core denied: portfolio drawdown 16% has reached its limit 15%: no new risk
            account 0 0: observed
            ask b 123 100: granted | core granted
        "#]],
    );
}

#[test]
fn what_is_not_for_it_is_ignored() {
    let mut house = House::new();
    let symbol = "BTCUSDT".parse().unwrap();
    let client_order_id = "x".parse().unwrap();
    let resolve = nightdesk_wire::Resolve { symbol, client_order_id, exchange_order_id: None };
    assert_eq!(house.message(Message::Resolve(resolve)), "-");
    assert_eq!(house.take(Input::Wakeup).0.len(), 0);
    assert_eq!(
        (house.manager.next_wakeup(), house.manager.name(), house.manager.epoch()),
        (None, "capital-manager", 1)
    );
}

#[test]
fn a_damaged_history_is_refused_by_its_place() {
    let row = |kind: &str, body: &str| JournalRow {
        stream: "capital-manager".to_owned(),
        version: 7,
        epoch: 1,
        at: Timestamp(0),
        kind: kind.to_owned(),
        body: body.to_owned(),
    };
    for (kind, body) in [("granted", "{}"), ("rules", "[]"), ("used", "not json")] {
        let error = replay_rows(config(), &[row(kind, body)]).unwrap_err().to_string();
        assert!(error.contains(&format!("fact 7 ({kind}) of capital-manager")), "{error}");
    }
    let error = CapitalManager::new(config()).restore(Some("{"), &[]).unwrap_err().to_string();
    assert!(error.contains("snapshot"), "{error}");
}

#[test]
fn every_row_fits_its_table() {
    let mut house = House::new();
    for command in ["ask a 123 500", "ask b 123 5000", "total 9000"] {
        house.run(command);
    }
    let mut rows = Vec::new();
    house.restart();
    rows.extend(replay_rows(config(), &house.journal).unwrap());
    let batch = nightdesk_store::Batch { rows, ..Default::default() };
    assert_eq!(nightdesk_store::limits::check(&batch, "test"), Ok(()));
    assert_eq!(crate::SCHEMA.tables.len(), 2);
}

fn commands() -> impl Strategy<Value = String> {
    let name = 0..12u8;
    prop_oneof![
        6 => (name.clone(), 0..3u8, 1..1_200u32)
            .prop_map(|(n, i, cost)| format!("ask n{n} {} {cost}", ["123", "456", "999"][usize::from(i)])),
        6 => (name, 0..3u8, 0..2u8, 0..600u32, 0..3_000u32, 0..40u32).prop_map(|(n, how, i, used, cost, version)| {
            let how = ["part", "over", "free"][usize::from(how)];
            format!("{how} n{n} {} {used} {cost} {version}", ["123", "456"][usize::from(i)])
        }),
        3 => (-900..900i32, 0..20u32, -900..900i32, 0..14u32)
            .prop_map(|(a, b, c, d)| format!("account {a} {b} 123 {c} {d}")),
        3 => (0..9_000u32).prop_map(|s| format!("at {s}")),
        1 => Just("restart".to_owned()),
        1 => Just("snapshot".to_owned()),
        1 => (8_000..20_000u32).prop_map(|total| format!("total {total}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn live_state_and_rows_are_those_of_a_replay(commands in prop::collection::vec(commands(), 1..60), twice in any::<bool>()) {
        let mut house = House::new();
        let mut answers: BTreeMap<String, String> = BTreeMap::new();
        for command in &commands {
            let said = house.run(command);
            if command.starts_with("ask") {
                let name = command.split(' ').nth(1).unwrap().to_owned();
                let answer = said.split_once('|').unwrap().1.to_owned();
                let first = answers.entry(name).or_insert_with(|| answer.clone());
                prop_assert_eq!(&*first, &answer, "{}", command);
            }
            if twice && !command.starts_with("total") {
                let facts = house.journal.len();
                let again = house.run(command);
                prop_assert!(again.is_empty() || again.starts_with('-'), "{} again: {}", command, again);
                prop_assert_eq!(house.journal.len(), facts);
            }
        }
        let mut replayed = CapitalManager::new(config());
        replayed.restore(None, &house.journal).unwrap();
        prop_assert_eq!(replayed.snapshot(), house.manager.snapshot());
        let mut table = Table::new();
        collect(replay_rows(config(), &house.journal).unwrap(), &mut table);
        prop_assert_eq!(table, house.table);
    }

    #[test]
    fn what_is_granted_never_exceeds_the_capital(commands in prop::collection::vec(commands(), 1..60)) {
        let mut house = House::new();
        for command in commands.iter().filter(|command| command.starts_with("ask")) {
            let at = house.now + Micros::from_secs(1);
            house.now = at;
            house.run(command);
            let book = house.manager.ledger.book();
            prop_assert!(book.exposure(None) <= book.rules().total);
        }
    }
}
