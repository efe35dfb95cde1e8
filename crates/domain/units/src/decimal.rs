//! Exact decimal newtypes. Arithmetic that can overflow returns `OutOfRange`, never panics and never rounds in silence.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A result left the range of a 96-bit decimal; the caller must refuse the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("decimal result out of range")]
pub struct OutOfRange;

/// Text that is not an exact decimal of at most 28 digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an exact decimal number: {0:?}")]
pub struct ParseUnitError(pub String);

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Decimal);

        #[allow(clippy::should_implement_trait, reason = "the traits' operators cannot say that they failed")]
        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(Decimal::ZERO);

            /// Wraps a decimal.
            #[must_use]
            pub const fn new(value: Decimal) -> Self {
                Self(value)
            }

            /// The decimal inside.
            #[must_use]
            pub const fn get(self) -> Decimal {
                self.0
            }

            /// `self + other`.
            ///
            /// # Errors
            /// `OutOfRange` on overflow.
            pub fn add(self, other: Self) -> Result<Self, OutOfRange> {
                self.0.checked_add(other.0).map(Self).ok_or(OutOfRange)
            }

            /// `self - other`.
            ///
            /// # Errors
            /// `OutOfRange` on overflow.
            pub fn sub(self, other: Self) -> Result<Self, OutOfRange> {
                self.0.checked_sub(other.0).map(Self).ok_or(OutOfRange)
            }

            /// `self × factor`, for ratios such as a fee rate.
            ///
            /// # Errors
            /// `OutOfRange` on overflow.
            pub fn scale(self, factor: Decimal) -> Result<Self, OutOfRange> {
                self.0.checked_mul(factor).map(Self).ok_or(OutOfRange)
            }

            /// True for exactly zero.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            /// True above zero.
            #[must_use]
            pub fn is_positive(self) -> bool {
                self.0 > Decimal::ZERO
            }

            /// True below zero.
            #[must_use]
            pub fn is_negative(self) -> bool {
                self.0 < Decimal::ZERO
            }

            /// The negative.
            #[must_use]
            pub fn neg(self) -> Self {
                Self(-self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.normalize(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.normalize())
            }
        }

        impl FromStr for $name {
            type Err = ParseUnitError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Decimal::from_str_exact(text).map(Self).map_err(|_| ParseUnitError(text.to_owned()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a decimal number as text")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

unit!(
    /// A price: quote currency per one unit of the base asset.
    Price
);
unit!(
    /// A quantity of an asset. Signed, because positions and differences are.
    Qty
);
unit!(
    /// An amount of quote currency.
    Money
);

impl Price {
    /// Notional value of `qty` at this price.
    ///
    /// # Errors
    /// `OutOfRange` on overflow.
    pub fn notional(self, qty: Qty) -> Result<Money, OutOfRange> {
        self.0.checked_mul(qty.0).map(Money).ok_or(OutOfRange)
    }
}

impl Money {
    /// The price at which `qty` costs this much, rounded half to even at 28 digits.
    ///
    /// # Errors
    /// `OutOfRange` when `qty` is zero or the result overflows.
    pub fn per(self, qty: Qty) -> Result<Price, OutOfRange> {
        self.0.checked_div(qty.0).map(Price).ok_or(OutOfRange)
    }

    /// Rounded to `digits` decimal places, half to even: for display and summaries, never for books.
    #[must_use]
    pub fn rounded(self, digits: u32) -> Self {
        Self(self.0.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_is_normalised() {
        let price: Price = "61837.63000000".parse().unwrap();
        assert_eq!(price.to_string(), "61837.63");
        assert_eq!(serde_json::to_string(&price).unwrap(), "\"61837.63\"");
    }

    #[test]
    fn more_digits_than_a_decimal_holds_are_refused_not_rounded() {
        assert!("0.12345678901234567890123456789012".parse::<Price>().is_err());
        assert!("1e5".parse::<Qty>().is_err());
        assert!("".parse::<Money>().is_err());
    }

    #[test]
    fn overflow_is_an_error() {
        let huge = Money::new(Decimal::MAX);
        assert_eq!(huge.add(huge), Err(OutOfRange));
        assert_eq!(Price::new(Decimal::MAX).notional(Qty::new(Decimal::TWO)), Err(OutOfRange));
        assert_eq!(huge.per(Qty::ZERO), Err(OutOfRange));
    }
}
