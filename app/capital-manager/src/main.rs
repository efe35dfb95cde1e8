//! Capital and risk limits, as a process of its own.

use std::process::ExitCode;

use nightdesk_process::{Kind, main as process};

fn main() -> ExitCode {
    process(Kind::CapitalManager)
}
