//! The book against a model of who really holds and owes what, with messages swapped and repeated.

use nightdesk_orders::IntentId;
use nightdesk_units::{Decimal, InstanceId, Money, Symbol, Timestamp};
use proptest::prelude::*;

use crate::rules::tests::GOOD;
use crate::{Answer, CapitalBook, CapitalRecord, Holding, Request};

/// What the engine says to the book.
#[derive(Debug, Clone, Copy)]
enum Said {
    Used(IntentId, Money, u64),
    Settled(IntentId, Money, u64),
    Held(InstanceId, Holding),
}

/// An order as it really stands.
struct Order {
    intent: IntentId,
    instance: InstanceId,
    amount: Money,
    used: Money,
}

/// What is really held, ordered and said.
struct Model {
    book: CapitalBook,
    orders: Vec<Order>,
    held: [(InstanceId, Holding); 2],
    said: Vec<Said>,
    asked: u32,
    now: Timestamp,
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

impl Model {
    fn new() -> Self {
        let held = ["123", "456"].map(|text| (text.parse().unwrap(), Holding::default()));
        let book = CapitalBook::new(serde_json::from_str(GOOD).unwrap());
        Self { book, orders: Vec::new(), held, said: Vec::new(), asked: 0, now: Timestamp(0) }
    }

    fn ask(&mut self, who: bool, cost: u32) {
        (self.asked, self.now.0) = (self.asked + 1, self.now.0 + 2_000_000);
        let instance = self.held[usize::from(who)].0;
        let intent = IntentId::derive(instance, 1, &self.asked.to_string());
        let request = Request { intent, instance, symbol: symbol(), worst_cost: Money::new(cost.into()) };
        let reply = self.book.request(&request, self.now);
        self.book.apply(&reply.record.unwrap());
        if let Answer::Granted { amount } = reply.answer {
            self.orders.push(Order { intent, instance, amount, used: Money::ZERO });
        }
    }

    fn holding(&mut self, instance: InstanceId) -> &mut Holding {
        &mut self.held.iter_mut().find(|(who, _)| *who == instance).unwrap().1
    }

    /// Part of an order fills: the order's and the position's news are said in either order.
    fn fill(&mut self, which: usize, percent: u32, swapped: bool) {
        let Some(i) = which.checked_rem(self.orders.len()) else { return };
        let order = &mut self.orders[i];
        let left = order.amount.sub(order.used).unwrap();
        let part = left.scale(Decimal::new(percent.into(), 2)).unwrap().rounded(8);
        order.used = order.used.add(part).unwrap();
        let (intent, instance, used) = (order.intent, order.instance, order.used);
        let holding = self.holding(instance);
        *holding = Holding { cost: holding.cost.add(part).unwrap(), version: holding.version + 1 };
        let holding = *holding;
        let mut news = [Said::Used(intent, used, holding.version), Said::Held(instance, holding)];
        if swapped {
            news.reverse();
        }
        news.into_iter().for_each(|said| self.say(said));
    }

    fn finish(&mut self, which: usize) {
        let Some(i) = which.checked_rem(self.orders.len()) else { return };
        let order = self.orders.swap_remove(i);
        let version = self.holding(order.instance).version;
        self.say(Said::Settled(order.intent, order.used, version));
    }

    fn sell(&mut self, who: bool, percent: u32) {
        let (instance, holding) = &mut self.held[usize::from(who)];
        let cost = holding.cost.scale(Decimal::new((100 - percent).into(), 2)).unwrap().rounded(8);
        *holding = Holding { cost, version: holding.version + 1 };
        let said = Said::Held(*instance, *holding);
        self.say(said);
    }

    fn say(&mut self, said: Said) {
        self.said.push(said);
        self.hear(said);
    }

    fn hear(&mut self, said: Said) {
        let record: Option<CapitalRecord> = match said {
            Said::Used(intent, used, version) => self.book.used(intent, used, version).unwrap(),
            Said::Settled(intent, used, version) => self.book.settle(intent, used, version).unwrap(),
            Said::Held(instance, holding) => self.book.hold(instance, symbol(), holding),
        };
        record.iter().for_each(|record| self.book.apply(record));
    }

    fn truth(&self) -> Money {
        let open = self.orders.iter().map(|order| order.amount.sub(order.used).unwrap());
        let held = self.held.iter().map(|(_, holding)| holding.cost);
        open.chain(held).fold(Money::ZERO, |sum, part| sum.add(part).unwrap())
    }
}

proptest! {
    /// Neither swapped nor repeated messages make the book forget or count twice a single unit, and the truth never exceeds
    /// the capital.
    #[test]
    fn the_book_equals_the_truth(
        steps in proptest::collection::vec((0..8u8, any::<usize>(), 1..101u32, any::<bool>()), 1..200),
    ) {
        let mut model = Model::new();
        for (what, which, size, flag) in steps {
            match what {
                0..=2 => model.ask(flag, size * 12),
                3 | 4 => model.fill(which, size, flag),
                5 => model.finish(which),
                6 => model.sell(flag, size),
                _ => {
                    if let Some(i) = which.checked_rem(model.said.len()) {
                        model.hear(model.said[i]);
                    }
                }
            }
            prop_assert_eq!(model.book.exposure(None), model.truth());
            prop_assert!(model.truth() <= model.book.rules().total);
        }
    }
}
