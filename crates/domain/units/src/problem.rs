//! One mistake in a configuration, said so that it can be mended.

use std::fmt;

/// What is wrong with one setting, and how to mend it. Checks collect them all before anybody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the setting below the checked value, such as `strategies.123.max_position`.
    pub field: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// Puts the three together.
    pub fn new(field: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), hint: hint.into() }
    }

    /// The same problem seen from one level further out.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.message, self.hint)
    }
}
