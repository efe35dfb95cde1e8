use super::*;

/// What is believed of `values` after fifty that alternate between 9 and 11.
fn after_quiet(values: &[f64]) -> Vec<f64> {
    let mut fence = Fence::new(24);
    (0..50).for_each(|t| {
        assert_eq!(fence.clip(if t % 2 == 0 { 9.0 } else { 11.0 }).0, if t % 2 == 0 { 9.0 } else { 11.0 })
    });
    values.iter().map(|value| fence.clip(*value).0).collect()
}

#[test]
fn a_lone_outlier_is_clipped() {
    assert_eq!(after_quiet(&[1e6, 10.0, -1e6, 10.0]), [13.0, 10.0, 5.0, 10.0]);
}

#[test]
fn what_lies_within_another_range_passes() {
    assert_eq!(after_quiet(&[12.9, 7.1]), [12.9, 7.1]);
}

#[test]
fn a_new_level_is_believed_with_its_third_value() {
    assert_eq!(after_quiet(&[50.0, 51.0, 50.0, 51.0]), [13.0, 13.0, 50.0, 51.0]);
}

#[test]
fn outliers_on_either_side_are_no_level() {
    assert_eq!(after_quiet(&[50.0, -50.0, 50.0, -50.0])[..2], [13.0, 5.0]);
}

#[test]
fn a_constant_may_move_on_with_the_third_value() {
    let mut fence = Fence::new(1);
    (0..100).for_each(|_| assert_eq!(fence.clip(5.0).0, 5.0));
    assert_eq!([6.0, 6.0, 6.0].map(|value| fence.clip(value).0), [5.0, 5.0, 6.0]);
}

#[test]
fn young_series_are_believed() {
    let mut fence = Fence::new(1_000);
    (0..31).for_each(|t| assert_eq!(fence.clip(f64::from(t)).0, f64::from(t)));
    assert_eq!(fence.clip(1e9).0, 1e9);
}

#[test]
fn what_comes_every_season_passes() {
    let mut fence = Fence::new(32);
    let passed: Vec<f64> =
        (0..320).map(|t| fence.clip(if t % 32 == 31 { 1_000.0 } else { f64::from(t % 2) }).0).collect();
    assert_eq!(passed[319], 1_000.0);
}

#[test]
fn what_was_clipped_of_a_new_level_is_believed_after_all() {
    let mut fence = Fence::new(1);
    (0..100).for_each(|t| assert!(fence.clip(f64::from(t % 2)).1.is_empty()));
    let restored: Vec<Vec<f64>> = [50.0, 51.0, 52.0, 53.0].map(|value| fence.clip(value).1).into();
    assert_eq!(restored, [vec![], vec![], vec![50.0, 51.0], vec![]]);
}

#[test]
fn a_gap_ends_a_run() {
    let mut fence = Fence::new(1);
    (0..100).for_each(|t| assert!(fence.clip(f64::from(t % 2)).1.is_empty()));
    assert_eq!([50.0, 51.0].map(|value| fence.clip(value).0), [2.0, 2.0]);
    fence.end_run();
    assert_eq!(fence.clip(52.0), (4.0, vec![]));
}
