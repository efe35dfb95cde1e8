//! `cargo xtask judge`: unmodified third-party clients and bots against the exchange simulator, on loopback.
//!
//! Each client is installed from its registry into an environment of its own below the target folder, and told the
//! simulator's addresses; what it does is in `xtask/judge`. It is no part of `cargo xtask test`, which needs no registry.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};

use crate::exec::{self, Failed, Show};
use crate::tally::Tally;
use crate::tools;
use crate::workspace::Workspace;

/// A judge: a client or bot, and the script that drives it.
struct Judge {
    name: &'static str,
    registry: Registry,
    packages: &'static [&'static str],
    script: &'static str,
    /// Judges unless others are named: quick to install and to run.
    usual: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Registry {
    Python,
    Node,
}

const fn judge(
    name: &'static str,
    registry: Registry,
    packages: &'static [&'static str],
    script: &'static str,
    usual: bool,
) -> Judge {
    Judge { name, registry, packages, script, usual }
}

const JUDGES: &[Judge] = &[
    judge("official", Registry::Python, &["binance-sdk-spot==13.3.0"], "official.py", true),
    judge("ccxt", Registry::Python, &["ccxt==4.5.90"], "ccxt_client.py", true),
    judge("python-binance", Registry::Python, &["python-binance==1.0.37"], "python_binance.py", true),
    judge("binance-connector", Registry::Python, &["binance-connector==3.13.0"], "connector.py", true),
    judge("npm", Registry::Node, NPM, "node_clients.mjs", false),
    judge("freqtrade", Registry::Python, &["freqtrade==2026.9"], "freqtrade_bot.py", false),
    judge("nautilus", Registry::Python, &["nautilus_trader==1.221.0"], "nautilus_bot.py", false),
];
const NPM: &[&str] = &["@binance/spot@32.0.4", "binance@3.6.5", "binance-api-node@0.13.10", "node-binance-api@1.0.33"];

/// Runs the judges that `wanted` names, or the usual ones, or `all`; their last line is `N passed, N failed`.
///
/// # Errors
/// When a name is unknown, a client cannot be installed, or a check failed.
pub(crate) fn run(workspace: &Workspace, wanted: &[String]) -> Result<()> {
    let all = wanted.iter().any(|name| name == "all");
    if let Some(unknown) = wanted.iter().find(|name| *name != "all" && JUDGES.iter().all(|judge| judge.name != **name))
    {
        let names: Vec<&str> = JUDGES.iter().map(|judge| judge.name).collect();
        return Err(Failed::no(format!("no judge {unknown:?}; there are {} and all", names.join(", "))));
    }
    let chosen = JUDGES.iter().filter(|judge| match wanted {
        [] => judge.usual,
        names => all || names.iter().any(|name| name == judge.name),
    });
    let home = workspace.target.join("judge");
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    exec::run(exec::cargo().current_dir(&workspace.root).args(["build", "--quiet", "-p", "exchange-simulator"]))?;
    let mut tally = Tally::default();
    for judge in chosen {
        let mut client = installed(judge, &home, workspace)?;
        let exchange = Exchange::start(workspace, &home)?;
        client.arg(workspace.root.join("xtask/judge").join(judge.script)).envs(exchange.environment(&home));
        let (succeeded, output) = exec::watch(&mut client, Show::Always)?;
        tally += counted(succeeded, &output);
    }
    println!("{tally}");
    if tally.failed == 0 { Ok(()) } else { Err(Failed::no("a client and the simulator disagree")) }
}

/// Reads a judge's closing line, `NAME: N passed, N failed`.
fn counted(succeeded: bool, output: &str) -> Tally {
    let closing =
        output.lines().rev().find(|line| line.contains(" passed, ")).and_then(|line| line.rsplit(": ").next());
    Tally::of(succeeded && closing.is_some(), closing.unwrap_or_default())
}

/// The interpreter with the judge's packages, installed if they are not there yet.
fn installed(judge: &Judge, home: &Path, workspace: &Workspace) -> Result<Command> {
    let place = home.join(judge.name);
    let (interpreter, mut install) = match judge.registry {
        Registry::Python => {
            let python = tools::ensure(&tools::PYTHON, workspace)?;
            if !place.join("bin/pip").exists() {
                exec::run(Command::new(python).args(["-m", "venv"]).arg(&place))?;
            }
            let mut pip = Command::new(place.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check"]);
            (place.join("bin/python"), pip)
        }
        Registry::Node => {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-save", "--prefix"]).arg(&place);
            (PathBuf::from("node"), npm)
        }
    };
    let marker = place.join("installed");
    let packages = judge.packages.join("\n");
    if fs::read_to_string(&marker).ok().as_deref() != Some(&packages) {
        fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
        if exec::run(install.args(judge.packages)).is_err() {
            let program = if judge.registry == Registry::Python { "pip install" } else { "npm install" };
            let command = format!("{program} {}", judge.packages.join(" "));
            return Err(Failed::unavailable(format!(
                "cannot install {}: is its registry reachable? {command}",
                judge.name
            )));
        }
        fs::write(&marker, packages).with_context(|| format!("cannot write {}", marker.display()))?;
    }
    let mut command = Command::new(interpreter);
    // Nothing is left behind in the tree.
    command.env("JUDGE_NODE_MODULES", &place).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// A simulator of its own for each judge, so that none sees another's orders.
struct Exchange {
    process: Child,
    address: SocketAddr,
    control: SocketAddr,
}

impl Exchange {
    fn start(workspace: &Workspace, home: &Path) -> Result<Self> {
        let (private, public) = (home.join("ed25519.pem"), home.join("ed25519.pub.pem"));
        let openssl = tools::ensure(&tools::OPENSSL, workspace)?;
        if !public.exists() {
            exec::run(Command::new(&openssl).args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&private))?;
            exec::run(Command::new(&openssl).args(["pkey", "-pubout", "-in"]).arg(&private).arg("-out").arg(&public))?;
        }
        let (address, control) = (free()?, free()?);
        let mut command = Command::new(workspace.target.join("debug/exchange-simulator"));
        command.args(["--listen", &address.to_string(), "--control", &control.to_string(), "--seed", "7"]);
        command.args(["--key", "judge:secret", "--key", &format!("judge-ed:ed25519:{}@ed", public.display())]);
        command.args(["--balance", "USDT=100000", "BTC=5", "ETH=50"]);
        let process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start the simulator")?;
        let exchange = Self { process, address, control };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(control).is_err() {
            if Instant::now() > deadline {
                return Err(Failed::no("the simulator does not answer"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        // A book and a few trades, as any exchange that has been open for a while has.
        thread::sleep(Duration::from_secs(3));
        Ok(exchange)
    }

    fn environment(&self, home: &Path) -> [(&'static str, String); 4] {
        [
            ("JUDGE_REST", format!("http://{}", self.address)),
            ("JUDGE_CONTROL", format!("http://{}", self.control)),
            ("JUDGE_HMAC", "judge:secret".to_owned()),
            ("JUDGE_ED25519", format!("judge-ed:{}", home.join("ed25519.pem").display())),
        ]
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // It has nothing to keep, and may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A loopback port that nobody listens on.
fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no loopback port is free")?;
    listener.local_addr().context("no loopback port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_judge_is_named_before_anything_is_built() {
        let error = run(&Workspace::default(), &["nobody".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("no judge \"nobody\"; there are official, ccxt, "), "{error}");
    }

    #[test]
    fn a_judge_that_breaks_off_has_failed() {
        let check = |succeeded, text: &str, expected: &str| assert_eq!(counted(succeeded, text).to_string(), expected);
        check(true, "ccxt: 147 passed, 0 failed\nlate words\n", "147 passed, 0 failed");
        check(false, "FAIL x\nccxt: 7 passed, 2 failed\n", "7 passed, 2 failed");
        check(false, "Traceback", "0 passed, 1 failed");
        check(true, "", "0 passed, 1 failed");
    }

    #[test]
    fn every_judge_has_its_script() {
        let folder = Path::new("judge");
        assert!(JUDGES.iter().all(|judge| folder.join(judge.script).exists()));
    }
}
