//! Numbers, times and ids as the exchange writes them.

use nightdesk_market::Instrument;
use nightdesk_units::{Decimal, Lots, Ticks, Timestamp};

/// The fewest digits after the point the exchange writes.
const DIGITS: u32 = 8;

/// The decimal with eight digits after the point, or more where it has more: nothing is ever rounded away.
pub(crate) fn dec(value: Decimal) -> String {
    let mut value = if value.scale() > DIGITS { value.normalize() } else { value };
    if value.scale() < DIGITS {
        value.rescale(DIGITS);
    }
    value.to_string()
}

pub(crate) fn price(instrument: &Instrument, ticks: Ticks) -> String {
    dec(instrument.price(ticks).get())
}

pub(crate) fn qty(instrument: &Instrument, lots: Lots) -> String {
    dec(instrument.qty(lots).get())
}

/// A quote amount given in units of tick × step.
pub(crate) fn quote_amount(instrument: &Instrument, product: i128) -> String {
    dec(quote_value(instrument, product))
}

pub(crate) fn quote_value(instrument: &Instrument, product: i128) -> Decimal {
    let unit = instrument.scale.tick.saturating_mul(instrument.scale.step);
    // Beyond 96 bits (10^28 units) the figure is only a statistic: saturate.
    Decimal::try_from_i128_with_scale(product, 0).unwrap_or(Decimal::MAX).saturating_mul(unit)
}

/// Milliseconds or microseconds, as the client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum TimeUnit {
    #[default]
    Milli,
    Micro,
}

impl TimeUnit {
    /// The unit by its name in `timeUnit` and `X-MBX-TIME-UNIT`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "MILLISECOND" | "millisecond" => Some(Self::Milli),
            "MICROSECOND" | "microsecond" => Some(Self::Micro),
            _ => None,
        }
    }

    pub(crate) fn of(self, at: Timestamp) -> i64 {
        match self {
            Self::Milli => at.as_millis(),
            Self::Micro => at.0,
        }
    }

    /// The last instant of an interval whose end (exclusive) is `end`: one millisecond, or microsecond, before it.
    pub(crate) fn last_before(self, end: Timestamp) -> i64 {
        self.of(end) - 1
    }
}

/// Decodes `%XX`; `plus` turns `+` into a space as forms do. `None` for a broken escape or text that is not UTF-8.
pub(crate) fn percent_decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => (hex_digit(rest.next()?)? << 4) | hex_digit(rest.next()?)?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_eight_digits_or_all_they_need() {
        let check = |text: &str, expected: &str| assert_eq!(dec(text.parse().unwrap()), expected);
        check("61837.63", "61837.63000000");
        check("0", "0.00000000");
        check("0.1234567891", "0.1234567891");
        check("0.1234567800000", "0.12345678");
        check("-5", "-5.00000000");
    }

    #[test]
    fn percent_escapes_decode_or_are_refused() {
        assert_eq!(percent_decode("a%2Bb+c%C3%A4", true).as_deref(), Some("a+b cä"));
        assert_eq!(percent_decode("a+b", false).as_deref(), Some("a+b"));
        for bad in ["%", "%2", "%zz", "%FF"] {
            assert_eq!(percent_decode(bad, true), None, "{bad}");
        }
    }
}
