use super::super::samples::noise;
use super::*;

fn misses(origins: usize, horizon: usize, error: impl Fn(usize, f64) -> f64) -> Vec<Miss> {
    let mut noise = noise(1);
    let mut miss =
        || Miss { steps: (0..horizon).map(|step| (step, 100.0, 100.0 + error(step, noise.next().unwrap()))).collect() };
    (0..origins).map(|_| miss()).collect()
}

#[test]
fn normal_errors_give_normal_bounds() {
    let calibration = Calibration::new(&misses(400, 16, |_, e| 2.0 * e), 16, 0.95, false).unwrap();
    let half = calibration.half_width(8, 100.0);
    assert!((half - 3.92).abs() < 0.15, "{half}");
}

#[test]
fn bounds_widen_as_errors_do() {
    let calibration = Calibration::new(&misses(100, 48, |step, e| e * (1.0 + step as f64)), 48, 0.95, false).unwrap();
    let half = |step: usize| calibration.half_width(step, 100.0);
    assert!((half(40) / half(20) - 2.0).abs() < 0.3, "{} {}", half(20), half(40));
}

#[test]
fn beyond_what_was_tested_they_widen_as_a_random_walk_does() {
    let calibration = Calibration::new(&misses(50, 10, |_, e| e), 10, 0.95, false).unwrap();
    assert!((calibration.half_width(39, 1.0) / calibration.half_width(9, 1.0) - 2.0).abs() < 1e-9);
}

#[test]
fn few_origins_make_them_wider() {
    let many = misses(64, 8, |step, _| if step % 2 == 0 { 1.0 } else { -1.0 });
    let half = |count: usize| Calibration::new(&many[..count], 8, 0.9, false).unwrap().half_width(0, 100.0);
    assert!(half(3) > 1.2 * half(64) && half(64) > 1.0);
}

#[test]
fn errors_in_proportion_are_bounded_in_proportion() {
    let mut noise = noise(2);
    let mut miss = |said: f64| Miss {
        steps: (0..8).map(|step| (step, said, said * (1.0 + 0.1 * noise.next().unwrap()))).collect(),
    };
    let misses: Vec<Miss> = (0..60).map(|nth| miss(if nth % 2 == 0 { 10.0 } else { 1_000.0 })).collect();
    let ratio = |positive: bool| {
        let calibration = Calibration::new(&misses, 8, 0.95, positive).unwrap();
        calibration.half_width(3, 1_000.0) / calibration.half_width(3, 10.0)
    };
    assert!((ratio(true) - 100.0).abs() < 1e-9 && (ratio(false) - 1.0).abs() < 1e-9);
}

#[test]
fn without_residuals_there_are_no_bounds() {
    assert!(Calibration::new(&[], 8, 0.95, true).is_none());
}
