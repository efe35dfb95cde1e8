use super::super::samples::{day_and_week, noise, walk, wave};
use super::*;

fn levels(levels: &[f64], each: usize, seed: u64) -> Vec<f64> {
    let at = |t: usize| levels[t / each];
    noise(seed).take(levels.len() * each).enumerate().map(|(t, e)| at(t) + e).collect()
}

#[test]
fn new_levels_are_found_where_they_begin() {
    assert_eq!(change_points(&levels(&[0.0, 20.0, -20.0], 100, 1), &[]), [100, 200]);
    let small = change_points(&levels(&[0.0, 2.0], 200, 2), &[]);
    assert!(small.len() == 1 && small[0].abs_diff(200) <= 5, "{small:?}");
}

#[test]
fn noise_has_no_change() {
    let found: usize = (0..20).map(|seed| change_points(&levels(&[5.0], 400, seed), &[]).len()).sum();
    assert!(found <= 1, "{found}");
}

#[test]
fn a_season_is_no_change() {
    assert!(change_points(&day_and_week(600, 3), &[24, 168]).is_empty());
    let season = wave(24, 10.0);
    let values: Vec<f64> = noise(4).take(400).enumerate().map(|(t, e)| season(t) + e).collect();
    assert!(change_points(&values, &[24]).is_empty());
}

#[test]
fn too_few_values_have_no_change() {
    assert!(change_points(&[0.0, 0.0, 9.0, 9.0], &[]).is_empty());
    assert!(change_points(&[], &[5]).is_empty());
}

#[test]
fn no_more_than_sixteen_are_told() {
    assert!(change_points(&walk(5_000, 0.0, 5), &[]).len() <= 16);
}

#[test]
fn a_direction_is_what_exceeds_the_error() {
    let check = |forecast: &[f64], error: f64| direction(&[1.0, 2.0, 3.0], forecast, None, error);
    assert_eq!(check(&[4.0, 5.0], 1.0), Direction::Rising);
    assert_eq!(check(&[2.0, 1.0], 1.0), Direction::Falling);
    assert_eq!(check(&[4.0, 5.0], 2.0), Direction::Flat);
}

#[test]
fn whole_seasons_are_compared_where_there_are_any() {
    let values = [1.0, 5.0, 1.0, 5.0];
    assert_eq!(direction(&values, &[1.0], Some(2), 0.5), Direction::Falling);
    assert_eq!(direction(&values, &[1.0, 5.0, 1.0], Some(2), 0.5), Direction::Flat);
    assert_eq!(direction(&values, &[1.0, 5.0, 3.0, 7.0], Some(2), 0.5), Direction::Rising);
}
