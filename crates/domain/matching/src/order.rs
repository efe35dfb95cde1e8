//! Orders and fills as they are kept: integers, so that a hundred thousand of each fit in little memory.

use nightdesk_market::{Instrument, Side};
use nightdesk_orders::{ClientOrderId, TimeInForce};
use nightdesk_units::{Decimal, Lots, Money, Price, Qty, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Amendment, FillView, OrderStatus, OrderType, OrderView, SelfTradePrevention};

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) client_order_id: ClientOrderId,
    pub(crate) account: AccountId,
    pub(crate) market: u16,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) tif: TimeInForce,
    pub(crate) stp: SelfTradePrevention,
    pub(crate) status: OrderStatus,
    /// Limit price in ticks; zero for a market order.
    pub(crate) price: i64,
    /// Ordered; for a market order by quote amount, what that comes to.
    pub(crate) lots: i64,
    pub(crate) quote_order_qty: Money,
    pub(crate) filled: i64,
    /// In units of tick × lot.
    pub(crate) filled_quote: i128,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Its place in the book while it rests.
    pub(crate) node: u32,
    /// Oldest first; almost always none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amendments: Vec<Amendment>,
}

impl Order {
    /// True for orders that hold balance until they execute.
    pub(crate) const fn locks(&self) -> bool {
        !matches!(self.order_type, OrderType::Market)
    }

    pub(crate) fn is_by_quote(&self) -> bool {
        self.quote_order_qty.is_positive()
    }

    pub(crate) fn view(&self, order_id: u64, instrument: &Instrument) -> OrderView {
        OrderView {
            order_id,
            client_order_id: self.client_order_id,
            account: self.account,
            symbol: instrument.symbol,
            side: self.side,
            order_type: self.order_type,
            tif: self.tif,
            price: instrument.price(Ticks(self.price)),
            qty: instrument.qty(Lots(if self.is_by_quote() { self.filled } else { self.lots })),
            quote_order_qty: self.quote_order_qty,
            filled: instrument.qty(Lots(self.filled)),
            filled_quote: Money::new(amount(self.filled_quote, instrument)),
            status: self.status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            working_at: self.created_at,
            stp: self.stp,
        }
    }
}

/// A fill.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) trade_id: u64,
    pub(crate) order_id: u64,
    pub(crate) market: u16,
    pub(crate) side: Side,
    pub(crate) maker: bool,
    pub(crate) price: i64,
    pub(crate) lots: i64,
    pub(crate) commission: Qty,
    pub(crate) at: Timestamp,
}

impl Fill {
    pub(crate) fn view(&self, account: AccountId, instrument: &Instrument) -> FillView {
        let (price, qty) = (instrument.price(Ticks(self.price)), instrument.qty(Lots(self.lots)));
        FillView {
            trade_id: self.trade_id,
            order_id: self.order_id,
            account,
            symbol: instrument.symbol,
            side: self.side,
            price,
            qty,
            quote_qty: notional(price, qty),
            commission: self.commission,
            commission_asset: if self.side == Side::Buy { instrument.base } else { instrument.quote },
            maker: self.maker,
            at: self.at,
        }
    }
}

/// A quote amount in units of tick × lot as a decimal. Beyond 28 digits it saturates: no balance is that large.
pub(crate) fn amount(units: i128, instrument: &Instrument) -> Decimal {
    let unit = instrument.scale.tick.saturating_mul(instrument.scale.step);
    Decimal::try_from_i128_with_scale(units, 0).unwrap_or(Decimal::MAX).saturating_mul(unit)
}

/// `price × qty`; saturates.
pub(crate) fn notional(price: Price, qty: Qty) -> Money {
    Money::new(price.get().saturating_mul(qty.get()))
}
