use super::*;

/// Ten weeks of hours in which one in `restless` (by `place`) shows more evidence.
fn taught(restless: impl Fn(i64) -> bool, volatility: impl Fn(i64) -> Option<f64>) -> DynamicThreshold {
    let mut threshold = DynamicThreshold::default();
    for row in 0..10 * 7 * 24 * 4 {
        let at_s = row * 900;
        let strength = if restless(at_s) { 2.0 } else { 0.5 };
        threshold.learn(at_s, volatility(at_s), strength);
    }
    threshold
}

#[test]
fn a_threshold_that_learned_nothing_changes_nothing() {
    assert_eq!(DynamicThreshold::default().factor(1_700_000_000, Some(3.0)), 1.0);
}

#[test]
fn a_restless_hour_raises_the_threshold_and_the_others_hardly_move() {
    let threshold = taught(|at_s| at_s.div_euclid(3_600).rem_euclid(24) == 8, |_| None);
    assert!(threshold.factor(8 * 3_600 + 60, None) > 1.1);
    assert!((0.85..1.0).contains(&threshold.factor(20 * 3_600, None)));
}

#[test]
fn a_restless_day_raises_the_threshold() {
    let threshold = taught(|at_s| at_s.div_euclid(86_400).rem_euclid(7) == 2, |_| None);
    assert!(threshold.factor(2 * 86_400 + 7_200, None) > 1.2);
    assert!(threshold.factor(4 * 86_400 + 7_200, None) < 1.0);
}

#[test]
fn a_violent_market_raises_the_threshold_where_that_was_usual() {
    let violent = |at_s: i64| at_s.div_euclid(900) % 5 == 0;
    let threshold = taught(violent, |at_s| Some(if violent(at_s) { 3.0 } else { 1.0 }));
    assert!(threshold.factor(0, Some(3.0)) > threshold.factor(0, Some(1.0)) * 1.1);
    assert_eq!(threshold.factor(0, Some(f64::NAN)), threshold.factor(0, None));
}

#[test]
fn the_threshold_stays_within_its_bounds() {
    let threshold = taught(|at_s| at_s.div_euclid(86_400).rem_euclid(7) == 2, |at_s| Some((at_s % 7) as f64 + 0.1));
    for hour in 0..24 * 7 {
        for volatility in [None, Some(0.1), Some(1.0), Some(9.0)] {
            let factor = threshold.factor(hour * 3_600, volatility);
            assert!((BOUNDS.0..=BOUNDS.1).contains(&factor));
        }
    }
}

#[test]
fn what_is_no_number_teaches_nothing() {
    let mut threshold = DynamicThreshold::default();
    threshold.learn(0, None, f64::NAN);
    assert_eq!(threshold, DynamicThreshold::default());
}

#[test]
fn a_stored_threshold_comes_back_as_it_was() {
    let threshold = taught(|at_s| at_s % 13 == 0, |_| Some(1.3));
    let stored = serde_json::to_string(&threshold).unwrap();
    assert_eq!(serde_json::from_str::<DynamicThreshold>(&stored).unwrap(), threshold);
}
