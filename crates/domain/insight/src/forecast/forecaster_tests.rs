use std::ops::Range;

use proptest::prelude::*;

use super::super::samples::{day_and_week, distance, hourly, noise, walk, wave};
use super::*;

fn settings(seasons: &[usize], horizon: usize) -> Settings {
    Settings::new(seasons.to_vec(), horizon)
}

fn fit(values: &[f64], seasons: &[usize], horizon: usize) -> Result<Forecaster, ForecastError> {
    Forecaster::fit(values, settings(seasons, horizon))
}

/// What is always so.
#[track_caller]
fn check_sound(forecast: &Forecast, horizon: usize) {
    let lengths = [forecast.mean.len(), forecast.low.len(), forecast.high.len()];
    assert_eq!(lengths, [horizon; 3]);
    for step in 0..horizon {
        let (low, mean, high) = (forecast.low[step], forecast.mean[step], forecast.high[step]);
        assert!(low.is_finite() && high.is_finite() && low <= mean && mean <= high, "{step}: {low} {mean} {high}");
    }
    let whole: f64 = forecast.models.iter().map(|share| share.weight).sum();
    assert!((whole - 1.0).abs() < 1e-9, "{whole}");
}

/// The share of values within bounds, of forecasts from many points of a series.
fn coverage(values: &[f64], origins: Range<usize>, seasons: &[usize], horizon: usize) -> f64 {
    let (mut within, mut count) = (0.0, 0.0);
    let mut forecaster = fit(&values[..origins.start], seasons, horizon).unwrap();
    for origin in origins {
        if origin % horizon == 0 {
            let forecast = forecaster.forecast(horizon).unwrap();
            let held = |step: &usize| (forecast.low[*step]..=forecast.high[*step]).contains(&values[origin + step]);
            within += (0..horizon).filter(held).count() as f64;
            count += horizon as f64;
        }
        forecaster.update(values[origin]).unwrap();
    }
    within / count
}

#[test]
fn two_seasons_are_followed_to_within_the_noise() {
    let values = day_and_week(1_008, 1);
    let forecast = hourly(&values[..960]).forecast(48).unwrap();
    check_sound(&forecast, 48);
    // The noise itself is off by 0.4.
    assert!(distance(&forecast.mean, &values[960..]) < 0.5);
    let width = forecast.high[0] - forecast.low[0];
    assert!((1.5..3.5).contains(&width), "{width}");
}

#[test]
fn fitting_is_updating_bit_by_bit() {
    let values = day_and_week(700, 2);
    let whole = hourly(&values);
    for part in [3, 479, 480, 699] {
        let mut updated = hourly(&values[..part]);
        values[part..].iter().for_each(|value| updated.update(*value).unwrap());
        assert!(updated == whole, "from {part}");
    }
}

#[test]
fn what_is_too_old_is_forgotten_alike_by_fit_and_update() {
    let values: Vec<f64> = walk(1_300, 50.0, 3);
    let whole = fit(&values, &[6, 12], 10).unwrap();
    let mut updated = fit(&values[..50], &[6, 12], 10).unwrap();
    values[50..].iter().for_each(|value| updated.update(*value).unwrap());
    assert!(updated == whole);
    assert!(whole.history.len() < 1_100 && whole.seen() == 1_300);
    check_sound(&whole.forecast(10).unwrap(), 10);
}

#[test]
fn a_back_test_never_looks_ahead() {
    // Two series part at 600: every back-test from before must say the same of both.
    let one = day_and_week(648, 4);
    let mut other = one.clone();
    other[600..].iter_mut().for_each(|value| *value = -3.0 * *value + 7.0);
    let origins = |values: &[f64]| serde_json::to_value(&hourly(values).backtest).unwrap()["origins"].clone();
    let (one, other) = (origins(&one), origins(&other));
    let before: Vec<usize> =
        (0..one.as_array().unwrap().len()).filter(|at| one[at]["at"].as_u64().unwrap() <= 600).collect();
    assert!(before.len() >= 8);
    assert!(before.iter().all(|at| one[at] == other[at]));
    assert_ne!(one, other);
}

#[test]
fn bounds_hold_what_they_promise() {
    let season = wave(12, 3.0);
    let noisy: Vec<f64> = noise(5).take(1_500).enumerate().map(|(t, e)| 20.0 + season(t) + e).collect();
    let held = coverage(&noisy, 300..1_480, &[12], 12);
    assert!((0.92..=0.985).contains(&held), "season {held}");
    let held = coverage(&noisy, 300..1_480, &[12], 2);
    assert!((0.92..=0.985).contains(&held), "short horizon {held}");
    let held = coverage(&walk(1_500, 1_000.0, 6), 300..1_480, &[], 12);
    assert!((0.90..=0.985).contains(&held), "walk {held}");
}

#[test]
fn a_lower_level_gives_narrower_bounds() {
    let values = day_and_week(500, 7);
    let width = |level: f64| {
        let mut settings = settings(&[24], 24);
        settings.level = level;
        let forecast = Forecaster::fit(&values, settings).unwrap().forecast(24).unwrap();
        forecast.high[10] - forecast.low[10]
    };
    assert!(width(0.5) < width(0.8) && width(0.8) < width(0.95) && width(0.95) < width(0.99));
}

#[test]
fn three_values_are_enough_and_two_are_not() {
    check_sound(&fit(&[1.0, 2.0, 4.0], &[24, 168], 30).unwrap().forecast(30).unwrap(), 30);
    assert_eq!(fit(&[1.0, 2.0], &[], 30), Err(ForecastError::TooShort { given: 2, needed: 3 }));
    assert_eq!(fit(&[], &[], 30), Err(ForecastError::TooShort { given: 0, needed: 3 }));
    assert_eq!(fit(&[f64::NAN; 9], &[], 30), Err(ForecastError::TooShort { given: 0, needed: 3 }));
}

#[test]
fn every_length_up_to_two_seasons_can_be_forecast() {
    let values = day_and_week(400, 8);
    let mut forecaster = hourly(&values[..3]);
    for value in &values[3..] {
        forecaster.update(*value).unwrap();
        check_sound(&forecaster.forecast(5).unwrap(), 5);
    }
}

#[test]
fn a_constant_stays_constant() {
    for constant in [5.0, 0.0, -1e9] {
        let forecast = fit(&[constant; 100], &[24], 10).unwrap().forecast(10).unwrap();
        assert!(forecast.mean.iter().all(|value| (value - constant).abs() <= 1e-9 * constant.abs()), "{constant}");
        assert_eq!((forecast.trend, forecast.change_points), (Direction::Flat, vec![]));
    }
}

#[test]
fn size_does_not_matter() {
    let values = day_and_week(500, 9);
    let plain = fit(&values, &[24], 24).unwrap().forecast(24).unwrap();
    for factor in [1e-80, 1e-9, 1e9, 1e90] {
        let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
        let forecast = fit(&scaled, &[24], 24).unwrap().forecast(24).unwrap();
        let back: Vec<f64> = forecast.mean.iter().map(|value| value / factor).collect();
        assert!(distance(&back, &plain.mean) < 0.05, "{factor}: {}", distance(&back, &plain.mean));
    }
}

#[test]
fn zeros_and_negative_values_are_values() {
    let season = wave(24, 2.0);
    let values: Vec<f64> = (0..500).map(|t| season(t).max(-1.0)).collect();
    let forecast = fit(&values[..476], &[24], 24).unwrap().forecast(24).unwrap();
    assert!(distance(&forecast.mean, &values[476..]) < 0.05);
    assert!(forecast.models.iter().all(|share| !share.model.starts_with("log")));
}

#[test]
fn a_zero_that_has_left_the_window_no_longer_bars_logarithms() {
    let mut values = walk(1_200, 1_000.0, 10);
    values[0] = 0.0;
    let logs = |length: usize| {
        let forecast = fit(&values[..length], &[6], 10).unwrap().forecast(10).unwrap();
        forecast.models.iter().any(|share| share.model.starts_with("log"))
    };
    assert!(!logs(900) && logs(1_200));
}

#[test]
fn gaps_are_filled_and_not_scored() {
    let mut values = day_and_week(1_008, 11);
    let truth = values[960..].to_vec();
    (0..960).filter(|at| at % 17 == 0 || (400..430).contains(at)).for_each(|at| values[at] = f64::NAN);
    let forecast = hourly(&values[..960]).forecast(48).unwrap();
    check_sound(&forecast, 48);
    assert!(distance(&forecast.mean, &truth) < 1.0, "{}", distance(&forecast.mean, &truth));
}

#[test]
fn a_lone_outlier_changes_little() {
    let values = day_and_week(1_008, 20);
    let off = |at: usize, outlier: f64| {
        let mut spoiled = values[..960].to_vec();
        spoiled[at] = outlier;
        let forecast = hourly(&spoiled).forecast(48).unwrap();
        assert_eq!(forecast.last, spoiled[959]);
        distance(&forecast.mean, &values[960..])
    };
    for (at, outlier) in [(500, 1e6), (900, 1e99), (900, -1e6)] {
        assert!(off(at, outlier) < 1.0, "{at} {outlier}: {}", off(at, outlier));
    }
    assert!(off(955, 1e6) < 3.0 && off(959, 1e6) < 5.0, "{} {}", off(955, 1e6), off(959, 1e6));
}

#[test]
fn missing_values_before_the_first_count_but_change_nothing() {
    let values: Vec<f64> = noise(12).take(200).enumerate().map(|(t, e)| if t < 120 { e } else { 50.0 + e }).collect();
    let late: Vec<f64> = std::iter::repeat_n(f64::NAN, 7).chain(values.iter().copied()).collect();
    let (plain, late) = (fit(&values, &[], 10).unwrap(), fit(&late, &[], 10).unwrap());
    assert_eq!((plain.seen(), late.seen()), (200, 207));
    let (plain, late) = (plain.forecast(10).unwrap(), late.forecast(10).unwrap());
    assert_eq!(plain.mean, late.mean);
    assert_eq!((plain.change_points, late.change_points), (vec![120], vec![127]));
}

#[test]
fn a_series_that_is_mostly_missing_is_refused() {
    let values: Vec<f64> = (0..90).map(|t| if t % 3 == 0 { f64::from(t) } else { f64::NAN }).collect();
    let missing = ForecastError::MostlyMissing { missing: 59, kept: 89 };
    assert_eq!(fit(&values[..89], &[], 10).unwrap().forecast(10), Err(missing));
}

#[test]
fn an_infinite_value_is_refused_and_changes_nothing() {
    let mut forecaster = fit(&[1.0, 2.0, 3.0], &[], 10).unwrap();
    let before = forecaster.clone();
    for bad in [f64::INFINITY, f64::NEG_INFINITY, 2e100] {
        assert_eq!(forecaster.update(bad), Err(ForecastError::Unusable { at: 3 }));
    }
    assert!(forecaster == before);
    assert_eq!(fit(&[1.0, f64::INFINITY], &[], 10), Err(ForecastError::Unusable { at: 1 }));
}

#[test]
fn settings_out_of_range_are_named() {
    let values = [1.0, 2.0, 3.0];
    assert_eq!(fit(&values, &[1], 10), Err(ForecastError::Season { season: 1 }));
    assert_eq!(fit(&values, &[24, 30_000], 10), Err(ForecastError::Season { season: 30_000 }));
    assert_eq!(fit(&values, &[], 0), Err(ForecastError::Horizon { horizon: 0 }));
    assert_eq!(fit(&values, &[], 10_001), Err(ForecastError::Horizon { horizon: 10_001 }));
    assert_eq!(fit(&values, &[], 10).unwrap().forecast(0), Err(ForecastError::Horizon { horizon: 0 }));
    for level in [0.0, 0.4, 1.0, f64::NAN] {
        let settings = Settings { level, ..settings(&[], 10) };
        assert_eq!(Forecaster::fit(&values, settings), Err(ForecastError::Level));
    }
}

#[test]
fn the_furthest_horizon_is_sound_and_its_bounds_grow() {
    let forecast = hourly(&walk(600, 500.0, 13)).forecast(10_000).unwrap();
    check_sound(&forecast, 10_000);
    let width = |step: usize| (forecast.high[step] - forecast.low[step]) / forecast.mean[step].abs();
    assert!(width(9_999) > 3.0 * width(47));
}

#[test]
fn seasons_need_not_divide_each_other() {
    let (a, b) = (wave(7, 4.0), wave(30, 8.0));
    let values: Vec<f64> = noise(14).take(400).enumerate().map(|(t, e)| 60.0 + a(t) + b(t) + 0.3 * e).collect();
    for seasons in [&[7, 30][..], &[30, 7, 7], &[7, 14, 30]] {
        let forecast = fit(&values[..370], seasons, 30).unwrap().forecast(30).unwrap();
        assert!(distance(&forecast.mean, &values[370..]) < 0.5, "{seasons:?}");
    }
    check_sound(&fit(&values, &[2], 30).unwrap().forecast(30).unwrap(), 30);
    check_sound(&fit(&values, &[2, 3], 30).unwrap().forecast(30).unwrap(), 30);
}

#[test]
fn a_trend_is_recognised_and_continued() {
    let line = |slope: f64| -> Vec<f64> {
        noise(15).take(330).enumerate().map(|(t, e)| 100.0 + slope * t as f64 + e).collect()
    };
    let forecast = |slope: f64| fit(&line(slope)[..300], &[], 30).unwrap().forecast(30).unwrap();
    assert_eq!(
        [0.5, -0.2, 0.0].map(|slope| forecast(slope).trend),
        [Direction::Rising, Direction::Falling, Direction::Flat]
    );
    let distance = distance(&forecast(0.5).mean, &line(0.5)[300..]);
    assert!(distance < 2.0, "{distance}");
}

#[test]
fn a_season_is_no_trend() {
    let season = wave(24, 10.0);
    let values: Vec<f64> = noise(16).take(600).enumerate().map(|(t, e)| 50.0 + season(t) + 0.5 * e).collect();
    for length in [576, 583, 590] {
        assert_eq!(fit(&values[..length], &[24], 48).unwrap().forecast(48).unwrap().trend, Direction::Flat);
    }
}

#[test]
fn a_change_of_level_is_found_and_survived() {
    let season = wave(24, 3.0);
    let level = |t: usize| if t < 300 { 50.0 } else { 80.0 };
    let values: Vec<f64> = noise(17).take(524).enumerate().map(|(t, e)| level(t) + season(t) + 0.5 * e).collect();
    let forecast = fit(&values[..500], &[24], 24).unwrap().forecast(24).unwrap();
    assert_eq!(forecast.change_points, [300]);
    let off = distance(&forecast.mean, &values[500..]);
    assert!(off < 1.2, "{off}");
}

#[test]
fn a_forecaster_survives_being_stored() {
    let values = day_and_week(500, 18);
    let mut forecaster = hourly(&values[..480]);
    let mut restored: Forecaster = serde_json::from_str(&serde_json::to_string(&forecaster).unwrap()).unwrap();
    for value in &values[480..] {
        forecaster.update(*value).unwrap();
        restored.update(*value).unwrap();
    }
    let (one, other) = (forecaster.forecast(48).unwrap(), restored.forecast(48).unwrap());
    // Text may cost the last bit of a number.
    assert!(distance(&one.mean, &other.mean) < 1e-6 && distance(&one.high, &other.high) < 1e-6);
    assert_eq!(one.models[0].model, other.models[0].model);
}

#[test]
fn names_are_unique_and_the_first_model_always_forecasts() {
    for seasons in [&[][..], &[24], &[24, 168], &[2], &[2, 4]] {
        let settings = settings(seasons, 10).checked().unwrap();
        let mut names: Vec<String> = candidates(&settings).iter().map(|model| model.name()).collect();
        assert_eq!(names[0], "naive");
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }
}

#[test]
fn the_classes_share_the_forecast() {
    let forecast = hourly(&day_and_week(960, 19)).forecast(48).unwrap();
    assert!(forecast.models.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
    for class in [Class::LagRegression, Class::Smoothing, Class::TrendSeason, Class::Analogue] {
        assert!(forecast.models.iter().any(|share| share.class == class), "{class:?}");
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -100.0..100.0f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(1e100), Just(-1e100), Just(1e-300), Just(-1e-300)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_series_makes_it_fall(values in prop::collection::vec(value(), 0..120), seasons in prop::collection::vec(2..20usize, 0..3)) {
        if let Ok(forecaster) = fit(&values, &seasons, 8)
            && let Ok(forecast) = forecaster.forecast(20)
        {
            check_sound(&forecast, 20);
        }
    }
}
