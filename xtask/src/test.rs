//! `cargo xtask test`: every test there is, with one closing line.

use std::process::Command;

use anyhow::Result;

use crate::exec::{self, Failed, Show};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{dispatch, infra, tools};

/// Runs unit, integration and documentation tests, then `seeds` seeds of the simulator and its fault matrix, then what
/// proves `deploy/`; all of them, also after a failure, and prints `N passed, N failed` as its last line.
///
/// # Errors
/// When a test failed, or a server that the tests start is missing and cannot be installed here.
pub(crate) fn run(workspace: &Workspace, seeds: u32) -> Result<()> {
    // A test against a server that is not there would fail late and with less to say.
    tools::ensure(&tools::POSTGRES, workspace)?;
    tools::ensure(&tools::RABBITMQ, workspace)?;
    let mut tally = Tally::default();
    for (mut command, show) in runners(workspace) {
        tally += watched(command.current_dir(&workspace.root), show)?;
    }
    match dispatch::simulator(workspace) {
        Some(mut command) if seeds > 0 => {
            tally += watched(command.args(["--seeds", &seeds.to_string()]), Show::Always)?;
            // Directed where the seeds are drawn: each fault at each order, with a crash at each commit.
            if let Some(mut matrix) = dispatch::simulator(workspace) {
                tally += watched(matrix.arg("--matrix"), Show::Always)?;
            }
        }
        Some(_) => eprintln!("simulator: not run, no seeds asked for"),
        None => eprintln!("simulator: nightdesk-sim has no program yet"),
    }
    tally += infra::tested(workspace)?;
    println!("{tally}");
    if tally.failed == 0 { Ok(()) } else { Err(Failed::no("tests failed")) }
}

/// The runners: nextest with the documentation tests it cannot run, or cargo's own, which is slower but always there.
fn runners(workspace: &Workspace) -> Vec<(Command, Show)> {
    let cargo = |arguments: &[&str]| {
        let mut command = exec::cargo();
        command.args(["test", "--workspace", "--no-fail-fast"]).args(arguments);
        command
    };
    match tools::ensure(&tools::NEXTEST, workspace) {
        Ok(nextest) => {
            let mut command = Command::new(nextest);
            command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
            // One harness a crate, most of them empty.
            vec![(command, Show::Always), (cargo(&["--doc"]), Show::Failure)]
        }
        Err(error) => {
            eprintln!("{error:#}\ngoing on with cargo test");
            vec![(cargo(&[]), Show::Always)]
        }
    }
}

fn watched(command: &mut Command, show: Show) -> Result<Tally> {
    let (succeeded, output) = exec::watch(command, show)?;
    Ok(Tally::of(succeeded, &output))
}
