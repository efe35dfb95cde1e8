//! How serious an anomaly is, and the record that tells of it.

use serde::{Deserialize, Serialize};

use crate::detect::{ALARM_SCORE, Reading};
use crate::impact::{ImpactModel, PredictedImpact, Stakes};

/// How soon somebody must look: the four steps of crisis management.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Within the hour.
    Low,
    /// Within half an hour.
    Medium,
    /// Within five minutes.
    High,
    /// At once.
    Critical,
}

/// The least scores of medium, high and critical. A score of `s` in an alarm is evidence of `s / (1 - s)` thresholds, so
/// these are 1.25, 1.5 and 2 times the threshold: with the default one, about one, two and four powers of ten less
/// probable than what just raises an alarm.
pub const STEPS: [(f64, Severity); 3] =
    [(5.0 / 9.0, Severity::Medium), (0.6, Severity::High), (2.0 / 3.0, Severity::Critical)];

impl Severity {
    /// The severity of a score; `None` below what raises an alarm.
    #[must_use]
    pub fn of(score: f64) -> Option<Self> {
        if score.is_nan() || score < ALARM_SCORE {
            return None;
        }
        let reached = STEPS.iter().rfind(|(least, _)| score >= *least);
        Some(reached.map_or(Self::Low, |(_, severity)| *severity))
    }
}

/// An anomaly of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Which metric.
    pub metric_name: String,
    /// The score of the row that raised the alarm.
    pub anomaly_score: f64,
    /// By the score.
    pub severity: Severity,
    /// What it may do.
    pub predicted_impact: PredictedImpact,
}

impl Anomaly {
    /// The anomaly that `reading` raises in `metric_name`; `None` when it raises no alarm.
    #[must_use]
    pub fn of(metric_name: &str, reading: &Reading, model: &impl ImpactModel, stakes: Stakes) -> Option<Self> {
        let severity = Severity::of(reading.score).filter(|_| reading.alarm)?;
        let predicted_impact = model.predict(metric_name, severity, stakes);
        Some(Self { metric_name: metric_name.to_owned(), anomaly_score: reading.score, severity, predicted_impact })
    }
}

#[cfg(test)]
#[path = "severity_tests.rs"]
mod tests;
