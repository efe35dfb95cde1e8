//! The registry: strategies by name.

use std::fmt;
use std::str::FromStr;

use nightdesk_market::Instrument;
use nightdesk_units::{Money, Problem};
use serde::{Deserialize, Serialize};

use crate::{GridParams, GridTrader, MaCrossover, MaParams, ParamDoc, ParamTable, Strategy};

/// Text that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy {0:?}: known are ma-crossover, grid-trader")]
pub struct UnknownStrategy(pub String);

/// A strategy, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// Follows trends: fast against slow moving average.
    MaCrossover,
    /// Earns on ranges: buys below, sells one step above.
    GridTrader,
}

impl StrategyKind {
    /// Every strategy.
    pub const ALL: [Self; 2] = [Self::MaCrossover, Self::GridTrader];

    /// Its name in configurations and on dashboards.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaCrossover => "ma-crossover",
            Self::GridTrader => "grid-trader",
        }
    }

    /// Its parameters, documented.
    #[must_use]
    pub const fn params(self) -> &'static [ParamDoc] {
        match self {
            Self::MaCrossover => MaParams::DOCS,
            Self::GridTrader => GridParams::DOCS,
        }
    }

    /// Reads parameters.
    ///
    /// # Errors
    /// Every mistake: unknown names, missing and unreadable values, values out of range or at odds with each other.
    pub fn read(self, table: &ParamTable) -> Result<StrategyParams, Vec<Problem>> {
        match self {
            Self::MaCrossover => MaParams::read(table).map(StrategyParams::MaCrossover),
            Self::GridTrader => GridParams::read(table).map(StrategyParams::GridTrader),
        }
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StrategyKind {
    type Err = UnknownStrategy;
    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

/// Parameters of a strategy, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "kebab-case")]
pub enum StrategyParams {
    /// Of `ma-crossover`.
    MaCrossover(MaParams),
    /// Of `grid-trader`.
    GridTrader(GridParams),
}

impl StrategyParams {
    /// Which strategy's.
    #[must_use]
    pub const fn kind(&self) -> StrategyKind {
        match self {
            Self::MaCrossover(_) => StrategyKind::MaCrossover,
            Self::GridTrader(_) => StrategyKind::GridTrader,
        }
    }

    /// A strategy that runs on them.
    #[must_use]
    pub fn build(&self) -> Box<dyn Strategy> {
        match self {
            Self::MaCrossover(params) => Box::new(MaCrossover::new(params.clone())),
            Self::GridTrader(params) => Box::new(GridTrader::new(params.clone())),
        }
    }

    /// The most quote currency that it can have at stake at once, fees apart: its allocation should cover it.
    #[must_use]
    pub fn capital(&self) -> Money {
        match self {
            Self::MaCrossover(params) => params.order_quote,
            Self::GridTrader(params) => params.capital(),
        }
    }

    /// What the instrument's filters would refuse: known only when the instrument is.
    #[must_use]
    pub fn check(&self, instrument: &Instrument) -> Vec<Problem> {
        match self {
            Self::MaCrossover(params) => params.check(instrument),
            Self::GridTrader(params) => params.check(instrument),
        }
    }
}
