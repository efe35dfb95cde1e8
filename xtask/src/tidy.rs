//! `cargo xtask tidy`: the house rules that a machine can check and clippy does not know. Each rule is a function from
//! text to problems and is tested on text.

mod floors;
mod links;
mod mains;
mod manifests;
mod rust;
mod sizes;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{fmt, fs};

use anyhow::{Context, Result};

use self::rust::Rust;
use crate::exec::{self, Failed};
use crate::tools;
use crate::workspace::Workspace;

/// A broken rule, or a warning that one is near.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    path: String,
    line: usize,
    message: String,
    warning: bool,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), warning: false }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::new(path, line, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{}", self.path, self.line, self.message)
    }
}

/// The text of each file of the repository by its path below the root. Files that are not text are there, empty.
pub(crate) type Files = BTreeMap<String, String>;

/// Checks every rule on every file and prints the problems.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn run(workspace: &Workspace, show_warnings: bool) -> Result<()> {
    let git = tools::ensure(&tools::GIT, workspace)?;
    let files = read(&workspace.root, &git)?;
    let mut problems = check(workspace, &files);
    problems.sort();
    problems.dedup();
    let (warnings, errors): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.warning);
    let shown = if show_warnings { warnings.as_slice() } else { &[] };
    for problem in errors.iter().chain(shown) {
        println!("{problem}");
    }
    println!("tidy: {} files, {} problems, {} warnings", files.len(), errors.len(), warnings.len());
    if errors.is_empty() { Ok(()) } else { Err(Failed::no("the house rules are broken")) }
}

fn check(workspace: &Workspace, files: &Files) -> Vec<Problem> {
    let mut problems = floors::check(&workspace.packages, files);
    problems.extend(manifests::check(&workspace.packages, files));
    let mut crates = sizes::Crates::default();
    for (path, text) in files {
        if path.ends_with(".rs") {
            let rust = Rust::read(text);
            problems.extend(words::in_rust(path, &rust));
            problems.extend(sizes::of_rust(path, &rust));
            problems.extend(mains::check(path, &rust));
            crates.add(path, &rust);
        } else {
            problems.extend(words::in_text(path, text));
            problems.extend(sizes::of_text(path, text));
        }
        problems.extend(words::machine_paths(path, text));
        if path.ends_with(".md") {
            problems.extend(links::check(path, text, files));
        }
    }
    problems.extend(crates.check(&workspace.packages));
    problems
}

/// Every file that git tracks or would track. Committed build results are others' text: they only exist.
fn read(root: &Path, git: &Path) -> Result<Files> {
    let mut command = Command::new(git);
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = exec::answer(&mut command).context("cannot list the files: is this a git clone?")?;
    let mut files = Files::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let generated = path.ends_with(".lock") || path.ends_with("package-lock.json") || path.contains("/dist/");
        match fs::read(root.join(path)) {
            Ok(bytes) => {
                let text = if generated { String::new() } else { String::from_utf8(bytes).unwrap_or_default() };
                files.insert(path.to_owned(), text);
            }
            // Tracked, but deleted in the working tree, or a symbolic link to a folder.
            Err(_) => continue,
        }
    }
    Ok(files)
}

/// The number of the first line of `text` that starts with `start`; 1 if none does.
fn line_starting(text: &str, start: &str) -> usize {
    text.lines().position(|line| line.starts_with(start)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the problems, one a line, with what is expected.
    #[track_caller]
    pub(super) fn expect(problems: &[Problem], expected: &[&str]) {
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_problem_reads_as_a_place_and_a_message() {
        expect(
            &[Problem::new("a.rs", 3, "bad"), Problem::warning("b.rs", 4, "near")],
            &["a.rs:3: bad", "b.rs:4: warning: near"],
        );
    }

    #[test]
    fn each_file_meets_the_rules_of_its_kind() {
        let files: Files = [
            ("docs/a.md", "[x](gone.md)\n"),
            ("app/x/src/main.rs", "//! X.\nfn main() { if true {} }\n"),
            ("run.sh", concat!("# TO", "DO\n")),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
        let paths: Vec<_> = check(&Workspace::default(), &files).into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["app/x/src/main.rs", "docs/a.md", "run.sh"]);
    }
}
