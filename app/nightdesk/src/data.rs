//! The data directory: what lies where, and that only one process uses it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use nightdesk_assembly::{Stores, Trading};
use nightdesk_host::Failure;
use nightdesk_store::{Schema, Store};
use nightdesk_store_sql::{Options, SqliteStore};

use nightdesk_process::Config;
use nightdesk_process::failure;

/// Where everything is kept when nobody says otherwise.
pub(crate) fn data_dir(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
    Ok(base.context("neither XDG_DATA_HOME nor HOME is set: name a directory with --data-dir")?.join("nightdesk"))
}

/// A service's database.
pub(crate) struct Database {
    /// The journal's stream.
    pub(crate) stream: String,
    /// The folder it lies in.
    pub(crate) folder: PathBuf,
    /// Its schema, whose service names the file.
    pub(crate) schema: &'static Schema,
}

impl Database {
    /// The file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.sqlite", self.schema.service))
    }
}

/// Every service's database.
pub(crate) fn databases(dir: &Path, trading: &Trading) -> Vec<Database> {
    let service =
        |schema: &'static Schema| Database { stream: schema.service.to_owned(), folder: dir.to_owned(), schema };
    let workers = trading.workers.iter().map(|worker| {
        let stream = format!("worker.{}", worker.instance);
        Database { folder: dir.join(&stream), stream, schema: &nightdesk_strategy_worker::SCHEMA }
    });
    let mut all = vec![
        service(&nightdesk_core_engine::SCHEMA),
        service(&nightdesk_capital_manager::SCHEMA),
        service(&nightdesk_exchange_connector::SCHEMA),
    ];
    all.extend(workers);
    all
}

/// Which databases the directory holds.
const LIST: &str = "databases.json";

/// Whether `nightdesk up` keeps its databases in `dir`.
pub(crate) fn is_used_by_up(dir: &Path) -> bool {
    dir.join(LIST).exists()
}

/// Opens every service's store. A database that was there once and is missing now is not made anew: its service would
/// forget what it has sent.
pub(crate) async fn open_stores(dir: &Path, trading: &Trading) -> Result<Stores, Failure> {
    let list = dir.join(LIST);
    let mut known: BTreeSet<String> = match std::fs::read(&list) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", list.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(Failure::from(format!("cannot read {}: {error}", list.display()))),
    };
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for database in databases(dir, trading) {
        if known.contains(&database.stream) && !database.file().exists() {
            return Err(Failure::from(format!(
                "the database {} is missing: put it back from a backup, or start anew in another data directory",
                database.file().display()
            )));
        }
        std::fs::create_dir_all(&database.folder)
            .with_context(|| format!("cannot make {}", database.folder.display()))?;
        let store = SqliteStore::open(&database.folder, database.schema, Options::default()).await;
        stores.push(Arc::new(store.map_err(failure::of_store)?));
        if known.insert(database.stream) {
            write_atomic(&list, &serde_json::to_vec_pretty(&known)?)?;
        }
    }
    let mut stores = stores.into_iter();
    let mut next = || stores.next().context("one store per service");
    Ok(Stores { core: next()?, capital: next()?, connector: next()?, workers: stores.collect() })
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Keeps the configuration beside the data it led to: `verify` reckons with it.
pub(crate) fn keep_config(dir: &Path, config: &Config) -> anyhow::Result<()> {
    write_atomic(&dir.join("config.json"), &serde_json::to_vec_pretty(config)?)
}

/// The configuration that the data was made with.
pub(crate) fn kept_config(dir: &Path) -> anyhow::Result<Config> {
    let file = dir.join("config.json");
    let text = std::fs::read(&file).with_context(|| {
        format!("cannot read {}: is {} a data directory of Nightdesk?", file.display(), dir.display())
    })?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
}
