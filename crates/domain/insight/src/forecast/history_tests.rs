use super::*;

fn history(values: &[f64], season: Option<usize>) -> History {
    let mut history = History::new(0);
    values.iter().for_each(|value| history.push(*value, season));
    history
}

#[test]
fn a_gap_takes_the_last_value_moved_as_a_season_ago() {
    let filled = |values: &[f64], season| history(values, season).raw(Scale::Linear).last().copied().unwrap();
    assert_eq!(filled(&[1.0, 5.0, f64::NAN], None), 5.0);
    assert_eq!(filled(&[1.0, 5.0, 2.0, 11.0, f64::NAN], Some(2)), 8.0);
    assert_eq!(filled(&[1.0, 5.0, f64::NAN], Some(2)), 5.0);
}

#[test]
fn a_filled_value_was_not_observed() {
    let history = history(&[1.0, f64::NAN, 3.0], None);
    assert_eq!([0, 1, 2, 3].map(|at| history.observed(at)), [Some(1.0), None, Some(3.0), None]);
    assert_eq!(history.missing(), 1);
}

#[test]
fn logarithms_return_when_what_has_none_is_gone() {
    let mut history = history(&[1.0, 0.0, 2.0, 4.0], None);
    assert_eq!(history.on(Scale::Log), None);
    history.drop_oldest(2);
    assert_eq!(history.on(Scale::Log), Some(&[2.0f64.ln(), 4.0f64.ln()][..]));
    assert_eq!((history.start(), history.end(), history.len()), (2, 4, 2));
    assert_eq!(history.observed(1), None);
}

#[test]
fn a_row_is_on_the_log_scale_if_all_it_reaches_is() {
    let history = history(&[1.0, 0.0, 2.0, 4.0], None);
    assert_eq!([0, 1, 2, 3].map(|reach| history.row_is_on(Scale::Log, reach)), [true, true, false, false]);
    assert!(history.row_is_on(Scale::Linear, 3));
}
