//! Seeded chance for the synthetic market: xoshiro256++ (Blackman and Vigna, 2019), seeded by SplitMix64, and
//! distributions from basic arithmetic only, so that a seed means the same market on every platform.

use serde::{Deserialize, Serialize};

/// A stream of random numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Random([u64; 4]);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self([(); 4].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in (0, 1].
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() <= p
    }

    /// Uniform in `0..n`; zero for an empty range.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Standard normal, as the sum of twelve uniforms less six.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(self.unit())
    }
}

/// Natural logarithm of a number in (0, 1], to about six digits.
fn ln(mut x: f64) -> f64 {
    let mut halvings = 0.0;
    while x < 0.5 {
        x *= 2.0;
        halvings += 1.0;
    }
    let s = (x - 1.0) / (x + 1.0);
    let s2 = s * s;
    let series = 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * (0.2 + s2 * (1.0 / 7.0 + s2 / 9.0))));
    series - halvings * std::f64::consts::LN_2
}

/// e to the `x`, to about three digits for |x| < 3.
pub(crate) fn exp(x: f64) -> f64 {
    let mut power = 1.0 + x / 1_024.0;
    for _ in 0..10 {
        power *= power;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(7);
        let n = 100_000;
        let exponential: f64 = (0..n).map(|_| random.exponential()).sum::<f64>() / f64::from(n);
        let variance: f64 = (0..n).map(|_| random.normal()).map(|z| z * z).sum::<f64>() / f64::from(n);
        assert!((exponential - 1.0).abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{exponential} {variance}");
        assert!((exp(1.0) - std::f64::consts::E).abs() < 0.01);
        assert!((ln(0.01) - 0.01_f64.ln()).abs() < 1e-5);
    }
}
