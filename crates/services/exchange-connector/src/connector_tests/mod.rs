//! Every path of a command, text in, text out: facts in brackets, `send` what must arrive, `tell` what may be lost, `->` what
//! is done. Times of windows are in milliseconds; the start is at 10,000.

mod cancel;
mod mode;
mod placement;
mod trouble;

use expect_test::Expect;

use crate::test_house::House;

#[track_caller]
fn check(script: &str, expected: Expect) {
    expected.assert_eq(&House::new().play(script));
}
