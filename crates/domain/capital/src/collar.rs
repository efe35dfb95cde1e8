//! The price collar: how bad a price may get, and what an order may cost at that price.

use nightdesk_market::Side;
use nightdesk_orders::OrderKind;
use nightdesk_units::{Money, OutOfRange, Price, Qty};

use crate::{DenyReason, Percent};

/// How far from the market's middle an order may trade, and what a trade costs beside its price.
///
/// Only the expensive side is bounded (a buy above, a sell below the market): a buy far below can cost no more than its
/// limit, and a grid rests there by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collar {
    /// Largest distance from the reference on the expensive side.
    pub percent: Percent,
    /// The highest fee of an execution, of its notional.
    pub fee: Percent,
}

impl Collar {
    /// The worst price that `side` may trade at when the market's middle is `reference`.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn limit(&self, side: Side, reference: Price) -> Result<Price, OutOfRange> {
        let distance = self.percent.of_price(reference)?;
        match side {
            Side::Buy => reference.add(distance),
            Side::Sell => reference.sub(distance),
        }
    }

    /// The worst price the order can trade at: its own limit, or for a market order the collar's, at which a connector
    /// that protects market orders puts their limit.
    ///
    /// # Errors
    /// `PriceCollar` when the order's limit lies beyond the collar; `BadCost` when a price is out of range.
    pub fn worst_price(&self, side: Side, kind: &OrderKind, reference: Price) -> Result<Price, DenyReason> {
        let worst = self.limit(side, reference).map_err(|OutOfRange| DenyReason::BadCost { asked: Money::ZERO })?;
        let Some(price) = kind.price() else { return Ok(worst) };
        let beyond = match side {
            Side::Buy => price > worst,
            Side::Sell => price < worst,
        };
        if beyond {
            return Err(DenyReason::PriceCollar { price, reference, collar: self.percent, worst });
        }
        Ok(price)
    }

    /// What the order may cost at worst: notional at its worst price plus the fee.
    ///
    /// # Errors
    /// As `worst_price`, and `BadCost` when the cost is out of range.
    pub fn worst_cost(&self, side: Side, kind: &OrderKind, qty: Qty, reference: Price) -> Result<Money, DenyReason> {
        let price = self.worst_price(side, kind, reference)?;
        let cost = price.notional(qty).and_then(|notional| notional.add(self.fee.of(notional)?));
        cost.map_err(|OutOfRange| DenyReason::BadCost { asked: Money::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use nightdesk_orders::TimeInForce;

    use super::*;

    fn check(side: Side, price: &str, expected: &str) {
        let collar = Collar { percent: "2".parse().unwrap(), fee: "0.1".parse().unwrap() };
        let kind = match price {
            "market" => OrderKind::Market,
            price => OrderKind::Limit { price: price.parse().unwrap(), tif: TimeInForce::Gtc },
        };
        let reference = "100".parse().unwrap();
        let price = collar.worst_price(side, &kind, reference);
        let cost = collar.worst_cost(side, &kind, "3".parse().unwrap(), reference);
        let got = match (price, cost) {
            (Ok(price), Ok(cost)) => format!("{price} costs {cost}"),
            (Err(reason), _) | (_, Err(reason)) => reason.to_string(),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn a_limit_order_costs_its_limit_and_a_market_order_the_collar() {
        check(Side::Buy, "101", "101 costs 303.303");
        check(Side::Buy, "market", "102 costs 306.306");
        check(Side::Sell, "market", "98 costs 294.294");
    }

    #[test]
    fn only_the_expensive_side_is_collared() {
        check(Side::Buy, "102.01", "price 102.01 is beyond the collar of 2% around 100: the worst allowed is 102");
        check(Side::Sell, "97.99", "price 97.99 is beyond the collar of 2% around 100: the worst allowed is 98");
        check(Side::Buy, "50", "50 costs 150.15");
        check(Side::Sell, "150", "150 costs 450.45");
    }
}
