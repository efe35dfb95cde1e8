use super::*;

#[test]
fn known_values_of_the_normal_distribution() {
    for (z, p) in [(0.0, 0.5), (1.0, 0.841_344_746), (1.959_963_985, 0.975), (-2.326_347_874, 0.01)] {
        assert!((normal_cdf(z) - p).abs() < 1e-6, "{z}");
        assert!((normal_quantile(p) - z).abs() < 1e-5, "{p}");
    }
}

#[test]
fn known_values_of_students_distribution() {
    // 97.5 % quantiles from tables.
    for (freedom, quantile) in [(3.0, 3.182), (5.0, 2.571), (9.0, 2.262), (30.0, 2.042)] {
        let ours = 1.959_964 * student_excess(1.959_964, freedom);
        assert!((ours / quantile - 1.0).abs() < 0.04, "{freedom}: {ours}");
    }
}
