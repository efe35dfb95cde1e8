use super::super::samples::noise;
use super::*;

fn sum(rows: &[[f64; 3]], a: usize, b: usize) -> f64 {
    rows.iter().map(|row| row[a] * row[b]).sum()
}

fn rows(count: usize) -> Vec<[f64; 3]> {
    let mut noise = noise(1);
    (0..count).map(|_| [1.0, noise.next().unwrap(), noise.next().unwrap()]).collect()
}

fn moments(rows: &[[f64; 3]], length: usize) -> Moments {
    let mut moments = Moments::new(3, length);
    rows.iter().enumerate().for_each(|(at, row)| moments.add(at, row));
    moments
}

#[test]
fn sums_of_products_are_kept() {
    let rows = rows(100);
    let total = moments(&rows, 7).total(f64::INFINITY);
    for (a, b) in [(0, 0), (1, 0), (0, 2), (2, 1), (2, 2)] {
        assert!((total.of(a, b) - sum(&rows, a, b)).abs() < 1e-9);
    }
}

#[test]
fn dropped_blocks_leave_no_trace() {
    let mut rows = rows(100);
    rows[3] = [1.0, 1e12, 1e12];
    let mut moments = moments(&rows, 10);
    moments.drop_before(10);
    assert!((moments.total(f64::INFINITY).of(1, 2) - sum(&rows[10..], 1, 2)).abs() < 1e-9);
    moments.drop_before(25);
    assert_eq!(moments.total(f64::INFINITY).of(0, 0), 80.0);
}

#[test]
fn the_past_is_discounted_block_by_block() {
    let total = moments(&rows(30), 10).total(10.0);
    assert_eq!(total.of(0, 0), 10.0 + 5.0 + 2.5);
}

#[test]
fn equations_are_solved() {
    let a = vec![vec![4.0], vec![2.0, 5.0], vec![1.0, 3.0, 6.0]];
    let x = solve(a, vec![4.0 + 4.0 + 3.0, 2.0 + 10.0 + 9.0, 1.0 + 6.0 + 18.0]).unwrap();
    assert!(x.iter().zip([1.0, 2.0, 3.0]).all(|(x, y)| (x - y).abs() < 1e-12), "{x:?}");
}

#[test]
fn what_is_not_definite_is_not_solved() {
    assert_eq!(solve(vec![vec![1.0], vec![1.0, 1.0]], vec![1.0, 1.0]), None);
    assert_eq!(solve(vec![vec![f64::NAN]], vec![1.0]), None);
}
