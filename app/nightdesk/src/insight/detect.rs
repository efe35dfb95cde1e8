//! Anomalies of a file's series, row by row.

use std::path::{Path, PathBuf};

use nightdesk_host::{Failure, Status, output};
use nightdesk_insight::detect::{Config, Detector, Reading, Reason, State};
use serde::Serialize;

use super::series::{Point, Series};
use super::{number, read};
use crate::cli::DetectArgs;

/// Rows between two looks of somebody who waits.
const PROGRESS: usize = 50_000;

/// One row's reading; `None` for one that goes back in time.
pub(super) type Judged = Option<Reading>;

/// What was found in a file.
#[derive(Debug, Serialize)]
struct Found {
    file: PathBuf,
    rows: usize,
    alarms: Vec<Alarm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<PathBuf>,
}

/// A row that raised an alarm.
#[derive(Debug, Serialize)]
struct Alarm {
    timestamp: String,
    value: f64,
    anomaly_score: f64,
    reason: &'static str,
    expected_low: Option<f64>,
    expected_high: Option<f64>,
}

/// Runs `insight detect`.
pub(crate) fn run(args: &DetectArgs) -> Result<(), Failure> {
    if args.files.len() > 1 && args.out.is_none() && !args.json {
        let text = "several files: name a directory for their results with --out, or ask for --json";
        return Err(Failure::new(Status::Usage, text));
    }
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::new(Status::Fault, format!("cannot make {}: {error}", dir.display())))?;
    }
    // All are read before anything is written.
    let series = args.files.iter().map(|file| Ok((file, read(file)?))).collect::<Result<Vec<_>, Failure>>()?;
    let mut found = Vec::new();
    for (file, series) in series {
        let readings = judge(&series, args.threshold);
        let table = table(&series, &readings);
        let written = args.out.as_deref().map(|dir| write(dir, file, &table)).transpose()?;
        if written.is_none() && !args.json {
            output::to_stdout(&table)?;
        }
        found.push(summary(file, &series, &readings, written));
    }
    if args.json {
        return Ok(output::json(&found)?);
    }
    for Found { file, rows, alarms, .. } in &found {
        output::to_stderr(&format!("{}: {rows} rows, {} alarms\n", file.display(), alarms.len()));
    }
    Ok(())
}

/// Judges every row by the rows before it.
pub(super) fn judge(series: &Series, threshold: Option<f64>) -> Vec<Judged> {
    let mut config = Config::default();
    config.threshold = threshold.unwrap_or(config.threshold);
    let mut detector = Detector::new(config);
    let mut progress = output::Progress::new("detect");
    let total = series.points.len() as u64;
    let rows = series.points.iter().enumerate().map(|(done, point)| {
        if done % PROGRESS == 0 {
            progress.at(done as u64, total, "rows");
        }
        detector.update(point.at.div_euclid(1_000_000), point.value).ok()
    });
    rows.collect()
}

fn write(dir: &Path, file: &Path, table: &str) -> Result<PathBuf, Failure> {
    let name = file.file_name().unwrap_or(file.as_os_str());
    let path = dir.join(name);
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same(&path, file) {
        let text = format!("{} would be written over: name another directory with --out", file.display());
        return Err(Failure::new(Status::Usage, text));
    }
    let written = std::fs::write(&path, table);
    written.map_err(|error| Failure::new(Status::Fault, format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

fn table(series: &Series, readings: &[Judged]) -> String {
    let mut table = String::from("timestamp,value,anomaly_score,alarm,reason,expected_low,expected_high\n");
    for (Point { text, said, .. }, reading) in series.points.iter().zip(readings) {
        let text = if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() };
        let row = match reading {
            None => format!("{text},{said},0,0,out_of_order,,\n"),
            Some(reading) => {
                let (low, high) = reading
                    .expected
                    .map_or((String::new(), String::new()), |expected| (number(expected.low), number(expected.high)));
                let (score, alarm) = (number(reading.score), u8::from(reading.alarm));
                format!("{text},{said},{score},{alarm},{},{low},{high}\n", word(reading))
            }
        };
        table += &row;
    }
    table
}

/// Why a row is unusual, or that nobody can say yet.
fn word(reading: &Reading) -> &'static str {
    match (reading.state, reading.reason) {
        (State::Learning, _) => "learning",
        (State::Normal | State::Alarm, reason) => reason.map_or("", name),
    }
}

pub(super) const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Spike => "spike",
        Reason::LevelShift => "level_shift",
        Reason::SeasonalResidual => "seasonal_residual",
        Reason::FlatLine => "flat_line",
        Reason::VolatilityChange => "volatility_change",
    }
}

fn summary(file: &Path, series: &Series, readings: &[Judged], written: Option<PathBuf>) -> Found {
    let alarms = series.points.iter().zip(readings).filter_map(|(point, reading)| {
        let reading = reading.filter(|reading| reading.alarm)?;
        Some(Alarm {
            timestamp: point.text.clone(),
            value: point.value,
            anomaly_score: reading.score,
            reason: reading.reason.map_or("", name),
            expected_low: reading.expected.map(|expected| expected.low),
            expected_high: reading.expected.map(|expected| expected.high),
        })
    });
    Found { file: file.to_owned(), rows: series.points.len(), alarms: alarms.collect(), written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_told_with_its_reason_and_what_was_expected() {
        let mut text = "timestamp,value\n".to_owned();
        for row in 0..3_000 {
            let value = 100.0 + (f64::from(row) * 0.7).sin() + if row == 2_500 { 60.0 } else { 0.0 };
            text += &format!("{},{value}\n", 1_700_000_000 + row * 300);
        }
        let series = Series::parse(&text).unwrap();
        let table = table(&series, &judge(&series, None));
        assert_eq!(table.lines().count(), 3_001);
        assert!(table.lines().nth(1).unwrap().ends_with(",0,0,learning,,"));
        let alarms: Vec<_> = table.lines().filter(|line| line.split(',').nth(3) == Some("1")).collect();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].starts_with("1700750000,"), "{alarms:?}");
    }
}
