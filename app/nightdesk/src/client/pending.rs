//! A halt that was asked for while nothing ran: `halt.json` in the data directory, which the next start carries out first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use nightdesk_units::{Micros, Timestamp};
use serde::{Deserialize, Serialize};

/// A halt asked for while nothing ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingHalt {
    /// Why.
    pub(crate) reason: String,
    /// Who.
    pub(crate) by: String,
    /// When, ISO 8601.
    pub(crate) at: String,
}

fn file(dir: &Path) -> PathBuf {
    dir.join("halt.json")
}

/// The halt that waits for the next start. One that cannot be read is a halt all the same.
pub(crate) fn pending_halt(dir: &Path) -> anyhow::Result<Option<PendingHalt>> {
    let path = file(dir);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let halt = serde_json::from_slice(&bytes).unwrap_or_else(|error| PendingHalt {
        reason: format!("{} was there but damaged: {error}", path.display()),
        by: "up".to_owned(),
        at: String::new(),
    });
    Ok(Some(halt))
}

/// Forgets it: it is in force, or withdrawn.
pub(crate) fn clear_pending_halt(dir: &Path) -> anyhow::Result<()> {
    let path = file(dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("cannot sync {}", dir.display())),
    }
}

/// Holds the next start; durable when it returns.
pub(super) fn write(dir: &Path, reason: &str, by: &str) -> anyhow::Result<PendingHalt> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at = (Timestamp::default() + Micros::from(now)).to_string();
    let halt = PendingHalt { reason: reason.trim().to_owned(), by: by.to_owned(), at };
    let (path, beside) = (file(dir), dir.join(format!("halt.json.{}.tmp", std::process::id())));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(&halt)?)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(dir)?.sync_all()
    };
    let written: io::Result<()> = write();
    written
        .inspect_err(|_| drop(fs::remove_file(&beside)))
        .with_context(|| format!("cannot write {}: THE NEXT START IS NOT HELD", path.display()))?;
    Ok(halt)
}
