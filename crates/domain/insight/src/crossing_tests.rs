use super::*;
use crate::forecast::{Direction, Forecaster, Settings};

/// A forecast from `last` with bounds `half` times the step around means.
fn forecast(last: f64, mean: &[f64], half: f64) -> Forecast {
    let bound = |sign: f64| mean.iter().zip(1..).map(|(value, step)| value + sign * half * f64::from(step)).collect();
    Forecast {
        last,
        mean: mean.to_vec(),
        low: bound(-1.0),
        high: bound(1.0),
        level: 0.95,
        trend: Direction::Rising,
        change_points: Vec::new(),
        models: Vec::new(),
    }
}

fn steps(forecast: &Forecast, limit: Limit) -> Option<(usize, Option<usize>, Option<usize>)> {
    time_to_impact(forecast, limit).map(|impact| (impact.earliest, impact.expected, impact.latest))
}

#[test]
fn bounds_say_earliest_and_latest() {
    let rising = forecast(0.0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.5);
    assert_eq!(steps(&rising, Limit::Above(3.0)), Some((2, Some(3), Some(6))));
    assert_eq!(steps(&rising, Limit::Above(5.0)), Some((4, Some(5), None)));
    assert_eq!(steps(&rising, Limit::Above(8.0)), Some((6, None, None)));
    assert_eq!(steps(&rising, Limit::Above(9.5)), None);
    assert_eq!(steps(&rising, Limit::Below(-0.5)), None);
}

#[test]
fn below_is_above_upside_down() {
    let falling = forecast(0.0, &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0], 0.5);
    assert_eq!(steps(&falling, Limit::Below(-3.0)), Some((2, Some(3), Some(6))));
    assert_eq!(steps(&falling, Limit::Above(3.0)), None);
}

#[test]
fn what_is_beyond_already_has_no_time_left() {
    let now = time_to_impact(&forecast(7.0, &[0.0], 0.1), Limit::Above(7.0)).unwrap();
    assert_eq!((now.earliest, now.expected, now.latest, now.confidence), (0, Some(0), Some(0), 1.0));
}

#[test]
fn confidence_follows_the_bounds() {
    let confidence = |limit: f64| time_to_impact(&forecast(0.0, &[10.0], 4.0), Limit::Above(limit)).unwrap().confidence;
    // At the mean even odds; at a bound of 95 % one in forty on one side, all but one in forty on the other.
    for (limit, expected) in [(10.0, 0.5), (14.0, 0.025), (6.0, 0.975)] {
        assert!((confidence(limit) - expected).abs() < 1e-4, "{limit}: {}", confidence(limit));
    }
}

#[test]
fn a_disk_that_fills_up_is_seen_coming() {
    let slope = 0.3;
    let used: Vec<f64> = (0..200).map(|t| slope * f64::from(t)).collect();
    let forecast = Forecaster::fit(&used, Settings::new(vec![], 60)).unwrap().forecast(200).unwrap();
    let impact = time_to_impact(&forecast, Limit::Above(75.0)).unwrap();
    let expected = ((75.0 - used[199]) / slope).ceil() as usize;
    assert!(impact.expected.is_some_and(|step| step.abs_diff(expected) <= 5), "{impact:?} {expected}");
    assert!(impact.earliest <= expected && impact.confidence > 0.5);
}
