//! One strategy instance, as a process of its own.

use std::process::ExitCode;

use nightdesk_process::{Kind, main as process};

fn main() -> ExitCode {
    process(Kind::StrategyWorker)
}
