//! Lives of services, and how they end: at a chosen place between two effects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nightdesk_units::Timestamp;

/// A service: core-engine, capital-manager, exchange-connector, then the workers.
pub(crate) type Who = usize;

pub(crate) const CORE: Who = 0;
pub(crate) const CAPITAL: Who = 1;
pub(crate) const CONNECTOR: Who = 2;
pub(crate) const FIRST_WORKER: Who = 3;

/// A service's name as its journal has it.
pub(crate) fn name_of(who: Who) -> String {
    match who {
        CORE => "core-engine".to_owned(),
        CAPITAL => "capital-manager".to_owned(),
        CONNECTOR => "exchange-connector".to_owned(),
        worker => format!("worker {}", worker - FIRST_WORKER),
    }
}

/// From a start to the next end of one service. Ports belong to a life: once it is over they do nothing any more, so
/// whatever its code still tries has no effect.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) who: Who,
    over: AtomicBool,
}

impl Life {
    pub(crate) fn new(who: Who) -> Arc<Self> {
        Arc::new(Self { who, over: AtomicBool::new(false) })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A place where a service can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    BeforeCommit,
    DuringCommit,
    AfterCommit,
    BeforePublish,
    AfterPublish,
    BeforeAck,
    AfterAck,
    BeforePlace,
    AfterPlace,
    BeforeCancel,
    AfterCancel,
    BeforeRead,
    Idle,
}

/// The places' names.
pub(crate) const POINTS: &[&str] = &[
    "before commit",
    "during commit",
    "after commit",
    "before publish",
    "after publish",
    "before ack",
    "after ack",
    "before place",
    "after place",
    "before cancel",
    "after cancel",
    "before read",
    "idle",
];

impl Point {
    /// Places between two effects, to be chosen from.
    pub(crate) const CHOICE: [Self; 12] = [
        Self::BeforeCommit,
        Self::DuringCommit,
        Self::AfterCommit,
        Self::BeforePublish,
        Self::AfterPublish,
        Self::BeforeAck,
        Self::AfterAck,
        Self::BeforePlace,
        Self::AfterPlace,
        Self::BeforeCancel,
        Self::AfterCancel,
        Self::BeforeRead,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        POINTS[self as usize]
    }
}

/// A crash that waits for its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Armed {
    /// Whose effects are counted.
    pub(crate) who: Option<Who>,
    /// Where; `None`: anywhere.
    pub(crate) point: Option<Point>,
    /// How many more such places are passed unharmed.
    pub(crate) passes: u64,
    /// All services die, not only the one concerned.
    pub(crate) all: bool,
    /// If the place has not come by then, it happens anyway.
    pub(crate) until: Timestamp,
    /// How long it stays down.
    pub(crate) down: nightdesk_units::Micros,
}

impl Armed {
    /// True when the crash happens at this place.
    pub(crate) fn strikes(&mut self, who: Who, point: Point) -> bool {
        if self.who.is_some_and(|target| target != who) || self.point.is_some_and(|wanted| wanted != point) {
            return false;
        }
        if self.passes == 0 {
            return true;
        }
        self.passes -= 1;
        false
    }
}
