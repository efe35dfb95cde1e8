//! I2: whatever comes, in whatever order, however often, and whenever it dies, one intent becomes at most one order.

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_exchange::{ClockOffset, ExchangeError, LimitUsage, Placed, Window};
use nightdesk_orders::{ClientOrderId, ExchangeStatus};
use nightdesk_shell::{Input, Outgoing};
use nightdesk_units::{Micros, Timestamp};
use nightdesk_wire::{Message, OutcomeKind};
use proptest::prelude::*;

use crate::attempt::Fact;
use crate::test_house::{Done, House, command, id, mode, report};
use crate::{Effect, Event};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn name_of(wanted: ClientOrderId) -> &'static str {
    NAMES.into_iter().find(|name| id(name) == wanted).unwrap()
}

/// Remembers what was placed and what was proven absent, and objects.
#[derive(Default)]
struct Judge {
    placed: BTreeSet<(ClientOrderId, u32)>,
    absent: BTreeSet<(ClientOrderId, u32)>,
}

impl Judge {
    fn see(&mut self, done: &Done) {
        for fact in &done.facts {
            match fact {
                Fact::Absent { id, attempt, .. } => drop(self.absent.insert((*id, *attempt))),
                Fact::Refused { command, .. } => {
                    let of = (command.order.client_order_id, command.attempt);
                    assert!(!self.placed.contains(&of), "a placement that has left was refused");
                    self.absent.insert(of);
                }
                _ => {}
            }
        }
        for effect in &done.effects {
            let Effect::Place { order, attempt, .. } = effect else { continue };
            let of = (order.client_order_id, *attempt);
            assert!(self.placed.insert(of), "attempt {attempt} was placed twice");
            assert!(!self.absent.contains(&of), "attempt {attempt} was placed after it was refused");
            let before = (of.0, attempt - 1);
            assert!(
                *attempt == 1 || self.absent.contains(&before),
                "attempt {attempt} came before the last was absent"
            );
        }
    }
}

fn any_command() -> impl Strategy<Value = String> {
    let name = prop::sample::select(NAMES.to_vec());
    let status = prop::sample::select(vec!["open", "partial", "filled", "canceled", "lost", "refused", "retry 300"]);
    let answer = prop::sample::select(vec!["open", "filled", "canceled", "none", "lost", "retry 300"]);
    prop_oneof![
        4 => (name.clone(), 1..4u32).prop_map(|(name, attempt)| format!("place {name}/{attempt}")),
        1 => (name.clone(), 1..4u32).prop_map(|(name, attempt)| format!("reduce {name}/{attempt}")),
        1 => (name.clone(), 1..4u32).prop_map(|(name, attempt)| format!("cancel {name}/{attempt}")),
        4 => name.clone().prop_map(|name| format!("admitted {name}")),
        3 => (name.clone(), 1..4u32, status).prop_map(|(name, attempt, how)| format!("placed {name}/{attempt} {how}")),
        1 => name.clone().prop_map(|name| format!("placed {name} duplicate")),
        4 => (name.clone(), answer).prop_map(|(name, how)| format!("queried {name} {how}")),
        1 => name.clone().prop_map(|name| format!("canceled {name} canceled")),
        1 => name.clone().prop_map(|name| format!("canceled {name} refused")),
        1 => name.clone().prop_map(|name| format!("report {name} open")),
        1 => name.prop_map(|name| format!("report {name} filled")),
        2 => Just("mode normal".to_owned()),
        1 => Just("mode halted".to_owned()),
        3 => Just("wake".to_owned()),
        1 => Just("restart".to_owned()),
        1 => Just("snapshot".to_owned()),
        3 => (1..3_000i64).prop_map(|ms| format!("later {ms}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_placement_leaves_twice_and_none_before_the_one_before_is_absent(
        commands in prop::collection::vec(any_command(), 1..120)
    ) {
        let (mut house, mut judge) = (House::new(), Judge::default());
        for text in commands {
            match text.split_once(' ') {
                Some(("later", ms)) => house.now = house.now + Micros::from_millis(ms.parse().unwrap()),
                _ => {
                    let done = house.perform(&text);
                    judge.see(&done);
                }
            }
        }
        house.restart();
    }
}

/// An effect under way, or a placement's answer.
enum Under {
    Admit(ClientOrderId),
    Place {
        id: ClientOrderId,
        attempt: u32,
        request: usize,
    },
    /// `seen` is what the exchange saw when it looked; it may look late, and its answer may take its time.
    Query {
        id: ClientOrderId,
        asked_at: Timestamp,
        seen: Option<Option<ExchangeStatus>>,
    },
    Cancel {
        id: ClientOrderId,
    },
}

/// A placement's request in the network.
struct Request {
    id: ClientOrderId,
    window: Window,
    arrived: Option<bool>,
}

/// An exchange that tells the truth, a network that loses and delays, and a core-engine that wants one order of each.
struct World {
    house: House,
    judge: Judge,
    under: Vec<Under>,
    requests: Vec<Request>,
    /// What the exchange accepted, by id: more than one is what must never be.
    orders: BTreeMap<ClientOrderId, Vec<ExchangeStatus>>,
    /// The attempt that core-engine is at, and whether it wants the order gone.
    wanted: BTreeMap<&'static str, (u32, bool)>,
}

impl World {
    fn new() -> Self {
        let wanted = NAMES.into_iter().map(|name| (name, (1, false))).collect();
        let mut world = Self {
            house: House::new(),
            judge: Judge::default(),
            under: Vec::new(),
            requests: Vec::new(),
            orders: BTreeMap::new(),
            wanted,
        };
        world.tell(Input::Message(Message::Mode(mode("normal", 1))));
        world
    }

    fn tell(&mut self, input: Input<Event>) {
        let done = self.house.take(input);
        self.settle(done);
    }

    fn settle(&mut self, done: Done) {
        self.judge.see(&done);
        for out in &done.out {
            let (Outgoing::Send(_, message) | Outgoing::Notify(_, message)) = out else { continue };
            let Message::Outcome(outcome) = message else { continue };
            let wanted = self.wanted.get_mut(name_of(outcome.client_order_id)).unwrap();
            if matches!(outcome.kind, OutcomeKind::NeverArrived { .. }) && outcome.attempt == wanted.0 && !wanted.1 {
                wanted.0 += 1;
            }
        }
        for effect in done.effects {
            match effect {
                Effect::Admit { id, .. } => self.under.push(Under::Admit(id)),
                Effect::Place { order, attempt, window } => {
                    let (id, request) = (order.client_order_id, self.requests.len());
                    self.requests.push(Request { id, window, arrived: None });
                    self.under.push(Under::Place { id, attempt, request });
                }
                Effect::Query { id, .. } => self.under.push(Under::Query { id, asked_at: self.house.now, seen: None }),
                Effect::Cancel { id, .. } => self.under.push(Under::Cancel { id }),
                _ => {}
            }
        }
    }

    /// A request reaches the exchange, which refuses it outside its window or beside an open order of the same id, and
    /// otherwise takes it: also beside one that is over.
    fn arrive(&mut self, index: usize) {
        let now = self.house.now;
        let Some(request) = self.requests.get_mut(index).filter(|request| request.arrived.is_none()) else { return };
        let known = self.orders.entry(request.id).or_default();
        let open = known.contains(&ExchangeStatus::New);
        let good = now <= request.window.end() && !open;
        request.arrived = Some(good);
        if good {
            known.push(ExchangeStatus::New);
            assert_eq!(known.len(), 1, "two orders for one intent");
        }
    }

    fn finish(&mut self, index: usize, lost: bool) {
        let in_doubt = || ExchangeError::InDoubt { reason: "lost".to_owned() };
        let refused = |code| ExchangeError::Rejected { code, reason: "no".to_owned() };
        let event = match self.under.swap_remove(index) {
            Under::Admit(id) => Event::Admitted { id, offset: ClockOffset::default(), limits: LimitUsage::default() },
            Under::Place { id, attempt, request } => {
                let result = match self.requests[request].arrived {
                    Some(true) if !lost => {
                        let status = self.orders[&id][0];
                        Ok(Placed { order: report(name_of(id), status), fills: Vec::new() })
                    }
                    Some(false) if !lost => Err(refused(-1021)),
                    _ => Err(in_doubt()),
                };
                Event::Placed { id, attempt, result }
            }
            Under::Query { id, asked_at, seen } => {
                let result = match seen.unwrap_or_else(|| self.status(id)) {
                    _ if lost => Err(in_doubt()),
                    Some(status) => Ok((report(name_of(id), status), Vec::new())),
                    None => Err(refused(-2013)),
                };
                Event::Queried { id, asked_at, result }
            }
            Under::Cancel { id } => {
                let open = self.orders.get_mut(&id).and_then(|known| known.first_mut());
                let result = match open {
                    Some(status @ ExchangeStatus::New) => {
                        *status = ExchangeStatus::Canceled;
                        Ok(report(name_of(id), ExchangeStatus::Canceled))
                    }
                    _ => Err(refused(-2011)),
                };
                Event::Canceled { id, result: if lost { Err(in_doubt()) } else { result } }
            }
        };
        self.tell(Input::Event(event));
    }

    /// The exchange looks at what it is asked, some time after the question has left.
    fn look(&mut self, index: usize) {
        if let Under::Query { id, .. } = self.under[index] {
            let status = self.status(id);
            if let Under::Query { seen, .. } = &mut self.under[index] {
                seen.get_or_insert(status);
            }
        }
    }

    fn status(&self, id: ClientOrderId) -> Option<ExchangeStatus> {
        self.orders.get(&id).and_then(|known| known.first().copied())
    }

    fn step(&mut self, (kind, which, lost): (u8, usize, bool)) {
        let name = NAMES[which % NAMES.len()];
        let under = (!self.under.is_empty()).then(|| which % self.under.len().max(1));
        match kind {
            0 | 1 => {
                let (attempt, gone) = self.wanted[name];
                self.tell(Input::Message(Message::Command(command(name, attempt, false, gone))));
            }
            2 => drop(under.map(|index| self.finish(index, lost))),
            3 => drop(under.map(|index| self.look(index))),
            4 | 5 => {
                if !self.requests.is_empty() {
                    self.arrive(which % self.requests.len());
                }
            }
            6 => {
                self.house.now = self.house.now + Micros::from_millis(i64::try_from(which % 1_500).unwrap());
                self.tell(Input::Wakeup);
            }
            7 => {
                // Whatever was under way is lost, except what is in the network.
                self.under.clear();
                let done = self.house.restart();
                self.settle(done);
            }
            8 => {
                let over = self.orders.get_mut(&id(name)).and_then(|known| known.first_mut());
                if let Some(status @ ExchangeStatus::New) = over {
                    *status = ExchangeStatus::Filled;
                    if !lost {
                        let event = nightdesk_exchange::ExchangeEvent::Report(report(name, ExchangeStatus::Filled));
                        self.tell(Input::Event(Event::Exchange(event)));
                    }
                }
            }
            _ => self.wanted.get_mut(name).unwrap().1 = lost,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn an_exchange_that_accepts_an_id_twice_is_never_given_it_twice(
        steps in prop::collection::vec((0..10u8, 0..10_000usize, any::<bool>()), 1..200)
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.house.restart();
    }
}
