//! The real programs as processes: built as a user builds them, started, asked over HTTP, and looked at from outside.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::load;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Key and secret that the exchange and its client share.
pub(crate) const KEY: (&str, &str) = ("benchkey0123456789", "benchsecret0123456789abcdef");
/// Limits that no benchmark reaches.
const UNLIMITED: &str = "4000000000";

/// The release binaries of this workspace.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds them beside this program: `cargo xtask bench` builds all of them before it starts us.
    pub(crate) fn find(names: &[&str]) -> anyhow::Result<Self> {
        let ours = std::env::current_exe()?;
        let found = Self { folder: ours.parent().context("a program lies in a folder")?.to_owned() };
        for name in names {
            ensure!(found.path(name).exists(), "{name} is not built: start this by `cargo xtask bench`");
        }
        Ok(found)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        command.stdin(Stdio::null());
        command
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A running program, killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) started: Instant,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts `command`; what it says goes to `NAME.out` and `NAME.err` in `dir`.
    pub(crate) fn start(mut command: Command, dir: &Path, name: &str) -> anyhow::Result<Self> {
        let (out, err) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.err")));
        command.stdout(std::fs::File::create(&out)?).stderr(std::fs::File::create(&err)?);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, started, out, err })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// The end of its standard error.
    pub(crate) fn complained(&self) -> String {
        tail(&self.err)
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Looks until `look` finds something, with `pause` in between.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        pause: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if let Some(status) = self.ended()? {
                bail!("it ended ({status}) before this: {what}\n{}", self.complained());
            }
            ensure!(Instant::now() < limit, "waited {} s in vain: {what}\n{}", PATIENCE.as_secs(), self.complained());
            std::thread::sleep(pause);
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// An exchange in a process of its own, with rate limits that no benchmark reaches.
pub(crate) struct Simulator {
    process: Running,
    /// `HOST:PORT` where it speaks Binance's protocol.
    pub(crate) address: String,
}

impl Simulator {
    pub(crate) fn start<A: AsRef<OsStr>>(programs: &Programs, dir: &Path, args: &[A]) -> anyhow::Result<Self> {
        let mut command = programs.command("exchange-simulator");
        command.args(["--listen", "127.0.0.1:0", "--control", "off", "--key", &format!("{}:{}", KEY.0, KEY.1)]);
        command.args(["--weight-limit", UNLIMITED, "--order-limit", UNLIMITED, "--order-limit-day", UNLIMITED]);
        command.args(args);
        let mut process = Running::start(command, dir, "simulator")?;
        let address = process.until("the exchange says where it listens", Duration::from_millis(5), |process| {
            let text = process.said();
            let (_, rest) = text.split_once("REST and streams on http://")?;
            Some(rest.split([' ', '"']).next()?.to_owned())
        })?;
        Ok(Self { process, address })
    }

    /// What it has used of the processors' time.
    pub(crate) fn cpu_time(&self) -> Duration {
        load::time_of(&format!("/proc/{}/stat", self.process.pid()), 11)
    }
}

/// Asks for JSON.
pub(crate) fn get(address: &str, path: &str, token: &str) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {}", head.lines().next().unwrap_or_default());
    Ok(serde_json::from_str(body)?)
}

/// A figure of `/proc/PID/status`, in bytes.
pub(crate) fn memory(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
