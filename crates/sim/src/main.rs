//! The simulator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let seed = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let aloud = std::env::args().nth(2).is_some();
    let outcome = nightdesk_sim::run(seed, nightdesk_sim::Options { keep: true, aloud });
    eprintln!(
        "{:?} hash {:x} events {} faults {} orders {} fills {}",
        outcome.violation, outcome.hash, outcome.events, outcome.faults, outcome.orders, outcome.fills
    );
    ExitCode::SUCCESS
}
