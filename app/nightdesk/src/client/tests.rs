use super::*;
#[test]
fn soon() {}
