//! What was measured, beside what it should be.

use std::collections::BTreeMap;
use std::time::Duration;

use nightdesk_host::output::{Align, Table};
use serde::Serialize;

/// What a figure must reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// As much or more.
    AtLeast(f64),
    /// As much or less.
    AtMost(f64),
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measure {
    name: String,
    /// `None` when it could not be found out.
    value: Option<f64>,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
}

/// The figures of one benchmark, and the settings they were taken with.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    name: &'static str,
    settings: BTreeMap<String, String>,
    measures: Vec<Measure>,
}

impl Section {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, settings: BTreeMap::new(), measures: Vec::new() }
    }

    /// Notes under which circumstances, or what is no figure.
    pub(crate) fn note(&mut self, name: impl Into<String>, value: impl ToString) {
        self.settings.insert(name.into(), value.to_string());
    }

    /// Notes a figure.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.measures.push(Measure { name: name.into(), value: Some(value), unit, target: None, reached: None });
    }

    /// Notes a figure that has a target.
    pub(crate) fn must(&mut self, name: impl Into<String>, value: f64, unit: &'static str, target: Target) {
        let reached = match target {
            Target::AtLeast(least) => value >= least,
            Target::AtMost(most) => value <= most,
        };
        self.measures.push(Measure {
            name: name.into(),
            value: Some(value),
            unit,
            target: Some(target),
            reached: Some(reached),
        });
    }

    /// Notes a limit or a peer that `ours` is compared with, measured in the same run.
    pub(crate) fn against(&mut self, name: &str, theirs: f64, ours: f64, unit: &'static str) {
        self.add(name, theirs, unit);
        self.add(format!("ours in proportion to: {name}"), ours / theirs.max(1e-9), "x");
    }

    /// Notes that a figure which has a target could not be had: what is not shown is not reached.
    pub(crate) fn unknown(&mut self, name: impl Into<String>, unit: &'static str, target: Target) {
        self.measures.push(Measure {
            name: name.into(),
            value: None,
            unit,
            target: Some(target),
            reached: Some(false),
        });
    }

    /// The first figure.
    pub(crate) fn first(&self) -> Option<f64> {
        self.measures.first()?.value
    }

    /// The names of what was missed.
    pub(crate) fn missed(&self) -> impl Iterator<Item = String> {
        let missed = self.measures.iter().filter(|measure| measure.reached == Some(false));
        missed.map(|measure| format!("{}: {}", self.name, measure.name))
    }

    /// How many figures have a target.
    fn targets(&self) -> usize {
        self.measures.iter().filter(|measure| measure.target.is_some()).count()
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Table::new(&[
            (self.name, Align::Left),
            ("measured", Align::Right),
            ("target", Align::Right),
            ("unit", Align::Left),
            ("", Align::Left),
        ]);
        for Measure { name, value, unit, target, reached } in &self.measures {
            let target = match target {
                Some(Target::AtLeast(least)) => format!(">= {}", number(*least)),
                Some(Target::AtMost(most)) => format!("<= {}", number(*most)),
                None => String::new(),
            };
            let verdict = match reached {
                Some(true) => "reached",
                Some(false) => "MISSED",
                None => "",
            };
            let value = value.map_or_else(|| "unknown".to_owned(), number);
            table.row([name.as_str(), &value, &target, unit, verdict]);
        }
        let settings: Vec<String> = self.settings.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
        format!("{table}{}", settings.concat())
    }
}

/// All sections, and what they were measured on.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: BTreeMap<&'static str, String>,
    reached: bool,
    missed: Vec<String>,
    sections: Vec<Section>,
}

impl Report {
    pub(crate) const fn new(machine: BTreeMap<&'static str, String>) -> Self {
        Self { machine, reached: true, missed: Vec::new(), sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.missed.extend(section.missed());
        self.reached = self.missed.is_empty();
        self.sections.push(section);
    }

    /// Whether every target was reached.
    pub(crate) const fn is_good(&self) -> bool {
        self.reached
    }

    /// The closing lines for people.
    pub(crate) fn verdict(&self) -> String {
        let targets: usize = self.sections.iter().map(Section::targets).sum();
        let machine: Vec<String> = self.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let missed: String = self.missed.iter().map(|name| format!("\n  MISSED {name}")).collect();
        format!("{} of {targets} targets reached; {}{missed}", targets - self.missed.len(), machine.join(", "))
    }
}

fn number(value: f64) -> String {
    let digits = if value == value.trunc() || value.abs() >= 1_000.0 { 0 } else { 2 };
    let text = format!("{:.digits$}", value.abs());
    let (whole, part) = text.split_once('.').map_or((text.as_str(), String::new()), |(w, p)| (w, format!(".{p}")));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}{grouped}{part}", if value < 0.0 { "-" } else { "" })
}

/// The value that `share` of `sorted` do not exceed.
pub(crate) fn percentile(sorted: &[i64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = ((last as f64) * share).round() as usize;
    sorted.get(at.min(last)).map_or(0.0, |value| *value as f64)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How many a second.
pub(crate) fn rate(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0.0, 12.345, 999.5, 1_234.5, 1_500_000.0].map(number).join(" "), "0 12.35 999.50 1,234 1,500,000");
    }

    #[test]
    fn a_missed_target_shows_and_counts() {
        let mut section = Section::new("x");
        section.must("rate", 3.0, "1/s", Target::AtLeast(3.0));
        assert_eq!(section.missed().count(), 0);
        section.must("p99", 6.0, "ms", Target::AtMost(5.0));
        section.unknown("syncs", "", Target::AtLeast(1.0));
        assert_eq!(section.missed().collect::<Vec<_>>(), ["x: p99", "x: syncs"]);
        assert!(section.table().contains("MISSED"));
        let mut report = Report::new(BTreeMap::new());
        report.add(section);
        assert!(!report.is_good());
        assert_eq!(report.verdict(), "1 of 3 targets reached; \n  MISSED x: p99\n  MISSED x: syncs");
    }

    #[test]
    fn percentiles_and_medians() {
        let values: Vec<i64> = (1..=101).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&values, share)), [1.0, 51.0, 100.0, 101.0]);
        assert_eq!((percentile(&[], 0.5), median(vec![3.0, 1.0, 2.0])), (0.0, 2.0));
    }
}
