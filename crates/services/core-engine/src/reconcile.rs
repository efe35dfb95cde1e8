//! Reconciliation: what the exchange knows repairs our book, what nobody can know is quarantined, nothing is guessed.

use std::collections::BTreeMap;

use nightdesk_env::planted;
use nightdesk_exchange::Balance;
use nightdesk_orders::{ExecutionReport, Fill, Status};
use nightdesk_shell::Turn;
use nightdesk_units::{Asset, Micros, Money, Qty, Symbol, Timestamp};
use nightdesk_wire::{Message, Queue, ReconcileAnswer, ReconcileRequest, Resolve};

use crate::engine::{CoreEngine, Out};
use crate::fact::Fact;

/// How far before the last agreement the exchange is asked again: reports may come late.
const OVERLAP: Micros = Micros::from_secs(60);
/// How long an answer may take before it is asked for again.
const ANSWER_WITHIN: Micros = Micros::from_secs(20);
/// Before an answer that lacked something is asked for again.
const AFTER_FAILURE: Micros = Micros::from_secs(5);
/// Before a difference in balances is looked at a second time.
const SECOND_LOOK: Micros = Micros::from_secs(2);

/// Where the conversation with the exchange's view stands.
#[derive(Debug, Default)]
pub(crate) struct Reconciler {
    last_id: u64,
    asked: Option<(u64, Timestamp)>,
    next_at: Option<Timestamp>,
    last_good: Option<Timestamp>,
    /// Executions and transfers booked so far: a difference counts only if none came between two looks.
    moves: u64,
    suspicion: Option<Suspicion>,
    accept_balances: bool,
    /// Up to when an operator has looked at what others did in an instrument.
    looked: BTreeMap<Symbol, Timestamp>,
}

/// A difference in balances that has been seen once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspicion {
    differences: BTreeMap<Asset, (Qty, Qty)>,
    moves: u64,
}

impl Reconciler {
    pub(crate) fn last_good(&self) -> Option<Timestamp> {
        self.last_good
    }

    pub(crate) fn next_wakeup(&self) -> Option<Timestamp> {
        let overdue = self.asked.map(|(_, at)| at + ANSWER_WITHIN);
        [overdue, self.next_at].into_iter().flatten().min()
    }

    /// An execution or a transfer was booked.
    pub(crate) fn balances_moved(&mut self) {
        self.moves += 1;
    }

    /// An operator has looked: the exchange's balances count from the next answer on, and what others did before is known.
    pub(crate) fn accept(&mut self, symbol: Symbol, now: Timestamp) {
        self.accept_balances = true;
        self.looked.insert(symbol, now);
    }

    /// Whether an order that is not ours is over and concerns nobody: it executed nothing since an operator looked.
    fn is_settled_foreign(&self, report: &ExecutionReport, executed: &[Fill]) -> bool {
        let known = self.looked.get(&report.symbol).is_some_and(|looked| report.at <= *looked);
        report.client_order_id.parts().is_none() && report.status.is_final() && (executed.is_empty() || known)
    }
}

impl CoreEngine {
    pub(crate) fn ask_reconciliation(&mut self, turn: &Turn, step: &mut Out) {
        // Before the first look there is nothing of ours at the exchange.
        let since = if self.durable.opened { self.asked_from() } else { turn.now - OVERLAP };
        let reconciler = &mut self.reconciler;
        reconciler.last_id += 1;
        reconciler.asked = Some((reconciler.last_id, turn.now));
        reconciler.next_at = Some(turn.now + self.config.reconcile_every);
        let request = ReconcileRequest {
            id: reconciler.last_id,
            symbols: self.config.symbols(),
            since,
            urgent: reconciler.last_good.is_none(),
        };
        step.notify(Queue::CONNECTOR, Message::ReconcileRequest(request));
    }

    /// From when on the exchange's view is asked for.
    pub(crate) fn asked_from(&self) -> Timestamp {
        self.durable.reconciled_to - OVERLAP
    }

    pub(crate) fn reconcile_due(&mut self, turn: &Turn, step: &mut Out) {
        let due = self.reconciler.next_at.is_some_and(|at| at <= turn.now);
        let lost = self.reconciler.asked.is_some_and(|(_, at)| at + ANSWER_WITHIN <= turn.now);
        if due || lost {
            self.ask_reconciliation(turn, step);
        }
    }

    pub(crate) fn reconcile_answer(&mut self, turn: &Turn, answer: ReconcileAnswer, step: &mut Out) {
        // An answer to a question that was asked again: the newer one counts.
        if self.reconciler.asked.is_none_or(|(id, _)| id != answer.id) {
            return;
        }
        self.reconciler.asked = None;
        if !answer.failed.is_empty() {
            let soon = turn.now + AFTER_FAILURE;
            self.reconciler.next_at = self.reconciler.next_at.map(|at| at.min(soon)).or(Some(soon));
        }
        let opening = !self.durable.opened;
        if opening {
            if !answer.failed.is_empty() {
                return;
            }
            self.open_books(turn, &answer, step);
        } else {
            self.compare_orders(turn, &answer, step);
            // Without the executions of every instrument nobody can say what the balances should be.
            if !answer.failed.is_empty() {
                return;
            }
            self.compare_balances(turn, &answer.balances, step);
        }
        if answer.failed.is_empty() {
            let first = self.reconciler.last_good.replace(turn.now).is_none();
            if first {
                self.release_waiting(turn, step);
            }
            self.record(&Fact::Reconciled { up_to: answer.at }, turn, step);
        }
    }

    /// The first look: what the account holds is what we start from. Orders that are open already are somebody's else.
    fn open_books(&mut self, turn: &Turn, answer: &ReconcileAnswer, step: &mut Out) {
        self.take_balances(turn, &answer.balances, step);
        for report in answer.orders.iter().filter(|report| !report.status.is_final()) {
            let reason = format!("order {} was open before Nightdesk began", report.client_order_id);
            self.quarantine(turn, report.symbol, reason, step);
        }
    }

    fn compare_orders(&mut self, turn: &Turn, answer: &ReconcileAnswer, step: &mut Out) {
        if planted("gap-not-reconciled") {
            return;
        }
        let mut fills: BTreeMap<(Symbol, u64), Vec<Fill>> = BTreeMap::new();
        for trade in &answer.trades {
            fills.entry((trade.symbol, trade.exchange_order_id)).or_default().push(trade.fill);
        }
        let mut told = std::collections::BTreeSet::new();
        for report in &answer.orders {
            let executed = fills.remove(&(report.symbol, report.exchange_order_id)).unwrap_or_default();
            told.insert(report.client_order_id);
            if self.reconciler.is_settled_foreign(report, &executed) {
                continue;
            }
            self.report(turn, *report, &executed, step);
        }
        let asked_about = |symbol: &Symbol| !answer.failed.contains(symbol);
        let missing: Vec<Resolve> = self
            .durable
            .active_orders()
            .filter(|entry| {
                let order = &entry.order;
                let there = matches!(order.status, Status::Open | Status::PendingCancel);
                there && asked_about(&order.spec.symbol) && !told.contains(&order.spec.client_order_id)
            })
            .map(|entry| Resolve {
                symbol: entry.order.spec.symbol,
                client_order_id: entry.order.spec.client_order_id,
                exchange_order_id: entry.order.exchange_order_id,
            })
            .collect();
        for resolve in missing {
            // A difference counts only if a second, targeted read confirms it.
            step.notify(Queue::CONNECTOR, Message::Resolve(resolve));
        }
    }

    fn compare_balances(&mut self, turn: &Turn, told: &[Balance], step: &mut Out) {
        let differences = self.differences(told);
        if differences.is_empty() || self.is_unsettled() {
            let reconciler = &mut self.reconciler;
            (reconciler.accept_balances, reconciler.suspicion) =
                (reconciler.accept_balances && !differences.is_empty(), None);
            if reconciler.accept_balances {
                reconciler.next_at = Some(turn.now + SECOND_LOOK);
            }
            return;
        }
        if std::mem::take(&mut self.reconciler.accept_balances) {
            self.take_balances(turn, told, step);
            self.reconciler.suspicion = None;
            return;
        }
        let suspicion = Suspicion { differences, moves: self.reconciler.moves };
        if self.reconciler.suspicion.as_ref() != Some(&suspicion) {
            self.reconciler.suspicion = Some(suspicion);
            self.reconciler.next_at = Some(turn.now + SECOND_LOOK);
            return;
        }
        for (asset, (ours, theirs)) in suspicion.differences {
            let reason = format!("balance of {asset}: {ours} by our fills, {theirs} at the exchange");
            let concerned = self.durable.instruments.values().filter(|i| i.base == asset || i.quote == asset);
            for symbol in concerned.map(|instrument| instrument.symbol).collect::<Vec<_>>() {
                self.quarantine(turn, symbol, reason.clone(), step);
            }
        }
    }

    /// From here on our books start with what the exchange tells.
    fn take_balances(&mut self, turn: &Turn, told: &[Balance], step: &mut Out) {
        let portfolio = &self.durable.portfolio;
        let flows = self.durable.totals(told).into_iter().map(|(asset, total)| portfolio.flow_to(asset, total));
        let flow = flows.fold(Money::ZERO, |sum, flow| sum.add(flow).unwrap_or(sum));
        self.record(&Fact::Opening { balances: told.to_vec(), flow, at: turn.now }, turn, step);
    }

    /// Assets whose total differs: ours and the exchange's.
    fn differences(&self, told: &[Balance]) -> BTreeMap<Asset, (Qty, Qty)> {
        let both = |(asset, theirs)| (asset, (self.durable.portfolio.balance(asset), theirs));
        let all = self.durable.totals(told).into_iter().map(both);
        all.filter(|(_, (ours, theirs))| ours != theirs).collect()
    }

    /// True while executions may be under way that our book does not have yet.
    fn is_unsettled(&self) -> bool {
        self.durable.active_orders().any(|entry| {
            let order = &entry.order;
            let unknown = matches!(order.status, Status::PendingNew | Status::InDoubt | Status::PendingCancel);
            unknown || order.reported > order.filled
        })
    }
}
