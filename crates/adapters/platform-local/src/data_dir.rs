//! The data directory, for one process at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::file::{make_folder, open_private};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("{} is in use by {holder}: stop that one first, or choose another directory with --data-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// It cannot be made or written.
    #[error("cannot use the data directory {}", path.display())]
    Io {
        /// The directory or the file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A data directory that is ours until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The operating system's lock on this file is the lock; what is written in it is only for people.
    lock: File,
}

impl DataDir {
    /// Makes the directory if need be (for our eyes only) and takes it.
    ///
    /// # Errors
    /// When another process has it or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { path, source }
        };
        make_folder(path).map_err(failed(path))?;
        let name = path.join("lock");
        let mut lock = open_private(&name).map_err(failed(&name))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataDirError::InUse { path: path.to_owned(), holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&name)(error)),
        }
        // A full disk must not keep us from starting to cancel orders, and the words are only for people.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "process {}", std::process::id()));
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing would unlock it too, but not while a child that is just being started still has a copy of the handle.
        let _ = self.lock.unlock();
    }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.rewind().and_then(|()| lock.take(100).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), words) if !words.is_empty() => words.to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::file::tests::Folder;

    #[test]
    fn a_second_instance_is_refused_and_told_by_whom() {
        let folder = Folder::new();
        let first = DataDir::open(&folder.0).unwrap();
        let error = DataDir::open(&folder.0).unwrap_err();
        let expected = format!("{} is in use by process {}: stop", folder.0.display(), std::process::id());
        assert!(matches!(error, DataDirError::InUse { .. }) && error.to_string().starts_with(&expected), "{error}");
        drop(first);
        DataDir::open(&folder.0).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_by_a_dead_process_does_not_lock() {
        let folder = Folder::new();
        std::fs::write(folder.0.join("lock"), "process 1\nand a longer text").unwrap();
        let dir = DataDir::open(&folder.0).unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("lock")).unwrap(), format!("process {}\n", std::process::id()));
    }

    #[test]
    fn a_new_directory_is_for_our_eyes_only() {
        let folder = Folder::new();
        let dir = DataDir::open(&folder.0.join("a/b")).unwrap();
        assert_eq!(std::fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_not_a_directory_is_told() {
        let folder = Folder::new();
        let path = folder.0.join("file");
        std::fs::write(&path, "").unwrap();
        let error = DataDir::open(&path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot use the data directory {}", path.display())), "{error}");
    }
}
