//! The life of one order as a table, and the words of orders that everybody shares.
//!
//! It knows nothing of who sends orders or where they are kept.

mod id;
mod order;
mod report;

pub use id::{ClientOrderId, IntentId, NAMESPACE};
pub use order::{Effect, Event, Order, OrderSpec, Refused, Status};
pub use report::{ExchangeStatus, ExecutionReport, Fill, OrderKind, TimeInForce};
