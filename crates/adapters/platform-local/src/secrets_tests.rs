use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use futures_util::FutureExt;
use nightdesk_platform::contract::SecretsHarness;

use super::*;
use crate::file::tests::Folder;

impl SecretsHarness for Folder {
    fn open(&self) -> Arc<dyn Secrets> {
        Arc::new(open(self).unwrap())
    }

    fn set(&self, name: &str, value: &[u8]) {
        open(self).unwrap().set(name, &Secret::new(value)).unwrap();
    }

    fn remove(&self, name: &str) {
        open(self).unwrap().remove(name).unwrap();
    }
}

/// Files are read at once, so one poll is an executor.
fn check(case: impl for<'a> FnOnce(&'a dyn SecretsHarness) -> BoxFuture<'a, ()>) {
    case(&Folder::new()).now_or_never().unwrap();
}

nightdesk_platform::secrets_contract_tests!(check);

fn open(folder: &Folder) -> Result<SecretsFile, PlatformError> {
    SecretsFile::open_with_key(&folder.0, &folder.0.join("secrets.key"))
}

fn refused(folder: &Folder, words: &str) {
    let error = open(folder).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn nothing_is_made_before_a_secret_is_set() {
    let folder = Folder::new();
    let secrets = open(&folder).unwrap();
    assert_eq!(secrets.list(), Ok(vec![]));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn names_are_listed_in_order_and_both_files_are_private() {
    let folder = Folder::new();
    folder.set("b", b"hunter2");
    folder.set("a", b"hunter2");
    assert_eq!(open(&folder).unwrap().list(), Ok(vec!["a".to_owned(), "b".to_owned()]));
    for file in ["secrets.key", "secrets.sealed"] {
        assert_eq!(fs::metadata(folder.0.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn files_that_others_may_read_are_refused() {
    for file in ["secrets.key", "secrets.sealed"] {
        let folder = Folder::new();
        folder.set("a", b"hunter2");
        let path = folder.0.join(file);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        refused(&folder, &format!("(mode 0644): run chmod 600 {}", path.display()));
    }
}

#[test]
fn a_lost_key_is_told_and_not_replaced() {
    let folder = Folder::new();
    folder.set("a", b"hunter2");
    let secrets = open(&folder).unwrap();
    fs::remove_file(folder.0.join("secrets.key")).unwrap();
    refused(&folder, "is missing: restore it or name it by NIGHTDESK_KEY_FILE");
    assert!(secrets.set("b", &Secret::new("x")).is_err());
    assert!(!folder.0.join("secrets.key").exists());
}

#[test]
fn a_wrong_key_a_bad_key_and_a_damaged_file_are_told() {
    let folder = Folder::new();
    folder.set("a", b"hunter2");
    let (key, sealed) = (folder.0.join("secrets.key"), folder.0.join("secrets.sealed"));
    let right = fs::read(&key).unwrap();
    fs::write(&key, "0".repeat(64)).unwrap();
    refused(&folder, "does not open with the key");
    fs::write(&key, "hunter2").unwrap();
    refused(&folder, "does not hold a key");
    fs::write(&key, right).unwrap();
    let whole = fs::read(&sealed).unwrap();
    fs::write(&sealed, &whole[..whole.len() - 1]).unwrap();
    refused(&folder, "the file is damaged");
    fs::write(&sealed, "hunter2").unwrap();
    refused(&folder, "not a file of sealed secrets");
    fs::write(&sealed, whole).unwrap();
    assert_eq!(open(&folder).unwrap().list(), Ok(vec!["a".to_owned()]));
}

#[test]
fn a_key_elsewhere_is_used_and_made_there() {
    let (folder, volume) = (Folder::new(), Folder::new());
    let key = volume.0.join("key");
    let secrets = SecretsFile::open_with_key(&folder.0, &key).unwrap();
    secrets.set("a", &Secret::new("x")).unwrap();
    assert!(key.exists() && !folder.0.join("secrets.key").exists());
}

#[test]
fn a_bad_name_is_refused_without_repeating_it() {
    let folder = Folder::new();
    let secrets = open(&folder).unwrap();
    for name in ["", "hunter2 is my password", "hunter2/..", &"x".repeat(65)] {
        let error = secrets.set(name, &Secret::new("x")).unwrap_err().to_string();
        assert!(error.contains("letters, digits") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn removing_what_is_not_there_is_told() {
    let error = open(&Folder::new()).unwrap().remove("a").unwrap_err();
    assert!(matches!(error, PlatformError::NoSecret { .. }), "{error}");
}

#[test]
fn secrets_set_at_the_same_time_are_all_kept() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let folder = &folder;
            scope.spawn(move || folder.set(&format!("s{n}"), b"x"));
        }
    });
    assert_eq!(open(&folder).unwrap().list().unwrap().len(), 8);
}
