//! `cargo xtask deny`: licences, bans and sources of every dependency, and known vulnerabilities where possible.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::exec;
use crate::tools;
use crate::workspace::Workspace;

/// The advisory database is a git repository on the network; a machine that cannot reach it must not wait longer.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// Checks by `deny.toml`. Offline, vulnerabilities are not checked, and it says so: that is not a failure of the code.
///
/// # Errors
/// When a dependency breaks a rule or is known to be vulnerable, or cargo-deny cannot be had.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = tools::ensure(&tools::DENY, workspace)?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(&workspace.root).args(arguments);
        command
    };
    exec::run(&mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))?;
    if let Err(error) = exec::run_within(&mut deny(&["fetch", "db"]), FETCH_LIMIT) {
        eprintln!("advisories: not checked, the database cannot be fetched here: {error:#}");
        return Ok(());
    }
    exec::run(&mut deny(&["check", "--disable-fetch", "advisories"]))
}
