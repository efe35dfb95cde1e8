use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use super::*;

/// The secret of Binance's documentation examples.
const DOC_SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const DOC_QUERY: &str =
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";

fn key(secret: KeySecret) -> ApiKey {
    ApiKey { account: AccountId(1), secret }
}

#[test]
fn the_documented_hmac_examples_verify() {
    let key = key(KeySecret::Hmac(DOC_SECRET.to_owned()));
    let query = format!("{DOC_QUERY}&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    let (first, second) = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
        "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
    );
    let mixed = format!("{second}&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77");
    for (query, body) in [(query.as_str(), ""), ("", query.as_str()), (first, mixed.as_str())] {
        let (payload, signature) = rest_payload(query, body);
        key.verify(&payload, signature.unwrap()).unwrap();
    }
    let (payload, signature) = rest_payload(DOC_QUERY, "");
    assert_eq!((payload.as_str(), signature), (DOC_QUERY, None));
    assert_eq!(key.verify(&payload, "c8db").unwrap_err().code, -1022);
}

#[test]
fn the_documented_websocket_example_verifies() {
    let payload = "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&newOrderRespType=ACK&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT";
    key(KeySecret::Hmac(DOC_SECRET.to_owned()))
        .verify(payload, "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a")
        .unwrap();
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| (w << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63]));
        }
        out.push_str(&"==="[..3 - chunk.len()]);
    }
    out
}

#[test]
fn ed25519_signatures_verify_and_a_changed_payload_does_not() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der = [&SPKI_PREFIX, pair.public_key().as_ref()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der));
    let public = ed25519_public_key(&pem).unwrap();
    let key = key(KeySecret::Ed25519(public));
    let signature = base64(pair.sign(DOC_QUERY.as_bytes()).as_ref());
    key.verify(DOC_QUERY, &signature).unwrap();
    assert_eq!(key.verify("symbol=BTCUSDT", &signature).unwrap_err().code, -1022);
}

#[test]
fn key_specifications_parse_or_say_what_they_want() {
    let spec: KeySpec = "abc:def".parse().unwrap();
    assert_eq!((spec.key.as_str(), spec.account.as_str()), ("abc", "main"));
    assert_eq!("abc:def@second".parse::<KeySpec>().unwrap().account, "second");
    for (bad, says) in [
        ("abc", "KEY:SECRET"),
        (":x", "KEY:SECRET"),
        ("a b:x", "letters, digits"),
        ("abc:ed25519:/does/not/exist.pem", "cannot read the public key /does/not/exist.pem"),
        ("abc:ed25519:/dev/null", "holds no Ed25519 public key"),
    ] {
        let error = bad.parse::<KeySpec>().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn missing_and_unknown_keys_are_told_apart() {
    let mut ring = Keyring::default();
    ring.add(&"abc:def".parse().unwrap(), AccountId(1));
    assert_eq!(ring.find("").unwrap_err().code, -2014);
    assert_eq!(ring.find("nope").unwrap_err().code, -2015);
    assert_eq!(ring.find("abc").unwrap().account, AccountId(1));
}
