//! `run.json`: where a running process tells the CLI its addresses and its token.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nightdesk_platform::Secret;
use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::exit::{Failure, Status};
use crate::life::Host;

const NAME: &str = "run.json";

/// What a running process says about itself. Readable by its user only, because it holds the token.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunFile {
    /// Its process id.
    pub pid: u32,
    /// When the kernel started that process, in clock ticks after boot: ids are used again.
    pub pid_started_ticks: u64,
    /// Its version.
    pub version: String,
    /// When it wrote this, in UTC.
    pub started_at: String,
    /// Its base addresses by name, such as `api` → `http://127.0.0.1:8080`.
    pub addresses: BTreeMap<String, String>,
    /// The bearer token of its APIs.
    pub token: String,
}

impl std::fmt::Debug for RunFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunFile(pid {}, {:?})", self.pid, self.addresses)
    }
}

/// Why there is nobody to talk to.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// No process has written one.
    #[error("nightdesk is not running on {}: start it with `nightdesk up`, or name another --data-dir", .0.display())]
    NotRunning(PathBuf),
    /// The process that wrote it is gone without removing it.
    #[error(
        "nightdesk is not running on {}: process {pid} ended without a farewell. Start it with `nightdesk up`, it \
         recovers by itself", .data_dir.display()
    )]
    Stale {
        /// Where.
        data_dir: PathBuf,
        /// Who it was.
        pid: u32,
    },
    /// It cannot be read or written.
    #[error("{}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what we write.
    #[error("{} is damaged; `nightdesk up` writes a new one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl RunFileError {
    /// The exit code.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::NotRunning(_) | Self::Stale { .. } => Status::Unavailable,
            Self::Io { .. } | Self::Damaged { .. } => Status::Fault,
        }
    }
}

impl RunFile {
    /// What this process says.
    #[must_use]
    pub fn of_this_process(now: Timestamp, addresses: BTreeMap<String, String>, token: &Secret) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            pid_started_ticks: started_ticks(pid).unwrap_or_default(),
            version: crate::version().to_owned(),
            started_at: now.to_string(),
            addresses,
            token: token.expose_str().unwrap_or_default().to_owned(),
        }
    }

    /// A new random token: 32 bytes in hexadecimal.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn new_token() -> Result<Secret, Failure> {
        Ok(Secret::new(random_hex::<32>()?))
    }

    /// Writes it into the data directory, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, data_dir: &Path) -> Result<(), RunFileError> {
        let (path, beside) = (data_dir.join(NAME), data_dir.join(format!("{NAME}.{}.tmp", self.pid)));
        let write = || {
            let _ = fs::remove_file(&beside);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(data_dir)?.sync_all()
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&beside);
            RunFileError::Io { path: path.clone(), source }
        })
    }

    /// Writes it and has it removed at the stop. Register it last: it is removed first, so nobody is sent to a process
    /// that drains.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn publish(self, host: &Host, data_dir: &Path) -> Result<(), RunFileError> {
        self.write(data_dir)?;
        let path = data_dir.join(NAME);
        host.on_drain("run.json", move || async move {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(RunFileError::Io { path, source: e }),
                _ => Ok(()),
            }
        });
        Ok(())
    }

    /// Finds the process that runs on a data directory.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn read(data_dir: &Path) -> Result<Self, RunFileError> {
        let path = data_dir.join(NAME);
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(RunFileError::NotRunning(data_dir.to_owned())),
            Err(source) => return Err(RunFileError::Io { path, source }),
            Ok(bytes) => bytes,
        };
        let file: Self = serde_json::from_slice(&bytes).map_err(|source| RunFileError::Damaged { path, source })?;
        if started_ticks(file.pid) == Some(file.pid_started_ticks) {
            Ok(file)
        } else {
            Err(RunFileError::Stale { data_dir: data_dir.to_owned(), pid: file.pid })
        }
    }
}

/// Random bytes of the kernel, in hexadecimal. (The crypto library's own generator needs a tenth of a second to begin.)
pub(crate) fn random_hex<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// When a process started, field 22 of `/proc/PID/stat`; none if there is no such process, or it is dead and unburied.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name, may hold spaces and ends with the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("nightdesk-run-file-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn example() -> RunFile {
        let addresses = BTreeMap::from([("api".to_owned(), "http://127.0.0.1:8080".to_owned())]);
        RunFile::of_this_process(Timestamp(0), addresses, &Secret::new("t0ken"))
    }

    #[test]
    fn a_running_process_is_found_and_only_its_user_may_read_the_token() {
        use std::os::unix::fs::PermissionsExt;
        let dir = data_dir("found");
        example().write(&dir).unwrap();
        example().write(&dir).unwrap();
        let found = RunFile::read(&dir).unwrap();
        assert_eq!(found.addresses["api"], "http://127.0.0.1:8080");
        assert_eq!(found.token, "t0ken");
        assert!(!format!("{found:?}").contains("t0ken"));
        assert_eq!(fs::metadata(dir.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing left beside it");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_process_that_is_gone_is_told_from_one_that_never_was() {
        let dir = data_dir("stale");
        assert!(matches!(RunFile::read(&dir), Err(RunFileError::NotRunning(_))));
        RunFile { pid_started_ticks: 1, ..example() }.write(&dir).unwrap();
        let error = RunFile::read(&dir).unwrap_err();
        assert!(matches!(error, RunFileError::Stale { .. }), "the id lives on in another process");
        assert_eq!(error.status(), Status::Unavailable);
        fs::write(dir.join(NAME), "{").unwrap();
        assert!(matches!(RunFile::read(&dir), Err(RunFileError::Damaged { .. })));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (a, b) = (RunFile::new_token().unwrap(), RunFile::new_token().unwrap());
        assert_eq!(a.expose().len(), 64);
        assert_ne!(a, b);
    }
}
