//! Who is asking: API keys, and their signatures by HMAC-SHA256 or Ed25519.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_lc_rs::{hmac, signature};
use nightdesk_matching::AccountId;

use crate::error::ApiError;
use crate::text::hex_digit;

/// How a key's signatures are made.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySecret {
    /// HMAC-SHA256 with this shared secret, in hex.
    Hmac(String),
    /// Ed25519, in base64; this is the public key.
    Ed25519([u8; 32]),
}

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac(…)",
            Self::Ed25519(_) => "Ed25519(…)",
        })
    }
}

/// An API key and the account it opens. Several keys may open one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// The key, sent in `X-MBX-APIKEY`.
    pub key: String,
    /// What verifies its signatures.
    pub secret: KeySecret,
    /// The account's name.
    pub account: String,
}

/// The account of keys that name none.
pub const DEFAULT_ACCOUNT: &str = "main";

/// Text that describes no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of either form.
    #[error("a key is KEY:SECRET or KEY:ed25519:PUBLIC.pem, each optionally followed by @ACCOUNT")]
    Form,
    /// The key has characters that no header carries.
    #[error("an API key has letters, digits, '_' and '-' only")]
    Characters,
    /// The public key's file cannot be read.
    #[error("cannot read the public key {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file holds no Ed25519 public key.
    #[error(
        "{path} holds no Ed25519 public key in PEM (\"-----BEGIN PUBLIC KEY-----\"); make one with: \
             openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out public.pem"
    )]
    Pem {
        /// Which.
        path: PathBuf,
    },
}

impl std::str::FromStr for KeySpec {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let name =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let (text, account) = match text.rsplit_once('@') {
            Some((rest, account)) if name(account) => (rest, account),
            _ => (text, DEFAULT_ACCOUNT),
        };
        let (key, secret) = text.split_once(':').ok_or(KeyError::Form)?;
        if key.is_empty() || secret.is_empty() {
            return Err(KeyError::Form);
        }
        if !name(key) {
            return Err(KeyError::Characters);
        }
        let secret = match secret.strip_prefix("ed25519:") {
            Some(path) => {
                let path = PathBuf::from(path);
                let pem = std::fs::read_to_string(&path)
                    .map_err(|e| KeyError::File { path: path.clone(), reason: e.to_string() })?;
                KeySecret::Ed25519(ed25519_public_key(&pem).ok_or(KeyError::Pem { path })?)
            }
            None => KeySecret::Hmac(secret.to_owned()),
        };
        Ok(Self { key: key.to_owned(), secret, account: account.to_owned() })
    }
}

/// The DER that precedes the 32 bytes of an Ed25519 public key (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Reads the PEM form of an Ed25519 public key.
#[must_use]
pub fn ed25519_public_key(pem: &str) -> Option<[u8; 32]> {
    let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let der = base64_decode(&body.split_whitespace().collect::<String>())?;
    der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()
}

pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::with_capacity(text.len() * 3 / 4));
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(((bits >> count) & 0xff) as u8);
        }
    }
    Some(out)
}

fn hex_decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some((hex_digit(pair[0])? << 4) | hex_digit(pair[1])?)).collect()
}

/// A known key.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub(crate) account: AccountId,
    secret: KeySecret,
}

impl ApiKey {
    /// True for the key type that `session.logon` takes.
    pub(crate) fn is_ed25519(&self) -> bool {
        matches!(self.secret, KeySecret::Ed25519(_))
    }

    /// Checks the signature of `payload`.
    pub(crate) fn verify(&self, payload: &str, signature_text: &str) -> Result<(), ApiError> {
        let good = match &self.secret {
            KeySecret::Hmac(secret) => hex_decode(signature_text).is_some_and(|tag| {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hmac::verify(&key, payload.as_bytes(), &tag).is_ok()
            }),
            KeySecret::Ed25519(public) => base64_decode(signature_text).is_some_and(|tag| {
                let key = signature::UnparsedPublicKey::new(&signature::ED25519, public);
                key.verify(payload.as_bytes(), &tag).is_ok()
            }),
        };
        if good { Ok(()) } else { Err(ApiError::bad(-1022, "Signature for this request is not valid.")) }
    }
}

/// The keys the exchange knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring(BTreeMap<String, ApiKey>);

impl Keyring {
    /// Adds a key; the account has been numbered by the caller.
    pub(crate) fn add(&mut self, spec: &KeySpec, account: AccountId) {
        self.0.insert(spec.key.clone(), ApiKey { account, secret: spec.secret.clone() });
    }

    /// Finds a key.
    pub(crate) fn find(&self, key: &str) -> Result<&ApiKey, ApiError> {
        let good = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !good {
            return Err(ApiError::key_format());
        }
        self.0.get(key).ok_or_else(ApiError::key_rejected)
    }
}

/// What a REST request signs: the raw query and the raw body, one after the other, each without its `signature`. Gives
/// the signature too, still percent-encoded.
pub(crate) fn rest_payload<'a>(query: &'a str, body: &'a str) -> (String, Option<&'a str>) {
    let mut signature = None;
    let mut payload = String::with_capacity(query.len() + body.len());
    for part in [query, body] {
        let start = payload.len();
        for pair in part.split('&') {
            match pair.strip_prefix("signature=") {
                Some(value) => signature = Some(value),
                None => {
                    if payload.len() > start {
                        payload.push('&');
                    }
                    payload.push_str(pair);
                }
            }
        }
    }
    (payload, signature)
}

#[cfg(test)]
#[path = "auth_tests.rs"]
pub(crate) mod tests;
