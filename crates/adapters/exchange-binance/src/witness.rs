//! Whether the user stream tells what it must. An order that the exchange acknowledged by REST is also reported on the
//! stream; when the report does not come the stream is silently stale, however well its pings are answered. Pure.

use std::collections::BTreeMap;

use nightdesk_orders::{ClientOrderId, ExecutionReport};
use tokio::time::Instant;

/// What was acknowledged, and so which report must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expected {
    /// Any report of the order.
    Placed,
    /// One that ends the order.
    Ended,
}

/// Reports that must come.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    waiting: BTreeMap<(ClientOrderId, Expected), Option<Instant>>,
}

impl Witness {
    /// A request is about to leave. Said before it does, because the report may come before the answer.
    pub(crate) fn begin(&mut self, id: ClientOrderId, expected: Expected) {
        self.waiting.insert((id, expected), None);
    }

    /// The exchange acknowledged: the report must come by `deadline`.
    pub(crate) fn acknowledged(&mut self, id: ClientOrderId, expected: Expected, deadline: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&(id, expected)) {
            *waiting = Some(deadline);
        }
    }

    /// The request failed, or nobody knows: no report need come.
    pub(crate) fn abandon(&mut self, id: ClientOrderId, expected: Expected) {
        self.waiting.remove(&(id, expected));
    }

    /// A report came.
    pub(crate) fn seen(&mut self, report: &ExecutionReport) {
        self.waiting.remove(&(report.client_order_id, Expected::Placed));
        if report.status.is_final() {
            self.waiting.remove(&(report.client_order_id, Expected::Ended));
        }
    }

    /// An order whose report is overdue.
    pub(crate) fn overdue(&self, now: Instant) -> Option<ClientOrderId> {
        let late = |deadline: &Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        self.waiting.iter().find(|(_, deadline)| late(deadline)).map(|((id, _), _)| *id)
    }

    /// The stream was cut: what it owed is asked for by other means.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nightdesk_market::Side;
    use nightdesk_orders::{ExchangeStatus, OrderKind};
    use nightdesk_units::{Money, Qty, Timestamp};

    use super::*;

    fn report(id: ClientOrderId, status: ExchangeStatus) -> ExecutionReport {
        ExecutionReport {
            symbol: "BTCUSDT".parse().unwrap(),
            client_order_id: id,
            exchange_order_id: 1,
            side: Side::Buy,
            kind: OrderKind::Market,
            qty: Qty::ZERO,
            status,
            filled: Qty::ZERO,
            filled_quote: Money::ZERO,
            fill: None,
            at: Timestamp(0),
        }
    }

    #[test]
    fn a_report_is_overdue_only_after_an_acknowledgement_and_its_deadline() {
        let (mut witness, id, now) = (Witness::default(), "nd-1".parse().unwrap(), Instant::now());
        witness.begin(id, Expected::Placed);
        let late = now + Duration::from_secs(9);
        assert_eq!(witness.overdue(late), None);
        witness.acknowledged(id, Expected::Placed, now + Duration::from_secs(5));
        assert_eq!((witness.overdue(now), witness.overdue(late)), (None, Some(id)));
        witness.seen(&report(id, ExchangeStatus::New));
        assert_eq!(witness.overdue(late), None);
    }

    #[test]
    fn a_report_before_the_answer_counts_and_a_cancel_needs_a_final_one() {
        let (mut witness, id, now) = (Witness::default(), "nd-1".parse().unwrap(), Instant::now());
        witness.begin(id, Expected::Placed);
        witness.begin(id, Expected::Ended);
        witness.seen(&report(id, ExchangeStatus::New));
        witness.acknowledged(id, Expected::Placed, now);
        assert_eq!(witness.overdue(now), None);
        witness.acknowledged(id, Expected::Ended, now);
        assert_eq!(witness.overdue(now), Some(id));
        witness.seen(&report(id, ExchangeStatus::Canceled));
        assert_eq!(witness.overdue(now), None);
    }

    #[test]
    fn a_failed_request_and_a_cut_owe_nothing() {
        let (mut witness, id, now) = (Witness::default(), "nd-1".parse().unwrap(), Instant::now());
        for forget in [|w: &mut Witness, id| w.abandon(id, Expected::Placed), |w: &mut Witness, _| w.clear()] {
            witness.begin(id, Expected::Placed);
            forget(&mut witness, id);
            witness.acknowledged(id, Expected::Placed, now);
            assert_eq!(witness.overdue(now), None);
        }
    }
}
