//! One seed from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nightdesk_env::VirtualClock;
use nightdesk_units::{Micros, Timestamp};

use crate::agenda::Agenda;
use crate::bus::BusState;
use crate::chance::Chance;
use crate::coverage::{Coverage, Kind};
use crate::emergency::EmergencyState;
use crate::exchange::ExchangeState;
use crate::faults::Weather;
use crate::house::House;
use crate::judge::Judge;
use crate::life::FIRST_WORKER;
use crate::operator::OperatorState;
use crate::settled;
use crate::setup::{START, Setup, SetupError};
use crate::store::StoreState;
use crate::trace::Trace;
use crate::world::{Call, Chances, Sim, World};

/// Trouble begins, when the services have found their feet.
const FAULTS_FROM: Micros = Micros::from_secs(60);
/// Trouble ends.
const HEAL_AT: Micros = Micros::from_secs(57 * 60);
/// From here on everything must be at rest soon.
const REST_FROM: Micros = Micros::from_secs(60 * 60);
/// By then it must be.
const REST_BY: Micros = Micros::from_secs(66 * 60);
/// How often the operator makes for rest, and looks whether it has come.
const LOOK_EVERY: Micros = Micros::from_secs(20);
/// Every so many seeds modes change in quick succession while their messages are late.
const DRILL_EACH: u64 = 25;
/// More polls than this at one instant are a circle.
const POLLS_MAX: u64 = 200_000;
/// How long a shell may take to end in good order.
const END_WITHIN: Micros = Micros::from_secs(30);

/// How a seed is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keep the last events.
    pub keep: bool,
    /// Print every event.
    pub aloud: bool,
}

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// What must not be, if it was.
    pub violation: Option<String>,
    /// The hash over everything that happened.
    pub hash: u64,
    /// Events in the trace.
    pub events: u64,
    /// Faults done.
    pub faults: u64,
    /// Orders accepted by the exchange.
    pub orders: usize,
    /// Executions of ours.
    pub fills: usize,
    /// Simulated time.
    pub simulated: Micros,
    /// What was touched.
    pub coverage: Coverage,
    /// The last events, if they were kept.
    pub lines: Vec<String>,
}

/// Runs one seed; a panic is a violation like any other.
#[must_use]
pub fn run(seed: u64, options: Options) -> Outcome {
    let failed = |violation: String| Outcome {
        seed,
        violation: Some(violation),
        hash: 0,
        events: 0,
        faults: 0,
        orders: 0,
        fills: 0,
        simulated: Micros(0),
        coverage: Coverage::default(),
        lines: Vec::new(),
    };
    match caught(|| Seed::new(seed, options).map(Seed::run)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => failed(error.to_string()),
        Err(panic) => failed(panic),
    }
}

/// What `work` returns, or what it said in its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    })
}

/// A seed under way.
pub(crate) struct Seed {
    number: u64,
    pub(crate) sim: Sim,
    house: House,
    clock: VirtualClock,
    polled: (Timestamp, u64),
}

impl Seed {
    /// A seed's own troubles and its operator.
    fn new(number: u64, options: Options) -> Result<Self, SetupError> {
        let seed = Self::calm(number, options, Setup::new()?);
        let mut world = seed.sim.lock();
        world.plan_faults(START + FAULTS_FROM, START + HEAL_AT);
        world.operate();
        if number.is_multiple_of(DRILL_EACH) {
            world.drill_modes(FAULTS_FROM, HEAL_AT);
        }
        world.plan(HEAL_AT, "heal", World::heal);
        drop(world);
        Ok(seed)
    }

    /// The whole system, to which nothing is done.
    pub(crate) fn calm(number: u64, options: Options, setup: Setup) -> Self {
        let root = Chance::new(number);
        let chance = Chances::new(&root);
        let clock = VirtualClock::new(START);
        let services = FIRST_WORKER + setup.trading.workers.len();
        let instances = setup.trading.workers.iter().map(|worker| worker.instance).collect();
        let mut world = World {
            clock: clock.clone(),
            agenda: Agenda::default(),
            trace: Trace::new(options.keep, options.aloud),
            cover: Coverage::default(),
            lives: vec![None; services],
            calls: (0..services).map(Call::Start).collect(),
            armed: Vec::new(),
            frozen: std::collections::BTreeMap::new(),
            one_process: chance.fault.hits(350),
            weather: Weather::default(),
            bus: BusState::default(),
            stores: (0..services).map(StoreState::new).collect(),
            emergency: EmergencyState::default(),
            exchange: ExchangeState::new(&setup.instruments, &setup.prices, setup.flow, &chance.stream, START),
            operator: OperatorState::new(instances),
            judge: Judge::new(setup.trading.rules.clone()),
            directed: None,
            violation: None,
            chance,
        };
        world.open_exchange(&setup.deposits);
        let sim = Sim::new(world);
        let house = House::new(sim.clone(), setup, &root);
        Self { number, sim, house, clock, polled: (START, 0) }
    }

    fn run(mut self) -> Outcome {
        if self.until(START + REST_FROM) && self.rest(START + REST_FROM, START + REST_BY, LOOK_EVERY) {
            self.end();
        }
        self.outcome()
    }

    /// Goes on until `end`; false when something must not be.
    pub(crate) fn until(&mut self, end: Timestamp) -> bool {
        loop {
            self.house.serve();
            if self.sim.lock().violation.is_some() {
                return false;
            }
            if self.house.step() {
                self.mind_circles();
                continue;
            }
            let asleep = self.clock.next_wakeup();
            let planned = self.sim.lock().agenda.next_at();
            let Some(next) = [asleep, planned].into_iter().flatten().min().filter(|next| *next <= end) else {
                self.clock.advance_to(end);
                return true;
            };
            if asleep == Some(next) {
                self.clock.wake_next(next);
                continue;
            }
            self.clock.advance_to(next);
            let mut world = self.sim.lock();
            if let Some((what, happening)) = world.agenda.pop() {
                world.note(what, 0, String::new);
                happening(&mut world);
            }
        }
    }

    fn mind_circles(&mut self) {
        let mut world = self.sim.lock();
        let now = world.now();
        if self.polled.0 != now {
            self.polled = (now, self.house.polls());
        } else if self.house.polls() - self.polled.1 > POLLS_MAX {
            world.violate("the services go round in a circle without time passing".to_owned());
        }
    }

    /// Waits until nothing is under way and the books agree: from `from` on, looking now and then, at the latest at `by`.
    pub(crate) fn rest(&mut self, from: Timestamp, by: Timestamp, every: Micros) -> bool {
        let stuck = settled::unanswered(&self.sim.lock());
        if !stuck.is_empty() {
            self.sim.lock().violate(stuck.join("; "));
            return false;
        }
        let mut looked = from;
        loop {
            self.sim.lock().close();
            looked = looked + every;
            if !self.until(looked) {
                return false;
            }
            let mut world = self.sim.lock();
            let mut unrest = settled::unrest(&world);
            if unrest.is_empty() {
                unrest = settled::differences(&world);
            }
            if unrest.is_empty() {
                return true;
            }
            if looked >= by {
                world.violate(format!("not at rest: {}", unrest.join("; ")));
                return false;
            }
        }
    }

    /// Ends the services in good order and plays their journals.
    pub(crate) fn end(&mut self) {
        self.house.closing = true;
        let services = self.sim.lock().lives.len();
        self.sim.lock().calls.extend((0..services).map(Call::Stop));
        let by = self.clock_now() + END_WITHIN;
        if !self.until(by) {
            return;
        }
        let mut world = self.sim.lock();
        if world.lives.iter().any(Option::is_some) {
            world.violate("a service does not end in good order".to_owned());
            return;
        }
        let mut found = settled::differences(&world);
        found.extend(settled::replay(&world, &self.house.setup));
        if !found.is_empty() {
            world.violate(found.join("; "));
        }
    }

    fn clock_now(&self) -> Timestamp {
        self.sim.lock().now()
    }

    fn outcome(self) -> Outcome {
        let mut world = self.sim.lock();
        let trace = std::mem::take(&mut world.trace);
        Outcome {
            seed: self.number,
            violation: world.violation.take(),
            hash: trace.hash(),
            events: trace.events(),
            faults: world.cover.total(Kind::Fault),
            orders: world.judge.accepted.len(),
            fills: world.judge.fills.len(),
            simulated: world.now().since(START),
            coverage: std::mem::take(&mut world.cover),
            lines: trace.into_lines(),
        }
    }
}
