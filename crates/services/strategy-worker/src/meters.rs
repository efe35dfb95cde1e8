//! A worker's figures for `/metrics` (R0.3). PnL, Sharpe ratio and drawdown are core-engine's.

use std::fmt;

use metrics::{Counter, Gauge};
use nightdesk_platform::kpi;
use nightdesk_units::InstanceId;

use crate::state::Tally;

/// Handles of the measures.
pub(crate) struct Meters {
    trades: Counter,
    errors: Counter,
    error_ratio: Gauge,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Meters {
    pub(crate) fn new(instance: InstanceId) -> Self {
        let labels = &[instance.as_str()];
        Self {
            trades: kpi::STRATEGY_TRADES.counter(labels),
            errors: kpi::STRATEGY_ERRORS.counter(labels),
            error_ratio: kpi::STRATEGY_ERROR_RATIO.gauge(labels),
        }
    }

    /// The tally moved from `before` to `after`.
    pub(crate) fn count(&self, before: Tally, after: Tally) {
        if before == after {
            return;
        }
        self.trades.increment(after.filled.saturating_sub(before.filled));
        self.errors.increment(after.rejected.saturating_sub(before.rejected));
        self.error_ratio.set(after.error_ratio());
    }

    /// The instance failed.
    pub(crate) fn failed(&self) {
        self.errors.increment(1);
    }
}
