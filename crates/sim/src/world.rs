//! Everything outside the services, in one place: time, disks, bus, exchange, operator, and the judge who watches them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, pending};
use nightdesk_env::{Clock, VirtualClock};
use nightdesk_units::{Micros, Timestamp};

use crate::agenda::Agenda;
use crate::bus::BusState;
use crate::chance::Chance;
use crate::coverage::{Coverage, Kind};
use crate::emergency::EmergencyState;
use crate::exchange::ExchangeState;
use crate::faults::Weather;
use crate::judge::Judge;
use crate::life::{Armed, Life, Point, Who, name_of};
use crate::matrix::Directed;
use crate::operator::OperatorState;
use crate::store::StoreState;
use crate::trace::Trace;

/// The world; clones share it.
#[derive(Clone)]
pub(crate) struct Sim(Arc<Mutex<World>>);

impl Sim {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the world wants done to a service's task, which only the run can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It has crashed.
    Bury(Who),
    /// It starts.
    Start(Who),
    /// It is asked to end in good order.
    Stop(Who),
}

/// The world.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) agenda: Agenda,
    pub(crate) trace: Trace,
    pub(crate) cover: Coverage,
    pub(crate) chance: Chances,
    pub(crate) lives: Vec<Option<Arc<Life>>>,
    pub(crate) calls: Vec<Call>,
    pub(crate) armed: Vec<Armed>,
    /// Services that do not run although they live.
    pub(crate) frozen: BTreeMap<Who, Timestamp>,
    /// One process for all: they die together, and the bus with them.
    pub(crate) one_process: bool,
    pub(crate) weather: Weather,
    pub(crate) bus: BusState,
    pub(crate) stores: Vec<StoreState>,
    pub(crate) emergency: EmergencyState,
    pub(crate) exchange: ExchangeState,
    pub(crate) operator: OperatorState,
    pub(crate) judge: Judge,
    /// The one fault of a directed run, and what is measured of it.
    pub(crate) directed: Option<Directed>,
    /// The first thing that must not be.
    pub(crate) violation: Option<String>,
}

/// Chance by purpose, so that a new draw in one place does not change all others.
pub(crate) struct Chances {
    pub(crate) order: Chance,
    pub(crate) bus: Chance,
    pub(crate) disk: Chance,
    pub(crate) net: Chance,
    pub(crate) stream: Chance,
    pub(crate) fault: Chance,
    pub(crate) operator: Chance,
}

impl Chances {
    pub(crate) fn new(root: &Chance) -> Self {
        Self {
            order: root.child("order"),
            bus: root.child("bus"),
            disk: root.child("disk"),
            net: root.child("net"),
            stream: root.child("stream"),
            fault: root.child("fault"),
            operator: root.child("operator"),
        }
    }
}

/// What a port of a life that is over answers.
pub(crate) fn never<T: Send + 'static>() -> BoxFuture<'static, T> {
    pending().boxed()
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Plans something for later.
    pub(crate) fn plan(
        &mut self,
        after: Micros,
        what: &'static str,
        happening: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        let at = self.now() + after;
        self.agenda.plan(at, what, Box::new(happening));
    }

    pub(crate) fn note(&mut self, what: &str, number: u64, detail: impl FnOnce() -> String) {
        let now = self.now();
        self.trace.note(now, what, number, detail);
    }

    /// Counts a fault.
    pub(crate) fn fault(&mut self, name: &str) {
        self.cover.hit(Kind::Fault, name);
        self.note("fault", 0, || name.to_owned());
    }

    /// What must not be.
    pub(crate) fn violate(&mut self, what: String) {
        self.note("VIOLATION", 0, || what.clone());
        self.violation.get_or_insert(what);
    }

    /// A place between two effects of a service. True when its life is over, also because it ends just here.
    pub(crate) fn point(&mut self, life: &Life, point: Point) -> bool {
        if life.is_over() {
            return true;
        }
        if self.armed.is_empty() {
            return false;
        }
        let who = life.who;
        let struck = self.armed.iter_mut().position(|armed| armed.strikes(who, point));
        let Some(armed) = struck.map(|index| self.armed.swap_remove(index)) else { return false };
        self.crash((!armed.all).then_some(who), point, armed.down);
        true
    }

    /// Ends one service's life, or all, without a last word; they start again after `down`.
    pub(crate) fn crash(&mut self, who: Option<Who>, point: Point, down: Micros) {
        let all = who.is_none() || self.one_process;
        self.cover.hit(Kind::CrashPoint, point.as_str());
        self.fault(if all { "crash of all" } else { "crash of one" });
        self.note("crash", who.unwrap_or(99) as u64, || {
            let whose = who.map_or_else(|| "all".to_owned(), name_of);
            format!("{whose} {} down for {down}", point.as_str())
        });
        let victims: Vec<Who> = if all { (0..self.lives.len()).collect() } else { who.into_iter().collect() };
        for victim in &victims {
            self.end_life(*victim);
            self.calls.push(Call::Bury(*victim));
        }
        if all && self.one_process {
            self.bus.vanish();
        }
        self.start_later(victims, down);
    }

    pub(crate) fn start_later(&mut self, whos: Vec<Who>, down: Micros) {
        self.plan(down, "start", move |world| world.calls.extend(whos.into_iter().map(Call::Start)));
    }

    /// Cuts a life's ports. What it has written stays; what was being written is there or not.
    pub(crate) fn end_life(&mut self, who: Who) {
        let Some(life) = self.lives[who].take() else { return };
        life.end();
        self.frozen.remove(&who);
        self.end_commit(who);
        self.bus.leave(&life);
        self.exchange.leave(&life);
        self.operator.forget(who);
    }
}
