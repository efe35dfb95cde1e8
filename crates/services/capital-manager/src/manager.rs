//! The service: the conversation with core-engine.

use std::collections::BTreeMap;
use std::convert::Infallible;

use nightdesk_capital::{
    Answer, CapitalKpis, CapitalRecord, CapitalRules, Percent, Performance, Request, StrategyKpis,
};
use nightdesk_env::planted;
use nightdesk_shell::{Input, RestoreError, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row};
use nightdesk_units::{InstanceId, Micros, Money, Timestamp};
use nightdesk_wire::{AccountView, AllocationAnswer, AllocationRequest, AllocationSettled, Message, Queue, Verdict};

use crate::ledger::{Ledger, RULES, kind};
use crate::meters::Meters;
use crate::query::{Event, Open, Query, View};

/// A request is judged by performance journaled at most this long before what is known.
const FRESH: Micros = Micros::from_secs(1);
/// Performance is journaled at least this often.
const HOURLY: Micros = Micros::from_secs(3_600);

/// The capital manager's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The rules, validated.
    pub rules: CapitalRules,
    /// The epoch it acts in.
    pub epoch: u64,
}

/// The capital manager.
#[derive(Debug)]
pub struct CapitalManager {
    config: Config,
    ledger: Ledger,
    /// What was last heard, journaled or not; `None` is the portfolio.
    latest: BTreeMap<Option<InstanceId>, Performance>,
    /// When that was true.
    heard_at: Timestamp,
    meters: Meters,
}

type Out = Step<Infallible>;

impl CapitalManager {
    /// One that has granted nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let meters = Meters::new(config.rules.strategies.keys().copied());
        Self {
            ledger: Ledger::new(config.rules.clone()),
            latest: BTreeMap::new(),
            heard_at: Timestamp(i64::MIN),
            meters,
            config,
        }
    }

    /// Budgets, their use, return and rejections, by the latest performance heard.
    #[must_use]
    pub fn kpis(&self) -> CapitalKpis {
        let mut kpis = self.ledger.book().kpis();
        self.freshen(None, &mut kpis.portfolio);
        for (instance, own) in &mut kpis.strategies {
            self.freshen(Some(*instance), own);
        }
        kpis
    }

    /// Brings a journaled figure up to what was heard since.
    fn freshen(&self, instance: Option<InstanceId>, kpis: &mut StrategyKpis) {
        let Some(latest) = self.latest.get(&instance) else { return };
        let stress = self.ledger.book().rules().stress_move.of(kpis.exposure);
        let loss = latest.pnl_today.neg().max(Money::ZERO);
        // Risk beyond the range of decimals is shown as the whole budget.
        kpis.risk = stress.and_then(|stress| stress.add(loss)).unwrap_or(kpis.risk_budget);
        kpis.risk_budget_used = Percent::ratio_of(kpis.risk, kpis.risk_budget).unwrap_or_default();
        kpis.roi = Percent::ratio_of(latest.pnl, kpis.allocation).unwrap_or_default();
        kpis.drawdown = latest.drawdown;
    }

    fn journal(&mut self, record: &CapitalRecord, now: Timestamp, step: &mut Out) {
        step.record(kind(record), now, record);
        self.ledger.apply(record, now);
    }

    /// Journals the configured rules unless they are in force.
    fn enforce(&mut self, now: Timestamp, step: &mut Out) {
        if self.ledger.in_force() == Some(&self.config.rules) {
            return;
        }
        step.record(RULES, now, &self.config.rules);
        self.ledger.enforce(self.config.rules.clone(), now);
        tracing::info!(total = %self.config.rules.total, "new capital rules are in force");
    }

    fn on_request(&mut self, asked: &AllocationRequest, now: Timestamp, step: &mut Out) {
        if self.ledger.book().answered(asked.intent_id).is_none() {
            self.observe_before(asked.instance, now, step);
        }
        let AllocationRequest { intent_id, instance, symbol, worst_cost, at } = *asked;
        let request = Request { intent: intent_id, instance, symbol, worst_cost };
        let reply = self.ledger.book().request(&request, now);
        if let Some(record) = &reply.record {
            self.journal(record, now, step);
            self.meters.answered(&reply.answer, at, now);
        }
        let verdict = match reply.answer {
            Answer::Granted { .. } => Verdict::Granted,
            Answer::Denied { reason } => {
                tracing::info!(intent.id = %intent_id, strategy = %instance, code = reason.code(), "{instance} denied: {reason}");
                Verdict::Denied(reason.to_string())
            }
        };
        step.send(Queue::CORE, Message::AllocationAnswer(AllocationAnswer { intent_id, instance, verdict }));
    }

    /// Journals what a request is about to be judged by.
    fn observe_before(&mut self, instance: InstanceId, now: Timestamp, step: &mut Out) {
        for whose in [None, Some(instance)] {
            let Some(latest) = self.latest.get(&whose).copied() else { continue };
            let stale = self.ledger.observed_at(whose).is_none_or(|at| now.since(at) >= FRESH);
            if stale && let Some(record) = self.ledger.book().observe(whose, latest) {
                self.journal(&record, now, step);
            }
        }
    }

    fn on_settled(&mut self, settled: &AllocationSettled, now: Timestamp, step: &mut Out) {
        let AllocationSettled { intent_id: intent, instance, symbol, used, holding, .. } = *settled;
        if settled.granted {
            let book = self.ledger.book();
            let record = match settled.over {
                true if used.is_zero() => Ok(book.release(intent)),
                true => book.settle(intent, used, holding.version),
                false if planted("grant-released-early") => book.settle(intent, used, holding.version),
                false => book.used(intent, used, holding.version),
            };
            match record {
                Ok(Some(record)) => self.journal(&record, now, step),
                Ok(None) => {}
                // What is held is told beside it, so the money is counted all the same.
                Err(error) => {
                    tracing::warn!(intent.id = %intent, strategy = %instance, %error, "a settlement without a grant")
                }
            }
        }
        if let Some(record) = self.ledger.book().hold(instance, symbol, holding) {
            self.journal(&record, now, step);
        }
    }

    fn on_account(&mut self, view: &AccountView, now: Timestamp, step: &mut Out) {
        // Views are told without a guarantee: one may come late, after a newer one.
        if view.at < self.heard_at {
            return;
        }
        self.heard_at = view.at;
        self.hear(None, view.portfolio, now, step);
        for (instance, performance) in &view.strategies {
            self.hear(Some(*instance), *performance, now, step);
        }
        if self.meters.are_due(now) {
            self.meters.show(&self.kpis());
        }
    }

    /// Remembers it; journals it when a limit is crossed by it, and hourly.
    fn hear(&mut self, whose: Option<InstanceId>, heard: Performance, now: Timestamp, step: &mut Out) {
        let known = whose.is_none_or(|instance| self.config.rules.strategies.contains_key(&instance));
        if !known {
            return;
        }
        self.latest.insert(whose, heard);
        let before = self.ledger.book().performance(whose);
        let crossed = self.ledger.is_beyond(whose, &before) != self.ledger.is_beyond(whose, &heard);
        let old = self.ledger.observed_at(whose).is_none_or(|at| now.since(at) >= HOURLY);
        if !crossed && !old {
            return;
        }
        if let Some(record) = self.ledger.book().observe(whose, heard) {
            self.journal(&record, now, step);
        }
        if crossed {
            let name = whose.map_or_else(|| "the portfolio".to_owned(), |instance| format!("strategy {instance}"));
            match self.ledger.is_beyond(whose, &heard) {
                true => {
                    tracing::warn!(drawdown = %heard.drawdown, "drawdown of {name} has reached its limit: no new risk")
                }
                false => tracing::info!(drawdown = %heard.drawdown, "drawdown of {name} is within its limit again"),
            }
        }
    }

    fn on_message(&mut self, message: &Message, now: Timestamp, step: &mut Out) {
        match message {
            Message::AllocationRequest(request) => self.on_request(request, now, step),
            Message::AllocationSettled(settled) => self.on_settled(settled, now, step),
            Message::AccountView(view) => self.on_account(view, now, step),
            other => {
                let text = format!("{other:?}");
                let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                tracing::warn!(message = name, "capital-manager ignored a message it does not know: {name}");
            }
        }
    }

    fn view(&self, query: Query) -> View {
        let book = self.ledger.book();
        match query {
            Query::Kpis => View::Kpis(self.kpis()),
            Query::Rules => View::Rules(book.rules().clone()),
            Query::Open { after, limit } => {
                let later = book.grants().filter(|(id, _)| after.is_none_or(|after| *id > after));
                View::Open(later.take(limit).map(|(intent_id, grant)| Open { intent_id, grant: *grant }).collect())
            }
        }
    }
}

impl Service for CapitalManager {
    type Event = Event;
    type Effect = Infallible;

    fn name(&self) -> &str {
        "capital-manager"
    }

    fn epoch(&self) -> u64 {
        self.config.epoch
    }

    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError> {
        if let Some(snapshot) = snapshot {
            self.ledger.load(snapshot).map_err(|error| RestoreError(format!("capital-manager's snapshot: {error}")))?;
        }
        for row in tail {
            let place = |error| RestoreError(format!("fact {} ({}) of {}: {error}", row.version, row.kind, row.stream));
            self.ledger.replay(row).map_err(place)?;
        }
        Ok(())
    }

    fn snapshot(&self) -> String {
        self.ledger.save()
    }

    fn handle(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        match input {
            Input::Started => self.enforce(turn.now, step),
            Input::Message(message) => self.on_message(&message, turn.now, step),
            Input::Event(Event::Query(query, reply)) => reply(self.view(query)),
            Input::Market(_) | Input::Wakeup => {}
        }
    }

    fn rows(&mut self, rows: &mut Vec<Row>) {
        self.ledger.rows(rows);
    }

    fn forget_changes(&mut self) {
        self.ledger.forget_changes();
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        None
    }

    /// Answers questions; grants wait for the store.
    fn emergency(&mut self, _: &Turn, input: Input<Event>, _: &mut Out) {
        if let Input::Event(Event::Query(query, reply)) = input {
            reply(self.view(query));
        }
    }
}

/// Every projection row that a journal, from its first fact, leads to.
///
/// # Errors
/// When a fact cannot be read.
pub fn replay_rows(config: Config, journal: &[JournalRow]) -> Result<Vec<Row>, RestoreError> {
    let mut manager = CapitalManager::new(config);
    manager.restore(None, journal)?;
    let mut rows = Vec::new();
    manager.rows(&mut rows);
    Ok(rows)
}

#[cfg(test)]
#[path = "manager_tests.rs"]
pub(crate) mod tests;
