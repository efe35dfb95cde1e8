//! Listen keys: Binance removed them on 2026-02-20, but many clients still begin with `POST /api/v3/userDataStream`.

use std::collections::BTreeMap;

use nightdesk_matching::AccountId;
use nightdesk_units::{Micros, Timestamp};

use crate::error::ApiError;

/// How long a key lives without a ping.
const LIFE: Micros = Micros::from_secs(3_600);

/// The keys that are alive.
#[derive(Debug, Default)]
pub(crate) struct ListenKeys {
    keys: BTreeMap<String, (AccountId, Timestamp)>,
}

impl ListenKeys {
    /// The account's key, prolonged, or a new one.
    pub(crate) fn start(&mut self, account: AccountId, now: Timestamp) -> String {
        self.keys.retain(|_, (_, ends_at)| now < *ends_at);
        let found = self.keys.iter_mut().find(|(_, (of, _))| *of == account);
        if let Some((key, (_, ends_at))) = found {
            *ends_at = now + LIFE;
            return key.clone();
        }
        let key = random_key();
        self.keys.insert(key.clone(), (account, now + LIFE));
        key
    }

    /// Prolongs a key.
    pub(crate) fn ping(&mut self, key: &str, now: Timestamp) -> Result<(), ApiError> {
        match self.keys.get_mut(key) {
            Some((_, ends_at)) if now < *ends_at => {
                *ends_at = now + LIFE;
                Ok(())
            }
            _ => Err(unknown()),
        }
    }

    /// Ends a key.
    pub(crate) fn close(&mut self, key: &str) -> Result<(), ApiError> {
        self.keys.remove(key).map(drop).ok_or_else(unknown)
    }

    /// Whose key it is.
    pub(crate) fn account(&self, key: &str, now: Timestamp) -> Option<AccountId> {
        self.keys.get(key).filter(|(_, ends_at)| now < *ends_at).map(|(account, _)| *account)
    }
}

fn unknown() -> ApiError {
    ApiError::bad(-1125, "This listenKey does not exist.")
}

/// Sixty characters nobody can guess.
fn random_key() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
    let mut bytes = [0u8; 60];
    // The system's generator does not fail once it is seeded; a zero key would only be easy to guess.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_an_hour_from_its_last_ping() {
        let mut keys = ListenKeys::default();
        let at = |minutes: i64| Timestamp(minutes * 60_000_000);
        let key = keys.start(AccountId(1), at(0));
        assert_eq!((key.len(), keys.start(AccountId(1), at(1))), (60, key.clone()));
        keys.ping(&key, at(50)).unwrap();
        assert_eq!(keys.account(&key, at(109)), Some(AccountId(1)));
        assert_eq!(keys.account(&key, at(110)), None);
        assert_eq!(keys.ping(&key, at(110)).unwrap_err().code, -1125);
        assert_ne!(keys.start(AccountId(1), at(111)), key);
    }
}
