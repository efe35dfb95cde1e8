//! How fast recordings are read: `cargo run --release -p nightdesk-exchange-simulator --example decode -- FILE…`
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use nightdesk_exchange_simulator::market::{Lines, Playback, RecordingError, survey};

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match measure(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(files: &[PathBuf]) -> Result<(), RecordingError> {
    let mut texts = Vec::new();
    for file in files {
        let mut lines = Lines::open(file)?;
        while let Some((number, text)) = lines.next_line()? {
            texts.push((number, text.to_owned()));
        }
    }
    let start = Instant::now();
    let good = texts.iter().filter(|(number, text)| nightdesk_wire::capture::decode(*number, text).is_ok()).count();
    report("decode only", good, start);
    let start = Instant::now();
    let found = survey(files)?;
    report("unzip, decode, discover", good, start);
    let start = Instant::now();
    let mut playback = Playback::new(files, &found);
    let mut events = 0;
    while playback.take()?.is_some() {
        events += 1;
    }
    report("unzip, decode, to ticks and lots", events, start);
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
fn report(what: &str, count: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {count} lines in {seconds:.3} s, {:.0} lines/s", count as f64 / seconds);
}
