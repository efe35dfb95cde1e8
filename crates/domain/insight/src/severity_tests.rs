use super::*;
use crate::detect::{Config, Detector};
use crate::impact::PriorImpact;

fn steps(scores: &[f64]) -> Vec<Option<Severity>> {
    scores.iter().map(|score| Severity::of(*score)).collect()
}

#[test]
fn severity_rises_with_the_score() {
    use Severity::{Critical, High, Low, Medium};
    let found = steps(&[0.0, 0.499, 0.5, 0.55, 0.56, 0.6, 0.66, 0.67, 1.0, f64::NAN]);
    let wanted =
        [None, None, Some(Low), Some(Low), Some(Medium), Some(High), Some(High), Some(Critical), Some(Critical)];
    assert_eq!(found[..9], wanted);
    assert_eq!(found[9], None);
    assert!(Low < Medium && Medium < High && High < Critical);
}

#[test]
fn an_alarm_becomes_an_anomaly_and_nothing_else_does() {
    let mut detector = Detector::new(Config::default());
    let mut found = Vec::new();
    for row in 0..600_i64 {
        let value = if row == 500 { 500.0 } else { (row * 7 % 11) as f64 };
        let reading = detector.update(row * 60, value).unwrap();
        let stakes = Stakes { exposure: 10_000.0, turnover_per_hour: 0.0 };
        found.extend(Anomaly::of("order_latency_ms", &reading, &PriorImpact, stakes).map(|anomaly| (row, anomaly)));
    }
    let [(500, anomaly)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((anomaly.metric_name.as_str(), anomaly.severity), ("order_latency_ms", Severity::Critical));
    assert_eq!(anomaly.predicted_impact.financial_impact, 50.0);
}

#[test]
fn the_record_has_the_names_that_were_asked_for() {
    let predicted_impact = PriorImpact.predict("daily_pnl", Severity::High, Stakes::default());
    let anomaly =
        Anomaly { metric_name: "daily_pnl".into(), anomaly_score: 0.61, severity: Severity::High, predicted_impact };
    let json = serde_json::to_value(&anomaly).unwrap();
    assert_eq!((&json["metric_name"], &json["severity"]), (&"daily_pnl".into(), &"high".into()));
    let impact = json["predicted_impact"].as_object().unwrap();
    let names: Vec<&str> = impact.keys().map(String::as_str).collect();
    assert_eq!(names, ["confidence", "estimated_duration", "financial_impact", "operational_impact"]);
}
