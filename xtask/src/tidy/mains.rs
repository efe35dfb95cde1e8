//! A main reads as a wiring list: short, and without decisions.

use super::Problem;
use super::rust::{self, Rust};

const FENCE: usize = 60;
const DECISIONS: [&str; 4] = ["if", "while", "loop", "for"];

/// Mains that may decide, and why.
const ALLOWED: [(&str, &str); 1] = [("app/nightdesk/src/main.rs", "it chooses the command")];

/// Checks `app/*/src/main.rs`.
pub(crate) fn check(path: &str, rust: &Rust) -> Vec<Problem> {
    let is_main =
        path.strip_prefix("app/").and_then(|rest| rest.split_once('/')).is_some_and(|(_, p)| p == "src/main.rs");
    if !is_main {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if rust.lines > FENCE {
        let message = format!("{} lines, a main has at most {FENCE}: move the work into a library", rust.lines);
        problems.push(Problem::new(path, rust.lines, message));
    }
    if !ALLOWED.iter().any(|(allowed, _)| *allowed == path) {
        problems.extend(decisions(path, &rust.product));
    }
    problems
}

fn decisions(path: &str, code: &str) -> Vec<Problem> {
    let found = rust::words(code).filter(|(at, word)| DECISIONS.contains(word) && !is_impl_for(code, *at, word));
    found
        .map(|(at, word)| Problem::new(path, rust::line_of(code, at), format!("`{word}` in a main: it only wires")))
        .collect()
}

/// Whether the `for` at `at` belongs to an `impl Trait for Type` or a `for<'a>`.
fn is_impl_for(code: &str, at: usize, word: &str) -> bool {
    let line = code[..at].rsplit('\n').next().unwrap_or_default();
    word == "for" && (line.trim_start().starts_with("impl") || code[at + 3..].starts_with('<'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    #[test]
    fn a_main_does_not_decide() {
        let text = "fn main() {\n    if a {}\n    for x in y {}\n    \"if\"; // while\n}\nimpl A for B {}\n";
        let expected = [
            "app/x/src/main.rs:2: `if` in a main: it only wires",
            "app/x/src/main.rs:3: `for` in a main: it only wires",
        ];
        expect(&check("app/x/src/main.rs", &Rust::read(text)), &expected);
    }

    #[test]
    fn a_main_is_short() {
        let text = "x!();\n".repeat(61);
        let expected = ["app/x/src/main.rs:61: 61 lines, a main has at most 60: move the work into a library"];
        expect(&check("app/x/src/main.rs", &Rust::read(&text)), &expected);
    }

    #[test]
    fn other_files_and_the_command_line_may_decide() {
        let text = Rust::read("fn main() { if a {} }\n");
        expect(&check("app/x/src/lib.rs", &text), &[]);
        expect(&check("crates/x/src/main.rs", &text), &[]);
        expect(&check("app/nightdesk/src/main.rs", &text), &[]);
    }
}
