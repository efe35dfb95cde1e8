//! Which service.

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Decides on orders.
    CoreEngine,
    /// Speaks to the exchange.
    ExchangeConnector,
    /// Grants capital.
    CapitalManager,
    /// Runs one strategy instance.
    StrategyWorker,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CoreEngine => "core-engine",
            Self::ExchangeConnector => "exchange-connector",
            Self::CapitalManager => "capital-manager",
            Self::StrategyWorker => "strategy-worker",
        }
    }

    /// What it is for.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::CoreEngine => "Order and position state, strategies' life cycle, portfolio; one of its replicas acts",
            Self::ExchangeConnector => "The only one that talks to the exchange; one of its replicas acts",
            Self::CapitalManager => "Allocates capital and enforces risk limits",
            Self::StrategyWorker => "Runs one strategy instance",
        }
    }

    /// Where its API is.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::CoreEngine => "/api/core",
            Self::ExchangeConnector => "/api/connector",
            Self::CapitalManager => "/api/capital",
            Self::StrategyWorker => "/api/strategy",
        }
    }
}
