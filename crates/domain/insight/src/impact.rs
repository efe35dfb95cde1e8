//! What an anomaly may do: to money, to the flow of orders, and for how long.
//!
//! There are no incidents yet to learn from, so [`PriorImpact`] is a documented guess by kind of metric and severity, and
//! says so by a low confidence. What learns from incidents later takes its place behind [`ImpactModel`].

use serde::{Deserialize, Serialize};

use crate::severity::Severity;

/// What is at stake in the part of the house that a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stakes {
    /// Open exposure, in quote currency.
    pub exposure: f64,
    /// Turnover in an hour, in quote currency.
    pub turnover_per_hour: f64,
}

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictedImpact {
    /// Possible loss, in quote currency.
    pub financial_impact: f64,
    /// Share of the flow of orders that may be affected, from 0 to 1.
    pub operational_impact: f64,
    /// Seconds.
    pub estimated_duration: f64,
    /// From 0 to 1: how much such a prediction has proved itself.
    pub confidence: f64,
}

/// Predicts what an anomaly may do.
pub trait ImpactModel {
    /// The impact of an anomaly of `severity` in `metric`.
    fn predict(&self, metric: &str, severity: Severity, stakes: Stakes) -> PredictedImpact;
}

/// What a metric tells about, by words in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Profit, drawdown, value at risk, margin: money is being lost or may be.
    Risk,
    /// Orders, fills, rejections, the exchange: trading itself is disturbed.
    Trading,
    /// Prices, spreads, volume, funding: the market is unusual, and we stand in it.
    Market,
    /// Latency, errors, availability, queues, replication: the house is unwell.
    System,
    /// Anything else.
    Other,
}

/// Words that name a subject, the most serious subject first: `order_error_rate` is about trading.
const WORDS: [(Subject, &[&str]); 4] = [
    (Subject::Risk, &["pnl", "drawdown", "var_", "margin", "equity", "portfolio", "liquidation", "exposure", "sharpe"]),
    (Subject::Trading, &["order", "fill", "reject", "slippage", "exchange", "position", "trade"]),
    (Subject::Market, &["price", "spread", "volume", "funding", "volatility", "quote", "depth"]),
    (Subject::System, &["latency", "error", "availab", "queue", "lag", "cpu", "memory", "disk", "restart", "uptime"]),
];

impl Subject {
    /// What `metric` tells about.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        let metric = metric.to_ascii_lowercase();
        let named = WORDS.iter().find(|(_, words)| words.iter().any(|word| metric.contains(word)));
        named.map_or(Self::Other, |(subject, _)| *subject)
    }
}

/// The prior: what one would guess who has seen trading systems fail, and no incident of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PriorImpact;

/// Confidence of the prior: it is right about the order of magnitude one time in three.
const PRIOR_CONFIDENCE: f64 = 0.3;

/// A critical anomaly of one subject; less severe ones are scaled down from it.
struct Worst {
    /// Basis points of the exposure that may be lost.
    exposure_bps: f64,
    /// Share of turnover that may be missed while it lasts, and what of missed turnover is lost, in basis points.
    flow: f64,
    missed_bps: f64,
    duration_s: f64,
}

impl Worst {
    /// An hour's move of a liquid pair is around 50 basis points and a violent one 200; an outage of an exchange lasts
    /// from minutes to an hour, and a missed trade costs about the spread and fee that trading elsewhere costs.
    const fn of(subject: Subject) -> Self {
        match subject {
            Subject::Risk => Self { exposure_bps: 200.0, flow: 0.5, missed_bps: 10.0, duration_s: 3_600.0 },
            Subject::Trading => Self { exposure_bps: 50.0, flow: 0.9, missed_bps: 10.0, duration_s: 1_800.0 },
            Subject::Market => Self { exposure_bps: 100.0, flow: 0.3, missed_bps: 10.0, duration_s: 3_600.0 },
            Subject::System => Self { exposure_bps: 25.0, flow: 0.6, missed_bps: 10.0, duration_s: 1_200.0 },
            Subject::Other => Self { exposure_bps: 10.0, flow: 0.1, missed_bps: 10.0, duration_s: 1_800.0 },
        }
    }
}

/// The part of the worst that a severity brings. Each step is about three times the one below it.
const fn part(severity: Severity) -> f64 {
    match severity {
        Severity::Low => 0.03,
        Severity::Medium => 0.1,
        Severity::High => 0.3,
        Severity::Critical => 1.0,
    }
}

impl ImpactModel for PriorImpact {
    fn predict(&self, metric: &str, severity: Severity, stakes: Stakes) -> PredictedImpact {
        let worst = Worst::of(Subject::of(metric));
        let part = part(severity);
        let positive = |amount: f64| if amount.is_finite() { amount.abs() } else { 0.0 };
        let operational_impact = worst.flow * part;
        // Small disturbances are not a hundredth as long as large ones: the root keeps them within a factor of six.
        let estimated_duration = worst.duration_s * part.sqrt();
        let held = positive(stakes.exposure) * worst.exposure_bps * part;
        let hours = estimated_duration / 3_600.0;
        let missed = positive(stakes.turnover_per_hour) * hours * operational_impact * worst.missed_bps;
        PredictedImpact {
            financial_impact: (held + missed) / 10_000.0,
            operational_impact,
            estimated_duration,
            confidence: PRIOR_CONFIDENCE,
        }
    }
}

#[cfg(test)]
#[path = "impact_tests.rs"]
mod tests;
