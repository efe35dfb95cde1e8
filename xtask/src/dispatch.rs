//! Starts the programs that need the product: the simulator and the benchmarks. Optimised, because they measure.

use std::process::Command;

use anyhow::Result;

use crate::exec::{self, Failed};
use crate::workspace::Workspace;

const SIMULATOR: &str = "nightdesk-sim";
const BENCHMARKS: &str = "nightdesk-bench";
/// The programs that benchmarks start.
const MEASURED: [&str; 2] = ["nightdesk", "exchange-simulator"];

/// Runs the simulator with `words`.
///
/// # Errors
/// When it is not there, or found a violation.
pub(crate) fn sim(workspace: &Workspace, words: &[String]) -> Result<()> {
    // The planted bugs are compiled in on demand only.
    let features: &[&str] = if words.iter().any(|word| word == "--bugs") { &["planted-bugs"] } else { &[] };
    exec::run(program(workspace, SIMULATOR, features).ok_or_else(|| absent(SIMULATOR))?.args(words))
}

/// The simulator's command line, if the workspace has the program.
pub(crate) fn simulator(workspace: &Workspace) -> Option<Command> {
    program(workspace, SIMULATOR, &[])
}

/// Runs the benchmark program with `words`.
///
/// # Errors
/// When it is not there, or a target was missed.
pub(crate) fn bench(workspace: &Workspace, words: &[String]) -> Result<()> {
    workspace.package(BENCHMARKS).filter(|package| package.has_binary).ok_or_else(|| absent(BENCHMARKS))?;
    // All in one build: built one by one, cargo would choose other features of what they share and build that again.
    let mut build = exec::cargo();
    build.current_dir(&workspace.root).args(["build", "--quiet", "--release", "--package", BENCHMARKS]);
    exec::run(build.args(MEASURED.iter().flat_map(|package| ["--package", package])))?;
    let folder = workspace.target.join("release");
    let mut command = Command::new(folder.join(format!("{BENCHMARKS}{}", std::env::consts::EXE_SUFFIX)));
    exec::run(command.current_dir(&workspace.root).args(words))
}

fn program(workspace: &Workspace, package: &str, features: &[&str]) -> Option<Command> {
    workspace.package(package).filter(|package| package.has_binary)?;
    let mut command = exec::cargo();
    command.current_dir(&workspace.root).args(["run", "--quiet", "--release", "--package", package]);
    for feature in features {
        command.args(["--features", feature]);
    }
    command.arg("--");
    Some(command)
}

fn absent(package: &str) -> anyhow::Error {
    Failed::unavailable(format!("the workspace has no program `{package}` yet"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    #[test]
    fn a_missing_program_is_named() {
        let error = bench(&Workspace::default(), &[]).unwrap_err();
        assert_eq!(exec::exit_code(&error), exec::UNAVAILABLE);
        assert_eq!(error.to_string(), "the workspace has no program `nightdesk-bench` yet");
    }

    #[test]
    fn a_library_without_a_binary_is_no_program() {
        let mut package = Package { name: SIMULATOR.into(), ..Package::default() };
        let workspace = |package: &Package| Workspace { packages: vec![package.clone()], ..Workspace::default() };
        assert!(simulator(&workspace(&package)).is_none());
        package.has_binary = true;
        assert!(simulator(&workspace(&package)).is_some());
    }
}
