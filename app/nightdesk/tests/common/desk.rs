//! `nightdesk` as a process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::market::KEY;
use super::{http, signal, until};

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` when it was killed.
    pub(crate) code: Option<i32>,
    /// What it said on standard output.
    pub(crate) stdout: String,
    /// What it said on standard error.
    pub(crate) stderr: String,
    /// How long it took to end.
    pub(crate) took: Duration,
}

impl Ended {
    /// Standard output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {:?}\n{}", self.stdout, self.stderr))
    }
}

/// A running `nightdesk up`.
pub(crate) struct Desk {
    child: Child,
    dir: PathBuf,
    out: PathBuf,
    err: PathBuf,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Desk {
    /// Starts on the data directory `dir`; logs go beside it.
    pub(crate) fn up(dir: &Path, config: &Path, args: &[&str]) -> Self {
        let logs = dir.with_extension("logs");
        std::fs::create_dir_all(&logs).unwrap();
        let number = std::fs::read_dir(&logs).unwrap().count() / 2;
        let (out, err) = (logs.join(format!("{number:03}.out")), logs.join(format!("{number:03}.err")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightdesk"));
        command.args(["up", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir).arg("--config").arg(config);
        command.args(args).stdin(Stdio::null());
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        let started = Instant::now();
        Self { child: command.spawn().unwrap(), dir: dir.to_owned(), out, err, started }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// Fails when the process has ended by itself.
    pub(crate) fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("it ended by itself with {status}:\n{}", self.log());
        }
    }

    /// SIGKILL; gives when.
    pub(crate) fn kill(mut self) -> Instant {
        self.assert_alive();
        self.child.kill().unwrap();
        let at = Instant::now();
        self.child.wait().unwrap();
        at
    }

    /// SIGTERM, and what came of it.
    pub(crate) fn terminate(mut self) -> Ended {
        self.assert_alive();
        signal(self.pid(), "TERM");
        self.end(Duration::from_secs(60))
    }

    /// Waits for it to end by itself.
    pub(crate) fn end(&mut self, limit: Duration) -> Ended {
        let start = Instant::now();
        let status = until("the process ends", limit, || self.child.try_wait().unwrap());
        Ended {
            code: status.code(),
            took: start.elapsed(),
            stdout: std::fs::read_to_string(&self.out).unwrap(),
            stderr: self.log(),
        }
    }

    /// Address and token from `run.json`, once it is there.
    pub(crate) fn api(&mut self) -> (String, String) {
        let pid = self.pid();
        until("run.json", super::LONG, || {
            self.assert_alive();
            let text = std::fs::read(self.dir.join("run.json")).ok()?;
            let run: Value = serde_json::from_slice(&text).ok()?;
            (run["pid"] == pid).then_some(())?;
            let address = run["addresses"]["api"].as_str()?.strip_prefix("http://")?.to_owned();
            Some((address, run["token"].as_str()?.to_owned()))
        })
    }

    /// A resource of its API, which it may not serve at once.
    pub(crate) fn get(&mut self, path: &str) -> Value {
        until(path, super::LONG, || {
            self.assert_alive();
            let (address, token) = self.api();
            let (status, body) = http(&address, "GET", path, Some(&token), "").ok()?;
            (status == 200).then(|| serde_json::from_str(&body).unwrap())
        })
    }

    /// Asks its API.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let (address, token) = self.api();
        http(&address, method, path, Some(&token), body).unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs another command of `nightdesk` to its end.
pub(crate) fn nightdesk(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nightdesk"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Keeps the key of the tests' exchange in `dir`.
pub(crate) fn secret_set(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let done = nightdesk(&["secrets", "set", "exchange-api-key", "--data-dir", dir.to_str().unwrap()], KEY);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// `nightdesk verify`: exit code and report.
pub(crate) fn verify(dir: &Path, record: Option<&Path>) -> (Option<i32>, Value) {
    let mut args = vec!["verify", "--json", "--data-dir", dir.to_str().unwrap()];
    if let Some(record) = record {
        args.extend(["--record", record.to_str().unwrap()]);
    }
    let done = nightdesk(&args, "");
    let report = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    (done.status.code(), report)
}

const LIMITS: &str = r#"
allocation = "20000"
risk_budget = "5000"
max_drawdown = "50"
max_position = "10000"
max_order = "3000"
order_rate = { per_second = 50, per_minute = 2000 }
"#;

/// A configuration: `exchange` is the `[exchange]` table's body, `strategies` what trades, as `(instance, strategy, symbol,
/// parameters)`.
pub(crate) fn config(file: &Path, exchange: &str, strategies: &[(&str, &str, &str, &str)]) -> PathBuf {
    let mut text = format!(
        "listen = \"127.0.0.1:0\"\n[exchange]\n{exchange}\n[capital]\ncurrency = \"USDT\"\ntotal = \"{}\"\n\
         risk_budget = \"50%\"\nstress_move = \"10%\"\nmax_drawdown = \"50\"\ncollar = \"5\"\nfee = \"0.1\"\n\
         max_order = \"5000\"\n",
        20_000 * strategies.len()
    );
    for (instance, strategy, symbol, params) in strategies {
        text.push_str(&format!(
            "[capital.strategies.{instance}]{LIMITS}\n[[strategy]]\ninstance = \"{instance}\"\nstrategy = \"{strategy}\"\n\
             symbol = \"{symbol}\"\ngeneration = 1\n[strategy.params]\n{params}\n"
        ));
    }
    std::fs::write(file, text).unwrap();
    file.to_owned()
}
