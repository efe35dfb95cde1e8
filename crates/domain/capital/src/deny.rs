//! Every reason for which capital is refused.

use std::fmt;

use nightdesk_units::{InstanceId, Micros, Money, Price, Symbol};
use serde::{Deserialize, Serialize};

use crate::Percent;

/// The span an order rate is counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSpan {
    /// One second.
    Second,
    /// One minute.
    Minute,
}

impl fmt::Display for RateSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
        })
    }
}

/// Why capital was refused. The text stands alone; the variant's name (`code`) is for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum DenyReason {
    /// The rules name no such strategy.
    #[error("strategy {instance} has no capital rules")]
    UnknownInstance {
        /// Who asked.
        instance: InstanceId,
    },
    /// The cost is zero, negative, or out of range.
    #[error("a cost of {asked} cannot be allocated")]
    BadCost {
        /// What was asked.
        asked: Money,
    },
    /// The order is larger than any order may be.
    #[error("order of {asked} exceeds the largest order of {limit}")]
    OrderTooLarge {
        /// What was asked.
        asked: Money,
        /// The limit.
        limit: Money,
    },
    /// The portfolio's drawdown has reached its limit.
    #[error("portfolio drawdown {now} has reached its limit {limit}: no new risk")]
    PortfolioDrawdown {
        /// Drawdown now.
        now: Percent,
        /// Its limit.
        limit: Percent,
    },
    /// The strategy's drawdown has reached its limit.
    #[error("drawdown {now} of strategy {instance} has reached its limit {limit}: no new risk")]
    StrategyDrawdown {
        /// Whose.
        instance: InstanceId,
        /// Drawdown now.
        now: Percent,
        /// Its limit.
        limit: Percent,
    },
    /// Too many orders in a short time.
    #[error("strategy {instance} has sent its {limit} orders of this {span}: again in {retry_after}")]
    OrderRate {
        /// Whose.
        instance: InstanceId,
        /// Over what span.
        span: RateSpan,
        /// Orders allowed in it.
        limit: u32,
        /// When one more would be allowed.
        retry_after: Micros,
    },
    /// The strategy's allocation does not cover it.
    #[error("{asked} exceeds what is free of strategy {instance}'s allocation: {free}")]
    AllocationExhausted {
        /// Whose.
        instance: InstanceId,
        /// What was asked.
        asked: Money,
        /// What is free.
        free: Money,
    },
    /// The whole capital does not cover it.
    #[error("{asked} exceeds the free capital: {free}")]
    CapitalExhausted {
        /// What was asked.
        asked: Money,
        /// What is free.
        free: Money,
    },
    /// The strategy's position in the instrument would grow too large.
    #[error("position of strategy {instance} in {symbol} would reach {would_be}, its limit is {limit}")]
    StrategyPosition {
        /// Whose.
        instance: InstanceId,
        /// In what.
        symbol: Symbol,
        /// Held and outstanding at cost, this request included.
        would_be: Money,
        /// The limit.
        limit: Money,
    },
    /// The position of all strategies in the instrument would grow too large.
    #[error("position of all strategies in {symbol} would reach {would_be}, the limit is {limit}")]
    SymbolPosition {
        /// In what.
        symbol: Symbol,
        /// Held and outstanding at cost, this request included.
        would_be: Money,
        /// The limit.
        limit: Money,
    },
    /// The strategy's risk budget would be exceeded.
    #[error("risk of strategy {instance} would reach {would_be}, its budget is {budget}")]
    StrategyRiskBudget {
        /// Whose.
        instance: InstanceId,
        /// Risk, this request included.
        would_be: Money,
        /// The budget.
        budget: Money,
    },
    /// The portfolio's risk budget would be exceeded.
    #[error("risk of the portfolio would reach {would_be}, its budget is {budget}")]
    PortfolioRiskBudget {
        /// Risk, this request included.
        would_be: Money,
        /// The budget.
        budget: Money,
    },
    /// The order was over before its request came: a message that was lost comes again after the word of the end.
    #[error("the order was over before it asked for capital")]
    OrderOver,
    /// The limit price is too far on the expensive side of the market.
    #[error("price {price} is beyond the collar of {collar} around {reference}: the worst allowed is {worst}")]
    PriceCollar {
        /// The order's limit price.
        price: Price,
        /// The market's middle.
        reference: Price,
        /// How far a price may be from it.
        collar: Percent,
        /// The worst price allowed.
        worst: Price,
    },
}

impl DenyReason {
    /// A stable short name for metrics and journals.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownInstance { .. } => "unknown_instance",
            Self::BadCost { .. } => "bad_cost",
            Self::OrderTooLarge { .. } => "order_too_large",
            Self::PortfolioDrawdown { .. } => "portfolio_drawdown",
            Self::StrategyDrawdown { .. } => "strategy_drawdown",
            Self::OrderRate { .. } => "order_rate",
            Self::AllocationExhausted { .. } => "allocation_exhausted",
            Self::CapitalExhausted { .. } => "capital_exhausted",
            Self::StrategyPosition { .. } => "strategy_position",
            Self::SymbolPosition { .. } => "symbol_position",
            Self::StrategyRiskBudget { .. } => "strategy_risk_budget",
            Self::PortfolioRiskBudget { .. } => "portfolio_risk_budget",
            Self::OrderOver => "order_over",
            Self::PriceCollar { .. } => "price_collar",
        }
    }
}
