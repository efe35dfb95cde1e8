use super::*;

const STAKES: Stakes = Stakes { exposure: 100_000.0, turnover_per_hour: 1_000_000.0 };
const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

#[test]
fn a_metric_is_known_by_the_words_in_its_name() {
    let found = ["max_drawdown", "order_error_rate", "Spread_bps", "api_latency_ms", "moon_phase"].map(Subject::of);
    assert_eq!(found, [Subject::Risk, Subject::Trading, Subject::Market, Subject::System, Subject::Other]);
}

#[test]
fn impact_rises_with_severity() {
    for metric in ["var_95", "fills", "funding_rate", "cpu", "other"] {
        let impacts = SEVERITIES.map(|severity| PriorImpact.predict(metric, severity, STAKES));
        for pair in impacts.windows(2) {
            assert!(pair[0].financial_impact < pair[1].financial_impact, "{metric}");
            assert!(pair[0].operational_impact < pair[1].operational_impact, "{metric}");
            assert!(pair[0].estimated_duration < pair[1].estimated_duration, "{metric}");
        }
    }
}

#[test]
fn a_critical_loss_is_some_hundred_basis_points_and_what_is_missed() {
    let impact = PriorImpact.predict("max_drawdown", Severity::Critical, STAKES);
    // 200 basis points of the exposure, and 10 of half an hour's worth of an hour's turnover.
    assert_eq!(impact.financial_impact, 2_000.0 + 500.0);
    assert_eq!((impact.operational_impact, impact.estimated_duration), (0.5, 3_600.0));
}

#[test]
fn nothing_at_stake_is_nothing_lost() {
    let none = Stakes { exposure: f64::NAN, turnover_per_hour: 0.0 };
    for severity in SEVERITIES {
        let impact = PriorImpact.predict("equity", severity, none);
        assert_eq!(impact.financial_impact, 0.0);
        assert!((0.0..=1.0).contains(&impact.operational_impact) && impact.confidence < 0.5);
    }
}

#[test]
fn short_exposure_is_exposure() {
    let short = Stakes { exposure: -100_000.0, ..STAKES };
    let both = [STAKES, short].map(|stakes| PriorImpact.predict("pnl", Severity::High, stakes).financial_impact);
    assert_eq!(both[0], both[1]);
}
