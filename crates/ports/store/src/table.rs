//! Tables described by data.

use serde::{Deserialize, Serialize};

/// A column's type: decimals, enums, names and JSON are text; microseconds, sequences and flags are integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TEXT NOT NULL.
    Text,
    /// BIGINT NOT NULL.
    Int,
    /// TEXT or null.
    OptText,
    /// BIGINT or null.
    OptInt,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
}

/// A projection's shape. The first `key` columns are its primary key.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, key first.
    pub columns: &'static [Column],
    /// How many of them are the key.
    pub key: usize,
    /// Columns with an index of their own, each alone.
    pub indexes: &'static [&'static str],
}

/// A service's tables and the version of their shape. A change of shape is a new version with the statements that lead
/// to it from the one before (expand first, contract a release later).
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The service.
    pub service: &'static str,
    /// The version, from 1.
    pub version: u32,
    /// The tables as they are in `version`.
    pub tables: &'static [&'static Table],
    /// SQL that leads from version `i + 1` to `i + 2`.
    pub migrations: &'static [&'static str],
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// No value.
    Null,
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Int(_) => None,
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::Null | Self::Text(_) => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of a table, one value per column.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The table.
    pub table: &'static Table,
    /// Its values.
    pub values: Vec<Value>,
}

impl Row {
    /// The values of the key.
    #[must_use]
    pub fn key(&self) -> &[Value] {
        &self.values[..self.table.key.min(self.values.len())]
    }
}
