//! The matching engine as an exchange within the process: the exchange port on a [`nightdesk_matching::Venue`].
//!
//! [`LocalVenue`] is the exchange itself: it outlives whoever is connected to it. A driver moves its market
//! ([`LocalVenue::apply`], [`LocalVenue::drive`]) and time ([`LocalVenue::advance`]); [`LocalVenue::connect`] gives a
//! connector its [`LocalExchange`] and [`LocalEvents`]. Calls are carried out when first polled and answered at once;
//! events wait in a queue whose length is watched ([`LocalVenue::backlog`]), each counted as in progress until the
//! consumer has handled it, which it shows by asking for the next one.
//!
//! The exchange's time is the clock's plus a settable skew. It uses no rate limits. Faults ([`Faults`]) strike single calls and
//! events. With a [`RecordLog`] everything is on record, and synced, before it is answered or told.

mod convert;
mod events;
mod exchange;
mod fault;
mod record;
mod venue;

#[cfg(test)]
mod tests;

pub use events::LocalEvents;
pub use exchange::LocalExchange;
pub use fault::{Call, CallFate, EventFate, Faults};
pub use record::{Asked, Entry, Input, RecordLog, RedoError};
pub use venue::{Feed, LocalVenue, Options, Snapshot};
