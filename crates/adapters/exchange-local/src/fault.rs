//! Faults that strike single calls and events, for tests and the simulator.

use nightdesk_exchange::ExchangeEvent;
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Micros, Symbol};

/// A call about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// An order is placed.
    Place(Symbol, ClientOrderId),
    /// An order is cancelled.
    Cancel(Symbol, ClientOrderId),
    /// An order is asked about.
    Order(Symbol, ClientOrderId),
    /// Any other question: instruments, lists of orders and executions, balances, candles.
    Ask(&'static str),
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFate {
    /// Carried out and answered.
    Answer,
    /// Lost on the way there: nothing happens, and the caller is in doubt.
    LostBefore,
    /// Carried out, the answer is lost: the caller is in doubt.
    LostAfter,
    /// The caller is in doubt, and the request arrives this much later: refused as stale when its window has passed. Only for
    /// placements and cancels; other calls are lost.
    Late(Micros),
    /// Refused with this code and text.
    Reject(i32, String),
    /// Not taken; to be tried again after this long.
    Retry(Micros),
    /// The request takes this long to arrive.
    SlowRequest(Micros),
    /// The answer takes this long to come back.
    SlowAnswer(Micros),
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventFate {
    /// Delivered.
    Deliver,
    /// Lost, and nobody is told.
    Drop,
    /// Delivered twice.
    Duplicate,
    /// Delivered after the next event of whatever kind.
    Swap,
    /// Its stream is cut before it: it and what follows is lost for this long, then the stream is up again.
    Cut(Micros),
}

/// Decides fates. The default delivers everything.
pub trait Faults: Send {
    /// What becomes of `call`.
    fn call(&mut self, call: Call) -> CallFate {
        let _ = call;
        CallFate::Answer
    }

    /// What becomes of `event`.
    fn event(&mut self, event: &ExchangeEvent) -> EventFate {
        let _ = event;
        EventFate::Deliver
    }
}
