//! Files that only we may read, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nightdesk_platform::PlatformError;

/// An error at `path`, in the port's words.
pub(crate) fn at(path: &Path, action: &str, error: &io::Error) -> PlatformError {
    PlatformError::Unavailable { place: path.display().to_string(), detail: format!("cannot {action} it: {error}") }
}

/// Makes a directory that only we may enter, and those above it.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens for reading and writing a file that only we may read, making it if it is not there.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Refuses a file that others may read or write.
///
/// # Errors
/// Names the file, its mode and the remedy.
pub(crate) fn check_private(path: &Path, file: &File) -> Result<(), PlatformError> {
    let mode = file.metadata().map_err(|error| at(path, "inspect", &error))?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let place = path.display().to_string();
    let detail = format!("others may read or write it (mode {mode:04o}): run chmod 600 {place}");
    Err(PlatformError::Unavailable { place, detail })
}

/// Reads a file that only we may read; `None` when there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, PlatformError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path, "open", &error)),
    };
    check_private(path, &file)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut &file, &mut bytes).map_err(|error| at(path, "read", &error))?;
    Ok(Some(bytes))
}

/// Replaces a file whole: whoever reads it sees the old or the new one, also after a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    // Of one left behind by a crash the mode could be another.
    file.set_permissions(Permissions::from_mode(0o600))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(new, path));
    if written.is_err() {
        // Best effort: the next attempt overwrites it.
        let _ = fs::remove_file(new);
    }
    written?;
    sync_folder(path)
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A folder of its own for each test, removed with it.
    pub(crate) struct Folder(pub(crate) PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("nightdesk-platform-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_replaced_file_is_private_whole_and_alone() {
        let folder = Folder::new();
        let path = folder.0.join("file");
        fs::write(&path, "old").unwrap();
        fs::write(folder.0.join("file.new"), "left behind by a crash, and longer").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(read_private(&path), Ok(Some(b"new".to_vec())));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        let folder = Folder::new();
        let path = folder.0.join("file");
        replace(&path, b"new").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o677] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = read_private(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("(mode {mode:04o}): run chmod 600 {}", path.display())), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(read_private(&path).is_ok());
    }
}
