//! What the API says about orders and executions.

use nightdesk_market::Side;
use nightdesk_orders::{ClientOrderId, IntentId, Status};
use nightdesk_units::{Asset, InstanceId, Money, Price, Qty, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{DecimalText, NameText, OrderStatusText, SideText, Time};

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Our id, which it also carries at the exchange.
    #[schemars(with = "NameText")]
    pub client_order_id: ClientOrderId,
    /// The exchange's id, once it is known.
    pub exchange_order_id: Option<u64>,
    /// The decision that it carries out.
    #[schemars(with = "NameText")]
    pub intent_id: IntentId,
    /// The decision's own key.
    pub key: String,
    /// Whose.
    #[schemars(with = "NameText")]
    pub instance: InstanceId,
    /// Instrument.
    #[schemars(with = "NameText")]
    pub symbol: Symbol,
    /// Buy or sell.
    #[schemars(with = "SideText")]
    pub side: Side,
    /// `market`, `limit` or `limit_maker`.
    pub kind: String,
    /// Limit price; `null` for a market order.
    #[schemars(with = "Option<DecimalText>")]
    pub price: Option<Price>,
    /// `GTC`, `IOC` or `FOK`; `null` unless it is a limit order.
    pub time_in_force: Option<String>,
    /// Base quantity ordered.
    #[schemars(with = "DecimalText")]
    pub quantity: Qty,
    /// Base quantity executed.
    #[schemars(with = "DecimalText")]
    pub filled: Qty,
    /// Quote amount executed.
    #[schemars(with = "DecimalText")]
    pub filled_quote: Money,
    /// Fees paid in quote currency.
    #[schemars(with = "DecimalText")]
    pub fees_quote: Money,
    /// Where it stands.
    #[schemars(with = "OrderStatusText")]
    pub status: Status,
    /// True when it only reduces what is held.
    pub reduces: bool,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// When it was decided.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// An execution of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fill {
    /// Instrument.
    #[schemars(with = "NameText")]
    pub symbol: Symbol,
    /// The exchange's trade id; with instrument and order it names the execution.
    pub trade_id: u64,
    /// The order.
    #[schemars(with = "NameText")]
    pub client_order_id: ClientOrderId,
    /// Whose.
    #[schemars(with = "NameText")]
    pub instance: InstanceId,
    /// Bought or sold.
    #[schemars(with = "SideText")]
    pub side: Side,
    /// Price.
    #[schemars(with = "DecimalText")]
    pub price: Price,
    /// Base quantity, before the fee.
    #[schemars(with = "DecimalText")]
    pub quantity: Qty,
    /// Fee, in `fee_asset`.
    #[schemars(with = "DecimalText")]
    pub fee: Qty,
    /// What the fee was taken in.
    #[schemars(with = "NameText")]
    pub fee_asset: Asset,
    /// True when our order was resting.
    pub maker: bool,
    /// When, by the exchange's clock.
    pub at: Time,
}
