//! Mistakes as a page for people, in the style of the Rust compiler.

use std::fmt::Write;

use super::mistakes::{ConfigErrors, Mistake};

impl ConfigErrors {
    /// The page: each mistake with its line, a mark under it and its hint.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = if colour { Paint::ON } else { Paint::OFF };
        let mut page = String::new();
        for mistake in self.problems() {
            one(&mut page, self, mistake, &paint);
        }
        let count = self.problems().len();
        let (red, reset) = (paint.red, paint.reset);
        let said = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
        let _ = writeln!(page, "{red}{said}{reset} in {}; nothing was started", self.file());
        page
    }
}

/// Escape sequences, or nothing.
struct Paint {
    red: &'static str,
    blue: &'static str,
    bold: &'static str,
    reset: &'static str,
}

impl Paint {
    const ON: Self = Self { red: "\x1b[1;31m", blue: "\x1b[1;34m", bold: "\x1b[1m", reset: "\x1b[0m" };
    const OFF: Self = Self { red: "", blue: "", bold: "", reset: "" };
}

fn one(page: &mut String, errors: &ConfigErrors, mistake: &Mistake, paint: &Paint) {
    let Paint { red, blue, bold, reset } = paint;
    let number = mistake.line.to_string();
    let pad = " ".repeat(number.len());
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{red}error{reset}{bold}: {}{reset}", mistake.message);
    let path = if mistake.path.is_empty() { String::new() } else { format!(" ({})", mistake.path) };
    if errors.text.is_empty() {
        let _ = writeln!(page, "{pad}{blue}-->{reset} {}", errors.file());
    } else {
        let _ = writeln!(page, "{pad}{blue}-->{reset} {}:{number}:{}{path}", errors.file(), mistake.column);
        let line = errors.text.lines().nth(mistake.line - 1).unwrap_or_default();
        let indent: String =
            line.chars().take(mistake.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let mark = "^".repeat(mistake.width);
        let _ = writeln!(page, "{pad} {blue}|{reset}");
        let _ = writeln!(page, "{blue}{number} |{reset} {line}");
        let _ = writeln!(page, "{pad} {blue}|{reset} {indent}{red}{mark}{reset}");
    }
    if let Some(hint) = &mistake.hint {
        let _ = writeln!(page, "{pad} {blue}={reset} {bold}hint{reset}: {hint}");
    }
    page.push('\n');
}
