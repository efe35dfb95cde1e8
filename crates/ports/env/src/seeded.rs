//! Chance from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Entropy;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A reproducible source: `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
/// Never for keys.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    state: AtomicU64,
}

impl SeededEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, state: AtomicU64::new(seed) }
    }

    /// A sequence of its own for `purpose`, the same however much has been drawn from this one, so that a new draw in one
    /// place does not change what happens in all others.
    #[must_use]
    pub fn child(&self, purpose: &str) -> Self {
        // FNV-1a over the name, mixed with the seed.
        let hash = purpose
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        Self::new(mix(self.seed.wrapping_add(GOLDEN) ^ mix(hash)))
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        mix(self.state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN))
    }
}

fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let entropy = SeededEntropy::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| entropy.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_child_depends_on_seed_and_purpose_and_on_nothing_else() {
        let first = |seed: u64, drawn: usize, purpose: &str| {
            let parent = SeededEntropy::new(seed);
            for _ in 0..drawn {
                parent.next_u64();
            }
            parent.child(purpose).next_u64()
        };
        assert_eq!(first(7, 0, "faults"), first(7, 100, "faults"));
        assert_ne!(first(7, 0, "faults"), first(7, 0, "delays"));
        assert_ne!(first(7, 0, "faults"), first(8, 0, "faults"));
    }

    #[test]
    fn filling_uses_every_byte_asked_for() {
        let mut bytes = [0; 11];
        SeededEntropy::new(3).fill(&mut bytes);
        assert!(bytes[8..].iter().any(|byte| *byte != 0));
    }
}
