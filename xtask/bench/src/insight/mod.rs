//! How well anomalies are found, on data that others recorded and labelled.
//!
//! The development half of the corpus only: what was chosen while looking at it is judged on the other half elsewhere.

mod m4;
mod nab;

use anyhow::{Context, ensure};
use nightdesk_insight::detect::{Config, Detector};

use crate::Settings;
use crate::report::{Section, Target, median};
use nab::{LOW_FN, LOW_FP, STANDARD, Series};

/// Splits into halves.
const SEEDS: u64 = 20;
/// Rows of clean noise, five minutes apart.
const NOISE_WEEKS: i64 = 20;

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let folder = settings.data.join("nab");
    ensure!(folder.exists(), "{} is not there: name the data folder with --data", folder.display());
    let corpus = nab::load(&folder).map_err(anyhow::Error::msg)?;
    let mut section = Section::new("insight: anomalies (NAB, development half)");
    found(&mut section, &corpus).map_err(anyhow::Error::msg)?;
    cost(&mut section, &corpus, settings.rounds);
    section.note("files", corpus.len());
    section.note("windows", corpus.iter().map(|series| series.windows.len()).sum::<usize>());
    section.note("others on these files", "ARTime 78.8, CAD OSE 75.0, HTM 72.5, RCF 50.4");
    let acausal = nab::acausal(&corpus, Config::default()).map_err(anyhow::Error::msg)?;
    ensure!(acausal.is_empty(), "readings change when later rows are cut off: {}", acausal.join(", "));
    section.note("causality", "checked on every file: cutting the end changes no reading before it");
    let quiet: Vec<&Series> = corpus.iter().filter(|series| series.category() == "artificialNoAnomaly").collect();
    let per_week = clean(&quiet).context("no series without anomalies")?;
    section.add("alarms a series-week, artificialNoAnomaly", per_week, "");
    section.must("alarms a series-week, normal noise", noise()?, "", Target::AtMost(2.0));
    forecasts(&mut section, &m4::run(&settings.data).map_err(anyhow::Error::msg)?);
    Ok(section)
}

/// Per cent where the field writes shares: the table shows two digits.
fn forecasts(section: &mut Section, m4: &m4::Figures) {
    section.must("M4 Hourly, OWA", 100.0 * m4.official.owa, "%", Target::AtMost(45.0));
    section.must("M4 Hourly, MSIS", m4.official.score.msis, "", Target::AtMost(7.3));
    section.must("M4 Hourly, coverage", 100.0 * m4.official.score.coverage, "%", Target::AtLeast(93.0));
    section.must("the same", 100.0 * m4.official.score.coverage, "%", Target::AtMost(97.0));
    section.add("48 steps earlier, OWA", 100.0 * m4.earlier.owa, "%");
    section.add("48 steps earlier, MSIS", m4.earlier.score.msis, "");
    section.add("48 steps earlier, coverage", 100.0 * m4.earlier.score.coverage, "%");
    section.must(
        "series a second, fit, selection and 48 steps",
        m4.series_per_cpu_second,
        "1/s",
        Target::AtLeast(200.0),
    );
    section.add("the same, by the wall clock", m4.series_per_second, "1/s");
    section.add("forecasts a second, once fitted", m4.forecasts_per_cpu_second, "1/s");
    section.add("values a second, updates", m4.updates_per_cpu_second, "1/s");
    section.note("M4 series", m4.series);
    let naive2 = m4.official.naive2;
    section.note("Naive2 (published 18.383, 2.395)", format!("sMAPE {:.3}, MASE {:.3}", naive2.smape, naive2.mase));
    let halves =
        |round: &m4::Round| round.halves.iter().map(|(owa, _)| format!("{owa:.3}")).collect::<Vec<_>>().join(", ");
    section.note("M4 OWA of random halves", halves(&m4.official));
    section.note("others on M4 Hourly", "OWA .410, MSIS 6.14, coverage .952 at best; the winner .440, 7.93");
}

fn found(section: &mut Section, corpus: &[Series]) -> Result<(), String> {
    let config = Config::default();
    let score = |profile| nab::score(corpus, profile, config);
    section.must("standard profile", score(STANDARD)?, "", Target::AtLeast(72.5));
    section.must("reward low FP", score(LOW_FP)?, "", Target::AtLeast(63.0));
    section.add("reward low FN", score(LOW_FN)?, "");
    section.note("threshold", config.threshold);
    for (name, profile) in [("standard", STANDARD), ("reward low FP", LOW_FP)] {
        let grid = nab::Grid::new(corpus, profile, config)?;
        let halves = grid.halves(SEEDS);
        let mean = halves.iter().sum::<f64>() / halves.len() as f64;
        let variance = halves.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / halves.len() as f64;
        section.add(format!("{name}, threshold from the other half, mean of {}", halves.len()), mean, "");
        section.add("the same, deviation", variance.sqrt(), "");
        section.add(format!("{name}, threshold from the other categories"), grid.without_category(), "");
        section.note(format!("threshold that {name} would choose"), format!("{:.2}", grid.best_threshold()));
    }
    let mut perturbed = nab::perturbed(corpus, config)?;
    perturbed.sort_by(|a, b| a.1.total_cmp(&b.1));
    section.add(
        "standard, one tuning number moved by 30 %: median",
        median(perturbed.iter().map(|p| p.1).collect()),
        "",
    );
    if let (Some(worst), Some(best)) = (perturbed.first(), perturbed.last()) {
        section.add(format!("the same, worst ({})", worst.0), worst.1, "");
        section.add(format!("the same, best ({})", best.0), best.1, "");
    }
    Ok(())
}

fn cost(section: &mut Section, corpus: &[Series], rounds: usize) {
    section.must("points a second, one core", nab::speed(corpus, rounds), "1/s", Target::AtLeast(2e6));
    section.must("memory a series", size_of::<Detector>() as f64, "bytes", Target::AtMost(4_096.0));
}

/// Alarms a week, after probation.
fn clean(quiet: &[&Series]) -> Option<f64> {
    let (mut alarms, mut weeks) = (0, 0.0);
    for series in quiet {
        let rows = nab::detected(&nab::readings(&series.rows, Config::default()).ok()?);
        alarms += rows.iter().filter(|row| **row >= series.probation()).count();
        weeks += series.weeks();
    }
    (weeks > 0.0).then(|| f64::from(u32::try_from(alarms).unwrap_or(u32::MAX)) / weeks)
}

/// Alarms a week on normal noise, a point each five minutes.
fn noise() -> anyhow::Result<f64> {
    let mut chance = 1_u64;
    let mut even = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut bell = || (0..12).map(|_| even()).sum::<f64>() - 6.0;
    let rows: Vec<(i64, f64)> = (0..NOISE_WEEKS * 2_016).map(|row| (row * 300, bell())).collect();
    let alarms = nab::detected(&nab::readings(&rows, Config::default()).map_err(anyhow::Error::msg)?).len();
    Ok(alarms as f64 / NOISE_WEEKS as f64)
}
