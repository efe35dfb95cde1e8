//! What core-engine journals. Replaying these facts gives its state.

use nightdesk_capital::Mode;
use nightdesk_exchange::Balance;
use nightdesk_market::Instrument;
use nightdesk_orders::{ClientOrderId, Event, ExecutionReport, Fill};
use nightdesk_positions::Sample;
use nightdesk_units::{Asset, InstanceId, Money, Qty, Symbol, Timestamp};
use nightdesk_wire::{Intent, StrategyState};
use serde::{Deserialize, Serialize};

use crate::state::Entry;

/// A fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A strategy's decision was taken up as an order, not sent yet.
    Intent {
        /// The decision.
        intent: Intent,
        /// True when it only reduces what is held.
        reduces: bool,
        /// What it may cost at worst.
        worst_cost: Money,
        /// When.
        at: Timestamp,
    },
    /// Something happened to an order.
    Order {
        /// Which.
        id: ClientOrderId,
        /// What.
        event: Event,
        /// Why, for the reader.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The exchange's id, once it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exchange_order_id: Option<u64>,
        /// When.
        at: Timestamp,
    },
    /// An order executed.
    Fill {
        /// Which.
        id: ClientOrderId,
        /// The execution.
        fill: Fill,
    },
    /// An order of our namespace was found at the exchange that the book lacked.
    Adopted {
        /// As the exchange told it.
        report: ExecutionReport,
        /// Whose.
        instance: InstanceId,
        /// When.
        at: Timestamp,
    },
    /// An order that had been forgotten was taken back from the store, because there is news of it.
    Recalled {
        /// As it was stored.
        entry: Box<Entry>,
    },
    /// The instruments' filters and scales.
    Instruments {
        /// All of them.
        instruments: Vec<Instrument>,
    },
    /// What the account held when Nightdesk first looked.
    Opening {
        /// Its balances.
        balances: Vec<Balance>,
        /// What the differences from our books were worth.
        flow: Money,
        /// When.
        at: Timestamp,
    },
    /// Money came or went otherwise than by trading.
    Transfer {
        /// What.
        asset: Asset,
        /// How much, signed.
        delta: Qty,
        /// What it was worth.
        flow: Money,
        /// When.
        at: Timestamp,
    },
    /// The mode from now on.
    Mode(Mode),
    /// A strategy instance was told to run or to stop, or told how it fares.
    Strategy(StrategyState),
    /// An operator's wish for an instance.
    Wanted {
        /// Whose.
        instance: InstanceId,
        /// True to run.
        run: bool,
        /// Who asked.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Nobody can know something about this instrument: it is left alone until an operator has looked.
    Quarantined {
        /// Which.
        symbol: Symbol,
        /// What nobody knows.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// An operator has looked.
    Released {
        /// Which instrument.
        symbol: Symbol,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The exchange and our book agreed up to here.
    Reconciled {
        /// Everything at the exchange before this is in the book.
        up_to: Timestamp,
    },
    /// The books valued at one moment.
    Equity(Sample),
    /// An instance's capital from now on: its returns are measured on that.
    Allocated {
        /// Whose.
        instance: InstanceId,
        /// How much.
        amount: Money,
    },
    /// What was done while the store took no writes.
    Emergency {
        /// What kind.
        kind: String,
        /// Its record.
        body: String,
        /// When.
        at: Timestamp,
    },
}

impl Fact {
    /// Its name in the journal.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Intent { .. } => "intent",
            Self::Order { .. } => "order",
            Self::Fill { .. } => "fill",
            Self::Adopted { .. } => "adopted",
            Self::Recalled { .. } => "recalled",
            Self::Instruments { .. } => "instruments",
            Self::Opening { .. } => "opening",
            Self::Transfer { .. } => "transfer",
            Self::Mode(_) => "mode",
            Self::Strategy(_) => "strategy",
            Self::Wanted { .. } => "wanted",
            Self::Quarantined { .. } => "quarantined",
            Self::Released { .. } => "released",
            Self::Reconciled { .. } => "reconciled",
            Self::Equity(_) => "equity",
            Self::Allocated { .. } => "allocated",
            Self::Emergency { .. } => "emergency",
        }
    }
}
