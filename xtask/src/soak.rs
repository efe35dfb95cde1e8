//! `cargo xtask soak`: the tests that break the running product, for longer than CI has time for.

use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{exec, tools};

/// Draws `faults` faults for a cluster and kills `nightdesk up` so often.
///
/// # Errors
/// When a test failed, or a program that it needs is missing and cannot be installed here.
pub(crate) fn run(workspace: &Workspace, faults: u32, kills: u32) -> Result<()> {
    tools::ensure(&tools::POSTGRES, workspace)?;
    tools::ensure(&tools::RABBITMQ, workspace)?;
    let nextest = tools::ensure(&tools::NEXTEST, workspace)?;
    let mut command = Command::new(nextest);
    command.current_dir(&workspace.root).args(["nextest", "run", "--profile", "soak", "--package", "nightdesk"]);
    command.args(["--no-capture", "-E", "test(by_chance) | binary(kill)"]);
    command.env("NIGHTDESK_CLUSTER_RUNS", faults.to_string()).env("NIGHTDESK_KILLS", kills.to_string());
    exec::run(&mut command)
}
