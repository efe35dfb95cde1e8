//! Scores alarms as the Numenta Anomaly Benchmark does, on the part of its corpus that may be looked at.
//!
//! A row is detected when its score reaches one threshold for all files. Within a window only the best detected row counts;
//! outside, each one costs. This file reads data and computes figures; it decides nothing about detection.

use std::collections::BTreeMap;
use std::path::Path;

/// Rows of which the first share is not scored, at most so many.
const PROBATION: (f64, usize) = (0.15, 750);

/// What false and missed detections cost.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// A row detected outside windows.
    pub false_positive: f64,
    /// A window in which nothing is detected.
    pub false_negative: f64,
}

/// NAB's standard profile.
pub const STANDARD: Profile = Profile { false_positive: 0.11, false_negative: 1.0 };
/// Rewards few false alarms.
pub const LOW_FP: Profile = Profile { false_positive: 0.22, false_negative: 1.0 };
/// Rewards few missed anomalies.
pub const LOW_FN: Profile = Profile { false_positive: 0.11, false_negative: 2.0 };

/// One file of the corpus.
#[derive(Debug, Clone)]
pub struct Series {
    /// Folder and file.
    pub name: String,
    /// Seconds and value.
    pub rows: Vec<(i64, f64)>,
    /// First and last row of each labelled window.
    pub windows: Vec<(usize, usize)>,
}

impl Series {
    /// The folder: what kind of series it is.
    pub fn category(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// How many rows at the beginning are not scored.
    pub fn probation(&self) -> usize {
        ((self.rows.len() as f64 * PROBATION.0) as usize).min(PROBATION.1)
    }

    /// Weeks from the end of probation to the last row.
    pub fn weeks(&self) -> f64 {
        let span = |from: usize| Some(self.rows.last()?.0 - self.rows.get(from)?.0);
        span(self.probation()).unwrap_or_default() as f64 / 604_800.0
    }

    /// What the detected rows are worth, before normalisation.
    pub fn raw(&self, profile: Profile, detected: &[usize]) -> f64 {
        let probation = self.probation();
        let mut best: Vec<f64> = vec![-profile.false_negative; self.windows.len()];
        let mut cost = 0.0;
        for row in detected.iter().copied().filter(|row| *row >= probation) {
            let within = self.windows.iter().position(|(first, last)| (*first..=*last).contains(&row));
            if let Some(at) = within {
                let (first, last) = self.windows[at];
                let x = -((last - row + 1) as f64) / ((last - first + 1) as f64);
                best[at] = best[at].max(sigmoid(x) / sigmoid(-1.0));
            } else {
                cost += profile.false_positive * self.after_window(row);
            }
        }
        best.iter().sum::<f64>() + cost
    }

    /// What a row outside windows is worth: -1, or less bad shortly after a window.
    fn after_window(&self, row: usize) -> f64 {
        let Some((first, last)) = self.windows.iter().rfind(|(_, last)| *last < row) else { return -1.0 };
        sigmoid((row - last) as f64 / ((last - first) as f64).max(1.0))
    }
}

/// NAB's scaled sigmoid.
fn sigmoid(x: f64) -> f64 {
    if x > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * x).exp()) - 1.0 }
}

/// The score of files of which the raw values are known: 0 for no detection at all, 100 for a perfect one.
pub fn normalised(profile: Profile, files: &[(usize, f64)]) -> f64 {
    let windows = files.iter().map(|(windows, _)| *windows).sum::<usize>() as f64;
    let raw = files.iter().map(|(_, raw)| *raw).sum::<f64>();
    100.0 * (raw + profile.false_negative * windows) / (windows * (1.0 + profile.false_negative))
}

/// Reads the corpus: `windows.json` and the files that it names.
///
/// # Errors
/// When a file is missing or a line cannot be read; the text names it.
pub fn load(folder: &Path) -> Result<Vec<Series>, String> {
    let text = read(&folder.join("windows.json"))?;
    let named: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_str(&text).map_err(|error| format!("windows.json: {error}"))?;
    named.into_iter().map(|(name, windows)| series(folder, name, &windows)).collect()
}

fn series(folder: &Path, name: String, labels: &[(String, String)]) -> Result<Series, String> {
    let text = read(&folder.join("data").join(&name))?;
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        let row = line.split_once(',').and_then(|(time, value)| Some((seconds(time)?, value.trim().parse().ok()?)));
        rows.push(row.ok_or_else(|| format!("{name}, line {}: not a time and a number", at + 1))?);
    }
    let mut windows = Vec::new();
    for (from, to) in labels {
        let (Some(from), Some(to)) = (seconds(from), seconds(to)) else {
            return Err(format!("{name}: window {from} to {to} is no time"));
        };
        let first = rows.iter().position(|(time, _)| *time >= from);
        let last = rows.iter().rposition(|(time, _)| *time <= to);
        let (Some(first), Some(last)) = (first, last) else { return Err(format!("{name}: a window without rows")) };
        windows.push((first, last));
    }
    Ok(Series { name, rows, windows })
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Seconds since the epoch of `2014-04-01 00:05:00`, read as UTC.
fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(' ')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.splitn(3, ':').map(str::parse::<f64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    // Days by the civil calendar, counted in years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = year.rem_euclid(400) * 365 + year.rem_euclid(400) / 4 - year.rem_euclid(400) / 100 + of_year;
    let days = year.div_euclid(400) * 146_097 + of_era - 719_468;
    Some(days * 86_400 + (hour * 3_600.0 + minute * 60.0 + second) as i64)
}
