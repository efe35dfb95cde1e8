//! Short names kept inline, so that a symbol costs no allocation and copies like a number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is empty, too long, or has a character outside `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name of 1 to {max} letters, digits, '.', '_' or '-': {text:?}")]
pub struct NameError {
    /// The longest text this kind of name holds.
    pub max: usize,
    /// What was offered.
    pub text: String,
}

/// Up to `N` ASCII characters, inline.
///
/// What follows the text is zero, and no text holds a zero: the bytes alone order and tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// An instrument's name at the exchange, such as `BTCUSDT`.
pub type Symbol = Name<23>;
/// An asset's name, such as `USDT`.
pub type Asset = Name<15>;
/// A strategy instance's name, such as `123` or `123-a`; at most 12 characters, because client order ids carry it.
pub type InstanceId = Name<12>;

impl<const N: usize> Name<N> {
    /// The name that `parts` make one after the other.
    ///
    /// # Errors
    /// `NameError` as for a text.
    pub fn join(parts: &[&str]) -> Result<Self, NameError> {
        let good = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let (mut bytes, mut len) = ([0; N], 0_usize);
        for part in parts {
            match bytes.get_mut(len..len + part.len()) {
                Some(room) if part.as_bytes().iter().all(good) => room.copy_from_slice(part.as_bytes()),
                _ => return Err(Self::refused(&parts.concat())),
            }
            len += part.len();
        }
        match u8::try_from(len) {
            Ok(len) if len > 0 => Ok(Self { bytes, len }),
            _ => Err(Self::refused(&parts.concat())),
        }
    }

    fn refused(text: &str) -> NameError {
        NameError { max: N, text: text.chars().take(64).collect() }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl<const N: usize> Ord for Name<N> {
    /// As text. By words of eight bytes, the last one overlapping the one before: names are keys of maps, and a call of
    /// `memcmp` for each comparison showed in profiles.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let (words, _) = self.bytes.as_chunks::<8>();
        let (others, _) = other.bytes.as_chunks::<8>();
        for (a, b) in words.iter().zip(others) {
            if a != b {
                return u64::from_be_bytes(*a).cmp(&u64::from_be_bytes(*b));
            }
        }
        match (self.bytes.last_chunk::<8>(), other.bytes.last_chunk::<8>()) {
            (Some(a), Some(b)) => u64::from_be_bytes(*a).cmp(&u64::from_be_bytes(*b)),
            _ => self.bytes.cmp(&other.bytes),
        }
    }
}

impl<const N: usize> PartialOrd for Name<N> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> FromStr for Name<N> {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::join(&[text])
    }
}

impl<const N: usize> fmt::Display for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> Serialize for Name<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Name<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const N: usize>;
        impl<const N: usize> serde::de::Visitor<'_> for Text<N> {
            type Value = Name<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a name of at most {N} characters")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name<N>, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_text_and_refuses_what_does_not_fit() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        assert_eq!((symbol.as_str(), format!("{symbol:>9}")), ("BTCUSDT", "  BTCUSDT".to_owned()));
        for bad in ["", "BTC/USDT", "ÄTC", "A123456789012345678901234"] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_make_a_name_as_their_text_would() {
        let join = |parts: &[&str]| Name::<8>::join(parts).map_err(|error| error.text);
        assert_eq!(join(&["nd", "-", "a"]), "nd-a".parse().map_err(|_| String::new()));
        assert_eq!(join(&["1234", "5678"]).unwrap().as_str(), "12345678");
        assert_eq!(join(&["1234", "56789"]), Err("123456789".to_owned()));
        assert_eq!((join(&["a", "/"]), join(&["", ""])), (Err("a/".to_owned()), Err(String::new())));
    }

    #[test]
    fn names_order_as_text() {
        let parse = |text: &str| text.parse::<InstanceId>().unwrap();
        assert!(parse("123") < parse("124"));
        assert!(parse("12") < parse("123"));
    }

    #[test]
    fn names_of_every_length_order_as_their_texts() {
        fn check<const N: usize>(texts: &[String]) {
            for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
                let (Ok(x), Ok(y)) = (a.parse::<Name<N>>(), b.parse::<Name<N>>()) else { continue };
                assert_eq!((x.cmp(&y), x == y), (a.cmp(b), a == b), "{a} {b}");
            }
        }
        let base = "nd-grid-1-abcdefghijklmnopqrstuvwxyz";
        let shorter = (1..=base.len()).map(|len| base[..len].to_owned());
        let changed =
            (0..base.len()).flat_map(|at| ["-", "Z", "z"].map(|c| format!("{}{c}{}", &base[..at], &base[at + 1..])));
        let texts: Vec<String> = shorter
            .chain(changed)
            .flat_map(|text| [4, 12, 16, 23, 36].map(|len| text[..len.min(text.len())].to_owned()))
            .collect();
        check::<4>(&texts);
        check::<12>(&texts);
        check::<16>(&texts);
        check::<23>(&texts);
        check::<36>(&texts);
    }
}
