//! An exchange-simulator in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{LONG, Record, http, until};

/// The key that everybody trades with.
pub(crate) const KEY: &str = "testkey0123456789abcdef:s3cr3tThatMustNotBeSeen0123456789";

/// A running exchange.
pub(crate) struct Simulator {
    child: Child,
    /// Where it speaks Binance's protocol.
    pub(crate) address: String,
    control: String,
    dir: PathBuf,
}

impl Simulator {
    /// Starts on `dir` with `args` in addition.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let log = dir.join("simulator.log");
        let child = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--key", KEY, "--weight-limit", "100000000"])
            .args(["--order-limit", "100000000", "--data-dir"])
            .arg(dir.join("state"))
            .args(args)
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(std::fs::File::create(dir.join("simulator.err")).unwrap())
            .spawn()
            .unwrap();
        let told = |start: &str| {
            let text = std::fs::read_to_string(&log).ok()?;
            let rest = &text[text.find(start)? + start.len()..];
            Some(rest[..rest.find([' ', '"'])?].to_owned())
        };
        let address = until("the simulator says where it listens", LONG, || told("REST and streams on http://"));
        let control = until("the simulator says where it is controlled", LONG, || told("record on http://"));
        Self { child, address, control, dir: dir.to_owned() }
    }

    /// The `[exchange]` table of a configuration that trades on it.
    pub(crate) fn external(&self) -> String {
        let address = &self.address;
        format!(
            "kind = \"external\"\nrequests_per_second = 50\nrest = \"http://{address}\"\nstreams = \"ws://{address}\"\n\
             ws_api = \"ws://{address}\""
        )
    }

    /// Its record file.
    pub(crate) fn record_file(&self) -> PathBuf {
        self.dir.join("state").join("record.jsonl")
    }

    /// Its record so far.
    pub(crate) fn record(&self) -> Record {
        Record::follow(&self.record_file())
    }

    /// Asks the control address.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = http(&self.control, method, path, None, &text).unwrap();
        assert_eq!(status, 200, "{method} {path} {text}: {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// Sets a fault.
    pub(crate) fn fault(&self, fault: &Value) {
        self.ask("POST", "/faults", fault);
    }

    /// How often each fault has struck.
    pub(crate) fn hits(&self) -> u64 {
        self.ask("GET", "/faults", &Value::Null).as_array().unwrap().iter().filter_map(|f| f["hits"].as_u64()).sum()
    }

    /// All is well again.
    pub(crate) fn heal(&self) {
        self.ask("DELETE", "/faults", &Value::Null);
    }

    /// Stops the market, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        self.ask("POST", "/market", &json!({ "paused": paused }));
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, beside nightdesk's. It belongs to another package: whoever tests only this one may find it missing or old,
/// so it is built then.
fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let ours = Path::new(env!("CARGO_BIN_EXE_nightdesk"));
        let path = ours.with_file_name(format!("exchange-simulator{}", std::env::consts::EXE_SUFFIX));
        let root = Path::new("../..");
        let built = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
        let sources =
            ["app/exchange-simulator/src", "crates/services/exchange-simulator/src", "crates/domain/matching/src"];
        if built.is_none_or(|built| sources.iter().any(|source| newest(&root.join(source)) > built)) {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--quiet", "--package", "exchange-simulator"]).current_dir(root);
            if ours.parent().and_then(Path::file_name).is_some_and(|profile| profile == "release") {
                cargo.arg("--release");
            }
            assert!(cargo.stdin(Stdio::null()).status().unwrap().success(), "exchange-simulator does not build");
        }
        path
    })
}

fn newest(dir: &Path) -> SystemTime {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let times = entries.map(|entry| {
        if entry.path().is_dir() { newest(&entry.path()) } else { entry.metadata().unwrap().modified().unwrap() }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
