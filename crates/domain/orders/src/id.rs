//! Ids that describe themselves: who decided, and which decision it was.

use std::fmt;

use nightdesk_units::{InstanceId, Name, NameError};
use serde::{Deserialize, Serialize};

/// Marks an order at the exchange as Nightdesk's.
pub const NAMESPACE: &str = "nd";

/// A decision's name: a pure function of the strategy instance, its configuration generation and the decision's own
/// key, so that deciding again gives the same intent. Sixteen characters of `a-z2-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(Name<16>);

impl IntentId {
    /// Derives the id. 80 bits of FNV-1a (two lanes, 64 and 16 bits): collisions matter only within one instance's
    /// decisions, where 2⁴⁰ decisions would be needed for an even chance of one.
    #[must_use]
    pub fn derive(instance: InstanceId, generation: u32, key: &str) -> Self {
        let seed = |basis: u64| {
            let generation = generation.to_be_bytes();
            let parts = [instance.as_str().as_bytes(), b"/", &generation, b"/", key.as_bytes()];
            let text = parts.into_iter().flatten();
            let hash = text.fold(basis, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
            // FNV's last bytes mix weakly into the high bits: finish as SplitMix64 does (Steele et al., 2014).
            let h = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            h ^ (h >> 31)
        };
        let bits = (u128::from(seed(0xcbf2_9ce4_8422_2325)) << 16) | u128::from(seed(0x6c62_272e_07bb_0142) & 0xffff);
        let mut text = [0u8; 16];
        for (i, slot) in text.iter_mut().enumerate() {
            let digit = ((bits >> (5 * (15 - i))) & 31) as usize;
            *slot = b"abcdefghijklmnopqrstuvwxyz234567"[digit];
        }
        // Sixteen letters of the alphabet above are always a name.
        Self(std::str::from_utf8(&text).ok().and_then(|t| t.parse().ok()).unwrap_or_else(unreachable_name))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[allow(clippy::panic, reason = "sixteen characters of a fixed alphabet always parse")]
fn unreachable_name() -> Name<16> {
    panic!("sixteen characters of a fixed alphabet are a name")
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for IntentId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

/// The id an order carries at the exchange: `nd-INSTANCE-INTENT` for ours, anything of at most 36 characters for others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientOrderId(Name<36>);

impl ClientOrderId {
    /// The id of the order that carries out `intent`.
    #[must_use]
    pub fn of(instance: InstanceId, intent: IntentId) -> Self {
        let name = Name::join(&[NAMESPACE, "-", instance.as_str(), "-", intent.as_str()]);
        // 2 + 1 + 12 + 1 + 16 = 32 characters of the alphabet of names.
        Self(name.unwrap_or_else(|_| unreachable_order_id()))
    }

    /// Instance and intent, when the id is one of ours.
    #[must_use]
    pub fn parts(&self) -> Option<(InstanceId, IntentId)> {
        let rest = self.as_str().strip_prefix(NAMESPACE)?.strip_prefix('-')?;
        let (instance, intent) = rest.rsplit_once('-')?;
        if intent.len() != 16 {
            return None;
        }
        Some((instance.parse().ok()?, intent.parse().ok()?))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[allow(clippy::panic, reason = "its parts are names whose lengths add up to 32")]
fn unreachable_order_id() -> Name<36> {
    panic!("namespace, instance and intent fit in 36 characters")
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ClientOrderId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(text: &str) -> InstanceId {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_decision_is_the_same_intent_and_another_is_another() {
        let id = IntentId::derive(instance("123"), 1, "1723161255000000/buy");
        assert_eq!(id, IntentId::derive(instance("123"), 1, "1723161255000000/buy"));
        for other in [
            IntentId::derive(instance("124"), 1, "1723161255000000/buy"),
            IntentId::derive(instance("123"), 2, "1723161255000000/buy"),
            IntentId::derive(instance("123"), 1, "1723161255000000/sell"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_million_decisions_do_not_collide() {
        let ids: std::collections::BTreeSet<_> =
            (0..1_000_000).map(|i| IntentId::derive(instance("456"), 1, &format!("{}/{}", i / 100, i % 100))).collect();
        assert_eq!(ids.len(), 1_000_000);
    }

    #[test]
    fn a_client_order_id_tells_who_and_what() {
        let intent = IntentId::derive(instance("grid-a"), 1, "3/7");
        let id = ClientOrderId::of(instance("grid-a"), intent);
        assert_eq!(id.parts(), Some((instance("grid-a"), intent)));
        assert!(id.as_str().len() <= 36);
        for foreign in ["x-1", "nd-123", "web_abc", "nd-123-short"] {
            assert_eq!(foreign.parse::<ClientOrderId>().unwrap().parts(), None, "{foreign}");
        }
    }
}
