//! The connector's figures for `/metrics` (R0.2).

use std::sync::Mutex;
use std::sync::PoisonError;

use nightdesk_exchange::LimitUsage;
use nightdesk_market::Side;
use nightdesk_orders::ExecutionReport;
use nightdesk_units::{Decimal, Micros, Price};

/// Figures since the start, shared with whoever renders them.
#[derive(Debug, Default)]
pub struct Gauges(Mutex<Figures>);

/// The figures.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Orders that ended.
    pub orders_ended: u64,
    /// Of these, orders that executed completely.
    pub orders_filled: u64,
    /// Base quantity executed over base quantity ordered, of orders that ended, each weighing the same.
    pub fill_ratio_sum: f64,
    /// Sum over executed orders of (execution price − reference) / reference, positive when it cost us.
    pub slippage_sum: f64,
    /// How many orders that sum is over.
    pub slippage_count: u64,
    /// Placements whose outcome was unknown at first.
    pub in_doubt: u64,
    /// Longest and total time from doubt to certainty.
    pub doubt_resolved: u64,
    /// Total time from doubt to certainty.
    pub doubt_time: Micros,
    /// Longest time from doubt to certainty.
    pub doubt_time_max: Micros,
    /// Use of the exchange's limits.
    pub limits: LimitUsage,
    /// Quotes, trades and book changes received.
    pub market_messages: u64,
}

impl Figures {
    /// Share of what was ordered that executed, 0 to 1; `None` before the first order ended.
    #[must_use]
    pub fn fill_rate(&self) -> Option<f64> {
        (self.orders_ended > 0).then(|| self.fill_ratio_sum / self.orders_ended as f64)
    }

    /// Mean slippage as a ratio of the price at the decision, positive when it cost us.
    #[must_use]
    pub fn mean_slippage(&self) -> Option<f64> {
        (self.slippage_count > 0).then(|| self.slippage_sum / self.slippage_count as f64)
    }
}

impl Gauges {
    /// A copy of the figures.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// An order ended as `report` says; `reference` is the mid price at its decision.
    pub(crate) fn ended(&self, report: &ExecutionReport, reference: Price) {
        let ratio = |a: Decimal, b: Decimal| a.checked_div(b).and_then(|r| f64::try_from(r).ok());
        let filled = ratio(report.filled.get(), report.qty.get()).unwrap_or(0.0);
        let paid = report.filled_quote.per(report.filled).ok();
        let slippage = paid.and_then(|paid| ratio(paid.sub(reference).ok()?.get(), reference.get()));
        self.update(|figures| {
            figures.orders_ended += 1;
            figures.orders_filled += u64::from(report.filled == report.qty);
            figures.fill_ratio_sum += filled;
            if let Some(slippage) = slippage.filter(|_| reference.is_positive()) {
                figures.slippage_sum += if report.side == Side::Buy { slippage } else { -slippage };
                figures.slippage_count += 1;
            }
        });
    }
}
