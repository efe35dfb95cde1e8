use super::super::samples::{ask, day_and_week, distance, noise, walk};
use super::super::settings::Settings;
use super::*;

fn say(values: &[f64], short: Option<usize>, long: Option<usize>, horizon: usize) -> Option<Vec<f64>> {
    ask(&Smoothing::new(short, long, Scale::Linear), values, &Settings::new(vec![], 10), horizon)
}

#[test]
fn two_seasons_are_learned() {
    let values = day_and_week(888, 1);
    let forecast = say(&values[..840], Some(24), Some(168), 48).unwrap();
    assert!(distance(&forecast, &values[840..]) < 0.7, "{}", distance(&forecast, &values[840..]));
}

#[test]
fn a_random_walk_is_forecast_by_its_last_value() {
    let values = walk(500, 100.0, 2);
    let forecast = say(&values, None, None, 10).unwrap();
    assert!(forecast.iter().all(|value| (value - values[499]).abs() < 1.5), "{forecast:?}");
}

#[test]
fn noise_around_a_level_is_forecast_by_the_level() {
    let values: Vec<f64> = noise(3).take(2_000).map(|e| 40.0 + e).collect();
    let forecast = say(&values, None, None, 10).unwrap();
    assert!(forecast.iter().all(|value| (value - 40.0).abs() < 0.4), "{forecast:?}");
}

#[test]
fn a_trend_goes_on_and_fades() {
    let values: Vec<f64> = (0..300).map(|t| 2.0 * f64::from(t)).collect();
    let forecast = say(&values, None, None, 100).unwrap();
    let step = |at: usize| forecast[at + 1] - forecast[at];
    assert!(step(0) > 0.5 && step(0) > 2.0 * step(98) && step(98) > 0.0, "{} {}", step(0), step(98));
}

#[test]
fn lanes_do_not_touch_each_other() {
    let values = day_and_week(400, 4);
    let rates = Rates::<1> { level: [0.1], trend: [0.02], short: [0.2], long: [0.1], carry: [0.5] };
    let (mut one, mut four) = (State::<1>::start(&values, 24, 168), State::<LANES>::start(&values, 24, 168));
    let mut others = rates.on_all_lanes();
    others.level = [0.9, 0.0, 0.1, 0.3];
    for value in &values {
        let error = one.take(*value, &rates);
        assert_eq!(four.take(*value, &others)[2], error[0]);
    }
    assert_eq!(four.lane(2).forecast(&rates, 48), one.forecast(&rates, 48));
}

#[test]
fn less_than_two_seasons_give_no_forecast() {
    assert_eq!(say(&day_and_week(47, 1), Some(24), None, 1), None);
    assert!(say(&day_and_week(48, 1), Some(24), None, 1).is_some());
}
