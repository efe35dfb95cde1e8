//! Halts, liquidation, resuming, and what operators ask for.

use nightdesk_capital::{Level, Mode};
use nightdesk_env::planted;
use nightdesk_market::Side;
use nightdesk_orders::{ClientOrderId, IntentId, OrderKind};
use nightdesk_platform::EmergencyRecord;
use nightdesk_shell::{Outgoing, Turn};
use nightdesk_units::{InstanceId, Micros, Symbol, Timestamp};
use nightdesk_wire::{Command, Intent, Message, Queue, StrategyControl};

use crate::effect::{Effect, Reply, Request, Response};
use crate::engine::{CoreEngine, Out};
use crate::fact::Fact;

/// How long a halt's answer waits for the connector's confirmation.
const CONFIRM_WITHIN: Micros = Micros::from_secs(2);
/// How often liquidation looks for something left to sell.
const LIQUIDATE_EVERY: Micros = Micros::from_secs(1);

/// How the keys of liquidation's own decisions begin.
const LIQUIDATE: &str = "liquidate/";

/// A change of mode whose confirmation is awaited.
#[derive(Debug)]
pub(crate) struct PendingMode {
    version: u64,
    until: Timestamp,
    replies: Vec<Reply>,
}

impl CoreEngine {
    /// Serves a request of an operator or another machine.
    pub(crate) fn request(&mut self, turn: &Turn, request: Request, reply: Reply, step: &mut Out) {
        let mode = &self.durable.mode;
        match request {
            Request::Halt { reason, by } => {
                let next = mode.halt(&reason, &by, turn.now);
                self.change_mode(turn, next, reply, step);
            }
            Request::Liquidate { reason, by } => {
                let next = mode.liquidate(&reason, &by, turn.now);
                self.change_mode(turn, next, reply, step);
                self.liquidate_at = Some(turn.now);
            }
            Request::ReadOnly { read_only, reason, by } => {
                let next = mode.set_read_only(read_only, &reason, &by, turn.now);
                self.change_mode(turn, next, reply, step);
            }
            Request::Resume { version, by } => match mode.resume(version, "resumed", &by, turn.now) {
                Ok(next) => self.change_mode(turn, Some(next), reply, step),
                Err(error) => step.act(Effect::Answer(reply, Response::Refused(error.to_string()))),
            },
            Request::View => {
                let view = Box::new(self.view(turn));
                step.act(Effect::Answer(reply, Response::View(view)));
            }
            other => {
                let response = self.order_request(turn, other, step);
                step.act(Effect::Answer(reply, response));
            }
        }
    }

    fn order_request(&mut self, turn: &Turn, request: Request, step: &mut Out) -> Response {
        match request {
            Request::Strategy { instance, run, by } => {
                if self.config.instance(instance).is_none() {
                    return Response::NotFound(format!("no strategy instance {instance}"));
                }
                self.record(&Fact::Wanted { instance, run, by, at: turn.now }, turn, step);
                let control = StrategyControl { instance, run };
                step.send(Queue::worker(instance), Message::StrategyControl(control));
            }
            Request::Cancel { id, by } => {
                if !self.durable.orders.contains_key(&id) {
                    return Response::NotFound(format!("no open order {id}"));
                }
                self.cancel_order(turn, id, &by, step);
            }
            Request::Release { symbol, by } => {
                if !self.durable.quarantine.contains_key(&symbol) {
                    return Response::NotFound(format!("{symbol} is not quarantined"));
                }
                self.record(&Fact::Released { symbol, by, at: turn.now }, turn, step);
                self.reconciler.accept(symbol, turn.now);
                self.ask_reconciliation(turn, step);
            }
            Request::Reconcile => self.ask_reconciliation(turn, step),
            Request::Halt { .. }
            | Request::Liquidate { .. }
            | Request::Resume { .. }
            | Request::ReadOnly { .. }
            | Request::View => {}
        }
        Response::Done
    }

    fn change_mode(&mut self, turn: &Turn, next: Option<Mode>, reply: Reply, step: &mut Out) {
        let Some(next) = next else {
            self.confirm_again(turn, reply, step);
            return;
        };
        let version = next.version;
        tracing::warn!(mode = %next.level, next.read_only, version, by = next.by, "mode changed: {}", next.reason);
        self.record(&Fact::Mode(next.clone()), turn, step);
        step.send(Queue::CONNECTOR_CONTROL, Message::Mode(next.clone()));
        self.cancel_risk(turn, step);
        if planted("halt-not-awaited") {
            step.act(Effect::Answer(reply, Response::Mode { mode: next, effective: true, in_flight: Vec::new() }));
            return;
        }
        let mut replies = vec![reply];
        if let Some(before) = self.pending_mode.take() {
            replies.extend(before.replies);
        }
        self.pending_mode = Some(PendingMode { version, until: turn.now + CONFIRM_WITHIN, replies });
    }

    /// The very same halt again: the answer waits for the connector like the first one's, unless it has confirmed.
    fn confirm_again(&mut self, turn: &Turn, reply: Reply, step: &mut Out) {
        let mode = self.durable.mode.clone();
        if self.effective >= Some(mode.version) {
            step.act(Effect::Answer(reply, Response::Mode { mode, effective: true, in_flight: Vec::new() }));
            return;
        }
        if let Some(pending) = &mut self.pending_mode {
            pending.replies.push(reply);
            return;
        }
        step.send(Queue::CONNECTOR_CONTROL, Message::Mode(mode.clone()));
        let until = turn.now + CONFIRM_WITHIN;
        self.pending_mode = Some(PendingMode { version: mode.version, until, replies: vec![reply] });
    }

    /// Cancels what rests at the exchange or waits and adds risk, if the mode allows no risk.
    pub(crate) fn cancel_risk(&mut self, turn: &Turn, step: &mut Out) {
        if self.durable.mode.permits(true) {
            return;
        }
        let resting = self.durable.active_orders().filter(|entry| !entry.reduces);
        for id in resting.map(|entry| entry.order.spec.client_order_id).collect::<Vec<_>>() {
            self.cancel_order(turn, id, "halt", step);
        }
    }

    /// The connector acts in the mode now.
    pub(crate) fn mode_effective(&mut self, version: u64, in_flight: Vec<ClientOrderId>, step: &mut Out) {
        self.effective = self.effective.max(Some(version));
        if self.pending_mode.as_ref().is_some_and(|pending| pending.version <= version) {
            self.answer_mode(true, &in_flight, step);
        }
    }

    fn answer_mode(&mut self, effective: bool, in_flight: &[ClientOrderId], step: &mut Out) {
        let Some(pending) = self.pending_mode.take() else { return };
        for reply in pending.replies {
            let (mode, in_flight) = (self.durable.mode.clone(), in_flight.to_vec());
            step.act(Effect::Answer(reply, Response::Mode { mode, effective, in_flight }));
        }
    }

    pub(crate) fn mode_wakeup(&self) -> Option<Timestamp> {
        let confirm = self.pending_mode.as_ref().map(|pending| pending.until);
        [confirm, self.liquidate_at].into_iter().flatten().min()
    }

    pub(crate) fn mode_due(&mut self, turn: &Turn, step: &mut Out) {
        if self.pending_mode.as_ref().is_some_and(|pending| pending.until <= turn.now) {
            self.answer_mode(false, &[], step);
        }
        if self.liquidate_at.is_some_and(|at| at <= turn.now) {
            self.liquidate_at = self.liquidate(turn, step).then_some(turn.now + LIQUIDATE_EVERY);
        }
    }

    /// Sells what is held, as far as the exchange's filters allow; false when nothing more can be done.
    fn liquidate(&mut self, turn: &Turn, step: &mut Out) -> bool {
        if self.durable.mode.level != Level::Liquidating {
            return false;
        }
        let mut left = false;
        for (instance, symbol) in self.durable.position_keys() {
            left |= self.liquidate_position(turn, instance, symbol, step);
        }
        if !left && self.durable.portfolio.open_positions() > 0 {
            tracing::warn!(
                "liquidation has ended: what is left is dust, quarantined, or of an instance not configured"
            );
        }
        left
    }

    /// Sells a position; false when nothing of it can be sold any more.
    fn liquidate_position(&mut self, turn: &Turn, instance: InstanceId, symbol: Symbol, step: &mut Out) -> bool {
        let known = self.config.instance(instance).filter(|known| known.symbol == symbol);
        let Some(known) = known else { return false };
        let held = self.durable.held(instance, symbol);
        if !held.is_positive() || self.durable.quarantine.contains_key(&symbol) {
            return false;
        }
        // Without a price nobody can say what is dust.
        let Some(reference) = self.mid(symbol) else { return true };
        let generation = known.generation;
        // A sale that waits for a better price holds what is to be sold now.
        let waiting = self.durable.active_orders().filter(|entry| {
            let spec = &entry.order.spec;
            spec.instance == instance && spec.symbol == symbol && !entry.key.starts_with(LIQUIDATE)
        });
        for id in waiting.map(|entry| entry.order.spec.client_order_id).collect::<Vec<_>>() {
            self.cancel_order(turn, id, "liquidation", step);
        }
        let Some(instrument) = self.durable.instruments.get(&symbol) else { return false };
        let open = self.durable.open_reductions(instance, symbol);
        let qty = instrument.qty_down(held.sub(open).unwrap_or_default());
        // Below the exchange's minimum it is dust, which nobody can sell.
        if instrument.check(Side::Sell, None, qty, Some(reference)).is_err() {
            return open.is_positive();
        }
        let key = format!("{LIQUIDATE}{}/{symbol}/{}", self.durable.mode.version, turn.now.0);
        let intent = Intent {
            intent_id: IntentId::derive(instance, generation, &key),
            instance,
            generation,
            key,
            symbol,
            side: Side::Sell,
            kind: OrderKind::Market,
            qty,
            reference,
            decided_at: turn.now,
        };
        self.consider(turn, intent, step);
        true
    }

    /// Serves a request while the store takes no writes: only what reduces risk.
    pub(crate) fn emergency_request(&mut self, turn: &Turn, request: Request, reply: Reply, step: &mut Out) {
        let present = self.emergency_mode.as_ref().unwrap_or(&self.durable.mode).clone();
        let next = match &request {
            Request::Halt { reason, by } => present.halt(reason, by, turn.now),
            Request::Liquidate { reason, by } => present.liquidate(reason, by, turn.now),
            Request::Cancel { id, .. } => {
                let found = self.emergency_cancel(turn, *id, step);
                let response = if found { Response::Done } else { Response::NotFound(format!("no open order {id}")) };
                self.emergencies.push(request);
                step.act(Effect::Answer(reply, response));
                return;
            }
            Request::View => {
                let view = Box::new(self.view(turn));
                step.act(Effect::Answer(reply, Response::View(view)));
                return;
            }
            _ => {
                let text = "the database takes no writes: only halt, liquidate and cancel are possible".to_owned();
                step.act(Effect::Answer(reply, Response::Refused(text)));
                return;
            }
        };
        let mode = next.unwrap_or(present);
        self.emergency_mode = Some(mode.clone());
        step.record("emergency_mode", turn.now, &mode);
        step.notify(Queue::CONNECTOR_CONTROL, Message::Mode(mode.clone()));
        let resting: Vec<ClientOrderId> =
            self.durable.active_orders().filter(|e| !e.reduces).map(|e| e.order.spec.client_order_id).collect();
        for id in resting {
            self.emergency_cancel(turn, id, step);
        }
        self.emergencies.push(request);
        step.act(Effect::Answer(reply, Response::Mode { mode, effective: false, in_flight: Vec::new() }));
    }

    fn emergency_cancel(&mut self, turn: &Turn, id: ClientOrderId, step: &mut Out) -> bool {
        let Some(entry) = self.durable.orders.get(&id) else { return false };
        let mut command = self.command_of(entry);
        command.cancel = true;
        step.record("emergency_cancel", turn.now, &command);
        step.notify(Queue::CONNECTOR_CONTROL, Message::Command(command));
        true
    }

    /// Tells the connector at once what a turn that cannot be committed wants cancelled or held back. It is told again after
    /// the commit, which does no harm.
    pub(crate) fn let_exits_out(&self, turn: &Turn, held: &Out, step: &mut Out) {
        for out in &held.out {
            let Outgoing::Send(_, message) = out else { continue };
            match message {
                Message::Command(command) if command.cancel => step.record("emergency_cancel", turn.now, command),
                Message::Mode(mode) if !mode.permits(true) => step.record("emergency_mode", turn.now, mode),
                _ => continue,
            }
            step.notify(Queue::CONNECTOR_CONTROL, message.clone());
        }
    }

    /// Journals what was done while the store took no writes.
    pub(crate) fn catch_up(&mut self, turn: &Turn, step: &mut Out) {
        self.emergency_mode = None;
        for request in std::mem::take(&mut self.emergencies) {
            let (reply, _) = Reply::channel();
            self.request(turn, request, reply, step);
        }
        for event in std::mem::take(&mut self.deferred) {
            self.event(turn, event, step);
        }
    }

    /// Takes up what the emergency journal holds from before this start: a halt that was acknowledged holds, also when the
    /// process died before the store worked again.
    pub(crate) fn merge_emergencies(&mut self, turn: &Turn, records: Vec<EmergencyRecord>, step: &mut Out) {
        let count = records.len();
        for EmergencyRecord { at, kind, body } in records {
            self.record(&Fact::Emergency { kind: kind.clone(), body: body.clone(), at }, turn, step);
            match kind.as_str() {
                "emergency_mode" => self.merge_mode(turn, &body, step),
                "emergency_cancel" => {
                    let command: Option<Command> = serde_json::from_str(&body).ok();
                    if let Some(command) = command {
                        self.cancel_order(turn, command.order.client_order_id, "operator", step);
                    }
                }
                _ => {}
            }
        }
        step.act(Effect::Merged(count));
    }

    /// A restriction that was recorded without the store, unless it has been journaled since.
    fn merge_mode(&mut self, turn: &Turn, body: &str, step: &mut Out) {
        let Ok(told) = serde_json::from_str::<Mode>(body) else { return };
        let mode = &self.durable.mode;
        if told.version <= mode.version {
            return;
        }
        let next = match told.level {
            Level::Normal => None,
            Level::Halted => mode.halt(&told.reason, &told.by, turn.now),
            Level::Liquidating => mode.liquidate(&told.reason, &told.by, turn.now),
        };
        if next.is_some() {
            let (reply, _) = Reply::channel();
            self.change_mode(turn, next, reply, step);
            self.liquidate_at = (told.level == Level::Liquidating).then_some(turn.now);
        }
    }
}
