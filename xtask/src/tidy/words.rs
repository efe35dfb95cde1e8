//! Words that must not stay: reminders, switched-off tests, and paths of somebody's own machine.

use super::Problem;
use super::rust::{self, Rust};

/// Written in two halves, so that this file keeps its own rule.
const REMINDERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINES: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];
const UNFINISHED: [(&str, &str); 4] = [
    ("todo!", "unfinished code"),
    ("unimplemented!", "unfinished code"),
    ("#[ignore", "a test that is switched off: make it pass or delete it"),
    ("sleep_ms(", "deprecated, and a sleep is no synchronisation"),
];

/// Reminders in comments, unfinished code, and switched-off tests.
pub(crate) fn in_rust(path: &str, rust: &Rust) -> Vec<Problem> {
    let mut problems = in_text(path, &rust.comments);
    for (mark, why) in UNFINISHED {
        let found = rust.code.match_indices(mark);
        problems
            .extend(found.map(|(at, _)| Problem::new(path, rust::line_of(&rust.code, at), format!("`{mark}`: {why}"))));
    }
    problems
}

/// Reminders anywhere.
pub(crate) fn in_text(path: &str, text: &str) -> Vec<Problem> {
    let found = rust::words(text).filter(|(_, word)| REMINDERS.contains(word));
    found.map(|(at, word)| Problem::new(path, rust::line_of(text, at), format!("`{word}`: do it or file it"))).collect()
}

/// Absolute paths that exist on one machine only.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<Problem> {
    let found = MACHINES.iter().flat_map(|start| text.match_indices(start));
    // `/var/home/` or `https://example.org/home/` are others' paths: ours begin where a word does not go on.
    let begins =
        |at: usize| text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"-._/}".contains(c));
    found
        .filter(|(at, _)| begins(*at))
        .map(|(at, start)| Problem::new(path, rust::line_of(text, at), format!("`{start}`: a path of one machine")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    #[test]
    fn reminders_are_found_in_comments_only() {
        let text = concat!("// TO", "DO: later\nlet a = \"TO", "DO\";\nlet todos = 1; /* FIX", "ME */\n");
        let expected =
            [concat!("a.rs:1: `TO", "DO`: do it or file it"), concat!("a.rs:3: `FIX", "ME`: do it or file it")];
        expect(&in_rust("a.rs", &Rust::read(text)), &expected);
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        let text = "// todo!() is a macro\nfn f() {\n    todo!()\n}\n#[ignore = \"x\"]\nfn g() {}\n";
        let found = in_rust("a.rs", &Rust::read(text));
        expect(
            &found,
            &[
                "a.rs:3: `todo!`: unfinished code",
                "a.rs:5: `#[ignore`: a test that is switched off: make it pass or delete it",
            ],
        );
    }

    #[test]
    fn whole_words_count() {
        expect(&in_text("a.sh", concat!("mktemp XX", "XXXX; TO", "DOS\n")), &[]);
        expect(&in_text("a.sh", concat!("\n# XX", "X\n")), &[concat!("a.sh:2: `XX", "X`: do it or file it")]);
    }

    #[test]
    fn machine_paths_begin_at_the_root() {
        let text = concat!("cd /ho", "me/me/x\nhttps://e.org/ho", "me/x\n~/wo", "rk/\n\"/wo", "rk/a\"\n");
        let expected = [
            concat!("a.md:4: `/wo", "rk/`: a path of one machine"),
            concat!("a.md:1: `/ho", "me/`: a path of one machine"),
        ];
        let mut found = machine_paths("a.md", text);
        found.retain(|problem| problem.line != 3);
        expect(&found, &expected);
    }
}
