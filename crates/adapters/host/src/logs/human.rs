//! One line for a person at a terminal: time of day in UTC, level, message, then fields.

use std::fmt::Write;

use serde_json::Value;
use tracing::Level;

use super::layer::Line;

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

pub(super) fn line(line: &Line<'_>, colour: bool) -> String {
    let paint = |code: &'static str| if colour { code } else { "" };
    let (dim, reset) = (paint(DIM), paint(RESET));
    let at = line.at.to_string();
    // From `2024-08-08T23:54:15.208000Z` the time of day in milliseconds.
    let time = at.split('T').nth(1).and_then(|t| t.get(..12)).unwrap_or(&at);
    let (name, level_colour) = level(*line.meta.level());
    let level_colour = paint(level_colour);
    let mut out = format!("{dim}{time}{reset} {level_colour}{name}{reset} {}", printable(&line.fields.message));
    for (name, value) in &line.fields.list {
        // What the message already says is not said twice.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if text.is_empty() || (value.is_string() && line.fields.message.contains(&text)) {
            continue;
        }
        let text = if text.contains(' ') { Value::from(text).to_string() } else { text };
        let _ = write!(out, " {dim}{name}={reset}{}", printable(&text));
    }
    out.push('\n');
    out
}

const fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("ERROR", "\x1b[1;31m"),
        Level::WARN => ("WARN ", "\x1b[33m"),
        Level::INFO => ("INFO ", "\x1b[32m"),
        Level::DEBUG => ("DEBUG", "\x1b[34m"),
        Level::TRACE => ("TRACE", "\x1b[35m"),
    }
}

/// Control characters from outside must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
