use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;
use crate::Schema;
use crate::contract::{Harness, ORDERS, fact, order};

struct Memory(ModelStore);

impl Harness for Memory {
    fn open<'a>(&'a self, _: &'static Schema) -> BoxFuture<'a, Result<Arc<dyn Store>, StoreError>> {
        Box::pin(ready(Ok(Arc::new(self.0.clone()) as _)))
    }
}

/// The model never waits, so one poll is an executor.
fn check(case: impl for<'a> FnOnce(&'a dyn Harness) -> BoxFuture<'a, ()>) {
    case(&Memory(ModelStore::new("memory"))).now_or_never().unwrap();
}

crate::contract_tests!(check);

#[test]
fn a_fault_lasts_until_it_is_lifted_and_keeps_nothing() {
    let store = ModelStore::new("memory");
    let batch = || Batch { journal: vec![fact("a", 1)], rows: vec![order("o", "open", 1, None)], ..Batch::default() };
    let full = StoreError::Full { place: "memory".to_owned() };
    store.set_fault(Some(full.clone()));
    assert_eq!(store.commit(batch()).now_or_never(), Some(Err(full)));
    assert_eq!((store.commits(), store.rows(&ORDERS).len(), store.journal_rows().len()), (0, 0, 0));
    store.set_fault(None);
    assert_eq!(store.commit(batch()).now_or_never(), Some(Ok(())));
    assert_eq!((store.commits(), store.rows(&ORDERS).len(), store.journal_rows().len()), (1, 1, 1));
}
