//! Everything a developer runs, as `cargo xtask COMMAND`. It builds in seconds because it knows no product crate: what
//! needs one (simulator, benchmarks) is a binary of its own that this one starts.
#![allow(clippy::print_stdout, reason = "a developer's tool answers on the terminal")]

mod deny;
mod dispatch;
mod exec;
mod fresh;
mod infra;
mod judge;
mod soak;
mod tally;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::workspace::Workspace;

/// Tests, checks and measures Nightdesk.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test: unit, integration and documentation tests, the simulator's seeds and fault matrix, and `infra`.
    Test {
        /// How many seeds the whole-system simulator runs.
        #[arg(long, default_value_t = 1000)]
        seeds: u32,
    },
    /// Check layers, lengths, links and leftovers.
    Tidy {
        /// Name each warning instead of counting them.
        #[arg(long)]
        warnings: bool,
    },
    /// Check licences, bans and sources of dependencies, and known vulnerabilities where the database can be had.
    Deny,
    /// Install what the other commands need, where it can be done without asking.
    Tools,
    /// Run the whole-system simulator: `sim --seeds N`, `sim --seed N`, `sim --matrix`, `sim --bugs`.
    Sim(PassedOn),
    /// Measure against the targets: `bench [NAME…] [--json]`.
    Bench(PassedOn),
    /// Break the running product by chance, for longer than CI does: processes, database, broker and exchange.
    Soak {
        /// Faults drawn for the cluster; each ends with everything compared.
        #[arg(long, default_value_t = 100)]
        faults: u32,
        /// How often `nightdesk up` is killed.
        #[arg(long, default_value_t = 50)]
        kills: u32,
    },
    /// Let unmodified third-party clients judge the exchange simulator: `judge [NAME…]`, `judge all`.
    Judge {
        /// official, ccxt, python-binance and binance-connector unless named; also npm, freqtrade, nautilus, all.
        names: Vec<String>,
    },
    /// Prove everything under deploy/ with the real tools: `infra`, `infra modules host`, `infra --mistakes`.
    Infra {
        /// The checks to run; all of them unless named.
        names: Vec<String>,
        /// Plant a mistake for each check and show that the check finds it.
        #[arg(long)]
        mistakes: bool,
    },
    /// Clone HEAD into an empty folder and run the README's commands there.
    Fresh {
        /// Keep the clone, also when all went well.
        #[arg(long)]
        keep: bool,
    },
}

/// Arguments that the started program understands, not this one.
#[derive(Args)]
struct PassedOn {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => {
            let code = if help.use_stderr() { exec::USAGE } else { 0 };
            return help.print().map_or(ExitCode::from(exec::FAULT), |()| ExitCode::from(code));
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(exec::exit_code(&error))
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Test { seeds } => test::run(&workspace, seeds),
        Task::Tidy { warnings } => tidy::run(&workspace, warnings),
        Task::Deny => deny::run(&workspace),
        Task::Tools => tools::ensure_all(&workspace),
        Task::Sim(PassedOn { rest }) => dispatch::sim(&workspace, &rest),
        Task::Bench(PassedOn { rest }) => dispatch::bench(&workspace, &rest),
        Task::Soak { faults, kills } => soak::run(&workspace, faults, kills),
        Task::Judge { names } => judge::run(&workspace, &names),
        Task::Infra { names, mistakes } if mistakes => infra::find_mistakes(&workspace, &names),
        Task::Infra { names, .. } => infra::run(&workspace, &names),
        Task::Fresh { keep } => fresh::run(&workspace, keep),
    }
}
