//! Keeps secrets out of log lines, by field name and by shape. The last net, not the first: code should not log them.

/// Stands in for a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// Words that make a field's name a secret's.
const SECRET_WORDS: [&str; 14] = [
    "key",
    "apikey",
    "secret",
    "token",
    "signature",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "bearer",
    "private",
];

/// Whether a field of this name would hold a secret: one of its words says so (`api_key`, `x-mbx-apikey`, `listenKey`).
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    words(name).any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// The lowercase words of `snake_case`, `kebab-case`, `dotted.names` and `camelCase`.
fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(['_', '-', '.', ' ']).flat_map(|part| {
        let mut found = Vec::new();
        let mut word = String::new();
        let mut last_lower = false;
        for c in part.chars() {
            if c.is_uppercase() && last_lower {
                found.push(std::mem::take(&mut word));
            }
            last_lower = c.is_lowercase();
            word.extend(c.to_lowercase());
        }
        found.push(word);
        found
    })
}

/// Takes secrets out of running text: `signature=…` and the like in URLs and headers, `Bearer …`, `user:password@`.
#[must_use]
pub fn scrub(text: String) -> String {
    let suspicious = text.contains('=') || text.contains("earer ") || text.contains("://");
    if !suspicious {
        return text;
    }
    let text = scrub_bearer(&text);
    let text = scrub_user_info(&text);
    scrub_pairs(&text)
}

fn is_value_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '&' | '"' | '\'' | ',' | ';' | ')' | '}' | ']')
}

/// `NAME=VALUE` with a secret's name loses its value.
fn scrub_pairs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.push_str(before);
        out.push('=');
        rest = after;
        let name_start = before.rfind(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)));
        let name = name_start.map_or(before, |i| before[i..].trim_start_matches(|c: char| !c.is_alphanumeric()));
        if is_secret_name(name) && !after.starts_with(REDACTED) {
            out.push_str(REDACTED);
            let quoted = after.strip_prefix('"');
            let end = match quoted {
                Some(inner) => inner.find('"').map(|i| i + 2),
                None => after.find(is_value_end),
            };
            rest = &after[end.unwrap_or(after.len())..];
        }
    }
    out.push_str(rest);
    out
}

/// `Bearer VALUE` loses its value.
fn scrub_bearer(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("earer ") {
        let value_at = at + "earer ".len();
        out.push_str(&rest[..value_at]);
        out.push_str(REDACTED);
        rest = &rest[value_at..];
        rest = &rest[rest.find(is_value_end).unwrap_or(rest.len())..];
    }
    out.push_str(rest);
    out
}

/// `scheme://user:password@host` loses its password.
fn scrub_user_info(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let start = at + 3;
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let authority = &rest[..rest.find(|c: char| c == '/' || c == '?' || is_value_end(c)).unwrap_or(rest.len())];
        if let Some(host_at) = authority.rfind('@')
            && let Some(colon) = authority[..host_at].find(':')
        {
            out.push_str(&authority[..=colon]);
            out.push_str(REDACTED);
            rest = &rest[host_at..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_named_like_secrets_are_known() {
        for name in ["api_key", "binance.apiKey", "X-MBX-APIKEY", "secret", "listenKey", "db.password", "signature"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["order.id", "monkey", "keys_seen", "tokens", "symbol", "secretary"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_in_running_text_are_taken_out() {
        let cases = [
            ("GET /api?symbol=X&signature=ab12&y=1", "GET /api?symbol=X&signature=[redacted]&y=1"),
            ("sent Authorization: Bearer abc.def now", "sent Authorization: Bearer [redacted] now"),
            ("amqp://bob:hunter2@mq:5672/x is gone", "amqp://bob:[redacted]@mq:5672/x is gone"),
            ("password=\"a b\" host=db", "password=[redacted] host=db"),
            ("postgres://host/db?password=p", "postgres://host/db?password=[redacted]"),
            ("fill 1 = 2", "fill 1 = 2"),
            ("quantity=1 price=2", "quantity=1 price=2"),
            ("no secrets: https://example.com/a@b", "no secrets: https://example.com/a@b"),
        ];
        for (text, clean) in cases {
            assert_eq!(scrub(text.to_owned()), clean);
        }
    }
}
