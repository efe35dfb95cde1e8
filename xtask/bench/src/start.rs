//! From the start of the real program to trading, on a new data directory and on one that was left by a kill.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::Settings;
use crate::process::{self, Programs, Running};
use crate::report::{Section, Target, median};

/// Starts of each kind.
const STARTS: usize = 5;
const GOAL_S: f64 = 2.0;
/// How long a start trades before it is killed, so that the next one finds something to recover.
const TRADE: Duration = Duration::from_secs(2);
/// How often is looked: the figures are that much too long at most.
const LOOK: Duration = Duration::from_millis(5);

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let programs = Programs::find(&["nightdesk"])?;
    let dir = settings.fresh_dir("start")?;
    let mut section = Section::new("start to trading");
    for (kind, fresh) in [("new data directory", true), ("after kill -9", false)] {
        let (mut ready, mut ordered) = (Vec::new(), Vec::new());
        for number in 0..STARTS {
            let data = dir.join(if fresh { format!("new-{number}") } else { format!("new-{}", STARTS - 1) });
            let start = start(&programs, &dir, &data)?;
            ready.push(start.ready);
            ordered.extend(start.ordered);
        }
        let longest = |spans: &[f64]| spans.iter().copied().fold(0.0, f64::max);
        let name = format!("{kind}: new risk may be taken, longest of {STARTS}");
        section.must(name, longest(&ready), "s", Target::AtMost(GOAL_S));
        section.add(format!("{kind}: new risk may be taken, median"), median(ready), "s");
        if fresh {
            section.must(
                format!("{kind}: first order accepted, longest"),
                longest(&ordered),
                "s",
                Target::AtMost(GOAL_S),
            );
        } else {
            section.add(format!("{kind}: first new order accepted, longest"), longest(&ordered), "s");
        }
        section.add(format!("{kind}: first new order accepted, median"), median(ordered.clone()), "s");
        section.must(format!("{kind}: starts that ordered"), ordered.len() as f64, "", Target::AtLeast(STARTS as f64));
    }
    let nothing = nothing(&programs, &dir)?;
    section.against("a start of the same program that does nothing", nothing, median_of(&section), "s");
    section.note(
        "program",
        "nightdesk up, release build, demo configuration, its embedded exchange over HTTP and WebSocket",
    );
    section.note("from", "the process being started");
    section.note(
        "new risk may be taken",
        "/api/core/v1/status names nothing that is held back, after a first comparison with the exchange",
    );
    section.note("order accepted", "the exchange's own record holds a new order of ours");
    section.note("after a kill", "orders from before may rest; the first new one waits for the market");
    section.note("looked", format!("every {} ms", LOOK.as_millis()));
    std::fs::remove_dir_all(&dir)?;
    Ok(section)
}

/// The figure that the limit is compared with: the first of the section.
fn median_of(section: &Section) -> f64 {
    section.first().unwrap_or(f64::NAN)
}

/// What one start took, in seconds.
struct Start {
    ready: f64,
    ordered: Option<f64>,
}

fn start(programs: &Programs, dir: &Path, data: &Path) -> anyhow::Result<Start> {
    let record = data.join("exchange/record.jsonl");
    let before = orders(&record);
    let mut command = programs.command("nightdesk");
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    let mut desk = Running::start(command, dir, "nightdesk")?;
    let (mut ready, mut ordered, mut link) = (None, None, None);
    desk.until("it may trade", LOOK, |desk| {
        let now = desk.started.elapsed();
        if ordered.is_none() && orders(&record).difference(&before).next().is_some() {
            ordered = Some(now.as_secs_f64());
        }
        if link.is_none() {
            link = address(data, desk.pid());
        }
        if ready.is_none() && link.as_ref().is_some_and(|(address, token)| may_trade(address, token)) {
            ready = Some(desk.started.elapsed().as_secs_f64());
        }
        // After a kill the strategies may have nothing to order for a while: that is not waited for.
        let patience = Duration::from_secs(10);
        (ready.is_some() && (ordered.is_some() || now > patience)).then_some(())
    })?;
    std::thread::sleep(TRADE);
    desk.kill()?;
    Ok(Start { ready: ready.context("never ready")?, ordered })
}

/// The ids of the orders that the exchange has accepted.
fn orders(record: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(record).unwrap_or_default();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let orders = events.filter(|event| event["event"] == "order");
    orders.filter_map(|order| order["client_order_id"].as_str().map(str::to_owned)).collect()
}

/// Where the process `pid` answers, and what it wants to be shown.
pub(crate) fn address(data: &Path, pid: u32) -> Option<(String, String)> {
    let run: Value = serde_json::from_slice(&std::fs::read(data.join("run.json")).ok()?).ok()?;
    let address = run["addresses"]["api"].as_str()?.strip_prefix("http://")?;
    (run["pid"] == pid).then(|| (address.to_owned(), run["token"].as_str().unwrap_or_default().to_owned()))
}

fn may_trade(address: &str, token: &str) -> bool {
    let Ok(status) = process::get(address, "/api/core/v1/status", token) else { return false };
    status["held_back"].as_array().is_some_and(Vec::is_empty) && !status["reconciled_at"].is_null()
}

/// How long the program takes to say its version: loading it and nothing else.
fn nothing(programs: &Programs, dir: &Path) -> anyhow::Result<f64> {
    let mut spans = Vec::new();
    for _ in 0..STARTS {
        let mut command = programs.command("nightdesk");
        command.arg("--version");
        let mut version = Running::start(command, dir, "version")?;
        while version.ended()?.is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
        spans.push(version.started.elapsed().as_secs_f64());
    }
    Ok(median(spans))
}
