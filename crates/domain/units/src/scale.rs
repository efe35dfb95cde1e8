//! Integer ticks and lots for the hot paths, and the exact conversion to and from decimals.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Price, Qty};

/// A price in whole ticks of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticks(pub i64);

/// A quantity in whole lots (steps) of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lots(pub i64);

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}t", self.0)
    }
}

impl fmt::Display for Lots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}l", self.0)
    }
}

/// A value that is no whole number of ticks or lots, or does not fit in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not a whole multiple of {unit} within range")]
pub struct ScaleError {
    /// The value offered.
    pub value: Decimal,
    /// The tick or step it must be a multiple of.
    pub unit: Decimal,
}

/// An instrument's tick (price unit) and step (quantity unit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Quote currency per tick.
    pub tick: Decimal,
    /// Base asset per lot.
    pub step: Decimal,
}

impl Scale {
    /// The price as whole ticks.
    ///
    /// # Errors
    /// `ScaleError` when it is between two ticks or out of range.
    pub fn ticks(&self, price: Price) -> Result<Ticks, ScaleError> {
        whole(price.get(), self.tick).map(Ticks)
    }

    /// The quantity as whole lots.
    ///
    /// # Errors
    /// `ScaleError` when it is between two lots or out of range.
    pub fn lots(&self, qty: Qty) -> Result<Lots, ScaleError> {
        whole(qty.get(), self.step).map(Lots)
    }

    /// The largest whole number of ticks at or below `price`; saturates at the range of 64 bits.
    #[must_use]
    pub fn ticks_down(&self, price: Price) -> Ticks {
        Ticks(floor(price.get(), self.tick))
    }

    /// The largest whole number of lots at or below `qty`; saturates at the range of 64 bits.
    #[must_use]
    pub fn lots_down(&self, qty: Qty) -> Lots {
        Lots(floor(qty.get(), self.step))
    }

    /// The price of `ticks`.
    #[must_use]
    pub fn price(&self, ticks: Ticks) -> Price {
        Price::new(Decimal::from(ticks.0).saturating_mul(self.tick))
    }

    /// The quantity of `lots`.
    #[must_use]
    pub fn qty(&self, lots: Lots) -> Qty {
        Qty::new(Decimal::from(lots.0).saturating_mul(self.step))
    }
}

fn whole(value: Decimal, unit: Decimal) -> Result<i64, ScaleError> {
    let error = ScaleError { value, unit };
    let quotient = value.checked_div(unit).ok_or(error)?;
    if !quotient.fract().is_zero() {
        return Err(error);
    }
    i64::try_from(quotient.trunc()).map_err(|_| error)
}

fn floor(value: Decimal, unit: Decimal) -> i64 {
    let Some(quotient) = value.checked_div(unit) else { return 0 };
    i64::try_from(quotient.floor()).unwrap_or(if quotient.is_sign_negative() { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> Scale {
        Scale { tick: Decimal::new(1, 2), step: Decimal::new(1, 5) }
    }

    #[test]
    fn conversions_are_exact_both_ways() {
        let ticks = scale().ticks("61837.63000000".parse().unwrap()).unwrap();
        assert_eq!((ticks, scale().price(ticks).to_string()), (Ticks(6_183_763), "61837.63".to_owned()));
        let lots = scale().lots("1.54698".parse().unwrap()).unwrap();
        assert_eq!((lots, scale().qty(lots).to_string()), (Lots(154_698), "1.54698".to_owned()));
    }

    #[test]
    fn between_two_ticks_is_an_error_and_down_goes_down() {
        let price: Price = "1.005".parse().unwrap();
        assert!(scale().ticks(price).is_err());
        assert_eq!(scale().ticks_down(price), Ticks(100));
        assert_eq!(scale().lots_down("-0.000001".parse().unwrap()), Lots(-1));
    }

    #[test]
    fn out_of_range_is_an_error() {
        assert!(scale().ticks(Price::new(Decimal::MAX)).is_err());
    }
}
