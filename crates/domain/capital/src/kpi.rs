//! The capital manager's figures for dashboards: risk budget usage, return on investment, rejection rate.

use std::collections::BTreeMap;

use nightdesk_units::{InstanceId, Money};
use serde::{Deserialize, Serialize};

use crate::{CapitalBook, Percent, Tally};

/// One strategy's figures, or the portfolio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyKpis {
    /// Capital it may use.
    pub allocation: Money,
    /// Held at cost and set aside.
    pub exposure: Money,
    /// What it risks now: see [`CapitalBook::risk`].
    pub risk: Money,
    /// What it may risk.
    pub risk_budget: Money,
    /// `risk` of `risk_budget`.
    pub risk_budget_used: Percent,
    /// Profit or loss of its allocation since the beginning.
    pub roi: Percent,
    /// Drawdown now.
    pub drawdown: Percent,
    /// Requests answered.
    pub tally: Tally,
    /// Denied requests of all.
    pub rejection_rate: Percent,
}

/// The capital manager's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapitalKpis {
    /// The portfolio's.
    pub portfolio: StrategyKpis,
    /// Set aside for open orders.
    pub granted: Money,
    /// Each strategy's.
    pub strategies: BTreeMap<InstanceId, StrategyKpis>,
}

impl Tally {
    /// Denied requests of all, zero before the first.
    #[must_use]
    pub fn rejection_rate(&self) -> Percent {
        let (denied, all) = (self.denied.into(), self.denied.saturating_add(self.granted).into());
        Percent::ratio_of(Money::new(denied), Money::new(all)).unwrap_or_default()
    }
}

impl CapitalBook {
    /// All figures as of now.
    #[must_use]
    pub fn kpis(&self) -> CapitalKpis {
        let rules = self.rules();
        let strategies = rules.strategies.iter().map(|(instance, strategy)| {
            let allocation = strategy.allocation.of(rules.total).unwrap_or_default();
            let budget = strategy.risk_budget.of(allocation).unwrap_or_default();
            (*instance, self.kpis_of(Some(*instance), allocation, budget, self.tally_of(*instance)))
        });
        let strategies: BTreeMap<_, _> = strategies.collect();
        let tally = strategies.values().fold(Tally::default(), |sum, kpis| Tally {
            granted: sum.granted.saturating_add(kpis.tally.granted),
            denied: sum.denied.saturating_add(kpis.tally.denied),
        });
        let budget = rules.risk_budget.of(rules.total).unwrap_or_default();
        let portfolio = self.kpis_of(None, rules.total, budget, tally);
        CapitalKpis { portfolio, granted: self.granted(), strategies }
    }

    fn kpis_of(
        &self,
        instance: Option<InstanceId>,
        allocation: Money,
        risk_budget: Money,
        tally: Tally,
    ) -> StrategyKpis {
        let performance = self.performance(instance);
        // Risk beyond the range of decimals is shown as the whole budget.
        let risk = self.risk(instance, Money::ZERO).unwrap_or(risk_budget);
        StrategyKpis {
            allocation,
            exposure: self.exposure(instance),
            risk,
            risk_budget,
            risk_budget_used: Percent::ratio_of(risk, risk_budget).unwrap_or_default(),
            roi: Percent::ratio_of(performance.pnl, allocation).unwrap_or_default(),
            drawdown: performance.drawdown,
            tally,
            rejection_rate: tally.rejection_rate(),
        }
    }
}
