//! Why the venue refuses, in the exchange's own codes and words.

use nightdesk_market::FilterFailure;

/// A refusal: nothing has happened. The text is exactly the exchange's `msg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// The order breaks one of its instrument's filters.
    #[error(transparent)]
    Filter(#[from] FilterFailure),
    /// There is no such instrument here.
    #[error("Invalid symbol.")]
    InvalidSymbol,
    /// The account is not known.
    #[error("This account may not place or cancel orders.")]
    UnknownAccount,
    /// A deposit would take a balance beyond what the venue reckons with (10¹⁵).
    #[error("Invalid quantity.")]
    AmountTooLarge,
    /// Not enough free balance for what the order would lock or spend.
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
    /// An *open* order of the account carries the same client order id.
    #[error("Duplicate order sent.")]
    DuplicateOrder,
    /// A LIMIT_MAKER order would trade at once.
    #[error("Order would immediately match and take.")]
    WouldMatch,
    /// A cancel found no open order.
    #[error("Unknown order sent.")]
    UnknownOrder,
    /// An amendment does not reduce the order, or reduces it below what has executed.
    #[error("The requested quantity must be below the order's and above what has been executed.")]
    NotReduced,
    /// A query found no order.
    #[error("Order does not exist.")]
    NoSuchOrder,
}

impl VenueError {
    /// The exchange's error code.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::Filter(_) | Self::AmountTooLarge => -1013,
            Self::InvalidSymbol => -1121,
            Self::UnknownAccount | Self::InsufficientBalance | Self::DuplicateOrder | Self::WouldMatch => -2010,
            Self::UnknownOrder => -2011,
            Self::NoSuchOrder => -2013,
            Self::NotReduced => -2038,
        }
    }
}
