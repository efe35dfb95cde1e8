//! Measures Nightdesk against its targets, with the limits of this machine beside them.
//!
//! `cargo xtask bench [NAME…] [--json]`. Nothing is timed in unit tests; what is timed here is a release build, and the
//! figures mean something only while nothing else runs.
#![allow(clippy::print_stdout, reason = "a developer's tool answers on the terminal")]

mod backtest;
mod campaigns;
mod compile;
mod distributed;
mod durable;
mod house;
mod insight;
mod limits;
mod load;
mod machine;
mod memory;
mod process;
mod protocol;
mod report;
mod start;
mod strategies;
mod syncs;
mod ticks;
mod trace;
mod watched;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::report::{Report, Section};

/// Measures Nightdesk against its targets.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// What to measure. Nothing named, or `spine`: everything but `build`, `seeds` and `kill`, which take
    /// many minutes, and `distributed`, which needs PostgreSQL and RabbitMQ.
    names: Vec<Name>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Where the recordings are; otherwise NIGHTDESK_DATA says so, or ../shared/data is taken.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where databases are written: on the disk that is to be measured.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Measure for so many seconds instead of each benchmark's own span.
    #[arg(long)]
    seconds: Option<u64>,
    /// Play recordings with an order every so many quotes only; 0 for none.
    #[arg(long)]
    every: Option<u64>,
    /// Play recordings so many times.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Watch memory over so many times both recordings.
    #[arg(long)]
    repeats: Option<i64>,
    /// Trade at the exchange at this address, being traced, and say what was done.
    #[arg(long, hide = true)]
    traced: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Everything that the spine must reach and that takes seconds.
    Spine,
    /// Recordings through all services.
    Backtest,
    /// From a tick to an intent.
    Strategy,
    /// Durable trades in one process.
    Durable,
    /// Durable trades over PostgreSQL and RabbitMQ.
    Distributed,
    /// Durable trades through the real protocol.
    Protocol,
    /// That nothing is sent before it is durable, by strace.
    Trace,
    /// From the start of the program to trading.
    Start,
    /// Resident memory over long runs.
    Memory,
    /// A clean release build.
    Build,
    /// A thousand seeds of the whole-system simulator.
    Seeds,
    /// Fifty kills of the real program, twice.
    Kill,
    /// How well anomalies are found and series are forecast.
    Insight,
}

/// What all benchmarks are told.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) every: Option<u64>,
    pub(crate) rounds: usize,
    pub(crate) repeats: Option<i64>,
    seconds: Option<u64>,
}

impl Settings {
    /// How long to measure.
    pub(crate) fn span(&self, seconds: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(seconds))
    }

    /// An empty folder.
    pub(crate) fn fresh_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        durable::fresh(&self.dir, name)
    }
}

/// Measures one thing.
type Benchmark = fn(&Settings) -> anyhow::Result<Section>;

/// Every benchmark, and whether it is run when nothing is named.
const BENCHMARKS: [(Name, Benchmark, bool); 12] = [
    (Name::Backtest, backtest::run, true),
    (Name::Strategy, ticks::run, true),
    (Name::Durable, durable::run, true),
    (Name::Distributed, distributed::run, false),
    (Name::Protocol, protocol::run, true),
    (Name::Trace, trace::run, true),
    (Name::Start, start::run, true),
    (Name::Memory, memory::run, true),
    (Name::Build, compile::run, false),
    (Name::Seeds, campaigns::seeds, false),
    (Name::Kill, campaigns::kills, false),
    (Name::Insight, insight::run, false),
];

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(70)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<bool> {
    let named = cli.data.clone().or_else(|| std::env::var_os("NIGHTDESK_DATA").map(PathBuf::from));
    let settings = Settings {
        data: named.unwrap_or_else(|| PathBuf::from("../shared/data")),
        dir: cli.dir.clone(),
        every: cli.every,
        rounds: cli.rounds.max(1),
        repeats: cli.repeats,
        seconds: cli.seconds,
    };
    if let Some(address) = &cli.traced {
        println!("{}", trace::traced(address, &settings.dir, settings.span(5))?);
        return Ok(true);
    }
    let usual = cli.names.is_empty() || cli.names.contains(&Name::Spine);
    let mut report = Report::new(machine::about());
    for (name, benchmark, in_spine) in BENCHMARKS {
        if !(usual && in_spine || cli.names.contains(&name)) {
            continue;
        }
        let before = machine::load();
        let mut section = benchmark(&settings)?;
        section.note("load average before and after", format!("{before}, {}", machine::load()));
        if !cli.json {
            println!("{}", section.table());
        }
        report.add(section);
    }
    println!("{}", if cli.json { serde_json::to_string_pretty(&report)? } else { report.verdict() });
    Ok(report.is_good())
}
