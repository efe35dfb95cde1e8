//! What an account asks of the venue.

use nightdesk_market::Side;
use nightdesk_orders::{ClientOrderId, OrderKind, TimeInForce};
use nightdesk_units::{Money, Price, Qty, Symbol};
use serde::{Deserialize, Serialize};

/// An account at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u32);

/// What kind of order, with its quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// At a price or better.
    Limit {
        /// Limit price.
        price: Price,
        /// Base quantity.
        qty: Qty,
        /// How long it may rest.
        tif: TimeInForce,
    },
    /// At a price, refused if it would trade at once.
    LimitMaker {
        /// Limit price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
    /// At whatever the book offers, for a base quantity.
    Market {
        /// Base quantity.
        qty: Qty,
    },
    /// At whatever the book offers, for as many lots as this much quote currency buys or as are needed to earn it.
    MarketQuote {
        /// Quote amount (`quoteOrderQty`).
        quote_qty: Money,
    },
}

impl RequestKind {
    /// The request for `qty` of the order kinds that the rest of the system knows.
    #[must_use]
    pub const fn of(kind: OrderKind, qty: Qty) -> Self {
        match kind {
            OrderKind::Limit { price, tif } => Self::Limit { price, qty, tif },
            OrderKind::LimitMaker { price } => Self::LimitMaker { price, qty },
            OrderKind::Market => Self::Market { qty },
        }
    }

    /// The order type.
    #[must_use]
    pub const fn order_type(&self) -> OrderType {
        match self {
            Self::Limit { .. } => OrderType::Limit,
            Self::LimitMaker { .. } => OrderType::LimitMaker,
            Self::Market { .. } | Self::MarketQuote { .. } => OrderType::Market,
        }
    }

    /// Time in force; GTC where the exchange reports it so without being asked.
    #[must_use]
    pub const fn tif(&self) -> TimeInForce {
        match self {
            Self::Limit { tif, .. } => *tif,
            _ => TimeInForce::Gtc,
        }
    }

    /// Limit price; zero for a market order, as the exchange reports it.
    #[must_use]
    pub const fn price(&self) -> Price {
        match self {
            Self::Limit { price, .. } | Self::LimitMaker { price, .. } => *price,
            Self::Market { .. } | Self::MarketQuote { .. } => Price::ZERO,
        }
    }

    /// Base quantity; zero for a market order by quote amount.
    #[must_use]
    pub const fn qty(&self) -> Qty {
        match self {
            Self::Limit { qty, .. } | Self::LimitMaker { qty, .. } | Self::Market { qty } => *qty,
            Self::MarketQuote { .. } => Qty::ZERO,
        }
    }

    /// Quote amount; zero unless the order is one by quote amount.
    #[must_use]
    pub const fn quote_qty(&self) -> Money {
        match self {
            Self::MarketQuote { quote_qty } => *quote_qty,
            _ => Money::ZERO,
        }
    }
}

/// The exchange's order types that the venue knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderType {
    /// LIMIT.
    Limit,
    /// LIMIT_MAKER.
    LimitMaker,
    /// MARKET.
    Market,
}

/// What happens when an account would trade with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SelfTradePrevention {
    /// It trades with itself.
    None,
    /// The incoming order expires.
    ExpireTaker,
    /// The resting order expires: the exchange's default.
    #[default]
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
}

/// An order to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
    /// Instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Kind and quantities.
    pub kind: RequestKind,
    /// The account's id for it; the venue makes one up when absent.
    pub client_order_id: Option<ClientOrderId>,
    /// Self-trade prevention; `None` for the venue's default. The mode of the incoming order counts.
    pub stp: Option<SelfTradePrevention>,
}

/// How an order is named in a cancel or query. When both are known the exchange goes by the order id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderRef {
    /// By the exchange's id.
    Id(u64),
    /// By the account's own id; of several orders that carried it, the newest is meant.
    Client(ClientOrderId),
}
