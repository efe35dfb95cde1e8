//! Scores alarms as the Numenta Anomaly Benchmark does, on the part of its corpus that may be looked at.
//!
//! A row is detected when its score reaches one threshold for all files. Within a window only the best detected row counts;
//! outside, each one costs. This file reads data and computes figures; it decides nothing about detection.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use nightdesk_insight::detect::{ALARM_SCORE, Config, Detector, Reading};

/// Rows of which the first share is not scored, at most so many.
const PROBATION: (f64, usize) = (0.15, 750);

/// What false and missed detections cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    /// A row detected outside windows.
    pub(crate) false_positive: f64,
    /// A window in which nothing is detected.
    pub(crate) false_negative: f64,
}

/// NAB's standard profile.
pub(crate) const STANDARD: Profile = Profile { false_positive: 0.11, false_negative: 1.0 };
/// Rewards few false alarms.
pub(crate) const LOW_FP: Profile = Profile { false_positive: 0.22, false_negative: 1.0 };
/// Rewards few missed anomalies.
pub(crate) const LOW_FN: Profile = Profile { false_positive: 0.11, false_negative: 2.0 };

/// One file of the corpus.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Folder and file.
    pub(crate) name: String,
    /// Seconds and value.
    pub(crate) rows: Vec<(i64, f64)>,
    /// First and last row of each labelled window.
    pub(crate) windows: Vec<(usize, usize)>,
}

impl Series {
    /// The folder: what kind of series it is.
    pub(crate) fn category(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// How many rows at the beginning are not scored.
    pub(crate) fn probation(&self) -> usize {
        ((self.rows.len() as f64 * PROBATION.0) as usize).min(PROBATION.1)
    }

    /// Weeks from the end of probation to the last row.
    pub(crate) fn weeks(&self) -> f64 {
        let span = |from: usize| Some(self.rows.last()?.0 - self.rows.get(from)?.0);
        span(self.probation()).unwrap_or_default() as f64 / 604_800.0
    }

    /// What the detected rows are worth, before normalisation.
    pub(crate) fn raw(&self, profile: Profile, detected: &[usize]) -> f64 {
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
pub(crate) fn normalised(profile: Profile, files: &[(usize, f64)]) -> f64 {
    let windows = files.iter().map(|(windows, _)| *windows).sum::<usize>() as f64;
    let raw = files.iter().map(|(_, raw)| *raw).sum::<f64>();
    100.0 * (raw + profile.false_negative * windows) / (windows * (1.0 + profile.false_negative))
}

/// Reads the corpus: `windows.json` and the files that it names.
///
/// # Errors
/// When a file is missing or a line cannot be read; the text names it.
pub(crate) fn load(folder: &Path) -> Result<Vec<Series>, String> {
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

/// What is read of a series from beginning to end.
pub(crate) fn readings(rows: &[(i64, f64)], config: Config) -> Result<Vec<Reading>, String> {
    let mut detector = Detector::new(config);
    rows.iter().map(|(at_s, value)| detector.update(*at_s, *value).map_err(|error| error.to_string())).collect()
}

/// The rows whose score reaches an alarm's.
pub(crate) fn detected(readings: &[Reading]) -> Vec<usize> {
    (0..).zip(readings).filter(|(_, reading)| reading.score >= ALARM_SCORE).map(|(row, _)| row).collect()
}

/// Raw values of each file at each of some thresholds, from which scores of any set of files follow.
pub(crate) struct Grid<'a> {
    corpus: &'a [Series],
    profile: Profile,
    raw: Vec<Vec<f64>>,
}

/// The thresholds of a grid: 2 % apart, from well below to well above the default.
const GRID: (f64, f64, i32) = (3.5, 1.02, 24);
/// The score at a threshold is smoothed over so many neighbours on each side when one is chosen: plateaus, not peaks.
const SMOOTH: usize = 2;

impl<'a> Grid<'a> {
    /// Runs the detector over all files at all thresholds.
    pub(crate) fn new(corpus: &'a [Series], profile: Profile, config: Config) -> Result<Self, String> {
        let mut raw = Vec::new();
        for series in corpus {
            let mut values = Vec::new();
            for step in 0..GRID.2 {
                let threshold = GRID.0 * GRID.1.powi(step);
                let readings = readings(&series.rows, Config { threshold, ..config })?;
                values.push(series.raw(profile, &detected(&readings)));
            }
            raw.push(values);
        }
        Ok(Self { corpus, profile, raw })
    }

    fn values(&self, files: &[usize], at: usize) -> Vec<(usize, f64)> {
        files.iter().map(|file| (self.corpus[*file].windows.len(), self.raw[*file][at])).collect()
    }

    fn chosen(&self, files: &[usize]) -> usize {
        let count = GRID.2 as usize;
        let scores: Vec<f64> = (0..count).map(|at| normalised(self.profile, &self.values(files, at))).collect();
        let smooth = |at: usize| {
            let near = &scores[at.saturating_sub(SMOOTH)..(at + SMOOTH + 1).min(count)];
            near.iter().sum::<f64>() / near.len() as f64
        };
        (0..count).max_by(|a, b| smooth(*a).total_cmp(&smooth(*b))).unwrap_or_default()
    }

    /// The threshold that all files together would choose.
    pub(crate) fn best_threshold(&self) -> f64 {
        let all: Vec<usize> = (0..self.corpus.len()).collect();
        GRID.0 * GRID.1.powi(self.chosen(&all) as i32)
    }

    /// Scores of one half of the files at the threshold chosen on the other, for halves drawn at random.
    pub(crate) fn halves(&self, seeds: u64) -> Vec<f64> {
        let mut scores = Vec::new();
        for seed in 0..seeds {
            let mut files: Vec<usize> = (0..self.corpus.len()).collect();
            let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for last in (1..files.len()).rev() {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                files.swap(last, (chance >> 33) as usize % (last + 1));
            }
            let (one, other) = files.split_at(files.len() / 2);
            for (train, test) in [(one, other), (other, one)] {
                scores.push(normalised(self.profile, &self.values(test, self.chosen(train))));
            }
        }
        scores
    }

    /// The score when the threshold for each category is chosen on the others.
    pub(crate) fn without_category(&self) -> f64 {
        let values = (0..self.corpus.len()).map(|file| {
            let category = self.corpus[file].category();
            let others: Vec<usize> =
                (0..self.corpus.len()).filter(|other| self.corpus[*other].category() != category).collect();
            (self.corpus[file].windows.len(), self.raw[file][self.chosen(&others)])
        });
        normalised(self.profile, &values.collect::<Vec<_>>())
    }
}

/// The score of the corpus at one configuration.
pub(crate) fn score(corpus: &[Series], profile: Profile, config: Config) -> Result<f64, String> {
    let mut values = Vec::new();
    for series in corpus {
        let rows = detected(&readings(&series.rows, config)?);
        values.push((series.windows.len(), series.raw(profile, &rows)));
    }
    Ok(normalised(profile, &values))
}

/// Scores at the default threshold with each tuning number a third lower and higher: its name and the score.
pub(crate) fn perturbed(corpus: &[Series], config: Config) -> Result<Vec<(String, f64)>, String> {
    let text = |error: serde_json::Error| error.to_string();
    let tuning = serde_json::to_value(config.tuning).map_err(text)?;
    let mut scores = Vec::new();
    for (name, value) in tuning.as_object().into_iter().flatten() {
        for factor in [0.7, 1.3] {
            let mut changed = tuning.clone();
            changed[name] = (value.as_f64().unwrap_or_default() * factor).into();
            let changed = Config { tuning: serde_json::from_value(changed).map_err(text)?, ..config };
            scores.push((format!("{name} x {factor}"), score(corpus, STANDARD, changed)?));
        }
    }
    Ok(scores)
}

/// Files in which a reading changes when later rows are cut off.
pub(crate) fn acausal(corpus: &[Series], config: Config) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for series in corpus {
        let cut = series.rows.len() * 3 / 5;
        if readings(&series.rows, config)?[..cut] != readings(&series.rows[..cut], config)?[..] {
            found.push(series.name.clone());
        }
    }
    Ok(found)
}

/// Rows a second on one core, in the best of some rounds: the others tell what else the machine did.
pub(crate) fn speed(corpus: &[Series], rounds: usize) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..rounds {
        let (mut rows, mut sum, started) = (0, 0.0, Instant::now());
        for series in corpus {
            let mut detector = Detector::new(Config::default());
            for (at_s, value) in &series.rows {
                sum += detector.update(*at_s, *value).map_or(0.0, |reading| reading.score);
            }
            rows += series.rows.len();
        }
        std::hint::black_box(sum);
        best = best.max(rows as f64 / started.elapsed().as_secs_f64());
    }
    best
}

#[cfg(test)]
#[path = "nab_tests.rs"]
mod tests;
