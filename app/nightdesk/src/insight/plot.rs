//! A file's series as a picture, with what was expected, what was alarming, and what is to come.

use nightdesk_host::{Failure, Status, output};

use super::chart::Chart;
use super::{detect, forecast, read};
use crate::cli::PlotArgs;

/// Runs `insight plot`.
pub(crate) fn run(args: &PlotArgs) -> Result<(), Failure> {
    let series = read(&args.file)?;
    let readings = detect::judge(&series, None);
    let rows = || series.points.iter().zip(&readings);
    let band = rows().filter_map(|(point, reading)| {
        let expected = reading.as_ref()?.expected?;
        Some((point.at, expected.low, expected.high))
    });
    let alarms = rows().filter_map(|(point, reading)| {
        let reading = reading.as_ref().filter(|reading| reading.alarm)?;
        Some((point.at, point.value, reading.reason.map_or("", detect::name)))
    });
    let mut chart = Chart {
        title: args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        line: series.points.iter().map(|point| (point.at, point.value)).collect(),
        band: band.collect(),
        alarms: alarms.collect(),
        forecast: Vec::new(),
    };
    if args.outlook.horizon > 0 {
        let ahead = forecast::forecast(&series, &args.outlook)?;
        let (last, interval) = (series.points.iter().map(|point| point.at).max().unwrap_or(0), series.interval());
        let bounds = ahead.low.iter().zip(&ahead.high);
        let steps = (1..).zip(ahead.mean.iter().zip(bounds));
        chart.forecast = steps.map(|(n, (mean, (low, high)))| (last + n * interval, *mean, *low, *high)).collect();
    }
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("svg"));
    let written = std::fs::write(&out, chart.svg());
    written.map_err(|error| Failure::new(Status::Fault, format!("cannot write {}: {error}", out.display())))?;
    let (rows, alarms) = (series.points.len(), chart.alarms.len());
    output::to_stderr(&format!("{}: {rows} rows, {alarms} alarms\n", out.display()));
    Ok(())
}
