//! A server's process: as whom it runs, where it listens, how it ends.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::keeper;

/// Between two looks at something that takes its time.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// How long killed processes may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program is not there.
    #[error("{program} is not installed: {remedy}")]
    Missing {
        /// Which.
        program: String,
        /// How to get it.
        remedy: String,
    },
    /// It failed.
    #[error("{what}: {detail}")]
    Failed {
        /// What was tried.
        what: String,
        /// What it said.
        detail: String,
    },
    /// It ended instead of starting.
    #[error("start {name}: {status}{said}")]
    Ended {
        /// Which.
        name: &'static str,
        /// How.
        status: ExitStatus,
        /// Its last words.
        said: String,
    },
    /// The operating system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

/// Names what was tried.
pub(crate) fn trying(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServerError {
    let what = what.into();
    move |source| ServerError::Io { what, source }
}

/// As whom servers run: ourselves, unless we are root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User(Option<(u32, u32)>);

impl User {
    /// The first of `names` that exists, or `nobody`, when we are root.
    pub(crate) fn unprivileged(names: &[&str]) -> Result<Self, ServerError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(trying("read /etc/passwd"))?;
        let ids = |name: &str| {
            let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map_while(|field| field.parse().ok());
            Some((fields.next()?, fields.next()?))
        };
        let found = names.iter().copied().chain(["nobody"]).find_map(ids);
        found.map(|ids| Self(Some(ids))).ok_or_else(|| ServerError::Failed {
            what: "start a server as root".to_owned(),
            detail: "there is no unprivileged user to run it as".to_owned(),
        })
    }

    /// Makes `dir` for this user alone.
    pub(crate) fn make_dir(self, dir: &Path) -> Result<(), ServerError> {
        fs::create_dir_all(dir).map_err(trying(format!("make {}", dir.display())))?;
        if let Self(Some((uid, gid))) = self {
            chown(dir, Some(uid), Some(gid)).map_err(trying(format!("hand over {}", dir.display())))?;
        }
        Ok(())
    }

    /// Writes a file that only this user can read.
    pub(crate) fn write_secret(self, file: &Path, text: &str) -> Result<(), ServerError> {
        let mut options = fs::OpenOptions::new();
        let written = options.create_new(true).write(true).mode(0o600).open(file).and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            self.0.map_or(Ok(()), |(uid, gid)| chown(file, Some(uid), Some(gid)))
        });
        written.map_err(trying(format!("write {}", file.display())))
    }

    /// A command run by this user, with nothing to read, in a process group of its own.
    pub(crate) fn command(self, program: &Path) -> Command {
        self.prepared(Command::new(program))
    }

    /// The same, and killed when we are, whatever kills us.
    pub(crate) fn bound(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        self.prepared(command)
    }

    fn prepared(self, mut command: Command) -> Command {
        command.stdin(Stdio::null()).process_group(0).current_dir("/");
        if let Self(Some((uid, gid))) = self {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Where free ports are looked for: below those that Linux gives to outgoing connections (from 32768 on), or a connection
/// could take a port before its server listens, and keep it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Loopback ports nobody listens on now, each another.
///
/// # Errors
/// When the machine has none left.
pub fn free_ports<const N: usize>() -> Result<[u16; N], ServerError> {
    // Several processes look at the same time: each begins elsewhere, and never looks at a port twice.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    let count = u32::from(PORTS.end - PORTS.start);
    let mut ports = [0; N];
    // Held until all are found, or one might be found twice.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let free = (0..count).find_map(|_| {
            let offset = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
            let candidate = PORTS.start + u16::try_from(offset).unwrap_or_default();
            TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)).ok().map(|listener| (candidate, listener))
        });
        let (candidate, listener) =
            free.ok_or_else(|| trying("find a free port")(std::io::ErrorKind::AddrInUse.into()))?;
        *port = candidate;
        held.push(listener);
    }
    Ok(ports)
}

/// A password: kept in `file`, made at the first start.
pub(crate) fn password(user: User, file: &Path) -> Result<String, ServerError> {
    if let Ok(password) = fs::read_to_string(file) {
        return Ok(password);
    }
    let mut bytes = [0_u8; 16];
    let random = fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    random.map_err(trying("read /dev/urandom"))?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    user.write_secret(file, &password)?;
    Ok(password)
}

/// A running server, with everything it started. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose output goes to the file `log`.
    pub(crate) fn start(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self, ServerError> {
        let open = || fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = open().and_then(|out| Ok((out.try_clone()?, out)));
        let (out, err) = file.map_err(trying(format!("open {}", log.display())))?;
        command.stdout(out).stderr(err);
        let child = keeper::spawn(command).map_err(trying(format!("start {name}")))?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits until `ready` holds.
    pub(crate) fn wait_until(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<(), ServerError> {
        let start = Instant::now();
        while !ready() {
            let ended = self.child.try_wait().map_err(trying(format!("look after {}", self.name)))?;
            if let Some(status) = ended {
                return Err(ServerError::Ended { name: self.name, status, said: self.tail() });
            }
            if start.elapsed() > limit {
                let detail = format!("no answer within {limit:?}{}", self.tail());
                return Err(ServerError::Failed { what: format!("start {}", self.name), detail });
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The last it said.
    fn tail(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = said.lines().rev().take(5).collect();
        lines.into_iter().rev().fold(String::new(), |all, line| all + "\n" + line)
    }

    /// Signals it alone: how it is asked to end.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Signals it and everything it started, the parents first: PostgreSQL's are in sessions of their own.
    pub(crate) fn signal_all(&self, signal: Signal) {
        self.family().into_iter().for_each(|id| send(id, signal));
    }

    /// Its process id and those of everything it started, parents first.
    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.child.id()];
        let parents = parents();
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            next += 1;
        }
        family
    }

    /// Makes an end of all of it: when this returns, nothing holds its files or its port.
    fn kill_all(&mut self) -> Option<ExitStatus> {
        let family = self.family();
        family.iter().for_each(|id| send(*id, Signal::KILL));
        let status = self.child.wait().ok();
        let start = Instant::now();
        while family.iter().any(|id| is_alive(*id)) && start.elapsed() < KILLED {
            std::thread::sleep(LOOK);
        }
        status
    }

    /// Waits for its end, for `limit`; then makes an end.
    pub(crate) fn end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < limit {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(LOOK),
                Ok(Some(status)) => return Some(status),
                Err(_) => return None,
            }
        }
        self.kill_all()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Not ended, and not merely waiting for somebody to note its end.
pub(crate) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// One that has ended is left alone.
fn send(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name before may hold anything; after it come the state and the parent.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent(id)?)))
        .collect()
}
