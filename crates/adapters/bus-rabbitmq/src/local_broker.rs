//! A private RabbitMQ on this machine, from the Debian package: for tests, and for running everything on one machine.
//!
//! It listens on loopback only, on free ports, with a name server (epmd) and a password of its own, as an unprivileged
//! user, and ends with whoever started it. It is no way to run RabbitMQ where others depend on it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The server's own start script; the one on the path refuses anybody but its user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// The user of the Debian package, taken where we are root.
const USER: &str = "rabbitmq";
/// How long a start may take; on a busy machine the first one takes 20 s.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a polite stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// On loopback, and without busy waiting: the machine is shared.
const ERLANG: &str = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";
/// After a restart, a quorum queue of RabbitMQ 3.10's that a client asks for before it has elected its only member never
/// does so (rabbitmq-server issue 10070): "leader not known", for ever. So the node looks ten times a second and has
/// such a queue elect. The start script splits at spaces, therefore there are none.
const ELECT: &str = "F=fun(F)->(catch[ra:trigger_election({N,node()})||{N,follower}<-ets:tab2list(ra_state)]),\
    timer:sleep(100),F(F)end,spawn(fun()->F(F)end).";

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The program is not there.
    #[error("{0} is missing; install it with: apt-get install -y rabbitmq-server")]
    Missing(&'static str),
    /// The machine refuses.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended, or does not answer.
    #[error("RabbitMQ did not start: {why}; its log is in {log}")]
    Start {
        /// What happened.
        why: String,
        /// Where to look.
        log: PathBuf,
    },
}

/// A running broker, or one that was killed and can be started again. Dropping it ends it; its folder stays.
pub struct LocalBroker {
    folder: PathBuf,
    password: String,
    port: u16,
    dist_port: u16,
    epmd_port: u16,
    owner: Option<(u32, u32)>,
    keeper: Keeper,
    node: Option<Child>,
    epmd: Option<Child>,
}

impl LocalBroker {
    /// Starts a broker whose data is in `folder`, which may be new, and waits until it answers. Blocks for seconds.
    ///
    /// # Errors
    /// When the package is missing, the folder cannot be used or the broker does not come up.
    pub fn start(folder: &Path) -> Result<Self, BrokerError> {
        if !Path::new(SERVER).exists() {
            return Err(BrokerError::Missing(SERVER));
        }
        let owner = unprivileged()?;
        let [port, dist_port, epmd_port] = free_ports().map_err(io("find free ports"))?;
        let password = random()?;
        let (folder, keeper) = (folder.to_owned(), Keeper::new());
        let mut broker = Self { folder, password, port, dist_port, epmd_port, owner, keeper, node: None, epmd: None };
        broker.prepare().map_err(io("prepare the broker's folder"))?;
        let port = epmd_port.to_string();
        let mut epmd = broker.command("epmd");
        epmd.args(["-port", &port, "-address", "127.0.0.1"]);
        broker.epmd = Some(broker.keeper.spawn(epmd).map_err(io("start epmd"))?);
        broker.start_again()?;
        Ok(broker)
    }

    /// Starts the broker again on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<(), BrokerError> {
        self.launch()?;
        self.wait(START_LIMIT)
    }

    /// Starts the broker again without waiting.
    ///
    /// # Errors
    /// When its program cannot be started.
    pub fn launch(&mut self) -> Result<(), BrokerError> {
        let mut command = self.command(SERVER);
        let path = |name: &str| self.folder.join(name);
        command
            .env("RABBITMQ_NODENAME", "nightdesk@localhost")
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", path("env.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            // The script then becomes the server instead of watching it: the process id is the server's.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("{ERLANG} -eval {ELECT}"));
        self.node = Some(self.keeper.spawn(command).map_err(io("start RabbitMQ"))?);
        Ok(())
    }

    /// Waits until the broker answers in its protocol.
    ///
    /// # Errors
    /// When it has ended, or does not answer within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<(), BrokerError> {
        let start = Instant::now();
        let failed = |why: String, folder: &Path| BrokerError::Start { why, log: folder.join("log") };
        while !answers(self.port) {
            if let Some(status) = self.node.as_mut().and_then(|node| node.try_wait().ok().flatten()) {
                return Err(failed(status.to_string(), &self.folder));
            }
            if start.elapsed() > limit {
                return Err(failed(format!("no answer within {} s", limit.as_secs()), &self.folder));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The address for [`crate::RabbitConfig::new`]. It holds the password.
    #[must_use]
    pub fn address(&self) -> String {
        self.address_at(self.port)
    }

    /// The address as it is through something that listens on another port of this machine.
    #[must_use]
    pub fn address_at(&self, port: u16) -> String {
        format!("amqp://nightdesk:{}@127.0.0.1:{port}/%2f", self.password)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.node.as_ref().map(Child::id)
    }

    /// Kills the server, as a power cut would.
    pub fn kill(&mut self) {
        end(&mut self.node);
    }

    /// Stops the server from running without ending it.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen server run again.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Asks the server to end, and kills it when it takes too long.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let start = Instant::now();
        while start.elapsed() < STOP_LIMIT {
            match self.node.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => thread::sleep(LOOK_EVERY),
                _ => break,
            }
        }
        self.kill();
    }

    fn signal(&self, signal: &str) {
        if let Some(pid) = self.pid() {
            let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stdin(Stdio::null()).status();
        }
    }

    /// Writes what the server reads at its start.
    fn prepare(&self) -> io::Result<()> {
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\ndefault_user = nightdesk\ndefault_pass = {}\n\
             vm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 50MB\n\
             raft.wal_max_size_bytes = 67108864\nlog.console = false\n",
            self.port, self.password
        );
        let cookie = format!("{:x}", std::process::id()) + &self.password;
        fs::create_dir_all(&self.folder)?;
        for (name, text) in [
            ("rabbitmq.conf", config.as_str()),
            ("env.conf", ""),
            ("enabled_plugins", "[]."),
            (".erlang.cookie", &cookie),
        ] {
            let path = self.folder.join(name);
            let _ = fs::remove_file(&path);
            // The cookie and the configuration let in whoever can read them.
            let mut file = File::options().write(true).create_new(true).mode(0o400).open(&path)?;
            file.write_all(text.as_bytes())?;
            self.give(&path)?;
        }
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        self.give(&self.folder)
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// `program` as the unprivileged user, in the broker's folder, killed when we are.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some((user, group)) = self.owner {
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        let log = |name: &str| File::create(self.folder.join(name)).map_or_else(|_| Stdio::null(), Stdio::from);
        command
            .arg(program)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(log("stdout.log"))
            .stderr(log("stderr.log"));
        command
    }
}

impl Drop for LocalBroker {
    fn drop(&mut self) {
        end(&mut self.node);
        end(&mut self.epmd);
    }
}

fn end(process: &mut Option<Child>) {
    if let Some(mut child) = process.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Starts processes on a thread that lives as long as the broker: "killed when the parent dies" is about the thread.
struct Keeper(mpsc::SyncSender<(Command, mpsc::SyncSender<io::Result<Child>>)>);

impl Keeper {
    fn new() -> Self {
        let (orders, taken) = mpsc::sync_channel::<(Command, mpsc::SyncSender<io::Result<Child>>)>(1);
        thread::spawn(move || {
            while let Ok((mut command, answer)) = taken.recv() {
                let _ = answer.send(command.spawn());
            }
        });
        Self(orders)
    }

    fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, started) = mpsc::sync_channel(1);
        let gone = || io::Error::other("the starting thread is gone");
        self.0.send((command, answer)).map_err(|_| gone())?;
        started.recv().map_err(|_| gone())?
    }
}

fn io(what: &str) -> impl FnOnce(io::Error) -> BrokerError {
    let what = what.to_owned();
    move |source| BrokerError::Io { what, source }
}

/// User and group to run as, where we are root; `None` where we are nobody special already.
fn unprivileged() -> Result<Option<(u32, u32)>, BrokerError> {
    let us = fs::metadata("/proc/self").map_err(io("see who we are"))?.uid();
    if us != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(io("read the list of users"))?;
    let ids = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, user, group, ..] = fields.as_slice() else { return None };
        (*name == USER).then_some(())?;
        Some((user.parse().ok()?, group.parse().ok()?))
    });
    ids.map(Some).ok_or(BrokerError::Missing("the user rabbitmq"))
}

/// Ports that were free a moment ago.
fn free_ports() -> io::Result<[u16; 3]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let all = [listen()?, listen()?, listen()?];
    let [a, b, c] = all.each_ref().map(|listener| listener.local_addr().map(|address| address.port()));
    Ok([a?, b?, c?])
}

fn random() -> Result<String, BrokerError> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(io("get random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// True when an AMQP server answers: a listening socket alone does not mean that it is ready.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        stream.read_exact(&mut [0; 1])
    };
    ask().is_ok()
}
