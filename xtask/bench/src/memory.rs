//! Resident memory of the real program: while it plays a long recording as fast as it can, and while it trades on a seeded
//! market over the real protocol.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use nightdesk_exchange_simulator::market::Lines;
use serde_json::Value;

use crate::process::{self, Programs, Running};
use crate::report::{Section, Target, rate};
use crate::{Settings, backtest};

const MB: f64 = 1e6;
const GOAL_MB: f64 = 150.0;
/// What the second half may grow by and still be called flat.
const FLAT_MB: f64 = 5.0;
/// How often both recordings are played, one behind the other.
const REPEATS: i64 = 4;
const LOOK: Duration = Duration::from_millis(50);

/// One look: seconds since the start, bytes.
type Look = (f64, f64);

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let programs = Programs::find(&["nightdesk"])?;
    let dir = settings.fresh_dir("memory")?;
    let mut section = Section::new("memory");
    let long = dir.join("long");
    let messages = lengthen(&backtest::files(settings)?, settings.repeats.unwrap_or(REPEATS), &long)?;
    let mut command = programs.command("nightdesk");
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--speed", "max", "--exit-at-end", "--replay"]).arg(&long);
    let (looks, told) = watch(command, &dir, "full-speed")?;
    let took = looks.last().map_or(0.0, |(at, _)| *at);
    tell(&mut section, "full speed", &looks);
    section.add("full speed: messages played", messages as f64, "");
    section.add(
        "full speed: messages a second, files and shells included",
        rate(messages, Duration::from_secs_f64(took)),
        "1/s",
    );
    section.add("full speed: fills", told["fills"].as_f64().unwrap_or(0.0), "");
    section.must("full speed: differences found by verify", differences(&told), "", Target::AtMost(0.0));

    let span = settings.span(30).as_secs();
    let mut command = programs.command("nightdesk");
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--seed", "7", "--for", &format!("{span}s")]);
    let (looks, told) = watch(command, &dir, "seeded")?;
    tell(&mut section, "seeded", &looks);
    section.add("seeded: fills", told["fills"].as_f64().unwrap_or(0.0), "");
    section.must("seeded: differences found by verify", differences(&told), "", Target::AtMost(0.0));
    section.note("program", "nightdesk up, release build, demo configuration");
    section.note(
        "full speed",
        "both recordings again and again, times and ids moved on, --speed max, exchange in the process",
    );
    section.note("seeded", format!("synthetic market, embedded exchange over HTTP and WebSocket, {span} s"));
    section.note("growth", "of a line through the second half of the looks, over that half");
    section.note("looked", format!("VmRSS every {} ms", LOOK.as_millis()));
    std::fs::remove_dir_all(&dir)?;
    Ok(section)
}

/// What the run itself found at its end; one where it does not say.
fn differences(told: &Value) -> f64 {
    if told["verify"] == "clean" { 0.0 } else { told["verify_report"]["differences"].as_f64().unwrap_or(1.0) }
}

fn watch(mut command: Command, dir: &Path, name: &str) -> anyhow::Result<(Vec<Look>, Value)> {
    command.arg("--data-dir").arg(dir.join(name));
    let mut desk = Running::start(command, dir, name)?;
    let mut looks = Vec::new();
    let status = loop {
        if let Some(bytes) = process::memory(desk.pid(), "VmRSS") {
            looks.push((desk.started.elapsed().as_secs_f64(), bytes as f64));
        }
        match desk.ended()? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK),
        }
    };
    ensure!(status.success(), "{name}: it ended with {status}\n{}", desk.complained());
    Ok((looks, serde_json::from_str(&desk.said()).context("what the run says at its end")?))
}

fn tell(section: &mut Section, name: &str, looks: &[Look]) {
    let most = looks.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    let half = &looks[looks.len() / 2..];
    let span = half.last().map_or(0.0, |last| last.0) - half.first().map_or(0.0, |first| first.0);
    let growth = slope(half) * span;
    section.must(format!("{name}: resident, most"), most / MB, "MB", Target::AtMost(GOAL_MB));
    section.must(format!("{name}: growth in the second half"), growth / MB, "MB", Target::AtMost(FLAT_MB));
    section.add(format!("{name}: slope over the second half"), slope(half) / MB * 60.0, "MB/min");
    section.add(format!("{name}: watched for"), looks.last().map_or(0.0, |look| look.0), "s");
}

/// Bytes a second of the line that fits best.
fn slope(looks: &[Look]) -> f64 {
    let count = looks.len().max(1) as f64;
    let (x, y) = looks.iter().fold((0.0, 0.0), |(x, y), look| (x + look.0 / count, y + look.1 / count));
    let (up, across) = looks
        .iter()
        .fold((0.0, 0.0), |(up, across), look| (up + (look.0 - x) * (look.1 - y), across + (look.0 - x).powi(2)));
    if across > 0.0 { up / across } else { 0.0 }
}

/// Writes `files` one behind the other `repeats` times, with times and ids moved on so that the whole is one market; gives
/// the number of messages.
fn lengthen(files: &[PathBuf], repeats: i64, to: &Path) -> anyhow::Result<u64> {
    let mut out = BufWriter::new(File::create(to).with_context(|| format!("cannot write {}", to.display()))?);
    let mut count = 0;
    // A gap between two rounds, as between two recordings: snapshots begin the next one.
    let (mut span, mut id_span) = (Moved::default(), Moved::default());
    for round in 0..repeats {
        for file in files {
            let mut lines = Lines::open(file)?;
            while let Some((_, line)) = lines.next_line()? {
                let (time, json) = line.split_once(' ').context("no time in a recorded line")?;
                let time: i64 = time.parse()?;
                span.see(time);
                let mut message: Value = serde_json::from_str(json)?;
                shift(&mut message, round * span.length() / 1_000_000, round * id_span.length(), &mut id_span);
                writeln!(out, "{} {}", time + round * span.length(), text(&message))?;
                count += 1;
            }
        }
        span.close();
        id_span.close();
    }
    out.flush()?;
    Ok(count)
}

/// A message as the exchange writes it: the stream's name comes first.
fn text(message: &Value) -> String {
    match (message.get("stream"), message.get("data")) {
        (Some(stream), Some(data)) => format!("{{\"stream\":{stream},\"data\":{data}}}"),
        _ => message.to_string(),
    }
}

/// The range of a number, told after the first round.
#[derive(Default)]
struct Moved {
    range: Option<(i64, i64)>,
    closed: bool,
}

impl Moved {
    fn see(&mut self, value: i64) {
        if !self.closed {
            let (low, high) = self.range.unwrap_or((value, value));
            self.range = Some((low.min(value), high.max(value)));
        }
    }

    fn close(&mut self) {
        self.closed = true;
    }

    /// Zero in the first round. A million more than the range: a second or so in nanoseconds is no matter here.
    fn length(&self) -> i64 {
        self.range.filter(|_| self.closed).map_or(0, |(low, high)| high - low + 1_000_000)
    }
}

fn shift(message: &mut Value, millis: i64, ids: i64, seen: &mut Moved) {
    let Some(fields) = message.as_object_mut() else { return };
    for (name, value) in fields {
        match name.as_str() {
            "data" => shift(value, millis, ids, seen),
            "E" | "T" => add(value, millis),
            "u" | "U" | "lastUpdateId" => {
                seen.see(value.as_i64().unwrap_or(0));
                add(value, ids);
            }
            // Trade ids have a range of their own, smaller than that of updates.
            "t" => add(value, ids),
            _ => {}
        }
    }
}

fn add(value: &mut Value, by: i64) {
    if let Some(old) = value.as_i64() {
        *value = (old + by).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_growing_memory_rises() {
        let looks: Vec<Look> = (0..100).map(|i| (f64::from(i), 5.0 + 3.0 * f64::from(i))).collect();
        assert!((slope(&looks) - 3.0).abs() < 1e-9);
        assert_eq!(slope(&[]), 0.0);
        assert_eq!(slope(&[(1.0, 2.0)]), 0.0);
    }

    #[test]
    fn ids_and_times_move_on() {
        let mut message =
            serde_json::json!({ "stream": "x@trade", "data": { "e": "trade", "E": 5, "t": 7, "p": "1" } });
        shift(&mut message, 10, 100, &mut Moved::default());
        assert_eq!(
            message,
            serde_json::json!({ "stream": "x@trade", "data": { "e": "trade", "E": 15, "t": 107, "p": "1" } })
        );
    }
}
