use std::path::PathBuf;

use futures_util::future::BoxFuture;
use nightdesk_store::contract::Harness;

use super::*;

/// A folder of its own for each test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nightdesk-store-sql-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Harness for Folder {
    fn open<'a>(&'a self, schema: &'static Schema) -> BoxFuture<'a, Result<Arc<dyn Store>, StoreError>> {
        Box::pin(async move { Ok(Arc::new(SqliteStore::open(&self.0, schema, Options::default()).await?) as _) })
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

fn check(case: impl for<'a> FnOnce(&'a dyn Harness) -> BoxFuture<'a, ()>) {
    let folder = Folder::new();
    run(case(&folder));
}

nightdesk_store::contract_tests!(check);
