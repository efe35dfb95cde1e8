//! What dashboards, drawdown limits and daily reports want to know, computed at the present marks.

use std::collections::BTreeMap;

use nightdesk_units::{Asset, Decimal, InstanceId, Money, OutOfRange, Qty};
use serde::{Deserialize, Serialize};

use crate::{EquityCurve, Portfolio, sharpe, value_at_risk_95_pct};

/// Figures of a strategy or of the portfolio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Equity: what the balances are worth; for a strategy, its allocation plus profit.
    pub equity: Money,
    /// Profit since the beginning, realised and open, after fees.
    pub pnl: Money,
    /// The part of it that is realised, after fees in base and quote.
    pub realised: Money,
    /// The part of it that is open.
    pub open: Money,
    /// Profit of the present day (UTC).
    pub today: Money,
    /// Present drawdown, per cent of the peak.
    pub drawdown_pct: Decimal,
    /// Deepest drawdown, per cent of the peak before it.
    pub max_drawdown_pct: Decimal,
    /// Return of the present month (UTC), per cent; `None` before the first sample.
    pub month_return_pct: Option<Decimal>,
    /// See [`sharpe`].
    pub sharpe: Option<f64>,
    /// See [`value_at_risk_95_pct`].
    pub var_95_pct: Option<f64>,
    /// Every fee paid, by asset.
    pub fees: BTreeMap<Asset, Qty>,
    /// Fills applied.
    pub fills: u64,
}

impl Portfolio {
    /// Figures of a strategy, or without one of the portfolio, at the present marks. Walks 30 days of hourly points: for
    /// reports and scrapes, not for every quote.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn figures(&self, instance: Option<InstanceId>) -> Result<Figures, OutOfRange> {
        match instance {
            Some(instance) => self.figures_of(instance),
            None => self.figures_of_all(),
        }
    }

    /// Present drawdown in per cent, of a strategy or of the portfolio: the one figure that limits need often.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn drawdown_pct(&self, instance: Option<InstanceId>) -> Result<Decimal, OutOfRange> {
        match instance {
            None => Ok(self.curve().drawdown_at(self.equity()?)),
            Some(instance) => {
                let Some(book) = self.strategy(instance) else { return Ok(Decimal::ZERO) };
                Ok(book.curve.drawdown_at(book.allocation.add(self.pnl(instance)?)?))
            }
        }
    }

    fn figures_of(&self, instance: InstanceId) -> Result<Figures, OutOfRange> {
        let empty = EquityCurve::new(0);
        let book = self.strategy(instance);
        let (realised, open, other_fees) = self.profit(instance)?;
        let pnl = realised.add(open)?.sub(other_fees)?;
        let equity = book.map_or(Money::ZERO, |book| book.allocation).add(pnl)?;
        let mut fees = BTreeMap::new();
        for position in book.iter().flat_map(|book| book.positions.values()) {
            add_fees(&mut fees, &position.fees)?;
        }
        let curve = book.map_or(&empty, |book| &book.curve);
        Ok(Figures { pnl, realised, open, fees, fills: book.map_or(0, |book| book.fills), ..on_curve(curve, equity) })
    }

    fn figures_of_all(&self) -> Result<Figures, OutOfRange> {
        let mut sum = on_curve(self.curve(), self.equity()?);
        for (instance, book) in self.strategies() {
            let (realised, open, other_fees) = self.profit(instance)?;
            sum.realised = sum.realised.add(realised)?;
            sum.open = sum.open.add(open)?;
            sum.pnl = sum.pnl.add(realised.add(open)?.sub(other_fees)?)?;
            sum.fills = sum.fills.saturating_add(book.fills);
            for position in book.positions.values() {
                add_fees(&mut sum.fees, &position.fees)?;
            }
        }
        Ok(sum)
    }
}

/// The figures that a curve alone gives, at `equity`.
fn on_curve(curve: &EquityCurve, equity: Money) -> Figures {
    let drawdown_pct = curve.drawdown_at(equity);
    Figures {
        equity,
        pnl: Money::ZERO,
        realised: Money::ZERO,
        open: Money::ZERO,
        today: curve.today_at(equity),
        drawdown_pct,
        max_drawdown_pct: curve.max_drawdown().max(drawdown_pct),
        month_return_pct: curve.month_return_at(equity),
        sharpe: sharpe(curve),
        var_95_pct: value_at_risk_95_pct(curve),
        fees: BTreeMap::new(),
        fills: 0,
    }
}

fn add_fees(sum: &mut BTreeMap<Asset, Qty>, fees: &BTreeMap<Asset, Qty>) -> Result<(), OutOfRange> {
    for (asset, fee) in fees {
        let paid = sum.entry(*asset).or_default();
        *paid = paid.add(*fee)?;
    }
    Ok(())
}
