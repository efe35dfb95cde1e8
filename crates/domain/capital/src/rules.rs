//! The capital rules, as the configuration says them, and the check that finds every mistake at once.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use nightdesk_units::{Asset, Decimal, InstanceId, Money, OutOfRange, Price, Problem, Symbol};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A percentage, exact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Percent(Decimal);

impl Percent {
    /// Zero per cent.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps a number of per cent.
    #[must_use]
    pub const fn new(percent: Decimal) -> Self {
        Self(percent)
    }

    /// The number of per cent.
    #[must_use]
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// This share of an amount.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn of(self, amount: Money) -> Result<Money, OutOfRange> {
        amount.scale(self.ratio())
    }

    /// This share of a price.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn of_price(self, price: Price) -> Result<Price, OutOfRange> {
        price.scale(self.ratio())
    }

    /// How many per cent `part` is of `whole`, to four decimal places; `None` when `whole` is zero.
    #[must_use]
    pub fn ratio_of(part: Money, whole: Money) -> Option<Self> {
        let ratio = part.get().checked_div(whole.get())?;
        Some(Self(ratio.checked_mul(Decimal::ONE_HUNDRED)?.round_dp(4)))
    }

    fn ratio(self) -> Decimal {
        // Dividing by a hundred only moves the point: exact up to 26 decimal places.
        self.0.checked_mul(Decimal::new(1, 2)).unwrap_or(Decimal::MAX)
    }

    fn is_within(self, low: i64, high: i64) -> bool {
        self.0 > Decimal::from(low) && self.0 <= Decimal::from(high)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0.normalize())
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Percent {
    type Err = ShareError;
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        Decimal::from_str_exact(number).map(Self).map_err(|_| ShareError(text.to_owned()))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.normalize())
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar).and_then(|text| text.parse().map_err(de::Error::custom))
    }
}

/// Takes a number or text and yields its text, so that `2`, `2.5` and `"2.5%"` may all be written. A float's shortest
/// text is what was written, up to 15 digits.
struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a number as text")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

/// Text that is neither an amount (`"4000"`) nor a percentage (`"40%"`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither an amount such as \"4000\" nor a percentage such as \"40%\": {0:?}")]
pub struct ShareError(pub String);

/// A part of the capital: an amount of quote currency, or a percentage of the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Share {
    /// So much.
    Amount(Money),
    /// So much of the total.
    Fraction(Percent),
}

impl Share {
    /// The amount, when the whole is `total`.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn of(self, total: Money) -> Result<Money, OutOfRange> {
        match self {
            Self::Amount(amount) => Ok(amount),
            Self::Fraction(percent) => percent.of(total),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(amount) => amount.fmt(f),
            Self::Fraction(percent) => percent.fmt(f),
        }
    }
}

impl FromStr for Share {
    type Err = ShareError;
    fn from_str(text: &str) -> Result<Self, ShareError> {
        if text.ends_with('%') {
            return text.parse().map(Self::Fraction);
        }
        text.parse().map(Self::Amount).map_err(|_| ShareError(text.to_owned()))
    }
}

impl TryFrom<String> for Share {
    type Error = ShareError;
    fn try_from(text: String) -> Result<Self, ShareError> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

/// How many orders may be sent in a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRate {
    /// In any second.
    pub per_second: u32,
    /// In any minute.
    pub per_minute: u32,
}

/// One strategy instance's limits. None has a default: each can move money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyRules {
    /// Its part of the capital: what it holds at cost and what its open orders may cost never exceed it.
    pub allocation: Share,
    /// The most it may risk: the day's loss plus `stress_move` of what it holds and has ordered.
    pub risk_budget: Share,
    /// Drawdown of its equity at which it takes no new risk.
    pub max_drawdown: Percent,
    /// The most it may hold and have ordered in one instrument, at cost.
    pub max_position: Money,
    /// The largest single order, with fees.
    pub max_order: Money,
    /// How fast it may order.
    pub order_rate: OrderRate,
}

/// All capital rules. None has a default except limits by symbol, which are added to those of strategies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapitalRules {
    /// Quote currency that all amounts are in.
    pub currency: Asset,
    /// What may be used in all.
    pub total: Money,
    /// The most that all strategies together may risk.
    pub risk_budget: Share,
    /// Drawdown of the portfolio at which nothing takes new risk.
    pub max_drawdown: Percent,
    /// The adverse move that exposure is judged at: a position of 1000 at 10 % risks 100.
    pub stress_move: Percent,
    /// How far from the market's middle an order may trade on the expensive side.
    pub collar: Percent,
    /// The highest fee of an execution, of its notional.
    pub fee: Percent,
    /// The largest single order of anybody, with fees.
    pub max_order: Money,
    /// The most that all strategies may hold and have ordered in an instrument, at cost; unlisted ones are bounded by
    /// their strategies only.
    #[serde(default)]
    pub max_symbol_position: BTreeMap<Symbol, Money>,
    /// Limits of each strategy instance.
    pub strategies: BTreeMap<InstanceId, StrategyRules>,
}

impl CapitalRules {
    /// The collar these rules describe.
    #[must_use]
    pub const fn price_collar(&self) -> crate::Collar {
        crate::Collar { percent: self.collar, fee: self.fee }
    }

    /// Every mistake in the rules.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        positive(&mut problems, "total", self.total);
        positive(&mut problems, "max_order", self.max_order);
        share(&mut problems, "risk_budget", self.risk_budget, self.total, "the total");
        percent(&mut problems, "max_drawdown", self.max_drawdown, 100);
        percent(&mut problems, "stress_move", self.stress_move, 100);
        percent(&mut problems, "collar", self.collar, 50);
        if self.fee.get() < Decimal::ZERO || self.fee.get() > Decimal::TEN {
            problems.push(Problem::new("fee", format!("{} is no fee", self.fee), "from 0 to 10 per cent"));
        }
        for (symbol, limit) in &self.max_symbol_position {
            positive(&mut problems, &format!("max_symbol_position.{symbol}"), *limit);
        }
        if self.strategies.is_empty() {
            problems.push(Problem::new("strategies", "no strategy has rules", "add a table strategies.INSTANCE"));
        }
        for (instance, rules) in &self.strategies {
            let within = format!("strategies.{instance}");
            problems.extend(rules.validate(self.total).into_iter().map(|problem| problem.within(&within)));
        }
        self.check_sum(&mut problems);
        problems
    }

    fn check_sum(&self, problems: &mut Vec<Problem>) {
        let allocations = self.strategies.values().map(|rules| rules.allocation.of(self.total));
        let sum = allocations.reduce(|a, b| a?.add(b?));
        if let Some(Ok(sum)) = sum
            && sum > self.total
        {
            let message = format!("allocations add up to {sum}, more than the total of {}", self.total);
            problems.push(Problem::new("strategies", message, "lower an allocation or raise the total"));
        }
    }
}

impl StrategyRules {
    fn validate(&self, total: Money) -> Vec<Problem> {
        let mut problems = Vec::new();
        share(&mut problems, "allocation", self.allocation, total, "the total");
        let allocation = self.allocation.of(total).unwrap_or(total);
        share(&mut problems, "risk_budget", self.risk_budget, allocation, "the allocation");
        percent(&mut problems, "max_drawdown", self.max_drawdown, 100);
        positive(&mut problems, "max_position", self.max_position);
        positive(&mut problems, "max_order", self.max_order);
        for (field, value) in [("max_position", self.max_position), ("max_order", self.max_order)] {
            if value > allocation {
                let message = format!("{value} exceeds the allocation of {allocation}");
                problems.push(Problem::new(field, message, "it could never be reached: lower it"));
            }
        }
        let OrderRate { per_second, per_minute } = self.order_rate;
        if per_second == 0 || per_minute == 0 {
            problems.push(Problem::new("order_rate", "zero orders are allowed", "allow at least one"));
        } else if per_minute < per_second {
            let message = format!("{per_minute} a minute is less than {per_second} a second");
            problems.push(Problem::new("order_rate.per_minute", message, "raise it, or lower per_second"));
        }
        problems
    }
}

fn positive(problems: &mut Vec<Problem>, field: &str, value: Money) {
    if !value.is_positive() {
        problems.push(Problem::new(field, format!("{value} is not above zero"), "an amount of quote currency"));
    }
}

fn percent(problems: &mut Vec<Problem>, field: &str, value: Percent, high: i64) {
    if !value.is_within(0, high) {
        problems.push(Problem::new(field, format!("{value} is out of range"), format!("above 0, at most {high} %")));
    }
}

fn share(problems: &mut Vec<Problem>, field: &str, value: Share, of: Money, name: &str) {
    match value.of(of) {
        Ok(amount) if amount.is_positive() && amount <= of => {}
        Ok(amount) if !amount.is_positive() => {
            problems.push(Problem::new(field, format!("{value} is not above zero"), "an amount or a percentage"));
        }
        _ => {
            let message = format!("{value} exceeds {name} of {of}");
            problems.push(Problem::new(field, message, "at most 100 % of it"));
        }
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
pub(crate) mod tests;
