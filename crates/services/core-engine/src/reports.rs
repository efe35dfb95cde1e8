//! What the exchange says about orders, applied once.

use nightdesk_capital::Level;
use nightdesk_env::planted;
use nightdesk_orders::{ClientOrderId, Event as OrderEvent, ExchangeStatus, ExecutionReport, Fill, Status};
use nightdesk_shell::Turn;
use nightdesk_wire::{AllocationSettled, Message, Outcome, OutcomeKind, Queue};

use crate::effect::{Effect, Pending};
use crate::engine::{CoreEngine, Out};
use crate::fact::Fact;

impl CoreEngine {
    /// What became of a command.
    pub(crate) fn outcome(&mut self, turn: &Turn, outcome: Outcome, step: &mut Out) {
        let id = outcome.client_order_id;
        if let OutcomeKind::Known { order, fills } = &outcome.kind {
            self.report(turn, *order, fills, step);
            return;
        }
        let Some(entry) = self.durable.orders.get(&id) else { return };
        // A word about an earlier placement than the present one.
        if outcome.attempt < entry.order.attempt {
            return;
        }
        let before = entry.order.status;
        let (event, reason) = match outcome.kind {
            OutcomeKind::Rejected { code, reason } => (OrderEvent::Rejected, format!("{code} {reason}")),
            OutcomeKind::CancelRefused { code } => (OrderEvent::CancelRefused, format!("cancel refused with {code}")),
            OutcomeKind::InDoubt { reason } => (OrderEvent::DoubtRaised, reason),
            OutcomeKind::NeverArrived { proof } => (OrderEvent::NeverArrived, proof),
            OutcomeKind::Known { .. } => return,
        };
        // A repeat that comes after the order has gone on.
        let stale = match event {
            OrderEvent::NeverArrived => before.is_final() || before == Status::Requested,
            OrderEvent::DoubtRaised => before == Status::InDoubt || before.is_final(),
            _ => before.is_final(),
        };
        if stale {
            return;
        }
        let waits = matches!(before, Status::PendingNew | Status::InDoubt);
        if event == OrderEvent::NeverArrived && entry.order.exchange_order_id.is_some() {
            let (symbol, known) = (entry.order.spec.symbol, entry.order.exchange_order_id.unwrap_or_default());
            let text = format!("order {id} was at the exchange as {known}, and now it never arrived: {reason}");
            self.quarantine(turn, symbol, text, step);
            return;
        }
        if event == OrderEvent::NeverArrived && waits && !entry.order.cancel_wanted && !self.may_place_again(turn, id) {
            self.order_event(turn, id, OrderEvent::CancelAsked, Some(reason.clone()), None, step);
        }
        self.order_event(turn, id, event, Some(reason), None, step);
        self.after(turn, id, before, None, step);
    }

    /// Whether an order that never arrived is still wanted.
    fn may_place_again(&self, turn: &Turn, id: ClientOrderId) -> bool {
        let Some(entry) = self.durable.orders.get(&id) else { return false };
        let spec = &entry.order.spec;
        let timely = turn.now.since(spec.created_at) <= self.config.max_intent_age;
        entry.reduces || (timely && self.may_add_risk(turn, spec.symbol).is_ok())
    }

    /// A report on an order of the account.
    pub(crate) fn report(&mut self, turn: &Turn, report: ExecutionReport, fills: &[Fill], step: &mut Out) {
        let id = report.client_order_id;
        if self.durable.orders.contains_key(&id) {
            self.observe(turn, report, fills, step);
        } else {
            // Forgotten, adopted, or not ours: the store knows the first.
            step.act(Effect::Recall(id, Pending::Report(report, fills.to_vec())));
        }
    }

    /// Applies a report; the store has been asked about an order that memory did not hold.
    pub(crate) fn observe(&mut self, turn: &Turn, report: ExecutionReport, fills: &[Fill], step: &mut Out) {
        let id = report.client_order_id;
        if !self.durable.orders.contains_key(&id) && !self.adopt(turn, &report, step) {
            return;
        }
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let before = entry.order.status;
        if entry.order.exchange_order_id.is_some_and(|known| known != report.exchange_order_id) {
            let reason = format!("two orders at the exchange carry the id {id}");
            self.quarantine(turn, report.symbol, reason, step);
            return;
        }
        let mut last_fill = None;
        for fill in fills.iter().chain(&report.fill) {
            if self.fill(turn, id, *fill, step) {
                last_fill = Some(*fill);
            }
        }
        self.status(turn, id, &report, step);
        self.after(turn, id, before, last_fill, step);
    }

    /// Applies an execution, once; true when it was new.
    fn fill(&mut self, turn: &Turn, id: ClientOrderId, fill: Fill, step: &mut Out) -> bool {
        let Some(entry) = self.durable.orders.get(&id) else { return false };
        if entry.fills.contains(&fill.trade_id) && !planted("fill-applied-twice") {
            return false;
        }
        if planted("late-fill-dropped") && entry.order.status.is_final() {
            return false;
        }
        let fill = Fill { fee: if planted("fee-forgotten") { nightdesk_units::Qty::ZERO } else { fill.fee }, ..fill };
        let mut after = entry.order;
        let quote = fill.price.notional(fill.qty).unwrap_or_default();
        if let Err(refused) = after.apply(OrderEvent::Fill { qty: fill.qty, quote }) {
            let symbol = entry.order.spec.symbol;
            let status = entry.order.status.as_str();
            let reason = format!("order {id} is {status}, but fill {} of {} came: {refused}", fill.trade_id, fill.qty);
            self.quarantine(turn, symbol, reason, step);
            return false;
        }
        self.record(&Fact::Fill { id, fill }, turn, step);
        self.reconciler.balances_moved();
        if self.durable.mode.level == Level::Liquidating {
            // A purchase that was under way: it is to be sold too.
            self.liquidate_at.get_or_insert(turn.now);
        }
        true
    }

    fn status(&mut self, turn: &Turn, id: ClientOrderId, report: &ExecutionReport, step: &mut Out) {
        let exchange_id = Some(report.exchange_order_id);
        let Some(order) = self.durable.orders.get(&id).map(|entry| entry.order) else { return };
        if report.filled > order.filled {
            self.order_event(turn, id, OrderEvent::ExecutedUpTo { filled: report.filled }, None, exchange_id, step);
        }
        let event = match report.status {
            ExchangeStatus::New | ExchangeStatus::PartiallyFilled if !order.status.is_final() => OrderEvent::Acked,
            ExchangeStatus::Canceled if order.status != Status::Filled => OrderEvent::Canceled,
            ExchangeStatus::Expired if order.status != Status::Filled => OrderEvent::Expired,
            ExchangeStatus::Rejected => OrderEvent::Rejected,
            _ => {
                // All is said by the fills; only the exchange's id may be news.
                let learns = order.exchange_order_id.is_none() && report.filled.is_positive();
                if learns {
                    let filled = report.filled;
                    self.order_event(turn, id, OrderEvent::ExecutedUpTo { filled }, None, exchange_id, step);
                }
                return;
            }
        };
        self.order_event(turn, id, event, None, exchange_id, step);
    }

    /// After one or more changes to an order: its strategy and capital-manager hear of the result, once.
    fn after(&mut self, turn: &Turn, id: ClientOrderId, before: Status, fill: Option<Fill>, step: &mut Out) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let status = entry.order.status;
        let told = matches!(status, Status::Open) || status.is_final();
        if fill.is_some() || (status != before && told) {
            self.tell_worker(turn, entry, fill, step);
        }
        if fill.is_some() || (entry.order.is_settled() && !before.is_final()) {
            self.settle(turn, id, step);
        }
        self.watch(turn, id, false);
    }

    /// Tells capital-manager what the order has used, and whether it is over.
    pub(crate) fn settle(&self, turn: &Turn, id: ClientOrderId, step: &mut Out) {
        let Some(entry) = self.durable.orders.get(&id) else { return };
        let spec = &entry.order.spec;
        let settled = AllocationSettled {
            intent_id: spec.intent_id,
            instance: spec.instance,
            symbol: spec.symbol,
            granted: !entry.reduces,
            over: entry.order.is_settled(),
            used: entry.spent(),
            holding: self.durable.holding(spec.instance, spec.symbol),
            at: turn.now,
        };
        step.send(Queue::CAPITAL, Message::AllocationSettled(settled));
    }

    /// Takes an order up that the exchange has and the book lacks, if it is of our making.
    fn adopt(&mut self, turn: &Turn, report: &ExecutionReport, step: &mut Out) -> bool {
        match report.client_order_id.parts() {
            Some((instance, _)) => {
                tracing::warn!(order.id = %report.client_order_id, "order of ours found at the exchange, adopted");
                self.record(&Fact::Adopted { report: *report, instance, at: turn.now }, turn, step);
                if !report.status.is_final() {
                    self.cancel_risk(turn, step);
                }
                true
            }
            None => {
                let reason = format!("order {} at the exchange is not ours", report.client_order_id);
                self.quarantine(turn, report.symbol, reason, step);
                false
            }
        }
    }
}
