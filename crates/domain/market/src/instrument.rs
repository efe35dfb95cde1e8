//! An instrument and the exchange's filters on its orders.

use std::fmt;

use nightdesk_units::{Asset, Decimal, Lots, Money, Price, Qty, Scale, Symbol, Ticks};
use serde::{Deserialize, Serialize};

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Buy the base asset.
    Buy,
    /// Sell the base asset.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        })
    }
}

/// The exchange's limits on one instrument's orders. Meanings as in Binance Spot's "Filters" page; a zero maximum or
/// an absent multiplier means that the filter does not limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// PRICE_FILTER minPrice.
    pub min_price: Price,
    /// PRICE_FILTER maxPrice.
    pub max_price: Price,
    /// LOT_SIZE minQty.
    pub min_qty: Qty,
    /// LOT_SIZE maxQty.
    pub max_qty: Qty,
    /// MARKET_LOT_SIZE maxQty, for market orders only.
    pub max_market_qty: Qty,
    /// NOTIONAL minNotional.
    pub min_notional: Money,
    /// NOTIONAL applyMinToMarket.
    pub min_notional_applies_to_market: bool,
    /// NOTIONAL maxNotional.
    pub max_notional: Money,
    /// PERCENT_PRICE_BY_SIDE: multipliers of the average price (bid up, bid down, ask up, ask down).
    pub percent_price: Option<[Decimal; 4]>,
    /// MAX_NUM_ORDERS.
    pub max_open_orders: u32,
    /// MAX_POSITION: largest base quantity held plus open buys.
    pub max_position: Qty,
}

/// A filter that an order fails; its text is the exchange's own name of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Filter failure: {0}")]
pub struct FilterFailure(pub &'static str);

/// Something that can be traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its name at the exchange.
    pub symbol: Symbol,
    /// What is bought or sold.
    pub base: Asset,
    /// What it is paid with.
    pub quote: Asset,
    /// Tick and lot.
    pub scale: Scale,
    /// Limits on orders.
    pub filters: Filters,
}

impl Instrument {
    /// Checks the filters that need no market: price, lot, notional. `price` is `None` for a market order, whose notional
    /// is judged at `reference` (the exchange's average price).
    ///
    /// # Errors
    /// The first filter that fails, in the exchange's order.
    pub fn check(
        &self,
        side: Side,
        price: Option<Price>,
        qty: Qty,
        reference: Option<Price>,
    ) -> Result<(), FilterFailure> {
        let filters = &self.filters;
        if let Some(price) = price {
            let above = filters.max_price.is_positive() && price > filters.max_price;
            if price < filters.min_price || !price.is_positive() || above || self.scale.ticks(price).is_err() {
                return Err(FilterFailure("PRICE_FILTER"));
            }
            self.check_percent_price(side, price, reference)?;
        }
        let above = filters.max_qty.is_positive() && qty > filters.max_qty;
        if qty < filters.min_qty || !qty.is_positive() || above || self.scale.lots(qty).is_err() {
            return Err(FilterFailure("LOT_SIZE"));
        }
        if price.is_none() && filters.max_market_qty.is_positive() && qty > filters.max_market_qty {
            return Err(FilterFailure("MARKET_LOT_SIZE"));
        }
        self.check_notional(price, qty, reference)
    }

    fn check_percent_price(&self, side: Side, price: Price, reference: Option<Price>) -> Result<(), FilterFailure> {
        let (Some([bid_up, bid_down, ask_up, ask_down]), Some(reference)) = (self.filters.percent_price, reference)
        else {
            return Ok(());
        };
        let (up, down) = match side {
            Side::Buy => (bid_up, bid_down),
            Side::Sell => (ask_up, ask_down),
        };
        let failure = FilterFailure("PERCENT_PRICE_BY_SIDE");
        let (high, low) = (reference.scale(up).map_err(|_| failure)?, reference.scale(down).map_err(|_| failure)?);
        if price > high || price < low { Err(failure) } else { Ok(()) }
    }

    fn check_notional(&self, price: Option<Price>, qty: Qty, reference: Option<Price>) -> Result<(), FilterFailure> {
        let Some(at) = price.or(reference) else { return Ok(()) };
        let failure = FilterFailure("NOTIONAL");
        let notional = at.notional(qty).map_err(|_| failure)?;
        let applies = price.is_some() || self.filters.min_notional_applies_to_market;
        let above = self.filters.max_notional.is_positive() && price.is_some() && notional > self.filters.max_notional;
        if (applies && notional < self.filters.min_notional) || above { Err(failure) } else { Ok(()) }
    }

    /// The price in decimals.
    #[must_use]
    pub fn price(&self, ticks: Ticks) -> Price {
        self.scale.price(ticks)
    }

    /// The quantity in decimals.
    #[must_use]
    pub fn qty(&self, lots: Lots) -> Qty {
        self.scale.qty(lots)
    }

    /// `qty` cut down to a whole number of lots.
    #[must_use]
    pub fn qty_down(&self, qty: Qty) -> Qty {
        self.scale.qty(self.scale.lots_down(qty))
    }

    /// `price` cut down to a whole number of ticks.
    #[must_use]
    pub fn price_down(&self, price: Price) -> Price {
        self.scale.price(self.scale.ticks_down(price))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrument() -> Instrument {
        let dec = |text: &str| text.parse::<Decimal>().unwrap();
        Instrument {
            symbol: "BTCUSDT".parse().unwrap(),
            base: "BTC".parse().unwrap(),
            quote: "USDT".parse().unwrap(),
            scale: Scale { tick: dec("0.01"), step: dec("0.00001") },
            filters: Filters {
                min_price: Price::new(dec("0.01")),
                max_price: Price::new(dec("1000000")),
                min_qty: Qty::new(dec("0.00001")),
                max_qty: Qty::new(dec("9000")),
                max_market_qty: Qty::new(dec("100")),
                min_notional: Money::new(dec("5")),
                min_notional_applies_to_market: true,
                max_notional: Money::new(dec("9000000")),
                percent_price: Some([dec("5"), dec("0.2"), dec("5"), dec("0.2")]),
                max_open_orders: 200,
                max_position: Qty::ZERO,
            },
        }
    }

    fn check(price: &str, qty: &str, expected: &str) {
        let price = (price != "market").then(|| price.parse().unwrap());
        let got = instrument().check(Side::Buy, price, qty.parse().unwrap(), Some("60000".parse().unwrap()));
        assert_eq!(got.map_or_else(|e| e.to_string(), |()| "ok".to_owned()), expected);
    }

    #[test]
    fn filters_fail_by_the_exchanges_names() {
        check("60000.00", "0.001", "ok");
        check("60000.001", "0.001", "Filter failure: PRICE_FILTER");
        check("0", "0.001", "Filter failure: PRICE_FILTER");
        check("300000.01", "0.001", "Filter failure: PERCENT_PRICE_BY_SIDE");
        check("11999.99", "0.001", "Filter failure: PERCENT_PRICE_BY_SIDE");
        check("60000", "0.000001", "Filter failure: LOT_SIZE");
        check("60000", "0.0000101", "Filter failure: LOT_SIZE");
        check("60000", "9000.00001", "Filter failure: LOT_SIZE");
        check("market", "100.00001", "Filter failure: MARKET_LOT_SIZE");
        check("60000", "0.00008", "Filter failure: NOTIONAL");
        check("60000", "151", "Filter failure: NOTIONAL");
        check("market", "0.00008", "Filter failure: NOTIONAL");
        check("market", "99", "ok");
    }
}
