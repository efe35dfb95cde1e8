//! Lengths of functions, files and crates, and the line with which a module says what it is for.

use std::collections::BTreeMap;

use super::Problem;
use super::rust::Rust;
use crate::workspace::Package;

/// What a file should keep to, and what it must keep to, without its tests.
const FILE_AIM: usize = 400;
const FILE_FENCE: usize = 600;
/// Lines of code in a function's body.
const FUNCTION_FENCE: usize = 70;
/// Lines in a crate, without its tests.
const CRATE_AIM: usize = 3000;

/// Languages we write by hand.
const SOURCES: [&str; 6] = [".ts", ".svelte", ".sh", ".py", ".tf", ".css"];

/// Whether the whole file is tests.
pub(crate) fn is_tests(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let named = name == "tests.rs" || name.ends_with("_tests.rs") || name.starts_with("test_");
    named || folders.split('/').any(|folder| folder == "tests")
}

/// Lengths of a Rust file and its functions, and its first line.
pub(crate) fn of_rust(path: &str, rust: &Rust) -> Vec<Problem> {
    if is_tests(path) {
        return Vec::new();
    }
    let mut problems: Vec<_> = length(path, rust.lines).into_iter().collect();
    if !rust.comments.trim_start().starts_with("//!") && !rust.code.trim().is_empty() {
        problems.push(Problem::new(path, 1, "a module opens with `//!`: what it is for and what it does not do"));
    }
    for function in rust.functions().into_iter().filter(|function| function.length > FUNCTION_FENCE) {
        let message =
            format!("`{}` has {} lines of code, the fence is {FUNCTION_FENCE}", function.name, function.length);
        problems.push(Problem::new(path, function.line, message));
    }
    problems
}

/// The length of a file in another language.
pub(crate) fn of_text(path: &str, text: &str) -> Vec<Problem> {
    let ours = SOURCES.iter().any(|end| path.ends_with(end)) && !path.contains(".test.");
    if ours { length(path, text.lines().count()).into_iter().collect() } else { Vec::new() }
}

fn length(path: &str, lines: usize) -> Option<Problem> {
    let message = |limit: &str, at: usize| format!("{lines} lines without tests, the {limit} is {at}");
    if lines > FILE_FENCE {
        Some(Problem::new(path, lines, message("fence", FILE_FENCE)))
    } else {
        (lines > FILE_AIM).then(|| Problem::warning(path, lines, message("aim", FILE_AIM)))
    }
}

/// The lines of each crate's files.
#[derive(Default)]
pub(crate) struct Crates(BTreeMap<String, usize>);

impl Crates {
    pub(crate) fn add(&mut self, path: &str, rust: &Rust) {
        if let Some((folder, _)) = path.split_once("/src/").filter(|_| !is_tests(path)) {
            *self.0.entry(folder.to_owned()).or_default() += rust.lines;
        }
    }

    pub(crate) fn check(&self, packages: &[Package]) -> Vec<Problem> {
        let size = |package: &Package| self.0.get(&package.folder).copied().unwrap_or_default();
        let large = packages.iter().filter(|package| size(package) > CRATE_AIM);
        large
            .map(|package| {
                let message = format!("{} lines without tests, the aim is {CRATE_AIM}: split it", size(package));
                Problem::warning(&package.manifest(), 1, message)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    fn file(lines: usize) -> String {
        format!("//! A.\n{}", "x!();\n".repeat(lines - 1))
    }

    #[test]
    fn a_file_warns_at_the_aim_and_fails_at_the_fence() {
        expect(&of_rust("a.rs", &Rust::read(&file(400))), &[]);
        expect(
            &of_rust("a.rs", &Rust::read(&file(401))),
            &["a.rs:401: warning: 401 lines without tests, the aim is 400"],
        );
        expect(&of_rust("a.rs", &Rust::read(&file(601))), &["a.rs:601: 601 lines without tests, the fence is 600"]);
        expect(&of_text("a.ts", &file(601)), &["a.ts:601: 601 lines without tests, the fence is 600"]);
        expect(&of_text("a.json", &file(601)), &[]);
    }

    #[test]
    fn tests_may_be_long() {
        let text = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "x!();\n".repeat(700));
        expect(&of_rust("a.rs", &Rust::read(&text)), &[]);
        expect(&of_rust("a/order_tests.rs", &Rust::read(&file(700))), &[]);
        expect(&of_rust("a/test_house.rs", &Rust::read(&file(700))), &[]);
        expect(&of_rust("a/tests/kill.rs", &Rust::read(&file(700))), &[]);
    }

    #[test]
    fn a_function_over_the_fence_is_named() {
        let text = |lines| format!("//! A.\n\nfn long() {{\n{}}}\n", "    x!();\n".repeat(lines));
        expect(&of_rust("a.rs", &Rust::read(&text(70))), &[]);
        expect(&of_rust("a.rs", &Rust::read(&text(71))), &["a.rs:3: `long` has 71 lines of code, the fence is 70"]);
    }

    #[test]
    fn a_module_says_what_it_is_for() {
        let message = "a.rs:1: a module opens with `//!`: what it is for and what it does not do";
        expect(&of_rust("a.rs", &Rust::read("fn a() {}\n")), &[message]);
        expect(&of_rust("a.rs", &Rust::read("// no\nfn a() {}\n")), &[message]);
    }

    #[test]
    fn a_large_crate_is_a_warning() {
        let package = Package { folder: "crates/a".into(), ..Package::default() };
        let mut crates = Crates::default();
        for path in ["crates/a/src/lib.rs", "crates/a/src/b.rs", "crates/a/src/b_tests.rs"] {
            crates.add(path, &Rust::read(&file(1600)));
        }
        expect(
            &crates.check(&[package]),
            &["crates/a/Cargo.toml:1: warning: 3200 lines without tests, the aim is 3000: split it"],
        );
    }
}
