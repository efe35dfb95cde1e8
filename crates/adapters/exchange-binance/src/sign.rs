//! API keys and signatures: HMAC-SHA256 as hexadecimal, Ed25519 as base64, over parameters that are already
//! percent-encoded. A key is never shown: its `Debug` is redacted and nothing here logs.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A key that cannot be used. The text never quotes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The API key has characters that no header may carry, or is empty.
    #[error("the API key is empty or has characters other than letters and digits")]
    ApiKey,
    /// The secret is empty.
    #[error("the API secret is empty")]
    Empty,
    /// The PEM text is not an Ed25519 private key in PKCS#8.
    #[error("the private key is not an Ed25519 key in PKCS#8 PEM (make one with: openssl genpkey -algorithm ed25519)")]
    Pem,
}

enum Secret {
    Hmac(hmac::Key),
    Ed25519(Ed25519KeyPair),
}

/// An API key with what it signs with.
pub struct ApiKey {
    id: String,
    secret: Secret,
}

impl ApiKey {
    /// A key that signs with a shared secret.
    ///
    /// # Errors
    /// `ApiKey` or `Empty`.
    pub fn hmac(id: &str, secret: &str) -> Result<Self, KeyError> {
        let secret = secret.trim();
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self { id: checked(id)?, secret: Secret::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())) })
    }

    /// A key that signs with an Ed25519 private key.
    ///
    /// # Errors
    /// `ApiKey` or `Pem`.
    pub fn ed25519(id: &str, pem: &str) -> Result<Self, KeyError> {
        let lines = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----").ok_or(KeyError::Pem)?;
        let (body, _) = lines.split_once("-----END PRIVATE KEY-----").ok_or(KeyError::Pem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Pem)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::Pem)?;
        Ok(Self { id: checked(id)?, secret: Secret::Ed25519(pair) })
    }

    /// Either kind: a secret that begins as PEM does is an Ed25519 private key, any other is a shared secret.
    ///
    /// # Errors
    /// As [`ApiKey::hmac`] and [`ApiKey::ed25519`].
    pub fn from_secret(id: &str, secret: &str) -> Result<Self, KeyError> {
        if secret.trim_start().starts_with("-----BEGIN") { Self::ed25519(id, secret) } else { Self::hmac(id, secret) }
    }

    /// The public half, for the request header.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// True for a key that may log on to the WebSocket API.
    pub(crate) fn can_log_on(&self) -> bool {
        matches!(self.secret, Secret::Ed25519(_))
    }

    /// The signature of `text`, not yet percent-encoded.
    pub(crate) fn sign(&self, text: &str) -> String {
        match &self.secret {
            Secret::Hmac(key) => {
                let tag = hmac::sign(key, text.as_bytes());
                tag.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
                    for digit in [byte >> 4, byte & 15] {
                        hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
                    }
                    hex
                })
            }
            Secret::Ed25519(pair) => STANDARD.encode(pair.sign(text.as_bytes())),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

fn checked(id: &str) -> Result<String, KeyError> {
    let id = id.trim();
    let good = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if good { Ok(id.to_owned()) } else { Err(KeyError::ApiKey) }
}

/// Parameters of one request, percent-encoded as they are added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(String);

impl Params {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds one parameter; `name` is our own and needs no encoding.
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        encode(&value.to_string(), &mut self.0);
        self
    }

    /// Adds the signature over everything added so far.
    pub(crate) fn signed(self, key: &ApiKey) -> Self {
        let signature = key.sign(&self.0);
        self.with("signature", signature)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// Key, parameters and signature of Binance's own documentation.
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    /// A fresh Ed25519 key as `openssl genpkey -algorithm ed25519` writes it.
    fn pem() -> String {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        format!("{begin}\n{}\n{end}\n", STANDARD.encode(pkcs8.as_ref()))
    }

    #[test]
    fn hmac_signs_as_the_exchange_documents() {
        let params = Params::new()
            .with("symbol", "LTCBTC")
            .with("side", "BUY")
            .with("type", "LIMIT")
            .with("timeInForce", "GTC")
            .with("quantity", 1)
            .with("price", "0.1")
            .with("recvWindow", 5_000)
            .with("timestamp", 1_499_827_319_559_i64);
        let key = ApiKey::hmac("k", SECRET).unwrap();
        let expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert!(params.signed(&key).as_str().ends_with(&format!("&signature={expected}")));
    }

    #[test]
    fn parameters_are_encoded_before_they_are_signed() {
        let key = ApiKey::hmac("k", "s").unwrap();
        let params = Params::new().with("symbols", "[\"BTCUSDT\"]").with("x", "a/b+ü");
        assert_eq!(params.as_str(), "symbols=%5B%22BTCUSDT%22%5D&x=a%2Fb%2B%C3%BC");
        let signature = key.sign(params.as_str());
        assert!(params.signed(&key).as_str().ends_with(&signature));
    }

    #[test]
    fn an_ed25519_signature_verifies_and_is_encoded_for_the_query() {
        let key = ApiKey::from_secret("k", &pem()).unwrap();
        let Secret::Ed25519(pair) = &key.secret else { panic!("an Ed25519 key") };
        let public = aws_lc_rs::signature::KeyPair::public_key(pair);
        let signature = STANDARD.decode(key.sign("timestamp=1")).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(b"timestamp=1", &signature).unwrap();
        let query = Params::new().with("timestamp", 1).signed(&key);
        assert!(!query.as_str().contains(['+', '/']) && query.as_str().ends_with("%3D%3D"));
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = ApiKey::hmac("public-half", SECRET).unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(redacted)");
        for bad in ["", "a\r\nb", "a b"] {
            assert_eq!(ApiKey::hmac(bad, SECRET).unwrap_err(), KeyError::ApiKey);
        }
        assert_eq!(ApiKey::hmac("k", " ").unwrap_err(), KeyError::Empty);
        let truncated = pem().replace("MC4", "");
        for bad in [truncated.as_str(), "-----BEGIN EC PARAMETERS-----"] {
            assert_eq!(ApiKey::from_secret("k", bad).unwrap_err(), KeyError::Pem);
        }
    }
}
