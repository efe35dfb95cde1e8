//! What the seeds have touched, and what they must touch between them.

use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Where orders stood in core-engine's book.
    OrderStatus,
    /// Where placements stood in the connector's.
    AttemptState,
    /// What the connector told of commands.
    Outcome,
    /// What services asked of their ports.
    Effect,
    /// Facts journaled.
    Fact,
    /// Trading modes.
    Mode,
    /// What the operator did.
    Operation,
    /// What was done to the system.
    Fault,
    /// Where services died.
    CrashPoint,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::OrderStatus,
        Self::AttemptState,
        Self::Outcome,
        Self::Effect,
        Self::Fact,
        Self::Mode,
        Self::Operation,
        Self::Fault,
        Self::CrashPoint,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OrderStatus => "order status",
            Self::AttemptState => "attempt state",
            Self::Outcome => "outcome",
            Self::Effect => "effect",
            Self::Fact => "fact",
            Self::Mode => "mode",
            Self::Operation => "operation",
            Self::Fault => "fault",
            Self::CrashPoint => "crash point",
        }
    }

    /// What a run of many seeds must have met.
    pub(crate) const fn declared(self) -> &'static [&'static str] {
        match self {
            Self::OrderStatus => &[
                "requested",
                "pending_new",
                "in_doubt",
                "open",
                "pending_cancel",
                "filled",
                "canceled",
                "expired",
                "rejected",
                "abandoned",
            ],
            Self::AttemptState => &["sent", "over", "rejected", "absent"],
            Self::Outcome => &["known", "rejected", "in_doubt", "never_arrived"],
            Self::Effect => &[
                "admit",
                "place",
                "cancel",
                "query order",
                "query executions",
                "open orders",
                "all orders",
                "executions",
                "balances",
                "candles",
                "instruments",
                "commit",
                "look up",
                "publish",
                "notify",
                "answer",
                "emergency record",
                "emergency merged",
                "snapshot",
            ],
            Self::Fact => FACTS,
            Self::Mode => &["normal", "halted", "liquidating", "read-only"],
            Self::Operation => crate::operator::OPERATIONS,
            Self::Fault => crate::faults::NAMES,
            Self::CrashPoint => crate::life::POINTS,
        }
    }
}

/// The facts that every run of many seeds journals.
const FACTS: &[&str] = &[
    "core-engine/intent",
    "core-engine/order",
    "core-engine/fill",
    "core-engine/instruments",
    "core-engine/opening",
    "core-engine/mode",
    "core-engine/strategy",
    "core-engine/wanted",
    "core-engine/reconciled",
    "core-engine/equity",
    "core-engine/allocated",
    "core-engine/emergency",
    "core-engine/quarantined",
    "core-engine/released",
    "core-engine/transfer",
    "capital-manager/rules",
    "capital-manager/granted",
    "capital-manager/denied",
    "capital-manager/used",
    "capital-manager/settled",
    "capital-manager/released",
    "capital-manager/held",
    "capital-manager/observed",
    "exchange-connector/attempted",
    "exchange-connector/over",
    "exchange-connector/rejected",
    "exchange-connector/absent",
    "exchange-connector/refused",
    "exchange-connector/mode",
    "exchange-connector/epoch",
    "worker/instrument",
    "worker/control",
    "worker/order",
    "worker/decided",
];

/// How often each thing was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Kind, BTreeMap<String, u64>>);

impl Coverage {
    pub(crate) fn hit(&mut self, kind: Kind, name: &str) {
        self.add(kind, name, 1);
    }

    fn add(&mut self, kind: Kind, name: &str, count: u64) {
        let names = self.0.entry(kind).or_default();
        // Asking first: nearly always it is there, and then nothing is allocated.
        match names.get_mut(name) {
            Some(known) => *known += count,
            None => drop(names.insert(name.to_owned(), count)),
        }
    }

    /// Adds another seed's.
    pub fn merge(&mut self, other: &Self) {
        for (kind, names) in &other.0 {
            names.iter().for_each(|(name, count)| self.add(*kind, name, *count));
        }
    }

    pub(crate) fn total(&self, kind: Kind) -> u64 {
        self.0.get(&kind).map_or(0, |names| names.values().sum())
    }

    /// Everything declared or met of a kind, with how often.
    pub(crate) fn of(&self, kind: Kind) -> Vec<(String, u64)> {
        let mut rows: BTreeMap<&str, u64> = kind.declared().iter().map(|name| (*name, 0)).collect();
        rows.extend(self.0.get(&kind).into_iter().flatten().map(|(name, count)| (name.as_str(), *count)));
        rows.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// What was declared and never met.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let missing = |kind: Kind| {
            let rows = self.of(kind).into_iter().filter(|(_, count)| *count == 0);
            rows.map(move |(name, _)| format!("{} {name}", kind.as_str()))
        };
        Kind::ALL.into_iter().flat_map(missing).collect()
    }
}
