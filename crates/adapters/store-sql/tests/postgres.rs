//! The store and the lease on a real PostgreSQL server, which the test starts, kills and freezes.
//!
//! One server serves all cases, each in a schema of its own: starting one takes longer than all of them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test panics, and tells which case it was at")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use nightdesk_platform::Lease;
use nightdesk_private_servers::Postgres;
use nightdesk_store::contract::{Harness, ORDERS, SCHEMA, cases, fact, message, order};
use nightdesk_store::{Batch, Schema, Select, Store, StoreError, Value};
use nightdesk_store_sql::{Fence, PostgresLease, PostgresOptions, PostgresStore};

const TTL: Duration = Duration::from_secs(30);

/// A schema of its own.
struct Place {
    url: String,
    schema: String,
}

impl Place {
    fn new(server: &Postgres, schema: &str) -> Self {
        Self { url: server.url(), schema: schema.to_owned() }
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url, &self.schema).unwrap()
    }

    async fn store(&self) -> PostgresStore {
        PostgresStore::open(self.options(), &SCHEMA).await.unwrap()
    }

    async fn fenced(&self, lease: &str, epoch: u64) -> Result<PostgresStore, StoreError> {
        let fence = Fence { lease: lease.to_owned(), epoch };
        PostgresStore::open(self.options().fenced(fence), &SCHEMA).await
    }

    fn lease(&self, name: &str, holder: &str) -> PostgresLease {
        PostgresLease::new(self.options(), name, holder)
    }
}

impl Harness for Place {
    fn open<'a>(&'a self, schema: &'static Schema) -> BoxFuture<'a, Result<Arc<dyn Store>, StoreError>> {
        Box::pin(async move { Ok(Arc::new(PostgresStore::open(self.options(), schema).await?) as _) })
    }
}

/// A server with its directory, which goes when the test has passed.
struct Server {
    postgres: Option<Postgres>,
    dir: std::path::PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("nightdesk-{name}-{}", std::process::id()));
        let postgres = Postgres::start(&dir).unwrap();
        Self { postgres: Some(postgres), dir }
    }

    fn get(&mut self) -> &mut Postgres {
        self.postgres.as_mut().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.postgres = None;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future);
}

fn batch(version: u64) -> Batch {
    Batch {
        journal: vec![fact("a", version)],
        outbox: vec![message("q", version, 1)],
        rows: vec![order("o1", &version.to_string(), 1, None)],
        ..Batch::default()
    }
}

/// Everything up to `version` is there, each once, and nothing else.
async fn assert_holds(store: &PostgresStore, version: u64) {
    let recovered = store.recover().await.unwrap();
    let versions: Vec<_> = recovered.tail.iter().map(|row| row.version).collect();
    assert_eq!(versions, (1..=version).collect::<Vec<_>>());
    assert_eq!(recovered.outbox.len() as u64, version);
    let rows = store.select(Select::from(&ORDERS, 10)).await.unwrap();
    assert_eq!(rows[0][1], Value::from(version.to_string()), "journal and projection agree");
}

/// Commits as a shell does: the same batch until it is taken.
async fn commit_at_last(store: &PostgresStore, batch: Batch) {
    let start = Instant::now();
    while let Err(error) = store.commit(batch.clone()).await {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn contract(server: &Postgres) {
    for (name, case) in cases() {
        println!("contract: {name}");
        case(&Place::new(server, name)).await;
    }
}

/// A newcomer shuts the one before out, whatever it still tries.
async fn a_second_writer_shuts_out_the_first(server: &Postgres) {
    let place = Place::new(server, "second-writer");
    let first = place.store().await;
    first.commit(batch(1)).await.unwrap();
    let second = place.store().await;
    second.commit(batch(2)).await.unwrap();
    for version in [2, 3] {
        let refused = first.commit(batch(version)).await;
        assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    }
    assert_holds(&second, 2).await;
}

/// I7: what an older epoch writes is refused, also while it still believes in its lease.
async fn an_old_epoch_writes_nothing(server: &Postgres) {
    let place = Place::new(server, "old-epoch");
    let (old, new) = (place.lease("core", "one"), place.lease("core", "two"));
    let epoch = old.acquire(TTL).await.unwrap().unwrap();
    let store = place.fenced("core", epoch).await.unwrap();
    store.commit(batch(1)).await.unwrap();
    assert_eq!(new.acquire(TTL).await.unwrap(), None, "it is still held");
    // Its time runs out, and it does not know.
    assert!(old.renew(epoch, Duration::ZERO).await.unwrap());
    let next = new.acquire(TTL).await.unwrap().unwrap();
    assert_eq!(next, epoch + 1);
    // The new one has not written yet: the lease alone must keep the old one out, and its attempts to come back.
    for _ in 0..3 {
        let refused = store.commit(batch(2)).await;
        assert!(!matches!(refused, Ok(())), "{refused:?}");
    }
    assert!(matches!(place.fenced("core", epoch).await, Err(StoreError::Fenced { .. })));
    assert!(!old.renew(epoch, TTL).await.unwrap());
    assert!(new.renew(next, TTL).await.unwrap());
    let successor = place.fenced("core", next).await.unwrap();
    successor.commit(batch(2)).await.unwrap();
    assert_holds(&successor, 2).await;
    new.release(next).await.unwrap();
    assert_eq!(old.acquire(TTL).await.unwrap(), Some(next + 1), "what was given back need not be waited for");
}

/// A store of a newer program is refused, one that was never made cannot be read, and a password is never told.
async fn refusals_are_told_in_words(server: &Postgres) {
    static NEWER: Schema = Schema { version: 2, migrations: &["ALTER TABLE orders ADD COLUMN more TEXT"], ..SCHEMA };
    let place = Place::new(server, "newer");
    let never = PostgresStore::open_to_read(place.options(), &SCHEMA).await.unwrap_err();
    assert!(matches!(never, StoreError::Unavailable { .. }), "{never}");
    place.store().await.close().await;
    PostgresStore::open(place.options(), &NEWER).await.unwrap().close().await;
    let refused = PostgresStore::open(place.options(), &SCHEMA).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 2, known: 1, .. }), "{refused}");
    let wrong = PostgresOptions::new(&format!("{}x", server.url().replace("nightdesk:", "nightdesk:secret")), "s");
    let told = PostgresStore::open(wrong.unwrap(), &SCHEMA).await.unwrap_err().to_string();
    assert!(!told.contains("secret"), "{told}");
    let password = server.url().split([':', '@']).nth(2).unwrap().to_owned();
    let other = Place::new(server, "printed");
    assert!(!format!("{:?} {:?}", other.options(), other.store().await).contains(&password));
}

/// Who reads sees one state, however much is written meanwhile.
async fn a_reader_sees_one_state(server: &Postgres) {
    let place = Place::new(server, "reader");
    let store = place.store().await;
    store.commit(batch(1)).await.unwrap();
    let reader = PostgresStore::open_to_read(place.options(), &SCHEMA).await.unwrap();
    store.commit(batch(2)).await.unwrap();
    assert_holds(&reader, 1).await;
    assert!(matches!(reader.commit(batch(3)).await, Err(StoreError::Unavailable { .. })));
    reader.close().await;
}

/// While a server is killed again and again, nothing is lost and nothing is written twice.
async fn kills_lose_and_double_nothing(server: &mut Postgres) {
    let place = Place::new(server, "kills");
    let store = place.store().await;
    let mut version = 0;
    for _ in 0..4 {
        let commits = async {
            for _ in 0..40 {
                version += 1;
                commit_at_last(&store, batch(version)).await;
            }
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            server.kill();
            server.restart().unwrap();
        };
        futures_util::future::join(commits, kill).await;
    }
    assert_holds(&store, version).await;
}

/// A commit that a frozen server answers too late is found out about, not repeated.
async fn a_frozen_server_is_waited_for_and_doubles_nothing(server: &mut Postgres) {
    let place = Place::new(server, "frozen");
    let store = place.store().await;
    store.commit(batch(1)).await.unwrap();
    server.freeze();
    let unanswered = store.commit(batch(2)).await;
    assert!(matches!(unanswered, Err(StoreError::Unavailable { .. })), "{unanswered:?}");
    server.thaw();
    commit_at_last(&store, batch(2)).await;
    commit_at_last(&store, batch(3)).await;
    assert_holds(&store, 3).await;
}

#[test]
fn postgres_keeps_every_promise_of_the_store() {
    let mut server = Server::start("store-postgres");
    run(async {
        let postgres = server.get();
        contract(postgres).await;
        a_second_writer_shuts_out_the_first(postgres).await;
        an_old_epoch_writes_nothing(postgres).await;
        refusals_are_told_in_words(postgres).await;
        a_reader_sees_one_state(postgres).await;
        a_frozen_server_is_waited_for_and_doubles_nothing(postgres).await;
        kills_lose_and_double_nothing(postgres).await;
    });
}
