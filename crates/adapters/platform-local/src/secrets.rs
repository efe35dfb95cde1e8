//! Secrets in an encrypted file.
//!
//! `DATA_DIR/secrets.sealed` is encrypted with AES-256-GCM by AWS-LC, which we carry anyway for TLS and signing. (The `age`
//! format would bring some 80 more crates.) The key is a file apart, so that a copy of the data directory's backup without it
//! tells nothing: by default `DATA_DIR/secrets.key`, better on another volume, named by `NIGHTDESK_KEY_FILE`.
//! Both must be readable by us alone.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use futures_util::future::{BoxFuture, ready};
use nightdesk_env::Entropy;
use nightdesk_platform::{PlatformError, Secret, Secrets};

use crate::entropy::OsEntropy;
use crate::file::{at, check_private, make_folder, read_private, replace, sync_folder};
use crate::vault::{self, KEY_LEN, NotOpened, Vault};

/// The environment variable that names the key file.
pub const KEY_FILE_VARIABLE: &str = "NIGHTDESK_KEY_FILE";

/// Longest name of a secret.
const NAME_MAX: usize = 64;

/// Secrets in an encrypted file. Each call reads the file, so that a secret set by another process counts at once.
#[derive(Debug, Clone)]
pub struct SecretsFile {
    sealed: PathBuf,
    key: PathBuf,
}

impl SecretsFile {
    /// The secrets of a data directory; the key file is the one `NIGHTDESK_KEY_FILE` names, else `secrets.key` beside them.
    /// Nothing is made before a secret is set.
    ///
    /// # Errors
    /// When what is there cannot be used: files that others may read, a missing or wrong key, a damaged file.
    pub fn open(folder: &Path) -> Result<Self, PlatformError> {
        let named = std::env::var_os(KEY_FILE_VARIABLE).filter(|path| !path.is_empty());
        Self::open_with_key(folder, &named.map_or_else(|| folder.join("secrets.key"), PathBuf::from))
    }

    /// The same with a key file of the caller's choice.
    ///
    /// # Errors
    /// As [`SecretsFile::open`].
    pub fn open_with_key(folder: &Path, key: &Path) -> Result<Self, PlatformError> {
        let secrets = Self { sealed: folder.join("secrets.sealed"), key: key.to_owned() };
        secrets.read()?;
        Ok(secrets)
    }

    /// The names of all secrets, sorted.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn list(&self) -> Result<Vec<String>, PlatformError> {
        Ok(self.read()?.into_keys().collect())
    }

    /// Sets or replaces a secret; durable when it returns. Makes the key file if there is no secret yet.
    ///
    /// # Errors
    /// When the name is not usable or the files cannot be written; the secrets are then as they were.
    pub fn set(&self, name: &str, value: &Secret) -> Result<(), PlatformError> {
        check_name(name)?;
        self.change(|vault| {
            vault.insert(name.to_owned(), value.clone());
            Ok(())
        })
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// When there is none of that name or the files cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), PlatformError> {
        self.change(|vault| match vault.remove(name) {
            Some(_) => Ok(()),
            None => Err(no_secret(name, "nothing was removed; nightdesk secrets list shows the names")),
        })
    }

    fn read(&self) -> Result<Vault, PlatformError> {
        match (read_private(&self.sealed)?, self.read_key()?) {
            (None, _) => Ok(Vault::new()),
            (Some(sealed), Some(key)) => vault::open(&sealed, &key).map_err(|why| self.not_opened(&why)),
            (Some(_), None) => {
                let (sealed, key) = (self.sealed.display(), self.key.display());
                let detail = format!(
                    "the key of {sealed} is missing: restore it or name it by {KEY_FILE_VARIABLE}; if it is lost, \
                     remove {sealed} and set the secrets again"
                );
                Err(PlatformError::Unavailable { place: key.to_string(), detail })
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vault) -> Result<(), PlatformError>) -> Result<(), PlatformError> {
        let folder = self.sealed.parent().unwrap_or(Path::new("."));
        make_folder(folder).map_err(|error| at(folder, "make", &error))?;
        // Before a key is made: a lost key must be told, not replaced.
        self.read()?;
        // The key file is never replaced, so a lock on it serialises whoever changes secrets, in any process.
        let held = self.open_or_make_key()?;
        held.lock().map_err(|error| at(&self.key, "lock", &error))?;
        let mut vault = self.read()?;
        change(&mut vault)?;
        let unusable =
            || PlatformError::Unavailable { place: self.key.display().to_string(), detail: NO_KEY.to_owned() };
        let key = self.read_key()?.ok_or_else(unusable)?;
        let sealed = vault::seal(&vault, &key).ok_or_else(unusable)?;
        replace(&self.sealed, &sealed).map_err(|error| at(&self.sealed, "write", &error))
    }

    /// The key, or `None` when there is no file.
    fn read_key(&self) -> Result<Option<Secret>, PlatformError> {
        let Some(text) = read_private(&self.key)?.map(Secret::new) else { return Ok(None) };
        let key = parse_key(&text);
        key.map(Some).ok_or_else(|| PlatformError::Unavailable {
            place: self.key.display().to_string(),
            detail: NO_KEY.to_owned(),
        })
    }

    /// A key appears whole or not at all, and the first one made wins.
    fn open_or_make_key(&self) -> Result<File, PlatformError> {
        let failed = |action: &'static str| move |error| at(&self.key, action, &error);
        if !self.key.exists() {
            let mut name = self.key.as_os_str().to_owned();
            name.push(format!(".{:016x}", OsEntropy::new().next_u64()));
            let new = Path::new(&name);
            replace(new, new_key().expose()).map_err(failed("write"))?;
            let linked = fs::hard_link(new, &self.key);
            // Best effort: it holds a key that nothing is sealed with, or the one in use under its other name.
            let _ = fs::remove_file(new);
            match linked {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed("make")(error)),
                _ => sync_folder(&self.key).map_err(failed("make durable"))?,
            }
        }
        let file = File::open(&self.key).map_err(failed("open"))?;
        check_private(&self.key, &file)?;
        Ok(file)
    }

    fn not_opened(&self, why: &NotOpened) -> PlatformError {
        let key = self.key.display();
        let detail = match why {
            NotOpened::Foreign => "it is not a file of sealed secrets".to_owned(),
            NotOpened::Newer => "it was written by a newer version: use the newer program".to_owned(),
            NotOpened::WrongKeyOrDamaged => format!(
                "it does not open with the key {key}: the key is another one or the file is damaged; restore the right one, \
                 or remove the file and set the secrets again"
            ),
        };
        PlatformError::Unavailable { place: self.sealed.display().to_string(), detail }
    }
}

impl Secrets for SecretsFile {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Secret, PlatformError>> {
        let found = self.read().and_then(|mut vault| {
            vault.remove(name).ok_or_else(|| no_secret(name, &format!("set it with nightdesk secrets set {name}")))
        });
        Box::pin(ready(found))
    }
}

const NO_KEY: &str =
    "it does not hold a key (64 hexadecimal digits): restore it, or name the right one by NIGHTDESK_KEY_FILE";

fn no_secret(name: &str, remedy: &str) -> PlatformError {
    PlatformError::NoSecret { name: name.to_owned(), remedy: remedy.to_owned() }
}

/// Does not repeat the name: it may be a secret given in the wrong place.
fn check_name(name: &str) -> Result<(), PlatformError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(fits) {
        return Ok(());
    }
    let detail = format!("takes 1 to {NAME_MAX} letters, digits, dots, hyphens and underscores");
    Err(PlatformError::Unavailable { place: "the name of a secret".to_owned(), detail })
}

fn new_key() -> Secret {
    let mut key = [0; KEY_LEN];
    OsEntropy::new().fill(&mut key);
    let key = Secret::new(key);
    let mut text = Vec::with_capacity(2 * KEY_LEN + 1);
    for byte in key.expose() {
        for digit in [byte >> 4, byte & 0xF] {
            text.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
    text.push(b'\n');
    Secret::new(text)
}

fn parse_key(text: &Secret) -> Option<Secret> {
    let digits = text.expose().trim_ascii();
    if digits.len() != 2 * KEY_LEN {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut key = Vec::with_capacity(KEY_LEN);
    for pair in digits.chunks_exact(2) {
        key.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Some(Secret::new(key))
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
