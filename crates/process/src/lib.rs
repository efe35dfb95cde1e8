//! One service in a process of its own: over PostgreSQL and RabbitMQ, under a lease. And the configuration, which is the
//! same whether the services share a process or not.

mod args;
mod distributed;
pub mod exchange;
pub mod failure;
mod front;
mod kind;
mod leased;
mod leased_bus;
pub mod meters;
mod outage;
pub mod readiness;
mod service;
mod settings;
pub mod shells;
mod tenure;
mod vault;

pub use args::ServiceArgs;
pub use distributed::{LeaseConfig, PostgresConfig, RabbitmqConfig, ServicesConfig};
pub use kind::Kind;
pub use service::{end_with, main, run};
pub use settings::{
    CapitalConfig, Config, DEMO, ExchangeConfig, ExchangeKind, OrderRate, StrategyCapital, StrategyConfig, Unread,
};
pub use vault::secret_variable;
