//! The part of the configuration that services in processes of their own need: database, broker, leases, addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use nightdesk_host::config::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Kind;

/// The shortest time that a lease may be held for: below it a busy machine would lose it all the time.
const TTL_MIN_MS: u64 = 500;

/// The database of services in processes of their own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresConfig {
    /// The name of the secret that holds its address, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub secret: String,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self { secret: "postgres-url".to_owned() }
    }
}

/// The message broker between services in processes of their own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RabbitmqConfig {
    /// The name of the secret that holds its address, `amqp://USER:PASSWORD@HOST:PORT/VHOST`.
    pub secret: String,
    /// The name of the secret that holds the address of its management API, `http://USER:PASSWORD@HOST:PORT`. With it, who
    /// takes over shuts out its frozen predecessor's readers at once, if these are older than the broker's
    /// `collect_statistics_interval`; without it (the secret need not exist), the broker does so itself after two to
    /// three seconds.
    pub management_secret: String,
}

impl Default for RabbitmqConfig {
    fn default() -> Self {
        Self { secret: "rabbitmq-url".to_owned(), management_secret: "rabbitmq-management-url".to_owned() }
    }
}

/// Who of several replicas acts: the one that holds the service's lease, a row in PostgreSQL.
///
/// A replica that dies or freezes is replaced at the latest `ttl_ms` after its last renewal, and one that cannot renew for
/// so long stops. The defaults leave room for three failed renewals, and a successor has traded three seconds after the
/// loss.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaseConfig {
    /// For how long a replica may act after it asked for a renewal, in milliseconds.
    pub ttl_ms: u64,
    /// Between two renewals.
    pub renew_ms: u64,
    /// Between two looks of a standby.
    pub poll_ms: u64,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { ttl_ms: 1_300, renew_ms: 300, poll_ms: 100 }
    }
}

impl LeaseConfig {
    pub(crate) fn problem(&self) -> Option<Problem> {
        let hint = "the defaults are ttl_ms = 1300, renew_ms = 300 and poll_ms = 100";
        if self.ttl_ms < TTL_MIN_MS {
            let message = format!("{} ms: a busy machine would lose it all the time", self.ttl_ms);
            return Some(Problem::at("lease.ttl_ms", message).hint(hint));
        }
        if self.renew_ms == 0 || self.renew_ms.saturating_mul(3) > self.ttl_ms {
            let message = format!("{} ms: two failed renewals must fit into ttl_ms = {}", self.renew_ms, self.ttl_ms);
            return Some(Problem::at("lease.renew_ms", message).hint(hint));
        }
        (self.poll_ms == 0).then(|| Problem::at("lease.poll_ms", "must be above 0").hint(hint))
    }

    /// For how long a replica may act after it asked for a renewal.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// Between two renewals.
    #[must_use]
    pub const fn renew(&self) -> Duration {
        Duration::from_millis(self.renew_ms)
    }

    /// Between two looks of a standby.
    #[must_use]
    pub const fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

/// Where services in processes of their own listen. Replica k of a service adds 10·(k−1) to its port, worker n of the
/// configuration's strategies adds n to the workers'.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServicesConfig {
    /// The address of this machine to listen on; 0.0.0.0 for all.
    pub listen: IpAddr,
    /// core-engine's port.
    pub core_engine: u16,
    /// exchange-connector's port.
    pub exchange_connector: u16,
    /// capital-manager's port.
    pub capital_manager: u16,
    /// The first strategy-worker's port.
    pub strategy_worker: u16,
}

impl Default for ServicesConfig {
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::LOCALHOST.into(),
            core_engine: 8080,
            exchange_connector: 8081,
            capital_manager: 8082,
            strategy_worker: 8200,
        }
    }
}

impl ServicesConfig {
    /// Where replica `replica` (from 1) of a service listens; `place` is the worker's among the configuration's.
    #[must_use]
    pub fn address(&self, kind: Kind, replica: u16, place: usize) -> SocketAddr {
        let port = match kind {
            Kind::CoreEngine => self.core_engine,
            Kind::ExchangeConnector => self.exchange_connector,
            Kind::CapitalManager => self.capital_manager,
            Kind::StrategyWorker => self.strategy_worker.saturating_add(u16::try_from(place).unwrap_or(u16::MAX)),
        };
        let step = if kind == Kind::StrategyWorker { 0 } else { replica.saturating_sub(1).saturating_mul(10) };
        SocketAddr::new(self.listen, port.saturating_add(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_leaves_room_for_failed_renewals() {
        let told = |ttl_ms, renew_ms| {
            let problem = LeaseConfig { ttl_ms, renew_ms, poll_ms: 100 }.problem();
            problem.is_some()
        };
        assert_eq!([told(1_500, 350), told(1_500, 600), told(400, 50), told(900, 0)], [false, true, true, true]);
    }

    #[test]
    fn every_process_of_a_machine_has_a_port_of_its_own() {
        let services = ServicesConfig::default();
        let ports = [
            (Kind::CoreEngine, 1, 0),
            (Kind::CoreEngine, 2, 0),
            (Kind::ExchangeConnector, 2, 0),
            (Kind::CapitalManager, 1, 0),
            (Kind::StrategyWorker, 1, 3),
        ];
        let ports = ports.map(|(kind, replica, place)| services.address(kind, replica, place).port());
        assert_eq!(ports, [8080, 8090, 8091, 8082, 8203]);
    }
}
