//! A parsed TOML document that knows where each key stands.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::Unknown;
use super::mistakes::{Found, Problem};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The parsed text.
pub(super) struct Document<'t> {
    pub(super) root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Parses as much as can be parsed; with all syntax errors.
    pub(super) fn parse(text: &'t str) -> (Self, Vec<Found>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let found = errors.iter().map(|e| found(e, text, String::new())).collect();
        (Self { root }, found)
    }

    /// Reads the target type.
    pub(super) fn deserialize<T: DeserializeOwned>(&self) -> Result<T, Found> {
        let deserializer = toml::de::Deserializer::from(self.root.clone());
        T::deserialize(deserializer).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            found(&e, "", self.path_of(&span))
        })
    }

    /// Gives a validator's problem its place: the value at its path, or the deepest part of it that is written.
    pub(super) fn locate(&self, problem: Problem) -> Found {
        let steps = steps(&problem.path);
        let mut span = 0..0;
        if let Some(Step::Key(first)) = steps.first()
            && let Some(value) = self.root.get_ref().get(first.as_str())
        {
            span = deepest(value, &steps[1..]);
        }
        Found { span, path: problem.path, message: problem.message, hint: problem.hint }
    }

    /// Gives unknown keys the names that were meant, and removes those that mean nothing.
    pub(super) fn repair(&mut self, unknown: &[Unknown]) {
        // The deepest first: the paths name tables as they are written.
        for Unknown { path, meant } in unknown.iter().rev() {
            let Some((Step::Key(last), parents)) = path.split_last() else { continue };
            let Some(table) = table_at(self.root.get_mut(), parents) else { continue };
            if let (Some((key, value)), Some(meant)) = (table.remove_entry(last.as_str()), meant) {
                let key = Spanned::new(key.span(), meant.clone().into());
                table.entry(key).or_insert(value);
            }
        }
    }

    /// The path of the innermost value around a byte range.
    fn path_of(&self, span: &Range<usize>) -> String {
        let mut path = String::new();
        let mut table = Some(self.root.get_ref());
        while let Some(members) = table.take() {
            for (key, value) in members {
                if key.span() == *span || encloses(value, span) {
                    push(&mut path, key.get_ref());
                    table = value.get_ref().as_table();
                    if let DeValue::Array(items) = value.get_ref()
                        && let Some((i, item)) = items.iter().enumerate().find(|(_, item)| encloses(item, span))
                    {
                        path.push_str(&format!("[{i}]"));
                        table = item.get_ref().as_table();
                    }
                    break;
                }
            }
        }
        path
    }
}

/// The table at a path.
fn table_at<'d, 't>(root: &'d mut DeTable<'t>, path: &[Step]) -> Option<&'d mut DeTable<'t>> {
    let Some((Step::Key(first), rest)) = path.split_first() else { return Some(root) };
    let mut value = root.get_mut(first.as_str())?.get_mut();
    for step in rest {
        value = match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?.get_mut(),
            (Step::Index(i), DeValue::Array(items)) => items.get_mut(*i)?.get_mut(),
            _ => return None,
        };
    }
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Whether a value or anything below it covers the range (a table's own range is only its header).
fn encloses(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    let own = value.span();
    (own.start <= span.start && span.end <= own.end)
        || match value.get_ref() {
            DeValue::Table(table) => table.iter().any(|(key, value)| key.span() == *span || encloses(value, span)),
            DeValue::Array(items) => items.iter().any(|item| encloses(item, span)),
            _ => false,
        }
}

fn deepest(value: &Spanned<DeValue<'_>>, steps: &[Step]) -> Range<usize> {
    let next = match (steps.first(), value.get_ref()) {
        (Some(Step::Key(key)), DeValue::Table(table)) => table.get(key.as_str()),
        (Some(Step::Index(i)), DeValue::Array(items)) => items.get(*i),
        _ => None,
    };
    next.map_or_else(|| value.span(), |next| deepest(next, &steps[1..]))
}

fn found(error: &toml::de::Error, text: &str, path: String) -> Found {
    let mut span = error.span().unwrap_or(0..0);
    // An error at the end of a line is shown on that line, not at the start of the next.
    if span.start > 0 && text[..span.start.min(text.len())].ends_with('\n') && span.start >= text.len() {
        span = span.start - 1..span.start;
    }
    Found { span, path, message: error.message().trim().replace('\n', ", "), hint: None }
}

/// Appends a key to a path as text.
pub(super) fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Reads a path such as `strategies[0].fast`.
pub(super) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (key, indices) = part.split_once('[').unwrap_or((part, ""));
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        let indices = indices.split(['[', ']']).filter_map(|index| index.parse().ok());
        steps.extend(indices.map(Step::Index));
    }
    steps
}
