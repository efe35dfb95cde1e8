//! `cargo xtask infra`: everything under `deploy/` proven by the tool that will read it. What a check does is in
//! `deploy/checks`; this installs the tools, gives each check a copy of the files, and prints what was proven.

mod checks;
mod mistakes;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::checks::{CHECKS, Check};
use self::mistakes::MISTAKES;
use crate::exec::{self, Failed, Show};
use crate::tally::Tally;
use crate::tools;
use crate::workspace::Workspace;

/// Where things lie for a check: a copy of the repository's files, and what outlives the run.
pub(crate) struct Kit<'a> {
    workspace: &'a Workspace,
    /// The copy, in which the check runs.
    tree: PathBuf,
    /// For what is made once, as the provider that stands in for Google's.
    home: PathBuf,
}

/// How a check ended.
struct Outcome {
    name: &'static str,
    good: bool,
    /// The check's closing line.
    proven: String,
    took: Duration,
}

/// Runs the checks that `wanted` names, or all, and prints a table of what was proven.
///
/// # Errors
/// When a name is unknown, a tool cannot be had, or a check found something.
pub(crate) fn run(workspace: &Workspace, wanted: &[String]) -> Result<()> {
    let outcomes = checked(workspace, wanted)?;
    println!("{}", table(&outcomes));
    let tally = counted(&outcomes);
    println!("infra: {tally}");
    if tally.failed == 0 { Ok(()) } else { Err(Failed::no("what lies under deploy/ does not hold")) }
}

/// The same for `cargo xtask test`, whose sum it is part of.
///
/// # Errors
/// When a tool cannot be had.
pub(crate) fn tested(workspace: &Workspace) -> Result<Tally> {
    let left_out = |check: &&Check| check.optional && !check.possible();
    for check in CHECKS.iter().filter(left_out) {
        eprintln!("NOT RUN: {}; see what it needs with: cargo xtask infra {}", check.name, check.name);
    }
    let wanted: Vec<String> =
        CHECKS.iter().filter(|check| !left_out(check)).map(|check| check.name.to_owned()).collect();
    let outcomes = checked(workspace, &wanted)?;
    println!("{}", table(&outcomes));
    Ok(counted(&outcomes))
}

/// Plants each mistake in a copy of the files and demands that its check finds it.
///
/// # Errors
/// When a check does not see its mistake.
pub(crate) fn find_mistakes(workspace: &Workspace, wanted: &[String]) -> Result<()> {
    let names: Vec<&str> = chosen(wanted)?.iter().map(|check| check.name).collect();
    let mut tally = Tally::default();
    for mistake in MISTAKES.iter().filter(|mistake| names.contains(&mistake.check)) {
        let check = CHECKS.iter().find(|check| check.name == mistake.check).context("a mistake for no check")?;
        let kit = Kit::new(workspace, check.name)?;
        mistake.plant(&kit.tree)?;
        let (good, output) = kit.outcome(check, mistake.only)?;
        let found = !good && output.contains(mistake.found);
        println!("{} {}: {}", if found { "found " } else { "MISSED" }, mistake.check, mistake.what);
        tally += Tally { passed: u64::from(found), failed: u64::from(!found) };
    }
    println!("mistakes: {tally}");
    if tally.failed == 0 { Ok(()) } else { Err(Failed::no("a check cannot see the mistake it is for")) }
}

fn checked(workspace: &Workspace, wanted: &[String]) -> Result<Vec<Outcome>> {
    let chosen = chosen(wanted)?;
    // Every tool first: what is missing is told at once and together.
    let missing: Vec<String> = chosen
        .iter()
        .flat_map(|check| check.tools)
        .filter_map(|tool| tools::ensure(tool, workspace).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if !missing.is_empty() {
        return Err(Failed::unavailable(missing.join("\n")));
    }
    // What the checks stand on is made before they run beside each other.
    if let Some(prepared) =
        chosen.iter().find(|check| check.tools.iter().any(|tool| tool.name == checks::TERRAFORM.name))
    {
        exec::run(&mut Kit::new(workspace, prepared.name)?.provider()?)?;
    }
    let next = AtomicUsize::new(0);
    let lane = || -> Result<Vec<(usize, Outcome)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(check) = chosen.get(index) else { return Ok(done) };
            done.push((index, outcome(workspace, check)?));
        }
    };
    let lanes: Vec<_> = thread::scope(|scope| {
        (0..LANES).map(|_| scope.spawn(lane)).collect::<Vec<_>>().into_iter().map(|l| l.join()).collect()
    });
    let mut outcomes = Vec::new();
    for lane in lanes {
        outcomes.extend(lane.map_err(|_| Failed::no("a check panicked"))??);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Checks wait for programs most of the time: one beside the other.
const LANES: usize = 2;

fn outcome(workspace: &Workspace, check: &Check) -> Result<Outcome> {
    let start = Instant::now();
    let (good, output) = Kit::new(workspace, check.name)?.outcome(check, None)?;
    let closing = output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(check.proves);
    let proven = if good { check.closing(closing) } else { format!("FAILED: {closing}") };
    Ok(Outcome { name: check.name, good, proven, took: start.elapsed() })
}

fn chosen(wanted: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(unknown) = wanted.iter().find(|name| CHECKS.iter().all(|check| check.name != **name)) {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        return Err(Failed::no(format!("no check {unknown:?}; there are {}", names.join(", "))));
    }
    Ok(CHECKS.iter().filter(|check| wanted.is_empty() || wanted.iter().any(|name| name == check.name)).collect())
}

fn counted(outcomes: &[Outcome]) -> Tally {
    outcomes.iter().fold(Tally::default(), |mut tally, outcome| {
        tally += Tally { passed: u64::from(outcome.good), failed: u64::from(!outcome.good) };
        tally
    })
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let _ = writeln!(text, "{:>6.1} s  {:<11} {}", outcome.took.as_secs_f32(), outcome.name, outcome.proven);
    }
    text.truncate(text.trim_end().len());
    text
}

impl<'a> Kit<'a> {
    /// A fresh copy of the files that git knows or would know: nothing of a check is left in the tree, or in the next one.
    fn new(workspace: &'a Workspace, check: &str) -> Result<Self> {
        let home = workspace.target.join("infra");
        let tree = home.join("trees").join(check);
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("cannot empty {}", tree.display()))?;
        }
        fs::create_dir_all(&tree).with_context(|| format!("cannot create {}", tree.display()))?;
        let git = tools::ensure(&tools::GIT, workspace)?;
        let mut list = Command::new(git);
        list.current_dir(&workspace.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = exec::answer(&mut list).context("cannot list the files: is this a git clone?")?;
        for name in list.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (workspace.root.join(name), tree.join(name));
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap_or(&tree))?;
                fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
            }
        }
        Ok(Self { workspace, tree, home })
    }

    /// What makes the provider that stands in for Google's, once.
    fn provider(&self) -> Result<Command> {
        Ok(self.settled(checks::provider(self)?))
    }

    /// Runs `check`, on one part only where it has parts.
    fn outcome(&self, check: &Check, only: Option<&str>) -> Result<(bool, String)> {
        if let Some(prepare) = check.prepare {
            exec::run(&mut self.settled(prepare(self)?))?;
        }
        let mut command = (check.command)(self)?;
        command.args(only);
        exec::watch(&mut self.settled(command), Show::Failure)
    }

    fn settled(&self, mut command: Command) -> Command {
        command.current_dir(&self.tree).env("INFRA_HOME", &self.home);
        // Nothing is left behind, and no tool speaks to its maker.
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("CHECKPOINT_DISABLE", "1");
        command
    }

    /// The files of the copy whose path ends with one of `ends`, sorted.
    fn files(&self, ends: &[&str]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        walk(&self.tree, &mut found)?;
        found.retain(|path| ends.iter().any(|end| path.to_string_lossy().ends_with(end)));
        found.sort();
        Ok(found.iter().filter_map(|path| path.strip_prefix(&self.tree).ok()).map(Path::to_path_buf).collect())
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_check_is_named_before_anything_runs() {
        let error = run(&Workspace::default(), &["nothing".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("no check \"nothing\"; there are services, "), "{error}");
    }

    #[test]
    fn every_check_has_a_mistake_that_it_must_find() {
        for check in CHECKS {
            assert!(
                MISTAKES.iter().any(|mistake| mistake.check == check.name),
                "{} could say yes to anything",
                check.name
            );
        }
        for mistake in MISTAKES {
            assert!(CHECKS.iter().any(|check| check.name == mistake.check), "no check {}", mistake.check);
        }
    }

    #[test]
    fn the_table_says_what_failed_and_how_long_it_took() {
        let outcome =
            |name, good, proven: &str| Outcome { name, good, proven: proven.into(), took: Duration::from_secs(2) };
        let outcomes = [outcome("a", true, "3 things"), outcome("b", false, "FAILED: x")];
        let shown = "   2.0 s  a           3 things\n   2.0 s  b           FAILED: x";
        assert_eq!(table(&outcomes), shown);
        assert_eq!(counted(&outcomes).to_string(), "1 passed, 1 failed");
    }
}
