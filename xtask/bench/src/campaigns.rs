//! The long checks as figures: a thousand seeds of the whole-system simulator, and fifty kills of the real program.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::report::{Section, Target};
use crate::{Settings, load, process};

const SEEDS: f64 = 1_000.0;
const SEEDS_GOAL_S: f64 = 480.0;
const KILLS: &str = "50";

/// A thousand seeds.
pub(crate) fn seeds(_: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("simulator seeds");
    let built = cargo(&["build", "--quiet", "--release", "--package", "nightdesk-sim"]).status()?;
    anyhow::ensure!(built.success(), "the simulator does not build");
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "nightdesk-sim", "--"]);
    command.args(["--json", "--seeds", &SEEDS.to_string()]).stdout(Stdio::piped());
    let (started, cpu) = (Instant::now(), load::children_time());
    let output = command.output()?;
    let (took, cpu) = (started.elapsed().as_secs_f64(), (load::children_time() - cpu).as_secs_f64());
    // After the summary comes a line for people.
    let mut summaries = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let told = summaries.next().context("no summary of the simulator")?.context("the simulator's summary")?;
    section.must("seconds for 1,000 seeds", took, "s", Target::AtMost(SEEDS_GOAL_S));
    section.add("processor time", cpu, "s");
    section.against("processor time shared by two processors without a pause", cpu / 2.0, took, "s");
    let failed = told["failed"].as_array().map(|failed| failed.len() as f64);
    match failed {
        Some(failed) => section.must("seeds with a violation", failed, "", Target::AtMost(0.0)),
        None => section.unknown("seeds with a violation", "", Target::AtMost(0.0)),
    }
    section.must("exit code", f64::from(output.status.code().unwrap_or(-1)), "", Target::AtMost(0.0));
    for (name, value) in told.as_object().into_iter().flatten() {
        if let Some(value) = value.as_f64() {
            section.add(name.replace('_', " "), value, "");
        }
    }
    Ok(section)
}

/// Fifty kills, of the services alone and together with the exchange.
pub(crate) fn kills(_: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("kill -9");
    let mut command = cargo(&["test", "--release", "--package", "nightdesk", "--test", "kill", "--", "--nocapture"]);
    command.args(["--test-threads", "1"]).env("NIGHTDESK_KILLS", KILLS).stdout(Stdio::piped());
    let started = Instant::now();
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kills = text.lines().filter(|line| line.contains(" ms, kill ")).count();
    section.must("kills of the real program", kills as f64, "", Target::AtLeast(100.0));
    section.must("tests that failed", count(&text, " failed"), "", Target::AtMost(0.0));
    section.add("tests that passed", count(&text, " passed"), "");
    section.add("seconds", started.elapsed().as_secs_f64(), "s");
    section.note("tests", "each run ends with `nightdesk verify`, against the exchange's own record too");
    section
        .note("kills", format!("{KILLS} of the services beside an exchange of its own, {KILLS} with the embedded one"));
    Ok(section)
}

fn cargo(args: &[&str]) -> Command {
    let mut command = process::cargo();
    command.args(args).stdin(Stdio::null());
    command
}

/// The number before `word` in the test runner's last word; one where there is none.
fn count(text: &str, word: &str) -> f64 {
    let line = text.lines().rfind(|line| line.starts_with("test result:"));
    let before = line.and_then(|line| line.split(word).next());
    before.and_then(|text| text.rsplit(' ').next()?.parse().ok()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_last_word_is_understood() {
        let text = "x\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out\n";
        assert_eq!((count(text, " passed"), count(text, " failed"), count("", " failed")), (3.0, 0.0, 1.0));
    }
}
