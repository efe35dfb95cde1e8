//! What every `Cargo.toml` says: a description, the workspace's lints, and no versions of its own.

use super::{Files, Problem, line_starting};
use crate::workspace::Package;

/// Checks the manifests of `packages`.
pub(crate) fn check(packages: &[Package], files: &Files) -> Vec<Problem> {
    let manifests = packages.iter().filter_map(|package| Some((package, files.get(&package.manifest())?)));
    manifests.flat_map(|(package, text)| manifest(package, text)).collect()
}

fn manifest(package: &Package, text: &str) -> Vec<Problem> {
    let path = package.manifest();
    let mut problems = Vec::new();
    if !package.description.contains(' ') {
        let message = "`description` does not say what the package is for";
        problems.push(Problem::new(&path, line_starting(text, "description"), message));
    }
    if !text.contains("[lints]\nworkspace = true") {
        problems.push(Problem::new(&path, 1, "the workspace's lints are missing: `[lints]`, `workspace = true`"));
    }
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
        }
        let names_one = line.starts_with(|first: char| first.is_ascii_alphabetic());
        if section.ends_with("dependencies]") && names_one && !line.contains("workspace = true") {
            let message = "versions and features live in the root manifest: use `workspace = true`";
            problems.push(Problem::new(&path, index + 1, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    #[track_caller]
    fn check_one(description: &str, text: &str, expected: &[&str]) {
        let package = Package { folder: "a".into(), description: description.into(), ..Package::default() };
        expect(&check(&[package], &Files::from([("a/Cargo.toml".into(), text.into())])), expected);
    }

    #[test]
    fn a_good_manifest_is_silent() {
        let text = "[lints]\nworkspace = true\n\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\n    \"x\",\n] }\n";
        check_one("Says something.", text, &[]);
    }

    #[test]
    fn a_description_is_more_than_a_name() {
        check_one(
            "bus",
            "[package]\ndescription = \"bus\"\n[lints]\nworkspace = true\n",
            &["a/Cargo.toml:2: `description` does not say what the package is for"],
        );
    }

    #[test]
    fn lints_come_from_the_workspace() {
        check_one(
            "Says something.",
            "",
            &["a/Cargo.toml:1: the workspace's lints are missing: `[lints]`, `workspace = true`"],
        );
    }

    #[test]
    fn versions_live_in_the_root() {
        let message = "versions and features live in the root manifest: use `workspace = true`";
        let text = "[lints]\nworkspace = true\n[dev-dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nb = { path = \"../b\" }\n";
        check_one(
            "Says something.",
            text,
            &[&format!("a/Cargo.toml:4: {message}"), &format!("a/Cargo.toml:6: {message}")],
        );
    }
}
