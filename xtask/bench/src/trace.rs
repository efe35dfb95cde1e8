//! The proof that nothing is sent before it is durable: this program trades once more under `strace`, and the trace is read.
//!
//! For each order the trace must show, in this sequence: the connector's write-ahead log is written with the fact in it
//! that this order is attempted, that file is synced and the kernel says so, and only then a request to place that order
//! goes to a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::process::Programs;
use crate::report::{Section, Target};
use crate::strategies::Pace;
use crate::{Settings, protocol};

/// Calls that write a store, make it durable, or send.
const CALLS: &str = "pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev";
/// Longer than a page of SQLite and than any request: what a call writes must be seen whole.
const BYTES: &str = "16384";
/// Orders a second: few, because the tracer stops the process at each of these calls.
const PACE: f64 = 50.0;
/// How every order of the benchmark's instance begins, and how long it is.
const ID: (&str, usize) = ("nd-bench-", 25);
/// How a request to place an order begins.
const PLACEMENT: &str = "\"POST /api/v3/order?";
const LOG: &str = "exchange-connector.sqlite-wal>";

/// What the traced process says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    orders: u64,
    commits: u64,
}

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("durable before sent");
    let name = "orders sent before their record was durable";
    if Command::new("strace").arg("--version").stdout(Stdio::null()).status().is_err() {
        section.unknown(name, "", Target::AtMost(0.0));
        section.note("missing", "strace; install it with: apt-get install -y strace");
        return Ok(section);
    }
    let programs = Programs::find(&["exchange-simulator"])?;
    let dir = settings.fresh_dir("traced")?;
    let exchange = protocol::start_exchange(&programs, &dir)?;
    let trace = dir.join("strace.txt");
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--quiet=all", "--signal=none"]);
    command.args(["--string-limit", BYTES, "--trace", CALLS, "--output"]).arg(&trace);
    command.arg(std::env::current_exe()?).args(["--traced", &exchange.address, "--dir"]).arg(&dir);
    let span = settings.span(5).as_secs().to_string();
    let output = command.args(["--seconds", &span]).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the traced run failed ({})", output.status);
    let told: Told = serde_json::from_slice(&output.stdout).context("what the traced run says")?;
    let mut seen = Seen::default();
    for line in BufReader::new(std::fs::File::open(&trace)?).split(b'\n') {
        seen.read(&String::from_utf8_lossy(&line?));
    }
    section.must(name, seen.too_soon.len() as f64, "", Target::AtMost(0.0));
    section.must("orders seen on their way", seen.sent.len() as f64, "", Target::AtLeast(told.orders.max(1) as f64));
    section.add("orders journaled", told.orders as f64, "");
    section.add("commits", told.commits as f64, "");
    section.must("syncs of write-ahead logs", seen.log_syncs as f64, "", Target::AtLeast(told.commits as f64));
    section.add("syncs of all files", seen.syncs as f64, "");
    section.note(
        "how",
        "strace of pwrite64, fdatasync, fsync and sends, over the real protocol, every order followed by its id",
    );
    section.note("pace", format!("{PACE} orders a second for {span} s; the tracer slows each of these calls down"));
    drop(exchange);
    std::fs::remove_dir_all(&dir)?;
    Ok(section)
}

/// The traced run itself: trades at the exchange at `address` and says on standard output what it did.
pub(crate) fn traced(address: &str, dir: &Path, span: Duration) -> anyhow::Result<String> {
    let load = Load { pace: Pace::Rate(PACE), window: 64, warm_up: Duration::from_secs(3), span };
    let outcome = protocol::trade(load, dir, address)?;
    Ok(serde_json::to_string(&Told { orders: outcome.orders, commits: outcome.commits })?)
}

/// What a trace shows.
#[derive(Debug, Default)]
struct Seen {
    /// Written to the log, not yet synced.
    written: BTreeSet<String>,
    durable: BTreeSet<String>,
    sent: BTreeSet<String>,
    too_soon: BTreeSet<String>,
    syncs: u64,
    log_syncs: u64,
    /// Syncs that have begun, by thread: what they will have made durable.
    under_way: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn read(&mut self, line: &str) {
        let Some((thread, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        if call.starts_with("pwrite64(") && call.contains(LOG) {
            for id in attempts(call).filter(|id| !self.durable.contains(*id)) {
                self.written.insert(id.to_owned());
            }
        } else if call.starts_with("fdatasync(") || call.starts_with("fsync(") {
            self.syncs += 1;
            self.log_syncs += u64::from(call.contains("-wal>"));
            let covered = if call.contains(LOG) { self.written.clone() } else { BTreeSet::new() };
            self.under_way.insert(thread.to_owned(), covered);
            if !call.contains("<unfinished") {
                self.end_sync(thread, call);
            }
        } else if call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>") {
            self.end_sync(thread, call);
        } else if let Some((_, request)) = call.split_once(PLACEMENT) {
            for id in ids(request).take(1) {
                if !self.durable.contains(id) {
                    self.too_soon.insert(id.to_owned());
                }
                self.sent.insert(id.to_owned());
            }
        }
    }

    fn end_sync(&mut self, thread: &str, call: &str) {
        let covered = self.under_way.remove(thread).unwrap_or_default();
        if call.trim_end().ends_with("= 0") {
            self.written.retain(|id| !covered.contains(id));
            self.durable.extend(covered);
        }
    }
}

/// The ids of orders whose attempt stands as a fact in what a call writes, which strace shows with escaped quotes.
fn attempts(call: &str) -> impl Iterator<Item = &str> {
    const FACT: &str = r#"{\"attempted\":{"#;
    call.match_indices(FACT).filter_map(|(at, _)| {
        let fact = call.get(at + FACT.len()..)?;
        // Its own id comes first: what follows the fact's end is another row's.
        ids(fact.split(FACT).next()?).next()
    })
}

/// The ids of orders in `text`.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(ID.0).filter_map(|(at, _)| text.get(at..at + ID.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "nd-bench-aaaaaaaaaaaaaaaa";

    fn check(lines: &[&str]) -> (usize, usize, u64) {
        let mut seen = Seen::default();
        lines.iter().for_each(|line| seen.read(line));
        (seen.sent.len(), seen.too_soon.len(), seen.log_syncs)
    }

    fn lines() -> [String; 4] {
        [
            format!(
                r#"7 pwrite64(9</d/exchange-connector.sqlite-wal>, "\0{{\"attempted\":{{\"id\":\"{A}\"}}}}", 4096, 32) = 4096"#
            ),
            "7 fdatasync(9</d/exchange-connector.sqlite-wal> <unfinished ...>".to_owned(),
            "7 <... fdatasync resumed>)          = 0".to_owned(),
            format!(
                r#"8 sendto(12<socket:[1]>, "POST /api/v3/order?symbol=X&newClientOrderId={A}&x=y HTTP/1.1\r\n", 90, 0, NULL, 0) = 90"#
            ),
        ]
    }

    #[test]
    fn written_synced_sent_is_how_it_must_be() {
        let [write, begin, end, send] = &lines();
        assert_eq!(check(&[write, begin, end, send]), (1, 0, 1));
    }

    #[test]
    fn a_send_before_the_sync_has_ended_is_too_soon() {
        let [write, begin, end, send] = &lines();
        assert_eq!(check(&[write, begin, send, end]), (1, 1, 1));
        assert_eq!(check(&[send]), (1, 1, 0));
    }

    #[test]
    fn another_fact_about_the_order_is_no_attempt() {
        let [write, begin, end, send] = &lines();
        assert_eq!(check(&[&write.replace("attempted", "over"), begin, end, send]), (1, 1, 1));
    }

    #[test]
    fn a_sync_covers_only_what_was_written_before_it_began_and_only_if_it_succeeds() {
        let [write, begin, end, send] = &lines();
        assert_eq!(check(&[begin, write, end, send]), (1, 1, 1));
        assert_eq!(check(&[write, begin, &end.replace("= 0", "= -1 EIO"), send]), (1, 1, 1));
        let other = begin.replace("exchange-connector", "core-engine");
        assert_eq!(check(&[write, &other, end, send]), (1, 1, 1));
    }
}
