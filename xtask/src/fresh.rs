//! `cargo xtask fresh`: walks a newcomer's path, to prove that the repository alone is enough.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs, process};

use anyhow::{Context, Result};

use crate::exec;
use crate::tools;
use crate::workspace::Workspace;

/// Clones HEAD into a temporary folder and runs the README's commands there, with build and data below that folder.
///
/// # Errors
/// When a command fails; the clone then stays, to be looked at.
pub(crate) fn run(workspace: &Workspace, keep: bool) -> Result<()> {
    let home = env::temp_dir().join(format!("nightdesk-fresh-{}", process::id()));
    let clone = home.join("nightdesk");
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    eprintln!("fresh clone in {}", clone.display());
    let git = tools::ensure(&tools::GIT, workspace)?;
    exec::run(Command::new(git).args(["clone", "--quiet", "--no-local"]).arg(&workspace.root).arg(&clone))?;
    timed(&home, &clone, exec::cargo().args(["run", "--release", "--", "up", "--for", "20s", "--json"]))?;
    timed(&home, &clone, &mut Command::new(clone.join(".ci/run")))?;
    if !keep {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    println!("a newcomer succeeds");
    Ok(())
}

fn timed(home: &Path, clone: &Path, command: &mut Command) -> Result<()> {
    let start = Instant::now();
    let places = [("CARGO_TARGET_DIR", "target"), ("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config")];
    exec::run(command.current_dir(clone).envs(places.map(|(name, folder)| (name, home.join(folder)))))?;
    eprintln!("took {} s", start.elapsed().as_secs());
    Ok(())
}
