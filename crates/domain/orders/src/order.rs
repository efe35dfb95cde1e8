//! One order, one function, one table.

use nightdesk_market::Side;
use nightdesk_units::{InstanceId, Money, OutOfRange, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ClientOrderId, IntentId, OrderKind};

/// What is ordered, by whom, for which decision. Never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSpec {
    /// Our id at the exchange.
    pub client_order_id: ClientOrderId,
    /// The decision.
    pub intent_id: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// Instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price, time in force.
    pub kind: OrderKind,
    /// Base quantity.
    pub qty: Qty,
    /// When it was accepted from the strategy.
    pub created_at: Timestamp,
}

/// Where an order stands. A partial fill is a quantity, not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The intent is durable; an allocation is asked for.
    Requested,
    /// Committed to be sent; no word from the exchange yet.
    PendingNew,
    /// It may or may not be at the exchange: it is being asked for, and never sent again before the answer.
    InDoubt,
    /// At the exchange.
    Open,
    /// A cancel is on its way.
    PendingCancel,
    /// All executed.
    Filled,
    /// Cancelled, perhaps after executing in part.
    Canceled,
    /// Ended by its own terms.
    Expired,
    /// Refused by the exchange.
    Rejected,
    /// Never left: refused by capital, a limit, or a halt.
    Abandoned,
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::PendingNew,
        Self::InDoubt,
        Self::Open,
        Self::PendingCancel,
        Self::Filled,
        Self::Canceled,
        Self::Expired,
        Self::Rejected,
        Self::Abandoned,
    ];

    /// True when nothing more is expected of the order.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Abandoned)
    }

    /// Its name in tables and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::PendingNew => "pending_new",
            Self::InDoubt => "in_doubt",
            Self::Open => "open",
            Self::PendingCancel => "pending_cancel",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What happens to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Capital is allocated, or none is needed.
    Granted,
    /// It will not be sent: denied, halted, out of limits.
    Abandoned,
    /// Somebody wants it gone.
    CancelAsked,
    /// The exchange has it.
    Acked,
    /// The exchange refused it.
    Rejected,
    /// The exchange refused to cancel it: filled, gone, or not arrived yet.
    CancelRefused,
    /// The outcome of a request is unknown.
    DoubtRaised,
    /// No word within the time limit.
    AnswerOverdue,
    /// Proven: it never reached the exchange and no longer can.
    NeverArrived,
    /// It executed.
    Fill {
        /// Base quantity.
        qty: Qty,
        /// Quote amount.
        quote: Money,
    },
    /// The exchange says that it executed up to `filled` in total; fills that we have not seen must be fetched.
    ExecutedUpTo {
        /// Cumulative base quantity.
        filled: Qty,
    },
    /// The exchange cancelled it for us.
    Canceled,
    /// It ended by its own terms.
    Expired,
}

/// What must be done after the event is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Send the connector the order's present command (place or cancel); it may hear it any number of times.
    Drive,
    /// Ask the exchange for this order's executions.
    FetchFills,
    /// The order is over and all its fills are known: settle its allocation.
    Settle,
}

/// An event that cannot happen in this status: our picture and the exchange's have parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The table has no such transition.
    #[error("event does not apply to an order that is {}", .0.as_str())]
    Status(Status),
    /// More executed than ordered.
    #[error("executed more than ordered")]
    Overfill,
    /// Not a positive quantity, or numbers out of range.
    #[error("impossible quantity")]
    Quantity,
}

impl From<OutOfRange> for Refused {
    fn from(_: OutOfRange) -> Self {
        Self::Quantity
    }
}

/// An order as we know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What was ordered.
    pub spec: OrderSpec,
    /// Where it stands.
    pub status: Status,
    /// Base quantity of the fills applied.
    pub filled: Qty,
    /// Quote amount of the fills applied.
    pub filled_quote: Money,
    /// The most the exchange has told to be executed; at least `filled`.
    pub reported: Qty,
    /// The exchange's id, once known.
    pub exchange_order_id: Option<u64>,
    /// A cancel is wanted as soon as it can be sent.
    pub cancel_wanted: bool,
    /// Which placement this is: grows only after a proven "never arrived".
    pub attempt: u32,
}

impl Order {
    /// A new order, waiting for its allocation.
    #[must_use]
    pub fn new(spec: OrderSpec) -> Self {
        Self {
            spec,
            status: Status::Requested,
            filled: Qty::ZERO,
            filled_quote: Money::ZERO,
            reported: Qty::ZERO,
            exchange_order_id: None,
            cancel_wanted: false,
            attempt: 1,
        }
    }

    /// Quantity that may still execute; zero for a final order.
    #[must_use]
    pub fn open_qty(&self) -> Qty {
        if self.status.is_final() { Qty::ZERO } else { self.spec.qty.sub(self.filled).unwrap_or(Qty::ZERO) }
    }

    /// True when the order is over and every execution the exchange told of has been applied.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.status.is_final() && self.filled >= self.reported
    }

    /// Applies `event`. Pure: replaying the journal gives the same order.
    ///
    /// # Errors
    /// Refuses an event that cannot happen in this status, and leaves the order as it was.
    pub fn apply(&mut self, event: Event) -> Result<Option<Effect>, Refused> {
        let was_settled = self.is_settled();
        let mut next = *self;
        let effect = next.step(event)?;
        let effect = match (was_settled, next.is_settled()) {
            (false, true) => Some(Effect::Settle),
            _ => effect,
        };
        *self = next;
        Ok(effect)
    }

    fn step(&mut self, event: Event) -> Result<Option<Effect>, Refused> {
        use Status::{
            Abandoned, Canceled, Expired, Filled, InDoubt, Open, PendingCancel, PendingNew, Rejected, Requested,
        };
        let (status, effect) = match (self.status, event) {
            (Requested, Event::Granted) => (PendingNew, Some(Effect::Drive)),
            (Requested, Event::Abandoned | Event::CancelAsked) => (Abandoned, None),

            (PendingNew | Open, Event::Acked) => (Open, None),
            // Asked to go before it arrived: now the cancel can find it.
            (InDoubt, Event::Acked) if self.cancel_wanted => (PendingCancel, Some(Effect::Drive)),
            (InDoubt, Event::Acked) => (Open, None),
            (PendingCancel, Event::Acked) => (PendingCancel, Some(Effect::Drive)),
            (PendingNew | InDoubt | PendingCancel, Event::Rejected) => (Rejected, None),

            // Silence is not a refusal: the exchange may hold the order, so ask before anything else.
            (PendingNew | InDoubt, Event::DoubtRaised | Event::AnswerOverdue) => (InDoubt, Some(Effect::Drive)),
            (PendingCancel, Event::DoubtRaised | Event::AnswerOverdue) => (PendingCancel, Some(Effect::Drive)),
            (Open, Event::DoubtRaised | Event::AnswerOverdue) => (Open, None),
            (PendingNew | InDoubt | PendingCancel, Event::NeverArrived) if self.cancel_wanted => (Canceled, None),
            (PendingNew | InDoubt, Event::NeverArrived) => {
                self.attempt = self.attempt.saturating_add(1);
                (PendingNew, Some(Effect::Drive))
            }

            (PendingNew | Open | PendingCancel, Event::CancelAsked) => {
                self.cancel_wanted = true;
                (PendingCancel, Some(Effect::Drive))
            }
            (InDoubt, Event::CancelAsked) => {
                self.cancel_wanted = true;
                (InDoubt, Some(Effect::Drive))
            }
            // The cancel found nothing to cancel: filled, or not there yet. Only the exchange knows which.
            (PendingCancel, Event::CancelRefused) => (InDoubt, Some(Effect::Drive)),
            (PendingNew | InDoubt | Open, Event::CancelRefused) => (self.status, None),

            // A fill may overtake our cancel, or its acknowledgement. The money has moved, so the fill stands.
            (PendingNew | InDoubt | Open | PendingCancel | Canceled | Expired, Event::Fill { qty, quote }) => {
                (self.fill(qty, quote)?, None)
            }
            (
                PendingNew | InDoubt | Open | PendingCancel | Filled | Canceled | Expired,
                Event::ExecutedUpTo { filled },
            ) => self.executed_up_to(filled)?,

            (PendingNew | InDoubt | Open | PendingCancel | Canceled, Event::Canceled) => (Canceled, None),
            (PendingNew | InDoubt | Open | PendingCancel | Expired, Event::Expired) => (Expired, None),

            // Repeats and latecomers that change nothing.
            (Filled | Canceled | Expired | Rejected | Abandoned, Event::CancelAsked | Event::CancelRefused)
            | (Filled | Canceled | Expired | Rejected, Event::DoubtRaised | Event::AnswerOverdue)
            | (Filled | Canceled | Expired, Event::Acked)
            | (Rejected, Event::Rejected)
            | (Abandoned, Event::Abandoned) => (self.status, None),

            // Impossible: the pictures have parted.
            (Requested, Event::Acked | Event::Rejected | Event::CancelRefused | Event::DoubtRaised)
            | (Requested, Event::AnswerOverdue | Event::NeverArrived | Event::Fill { .. } | Event::Canceled)
            | (Requested | Rejected | Abandoned, Event::ExecutedUpTo { .. } | Event::Expired)
            | (PendingNew | InDoubt | Open | PendingCancel, Event::Granted | Event::Abandoned)
            | (Open, Event::Rejected | Event::NeverArrived)
            | (PendingCancel, Event::NeverArrived)
            | (Filled, Event::Fill { .. } | Event::Canceled | Event::Expired | Event::Rejected | Event::NeverArrived)
            | (Canceled, Event::Expired | Event::Rejected | Event::NeverArrived)
            | (Expired, Event::Canceled | Event::Rejected | Event::NeverArrived)
            | (Filled | Canceled | Expired | Rejected | Abandoned, Event::Granted)
            | (Filled | Canceled | Expired | Rejected, Event::Abandoned)
            | (Rejected | Abandoned, Event::Fill { .. } | Event::Canceled | Event::NeverArrived | Event::Acked)
            | (Abandoned, Event::Rejected | Event::DoubtRaised | Event::AnswerOverdue) => {
                return Err(Refused::Status(self.status));
            }
        };
        self.status = status;
        Ok(effect)
    }

    fn fill(&mut self, qty: Qty, quote: Money) -> Result<Status, Refused> {
        if !qty.is_positive() || quote.is_negative() {
            return Err(Refused::Quantity);
        }
        self.filled = self.filled.add(qty)?;
        self.filled_quote = self.filled_quote.add(quote)?;
        self.reported = self.reported.max(self.filled);
        if self.filled > self.spec.qty {
            return Err(Refused::Overfill);
        }
        Ok(match self.status {
            _ if self.filled == self.spec.qty => Status::Filled,
            Status::PendingNew | Status::InDoubt if !self.cancel_wanted => Status::Open,
            status => status,
        })
    }

    fn executed_up_to(&mut self, filled: Qty) -> Result<(Status, Option<Effect>), Refused> {
        if filled > self.spec.qty {
            return Err(Refused::Overfill);
        }
        self.reported = self.reported.max(filled);
        let missing = self.reported > self.filled;
        Ok((self.status, missing.then_some(Effect::FetchFills)))
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
