//! The durable state: the book, the rules in force, and when performance was last journaled. It changes by facts only.

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_capital::{CapitalBook, CapitalRecord, CapitalRules, CapitalState, Grant, Performance, Request};
use nightdesk_orders::IntentId;
use nightdesk_store::{JournalRow, Row};
use nightdesk_units::{InstanceId, Money, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::tables::{Allocation, Standing};

/// The journal's name of a change of the rules.
pub(crate) const RULES: &str = "rules";

/// The journal's name of a record.
pub(crate) const fn kind(record: &CapitalRecord) -> &'static str {
    match record {
        CapitalRecord::Granted { .. } => "granted",
        CapitalRecord::Denied { .. } => "denied",
        CapitalRecord::Adopted { .. } => "adopted",
        CapitalRecord::Used { .. } => "used",
        CapitalRecord::Settled { .. } => "settled",
        CapitalRecord::Released { .. } => "released",
        CapitalRecord::Held { .. } => "held",
        CapitalRecord::Observed { .. } => "observed",
    }
}

/// When the journal last took in how the portfolio and each strategy are doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Observed {
    portfolio: Option<Timestamp>,
    strategies: BTreeMap<InstanceId, Timestamp>,
}

/// A snapshot.
#[derive(Debug, Serialize, Deserialize)]
struct Saved<R, B, P, O> {
    rules: R,
    book: B,
    policy: P,
    observed: O,
}

type SavedState = Saved<Option<CapitalRules>, CapitalState, Policy, Observed>;

/// The durable state, and the rows that are to be written.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    book: CapitalBook,
    /// The rules that were journaled last.
    in_force: Option<CapitalRules>,
    policy: Policy,
    observed: Observed,
    changed: BTreeMap<IntentId, Allocation>,
    changed_rules: BTreeSet<String>,
}

impl Ledger {
    /// An empty one. `rules` hold until rules are journaled.
    pub(crate) fn new(rules: CapitalRules) -> Self {
        Self {
            book: CapitalBook::new(rules),
            in_force: None,
            policy: Policy::default(),
            observed: Observed::default(),
            changed: BTreeMap::new(),
            changed_rules: BTreeSet::new(),
        }
    }

    pub(crate) const fn book(&self) -> &CapitalBook {
        &self.book
    }

    pub(crate) const fn in_force(&self) -> Option<&CapitalRules> {
        self.in_force.as_ref()
    }

    /// When performance was last journaled.
    pub(crate) fn observed_at(&self, instance: Option<InstanceId>) -> Option<Timestamp> {
        match instance {
            Some(instance) => self.observed.strategies.get(&instance).copied(),
            None => self.observed.portfolio,
        }
    }

    pub(crate) fn save(&self) -> String {
        let Self { book, in_force, policy, observed, .. } = self;
        // Plain data with text keys always has a JSON form.
        serde_json::to_string(&Saved { rules: in_force, book: book.state(), policy, observed }).unwrap_or_default()
    }

    /// Takes a snapshot up; every row that it still knows counts as changed.
    pub(crate) fn load(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let saved: SavedState = serde_json::from_str(text)?;
        let rules = saved.rules.clone().unwrap_or_else(|| self.book.rules().clone());
        self.book = CapitalBook::restore(rules, saved.book);
        (self.in_force, self.policy, self.observed) = (saved.rules, saved.policy, saved.observed);
        self.changed_rules = self.policy.names().cloned().collect();
        Ok(())
    }

    /// Applies a journaled fact.
    pub(crate) fn replay(&mut self, row: &JournalRow) -> Result<(), serde_json::Error> {
        if row.kind == RULES {
            let rules: CapitalRules = serde_json::from_str(&row.body)?;
            self.enforce(rules, row.at);
        } else {
            let record: CapitalRecord = serde_json::from_str(&row.body)?;
            self.apply(&record, row.at);
        }
        Ok(())
    }

    /// These rules hold from now on, for what comes; what was granted stays.
    pub(crate) fn enforce(&mut self, rules: CapitalRules, at: Timestamp) {
        self.changed_rules.extend(self.policy.change(&rules, at));
        self.book = CapitalBook::restore(rules.clone(), self.book.state().clone());
        self.in_force = Some(rules);
    }

    /// Applies a record; `at` is when it was journaled.
    pub(crate) fn apply(&mut self, record: &CapitalRecord, at: Timestamp) {
        let touched = self.allocation(record, at);
        self.book.apply(record);
        if let CapitalRecord::Observed { instance, .. } = record {
            match instance {
                Some(instance) => drop(self.observed.strategies.insert(*instance, at)),
                None => self.observed.portfolio = Some(at),
            }
        }
        if let Some(allocation) = touched {
            self.changed.insert(allocation.intent, allocation);
        }
    }

    /// The row that a record leads to, seen from before it is applied.
    fn allocation(&self, record: &CapitalRecord, at: Timestamp) -> Option<Allocation> {
        match *record {
            CapitalRecord::Granted { request, at } => Some(opened(&request, Standing::Granted, None, at)),
            CapitalRecord::Adopted { request, at } => Some(opened(&request, Standing::Adopted, None, at)),
            CapitalRecord::Denied { request, reason, at } => {
                Some(opened(&request, Standing::Denied, Some(reason.to_string()), at))
            }
            CapitalRecord::Used { intent, used, .. } => self.moved(intent, used, Standing::Granted, at),
            CapitalRecord::Settled { intent, used, .. } => self.moved(intent, used, Standing::Settled, at),
            CapitalRecord::Released { intent } => self.moved(intent, Money::ZERO, Standing::Released, at),
            CapitalRecord::Held { .. } | CapitalRecord::Observed { .. } => None,
        }
    }

    fn moved(&self, intent: IntentId, used: Money, standing: Standing, changed_at: Timestamp) -> Option<Allocation> {
        let grant = self.book.grant(intent)?;
        let Grant { instance, symbol, amount, at, .. } = *grant;
        let used = used.max(grant.used);
        Some(Allocation { intent, instance, symbol, amount, used, standing, reason: None, at, changed_at })
    }

    /// Appends the rows that have changed since the last call.
    pub(crate) fn rows(&mut self, rows: &mut Vec<Row>) {
        rows.extend(std::mem::take(&mut self.changed).into_values().map(Allocation::row));
        let names = std::mem::take(&mut self.changed_rules);
        rows.extend(names.iter().filter_map(|name| self.policy.row(name)));
    }

    /// Forgets what has changed, where nobody keeps rows.
    pub(crate) fn forget_changes(&mut self) {
        self.changed.clear();
        self.changed_rules.clear();
    }

    /// True when the limit on its drawdown is reached, by what the journal knows or by `performance`.
    pub(crate) fn is_beyond(&self, instance: Option<InstanceId>, performance: &Performance) -> bool {
        let rules = self.book.rules();
        match instance {
            Some(instance) => {
                rules.strategies.get(&instance).is_some_and(|own| performance.drawdown >= own.max_drawdown)
            }
            None => performance.drawdown >= rules.max_drawdown,
        }
    }
}

fn opened(request: &Request, standing: Standing, reason: Option<String>, at: Timestamp) -> Allocation {
    let Request { intent, instance, symbol, worst_cost: amount } = *request;
    Allocation { intent, instance, symbol, amount, used: Money::ZERO, standing, reason, at, changed_at: at }
}
