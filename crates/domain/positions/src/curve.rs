//! An equity curve: hourly points in UTC, its peak, its drawdown, and profit by day.
//!
//! Points are added whenever the caller values the book. The first one at or after each full hour is kept; the others
//! only move peak, drawdown and today's figure. Money that was paid in or out is no profit: see [`EquityCurve::flow`].

use std::collections::VecDeque;

use nightdesk_units::{Decimal, Money, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Days of which the profit is remembered.
const DAYS: usize = 400;

/// Equity at a full hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourPoint {
    /// Hours since the epoch.
    pub hour: i64,
    /// Equity, by the first valuation at or after the hour.
    pub equity: Money,
    /// Paid in (negative: out) since the point before.
    pub flow: Money,
}

/// An equity curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityCurve {
    capacity: usize,
    hours: VecDeque<HourPoint>,
    last: Option<(Timestamp, Money)>,
    peak: Money,
    max_drawdown: Decimal,
    /// Paid in since the last hour's point.
    flow: Money,
    /// The present day (days since the epoch) and the equity it began with, flows added.
    day: Option<(i64, Money)>,
    /// The present month (months since year 0) and the equity it began with, flows added.
    month: Option<(i64, Money)>,
    /// Finished days and their profit.
    days: VecDeque<(i64, Money)>,
}

impl EquityCurve {
    /// An empty curve that keeps `capacity` hours.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            hours: VecDeque::new(),
            last: None,
            peak: Money::ZERO,
            max_drawdown: Decimal::ZERO,
            flow: Money::ZERO,
            day: None,
            month: None,
            days: VecDeque::new(),
        }
    }

    /// Adds a valuation. One that is older than the last is ignored: time does not go back.
    pub fn push(&mut self, at: Timestamp, equity: Money) {
        if self.last.is_some_and(|(last, _)| at < last) {
            return;
        }
        self.turn_day(at, equity);
        let month = month_of(at);
        if self.month.is_none_or(|(current, _)| current != month) {
            self.month = Some((month, equity));
        }
        let hour = at.0.div_euclid(HOUR);
        if self.hours.back().is_none_or(|point| point.hour < hour) {
            self.hours.push_back(HourPoint { hour, equity, flow: std::mem::take(&mut self.flow) });
            while self.hours.len() > self.capacity {
                self.hours.pop_front();
            }
        }
        self.last = Some((at, equity));
        self.peak = self.peak.max(equity);
        self.max_drawdown = self.max_drawdown.max(self.drawdown_at(equity));
    }

    fn turn_day(&mut self, at: Timestamp, equity: Money) {
        let today = at.0.div_euclid(DAY);
        match self.day {
            Some((day, _)) if day == today => return,
            // What happened between the last valuation of a day and the first of the next belongs to the day before.
            Some((day, began)) => self.days.push_back((day, less(equity, began))),
            None => {}
        }
        while self.days.len() > DAYS {
            self.days.pop_front();
        }
        self.day = Some((today, equity));
    }

    /// Money was paid in (negative: out): peak and beginnings move along, so that it is neither profit nor drawdown.
    pub fn flow(&mut self, amount: Money) {
        let Some((_, equity)) = &mut self.last else { return };
        *equity = plus(*equity, amount);
        self.peak = plus(self.peak, amount);
        self.flow = plus(self.flow, amount);
        for (_, began) in self.day.iter_mut().chain(&mut self.month) {
            *began = plus(*began, amount);
        }
    }

    /// Hourly points, oldest first.
    pub fn hours(&self) -> impl DoubleEndedIterator<Item = &HourPoint> + ExactSizeIterator {
        self.hours.iter()
    }

    /// The last valuation.
    #[must_use]
    pub const fn last(&self) -> Option<(Timestamp, Money)> {
        self.last
    }

    /// The highest equity, flows added.
    #[must_use]
    pub const fn peak(&self) -> Money {
        self.peak
    }

    /// How far `equity` is below the peak, in per cent of the peak, to four decimal places.
    #[must_use]
    pub fn drawdown_at(&self, equity: Money) -> Decimal {
        let down = less(self.peak, equity);
        if !self.peak.is_positive() || !down.is_positive() {
            return Decimal::ZERO;
        }
        percent(down, self.peak).unwrap_or(Decimal::ONE_HUNDRED)
    }

    /// The deepest drawdown of any valuation so far, in per cent of the peak before it.
    #[must_use]
    pub const fn max_drawdown(&self) -> Decimal {
        self.max_drawdown
    }

    /// Profit of the present day (UTC) at `equity`.
    #[must_use]
    pub fn today_at(&self, equity: Money) -> Money {
        self.day.map_or(Money::ZERO, |(_, began)| less(equity, began))
    }

    /// Profit of the present month (UTC) at `equity`, in per cent of what the month began with.
    #[must_use]
    pub fn month_return_at(&self, equity: Money) -> Option<Decimal> {
        self.month.and_then(|(_, began)| percent(less(equity, began), began))
    }

    /// Finished days (days since the epoch) and their profit, oldest first.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (i64, Money)> + ExactSizeIterator {
        self.days.iter().copied()
    }
}

/// `part` of `whole` in per cent, to four decimal places; `None` without a whole above zero.
pub(crate) fn percent(part: Money, whole: Money) -> Option<Decimal> {
    if !whole.is_positive() {
        return None;
    }
    let ratio = part.get().checked_div(whole.get())?;
    Some(ratio.checked_mul(Decimal::ONE_HUNDRED)?.round_dp(4).normalize())
}

fn plus(a: Money, b: Money) -> Money {
    Money::new(a.get().saturating_add(b.get()))
}

fn less(a: Money, b: Money) -> Money {
    Money::new(a.get().saturating_sub(b.get()))
}

/// Months since year 0, by the civil-from-days algorithm (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn month_of(at: Timestamp) -> i64 {
    let z = at.0.div_euclid(DAY) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 2 } else { mp - 10 };
    (era * 400 + yoe + i64::from(mp >= 10)) * 12 + month
}

#[cfg(test)]
#[path = "curve_tests.rs"]
mod tests;
