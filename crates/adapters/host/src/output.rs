//! Output of commands: tables and progress for people, JSON for machines.

mod progress;
mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub use self::progress::Progress;
pub use self::table::{Align, Table};

/// Writes text to standard output. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn to_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes text to standard error, if anybody reads it.
pub fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a value as one JSON document and a line end: indented for a terminal, else on one line.
///
/// # Errors
/// When it cannot be written.
pub fn json<T: Serialize>(value: &T) -> io::Result<()> {
    let text =
        if io::stdout().is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    to_stdout(&format!("{}\n", text?))
}

/// Whether colours are wanted, by the `NO_COLOR` and `TERM` conventions.
#[must_use]
pub fn colour_wanted() -> bool {
    let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !none && !dumb
}
