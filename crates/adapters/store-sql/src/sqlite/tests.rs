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

/// What the file system and the operator do to a store.
mod faults {
    use nightdesk_store::contract::{ORDERS, SCHEMA, fact, order};
    use nightdesk_store::{Column, Kind, Table};

    use super::*;

    async fn open(folder: &Folder) -> SqliteStore {
        SqliteStore::open(&folder.0, &SCHEMA, Options::default()).await.unwrap()
    }

    fn facts(versions: std::ops::RangeInclusive<u64>) -> Batch {
        Batch { journal: versions.map(|version| fact("a", version)).collect(), ..Batch::default() }
    }

    fn file(folder: &Folder) -> PathBuf {
        folder.0.join("core-engine.sqlite")
    }

    fn raw(folder: &Folder) -> rusqlite::Connection {
        rusqlite::Connection::open(file(folder)).unwrap()
    }

    /// Fills the store until it is full, and returns the last version that was committed.
    async fn fill(store: &SqliteStore) -> u64 {
        for version in 1.. {
            let mut batch = facts(version..=version);
            batch.journal[0].body = "x".repeat(20_000);
            batch.rows = vec![order("o1", &version.to_string(), 1, None)];
            match store.commit(batch).await {
                Ok(()) => assert!(version < 10_000, "the store never gets full"),
                Err(error) => {
                    assert!(matches!(error, StoreError::Full { .. }), "{error}");
                    return version - 1;
                }
            }
        }
        unreachable!()
    }

    async fn assert_holds(store: &SqliteStore, last: u64) {
        let tail = store.recover().await.unwrap().tail;
        assert_eq!(tail.last().map(|row| row.version), Some(last));
        let rows = store.select(Select::from(&ORDERS, 10)).await.unwrap();
        assert_eq!(rows[0][1], Value::from(last.to_string()), "journal and projection agree");
    }

    #[test]
    fn a_full_database_refuses_whole_batches_and_is_still_read() {
        run(async {
            let folder = Folder::new();
            let options = Options { pages_max: Some(100), ..Options::default() };
            let store = SqliteStore::open(&folder.0, &SCHEMA, options).await.unwrap();
            let last = fill(&store).await;
            assert_holds(&store, last).await;
            assert!(store.commit(facts(last + 1..=last + 2000)).await.is_err(), "still full");
            store.close().await;
            drop(store);
            let store = open(&folder).await;
            assert_holds(&store, last).await;
            store.commit(facts(last + 1..=last + 1)).await.unwrap();
        });
    }

    #[test]
    fn a_full_disk_refuses_whole_batches_and_room_made_is_used_without_a_restart() {
        run(async {
            let folder = Folder::new();
            let Some(disk) = SmallDisk::mount(&folder.0) else {
                eprintln!("not checked: mounting a small disk needs root");
                return;
            };
            let ballast = folder.0.join("ballast");
            std::fs::write(&ballast, vec![1; 300_000]).unwrap();
            let store = open(&folder).await;
            let last = fill(&store).await;
            assert_holds(&store, last).await;
            std::fs::remove_file(ballast).unwrap();
            store
                .commit(Batch { rows: vec![order("o1", "room", 1, None)], ..facts(last + 1..=last + 1) })
                .await
                .unwrap();
            store.close().await;
            drop(store);
            let store = open(&folder).await;
            assert_eq!(store.recover().await.unwrap().tail.len() as u64, last + 1);
            store.close().await;
            drop(store);
            drop(disk);
        });
    }

    /// A disk of 2 MB.
    struct SmallDisk(PathBuf);

    impl SmallDisk {
        fn mount(path: &Path) -> Option<Self> {
            let arguments = ["-t", "tmpfs", "-o", "size=2m", "tmpfs"];
            let mounted = std::process::Command::new("mount").args(arguments).arg(path).output();
            mounted.is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
        }
    }

    #[test]
    fn a_transaction_of_another_process_is_waited_for_and_then_told() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            let other = raw(&folder);
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let answer = store.commit(facts(1..=1)).await;
            assert!(matches!(answer, Err(StoreError::Locked { .. })), "{answer:?}");
            other.execute_batch("ROLLBACK").unwrap();
            store.commit(facts(1..=1)).await.unwrap();
        });
    }

    #[test]
    fn what_another_writer_has_committed_fences_us() {
        run(async {
            let folder = Folder::new();
            let (ours, other) = (open(&folder).await, open(&folder).await);
            other.commit(facts(1..=1)).await.unwrap();
            let answer = ours.commit(facts(1..=1)).await;
            assert!(matches!(answer, Err(StoreError::Fenced { .. })), "{answer:?}");
        });
    }

    #[test]
    fn a_store_that_must_exist_is_not_made() {
        run(async {
            let folder = Folder::new();
            let options = Options { must_exist: true, ..Options::default() };
            let error = SqliteStore::open(&folder.0, &SCHEMA, options).await.unwrap_err();
            assert!(error.to_string().contains("there is no such file: restore it"), "{error}");
            assert!(!file(&folder).exists());
            let error = SqliteStore::open(&folder.0.join("none"), &SCHEMA, Options::default()).await.unwrap_err();
            assert!(error.to_string().contains("there is no directory"), "{error}");
        });
    }

    #[test]
    fn what_is_not_a_database_is_damage() {
        run(async {
            let folder = Folder::new();
            std::fs::write(file(&folder), "this is not a database, whatever it is called").unwrap();
            let error = SqliteStore::open(&folder.0, &SCHEMA, Options::default()).await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
            assert_eq!(std::fs::read(file(&folder)).unwrap().len(), 45, "and it is left alone");
        });
    }

    #[test]
    fn a_broken_page_is_damage_when_it_is_read() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            store.commit(facts(1..=2_000)).await.unwrap();
            store.close().await;
            drop(store);
            let mut bytes = std::fs::read(file(&folder)).unwrap();
            let middle = bytes.len() / 8192 * 4096;
            bytes[middle..middle + 4096].fill(0xA5);
            std::fs::write(file(&folder), bytes).unwrap();
            let store = open(&folder).await;
            let answer = store.recover().await.map(|recovered| recovered.tail.len());
            assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{answer:?}");
        });
    }

    #[test]
    fn reading_beside_the_service_sees_one_moment() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            store.commit(facts(1..=1)).await.unwrap();
            let reader = SqliteStore::open_to_read(&folder.0, &SCHEMA).await.unwrap();
            store.commit(facts(2..=2)).await.unwrap();
            assert_eq!(reader.recover().await.unwrap().tail.len(), 1);
            assert_eq!(store.recover().await.unwrap().tail.len(), 2);
            let error = reader.commit(facts(3..=3)).await.unwrap_err();
            assert!(error.to_string().contains("open for reading only"), "{error}");
        });
    }

    #[test]
    fn the_log_stays_small_however_much_is_written() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            for version in 1..=300 {
                let mut batch = facts(version..=version);
                batch.journal[0].body = "x".repeat(50_000);
                store.commit(batch).await.unwrap();
            }
            let log = std::fs::metadata(folder.0.join("core-engine.sqlite-wal")).unwrap().len();
            assert!(log < 6_000_000, "{log} bytes of log after 15 MB");
        });
    }

    #[test]
    fn a_batch_whose_asker_has_gone_is_committed_all_the_same() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            drop(store.commit(facts(1..=1)));
            store.commit(facts(2..=2)).await.unwrap();
            assert_eq!(store.recover().await.unwrap().tail.len(), 2);
        });
    }

    #[test]
    fn a_closed_store_says_so() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            store.close().await;
            let errors = [store.commit(facts(1..=1)).await.unwrap_err(), store.oldest_outbox().await.unwrap_err()];
            assert!(errors.iter().all(|error| error.to_string().contains("it has been closed")), "{errors:?}");
        });
    }

    #[test]
    fn sqlite_is_built_as_the_workspace_says() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let mut options = connection.prepare("PRAGMA compile_options").unwrap();
        let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        // HAVE_FDATASYNC is not told; it stands beside these in .cargo/config.toml.
        assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
        assert!(!options.iter().any(|option| option == "ENABLE_STAT4"), "{options:?}");
    }

    static ORDERS_2: Table = Table {
        name: "orders",
        columns: &[
            ORDERS.columns[0],
            ORDERS.columns[1],
            ORDERS.columns[2],
            ORDERS.columns[3],
            ORDERS.columns[4],
            Column { name: "fee_at", kind: Kind::OptInt },
        ],
        key: 1,
        indexes: &["status", "fee_at"],
    };
    static FEES: Table =
        Table { name: "fees", columns: &[Column { name: "asset", kind: Kind::Text }], key: 1, indexes: &[] };

    static TABLES_2: [&Table; 2] = [&ORDERS_2, &FEES];

    fn schema(version: u32, migration: &'static str) -> &'static Schema {
        let migrations = Box::leak(Box::new([migration]));
        Box::leak(Box::new(Schema { service: "core-engine", version, tables: &TABLES_2, migrations }))
    }

    const ADD: &str = "ALTER TABLE orders ADD COLUMN fee_at BIGINT; UPDATE orders SET fee_at = updated_at";

    #[test]
    fn an_older_store_is_migrated_with_what_it_holds() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            store.commit(Batch { rows: vec![order("o1", "open", 7, None)], ..facts(1..=1) }).await.unwrap();
            store.close().await;
            let error = SqliteStore::open_to_read(&folder.0, schema(2, ADD)).await.unwrap_err();
            assert!(error.to_string().contains("start the service once to migrate it"), "{error}");
            let store = SqliteStore::open(&folder.0, schema(2, ADD), Options::default()).await.unwrap();
            let rows = store.select(Select::from(&ORDERS_2, 10)).await.unwrap();
            assert_eq!(rows[0][5], Value::Int(7));
            assert_eq!(store.select(Select::from(&FEES, 1)).await, Ok(vec![]));
            assert_eq!(store.recover().await.unwrap().tail.len(), 1);
            store.close().await;
            let error = SqliteStore::open(&folder.0, &SCHEMA, Options::default()).await.unwrap_err();
            assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
        });
    }

    #[test]
    fn a_failing_migration_leaves_the_store_as_it_was() {
        run(async {
            let folder = Folder::new();
            open(&folder).await.close().await;
            let half = schema(2, "ALTER TABLE orders ADD COLUMN fee_at BIGINT; ALTER TABLE none ADD COLUMN x TEXT");
            let error = SqliteStore::open(&folder.0, half, Options::default()).await.unwrap_err();
            assert!(error.to_string().contains("migration from version 1: no such table: none"), "{error}");
            open(&folder)
                .await
                .commit(Batch { rows: vec![order("o", "open", 1, None)], ..facts(1..=1) })
                .await
                .unwrap();
        });
    }

    #[test]
    fn a_table_changed_without_a_new_version_is_found_when_opening() {
        run(async {
            let folder = Folder::new();
            open(&folder).await.close().await;
            let error = SqliteStore::open(&folder.0, schema(1, ""), Options::default()).await.unwrap_err();
            assert!(error.to_string().contains("table orders is not as version 1 says"), "{error}");
        });
    }

    #[test]
    fn another_services_store_is_refused() {
        run(async {
            let folder = Folder::new();
            open(&folder).await.close().await;
            let rename = "UPDATE meta SET value = 'capital-manager' WHERE key = 'service'";
            raw(&folder).execute_batch(rename).unwrap();
            let error = SqliteStore::open(&folder.0, &SCHEMA, Options::default()).await.unwrap_err();
            assert!(error.to_string().contains("it belongs to capital-manager, not to core-engine"), "{error}");
        });
    }

    #[test]
    fn a_commit_is_synced_before_it_is_told() {
        run(async {
            let folder = Folder::new();
            let store = open(&folder).await;
            let connection = Opener::new(&file(&folder), Options::default()).open(Access::Write).unwrap();
            let pragma = |name: &str| {
                let value = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap();
                match value {
                    rusqlite::types::Value::Integer(int) => int.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => panic!("{name} is {other:?}"),
                }
            };
            assert_eq!(["journal_mode", "synchronous", "foreign_keys"].map(pragma), ["wal", "2", "1"]);
            drop(store);
        });
    }
}
