use super::*;

fn series(rows: usize, windows: &[(usize, usize)]) -> Series {
    let rows = (0..rows as i64).map(|row| (row * 300, 0.0)).collect();
    Series { name: "kind/file.csv".into(), rows, windows: windows.to_vec() }
}

fn scored(series: &Series, detected: &[usize]) -> f64 {
    normalised(STANDARD, &[(series.windows.len(), series.raw(STANDARD, detected))])
}

#[test]
fn nothing_detected_is_zero_and_the_first_row_of_each_window_is_a_hundred() {
    let series = series(1_000, &[(300, 399), (600, 699)]);
    assert_eq!(scored(&series, &[]), 0.0);
    assert!((scored(&series, &[300, 600]) - 100.0).abs() < 1e-9);
    assert!(scored(&series, &[350, 650]) > 80.0);
    assert!(scored(&series, &[399, 699]) < 60.0);
}

#[test]
fn within_a_window_only_the_best_row_counts_and_outside_each_one_costs() {
    let series = series(1_000, &[(300, 399)]);
    let best = series.raw(STANDARD, &[310]);
    assert_eq!(series.raw(STANDARD, &[310, 311, 390]), best);
    assert!((series.raw(STANDARD, &[200, 210, 310]) - (best - 0.22)).abs() < 1e-12);
    let soon = best - series.raw(STANDARD, &[310, 401]);
    assert!((0.0..0.02).contains(&soon), "a row shortly after a window costs little: {soon}");
}

#[test]
fn probation_is_not_scored() {
    let series = series(1_000, &[(300, 399)]);
    assert_eq!(series.probation(), 150);
    assert_eq!(series.raw(STANDARD, &[0, 50, 149]), -1.0);
}

#[test]
fn times_are_read_as_utc() {
    assert_eq!(seconds("1970-01-02 00:00:01"), Some(86_401));
    assert_eq!(seconds("2014-04-10 07:15:00.000000"), Some(1_397_114_100));
    assert_eq!(seconds("2000-02-29 12:00:00"), Some(951_825_600));
    assert_eq!(seconds("yesterday"), None);
}
