use super::super::samples::{ask, day_and_week, distance, noise, wave};
use super::*;

fn seasonal() -> Settings {
    Settings::new(vec![24, 168], 48)
}

fn plain() -> Settings {
    Settings::new(vec![], 10)
}

#[test]
fn the_lags_of_each_reach() {
    let lags = |reach: Reach| reach.lags(&seasonal());
    assert_eq!(lags(Reach::Near), [1, 2, 3]);
    assert_eq!(lags(Reach::Short), [1, 2, 3, 23, 24, 25, 26, 48, 49]);
    assert_eq!(lags(Reach::Long), [1, 2, 3, 23, 24, 25, 26, 48, 49, 168, 169]);
    let longest = [1, 2, 3, 23, 24, 25, 26, 48, 49, 72, 96, 120, 144, 167, 168, 169, 170, 192, 336, 337];
    assert_eq!(lags(Reach::Longest), longest);
    assert_eq!(Reach::Longest.lags(&Settings::new(vec![2, 3], 4)), [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]);
}

#[test]
fn an_autoregression_is_recovered() {
    let step = |y: &mut f64, e: f64| {
        *y = 0.7 * *y + e;
        Some(100.0 + *y)
    };
    let values: Vec<f64> = noise(1).take(5_000).scan(0.0, step).collect();
    let model = LagRegression::new(&plain(), Reach::Near, None, Scale::Linear);
    let forecast = ask(&model, &values, &plain(), 10).unwrap();
    let expected: Vec<f64> = (1..=10).map(|h| 100.0 + (values[4_999] - 100.0) * 0.7f64.powi(h)).collect();
    assert!(distance(&forecast, &expected) < 0.15, "{}", distance(&forecast, &expected));
}

#[test]
fn a_season_that_repeats_is_repeated_from_any_base() {
    let values: Vec<f64> = (0..700).map(|t| ((t % 168) as f64).sqrt() + (t % 24) as f64).collect();
    for base in [Some(24), Some(168)] {
        let model = LagRegression::new(&seasonal(), Reach::Longest, base, Scale::Linear);
        let forecast = ask(&model, &values[..652], &seasonal(), 48).unwrap();
        assert!(distance(&forecast, &values[652..]) < 0.1, "{base:?} {}", distance(&forecast, &values[652..]));
    }
}

#[test]
fn differences_carry_a_level_on() {
    // The same as before, moved up: what has a base does not return to the mean.
    let season = wave(24, 5.0);
    let values: Vec<f64> = (0..400).map(|t| season(t) + if t < 350 { 0.0 } else { 30.0 }).collect();
    let model = LagRegression::new(&seasonal(), Reach::Short, Some(24), Scale::Linear);
    let forecast = ask(&model, &values, &seasonal(), 24).unwrap();
    let expected: Vec<f64> = (400..424).map(|t| 30.0 + season(t)).collect();
    assert!(distance(&forecast, &expected) < 3.0, "{}", distance(&forecast, &expected));
}

#[test]
fn what_grows_by_per_cent_is_steady_on_the_log_scale() {
    let values: Vec<f64> = (0..200).map(|t| 1.01f64.powi(t)).collect();
    let model = LagRegression::new(&plain(), Reach::Near, Some(1), Scale::Log);
    let forecast = ask(&model, &values, &plain(), 5).unwrap();
    let expected: Vec<f64> = (200..205).map(|t| 1.01f64.powi(t)).collect();
    assert!(distance(&forecast, &expected) < 0.05, "{forecast:?}");
}

#[test]
fn too_few_rows_give_no_forecast() {
    let model = LagRegression::new(&seasonal(), Reach::Longest, None, Scale::Linear);
    assert_eq!(ask(&model, &day_and_week(350, 1), &seasonal(), 1), None);
    assert!(ask(&model, &day_and_week(450, 1), &seasonal(), 1).is_some());
}

#[test]
fn values_without_logarithm_give_no_forecast_on_the_log_scale() {
    let model = LagRegression::new(&plain(), Reach::Near, None, Scale::Log);
    assert_eq!(ask(&model, &[1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &plain(), 1), None);
}
