//! The loop every service runs: drain, decide, commit, act.
//!
//! A service is a pure state machine ([`Service`]). Its shell takes what has come in (messages, market data, events of its
//! other ports), lets the service decide, writes everything the turn changed in one transaction, and only then publishes,
//! acts and acknowledges. So nothing leaves before it is durable, and nothing is acknowledged before its effect is.
//!
//! The shell reaches time, channels and I/O only through ports: the simulator runs this very code.

mod emergency;
mod events;
mod inbox;
mod outbox;
mod run;
mod service;
mod status;
#[cfg(test)]
mod test_house;

pub use events::{EventReceiver, EventSender, Source, Stopper, channel, stopper};
pub use run::{Perform, Ports, Shell, ShellError, run};
pub use service::{Input, Outgoing, Record, RestoreError, Service, Step, Turn};
pub use status::{Status, StorageState};
