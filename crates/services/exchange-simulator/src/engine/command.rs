//! What changes the exchange's state: commands, logged before anybody hears of their effect.

use nightdesk_matching::{AccountId, Amendment, OrderRef, OrderRequest, OrderView, Placed};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Decimal, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// One change of state. Applying the same commands to the same state gives the same state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Opens an account and gives it its first balances.
    OpenAccount { name: String, maker_fee: Decimal, taker_fee: Decimal, balances: Vec<(Asset, Qty)> },
    /// Places an order.
    Place { account: AccountId, request: OrderRequest },
    /// Cancels an order.
    Cancel { account: AccountId, symbol: Symbol, order: OrderRef, cancel_id: Option<ClientOrderId> },
    /// Reduces an order's quantity.
    Amend { account: AccountId, symbol: Symbol, order: OrderRef, qty: Qty, new_id: Option<ClientOrderId> },
    /// Cancels all orders of a symbol.
    CancelAll { account: AccountId, symbol: Symbol },
    /// Deposits, or withdraws when negative.
    Transfer { account: AccountId, asset: Asset, delta: Qty },
    /// Lets the synthetic market run up to a time (a bounded number of steps).
    Synthetic { until: Timestamp },
    /// Plays the next messages of the recording.
    Replay { messages: usize },
}

/// A command with its time, as the log holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logged {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) command: Command,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    Nothing,
    Account(AccountId),
    Placed(Box<Placed>),
    Canceled(Box<OrderView>, ClientOrderId),
    Amended(Box<OrderView>, Amendment),
    CanceledAll(Vec<OrderView>, ClientOrderId),
}
