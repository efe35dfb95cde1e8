//! One service in a process of its own: over PostgreSQL and RabbitMQ, under a lease. And the configuration, which is the
//! same whether the services share a process or not.

mod distributed;
pub mod exchange;
pub mod failure;
pub mod readiness;
mod settings;
pub mod shells;

pub use distributed::{LeaseConfig, PostgresConfig, RabbitmqConfig, ServicesConfig};
pub use settings::{
    CapitalConfig, Config, DEMO, ExchangeConfig, ExchangeKind, OrderRate, StrategyCapital, StrategyConfig, Unread,
};

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Decides on orders.
    CoreEngine,
    /// Speaks to the exchange.
    ExchangeConnector,
    /// Runs one strategy instance.
    StrategyWorker,
    /// Grants capital.
    CapitalManager,
}
