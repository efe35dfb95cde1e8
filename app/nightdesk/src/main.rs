//! The command line: one process that trades, and everything an operator asks of it.

mod api;
mod backtest;
mod cli;
mod client;
mod cluster;
mod data;
mod exchange;
mod insight;
mod limit;
mod record;
mod replay;
mod settings;
mod summary;
mod up;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
