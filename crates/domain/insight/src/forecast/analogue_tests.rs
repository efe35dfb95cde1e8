use super::super::samples::{ask, day_and_week, distance};
use super::super::settings::Settings;
use super::*;

fn say(values: &[f64], length: usize, stride: usize, horizon: usize) -> Option<Vec<f64>> {
    ask(&Analogue::new(length, stride), values, &Settings::new(vec![], 10), horizon)
}

#[test]
fn what_followed_before_follows_again_on_the_present_level() {
    // Three kinds of days, in turn; the last ones are higher by five.
    let day = |d: usize, h: usize| if h == d % 3 { 4.0 } else { -1.0 };
    let level = |d: usize| if d < 20 { 0.0 } else { 5.0 };
    let values: Vec<f64> = (0..176).map(|t| level(t / 8) + day(t / 8, t % 8)).collect();
    let forecast = say(&values, 16, 8, 8).unwrap();
    let expected: Vec<f64> = (0..8).map(|h| 5.0 + day(22, h)).collect();
    assert!(distance(&forecast, &expected) < 0.7, "{forecast:?}");
}

#[test]
fn far_ahead_the_last_season_is_repeated() {
    let values: Vec<f64> = (0..96).map(|t| f64::from(t % 6)).collect();
    let forecast = say(&values, 12, 6, 100).unwrap();
    let expected: Vec<f64> = (96..196).map(|t| f64::from(t % 6)).collect();
    assert!(distance(&forecast, &expected) < 1e-9, "{forecast:?}");
}

#[test]
fn positive_values_are_compared_on_the_log_scale() {
    // The same shape, a tenth higher each time: by differences it is never the same.
    let shape = [1.0, 2.0, 8.0, 3.0];
    let at = |t: usize| shape[t % 4] * 1.1f64.powi((t / 4) as i32);
    let values: Vec<f64> = (0..80).map(at).collect();
    let expected: Vec<f64> = (80..84).map(at).collect();
    let forecast = say(&values, 8, 4, 4).unwrap();
    assert!(distance(&forecast, &expected) < 1e-9, "{forecast:?}");
}

#[test]
fn without_two_stretches_and_what_follows_there_is_no_forecast() {
    assert_eq!(say(&day_and_week(119, 1), 48, 24, 24), None);
    assert!(say(&day_and_week(120, 1), 48, 24, 24).is_some());
}
