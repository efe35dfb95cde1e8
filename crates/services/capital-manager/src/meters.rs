//! The capital manager's figures for `/metrics` (R0.4).

use std::collections::BTreeMap;
use std::fmt;

use metrics::{Counter, Gauge, Histogram};
use nightdesk_capital::{Answer, CapitalKpis, Percent};
use nightdesk_platform::kpi;
use nightdesk_units::{Decimal, InstanceId, Micros, Timestamp};

/// Between two looks at the gauges while requests come in.
const EVERY: Micros = Micros::from_secs(1);

/// Handles of the measures.
pub(crate) struct Meters {
    seconds: Histogram,
    granted: Counter,
    rejected: Counter,
    rejection_ratio: Gauge,
    roi: Gauge,
    risk: Gauge,
    strategy_risk: BTreeMap<InstanceId, Gauge>,
    shown_at: Option<Timestamp>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").field("shown_at", &self.shown_at).finish_non_exhaustive()
    }
}

impl Meters {
    pub(crate) fn new(instances: impl Iterator<Item = InstanceId>) -> Self {
        let of = |instance: InstanceId| (instance, kpi::CAPITAL_RISK_BUDGET_USAGE.gauge(&[instance.as_str()]));
        Self {
            seconds: kpi::CAPITAL_REQUEST_SECONDS.histogram(&[]),
            granted: kpi::CAPITAL_REQUESTS.counter(&["granted"]),
            rejected: kpi::CAPITAL_REQUESTS.counter(&["rejected"]),
            rejection_ratio: kpi::CAPITAL_REJECTION_RATIO.gauge(&[]),
            roi: kpi::CAPITAL_RETURN.gauge(&[]),
            risk: kpi::CAPITAL_RISK_BUDGET_USAGE.gauge(&["portfolio"]),
            strategy_risk: instances.map(of).collect(),
            shown_at: None,
        }
    }

    /// A request was answered. It took from when it was asked to now: the way here, the queue, and the turn's beginning.
    pub(crate) fn answered(&self, answer: &Answer, asked: Timestamp, now: Timestamp) {
        self.seconds.record(now.since(asked).to_duration().as_secs_f64());
        match answer {
            Answer::Granted { .. } => self.granted.increment(1),
            Answer::Denied { .. } => self.rejected.increment(1),
        }
    }

    /// True when the gauges are older than a second; they then count as new.
    pub(crate) fn are_due(&mut self, now: Timestamp) -> bool {
        let due = self.shown_at.is_none_or(|at| now.since(at) >= EVERY);
        if due {
            self.shown_at = Some(now);
        }
        due
    }

    pub(crate) fn show(&self, kpis: &CapitalKpis) {
        self.rejection_ratio.set(ratio(kpis.portfolio.rejection_rate));
        self.roi.set(ratio(kpis.portfolio.roi));
        self.risk.set(ratio(kpis.portfolio.risk_budget_used));
        for (instance, gauge) in &self.strategy_risk {
            gauge.set(kpis.strategies.get(instance).map_or(0.0, |own| ratio(own.risk_budget_used)));
        }
    }
}

fn ratio(percent: Percent) -> f64 {
    let ratio = percent.get().checked_mul(Decimal::new(1, 2));
    ratio.and_then(|ratio| f64::try_from(ratio).ok()).unwrap_or(f64::NAN)
}
