//! The portfolio: balances, every strategy's positions, marks, and the equity curves made of them.
//!
//! A mark costs one store and one comparison; nothing is valued until somebody asks or a sample is due (each full hour,
//! and otherwise at most once a second of market time; peak and drawdown are therefore those of whole seconds and of
//! whatever else the caller samples, such as fills). [`Portfolio::sample`] values, [`Portfolio::take`] books the sample: a
//! caller that keeps a journal puts the sample in between.

use std::collections::BTreeMap;

use nightdesk_market::{Instrument, Side};
use nightdesk_orders::Fill;
use nightdesk_units::{Asset, InstanceId, Micros, Money, OutOfRange, Price, Qty, Scale, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::curve::HOUR;
use crate::{Applied, EquityCurve, Position, PositionError};

/// Hours that the portfolio's curve keeps (400 days), and a strategy's (35 days).
const PORTFOLIO_HOURS: usize = 24 * 400;
const STRATEGY_HOURS: usize = 24 * 35;
/// Market time between two samples within an hour.
const FINE: Micros = Micros::from_secs(1);

/// Where an instrument's mark is kept; hand it in with every quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(usize);

/// A sample that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The first of its hour: the curve keeps it.
    Hour,
    /// A second has passed: it refines peak and drawdown.
    Fine,
}

/// Why the portfolio did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortfolioError {
    /// The instrument was never registered.
    #[error("instrument {0} is not registered")]
    UnknownSymbol(Symbol),
    /// The position refused the fill.
    #[error("{instance} {symbol}: {source}")]
    Position {
        /// Whose.
        instance: InstanceId,
        /// In what.
        symbol: Symbol,
        /// Why.
        source: PositionError,
    },
    /// A sum leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    symbol: Symbol,
    base: Asset,
    quote: Asset,
    scale: Scale,
    /// Never stored: a price of yesterday values nothing today.
    #[serde(skip)]
    ticks: Ticks,
}

impl Mark {
    /// The price, if there has been one.
    fn price(&self) -> Option<Price> {
        (self.ticks.0 > 0).then(|| self.scale.price(self.ticks))
    }
}

/// A strategy instance's part of the portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyBook {
    /// Capital allocated to it: its returns are measured on that.
    pub allocation: Money,
    /// What it holds and has earned, by instrument.
    pub positions: BTreeMap<Symbol, Position>,
    /// Allocation plus profit.
    pub curve: EquityCurve,
    /// Fills applied.
    pub fills: u64,
}

/// The books valued at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Equity of the portfolio.
    pub equity: Money,
    /// Profit of each strategy since its beginning.
    pub pnl: BTreeMap<InstanceId, Money>,
}

/// The portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portfolio {
    quote: Asset,
    balances: BTreeMap<Asset, Qty>,
    strategies: BTreeMap<InstanceId, StrategyBook>,
    marks: Vec<Mark>,
    curve: EquityCurve,
    next_hour: Timestamp,
    next_fine: Timestamp,
}

impl Portfolio {
    /// An empty portfolio that reckons in `quote`.
    #[must_use]
    pub fn new(quote: Asset) -> Self {
        let due = Timestamp(i64::MIN);
        let (balances, strategies) = (BTreeMap::new(), BTreeMap::new());
        let curve = EquityCurve::new(PORTFOLIO_HOURS);
        Self { quote, balances, strategies, marks: Vec::new(), curve, next_hour: due, next_fine: due }
    }

    /// Makes an instrument known (again), and says where its mark is kept.
    pub fn register(&mut self, instrument: &Instrument) -> Slot {
        let Instrument { symbol, base, quote, scale, .. } = instrument;
        let mark = Mark { symbol: *symbol, base: *base, quote: *quote, scale: *scale, ticks: Ticks(0) };
        match self.marks.iter_mut().enumerate().find(|(_, known)| known.symbol == *symbol) {
            Some((i, known)) => {
                let ticks = known.price().map_or(Ticks(0), |price| scale.ticks_down(price));
                *known = Mark { ticks, ..mark };
                Slot(i)
            }
            None => {
                self.marks.push(mark);
                Slot(self.marks.len() - 1)
            }
        }
    }

    /// Where an instrument's mark is kept.
    #[must_use]
    pub fn slot(&self, symbol: Symbol) -> Option<Slot> {
        self.marks.iter().position(|mark| mark.symbol == symbol).map(Slot)
    }

    /// Gives a strategy its allocation, and makes it known.
    pub fn allocate(&mut self, instance: InstanceId, allocation: Money) {
        let book = self.book(instance);
        let change = allocation.sub(book.allocation).unwrap_or_default();
        book.allocation = allocation;
        book.curve.flow(change);
    }

    /// Notes a price (the middle of the spread, or a trade) and says whether a sample is due. Constant time.
    #[inline]
    pub fn mark(&mut self, slot: Slot, price: Ticks, now: Timestamp) -> Option<Due> {
        if let Some(mark) = self.marks.get_mut(slot.0) {
            mark.ticks = price;
        }
        if now < self.next_fine {
            return None;
        }
        Some(if now >= self.next_hour { Due::Hour } else { Due::Fine })
    }

    /// Values the books as of now.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn sample(&self, at: Timestamp) -> Result<Sample, OutOfRange> {
        let pnl = self.strategies.keys().map(|instance| Ok((*instance, self.pnl(*instance)?)));
        Ok(Sample { at, equity: self.equity()?, pnl: pnl.collect::<Result<_, OutOfRange>>()? })
    }

    /// Books a sample.
    pub fn take(&mut self, sample: &Sample) {
        self.curve.push(sample.at, sample.equity);
        for (instance, pnl) in &sample.pnl {
            let book = self.book(*instance);
            if let Ok(equity) = book.allocation.add(*pnl) {
                book.curve.push(sample.at, equity);
            }
        }
        self.next_hour = Timestamp((sample.at.0.div_euclid(HOUR) + 1).saturating_mul(HOUR));
        self.next_fine = (sample.at + FINE).min(self.next_hour);
    }

    /// Applies a fill to the strategy's position and to the balances.
    ///
    /// # Errors
    /// `PortfolioError`, and nothing has changed.
    pub fn apply(
        &mut self,
        instance: InstanceId,
        symbol: Symbol,
        side: Side,
        fill: &Fill,
    ) -> Result<Applied, PortfolioError> {
        let mark =
            *self.marks.iter().find(|mark| mark.symbol == symbol).ok_or(PortfolioError::UnknownSymbol(symbol))?;
        let mut position = self.position(instance, symbol).cloned().unwrap_or(Position::new(mark.base, mark.quote));
        let applied =
            position.apply(side, fill).map_err(|source| PortfolioError::Position { instance, symbol, source })?;
        let mut balances = vec![(mark.base, applied.base), (mark.quote, Qty::new(applied.cash.get()))];
        if ![mark.base, mark.quote].contains(&fill.fee_asset) {
            balances.push((fill.fee_asset, fill.fee.neg()));
        }
        for (asset, change) in &mut balances {
            *change = self.balance(*asset).add(*change)?;
        }
        self.balances.extend(balances);
        let book = self.book(instance);
        book.positions.insert(symbol, position);
        book.fills = book.fills.saturating_add(1);
        Ok(applied)
    }

    /// Sets a position to what reconciliation has established.
    ///
    /// # Errors
    /// `UnknownSymbol` when the instrument was never registered.
    pub fn adopt(
        &mut self,
        instance: InstanceId,
        symbol: Symbol,
        quantity: Qty,
        cost: Money,
    ) -> Result<(), PortfolioError> {
        let mark =
            *self.marks.iter().find(|mark| mark.symbol == symbol).ok_or(PortfolioError::UnknownSymbol(symbol))?;
        let positions = &mut self.book(instance).positions;
        positions.entry(symbol).or_insert_with(|| Position::new(mark.base, mark.quote)).adopt(quantity, cost);
        Ok(())
    }

    /// Sets a balance to what the exchange says. A difference that no fill explains is money paid in or out: neither
    /// profit nor loss.
    pub fn set_balance(&mut self, asset: Asset, total: Qty) {
        let flow = self.flow_to(asset, total);
        self.restate(asset, total);
        self.flow(flow);
    }

    /// What is paid in (negative: out) when a balance becomes `total`, at the marks; nothing for an asset without one. A
    /// caller that keeps a journal notes it, as marks are not in the journal.
    #[must_use]
    pub fn flow_to(&self, asset: Asset, total: Qty) -> Money {
        let change = total.sub(self.balance(asset)).unwrap_or_default();
        self.price_of(asset).and_then(|price| price.notional(change).ok()).unwrap_or_default()
    }

    /// Sets a balance, without saying where the difference comes from: see [`Portfolio::flow`].
    pub fn restate(&mut self, asset: Asset, total: Qty) {
        self.balances.insert(asset, total);
    }

    /// Money was paid in (negative: out).
    pub fn flow(&mut self, amount: Money) {
        self.curve.flow(amount);
    }

    /// What is owned of an asset, by our books.
    #[must_use]
    pub fn balance(&self, asset: Asset) -> Qty {
        self.balances.get(&asset).copied().unwrap_or_default()
    }

    /// Everything owned.
    pub fn balances(&self) -> impl Iterator<Item = (Asset, Qty)> {
        self.balances.iter().map(|(asset, total)| (*asset, *total))
    }

    /// What all balances are worth at the marks. An asset without a mark counts nothing: see [`Portfolio::unpriced`].
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn equity(&self) -> Result<Money, OutOfRange> {
        let mut equity = Money::ZERO;
        for (asset, total) in &self.balances {
            if let Some(price) = self.price_of(*asset) {
                equity = equity.add(price.notional(*total)?)?;
            }
        }
        Ok(equity)
    }

    /// True when everything owned that a registered instrument can price has a price. Until then, as after a start,
    /// [`Portfolio::equity`] is less than it is worth.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        let priced = |mark: &Mark| mark.quote != self.quote || mark.price().is_some();
        self.marks.iter().all(|mark| priced(mark) || self.balance(mark.base).is_zero())
    }

    /// Assets owned that no registered instrument prices.
    pub fn unpriced(&self) -> impl Iterator<Item = Asset> {
        let owned = self.balances.iter().filter(|(_, total)| !total.is_zero());
        owned.map(|(asset, _)| *asset).filter(|asset| self.price_of(*asset).is_none())
    }

    /// A strategy's profit since its beginning: realised and open, fees in other assets deducted where they have a
    /// price. A position without a mark is valued at cost.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn pnl(&self, instance: InstanceId) -> Result<Money, OutOfRange> {
        let (realised, open, fees) = self.profit(instance)?;
        realised.add(open)?.sub(fees)
    }

    /// Realised profit, open profit, and fees in assets other than base and quote.
    pub(crate) fn profit(&self, instance: InstanceId) -> Result<(Money, Money, Money), OutOfRange> {
        let mut sums = (Money::ZERO, Money::ZERO, Money::ZERO);
        for (symbol, position) in self.strategies.get(&instance).iter().flat_map(|book| &book.positions) {
            sums.0 = sums.0.add(position.realised)?;
            if let Some(price) = self.mark_of(*symbol) {
                sums.1 = sums.1.add(position.open_pnl(price)?)?;
            }
            for (asset, fee) in position.other_fees() {
                if let Some(price) = self.price_of(asset) {
                    sums.2 = sums.2.add(price.notional(fee)?)?;
                }
            }
        }
        Ok(sums)
    }

    /// A strategy's position.
    #[must_use]
    pub fn position(&self, instance: InstanceId, symbol: Symbol) -> Option<&Position> {
        self.strategies.get(&instance)?.positions.get(&symbol)
    }

    /// Every strategy's book.
    pub fn strategies(&self) -> impl Iterator<Item = (InstanceId, &StrategyBook)> {
        self.strategies.iter().map(|(instance, book)| (*instance, book))
    }

    /// Base quantity that all strategies together hold.
    #[must_use]
    pub fn held(&self, symbol: Symbol) -> Qty {
        let positions = self.strategies.values().filter_map(|book| book.positions.get(&symbol));
        positions.fold(Qty::ZERO, |sum, position| sum.add(position.quantity).unwrap_or(sum))
    }

    /// How many positions are open.
    #[must_use]
    pub fn open_positions(&self) -> usize {
        self.strategies.values().flat_map(|book| book.positions.values()).filter(|p| !p.is_flat()).count()
    }

    /// An instrument's mark.
    #[must_use]
    pub fn mark_of(&self, symbol: Symbol) -> Option<Price> {
        self.marks.iter().find(|mark| mark.symbol == symbol)?.price()
    }

    /// An asset's price in the portfolio's currency.
    #[must_use]
    pub fn price_of(&self, asset: Asset) -> Option<Price> {
        if asset == self.quote {
            return Some(Price::new(nightdesk_units::Decimal::ONE));
        }
        self.marks.iter().find(|mark| mark.base == asset && mark.quote == self.quote)?.price()
    }

    /// The currency it reckons in.
    #[must_use]
    pub const fn quote(&self) -> Asset {
        self.quote
    }

    /// The portfolio's equity curve.
    #[must_use]
    pub const fn curve(&self) -> &EquityCurve {
        &self.curve
    }

    /// A strategy's book.
    #[must_use]
    pub fn strategy(&self, instance: InstanceId) -> Option<&StrategyBook> {
        self.strategies.get(&instance)
    }

    fn book(&mut self, instance: InstanceId) -> &mut StrategyBook {
        self.strategies.entry(instance).or_insert_with(|| StrategyBook {
            allocation: Money::ZERO,
            positions: BTreeMap::new(),
            curve: EquityCurve::new(STRATEGY_HOURS),
            fills: 0,
        })
    }
}

#[cfg(test)]
#[path = "portfolio_tests.rs"]
mod tests;
