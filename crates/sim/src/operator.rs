//! The operator: halts, resumes, liquidates, stops strategies, cancels and reconciles, and remembers what was answered.

use async_channel::Receiver;
use nightdesk_capital::Mode;
use nightdesk_core_engine::{Event, Reply, Request, Response};
use nightdesk_shell::EventSender;
use nightdesk_units::{InstanceId, Micros};

use crate::bus::Only;
use crate::coverage::Kind;
use crate::faults::BusChaos;
use crate::life::{CORE, Who};
use crate::world::World;

/// What the operator does.
pub(crate) const OPERATIONS: &[&str] = &[
    "halt",
    "halt again",
    "liquidate",
    "resume",
    "read-only",
    "read-only lifted",
    "stop strategy",
    "start strategy",
    "cancel",
    "reconcile",
    "release",
    "view",
];

/// Between two such drills.
const DRILL_EVERY: Micros = Micros::from_secs(240);

/// The operator's desk.
pub(crate) struct OperatorState {
    /// core-engine's ear, while it lives.
    pub(crate) core: Option<EventSender<Event>>,
    pub(crate) instances: Vec<InstanceId>,
    asked: Vec<Receiver<Response>>,
    /// The mode as last heard.
    pub(crate) mode: Mode,
    /// How things stood when last asked.
    pub(crate) view: Option<Box<nightdesk_core_engine::View>>,
    /// The seed is coming to rest: everything is to be normal, and no strategy is to decide.
    pub(crate) closing: bool,
    /// Waits for the next order that adds risk to be sent out, to halt at that very moment.
    pub(crate) lurks: bool,
    halts: u64,
}

impl OperatorState {
    pub(crate) fn new(instances: Vec<InstanceId>) -> Self {
        let (asked, mode) = (Vec::new(), Mode::default());
        Self { core: None, instances, asked, mode, view: None, closing: false, lurks: false, halts: 0 }
    }

    /// A service's life is over: what it answered and nobody has read is lost with it.
    pub(crate) fn forget(&mut self, who: Who) {
        if who == CORE {
            self.core = None;
            self.asked.clear();
        }
    }
}

impl World {
    /// The operator does something, and later something else.
    pub(crate) fn operate(&mut self) {
        let after = self.chance.operator.secs(20, 300);
        self.plan(after, "operator", |world| {
            if !world.operator.closing {
                world.act();
                world.operate();
            }
        });
    }

    fn act(&mut self) {
        let chance = &self.chance.operator;
        let instance = chance.pick(&self.operator.instances).copied();
        match (chance.below(20), instance) {
            (0..=1, _) => self.halt(false),
            (2..=4, _) => self.operator.lurks = true,
            (5..=6, _) => {
                let by = "op".to_owned();
                self.ask("liquidate", Request::Liquidate { reason: "drill".to_owned(), by });
                self.resume_later();
            }
            (7, _) => {
                self.read_only(true);
                let after = self.chance.operator.secs(5, 90);
                self.plan(after, "read-only over", |world| world.read_only(false));
            }
            (8..=10, Some(instance)) => {
                self.strategy(instance, false);
                let after = self.chance.operator.secs(5, 200);
                self.plan(after, "strategy again", move |world| {
                    if !world.operator.closing {
                        world.strategy(instance, true);
                    }
                });
            }
            (11..=14, _) => {
                if let Some(id) = self.some_open_order() {
                    self.ask("cancel", Request::Cancel { id, by: "op".to_owned() });
                }
            }
            (15..=16, _) => self.ask("reconcile", Request::Reconcile),
            (17, _) => self.release(),
            _ => self.ask("view", Request::View),
        }
    }

    /// A command that adds risk is on its way.
    pub(crate) fn lurk(&mut self) {
        if std::mem::take(&mut self.operator.lurks) {
            let after = self.chance.operator.millis(0, if self.chance.operator.hits(700) { 60 } else { 1_500 });
            self.plan(after, "halt", |world| world.halt(false));
        }
    }

    /// Halts; often somebody else presses the same button a moment later.
    fn halt(&mut self, again: bool) {
        if !again {
            self.operator.halts += 1;
        }
        let reason = format!("drill {}", self.operator.halts);
        self.ask(if again { "halt again" } else { "halt" }, Request::Halt { reason, by: "op".to_owned() });
        if !again && self.chance.operator.hits(500) {
            let after = self.chance.operator.millis(0, 400);
            self.plan(after, "halt again", |world| world.halt(true));
        }
        self.resume_later();
    }

    /// Changes the mode twice within moments, time and again, while messages to the connector are lost and late: the
    /// earlier mode may arrive after the later one. Rare among what the other seeds draw.
    pub(crate) fn drill_modes(&mut self, from: Micros, to: Micros) {
        let mut after = from;
        while after < to {
            self.plan(after, "modes in a row", |world| {
                world.weather.bus = BusChaos { lose: 300, delay: 400, ..BusChaos::default() };
                world.weather.bus_only = Some(Only::Control);
                world.halt(false);
                world.plan(Micros::from_millis(40), "read-only", |world| world.read_only(true));
                world.plan(Micros::from_secs(8), "messages in time again", |world| {
                    (world.weather.bus, world.weather.bus_only) = (BusChaos::default(), None);
                });
                world.plan(Micros::from_secs(20), "read-only over", |world| world.read_only(false));
            });
            after = Micros(after.0 + DRILL_EVERY.0);
        }
    }

    fn resume_later(&mut self) {
        let after = self.chance.operator.secs(2, 60);
        self.plan(after, "resume", Self::resume);
    }

    fn read_only(&mut self, read_only: bool) {
        let (reason, by) = ("drill".to_owned(), "op".to_owned());
        if !read_only {
            self.judge.mode_may_lift();
        }
        let name = if read_only { "read-only" } else { "read-only lifted" };
        self.ask(name, Request::ReadOnly { read_only, reason, by });
    }

    fn strategy(&mut self, instance: InstanceId, run: bool) {
        let name = if run { "start strategy" } else { "stop strategy" };
        self.ask(name, Request::Strategy { instance, run, by: "op".to_owned() });
    }

    /// Lifts the halt as last heard of; looks first, so that next time it is the right one.
    pub(crate) fn resume(&mut self) {
        self.judge.mode_may_lift();
        let version = self.operator.mode.version;
        self.ask("resume", Request::Resume { version, by: "op".to_owned() });
        self.ask("view", Request::View);
        if self.operator.mode.level != nightdesk_capital::Level::Normal {
            self.plan(Micros::from_secs(5), "resume", |world| {
                if world.operator.mode.level != nightdesk_capital::Level::Normal {
                    world.resume();
                }
            });
        }
    }

    /// Brings everything back to normal and lets the strategies rest; repeated until it is so.
    pub(crate) fn close(&mut self) {
        self.operator.closing = true;
        if self.operator.mode.level != nightdesk_capital::Level::Normal {
            self.resume();
        }
        if self.operator.mode.read_only {
            self.read_only(false);
        }
        self.release();
        for instance in self.operator.instances.clone() {
            self.strategy(instance, false);
        }
        self.ask("view", Request::View);
    }

    /// Looks, and a little later releases what is quarantined.
    pub(crate) fn look_and_release(&mut self) {
        self.ask("view", Request::View);
        self.plan(Micros::from_secs(5), "release", Self::release);
    }

    /// Has looked at what is quarantined, and lets it be traded again.
    pub(crate) fn release(&mut self) {
        let held = self.operator.view.as_ref().map(|view| view.quarantine.clone()).unwrap_or_default();
        for (symbol, _) in held {
            self.ask("release", Request::Release { symbol, by: "op".to_owned() });
        }
    }

    pub(crate) fn ask(&mut self, name: &str, request: Request) {
        let Some(core) = &self.operator.core else { return };
        let (reply, answer) = Reply::channel();
        // A full or closed ear is an operator's call that nobody takes.
        if core.try_send(Event::Request(request, reply)).is_ok() {
            self.operator.asked.push(answer);
            self.cover.hit(Kind::Operation, name);
            self.note("operator", 0, || name.to_owned());
        }
    }

    /// Reads what core-engine has answered.
    pub(crate) fn read_answers(&mut self) {
        if self.operator.asked.is_empty() {
            return;
        }
        let mut answers = Vec::new();
        self.operator.asked.retain(|asked| match asked.try_recv() {
            Ok(answer) => {
                answers.push(answer);
                false
            }
            Err(error) => error.is_empty(),
        });
        for answer in answers {
            self.cover.hit(Kind::Effect, "answer");
            self.note("answer", 0, || format!("{answer:?}"));
            match answer {
                Response::Mode { mode, effective, in_flight } => {
                    if effective {
                        self.judge.mode_effective(&mode, &in_flight);
                    }
                    self.operator.mode = mode;
                }
                Response::View(view) => {
                    self.operator.mode = view.mode.clone();
                    self.operator.view = Some(view);
                }
                Response::Done | Response::Refused(_) | Response::NotFound(_) => {
                    if let Some(directed) = &mut self.directed {
                        directed.answered = true;
                    }
                }
            }
        }
    }
}
