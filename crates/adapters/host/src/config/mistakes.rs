//! Mistakes: what validators say, what is found in the text, and the list handed out.

use std::fmt;
use std::ops::Range;

/// A problem as a validator states it: by path, without knowing the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key to change, such as `strategies[0].fast`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at a path.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A mistake found at a byte range of the text.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) span: Range<usize>,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Found {
    pub(super) fn whole_file(message: String, hint: &str) -> Self {
        Self { span: 0..0, path: String::new(), message, hint: Some(hint.to_owned()) }
    }
}

/// A mistake and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters concerned, on that line.
    #[serde(skip)]
    pub width: usize,
    /// The key, such as `strategies[0].fast`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Every mistake in a configuration file, in the order of the file.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    file: String,
    pub(super) text: String,
    problems: Vec<Mistake>,
}

impl ConfigErrors {
    pub(super) fn new(file: &str, text: &str, mut found: Vec<Found>) -> Self {
        found.sort_by_key(|mistake| mistake.span.start);
        let problems = found.into_iter().map(|mistake| placed(text, mistake)).collect();
        Self { file: file.to_owned(), text: text.to_owned(), problems }
    }

    /// The file's name as given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The mistakes, in the order of the file; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Mistake] {
        &self.problems
    }

    /// As JSON, for `--json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "file": self.file, "problems": self.problems })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{}: {count} mistake{}", self.file, if count == 1 { "" } else { "s" })?;
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{}:{} {}", if i == 0 { ": " } else { "; " }, problem.line, problem.column, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Turns a byte range into line, column and width.
fn placed(text: &str, found: Found) -> Mistake {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(found.span.start), floor(found.span.end));
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let width = text[start..end.clamp(start, line_end)].trim_end().chars().count();
    Mistake {
        line: text[..start].matches('\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
        width: width.max(1),
        path: found.path,
        message: found.message,
        hint: found.hint,
    }
}
