//! What a bus must be told, and what it may be told.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};

/// Why a bus cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address makes no sense. It may hold a password, so it is not shown.
    #[error("the broker's address is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST: {0}")]
    Address(String),
    /// It was started where no tasks can run.
    #[error("a RabbitMQ bus needs a running tokio runtime")]
    NoRuntime,
}

/// How to reach RabbitMQ, and how long to wait for what.
#[derive(Clone)]
pub struct RabbitConfig {
    pub(crate) uri: AMQPUri,
    /// The service's name, shown in the broker's list of connections.
    pub service: String,
    /// Comes before every name at the broker, so that several installations can share one.
    pub prefix: String,
    /// The broker closes a connection that has been silent for two to three of these, and hands what that reader held
    /// to the next one: it bounds how long a frozen reader can keep messages. Whole seconds.
    pub heartbeat: Duration,
    /// How long one attempt to connect may take.
    pub connect_limit: Duration,
    /// How long a message may wait for the broker's confirm before its sender is told that the bus is not available.
    pub confirm_limit: Duration,
    /// The longest pause between two attempts to connect. It bounds the time of recovery.
    pub back_off: Duration,
    /// The most messages that wait for a confirm at a time; beyond it the bus is not available.
    pub outstanding: usize,
    /// The most messages a reader holds that it has not acknowledged.
    pub prefetch: u16,
    /// How often a message is delivered before the broker puts it aside: one that kills its reader each time must not
    /// do so for ever. High, because a reader's death counts against everything it held.
    pub delivery_limit: u32,
    /// The most market events the broker keeps for one subscriber; beyond it the oldest is dropped.
    pub market_length: u32,
}

impl RabbitConfig {
    /// The defaults for `service` with the broker at `address`, `amqp://USER:PASSWORD@HOST:PORT/VHOST`.
    ///
    /// # Errors
    /// When the address is not one.
    pub fn new(address: &str, service: &str) -> Result<Self, ConfigError> {
        let uri = AMQPUri::from_str(address).map_err(ConfigError::Address)?;
        if uri.scheme != AMQPScheme::AMQP {
            let message = "this build speaks plain AMQP only; let the network encrypt (a mesh, or a private network)";
            return Err(ConfigError::Address(message.to_owned()));
        }
        Ok(Self {
            uri,
            service: service.to_owned(),
            prefix: "nightdesk".to_owned(),
            heartbeat: Duration::from_secs(1),
            connect_limit: Duration::from_secs(2),
            confirm_limit: Duration::from_secs(5),
            back_off: Duration::from_millis(100),
            outstanding: 16_384,
            prefetch: 256,
            delivery_limit: 50,
            market_length: 65_536,
        })
    }

    /// The address without what must not be shown.
    #[must_use]
    pub fn place(&self) -> String {
        let authority = &self.uri.authority;
        format!("{}:{}", authority.host, authority.port)
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        let mut uri = self.uri.clone();
        // Zero would switch heartbeats off.
        let seconds = u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1);
        uri.query.heartbeat = Some(seconds);
        uri
    }
}

impl fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = (&self.service, &self.prefix, self.heartbeat, self.confirm_limit);
        f.debug_tuple("RabbitConfig").field(&self.place()).field(&name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let config = RabbitConfig::new("amqp://user:hunter2@broker:5672/%2f", "core-engine").unwrap();
        assert_eq!(config.place(), "broker:5672");
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = RabbitConfig::new("http://user:hunter2@broker", "x").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_encrypted_address_is_refused_with_the_reason() {
        let error = RabbitConfig::new("amqps://broker", "x").unwrap_err().to_string();
        assert!(error.contains("plain AMQP only"), "{error}");
    }
}
