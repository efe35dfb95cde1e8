use stlrs::Stl;

use super::super::samples::{ask, day_and_week, distance, noise, wave};
use super::*;

fn say(values: &[f64], seasons: &[usize], horizon: usize) -> Option<Vec<f64>> {
    let settings = Settings::new(seasons.to_vec(), 48);
    ask(&TrendSeason::new(&settings, Scale::Linear), values, &settings, horizon)
}

#[test]
fn a_line_and_two_seasons_are_continued() {
    let line: Vec<f64> = day_and_week(900, 1).iter().enumerate().map(|(t, y)| y + 0.05 * t as f64).collect();
    let forecast = say(&line[..852], &[24, 168], 48).unwrap();
    assert!(distance(&forecast, &line[852..]) < 0.9, "{}", distance(&forecast, &line[852..]));
}

/// The seasonal decomposition by loess of another implementation as an oracle: what repeats, found another way.
#[test]
fn the_season_is_the_one_that_stl_finds() {
    let (a, b) = (wave(24, 6.0), wave(8, 2.0));
    let values: Vec<f64> = noise(2).take(480).enumerate().map(|(t, e)| 50.0 + a(t) + b(t) + 0.5 * e).collect();
    let single: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    let stl = Stl::params().seasonal_length(101).fit(&single, 24).unwrap();
    let theirs: Vec<f64> = stl.seasonal()[456..].iter().map(|value| f64::from(*value)).collect();
    let forecast = say(&values, &[24], 24).unwrap();
    let level = forecast.iter().sum::<f64>() / 24.0;
    let ours: Vec<f64> = forecast.iter().map(|value| value - level).collect();
    // The season is eight high at most; the noise is 0.5.
    assert!(distance(&ours, &theirs) < 0.3, "{}", distance(&ours, &theirs));
    assert!((level - 50.0).abs() < 0.5, "{level}");
}

#[test]
fn what_is_left_at_the_end_fades() {
    let season = wave(24, 6.0);
    let step = |left: &mut f64, (t, e): (usize, f64)| {
        *left = 0.9 * *left + e;
        Some(200.0 + season(t) + *left)
    };
    let mut values: Vec<f64> = noise(3).take(480).enumerate().scan(0.0, step).collect();
    values[479] += 20.0;
    let forecast = say(&values, &[24], 48).unwrap();
    let above = |h: usize| forecast[h] - 200.0 - season(480 + h);
    assert!(above(0) > 6.0 && above(0) > above(5) && above(40).abs() < 5.0, "{} {} {}", above(0), above(5), above(40));
}

#[test]
fn a_harmonic_that_both_seasons_have_is_in_once() {
    let basis = Basis::new(&Settings::new(vec![24, 168], 48));
    // One, time; eight harmonics of the day; ten of the week less its seventh.
    assert_eq!(basis.width(), 2 + 2 * 8 + 2 * 9);
    let mut row = Vec::new();
    basis.extend(&mut row, 6);
    assert_eq!(row.len(), basis.width());
    assert!((row[2] - 0.0).abs() < 1e-12 && (row[3] - 1.0).abs() < 1e-12, "{row:?}");
}

#[test]
fn too_few_values_give_no_forecast() {
    assert_eq!(say(&day_and_week(71, 1), &[24, 168], 1), None);
    assert!(say(&day_and_week(120, 1), &[24, 168], 1).is_some());
}
