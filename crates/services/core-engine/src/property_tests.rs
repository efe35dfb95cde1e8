//! Whatever is lost, repeated or told out of order, and whenever it dies: the book is the sum of the fills, each once, and
//! in the end what the exchange has.

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_orders::{ClientOrderId, Status};
use nightdesk_store::Value;
use nightdesk_units::{Asset, Micros, Qty};
use proptest::prelude::*;

use crate::test_house::{House, id, qty};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "n", "o"];

fn command() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(NAMES.to_vec());
    let amount = || prop::sample::select(vec!["0.5", "1", "2"]);
    let price =
        |name: &str, step: i64| if name < "n" { format!("{}", 100 + step) } else { format!("10.0{}", step + 1) };
    prop_oneof![
        4 => (name(), amount(), -1..2i64).prop_map(move |(n, q, s)| format!("buy {n} {q} {}", price(n, s))),
        2 => (name(), amount()).prop_map(|(n, q)| format!("buy {n} {q} market")),
        3 => (name(), amount(), -1..2i64).prop_map(move |(n, q, s)| format!("sell {n} {q} {}", price(n, s))),
        6 => name().prop_map(|n| format!("grant {n}")),
        1 => name().prop_map(|n| format!("deny {n} budget")),
        6 => name().prop_map(|n| format!("arrive {n}")),
        6 => (name(), amount(), 0..3i64).prop_map(move |(n, q, s)| format!("execute {n} {q} {} 0.01", price(n, s))),
        1 => name().prop_map(|n| format!("gone {n}")),
        1 => name().prop_map(|n| format!("expire {n}")),
        6 => name().prop_map(|n| format!("tell {n}")),
        3 => (name(), 0..5usize).prop_map(|(n, which)| format!("tell {n} {which}")),
        3 => name().prop_map(|n| format!("known {n}")),
        1 => Just("again".to_owned()),
        1 => name().prop_map(|n| format!("doubt {n}")),
        2 => name().prop_map(|n| format!("never {n}")),
        1 => name().prop_map(|n| format!("rejected {n}")),
        2 => name().prop_map(|n| format!("drop {n}")),
        1 => name().prop_map(|n| format!("cancel {n}")),
        1 => prop::sample::select(vec!["halt fire", "halt flood", "liquidate fire"]).prop_map(str::to_owned),
        2 => Just("resume".to_owned()),
        1 => prop::sample::select(vec!["read-only on", "read-only off"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["strategy 123 stop", "strategy 123 start"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["link up", "link down", "link gap"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["reconcile", "reconcile BTCUSDT", "compare"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["transfer USDT 50", "transfer BTC 1", "transfer USDT -20"]).prop_map(str::to_owned),
        2 => (90..110i64).prop_map(|bid| format!("quote {bid} {bid}.02")),
        3 => (1..5_000i64).prop_map(|ms| format!("later {ms}")),
        3 => Just("wake".to_owned()),
        4 => Just("fresh".to_owned()),
        1 => Just("restart".to_owned()),
        1 => Just("snapshot".to_owned()),
    ]
}

struct Run {
    house: House,
    /// What was paid in and out.
    paid: BTreeMap<Asset, Qty>,
    refused: BTreeSet<String>,
}

impl Run {
    fn new() -> Self {
        let paid = BTreeMap::from([("USDT".parse().unwrap(), qty("10000"))]);
        Self { house: House::new(), paid, refused: BTreeSet::new() }
    }

    fn step(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let said = match words.as_slice() {
            ["later", ms] => {
                self.house.now = self.house.now + Micros::from_millis(ms.parse().unwrap());
                String::new()
            }
            ["resume"] => {
                let version = self.house.engine.durable.mode.version;
                self.house.run(&format!("resume {version}"))
            }
            // The connector says so only when it is so: an order that has arrived is neither absent nor refused.
            ["never", name] => {
                if self.arrived(name) || !self.house.commands.contains_key(*name) {
                    return;
                }
                self.house.run(text)
            }
            ["doubt", name] if !self.house.commands.contains_key(*name) => return,
            ["fresh"] => self.house.play("link up | quote 100 100.02 | quote ETHUSDT 10 10.02 | compare | reconcile"),
            ["rejected", name] => {
                if self.arrived(name) || !self.house.commands.contains_key(*name) {
                    return;
                }
                self.refused.insert((*name).to_owned());
                self.house.run(text)
            }
            ["arrive", name] if self.is_final_here(name) || self.refused.contains(*name) => return,
            ["transfer", asset, amount] => {
                let total = self.paid.entry(asset.parse().unwrap()).or_default();
                *total = total.add(qty(amount)).unwrap();
                self.house.run(text)
            }
            // Heard again, a transfer is another one.
            ["again"] if self.house.last_is_a_transfer() => return,
            _ => self.house.run(text),
        };
        assert!(!said.contains("quarantined"), "the exchange told nothing but the truth: {text}: {said}");
        self.check();
    }

    fn arrived(&self, name: &str) -> bool {
        self.house.exchange.contains_key(name)
    }

    /// The connector sends nothing for an order that is over.
    fn is_final_here(&self, name: &str) -> bool {
        self.house.engine.durable.orders.get(&id(name)).is_some_and(|entry| entry.order.status.is_final())
    }

    /// The balances are what was paid in and what the rows of fills say, and no fill is there twice.
    fn check(&self) {
        let portfolio = &self.house.engine.durable.portfolio;
        let mut balances = self.paid.clone();
        let mut add = |asset: &str, delta: Qty| {
            let total = balances.entry(asset.parse().unwrap()).or_default();
            *total = total.add(delta).unwrap();
        };
        for row in self.house.rows_of("fills") {
            let text = |column: usize| row[column].as_str().unwrap();
            let (price, amount, fee) = (text(6).parse::<nightdesk_units::Price>().unwrap(), qty(text(7)), qty(text(8)));
            let cash = Qty::new(price.notional(amount).unwrap().get());
            let (gained, paid) = if text(5) == "BUY" { (amount, cash.neg()) } else { (amount.neg(), cash) };
            add(&text(1)[..3], gained);
            add("USDT", paid);
            add(text(9), fee.neg());
        }
        for (asset, total) in balances {
            assert_eq!(portfolio.balance(asset), total, "{asset}");
        }
        for entry in self.house.engine.durable.orders.values() {
            let ids: BTreeSet<u64> = entry.fills.iter().copied().collect();
            assert_eq!(ids.len(), entry.fills.len(), "a fill was applied twice");
            assert!(entry.order.filled <= entry.order.spec.qty);
        }
    }

    /// The exchange's view is seen until nothing moves any more; then the book is the exchange's.
    fn settle(&mut self) {
        for text in ["link up", "compare", "reconcile", "compare", "reconcile", "wake", "compare", "reconcile"] {
            self.step(text);
        }
        for (asset, total) in self.house.balances.clone() {
            assert_eq!(self.house.engine.durable.portfolio.balance(asset), total, "{asset} at the exchange");
        }
        for (name, order) in &self.house.exchange {
            let Some(entry) = self.house.engine.durable.orders.get(&id(name)) else { continue };
            assert_eq!(entry.order.filled, order.report.filled, "{name}");
            assert_eq!(
                entry.order.status.is_final(),
                order.report.status.is_final(),
                "{name} {:?}",
                entry.order.status
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_book_is_the_sum_of_the_fills_and_in_the_end_the_exchange_s(
        commands in prop::collection::vec(command(), 1..150)
    ) {
        let mut run = Run::new();
        for text in &commands {
            run.step(text);
        }
        run.settle();
        run.house.check_replay();
    }
}

/// Every order that is not over is looked after: something is awaited, or it rests at the exchange.
#[test]
fn no_order_is_left_without_a_next_step() {
    let mut run = Run::new();
    for text in ["buy a 1 100", "buy b 1 100", "grant b", "buy c 1 100", "grant c", "arrive c", "tell c"] {
        run.step(text);
    }
    run.house.now = run.house.now + Micros::from_secs(1);
    let said = run.house.run("wake");
    let status = |name: &str| run.house.engine.durable.orders[&id(name)].order.status;
    assert_eq!([status("a"), status("b"), status("c")], [Status::Requested, Status::InDoubt, Status::Open]);
    assert_eq!(said, "[b answeroverdue], place b/1");
    let key = |id: ClientOrderId| vec![Value::from(id.as_str())];
    assert!(run.house.table.contains_key(&("orders", key(id("a")))));
}
