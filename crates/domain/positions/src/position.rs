//! One strategy instance's position in one instrument: quantity, cost, realised profit and fees.

use std::collections::BTreeMap;

use nightdesk_market::Side;
use nightdesk_orders::Fill;
use nightdesk_units::{Asset, Money, OutOfRange, Price, Qty};
use serde::{Deserialize, Serialize};

/// Decimal places that the cost of a partial sale is rounded to, half to even. The rounding only moves a trifle between
/// what was sold and what is still held; their sum stays exact.
const COST_DIGITS: u32 = 12;

/// Why a fill was not applied; the position is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Spot is long only: this sells more than is held.
    #[error("a fill takes {taken} where {held} is held")]
    MoreThanHeld {
        /// Base quantity sold, and a fee in base.
        taken: Qty,
        /// Base quantity held.
        held: Qty,
    },
    /// Not a fill: its quantity or price is not above zero, or its fee is negative.
    #[error("not a fill: quantity and price must be above zero, the fee not below")]
    NotAFill,
    /// A sum leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// What a fill moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applied {
    /// Base quantity that came in (negative: went out), net of a fee in base.
    pub base: Qty,
    /// Quote currency that came in (negative: went out), net of a fee in quote.
    pub cash: Money,
    /// Profit realised, a fee in base or quote deducted.
    pub realised: Money,
}

/// A long position, or none.
///
/// Cost is kept as a sum and the average derived from it, so nothing is ever divided and multiplied back. Fees:
/// - in the quote currency they raise the cost of a purchase and lower the proceeds of a sale;
/// - in the base asset they lower what a purchase brings in (which raises its average cost);
/// - in any other asset they are kept by asset, outside `cost` and `realised`, and valued when a price is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What is held.
    pub base: Asset,
    /// What it is paid in.
    pub quote: Asset,
    /// Base quantity held.
    pub quantity: Qty,
    /// What the quantity held has cost.
    pub cost: Money,
    /// Profit of what was sold, after fees in base and quote.
    pub realised: Money,
    /// Every fee paid, by asset.
    pub fees: BTreeMap<Asset, Qty>,
    /// Quote currency traded, both ways.
    pub turnover: Money,
    /// Counts changes: fills and adoptions.
    pub version: u64,
}

impl Position {
    /// Nothing held.
    #[must_use]
    pub fn new(base: Asset, quote: Asset) -> Self {
        let (quantity, cost, realised) = (Qty::ZERO, Money::ZERO, Money::ZERO);
        Self { base, quote, quantity, cost, realised, fees: BTreeMap::new(), turnover: Money::ZERO, version: 0 }
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.quantity.is_zero()
    }

    /// Cost per unit of what is held; the only division.
    #[must_use]
    pub fn average_cost(&self) -> Option<Price> {
        self.cost.per(self.quantity).ok()
    }

    /// What is held is worth, at `mark`.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn value(&self, mark: Price) -> Result<Money, OutOfRange> {
        mark.notional(self.quantity)
    }

    /// Profit that selling everything at `mark` without a fee would realise.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn open_pnl(&self, mark: Price) -> Result<Money, OutOfRange> {
        self.value(mark)?.sub(self.cost)
    }

    /// Fees that `cost` and `realised` do not contain: those in neither base nor quote.
    pub fn other_fees(&self) -> impl Iterator<Item = (Asset, Qty)> {
        let inside = [self.base, self.quote];
        self.fees.iter().filter(move |(asset, _)| !inside.contains(asset)).map(|(asset, fee)| (*asset, *fee))
    }

    /// Takes a fill in.
    ///
    /// # Errors
    /// `MoreThanHeld` when it sells more than is held; the caller decides what that means. Nothing has changed then.
    pub fn apply(&mut self, side: Side, fill: &Fill) -> Result<Applied, PositionError> {
        if !fill.qty.is_positive() || !fill.price.is_positive() || fill.fee.is_negative() {
            return Err(PositionError::NotAFill);
        }
        let mut next = self.clone();
        let fee_base = if fill.fee_asset == self.base { fill.fee } else { Qty::ZERO };
        let fee_quote = if fill.fee_asset == self.quote { Money::new(fill.fee.get()) } else { Money::ZERO };
        let notional = fill.price.notional(fill.qty)?;
        let applied = match side {
            Side::Buy => next.buy(fill.qty.sub(fee_base)?, notional.add(fee_quote)?)?,
            Side::Sell => next.sell(fill.qty.add(fee_base)?, notional.sub(fee_quote)?)?,
        };
        if !fill.fee.is_zero() {
            let paid = next.fees.entry(fill.fee_asset).or_default();
            *paid = paid.add(fill.fee)?;
        }
        next.turnover = next.turnover.add(notional)?;
        next.version = next.version.saturating_add(1);
        *self = next;
        Ok(applied)
    }

    fn buy(&mut self, received: Qty, paid: Money) -> Result<Applied, PositionError> {
        self.quantity = self.quantity.add(received)?;
        self.cost = self.cost.add(paid)?;
        Ok(Applied { base: received, cash: paid.neg(), realised: Money::ZERO })
    }

    fn sell(&mut self, given: Qty, received: Money) -> Result<Applied, PositionError> {
        let released = self.cost_of(given)?;
        let realised = received.sub(released)?;
        self.quantity = self.quantity.sub(given)?;
        self.cost = self.cost.sub(released)?;
        self.realised = self.realised.add(realised)?;
        Ok(Applied { base: given.neg(), cash: received, realised })
    }

    /// The part of the cost that belongs to `given`; all of it for all that is held.
    fn cost_of(&self, given: Qty) -> Result<Money, PositionError> {
        if given > self.quantity {
            return Err(PositionError::MoreThanHeld { taken: given, held: self.quantity });
        }
        if given == self.quantity {
            return Ok(self.cost);
        }
        let share = given.get().checked_div(self.quantity.get()).ok_or(OutOfRange)?;
        Ok(self.cost.scale(share)?.rounded(COST_DIGITS).min(self.cost))
    }

    /// Sets quantity and cost to what reconciliation has established. Realised profit stays: what the difference was
    /// worth is for an incident to say, not for the book.
    pub fn adopt(&mut self, quantity: Qty, cost: Money) {
        (self.quantity, self.cost) = (quantity, cost);
        self.version = self.version.saturating_add(1);
    }
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
