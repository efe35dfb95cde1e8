//! RabbitMQ of one's own, from the Debian package, with a name server (epmd) and a password of its own.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Process, ServerError, User, free_ports, password, trying};

/// The server's own start script; the one on the path refuses anybody but its user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const REMEDY: &str = "apt-get install --no-install-recommends rabbitmq-server";
/// How long a start may take; on a busy machine the first one takes 20 s.
const START: Duration = Duration::from_secs(120);
/// How long a stop may take.
const STOP: Duration = Duration::from_secs(15);
/// On loopback, and without busy waiting: the machine is shared.
const ERLANG: &str = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";
/// After a restart, a quorum queue of RabbitMQ 3.10's that a client asks for before it has elected its only member never
/// does so (rabbitmq-server issue 10070): "leader not known", for ever. So the node looks ten times a second and has
/// such a queue elect. The start script splits at spaces, therefore there are none.
const ELECT: &str = "F=fun(F)->(catch[ra:trigger_election({N,node()})||{N,follower}<-ets:tab2list(ra_state)]),\
    timer:sleep(100),F(F)end,spawn(fun()->F(F)end).";

/// A RabbitMQ server with a user called `nightdesk`. Ends with its owner; its data stay.
#[derive(Debug)]
pub struct Rabbitmq {
    user: User,
    dir: PathBuf,
    password: String,
    port: u16,
    management: u16,
    dist_port: u16,
    epmd_port: u16,
    /// `None` while it is stopped.
    node: Option<Process>,
    /// Its name server; ends after it.
    _epmd: Process,
}

impl Rabbitmq {
    /// Starts it with its data in `dir`, made if it is not there, and waits until it answers. Blocks for seconds. The
    /// user it runs as must be able to reach `dir`.
    ///
    /// # Errors
    /// When the programs are missing, or it does not start; with its last words.
    pub fn start(dir: &Path) -> Result<Self, ServerError> {
        if !Path::new(SERVER).exists() {
            return Err(ServerError::Missing { program: "RabbitMQ".to_owned(), remedy: REMEDY.to_owned() });
        }
        let user = User::unprivileged(&["rabbitmq"])?;
        user.make_dir(dir)?;
        let password = password(user, &dir.join("password"))?;
        let [port, management, dist_port, epmd_port] = free_ports()?;
        let mut epmd = command(user, dir, epmd_port, "epmd");
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Process::start("epmd", epmd, dir.join("epmd.log"))?;
        let dir = dir.to_owned();
        let mut server = Self { user, dir, password, port, management, dist_port, epmd_port, node: None, _epmd: epmd };
        server.configure()?;
        server.restart()?;
        Ok(server)
    }

    /// Starts it again at the same ports, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start; with its last words.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.launch()?;
        let port = self.port;
        self.node.as_mut().map_or(Ok(()), |node| node.wait_until(START, || answers(port)))
    }

    /// Starts it again without waiting for it.
    ///
    /// # Errors
    /// When its program cannot be started.
    pub fn launch(&mut self) -> Result<(), ServerError> {
        let path = |name: &str| self.dir.join(name);
        let mut command = command(self.user, &self.dir, self.epmd_port, SERVER);
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
        self.node = Some(Process::start("RabbitMQ", command, self.dir.join("rabbitmq.log"))?);
        Ok(())
    }

    /// Where it is, as `amqp://…`. Holds the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by way of another port, as of a proxy.
    #[must_use]
    pub fn url_by(&self, port: u16) -> String {
        format!("amqp://nightdesk:{}@127.0.0.1:{port}/%2f", self.password)
    }

    /// Where its management API is, as `http://…`. Holds the password.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!("http://nightdesk:{}@127.0.0.1:{}", self.password, self.management)
    }

    /// Its port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.node.as_ref().map(Process::id)
    }

    /// Whether it has ended without being asked to.
    pub fn has_ended(&mut self) -> bool {
        self.node.as_mut().is_some_and(Process::has_ended)
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        // Dropping kills.
        self.node = None;
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
        if let Some(mut node) = self.node.take() {
            node.signal(Signal::TERM);
            node.end(STOP);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(node) = &self.node {
            node.signal(signal);
        }
    }

    /// Writes what the server reads at its start.
    fn configure(&self) -> Result<(), ServerError> {
        // Its management knows a connection only when it has counted it: whoever takes over early must find its predecessor.
        let config = format!(
            "collect_statistics_interval = 1000\nmanagement.sample_retention_policies.global.minute = 1\n\
             management.sample_retention_policies.basic.minute = 1\n\
             management.sample_retention_policies.detailed.minute = 1\n\
             listeners.tcp.1 = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             default_user = nightdesk\ndefault_pass = {}\nvm_memory_high_watermark.absolute = 512MB\n\
             disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 67108864\nlog.console = false\n",
            self.port, self.management, self.password
        );
        let files = [
            ("rabbitmq.conf", config.as_str()),
            ("env.conf", ""),
            ("enabled_plugins", "[rabbitmq_management]."),
            (".erlang.cookie", &self.password),
        ];
        for (name, text) in files {
            let path = self.dir.join(name);
            let removed = fs::remove_file(&path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
            removed.map_err(trying(format!("remove {}", path.display())))?;
            // The cookie and the configuration let in whoever can read them.
            self.user.write_secret(&path, text)?;
        }
        Ok(())
    }
}

impl Drop for Rabbitmq {
    fn drop(&mut self) {
        self.thaw();
        self.stop();
    }
}

fn command(user: User, dir: &Path, epmd_port: u16, program: &str) -> Command {
    let mut command = user.bound(Path::new(program));
    command.current_dir(dir).env("HOME", dir);
    command.env("ERL_EPMD_PORT", epmd_port.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
    command
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_a_kill_and_keeps_its_password() {
        let dir = std::env::temp_dir().join(format!("nightdesk-private-rabbitmq-{}", std::process::id()));
        let mut server = Rabbitmq::start(&dir).unwrap();
        let url = server.url();
        server.kill();
        assert!(!answers(server.port()));
        server.restart().unwrap();
        assert_eq!(url, server.url());
        drop(server);
        fs::remove_dir_all(&dir).unwrap();
    }
}
