//! `nightdesk insight …`: anomalies and forecasts of any series in a CSV file, as the same code reckons them in operation.

mod chart;
mod detect;
mod forecast;
mod plot;
mod series;
mod time;

use std::path::Path;

use nightdesk_host::{Failure, Status, output};

use crate::cli::InsightCommand;
use series::Series;

/// Runs `insight`.
pub(crate) fn run(command: &InsightCommand) -> Result<(), Failure> {
    match command {
        InsightCommand::Detect(args) => detect::run(args),
        InsightCommand::Forecast(args) => forecast::run(args),
        InsightCommand::Plot(args) => plot::run(args),
    }
}

/// Reads a series, and says what was odd about it.
fn read(file: &Path) -> Result<Series, Failure> {
    let text = std::fs::read(file)
        .map_err(|error| Failure::new(Status::BadConfig, format!("cannot read {}: {error}", file.display())))?;
    let bad = |error| Failure::new(Status::BadConfig, format!("{}: {error}", file.display()));
    let series = Series::parse(&String::from_utf8_lossy(&text)).map_err(bad)?;
    for oddity in &series.oddities {
        output::to_stderr(&format!("{}: {oddity}\n", file.display()));
    }
    Ok(series)
}

/// A number with as many digits as it takes to read it back, and not more than are of use.
fn number(value: f64) -> String {
    let rounded = format!("{value:.9}");
    if value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e15) {
        return format!("{value:e}");
    }
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}
