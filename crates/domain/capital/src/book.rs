//! The allocation book: what is granted, what is held, and the decision on the next request.
//!
//! Every method that decides is `&self` and returns the record to journal; only [`CapitalBook::apply`] changes anything,
//! so replaying the journal gives the same book. All are idempotent: what was said before is said again, with nothing to
//! journal.

use std::collections::{BTreeMap, VecDeque};

use nightdesk_orders::IntentId;
use nightdesk_units::{InstanceId, Money, OutOfRange, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::record::{Answer, CapitalError, CapitalRecord, Grant, Holding, Performance, Reply, Request, Tally};
use crate::{CapitalRules, DenyReason, RateWindow, StrategyRules};

/// How many answered and finished intents are remembered. A repeat of a message older than that many others finds its
/// intent unknown; the caller's own order book has long closed it by then.
const REMEMBERED: usize = 8_192;

/// What the book remembers, as snapshots keep it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CapitalState {
    grants: BTreeMap<IntentId, Grant>,
    holdings: BTreeMap<InstanceId, BTreeMap<Symbol, Holding>>,
    performance: BTreeMap<InstanceId, Performance>,
    portfolio: Performance,
    rates: BTreeMap<InstanceId, RateWindow>,
    tallies: BTreeMap<InstanceId, Tally>,
    /// Answers to intents that hold no capital any more, or never did.
    closed: BTreeMap<IntentId, Answer>,
    /// The same intents, oldest first.
    closing_order: VecDeque<IntentId>,
}

/// Grants and holdings summed up; derived, so never stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sums {
    all: Money,
    granted: Money,
    by_instance: BTreeMap<InstanceId, Money>,
    by_symbol: BTreeMap<Symbol, Money>,
    by_both: BTreeMap<(InstanceId, Symbol), Money>,
}

/// The allocation book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapitalBook {
    rules: CapitalRules,
    state: CapitalState,
    sums: Sums,
}

impl CapitalBook {
    /// An empty book under `rules`, which the caller has validated.
    #[must_use]
    pub fn new(rules: CapitalRules) -> Self {
        Self { rules, state: CapitalState::default(), sums: Sums::default() }
    }

    /// The book of a snapshot. The rules may have changed since: they apply from the next request on.
    #[must_use]
    pub fn restore(rules: CapitalRules, state: CapitalState) -> Self {
        let sums = Sums::of(&state);
        Self { rules, state, sums }
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &CapitalRules {
        &self.rules
    }

    /// What a snapshot must keep.
    #[must_use]
    pub const fn state(&self) -> &CapitalState {
        &self.state
    }

    /// Answers a request: as before if it was answered before, else by the rules.
    #[must_use]
    pub fn request(&self, request: &Request, now: Timestamp) -> Reply {
        if let Some(answer) = self.answered(request.intent) {
            return Reply { answer, record: None };
        }
        let (request, at) = (*request, now);
        match self.judge(&request, now) {
            Ok(()) => Reply {
                answer: Answer::Granted { amount: request.worst_cost },
                record: Some(CapitalRecord::Granted { request, at }),
            },
            Err(reason) => {
                Reply { answer: Answer::Denied { reason }, record: Some(CapitalRecord::Denied { request, reason, at }) }
            }
        }
    }

    /// The answer that was given, if it is remembered.
    #[must_use]
    pub fn answered(&self, intent: IntentId) -> Option<Answer> {
        let open = self.state.grants.get(&intent).map(|grant| Answer::Granted { amount: grant.amount });
        open.or_else(|| self.state.closed.get(&intent).copied())
    }

    /// Takes in an order found at the exchange that the book does not know: unlike a request it is never refused, for the
    /// money is gone. `None` when the book knows it.
    #[must_use]
    pub fn adopt(&self, request: &Request, now: Timestamp) -> Option<CapitalRecord> {
        let known = matches!(self.answered(request.intent), Some(Answer::Granted { .. }));
        (!known).then_some(CapitalRecord::Adopted { request: *request, at: now })
    }

    /// Moves `used` (the sum so far) from the grant to the position, of which `version` is the version with these fills.
    ///
    /// # Errors
    /// `NotGranted` when nothing is set aside for the intent.
    pub fn used(&self, intent: IntentId, used: Money, version: u64) -> Result<Option<CapitalRecord>, CapitalError> {
        let grant = self.open_grant(intent)?;
        let more = grant.is_some_and(|grant| used > grant.used);
        Ok(more.then_some(CapitalRecord::Used { intent, used, version }))
    }

    /// Ends a grant: `used` in all went into the position, of which `version` is the version with these fills.
    /// `None` when it has ended already.
    ///
    /// # Errors
    /// `NotGranted` when nothing was ever set aside for the intent, or that is forgotten.
    pub fn settle(&self, intent: IntentId, used: Money, version: u64) -> Result<Option<CapitalRecord>, CapitalError> {
        Ok(self.open_grant(intent)?.map(|_| CapitalRecord::Settled { intent, used, version }))
    }

    /// Ends a grant of which nothing was used. `None` when it has ended already, or was denied. An intent that has not
    /// asked yet is remembered as over: its request may still come, and would set capital aside for ever.
    #[must_use]
    pub fn release(&self, intent: IntentId) -> Option<CapitalRecord> {
        let over = !self.state.grants.contains_key(&intent) && self.state.closed.contains_key(&intent);
        (!over).then_some(CapitalRecord::Released { intent })
    }

    /// Takes in what a position costs: the truth about what is held. `None` when it is older than what is known, or
    /// the same.
    #[must_use]
    pub fn hold(&self, instance: InstanceId, symbol: Symbol, holding: Holding) -> Option<CapitalRecord> {
        let known = self.holding(instance, symbol);
        let news = holding.version >= known.version && holding != known;
        news.then_some(CapitalRecord::Held { instance, symbol, holding })
    }

    /// Takes in how a strategy (or the portfolio) is doing. `None` when nothing has changed.
    #[must_use]
    pub fn observe(&self, instance: Option<InstanceId>, performance: Performance) -> Option<CapitalRecord> {
        (self.performance(instance) != performance).then_some(CapitalRecord::Observed { instance, performance })
    }

    /// Changes the book. Total: a journal always replays.
    pub fn apply(&mut self, record: &CapitalRecord) {
        match *record {
            CapitalRecord::Granted { request, at } => {
                if let Some(rules) = self.rules.strategies.get(&request.instance) {
                    self.state.rates.entry(request.instance).or_default().count(&rules.order_rate, at);
                }
                self.tally(request.instance).granted += 1;
                self.open(&request, at);
            }
            CapitalRecord::Denied { request, reason, .. } => {
                self.tally(request.instance).denied += 1;
                self.close(request.intent, Answer::Denied { reason });
            }
            CapitalRecord::Adopted { request, at } => self.open(&request, at),
            CapitalRecord::Used { intent, used, version } => self.use_up(intent, used, version),
            CapitalRecord::Settled { intent, used, version } => {
                self.use_up(intent, used, version);
                self.end(intent);
            }
            CapitalRecord::Released { intent } if self.state.grants.contains_key(&intent) => self.end(intent),
            CapitalRecord::Released { intent } => self.close(intent, Answer::Denied { reason: DenyReason::OrderOver }),
            CapitalRecord::Held { instance, symbol, holding } => self.set_holding(instance, symbol, holding),
            CapitalRecord::Observed { instance: Some(instance), performance } => {
                self.state.performance.insert(instance, performance);
            }
            CapitalRecord::Observed { instance: None, performance } => self.state.portfolio = performance,
        }
    }

    /// What is set aside for an intent whose order may still trade.
    #[must_use]
    pub fn grant(&self, intent: IntentId) -> Option<&Grant> {
        self.state.grants.get(&intent)
    }

    /// The grants that are outstanding.
    pub fn grants(&self) -> impl Iterator<Item = (IntentId, &Grant)> {
        self.state.grants.iter().map(|(intent, grant)| (*intent, grant))
    }

    /// What is held, at cost.
    #[must_use]
    pub fn holding(&self, instance: InstanceId, symbol: Symbol) -> Holding {
        self.state.holdings.get(&instance).and_then(|held| held.get(&symbol)).copied().unwrap_or_default()
    }

    /// How a strategy (or the portfolio) was doing when last heard.
    #[must_use]
    pub fn performance(&self, instance: Option<InstanceId>) -> Performance {
        match instance {
            Some(instance) => self.state.performance.get(&instance).copied().unwrap_or_default(),
            None => self.state.portfolio,
        }
    }

    /// How a strategy's requests were answered.
    #[must_use]
    pub fn tally_of(&self, instance: InstanceId) -> Tally {
        self.state.tallies.get(&instance).copied().unwrap_or_default()
    }

    /// Everything set aside for open orders.
    #[must_use]
    pub const fn granted(&self) -> Money {
        self.sums.granted
    }

    /// Held at cost and set aside, of a strategy or of all.
    #[must_use]
    pub fn exposure(&self, instance: Option<InstanceId>) -> Money {
        match instance {
            Some(instance) => get(&self.sums.by_instance, &instance),
            None => self.sums.all,
        }
    }

    /// What would be lost if everything held and ordered moved by `stress_move`, plus the day's loss so far.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn risk(&self, instance: Option<InstanceId>, more: Money) -> Result<Money, OutOfRange> {
        let exposure = self.exposure(instance).add(more)?;
        let loss = self.performance(instance).pnl_today.neg().max(Money::ZERO);
        self.rules.stress_move.of(exposure)?.add(loss)
    }

    fn judge(&self, request: &Request, now: Timestamp) -> Result<(), DenyReason> {
        let Request { instance, worst_cost: asked, .. } = *request;
        let rules = self.rules.strategies.get(&instance).ok_or(DenyReason::UnknownInstance { instance })?;
        if !asked.is_positive() {
            return Err(DenyReason::BadCost { asked });
        }
        let limit = rules.max_order.min(self.rules.max_order);
        if asked > limit {
            return Err(DenyReason::OrderTooLarge { asked, limit });
        }
        self.judge_drawdown(instance, rules)?;
        self.judge_money(request, rules).map_err(|denied| denied.unwrap_or(DenyReason::BadCost { asked }))?;
        let window = self.state.rates.get(&instance);
        match window.and_then(|window| window.would_break(&rules.order_rate, now)) {
            Some((span, limit, retry_after)) => Err(DenyReason::OrderRate { instance, span, limit, retry_after }),
            None => Ok(()),
        }
    }

    fn judge_drawdown(&self, instance: InstanceId, rules: &StrategyRules) -> Result<(), DenyReason> {
        let (now, limit) = (self.state.portfolio.drawdown, self.rules.max_drawdown);
        if now >= limit {
            return Err(DenyReason::PortfolioDrawdown { now, limit });
        }
        let (now, limit) = (self.performance(Some(instance)).drawdown, rules.max_drawdown);
        if now >= limit {
            return Err(DenyReason::StrategyDrawdown { instance, now, limit });
        }
        Ok(())
    }

    /// `Err(None)` when a sum leaves the range of decimals.
    fn judge_money(&self, request: &Request, rules: &StrategyRules) -> Result<(), Option<DenyReason>> {
        let Request { instance, symbol, worst_cost: asked, .. } = *request;
        let range = |OutOfRange| None;
        let allocation = rules.allocation.of(self.rules.total).map_err(range)?;
        let free = allocation.sub(self.exposure(Some(instance))).map_err(range)?;
        if asked > free {
            return Err(Some(DenyReason::AllocationExhausted { instance, asked, free }));
        }
        let free = self.rules.total.sub(self.exposure(None)).map_err(range)?;
        if asked > free {
            return Err(Some(DenyReason::CapitalExhausted { asked, free }));
        }
        let would_be = get(&self.sums.by_both, &(instance, symbol)).add(asked).map_err(range)?;
        if would_be > rules.max_position {
            let limit = rules.max_position;
            return Err(Some(DenyReason::StrategyPosition { instance, symbol, would_be, limit }));
        }
        let would_be = get(&self.sums.by_symbol, &symbol).add(asked).map_err(range)?;
        if let Some(limit) = self.rules.max_symbol_position.get(&symbol).copied().filter(|limit| would_be > *limit) {
            return Err(Some(DenyReason::SymbolPosition { symbol, would_be, limit }));
        }
        let would_be = self.risk(Some(instance), asked).map_err(range)?;
        let budget = rules.risk_budget.of(allocation).map_err(range)?;
        if would_be > budget {
            return Err(Some(DenyReason::StrategyRiskBudget { instance, would_be, budget }));
        }
        let would_be = self.risk(None, asked).map_err(range)?;
        let budget = self.rules.risk_budget.of(self.rules.total).map_err(range)?;
        if would_be > budget {
            return Err(Some(DenyReason::PortfolioRiskBudget { would_be, budget }));
        }
        Ok(())
    }

    /// The grant, `None` when it has ended.
    fn open_grant(&self, intent: IntentId) -> Result<Option<Grant>, CapitalError> {
        match (self.state.grants.get(&intent), self.state.closed.get(&intent)) {
            (Some(grant), _) => Ok(Some(*grant)),
            (None, Some(Answer::Granted { .. })) => Ok(None),
            (None, Some(Answer::Denied { .. }) | None) => Err(CapitalError::NotGranted(intent)),
        }
    }

    fn open(&mut self, request: &Request, at: Timestamp) {
        let Request { intent, instance, symbol, worst_cost: amount } = *request;
        let grant = Grant { instance, symbol, amount, used: Money::ZERO, at };
        if let Some(before) = self.state.grants.insert(intent, grant) {
            self.sums.grant(&before, before.outstanding().neg());
        }
        self.sums.grant(&grant, grant.outstanding());
    }

    fn use_up(&mut self, intent: IntentId, used: Money, version: u64) {
        let Some(grant) = self.state.grants.get_mut(&intent) else { return };
        let (before, more) = (*grant, plus(used, grant.used.neg()));
        if !more.is_positive() {
            return;
        }
        grant.used = used;
        let after = *grant;
        self.sums.grant(&after, plus(after.outstanding(), before.outstanding().neg()));
        let held = self.holding(after.instance, after.symbol);
        // A report as of this version or a later one has counted these fills already.
        if version > held.version {
            let holding = Holding { cost: plus(held.cost, more), version };
            self.set_holding(after.instance, after.symbol, holding);
        }
    }

    fn end(&mut self, intent: IntentId) {
        let Some(grant) = self.state.grants.remove(&intent) else { return };
        self.sums.grant(&grant, grant.outstanding().neg());
        self.close(intent, Answer::Granted { amount: grant.amount });
    }

    fn close(&mut self, intent: IntentId, answer: Answer) {
        if self.state.closed.insert(intent, answer).is_none() {
            self.state.closing_order.push_back(intent);
        }
        while self.state.closing_order.len() > REMEMBERED {
            if let Some(oldest) = self.state.closing_order.pop_front() {
                self.state.closed.remove(&oldest);
            }
        }
    }

    fn set_holding(&mut self, instance: InstanceId, symbol: Symbol, holding: Holding) {
        let before = self.holding(instance, symbol);
        self.state.holdings.entry(instance).or_default().insert(symbol, holding);
        self.sums.add(instance, symbol, plus(holding.cost, before.cost.neg()));
    }

    fn tally(&mut self, instance: InstanceId) -> &mut Tally {
        self.state.tallies.entry(instance).or_default()
    }
}

impl Sums {
    fn of(state: &CapitalState) -> Self {
        let mut sums = Self::default();
        for grant in state.grants.values() {
            sums.grant(grant, grant.outstanding());
        }
        for (instance, held) in &state.holdings {
            held.iter().for_each(|(symbol, holding)| sums.add(*instance, *symbol, holding.cost));
        }
        sums
    }

    fn grant(&mut self, grant: &Grant, change: Money) {
        self.granted = plus(self.granted, change);
        self.add(grant.instance, grant.symbol, change);
    }

    fn add(&mut self, instance: InstanceId, symbol: Symbol, change: Money) {
        self.all = plus(self.all, change);
        for sum in [
            self.by_instance.entry(instance).or_default(),
            self.by_symbol.entry(symbol).or_default(),
            self.by_both.entry((instance, symbol)).or_default(),
        ] {
            *sum = plus(*sum, change);
        }
    }
}

fn get<K: Ord>(sums: &BTreeMap<K, Money>, key: &K) -> Money {
    sums.get(key).copied().unwrap_or(Money::ZERO)
}

/// A sum that stays at the end of the range instead of failing: an absurd figure from outside must block new risk, not the
/// journal's replay.
fn plus(a: Money, b: Money) -> Money {
    Money::new(a.get().saturating_add(b.get()))
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
