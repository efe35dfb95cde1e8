//! Series the tests share.

use std::f64::consts::TAU;

use super::forecaster::Forecaster;
use super::history::History;
use super::model::{Model, Past};
use super::moments::Bank;
use super::settings::Settings;

/// Noise, about standard normal, the same for the same seed.
pub(super) fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    std::iter::repeat_with(move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0)
}

/// A sine of the given season and height.
pub(super) fn wave(season: usize, height: f64) -> impl Fn(usize) -> f64 {
    move |t| height * (TAU * (t % season) as f64 / season as f64).sin()
}

/// A level of 100 with a day, a week and a little noise.
pub(super) fn day_and_week(length: usize, seed: u64) -> Vec<f64> {
    let (day, week) = (wave(24, 10.0), wave(168, 5.0));
    noise(seed).take(length).enumerate().map(|(t, e)| 100.0 + day(t) + week(t) + 0.5 * e).collect()
}

/// A random walk from `start`.
pub(super) fn walk(length: usize, start: f64, seed: u64) -> Vec<f64> {
    let step = |level: &mut f64, e: f64| {
        *level += e;
        Some(*level)
    };
    noise(seed).take(length).scan(start, step).collect()
}

/// What a model says, given values from the first on.
pub(super) fn ask(model: &dyn Model, values: &[f64], settings: &Settings, horizon: usize) -> Option<Vec<f64>> {
    let (mut history, mut bank) = (History::new(1_000_000), Bank::new(settings));
    for value in values {
        history.push(*value, settings.short());
        bank.add(&history);
    }
    model.forecast(&Past::new(&history, &bank), horizon)
}

/// A forecaster for hours, fitted.
pub(super) fn hourly(values: &[f64]) -> Forecaster {
    Forecaster::fit(values, Settings::new(vec![24, 168], 48)).unwrap()
}

/// Mean absolute difference.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
}
