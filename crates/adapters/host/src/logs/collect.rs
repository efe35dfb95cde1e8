//! Collects an event's or a span's fields, with secrets taken out on the way in.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

use super::redact::{REDACTED, is_secret_name, scrub};

/// Fields in the order they were recorded.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) list: Vec<(&'static str, Value)>,
}

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.list.iter().position(|(n, _)| *n == name)?;
        Some(self.list.remove(at).1)
    }

    /// Adds what an outer span says, unless a nearer one has said it.
    pub(super) fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.list {
            if self.get(name).is_none() {
                self.list.push((name, value.clone()));
            }
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.list.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = value,
            None => self.list.push((name, value)),
        }
    }

    fn put_text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = scrub(text);
        } else if is_secret_name(field.name()) {
            self.put(field, REDACTED.into());
        } else {
            self.put(field, scrub(text).into());
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity; their names are better than nothing.
        let number = serde_json::Number::from_f64(value);
        self.put(field, number.map_or_else(|| value.to_string().into(), Value::Number));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.put_text(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, format!("{value:?}"));
    }
}
