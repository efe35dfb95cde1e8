//! Sharpe ratio and value at risk, from the hourly points of an equity curve. Floats: nothing is booked from them.
//!
//! Both look at the last [`WINDOW_HOURS`] (30 days). A return is (equity − paid in) / equity before − 1. A missing hour
//! makes no return: neither an hour of two hours' length nor a day of 25 is pretended.

use nightdesk_units::{Decimal, Money};

use crate::{EquityCurve, HourPoint};

/// Hours looked at.
pub const WINDOW_HOURS: usize = 24 * 30;
/// Hourly returns without which there is no Sharpe ratio.
pub const MIN_HOURS_SHARPE: usize = 48;
/// 24-hour returns without which there is no value at risk: fewer would make the 5 % quantile the single worst one.
pub const MIN_HOURS_VAR: usize = 48;
/// Crypto markets do not close.
const HOURS_A_YEAR: f64 = 365.0 * 24.0;

/// Sharpe ratio of hourly returns over a risk-free rate of zero, with the sample deviation, annualised by √(365·24).
/// `None` with fewer than [`MIN_HOURS_SHARPE`] returns, or when they do not vary.
#[must_use]
pub fn sharpe(curve: &EquityCurve) -> Option<f64> {
    let returns = returns_over(curve, 1);
    if returns.len() < MIN_HOURS_SHARPE {
        return None;
    }
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let ratio = mean / variance.sqrt() * HOURS_A_YEAR.sqrt();
    (variance > 0.0 && ratio.is_finite()).then_some(ratio)
}

/// Value at risk of one day at 95 %, in per cent of equity, by historical simulation: the loss that was exceeded by 5 % of the
/// overlapping 24-hour returns (nearest rank). Zero when even that return was a gain; `None` with fewer than
/// [`MIN_HOURS_VAR`] such returns.
#[must_use]
pub fn value_at_risk_95_pct(curve: &EquityCurve) -> Option<f64> {
    let mut returns = returns_over(curve, 24);
    if returns.len() < MIN_HOURS_VAR {
        return None;
    }
    returns.sort_by(f64::total_cmp);
    let rank = returns.len().div_ceil(20);
    returns.get(rank - 1).map(|quantile| (-quantile * 100.0).max(0.0))
}

/// Returns over `hours` hours, one for each pair of points that far apart, within the window.
fn returns_over(curve: &EquityCurve, hours: i64) -> Vec<f64> {
    let points: Vec<&HourPoint> = curve.hours().rev().take(WINDOW_HOURS + 1).collect();
    let mut returns = Vec::with_capacity(points.len());
    let mut flow = Decimal::ZERO;
    let mut start = 0;
    // Newest first: `start` runs ahead of `end` into the past, and `flow` is what was paid in between them.
    for end in 0..points.len() {
        while start < points.len() && points[start].hour > points[end].hour - hours {
            flow = flow.saturating_add(points[start].flow.get());
            start += 1;
        }
        let Some(before) = points.get(start) else { break };
        if before.hour == points[end].hour - hours {
            let after = Money::new(points[end].equity.get().saturating_sub(flow));
            returns.extend(simple_return(before.equity, after));
        }
        flow = flow.saturating_sub(points[end].flow.get());
    }
    returns.reverse();
    returns
}

fn simple_return(before: Money, after: Money) -> Option<f64> {
    let (before, after) = (f64::try_from(before.get()).ok()?, f64::try_from(after.get()).ok()?);
    (before > 0.0).then(|| after / before - 1.0)
}

#[cfg(test)]
mod tests {
    use nightdesk_units::Timestamp;

    use super::*;
    use crate::curve::HOUR;

    fn curve(equities: impl IntoIterator<Item = (i64, i64)>) -> EquityCurve {
        let mut curve = EquityCurve::new(10_000);
        for (hour, equity) in equities {
            curve.push(Timestamp(hour * HOUR), Money::new(equity.into()));
        }
        curve
    }

    #[test]
    fn too_few_points_give_no_figure() {
        let short = curve((0..48).map(|h| (h, 1_000 + h % 7)));
        assert_eq!((sharpe(&short), value_at_risk_95_pct(&short)), (None, None));
        assert!(sharpe(&curve((0..49).map(|h| (h, 1_000 + h % 7)))).is_some());
        assert!(value_at_risk_95_pct(&curve((0..71).map(|h| (h, 1_000 + h % 7)))).is_none());
        assert!(value_at_risk_95_pct(&curve((0..72).map(|h| (h, 1_000 + h % 7)))).is_some());
    }

    #[test]
    fn the_sharpe_ratio_of_a_known_series() {
        // Returns alternate between +2 % and −1 %: mean 0.005, deviation 0.015 × √(n/(n−1)).
        let mut equity = 1e12;
        let series: Vec<(i64, i64)> = (0..=100)
            .map(|h| {
                let now = equity as i64;
                equity *= if h % 2 == 0 { 1.02 } else { 0.99 };
                (h, now)
            })
            .collect();
        let expected = 0.005 / (0.015 * (100.0f64 / 99.0).sqrt()) * 8_760.0f64.sqrt();
        assert!((sharpe(&curve(series)).unwrap() - expected).abs() < 1e-6);
    }

    #[test]
    fn equity_that_does_not_move_has_no_ratio_and_no_risk() {
        let still = curve((0..100).map(|h| (h, 1_000)));
        assert_eq!((sharpe(&still), value_at_risk_95_pct(&still)), (None, Some(0.0)));
    }

    #[test]
    fn value_at_risk_is_the_twentieth_worst_share_of_daily_returns() {
        // One hundred 24-hour returns, of which the last five hours end 10, 20, 30, 40 and 50 % down.
        let series = (0..124).map(|h| (h, if h < 119 { 1_000 } else { 1_000 - (h - 118) * 100 }));
        assert!((value_at_risk_95_pct(&curve(series)).unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_makes_no_return_and_a_payment_none_either() {
        let gap = curve((0..60).filter(|h| h % 2 == 0).map(|h| (h, 1_000 + h)));
        assert!(returns_over(&gap, 1).is_empty());
        assert_eq!(returns_over(&gap, 24).len(), 18);
        let mut paid = curve([(0, 1_000), (1, 1_000)]);
        paid.flow(Money::new(500.into()));
        paid.push(Timestamp(2 * HOUR), Money::new(1_530.into()));
        paid.push(Timestamp(3 * HOUR), Money::new(1_530.into()));
        let shown: Vec<String> = returns_over(&paid, 1).iter().map(|r| format!("{r:.4}")).collect();
        assert_eq!(shown, ["0.0000", "0.0300", "0.0000"]);
        assert_eq!(returns_over(&paid, 2).iter().map(|r| format!("{r:.4}")).collect::<Vec<_>>(), ["0.0300", "0.0300"]);
    }

    #[test]
    fn only_the_window_counts() {
        let crash_long_ago = curve((0..2_000).map(|h| (h, if h < 100 { 10_000 - h * 90 } else { 1_000 })));
        assert_eq!(value_at_risk_95_pct(&crash_long_ago), Some(0.0));
    }
}
