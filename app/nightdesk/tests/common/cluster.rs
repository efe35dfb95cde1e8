//! `nightdesk cluster up` as a test drives it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Ended, LONG, Record, http, nightdesk, signal, until};

/// A running cluster on a simulated exchange of its own.
pub(crate) struct Cluster {
    child: Child,
    dir: PathBuf,
    out: PathBuf,
    err: PathBuf,
}

impl Cluster {
    /// Starts one, and waits until every service acts.
    pub(crate) fn up(dir: &Path, config: &Path, args: &[&str]) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let (out, err) = (dir.with_extension("out"), dir.with_extension("err"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightdesk"));
        command.args(["cluster", "up", "--json", "--data-dir"]).arg(dir).arg("--config").arg(config).args(args);
        command.stdin(Stdio::null()).stdout(std::fs::File::create(&out).unwrap());
        let child = command.stderr(std::fs::File::create(&err).unwrap()).spawn().unwrap();
        let mut cluster = Self { child, dir: dir.to_owned(), out, err };
        until("every service acts", LONG * 2, || {
            cluster.assert_alive();
            cluster.log().contains("the cluster runs").then_some(())
        });
        cluster
    }

    /// Its own process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the cluster ended by itself with {status}:\n{}", self.log());
        }
    }

    fn entry(&self, name: &str) -> Value {
        // Replaced whole, so it is always there.
        let text = std::fs::read(self.dir.join("processes.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()[name].clone()
    }

    /// The process id of one of its processes, once it runs.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        until(name, LONG, || u32::try_from(self.entry(name)["pid"].as_u64()?).ok())
    }

    /// All of its processes' ids.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let text = std::fs::read(self.dir.join("processes.json")).unwrap();
        let all: serde_json::Map<String, Value> = serde_json::from_slice(&text).unwrap();
        all.values().filter_map(|entry| u32::try_from(entry["pid"].as_u64()?).ok()).collect()
    }

    /// What one of its processes has logged.
    pub(crate) fn log_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join("logs").join(format!("{name}.log"))).unwrap()
    }

    /// Whether a replica acts; the process must not be frozen.
    pub(crate) fn acts(&self, name: &str) -> bool {
        self.ready(name).is_some_and(|ready| ready.starts_with("acts"))
    }

    /// Whether a replica stands by.
    pub(crate) fn stands_by(&self, name: &str) -> bool {
        self.ready(name).is_some_and(|ready| ready.starts_with("standby"))
    }

    fn ready(&self, name: &str) -> Option<String> {
        let address = self.entry(name)["address"].as_str()?.to_owned();
        let (_, page) = http(&address, "GET", "/ready", None, "").ok()?;
        let page: Value = serde_json::from_str(&page).ok()?;
        Some(page["dependencies"]["lease"]["remark"].as_str()?.to_owned())
    }

    /// The replica of `service` that acts, and the one that stands by.
    pub(crate) fn replicas(&self, service: &str) -> (String, String) {
        let names = [1, 2].map(|replica| format!("{service}-{replica}"));
        until("one acts and the other stands by", LONG, || {
            let [one, other] = &names;
            match (self.acts(one), self.acts(other)) {
                (true, false) if self.stands_by(other) => Some((one.clone(), other.clone())),
                (false, true) if self.stands_by(one) => Some((other.clone(), one.clone())),
                _ => None,
            }
        })
    }

    /// The exchange's own record.
    pub(crate) fn record(&self) -> Record {
        Record::follow(&self.dir.join("exchange").join("record.jsonl"))
    }

    /// Stops the market, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        let address = self.entry("exchange")["address"].as_str().unwrap().to_owned();
        let body = format!(r#"{{"paused":{paused}}}"#);
        // It may just be starting again.
        until("the exchange takes orders", LONG, || {
            http(&address, "POST", "/market", None, &body).is_ok_and(|(status, _)| status == 200).then_some(())
        });
    }

    /// Waits for `count` more orders at the exchange.
    pub(crate) fn trades_on(&mut self, record: &mut Record, count: usize) -> Duration {
        let (start, before) = (Instant::now(), record.look().order_count());
        until("it orders", LONG, || {
            self.assert_alive();
            (record.look().order_count() >= before + count).then_some(())
        });
        start.elapsed()
    }

    /// Lets what is under way come to its end, and compares everything.
    pub(crate) fn verify_at_rest(&mut self) -> Value {
        self.pause(true);
        let start = Instant::now();
        let mut last = Value::Null;
        while start.elapsed() < LONG {
            self.assert_alive();
            let done = nightdesk(&["verify", "--json", "--data-dir", self.dir.to_str().unwrap()], "");
            // A database that was killed may still be on its way back: then there is no report, only the reason.
            let report = serde_json::from_slice(&done.stdout)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&done.stderr).into_owned()));
            if done.status.code() == Some(0) {
                self.pause(false);
                println!(
                    "     {:>6} ms until nothing differs; at last: {}",
                    start.elapsed().as_millis(),
                    last["listed"]
                );
                return report;
            }
            last = report;
        }
        panic!("differences that stay: {last:#}");
    }

    /// Its database's address.
    pub(crate) fn database(&self) -> String {
        let dir = self.dir.join("servers").join("postgres");
        let password = std::fs::read_to_string(dir.join("password")).unwrap();
        let pid = std::fs::read_to_string(dir.join("data").join("postmaster.pid")).unwrap();
        let port = pid.lines().nth(3).unwrap().trim().to_owned();
        format!("postgres://nightdesk:{password}@127.0.0.1:{port}/postgres")
    }

    /// The process id of its database or its broker.
    pub(crate) fn server(&self, name: &str) -> u32 {
        let file = match name {
            "postgres" => self.dir.join("servers/postgres/data/postmaster.pid"),
            _ => self.dir.join("servers/rabbitmq/pid"),
        };
        let text = until(name, LONG, || std::fs::read_to_string(&file).ok());
        text.lines().next().unwrap().trim().parse().unwrap()
    }

    /// SIGTERM, and what came of it.
    pub(crate) fn terminate(mut self) -> Ended {
        self.assert_alive();
        signal(self.child.id(), "TERM");
        let start = Instant::now();
        let status = until("the cluster ends", LONG * 2, || self.child.try_wait().unwrap());
        let stdout = std::fs::read_to_string(&self.out).unwrap();
        Ended { code: status.code(), took: start.elapsed(), stdout, stderr: self.log() }
    }

    /// SIGKILL: everything else must end by itself.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
