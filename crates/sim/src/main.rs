//! The simulator: the whole system on one thread from one seed.

use std::process::ExitCode;

fn main() -> ExitCode {
    nightdesk_sim::main()
}
