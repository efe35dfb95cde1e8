//! How SQLite is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nightdesk_store::StoreError;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::error::sqlite_error;

/// How long to wait for another process's transaction. Ours are over in milliseconds.
const BUSY: Duration = Duration::from_secs(1);

/// Different texts the driver keeps prepared. Each has room for up to 64 rows of a kind and takes some 10 to 200 kB.
const PREPARED_MAX: usize = 64;

/// Pages in the log after which a commit also moves them into the database. Measured with 4 stores under load: at 250 the
/// p99 of a commit is worse, at 4,000 no better, and without any the log has no bound for a p99 of 1.5 instead of 2 ms.
const LOG_PAGES: &str = "1000";

/// How a store is to be opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The file must be there: a service that has lost its store must not start over with an empty one.
    pub must_exist: bool,
    /// Pages of 4 KiB after which the database counts as full. For tests of a full disk.
    pub pages_max: Option<u32>,
}

/// A file and how it is opened, also once more after a failure.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    path: PathBuf,
    pub(crate) place: String,
    options: Options,
}

impl Opener {
    pub(crate) fn new(path: &Path, options: Options) -> Self {
        Self { path: path.to_owned(), place: path.display().to_string(), options }
    }

    /// Tells what is missing in words of its own: SQLite says "unable to open database file" for all of it.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let missing = |detail: String| Err(StoreError::Unavailable { place: self.place.clone(), detail });
        if self.options.must_exist && !self.path.is_file() {
            let remedy = "restore it, or start without requiring it if nothing was ever stored";
            return missing(format!("there is no such file: {remedy}"));
        }
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                missing(format!("there is no directory {}", folder.display()))
            }
            _ => Ok(()),
        }
    }

    /// The connection that writes.
    pub(crate) async fn writer(&self) -> Result<SqliteConnection, StoreError> {
        let options = self
            .common()
            .create_if_missing(!self.options.must_exist)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(PREPARED_MAX)
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .pragma("cache_size", "-4000")
            .pragma("temp_store", "MEMORY");
        let options = match self.options.pages_max {
            Some(pages) => options.pragma("max_page_count", pages.to_string()),
            None => options,
        };
        options.connect().await.map_err(|error| sqlite_error(&self.place, &error))
    }

    /// A connection that reads.
    pub(crate) async fn reader(&self) -> Result<SqliteConnection, StoreError> {
        let options = self.common().read_only(true).pragma("cache_size", "-1000").row_buffer_size(500);
        options.connect().await.map_err(|error| sqlite_error(&self.place, &error))
    }

    fn common(&self) -> SqliteConnectOptions {
        let name =
            self.path.file_stem().map_or_else(|| "sqlite".to_owned(), |stem| stem.to_string_lossy().into_owned());
        SqliteConnectOptions::new()
            .filename(&self.path)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .thread_name(move |_| format!("sql-{name}"))
            .disable_statement_logging()
    }
}
