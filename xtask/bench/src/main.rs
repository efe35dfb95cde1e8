//! Measures Nightdesk against its targets, with the limits of this machine beside them.
//!
//! `cargo xtask bench [NAME…] [--json]`. Nothing is timed in unit tests; what is timed here is a release build, and the
//! figures mean something only while nothing else runs.
#![allow(clippy::print_stdout, reason = "a developer's tool answers on the terminal")]

mod backtest;
mod durable;
mod house;
mod load;
mod report;
mod strategies;
mod watched;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::report::Section;

/// Measures Nightdesk against its targets.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// What to measure; everything but `build` when nothing is named.
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Everything that the spine must reach.
    Spine,
    /// Durable trades in one process.
    Durable,
    /// Recordings through all services.
    Backtest,
}

/// What all benchmarks are told.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) every: Option<u64>,
    pub(crate) rounds: usize,
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

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(70)
        }
    }
}

/// Measures one thing.
type Benchmark = fn(&Settings) -> anyhow::Result<Section>;

fn run(cli: &Cli) -> anyhow::Result<bool> {
    let named = cli.data.clone().or_else(|| std::env::var_os("NIGHTDESK_DATA").map(PathBuf::from));
    let data = named.unwrap_or_else(|| PathBuf::from("../shared/data"));
    let settings =
        Settings { data, dir: cli.dir.clone(), seconds: cli.seconds, every: cli.every, rounds: cli.rounds.max(1) };
    let wanted = |name: Name| cli.names.is_empty() || cli.names.contains(&Name::Spine) || cli.names.contains(&name);
    let benchmarks: [(Name, Benchmark); 2] = [(Name::Durable, durable::run), (Name::Backtest, backtest::run)];
    let mut sections = Vec::new();
    for (name, benchmark) in benchmarks {
        if wanted(name) {
            let section = benchmark(&settings)?;
            if !cli.json {
                println!("{}", section.table());
            }
            sections.push(section);
        }
    }
    if cli.json {
        println!("{}", serde_json::to_string_pretty(&sections)?);
    }
    Ok(sections.iter().all(Section::is_good))
}
