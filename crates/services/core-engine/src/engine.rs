//! The service: who gets which input.

use nightdesk_capital::Level;
use nightdesk_env::planted;
use nightdesk_exchange::{ExchangeEvent, NewOrder, Stream};
use nightdesk_market::{MarketEvent, Quote};
use nightdesk_orders::{ClientOrderId, Effect as OrderEffect, Event as OrderEvent, Status};
use nightdesk_shell::{Input, RestoreError, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row};
use nightdesk_units::{Micros, Price, Symbol, Timestamp};
use nightdesk_wire::{Command, LinkState, Message, OrderUpdate, Queue, Resolve};
use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::effect::{Effect, Event, Pending, Request};
use crate::fact::Fact;
use crate::mode::PendingMode;
use crate::reconcile::Reconciler;
use crate::state::{Applied, Durable, Entry};
use crate::tables;

/// How often the portfolio's value is told to capital-manager and the gauges.
const VIEW_EVERY: Micros = Micros::from_secs(1);
/// How often the books are valued for the equity curve, on full minutes; the first of an hour makes the hourly point.
const SAMPLE_EVERY: Micros = Micros::from_secs(60);
/// The longest wait before an order without an answer is driven again.
const LONGEST_SILENCE: Micros = Micros::from_secs(5);

pub(crate) type Out = Step<Effect>;

/// When an order's answer is overdue, and how often it has been.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    at: Timestamp,
    times: u32,
}

/// core-engine.
pub struct CoreEngine {
    pub(crate) config: Config,
    pub(crate) durable: Durable,
    pub(crate) quotes: BTreeMap<Symbol, Quote>,
    pub(crate) user: Option<(bool, Timestamp)>,
    pub(crate) reconciler: Reconciler,
    pub(crate) pending_mode: Option<PendingMode>,
    /// The newest mode that the connector has confirmed since this start.
    pub(crate) effective: Option<u64>,
    /// What was done while the store took no writes; journaled when it does.
    pub(crate) emergencies: Vec<Request>,
    /// The mode as acknowledged while the store took no writes.
    pub(crate) emergency_mode: Option<nightdesk_capital::Mode>,
    /// The store takes no writes.
    pub(crate) storage_fails: bool,
    /// What effects found out while the store took no writes: at most one event each.
    pub(crate) deferred: Vec<Event>,
    pub(crate) liquidate_at: Option<Timestamp>,
    /// The process is about to stop.
    pub(crate) draining: bool,
    due: BTreeMap<ClientOrderId, Due>,
    due_order: BTreeSet<(Timestamp, ClientOrderId)>,
    view_at: Timestamp,
    sample_at: Timestamp,
}

impl CoreEngine {
    /// An engine that has not been restored yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let durable = Durable::new(config.quote);
        Self {
            config,
            durable,
            quotes: BTreeMap::new(),
            user: None,
            reconciler: Reconciler::default(),
            pending_mode: None,
            effective: None,
            emergencies: Vec::new(),
            emergency_mode: None,
            storage_fails: false,
            deferred: Vec::new(),
            liquidate_at: None,
            draining: false,
            due: BTreeMap::new(),
            due_order: BTreeSet::new(),
            view_at: Timestamp::default(),
            sample_at: Timestamp::default(),
        }
    }

    /// Takes market data in. Apart from [`Service::handle`] so that a backtest can call it without the loop around it.
    pub fn on_market(&mut self, event: &MarketEvent, turn: &Turn, step: &mut Out) {
        let MarketEvent::Quote(quote) = event else { return };
        self.quotes.insert(quote.symbol, *quote);
        let middle = nightdesk_units::Ticks(quote.bid.0.midpoint(quote.ask.0));
        if let Some(slot) = self.durable.portfolio.slot(quote.symbol) {
            self.durable.portfolio.mark(slot, middle, turn.now);
        }
        if turn.now >= self.view_at && self.durable.is_priced() {
            self.view_at = turn.now + VIEW_EVERY;
            self.tell_view(turn, step);
        }
        if turn.now >= self.sample_at && self.durable.opened && self.durable.is_priced() {
            self.sample_at = Timestamp((turn.now.0.div_euclid(SAMPLE_EVERY.0) + 1).saturating_mul(SAMPLE_EVERY.0));
            match self.durable.portfolio.sample(turn.now) {
                Ok(sample) => drop(self.record(&Fact::Equity(sample), turn, step)),
                Err(error) => tracing::error!(%error, "portfolio cannot be valued"),
            }
        }
    }

    /// Mid price of an instrument, if a quote has come.
    pub(crate) fn mid(&self, symbol: Symbol) -> Option<Price> {
        let (quote, instrument) = (self.quotes.get(&symbol)?, self.durable.instruments.get(&symbol)?);
        let sum = instrument.price(quote.bid).add(instrument.price(quote.ask)).ok()?;
        sum.scale(nightdesk_units::Decimal::new(5, 1)).ok()
    }

    /// Journals `fact` and changes the state by it.
    pub(crate) fn record(&mut self, fact: &Fact, turn: &Turn, step: &mut Out) -> Applied {
        step.record(fact.kind(), turn.now, fact);
        self.durable.apply(fact)
    }

    /// Something happened to an order: journal it if it changes anything, and follow up.
    pub(crate) fn order_event(
        &mut self,
        turn: &Turn,
        id: ClientOrderId,
        event: OrderEvent,
        reason: Option<String>,
        exchange_order_id: Option<u64>,
        step: &mut Out,
    ) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let mut after = entry.order;
        match after.apply(event) {
            Err(refused) => {
                let symbol = entry.order.spec.symbol;
                let status = entry.order.status.as_str();
                let reason = format!("order {id} is {status} here, but the exchange says {event:?}: {refused}");
                self.quarantine(turn, symbol, reason, step);
            }
            Ok(effect) => {
                let learned = exchange_order_id.is_some() && entry.order.exchange_order_id.is_none();
                let changed = after != entry.order || learned;
                if changed {
                    self.record(&Fact::Order { id, event, reason, exchange_order_id, at: turn.now }, turn, step);
                }
                match effect {
                    Some(OrderEffect::Drive) => self.drive(turn, id, !changed, step),
                    Some(OrderEffect::FetchFills) => self.fetch_fills(turn, id, 0, step),
                    Some(OrderEffect::Settle) | None => {}
                }
                self.watch(turn, id, event == OrderEvent::AnswerOverdue);
            }
        }
    }

    /// Sends the order's present command.
    fn drive(&mut self, turn: &Turn, id: ClientOrderId, again: bool, step: &mut Out) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let command = self.command_of(entry);
        let queue = if command.cancel { Queue::CONNECTOR_CONTROL } else { Queue::CONNECTOR };
        if again {
            tracing::debug!(order.id = %id, now = %turn.now, "order driven again");
            step.notify(queue, Message::Command(command));
        } else {
            step.send(queue, Message::Command(command));
        }
    }

    /// The order's present command.
    pub(crate) fn command_of(&self, entry: &Entry) -> Command {
        let spec = &entry.order.spec;
        let client_order_id = spec.client_order_id;
        Command {
            order: NewOrder { symbol: spec.symbol, client_order_id, side: spec.side, kind: spec.kind, qty: spec.qty },
            attempt: entry.order.attempt,
            epoch: self.config.epoch,
            reduces: entry.reduces,
            cancel: entry.order.cancel_wanted,
            reference: entry.reference,
            decided_at: spec.created_at,
        }
    }

    /// Asks for executions that are missing, for the `times` + first time.
    fn fetch_fills(&mut self, turn: &Turn, id: ClientOrderId, times: u32, step: &mut Out) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let resolve = Resolve {
            symbol: entry.order.spec.symbol,
            client_order_id: id,
            exchange_order_id: entry.order.exchange_order_id,
        };
        step.notify(Queue::CONNECTOR, Message::Resolve(resolve));
        self.set_due(id, Some(turn.now + self.silence(times)), times);
    }

    /// How long nothing may be heard after `times` reminders.
    fn silence(&self, times: u32) -> Micros {
        let timeout = self.config.answer_timeout;
        Micros((timeout.0 << times.min(4)).min(LONGEST_SILENCE.0.max(timeout.0)))
    }

    /// Plans the moment at which the order's silence becomes too long.
    pub(crate) fn watch(&mut self, turn: &Turn, id: ClientOrderId, overdue: bool) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let waits = matches!(entry.order.status, Status::PendingNew | Status::InDoubt | Status::PendingCancel);
        let misses_fills = entry.order.reported > entry.order.filled;
        if !waits && !misses_fills {
            self.set_due(id, None, 0);
            return;
        }
        let times = if overdue { self.due.get(&id).map_or(1, |due| due.times.saturating_add(1)) } else { 0 };
        self.set_due(id, Some(turn.now + self.silence(times)), times);
    }

    fn set_due(&mut self, id: ClientOrderId, at: Option<Timestamp>, times: u32) {
        if let Some(before) = self.due.remove(&id) {
            self.due_order.remove(&(before.at, id));
        }
        if let Some(at) = at {
            self.due.insert(id, Due { at, times });
            self.due_order.insert((at, id));
        }
    }

    fn overdue(&mut self, turn: &Turn, step: &mut Out) {
        if planted("silence-accepted") {
            self.due_order.clear();
        }
        while let Some((at, id)) = self.due_order.first().copied().filter(|(at, _)| *at <= turn.now) {
            self.due_order.remove(&(at, id));
            let Some(entry) = self.durable.orders.get(&id) else { continue };
            if entry.order.reported > entry.order.filled {
                let times = self.due.get(&id).map_or(0, |due| due.times.saturating_add(1));
                self.fetch_fills(turn, id, times, step);
            } else {
                self.order_event(turn, id, OrderEvent::AnswerOverdue, None, None, step);
            }
        }
    }

    /// Tells the strategy how its order stands.
    pub(crate) fn tell_worker(&self, turn: &Turn, entry: &Entry, fill: Option<nightdesk_orders::Fill>, step: &mut Out) {
        let spec = &entry.order.spec;
        let update = OrderUpdate {
            instance: spec.instance,
            intent_id: spec.intent_id,
            status: entry.order.status,
            filled: entry.order.filled,
            filled_quote: entry.order.filled_quote,
            fill,
            reason: entry.reason.clone(),
            position: self.durable.held(spec.instance, spec.symbol),
            at: turn.now,
        };
        step.send(Queue::worker(spec.instance), Message::OrderUpdate(update));
    }

    /// Leaves an instrument alone until an operator has looked, and says so.
    pub(crate) fn quarantine(&mut self, turn: &Turn, symbol: Symbol, reason: String, step: &mut Out) {
        if self.durable.quarantine.contains_key(&symbol) {
            return;
        }
        tracing::error!(%symbol, reason, runbook = "docs/runbooks/quarantine.md", "{symbol} quarantined: {reason}");
        self.record(&Fact::Quarantined { symbol, reason, at: turn.now }, turn, step);
    }

    fn started(&mut self, turn: &Turn, step: &mut Out) {
        // The connector holds everything that adds risk until it has heard the mode.
        step.send(Queue::CONNECTOR_CONTROL, Message::Mode(self.durable.mode.clone()));
        for instance in self.config.instances.iter().map(|known| known.instance) {
            let run = !self.durable.stopped.contains(&instance);
            let control = nightdesk_wire::StrategyControl { instance, run };
            step.send(Queue::worker(instance), Message::StrategyControl(control));
        }
        for known in self.config.instances.clone() {
            let book = self.durable.portfolio.strategy(known.instance);
            if book.is_none_or(|book| book.allocation != known.allocation) {
                let fact = Fact::Allocated { instance: known.instance, amount: known.allocation };
                self.record(&fact, turn, step);
            }
        }
        // The mode may have been written while nothing ran, and a liquidation is not over because we were.
        self.cancel_risk(turn, step);
        self.liquidate_at = (self.durable.mode.level == Level::Liquidating).then_some(turn.now);
        let open: Vec<ClientOrderId> = self.durable.active.iter().copied().collect();
        for id in open {
            self.resume_order(turn, id, step);
        }
        self.ask_reconciliation(turn, step);
    }

    /// After a start, every order without proof is taken up where it stood.
    fn resume_order(&mut self, turn: &Turn, id: ClientOrderId, step: &mut Out) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        match entry.order.status {
            // Asked for, or asked for again, as soon as we know how things stand.
            Status::Requested => {}
            Status::PendingNew | Status::InDoubt | Status::PendingCancel => {
                self.drive(turn, id, true, step);
                self.watch(turn, id, false);
            }
            _ if entry.order.reported > entry.order.filled => self.fetch_fills(turn, id, 0, step),
            _ => {}
        }
    }

    fn message(&mut self, turn: &Turn, message: Message, step: &mut Out) {
        match message {
            Message::Intent(intent) => self.intent(turn, intent, step),
            Message::CancelIntent(cancel) => self.cancel_intent(turn, cancel, step),
            Message::StrategyState(state) => {
                if self.durable.strategies.get(&state.instance) != Some(&state) {
                    self.record(&Fact::Strategy(state), turn, step);
                }
            }
            Message::AllocationAnswer(answer) => self.allocation_answer(turn, answer, step),
            Message::Report(report) => {
                self.heard_account(turn);
                self.report(turn, report, &[], step);
            }
            Message::Outcome(outcome) => self.outcome(turn, outcome, step),
            Message::Account(event) => self.account(turn, event, step),
            Message::Link(link) => self.link(turn, &link, step),
            Message::ModeEffective { version, in_flight } => self.mode_effective(version, in_flight, step),
            Message::Instruments { instruments } => {
                let known = |i: &nightdesk_market::Instrument| self.durable.instruments.get(&i.symbol) == Some(i);
                if !instruments.iter().all(known) {
                    self.record(&Fact::Instruments { instruments }, turn, step);
                }
            }
            Message::ReconcileAnswer(answer) => self.reconcile_answer(turn, answer, step),
            other => tracing::warn!(?other, "message is not for core-engine"),
        }
    }

    /// The account's stream has said something. Whether it is up, only its own word tells.
    fn heard_account(&mut self, turn: &Turn) {
        if let Some((_, at)) = &mut self.user {
            *at = (*at).max(turn.now);
        }
    }

    fn account(&mut self, turn: &Turn, event: ExchangeEvent, step: &mut Out) {
        self.heard_account(turn);
        if let ExchangeEvent::Transfer { asset, delta, at } = event {
            let portfolio = &self.durable.portfolio;
            let total = portfolio.balance(asset);
            let flow = portfolio.flow_to(asset, total.add(delta).unwrap_or(total));
            self.record(&Fact::Transfer { asset, delta, flow, at }, turn, step);
            self.reconciler.balances_moved();
        }
    }

    fn link(&mut self, turn: &Turn, link: &LinkState, step: &mut Out) {
        if link.stream != Stream::User {
            return;
        }
        let first = self.user.is_none();
        self.user = Some((link.up, link.at));
        if first {
            self.release_waiting(turn, step);
        }
        // Events may have been missed: the exchange's view says which.
        if link.gap_since.is_some() {
            self.ask_reconciliation(turn, step);
        }
    }

    pub(crate) fn event(&mut self, turn: &Turn, event: Event, step: &mut Out) {
        match event {
            Event::Request(request, reply) => self.request(turn, request, reply, step),
            Event::Drain => self.drain(turn, step),
            Event::Emergencies(records) => self.merge_emergencies(turn, records, step),
            Event::Recalled(pending, entry) => {
                // What has happened meanwhile is newer than what the store said.
                let known = |entry: &Entry| self.durable.orders.contains_key(&entry.order.spec.client_order_id);
                let forgotten = entry.filter(|entry| !known(entry));
                self.recalled(turn, pending, forgotten, step);
            }
        }
    }

    /// The store has said whether it knows the order.
    fn recalled(&mut self, turn: &Turn, pending: Pending, entry: Option<Box<Entry>>, step: &mut Out) {
        match (pending, entry) {
            (Pending::Intent(_), Some(entry)) => self.tell_worker(turn, &entry, None, step),
            (Pending::Intent(intent), None) => self.consider(turn, intent, step),
            // Each look at the exchange shows many an order that is over and done with.
            (Pending::Report(report, fills), Some(entry)) if !entry.is_news(&report, &fills) => {}
            (Pending::Report(report, fills), entry) => {
                if let Some(entry) = entry {
                    self.record(&Fact::Recalled { entry }, turn, step);
                }
                self.observe(turn, report, &fills, step);
            }
        }
    }
}

impl Service for CoreEngine {
    type Event = Event;
    type Effect = Effect;

    fn name(&self) -> &str {
        "core-engine"
    }

    fn epoch(&self) -> u64 {
        self.config.epoch
    }

    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError> {
        if let Some(snapshot) = snapshot {
            self.durable =
                serde_json::from_str(snapshot).map_err(|e| RestoreError(format!("core-engine snapshot: {e}")))?;
            self.durable.mark_all();
        }
        for row in tail {
            let fact: Fact = serde_json::from_str(&row.body)
                .map_err(|e| RestoreError(format!("core-engine journal, version {}: {e}", row.version)))?;
            match self.durable.apply(&fact) {
                Applied::Done(_) => {}
                refused => {
                    let text = format!("core-engine journal, version {}: {refused:?}", row.version);
                    return Err(RestoreError(text));
                }
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> String {
        if planted("snapshot-skips-state") {
            let mut durable = self.durable.clone();
            durable.active.clear();
            return serde_json::to_string(&durable).unwrap_or_default();
        }
        serde_json::to_string(&self.durable).unwrap_or_default()
    }

    fn handle(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        self.catch_up(turn, step);
        match input {
            Input::Started => self.started(turn, step),
            Input::Message(message) => self.message(turn, message, step),
            Input::Market(event) => self.on_market(&event, turn, step),
            Input::Event(event) => self.event(turn, event, step),
            Input::Wakeup => {
                self.overdue(turn, step);
                self.reconcile_due(turn, step);
                self.mode_due(turn, step);
            }
        }
    }

    fn rows(&mut self, rows: &mut Vec<Row>) {
        tables::rows(&mut self.durable, &self.config, rows);
        self.durable.forget(self.config.remembered, Timestamp(i64::MAX));
    }

    /// Without a store a forgotten order cannot be looked up, so what a reconciliation may still speak of is remembered.
    fn forget_changes(&mut self) {
        self.durable.dirty = crate::state::Dirty::default();
        let since = self.asked_from() - Micros::from_secs(1);
        self.durable.forget(self.config.remembered, since);
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let due = self.due_order.first().map(|(at, _)| *at);
        let catch_up = (!self.emergencies.is_empty() || !self.deferred.is_empty()).then(Timestamp::default);
        [catch_up, due, self.reconciler.next_wakeup(), self.mode_wakeup()].into_iter().flatten().min()
    }

    fn storage(&mut self, works: bool) {
        self.storage_fails = !works;
    }

    fn held_back(&mut self, turn: &Turn, held: &mut Out, step: &mut Out) {
        self.let_exits_out(turn, held, step);
    }

    fn emergency(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        match input {
            Input::Event(Event::Request(request, reply)) => self.emergency_request(turn, request, reply, step),
            // What an effect has found out waits for the store.
            Input::Event(event) => self.deferred.push(event),
            _ => {}
        }
    }
}

/// The projection rows that a journal leads to, for whoever checks a store against it. Later rows replace earlier ones
/// with the same key.
///
/// # Errors
/// `RestoreError` when the journal does not make sense.
pub fn replay_rows(config: Config, journal: &[JournalRow]) -> Result<Vec<Row>, RestoreError> {
    let mut engine = CoreEngine::new(config);
    let mut rows = Vec::new();
    // In parts, so that finished orders are forgotten on the way as they are live.
    for part in journal.chunks(4_096) {
        engine.restore(None, part)?;
        engine.rows(&mut rows);
    }
    Ok(rows)
}

#[cfg(test)]
#[path = "engine_tests/mod.rs"]
mod tests;
