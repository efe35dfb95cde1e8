//! An intent's life and everything that may happen on the way, text in, text out: facts in brackets, then messages. `tell` is
//! the account's stream, `known` the connector's answer to a question, `reconcile` the exchange's whole view.

mod compare;
mod intent;
mod mode;
mod order;
mod restart;

use expect_test::Expect;

use crate::test_house::House;

#[track_caller]
fn check(script: &str, expected: Expect) {
    let mut house = House::new();
    expected.assert_eq(&house.play(script));
    house.check_replay();
}
