//! How SQLite is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nightdesk_store::StoreError;
use rusqlite::{Connection, OpenFlags};

/// How long to wait for another process's transaction. Ours are over in milliseconds.
const BUSY: Duration = Duration::from_secs(1);

/// Statements kept prepared. The writer has about a dozen, and each kind of question is one.
const PREPARED_MAX: usize = 64;

/// FULL: a commit that is answered has been synced. After 1,000 pages in the log a commit also moves them into the database.
/// Measured with 4 stores under load: at 250 the p99 of a commit is worse, at 4,000 no better, and without any the log has no
/// bound for a p99 of 1.5 instead of 2 ms.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY";
const READER: &str = "PRAGMA foreign_keys = ON; PRAGMA cache_size = -1000";

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

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
pub(super) struct Opener {
    path: PathBuf,
    pub(super) place: String,
    options: Options,
}

impl Opener {
    pub(super) fn new(path: &Path, options: Options) -> Self {
        Self { path: path.to_owned(), place: path.display().to_string(), options }
    }

    /// Tells what is missing in words of its own: SQLite says "unable to open database file" for all of it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
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

    /// Opens the file. `SQLITE_OPEN_NO_MUTEX`: one thread uses the connection.
    pub(super) fn open(&self, access: Access) -> rusqlite::Result<Connection> {
        let flags = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write if self.options.must_exist => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        connection.execute_batch(match access {
            Access::Read => READER,
            Access::Write => WRITER,
        })?;
        if let (Access::Write, Some(pages)) = (access, self.options.pages_max) {
            connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        Ok(connection)
    }

    pub(super) fn thread_name(&self) -> String {
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy());
        format!("sql-{}", stem.as_deref().unwrap_or("sqlite"))
    }
}
