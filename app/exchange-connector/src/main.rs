//! The only one that talks to the exchange, as a process of its own.

use std::process::ExitCode;

use nightdesk_process::{Kind, main as process};

fn main() -> ExitCode {
    process(Kind::ExchangeConnector)
}
