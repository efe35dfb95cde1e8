use super::super::samples::{hourly, noise};
use super::*;

fn history(values: &[f64]) -> History {
    let mut history = History::new(0);
    values.iter().for_each(|value| history.push(*value, None));
    history
}

fn backtest(origins: &[(usize, &[Option<&[f64]>])]) -> Backtest {
    let owned = |forecasts: &[Option<&[f64]>]| forecasts.iter().map(|f| f.map(<[f64]>::to_vec)).collect();
    let origin = |(at, forecasts): &(usize, &[Option<&[f64]>])| Origin { at: *at, forecasts: owned(forecasts) };
    Backtest { origins: origins.iter().map(origin).collect() }
}

#[test]
fn the_better_model_weighs_by_the_fourth_power() {
    let history = history(&[0.0, 10.0, 10.0]);
    let test = backtest(&[(1, &[Some(&[8.0, 8.0]), Some(&[9.0, 11.0]), None])]);
    let (weights, _) = test.judge(&history, 3);
    assert!((weights[1] / weights[0] - 16.0).abs() < 1e-6 && weights[2] == 0.0, "{weights:?}");
}

#[test]
fn an_origin_from_which_nobody_could_foresee_much_does_not_drown_the_others() {
    let history = history(&[0.0, 10.0, 1_000.0]);
    let test = backtest(&[(1, &[Some(&[8.0]), Some(&[9.0])]), (2, &[Some(&[20.0]), Some(&[10.0])])]);
    let (weights, _) = test.judge(&history, 2);
    // Half as far off once, one per cent farther off the other time.
    assert!(weights[1] > 2.0 * weights[0], "{weights:?}");
}

#[test]
fn residuals_come_from_weights_that_have_not_seen_them() {
    // Each model is right once: by the other origin's weights, the wrong one is trusted.
    let history = history(&[0.0, 10.0, 20.0]);
    let test = backtest(&[(1, &[Some(&[10.0]), Some(&[13.0])]), (2, &[Some(&[26.0]), Some(&[20.0])])]);
    let (_, misses) = test.judge(&history, 2);
    let said: Vec<f64> = misses.iter().map(|miss| miss.steps[0].1).collect();
    assert!(said[0] > 12.9 && said[1] > 25.9, "{said:?}");
}

#[test]
fn what_has_not_come_yet_is_not_scored() {
    let history = history(&[0.0, 10.0]);
    let test = backtest(&[(1, &[Some(&[9.0, 50.0])]), (2, &[Some(&[1.0, 1.0])])]);
    let (_, misses) = test.judge(&history, 1);
    assert_eq!(misses.iter().map(|miss| miss.steps.clone()).collect::<Vec<_>>(), [vec![(0, 9.0, 10.0)]]);
}

#[test]
fn filled_values_are_not_scored() {
    let history = history(&[0.0, f64::NAN, 10.0]);
    let (_, misses) = backtest(&[(1, &[Some(&[9.0, 9.0])])]).judge(&history, 1);
    assert_eq!(misses[0].steps, [(1, 9.0, 10.0)]);
}

#[test]
fn a_model_that_took_part_in_too_little_has_no_weight() {
    let history = history(&[0.0, 1.0, 2.0, 3.0]);
    let naive: Option<&[f64]> = Some(&[0.0]);
    let test = backtest(&[(1, &[naive, None]), (2, &[naive, None]), (3, &[naive, Some(&[3.0])])]);
    assert_eq!(test.judge(&history, 2).0, [1.0, 0.0]);
}

#[test]
fn without_any_score_the_first_model_speaks() {
    assert_eq!(backtest(&[]).judge(&history(&[1.0]), 3).0, [1.0, 0.0, 0.0]);
}

#[test]
fn young_series_are_tested_often_and_old_tests_forgotten() {
    let settings = Settings::new(vec![24], 48);
    let due: Vec<usize> = (0..100).filter(|length| Backtest::is_due(*length, &settings)).collect();
    assert_eq!(due, [1, 2, 4, 8, 16, 24, 48, 72, 96]);
    let values: Vec<f64> = noise(1).take(960).collect();
    let kept = serde_json::to_value(hourly(&values)).unwrap();
    let origins = kept["backtest"]["origins"].as_array().unwrap();
    // Eight whole ones, the half of one, and the one that begins now.
    assert_eq!(origins.len(), 10);
}
