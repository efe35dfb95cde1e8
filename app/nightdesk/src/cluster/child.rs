//! One process of the cluster: what it is, how it is started, how it ends.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;
use nightdesk_process::Kind;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::UpArgs;

/// Names and values of environment variables; the values may be secrets.
pub(super) type Surroundings = Vec<(String, String)>;

/// What a process of the cluster is.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// Its name, of which there is one.
    pub(super) name: String,
    role: Role,
    args: Vec<String>,
    /// Where it answers; the exchange's is its control address.
    pub(super) address: SocketAddr,
    log: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Exchange,
    Service(Kind),
}

impl Spec {
    /// A service's replica, with a directory of its own.
    pub(super) fn service(
        dir: &Path,
        config: &Path,
        kind: Kind,
        replica: u16,
        instance: Option<&str>,
        listen: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let name = match instance {
            Some(instance) => format!("worker.{instance}"),
            None => format!("{}-{replica}", kind.as_str()),
        };
        let address = match listen {
            Some(listen) => listen,
            None => {
                let [port] = nightdesk_private_servers::free_ports()?;
                ([127, 0, 0, 1], port).into()
            }
        };
        let own = dir.join("processes").join(&name);
        std::fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
        let mut args = vec!["service".to_owned(), kind.as_str().to_owned()];
        for (flag, value) in [
            ("--config", config.display().to_string()),
            ("--data-dir", own.display().to_string()),
            ("--replica", replica.to_string()),
            ("--listen", address.to_string()),
        ] {
            args.extend([flag.to_owned(), value]);
        }
        args.extend(instance.iter().flat_map(|instance| ["--instance".to_owned(), (*instance).to_owned()]));
        let log = dir.join("logs").join(format!("{name}.log"));
        Ok(Self { name, role: Role::Service(kind), args, address, log })
    }

    /// The simulated exchange.
    pub(super) fn exchange(dir: &Path, up: &UpArgs, listen: SocketAddr, control: SocketAddr) -> Self {
        let mut args: Vec<String> = ["service", "exchange", "--data-dir"].map(str::to_owned).to_vec();
        args.push(dir.display().to_string());
        for (flag, value) in [
            ("--exchange-listen", listen.to_string()),
            ("--control", control.to_string()),
            ("--seed", up.seed.to_string()),
        ] {
            args.extend([flag.to_owned(), value]);
        }
        if let Some(config) = &up.config {
            args.extend(["--config".to_owned(), config.display().to_string()]);
        }
        if !up.replay.is_empty() {
            args.extend(["--speed".to_owned(), up.speed.to_string(), "--replay".to_owned()]);
            args.extend(up.replay.iter().map(|file| file.display().to_string()));
        }
        let log = dir.join("logs").join("exchange.log");
        Self { name: "exchange".to_owned(), role: Role::Exchange, args, address: control, log }
    }

    pub(super) fn is_exchange(&self) -> bool {
        self.role == Role::Exchange
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    pub(super) const fn kind(&self) -> Option<Kind> {
        match self.role {
            Role::Exchange => None,
            Role::Service(kind) => Some(kind),
        }
    }

    /// Starts it, to end with us.
    pub(super) fn spawn(&self, surroundings: &Surroundings) -> anyhow::Result<Running> {
        let program = std::env::current_exe().context("cannot find our own program")?;
        if let Some(folder) = self.log.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new(program);
        command.args(&self.args).args(["--with-parent", &std::process::id().to_string()]);
        command.envs(surroundings.iter().map(|(name, value)| (name, value)));
        // A group of its own: Ctrl-C is for us, who then stop everybody in order.
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = nightdesk_private_servers::spawn(command).with_context(|| format!("cannot start {}", self.name))?;
        Ok(Running(child))
    }
}

/// A process that runs; killed when this is dropped.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
