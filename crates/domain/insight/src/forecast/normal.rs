//! The normal and Student's t distribution.

/// Share of a standard normal variable below `z`, to 1e-7 (Abramowitz and Stegun 26.2.17).
pub(crate) fn normal_cdf(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt() * series;
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The value below which a share `p` of a standard normal variable lies. `p` is taken as within 1e-6..=1-1e-6.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-5.0, 5.0);
    // Fifty halvings of an interval of ten: beyond the accuracy of the distribution itself.
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if normal_cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// How much wider Student's t is than the normal distribution at quantile `z`, by its Cornish-Fisher expansion; from
/// three degrees of freedom on it is good to 4 %.
pub(crate) fn student_excess(z: f64, freedom: f64) -> f64 {
    let n = freedom.max(2.0);
    let z2 = z * z;
    1.0 + (z2 + 1.0) / (4.0 * n) + (5.0 * z2 * z2 + 16.0 * z2 + 3.0) / (96.0 * n * n)
}

#[cfg(test)]
#[path = "normal_tests.rs"]
mod tests;
