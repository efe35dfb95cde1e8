use super::*;

fn matrix(only: &str) -> Matrix<'_> {
    Matrix { threads: 2, bug: None, until_failure: false, only, crashes: false, aloud: false }
}

fn failures(matrix: Matrix<'_>) -> Vec<String> {
    let failed = |(cell, row): (Cell, Option<Row>)| {
        let name = cell.name();
        row.unwrap_or_default().failures.into_iter().map(move |why| format!("{name}: {why}"))
    };
    matrix.run(|_, _| {}).into_iter().flat_map(failed).collect()
}

#[test]
fn each_fault_leaves_one_order_for_one_intent() {
    assert_eq!(failures(matrix("")), Vec::<String>::new());
}

#[test]
fn an_impossible_cell_is_kept_and_not_run() {
    let rows = matrix("504 after accept").run(|_, _| {});
    let run: Vec<bool> = rows.iter().map(|(_, row)| row.is_some()).collect();
    assert_eq!(run, [true, true, false, true]);
}

#[test]
fn a_crash_finds_its_place_at_every_commit() {
    let rows = Matrix { crashes: true, ..matrix("504 after accept, filled") }.run(|_, _| {});
    let row = rows[0].1.as_ref().unwrap();
    assert_eq!(row.failures, Vec::<String>::new());
    assert_eq!(row.crashes + 2, row.runs, "two runs have no crash");
    assert!(row.runs > 30, "{row:?}");
}

/// The matrix can fail.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_make_it_fail() {
    for (bug, cell) in [
        ("resend-on-timeout", "reset after accept, filled"),
        ("doubt-is-absence", "504 after accept, resting"),
        ("absence-believed-early", "request late, reset, filled"),
        ("effect-before-commit", "none, filled"),
        ("gap-not-reconciled", "reports lost, filled"),
    ] {
        let bug = crate::find(bug);
        assert!(bug.is_some());
        let crashes = true;
        let found = failures(Matrix { bug, until_failure: true, crashes, ..matrix(cell) });
        assert!(!found.is_empty(), "{bug:?} in {cell}");
    }
}
