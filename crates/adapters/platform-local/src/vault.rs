//! Secrets as bytes: the plain form, and sealed.
//!
//! Sealed: the line [`MAGIC`], 12 bytes of nonce, and the plain form encrypted with AES-256-GCM, the line authenticated with it.
//! Plain: for each secret, sorted by name, the length of the name (4 bytes, little endian), the name, the length of the value, the value.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use nightdesk_platform::Secret;

/// How a sealed file begins; the number is the format's version.
pub(crate) const MAGIC: &[u8] = b"nightdesk secrets 1\n";

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;

/// Secrets by name.
pub(crate) type Vault = BTreeMap<String, Secret>;

/// Seals a vault. `None` if the key has the wrong length.
pub(crate) fn seal(vault: &Vault, key: &Secret) -> Option<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).ok()?;
    // Encrypted where it stands, so that no plain copy is left in memory.
    let mut sealed = plain(vault);
    let nonce = key.seal_in_place_append_tag(Aad::from(MAGIC), &mut sealed).ok()?;
    Some([MAGIC, nonce.as_ref(), &sealed].concat())
}

/// Why a file is not a vault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It does not begin like one.
    Foreign,
    /// It is of a newer program.
    Newer,
    /// The key is another, or the file was changed. Which of the two cannot be told.
    WrongKeyOrDamaged,
}

/// Opens a sealed vault.
pub(crate) fn open(sealed: &[u8], key: &Secret) -> Result<Vault, NotOpened> {
    let Some(rest) = sealed.strip_prefix(MAGIC) else {
        let ours = sealed.starts_with(b"nightdesk secrets ");
        return Err(if ours { NotOpened::Newer } else { NotOpened::Foreign });
    };
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotOpened::WrongKeyOrDamaged)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| NotOpened::WrongKeyOrDamaged)?;
    let mut bytes = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key.open_in_place(nonce, Aad::from(MAGIC), &mut bytes).map(|plain| plain.len());
    // Wiped when dropped.
    let plain = Secret::new(bytes);
    let length = length.map_err(|_| NotOpened::WrongKeyOrDamaged)?;
    parse(plain.expose().get(..length).unwrap_or_default()).ok_or(NotOpened::WrongKeyOrDamaged)
}

fn plain(vault: &Vault) -> Vec<u8> {
    let length: usize = vault.iter().map(|(name, value)| 8 + name.len() + value.expose().len()).sum();
    // All the room at once, also for the tag: growing would leave copies behind.
    let mut bytes = Vec::with_capacity(length + AES_256_GCM.tag_len());
    for (name, value) in vault {
        for part in [name.as_bytes(), value.expose()] {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

fn parse(mut bytes: &[u8]) -> Option<Vault> {
    let mut vault = Vault::new();
    while !bytes.is_empty() {
        let (name, rest) = part(bytes)?;
        let (value, rest) = part(rest)?;
        vault.insert(String::from_utf8(name.to_vec()).ok()?, Secret::new(value));
        bytes = rest;
    }
    Some(vault)
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        let entries: [(&str, &[u8]); 3] = [("a", b"hunter2"), ("b", &[0, 255, 10]), ("empty", b"")];
        entries.map(|(name, value)| (name.to_owned(), Secret::new(value))).into()
    }

    fn key(byte: u8) -> Secret {
        Secret::new(vec![byte; KEY_LEN])
    }

    #[test]
    fn what_was_sealed_opens() {
        assert!(open(&seal(&vault(), &key(1)).unwrap(), &key(1)).unwrap() == vault());
        assert!(open(&seal(&Vault::new(), &key(1)).unwrap(), &key(1)).unwrap() == Vault::new());
    }

    #[test]
    fn neither_names_nor_values_show_and_no_two_seals_are_alike() {
        let (one, other) = (seal(&vault(), &key(1)).unwrap(), seal(&vault(), &key(1)).unwrap());
        assert_ne!(one[MAGIC.len()..MAGIC.len() + NONCE_LEN], other[MAGIC.len()..MAGIC.len() + NONCE_LEN]);
        for plain in [&b"hunter2"[..], b"empty"] {
            assert!(!one.windows(plain.len()).any(|window| window == plain));
        }
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_noticed() {
        let sealed = seal(&vault(), &key(1)).unwrap();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(open(&changed, &key(1)).is_err(), "byte {position}");
            assert!(open(&sealed[..position], &key(1)).is_err(), "cut at {position}");
        }
        assert_eq!(open(&sealed, &key(2)).err(), Some(NotOpened::WrongKeyOrDamaged));
    }

    #[test]
    fn other_files_are_told_apart() {
        assert_eq!(open(b"PK\x03\x04", &key(1)).err(), Some(NotOpened::Foreign));
        assert_eq!(open(b"nightdesk secrets 2\nwhatever", &key(1)).err(), Some(NotOpened::Newer));
    }
}
