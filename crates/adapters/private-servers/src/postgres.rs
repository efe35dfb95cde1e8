//! PostgreSQL of one's own.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Process, ServerError, User, free_ports, is_alive, password, trying};

/// Where Debian keeps the versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The oldest that we run on.
const OLDEST: u32 = 15;
const REMEDY: &str = "apt-get install --no-install-recommends postgresql";
/// How long a start may take, with recovery after a kill.
const START: Duration = Duration::from_secs(60);
/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);
/// How often a start is tried while an earlier server's processes are still ending, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// The user and the database in it.
const NAME: &str = "nightdesk";

/// A PostgreSQL server with a database and a superuser, both called `nightdesk`. Ends with its owner; its data stay.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: User,
    dir: PathBuf,
    port: u16,
    password: String,
    /// `None` while it is stopped.
    process: Option<Process>,
}

impl Postgres {
    /// Starts it with its data in `dir`, made if it is not there. The user it runs as must be able to reach `dir`.
    ///
    /// # Errors
    /// When the programs are missing, or it does not start; with its last words.
    pub fn start(dir: &Path) -> Result<Self, ServerError> {
        let (programs, user) = (programs()?, User::unprivileged(&["postgres"])?);
        user.make_dir(dir)?;
        let password = password(user, &dir.join("password"))?;
        let [port] = free_ports()?;
        let mut server = Self { programs, user, dir: dir.to_owned(), port, password, process: None };
        if !server.data().join("PG_VERSION").is_file() {
            server.initialise()?;
        }
        server.restart()?;
        Ok(server)
    }

    /// Where the server is that somebody else has started with its data in `dir`; `None` where none runs. Holds the
    /// password.
    #[must_use]
    pub fn running(dir: &Path) -> Option<String> {
        let password = fs::read_to_string(dir.join("password")).ok()?;
        // Its fourth line is the port.
        let facts = fs::read_to_string(dir.join("data").join("postmaster.pid")).ok()?;
        let port: u16 = facts.lines().nth(3)?.trim().parse().ok()?;
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some(address(port, &password))
    }

    /// Where it is, as `postgres://…`. Holds the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by way of another port, as of a proxy.
    #[must_use]
    pub fn url_by(&self, port: u16) -> String {
        address(port, &self.password)
    }

    /// Its port on the loopback address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Starts it again, at the same port.
    ///
    /// # Errors
    /// When it does not start; with its last words.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        let mut tried = 1;
        loop {
            match self.start_once() {
                // Processes of a server that was killed with its owner may not have ended yet.
                Err(ServerError::Failed { detail, .. }) if is_passing(&detail) && tried < TRIES => {
                    std::thread::sleep(PAUSE);
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    fn start_once(&mut self) -> Result<(), ServerError> {
        self.forget_dead()?;
        let mut command = self.user.bound(&self.programs.join("postgres"));
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100"] {
            command.args(["-c", setting]);
        }
        let mut process = Process::start("postgres", command, self.dir.join("postgres.log"))?;
        let (programs, port) = (self.programs.clone(), self.port.to_string());
        process.wait_until(START, || {
            let connects = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            connects && succeeds(Command::new(programs.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]))
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Whether it has ended without being asked to.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::has_ended)
    }

    /// Removes the mark of a server that is dead: where nobody has noted its end, PostgreSQL takes it for one that runs.
    fn forget_dead(&self) -> Result<(), ServerError> {
        let mark = self.data().join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&mark) else { return Ok(()) };
        let Some(id) = text.lines().next().and_then(|line| line.trim().parse().ok()) else { return Ok(()) };
        if is_alive(id) {
            return Ok(());
        }
        fs::remove_file(&mark).map_err(trying(format!("remove {}", mark.display())))
    }

    /// Kills it with all its processes, as kill -9 and a lost machine do.
    pub fn kill(&mut self) {
        // Dropping kills.
        self.process = None;
    }

    /// Freezes it.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // "Fast": sessions are ended, and everything is written.
            process.signal(Signal::INT);
            process.end(STOP);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal_all(signal);
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn initialise(&self) -> Result<(), ServerError> {
        let secret = self.dir.join("password");
        let mut command = self.user.command(&self.programs.join("initdb"));
        command.arg("-D").arg(self.data()).args(["-U", NAME, "-A", "scram-sha-256", "-E", "UTF8"]);
        command.args(["--no-locale", "--pwfile"]).arg(&secret);
        let output = command.output().map_err(trying("start initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("make a database in {} (its user must be able to reach it)", self.dir.display());
        Err(ServerError::Failed { what, detail: said })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.thaw();
        self.stop();
    }
}

/// Where the newest version's programs are.
fn programs() -> Result<PathBuf, ServerError> {
    let missing = || ServerError::Missing { program: format!("PostgreSQL {OLDEST}"), remedy: REMEDY.to_owned() };
    let versions = fs::read_dir(VERSIONS).map_err(|_| missing())?;
    let numbers = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let programs = |version: u32| Path::new(VERSIONS).join(version.to_string()).join("bin");
    let usable = numbers.filter(|version| *version >= OLDEST && programs(*version).join("postgres").is_file());
    usable.max().map(programs).ok_or_else(missing)
}

/// Whether a start failed for what an earlier server leaves behind for a moment.
fn is_passing(detail: &str) -> bool {
    ["still in use", "postmaster.pid\" already exists"].iter().any(|said| detail.contains(said))
}

fn address(port: u16, password: &str) -> String {
    format!("postgres://{NAME}:{password}@127.0.0.1:{port}/postgres")
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_survives_a_kill_and_keeps_its_password() {
        let dir = std::env::temp_dir().join(format!("nightdesk-private-postgres-{}", std::process::id()));
        let mut server = Postgres::start(&dir).unwrap();
        let url = server.url();
        assert_eq!(Postgres::running(&dir).as_ref(), Some(&url));
        server.kill();
        assert_eq!(Postgres::running(&dir), None);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err());
        server.restart().unwrap();
        drop(server);
        let again = Postgres::start(&dir).unwrap();
        assert_eq!(url.split('@').next(), again.url().split('@').next());
        drop(again);
        fs::remove_dir_all(&dir).unwrap();
    }
}
