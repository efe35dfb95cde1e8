//! Configuration: TOML in, typed values out, and every mistake at once with its place and a hint.
//!
//! The document is walked against the JSON Schema of the target type, which finds unknown keys, missing keys, wrong
//! types, unknown names and values out of range all together; then it is deserialized; then the type's own [`Validate`]
//! finds what no schema can say. The structures themselves belong to the application.

mod check;
mod document;
mod example;
mod mistakes;
mod nearest;
mod render;
mod schema;

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::document::Document;
pub use self::example::example;
use self::mistakes::Found;
pub use self::mistakes::{ConfigErrors, Mistake, Problem};
pub use self::nearest::nearest;
use crate::logs::is_secret_name;

/// Finds what no schema can say, such as a fast average slower than the slow one.
pub trait Validate {
    /// All problems, each with the path of the key to change. None when the configuration makes sense.
    fn problems(&self) -> Vec<Problem>;
}

/// Reads a configuration from text; `file` is the name used in messages.
///
/// # Errors
/// All mistakes found, in the order of the file.
pub fn load<T: DeserializeOwned + JsonSchema + Validate>(text: &str, file: &str) -> Result<T, ConfigErrors> {
    let (mut document, mut found) = Document::parse(text);
    let complete = found.is_empty();
    let schema = schema::<T>();
    let unknown = check::walk(&document, &schema, complete, &mut found);
    // With its misspelt keys put right the document may still be read, and then the type's own checks join the list.
    document.repair(&unknown);
    match document.deserialize::<T>() {
        Ok(config) => {
            found.extend(config.problems().into_iter().map(|problem| document.locate(problem)));
            if found.is_empty() {
                return Ok(config);
            }
        }
        // Otherwise the schema has said it already, and better.
        Err(mistake) if found.is_empty() => found.push(mistake),
        Err(_) => {}
    }
    Err(ConfigErrors::new(file, text, found))
}

/// Reads a configuration from a file.
///
/// # Errors
/// All mistakes found, or the one that the file cannot be read.
pub fn load_file<T: DeserializeOwned + JsonSchema + Validate>(path: &Path) -> Result<T, ConfigErrors> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => load(&text, &file),
        Err(e) => {
            let hint = match e.kind() {
                std::io::ErrorKind::NotFound => "write one with `nightdesk config example`, or name another file",
                std::io::ErrorKind::PermissionDenied => "let the user who runs this read it",
                _ => "it must be a UTF-8 text file",
            };
            Err(ConfigErrors::new(&file, "", vec![Found::whole_file(format!("cannot be read: {e}"), hint)]))
        }
    }
}

/// The JSON Schema of a configuration.
#[must_use]
pub fn schema<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}

/// The effective configuration as JSON for the log, values of keys named like secrets taken out.
#[must_use]
pub fn effective<T: Serialize>(config: &T) -> serde_json::Value {
    let mut value = serde_json::to_value(config).unwrap_or_default();
    hide_secrets(&mut value);
    value
}

/// A short hash of the effective configuration: two processes with the same one run the same configuration.
#[must_use]
pub fn fingerprint<T: Serialize>(config: &T) -> String {
    // Maps in `Value` are sorted, so the text is canonical.
    let text = serde_json::to_value(config).unwrap_or_default().to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn hide_secrets(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                // A reference such as `api_key_name = "binance"` is hidden as well: better one too many.
                if member.is_string() && is_secret_name(name) {
                    *member = "[redacted]".into();
                } else {
                    hide_secrets(member);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
