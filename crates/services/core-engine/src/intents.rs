//! From a strategy's decision to an order that may be sent.

use nightdesk_capital::DenyReason;
use nightdesk_env::planted;
use nightdesk_market::Side;
use nightdesk_orders::{ClientOrderId, Event as OrderEvent, OrderKind, Status, TimeInForce};
use nightdesk_shell::Turn;
use nightdesk_units::{Money, Price, Qty, Symbol, Timestamp};
use nightdesk_wire::{AllocationAnswer, AllocationRequest, CancelIntent, Intent, Message, Queue, Verdict};

use crate::effect::{Effect, Pending};
use crate::engine::{CoreEngine, Out};
use crate::fact::Fact;
use crate::state::Entry;

/// An intent that passed the checks.
struct Checked {
    kind: OrderKind,
    worst_cost: Money,
}

impl CoreEngine {
    /// Takes a decision up, once.
    pub(crate) fn intent(&mut self, turn: &Turn, intent: Intent, step: &mut Out) {
        let id = ClientOrderId::of(intent.instance, intent.intent_id);
        if !self.durable.orders.contains_key(&id) && intent.decided_at <= self.durable.horizon {
            step.act(Effect::Recall(id, Pending::Intent(intent)));
            return;
        }
        self.consider(turn, intent, step);
    }

    /// Checks a decision and journals it with the verdict.
    pub(crate) fn consider(&mut self, turn: &Turn, mut intent: Intent, step: &mut Out) {
        let id = ClientOrderId::of(intent.instance, intent.intent_id);
        if let Some(entry) = self.durable.orders.get(&id) {
            // Decided again, it is the same intent: its strategy hears once more how it stands.
            self.tell_worker(turn, entry, None, step);
            return;
        }
        // On a spot account without borrowing, a sale can only reduce.
        let reduces = intent.side == Side::Sell;
        let at = turn.now;
        match self.check(turn, &intent, reduces) {
            Ok(Checked { kind, worst_cost }) => {
                intent.kind = kind;
                self.record(&Fact::Intent { intent, reduces, worst_cost, at }, turn, step);
                if reduces {
                    self.order_event(turn, id, OrderEvent::Granted, None, None, step);
                } else if self.is_ready()
                    && let Some(entry) = self.durable.orders.get(&id)
                {
                    self.ask_allocation(turn, entry, step);
                }
            }
            Err(reason) => {
                self.record(&Fact::Intent { intent, reduces, worst_cost: Money::ZERO, at }, turn, step);
                self.abandon(turn, id, reason, step);
            }
        }
    }

    /// True once, since this start, the exchange's view has been compared and the account's stream has been heard.
    fn is_ready(&self) -> bool {
        self.reconciler.last_good().is_some() && self.user.is_some()
    }

    /// What was decided before we knew how things stand may be asked for now, unless it has become too old.
    pub(crate) fn release_waiting(&mut self, turn: &Turn, step: &mut Out) {
        if !self.is_ready() {
            return;
        }
        let waiting = self.durable.active_orders().filter(|entry| entry.order.status == Status::Requested);
        for entry in waiting.cloned().collect::<Vec<_>>() {
            let spec = &entry.order.spec;
            if let Err(reason) = self.check_age(turn, spec.created_at) {
                self.abandon(turn, spec.client_order_id, reason, step);
                self.settle(turn, spec.client_order_id, step);
            } else {
                self.ask_allocation(turn, &entry, step);
            }
        }
    }

    /// What has not been granted yet is given up: the process stops, and who knows for how long.
    pub(crate) fn drain(&mut self, turn: &Turn, step: &mut Out) {
        self.draining = true;
        let waiting = self.durable.active_orders().filter(|entry| entry.order.status == Status::Requested);
        for id in waiting.map(|entry| entry.order.spec.client_order_id).collect::<Vec<_>>() {
            self.abandon(turn, id, "stopping".to_owned(), step);
            self.settle(turn, id, step);
        }
    }

    /// The order will not be sent.
    fn abandon(&mut self, turn: &Turn, id: ClientOrderId, reason: String, step: &mut Out) {
        tracing::debug!(order.id = %id, reason, "order not sent");
        self.order_event(turn, id, OrderEvent::Abandoned, Some(reason), None, step);
        if let Some(entry) = self.durable.orders.get(&id) {
            self.tell_worker(turn, entry, None, step);
        }
    }

    pub(crate) fn ask_allocation(&self, turn: &Turn, entry: &Entry, step: &mut Out) {
        let spec = &entry.order.spec;
        let request = AllocationRequest {
            intent_id: spec.intent_id,
            instance: spec.instance,
            symbol: spec.symbol,
            worst_cost: entry.worst_cost,
            at: turn.now,
        };
        step.send(Queue::CAPITAL, Message::AllocationRequest(request));
    }

    /// capital-manager answered.
    pub(crate) fn allocation_answer(&mut self, turn: &Turn, answer: AllocationAnswer, step: &mut Out) {
        let id = ClientOrderId::of(answer.instance, answer.intent_id);
        let Some(entry) = self.durable.orders.get(&id) else { return };
        // A repeat of an answer that has been acted on.
        if entry.order.status != Status::Requested {
            return;
        }
        let (symbol, decided_at) = (entry.order.spec.symbol, entry.order.spec.created_at);
        match answer.verdict {
            // The world may have changed while capital-manager thought, or was away.
            Verdict::Granted => match self.check_age(turn, decided_at).and_then(|()| self.may_add_risk(turn, symbol)) {
                Ok(()) => self.order_event(turn, id, OrderEvent::Granted, None, None, step),
                Err(reason) => {
                    self.abandon(turn, id, reason, step);
                    self.settle(turn, id, step);
                }
            },
            Verdict::Denied(_) if planted("denial-ignored") => {
                self.order_event(turn, id, OrderEvent::Granted, None, None, step);
            }
            Verdict::Denied(reason) => self.abandon(turn, id, reason, step),
        }
    }

    /// A strategy takes an order back.
    pub(crate) fn cancel_intent(&mut self, turn: &Turn, cancel: CancelIntent, step: &mut Out) {
        let id = ClientOrderId::of(cancel.instance, cancel.intent_id);
        self.cancel_order(turn, id, "strategy", step);
    }

    /// Cancels an order on somebody's wish.
    pub(crate) fn cancel_order(&mut self, turn: &Turn, id: ClientOrderId, by: &str, step: &mut Out) {
        let Some(status) = self.durable.orders.get(&id).map(|entry| entry.order.status) else { return };
        if status.is_final() || status == Status::PendingCancel {
            return;
        }
        if planted("cancel-forgotten-in-doubt") && status == Status::InDoubt {
            return;
        }
        let reason = Some(format!("cancelled by {by}"));
        self.order_event(turn, id, OrderEvent::CancelAsked, reason, None, step);
        if let Some(entry) = self.durable.orders.get(&id).filter(|entry| entry.order.status.is_final()) {
            self.tell_worker(turn, entry, None, step);
            self.settle(turn, id, step);
        }
    }

    fn check(&self, turn: &Turn, intent: &Intent, reduces: bool) -> Result<Checked, String> {
        let symbol = intent.symbol;
        let known = self.config.instance(intent.instance).ok_or("no such strategy instance")?;
        if known.symbol != symbol {
            return Err(format!("instance {} trades {}, not {symbol}", known.instance, known.symbol));
        }
        if known.generation != intent.generation {
            return Err(format!(
                "decided by generation {} of the configuration, {} runs",
                intent.generation, known.generation
            ));
        }
        self.check_age(turn, intent.decided_at)?;
        let instrument = self.durable.instruments.get(&symbol).ok_or("instrument not known yet")?;
        if let Some(reason) = self.durable.quarantine.get(&symbol) {
            return Err(format!("{symbol} is quarantined: {reason}"));
        }
        if reduces {
            self.check_reduction(intent)?;
        } else {
            if !self.durable.runs(intent.instance) {
                return Err(format!("instance {} is stopped", intent.instance));
            }
            // Before we know how things stand it waits for its grant; on the grant this is asked again.
            if self.is_ready() || self.draining {
                self.may_add_risk(turn, symbol)?;
            } else {
                self.check_mode()?;
            }
        }
        let mid = self.mid(symbol).ok_or("no market price yet")?;
        let deny = |reason: DenyReason| reason.to_string();
        let worst = self.config.collar.worst_price(intent.side, &intent.kind, mid).map_err(deny)?;
        let kind = bounded(intent.kind, worst, instrument, intent.side);
        instrument.check(intent.side, kind.price(), intent.qty, Some(mid)).map_err(|failure| failure.to_string())?;
        let worst_cost = self.config.collar.worst_cost(intent.side, &kind, intent.qty, mid).map_err(deny)?;
        Ok(Checked { kind, worst_cost })
    }

    /// The market that an old decision was made on is gone.
    fn check_age(&self, turn: &Turn, decided_at: Timestamp) -> Result<(), String> {
        let (age, limit) = (turn.now.since(decided_at), self.config.max_intent_age);
        if age > limit {
            return Err(format!("decided {} ms ago, the limit is {} ms", age.as_millis(), limit.as_millis()));
        }
        Ok(())
    }

    fn check_reduction(&self, intent: &Intent) -> Result<(), String> {
        let held = self.durable.held(intent.instance, intent.symbol);
        let open = self.durable.open_reductions(intent.instance, intent.symbol);
        let free = held.sub(open).unwrap_or(Qty::ZERO);
        if intent.qty > free && !planted("reduction-unbounded") {
            return Err(format!("sells {} of {held} held, of which {open} is being sold already", intent.qty));
        }
        Ok(())
    }

    fn check_mode(&self) -> Result<(), String> {
        let mode = &self.durable.mode;
        match mode.permits(true) {
            true => Ok(()),
            false if mode.read_only => Err(format!("storage is read-only: {}", mode.reason)),
            false => Err(format!("trading is {}: {}", mode.level, mode.reason)),
        }
    }

    /// Whether new risk may be taken in `symbol` now; if not, why.
    pub(crate) fn may_add_risk(&self, turn: &Turn, symbol: Symbol) -> Result<(), String> {
        self.check_mode()?;
        if let Some(reason) = self.durable.quarantine.get(&symbol) {
            return Err(format!("{symbol} is quarantined: {reason}"));
        }
        if self.draining {
            return Err("stopping".to_owned());
        }
        if self.storage_fails {
            return Err("the database takes no writes".to_owned());
        }
        self.check_fresh(turn, symbol)
    }
}

/// A market order leaves as a limit order at the collar that takes what is there and cancels the rest: what it may cost is
/// then bounded by the exchange itself, not by our hope that the book holds.
fn bounded(kind: OrderKind, worst: Price, instrument: &nightdesk_market::Instrument, side: Side) -> OrderKind {
    match kind {
        OrderKind::Market => {
            let down = instrument.scale.ticks_down(worst);
            let ticks = match side {
                Side::Sell if instrument.price(down) < worst => nightdesk_units::Ticks(down.0.saturating_add(1)),
                Side::Buy | Side::Sell => down,
            };
            OrderKind::Limit { price: instrument.price(ticks), tif: TimeInForce::Ioc }
        }
        OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } => kind,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use nightdesk_shell::Input;

    use crate::Event;
    use crate::test_house::House;

    #[test]
    fn a_process_that_stops_gives_up_what_is_not_granted_and_takes_no_new_risk() {
        let mut house = House::new();
        house.play("quote 100 100.02 | buy a 2 100 | grant a | buy b 1 100");
        expect!["[b abandoned: stopping], update b abandoned 0 holds 0, settle b used 0 cost 0 over"]
            .assert_eq(&house.take(Input::Event(Event::Drain)));
        expect![[r#"
            grant b
            buy c 1 100: [BUY c 1 limit 100 gtc, costs 0], [c abandoned: stopping], update c abandoned 0 holds 0
            ack a: [a acked], update a open 0 holds 0
        "#]]
        .assert_eq(&house.play("grant b | buy c 1 100 | ack a"));
        house.check_replay();
    }

    #[test]
    fn an_order_that_never_arrived_and_was_decided_long_ago_is_not_placed_again() {
        let mut house = House::new();
        house.play("quote 100 100.02 | buy a 2 100 | grant a | at 10.1 | quote 100 100.02");
        expect![[r#"
            never a 1: [a cancelasked: asked], [a neverarrived: asked], cancel a/1, update a canceled 0 holds 0, settle a used 0 cost 0 over
        "#]].assert_eq(&house.play("never a 1"));
        house.check_replay();
    }
}
