//! Strategy parameters: a table of names and scalars, read so that every mistake is found at once.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use nightdesk_units::Problem;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A parameter's value as it was written: text, a number or a boolean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ParamValue(pub String);

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = ParamValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number or a boolean")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ParamValue, E> {
                Ok(text.into())
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<ParamValue, E> {
                Ok(ParamValue(value.to_string()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ParamValue, E> {
                Ok(ParamValue(value.to_string()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ParamValue, E> {
                Ok(ParamValue(value.to_string()))
            }
            /// A float's shortest text is what was written, up to 15 digits; it is read as an exact decimal from there.
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<ParamValue, E> {
                Ok(ParamValue(value.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// A strategy's parameters as the configuration has them.
pub type ParamTable = BTreeMap<String, ParamValue>;

/// One parameter, documented: for `config schema`, `config example` and error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamDoc {
    /// Its name.
    pub name: &'static str,
    /// What it is used for when absent; `None` when it must be given.
    pub default: Option<&'static str>,
    /// An example.
    pub example: &'static str,
    /// What it means, with its unit and range.
    pub doc: &'static str,
}

/// Takes parameters out of a table and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    table: &'a ParamTable,
    docs: &'static [ParamDoc],
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a ParamTable, docs: &'static [ParamDoc]) -> Self {
        let mut problems = Vec::new();
        for name in table.keys().filter(|name| docs.iter().all(|doc| doc.name != name.as_str())) {
            let known: Vec<&str> = docs.iter().map(|doc| doc.name).collect();
            problems.push(Problem::new(name, "unknown parameter", format!("known are {}", known.join(", "))));
        }
        Self { table, docs, problems }
    }

    /// A parameter that must be given.
    pub(crate) fn required<T: FromStr>(&mut self, name: &str) -> Option<T> {
        if !self.table.contains_key(name) {
            self.problem(name, "missing");
        }
        self.optional(name)
    }

    /// A parameter that may be absent.
    pub(crate) fn optional<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.table.get(name)?;
        let value = text.0.parse().ok();
        if value.is_none() {
            self.problem(name, format!("cannot read {:?}", text.0));
        }
        value
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Adds a problem unless the value is absent (that has been said) or good.
    pub(crate) fn check<T: fmt::Display>(&mut self, name: &str, value: Option<&T>, good: impl Fn(&T) -> bool) {
        if let Some(value) = value.filter(|value| !good(value)) {
            self.problem(name, format!("{value} is out of range"));
        }
    }

    /// Adds a problem; its documentation is the hint.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        let doc = self.docs.iter().find(|doc| doc.name == name);
        let hint = doc.map_or_else(String::new, |doc| format!("{}; for example {}", doc.doc, doc.example));
        self.problems.push(Problem::new(name, message, hint));
    }

    /// The parameters, if nothing was wrong.
    pub(crate) fn finish<P>(self, params: Option<P>) -> Result<P, Vec<Problem>> {
        match params {
            Some(params) if self.problems.is_empty() => Ok(params),
            _ => Err(self.problems),
        }
    }
}
