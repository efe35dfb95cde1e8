//! One run of a cell: with the fault alone, or with a crash at one place of the order's way.

use std::collections::BTreeMap;
use std::fmt;

use nightdesk_matching::{OrderQuery, OrderView};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Micros, Timestamp};

use super::Directed;
use super::aim::{Aim, End};
use crate::Options;
use crate::exchange::ACCOUNT;
use crate::life::{Armed, Point, name_of};
use crate::run::{Seed, caught};
use crate::settled;
use crate::setup::{START, Setup};
use crate::world::World;

/// When the order is decided on: the services have found their feet.
pub(crate) const FROM: Timestamp = Timestamp(START.0 + 45_000_000);
/// From then on it is asked whether everything is known, and how often.
const LOOK_AFTER: Micros = Micros::from_secs(6);
const LOOK_EVERY: Micros = Micros::from_secs(2);
/// By then everything must be: reconciliation has come round three times.
const KNOWN_WITHIN: Micros = Micros::from_secs(200);
/// How long the end may take.
const END_WITHIN: Micros = Micros::from_secs(120);
/// How long a process that was killed stays down.
const DOWN: Micros = Micros::from_millis(300);

/// A crash at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// At which commit.
    pub(crate) index: u64,
    /// Before or after it.
    pub(crate) point: Point,
    /// Of the one process that all services are, or of the committing service.
    pub(crate) all: bool,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.all { "all services" } else { "the committing service" };
        write!(f, "crash of {whose} {} {}", self.point.as_str(), self.index + 1)
    }
}

/// What was seen in a run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) intents: u64,
    pub(crate) given_up: u64,
    pub(crate) orders: u64,
    pub(crate) doubled: u64,
    pub(crate) fills: u64,
    pub(crate) lost: u64,
    pub(crate) wrong: u64,
    pub(crate) certain: Micros,
    pub(crate) commits: u64,
    /// The crash has found its place.
    pub(crate) struck: bool,
    pub(crate) failure: Option<String>,
}

/// Runs a cell once.
pub(crate) fn run(number: u64, end: End, aim: &Aim, one_process: bool, crash: Option<Crash>, aloud: bool) -> Seen {
    let seen = caught(|| {
        let setup = match Setup::directed(aim.wish) {
            Ok(setup) => setup,
            Err(error) => return Seen { failure: Some(error.to_string()), ..Seen::default() },
        };
        let mut seed = Seed::calm(number, Options { keep: false, aloud }, setup);
        seed.sim.lock().direct(aim, one_process, crash);
        let mut seen = if settle(&mut seed, end) { seed.sim.lock().seen() } else { seed.sim.lock().seen_of_failure() };
        let from = seed.sim.lock().now();
        if seen.failure.is_none() && seed.rest(from, from + END_WITHIN, LOOK_EVERY) {
            seed.end();
        }
        seen.failure = seen.failure.or_else(|| seed.sim.lock().violation.clone());
        seen
    });
    seen.unwrap_or_else(|panic| Seen { failure: Some(panic), ..Seen::default() })
}

/// Goes on until the fault has struck and nothing about the order is unknown any more.
fn settle(seed: &mut Seed, end: End) -> bool {
    let mut until = FROM + LOOK_AFTER;
    loop {
        if !seed.until(until) {
            return false;
        }
        let mut world = seed.sim.lock();
        let open = world.under_way(end);
        if open.is_empty() {
            return true;
        }
        if until >= FROM + KNOWN_WITHIN {
            world.violate(format!("still not known: {}", open.join("; ")));
            return false;
        }
        until = until + LOOK_EVERY;
    }
}

impl World {
    fn direct(&mut self, aim: &Aim, one_process: bool, crash: Option<Crash>) {
        self.one_process = one_process;
        self.directed = Some(Directed::new(aim.clone()));
        // The plan is the same without a crash, so that the two runs are, up to the crash.
        self.plan(FROM.since(START), "its time has come", move |world| {
            let armed = |crash: Crash| Armed {
                who: None,
                point: Some(crash.point),
                passes: crash.index,
                all: crash.all,
                until: FROM + KNOWN_WITHIN,
                down: DOWN,
            };
            world.armed.extend(crash.map(armed));
        });
    }

    /// What has not happened yet that must.
    fn under_way(&self, end: End) -> Vec<String> {
        let mut open = Vec::new();
        let Some(directed) = &self.directed else { return open };
        let mut must = |holds: bool, what: &str| {
            if !holds {
                open.push(what.to_owned());
            }
        };
        must(directed.aim.is_none(), "no placement has left");
        must(directed.on_taken.is_empty(), "no order has been taken");
        must(directed.matches == 0, "nobody has sold to it yet");
        must(directed.uncertain_since.is_none(), "the book does not know how an order stands");
        must(!self.judge.accepted.is_empty(), "no order is at the exchange");
        must(!self.judge.orders.values().any(|status| status == "requested"), "an order waits for its grant");
        must(self.lives.iter().all(Option::is_some), "a service is down");
        let resting = self.exchange.venue.open_orders(ACCOUNT, None).unwrap_or_default().len();
        match end {
            End::Resting => must(resting == 1, "the order does not rest"),
            End::Filled | End::NeverArrived => must(resting == 0, "the order has not executed"),
            // The strategy goes on wanting one, so another may rest.
            End::TakenBack => {
                must(directed.answered, "nobody has heard that the order is to be taken back");
                let open = |id: &String| matches!(self.judge.orders.get(id).map(String::as_str), Some("open"));
                must(!directed.taken_back.iter().any(open), "the order that was taken back rests");
            }
        }
        for (who, store) in self.stores.iter().enumerate() {
            must(!store.has_outbox(), &format!("{} has a message in its outbox", name_of(who)));
        }
        open.extend(settled::differences_while_resting(self));
        open
    }

    /// Our orders by the exchange's own record.
    fn record(&self) -> Vec<OrderView> {
        let venue = &self.exchange.venue;
        let every = OrderQuery { limit: usize::MAX, ..OrderQuery::default() };
        let of = |symbol| venue.all_orders(ACCOUNT, symbol, every).unwrap_or_default();
        venue.config().instruments.iter().flat_map(|instrument| of(instrument.symbol)).collect()
    }

    fn seen_of_failure(&mut self) -> Seen {
        let failure = self.violation.clone();
        Seen { failure, ..self.seen() }
    }

    fn seen(&mut self) -> Seen {
        let mut by_id: BTreeMap<ClientOrderId, u64> = BTreeMap::new();
        for order in self.record() {
            *by_id.entry(order.client_order_id).or_default() += 1;
        }
        let (mut given_up, mut failure) = (0, None);
        for (id, status) in &self.judge.orders {
            let there = by_id.keys().any(|known| known.as_str() == id);
            match (there, status.as_str()) {
                (true, _) => {}
                (false, "rejected" | "abandoned" | "canceled") => given_up += 1,
                (false, _) => failure = Some(format!("order {id} is {status} in the book and not at the exchange")),
            }
        }
        let (lost, wrong) = settled::errors(self);
        let (intents, orders) = (self.judge.orders.len() as u64, by_id.values().sum());
        let doubled = by_id.values().filter(|count| **count > 1).count() as u64;
        if orders != intents - given_up || doubled > 0 {
            failure
                .get_or_insert(format!("{orders} orders at the exchange for {intents} intents, {given_up} given up"));
        }
        let struck = self.armed.is_empty();
        self.armed.clear();
        let (certain, commits) = match &mut self.directed {
            Some(directed) => {
                directed.measures = false;
                (directed.longest, directed.commits_to_certainty)
            }
            None => (Micros(0), 0),
        };
        let fills = self.judge.fills.len() as u64;
        let (lost, wrong) = (lost as u64, wrong as u64);
        Seen { intents, given_up, orders, doubled, fills, lost, wrong, certain, commits, struck, failure }
    }
}
