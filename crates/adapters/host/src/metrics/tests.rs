use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::derived::ErrorRates;
use super::*;

/// The lines of one family, with its comments.
fn family(page: &str, name: &str) -> String {
    let of = |line: &&str| {
        let rest = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        rest.strip_prefix(name).is_some_and(|after| after.starts_with([' ', '{']) || after.starts_with("_bucket"))
    };
    page.lines().filter(of).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_kpi_is_there_from_the_start() {
    let page = Metrics::new().render();
    for kpi in kpi::ALL {
        assert!(page.contains(&format!("# TYPE {} ", kpi.name)), "{}", kpi.name);
        assert!(page.contains(&format!("# HELP {} ", kpi.name)), "{}", kpi.name);
    }
    for name in ["portfolio_total_value", "max_drawdown", "var_95", "sharpe_ratio"] {
        assert!(page.contains(&format!("\n{name} NaN\n")), "{name} is not known yet");
    }
    for name in ["daily_pnl_by_strategy", "service_availability", "error_rates"] {
        assert!(page.contains(&format!("\n# TYPE {name} gauge\n")), "{name}");
    }
}

#[test]
fn values_appear_under_our_name_and_the_users() {
    let metrics = Metrics::new();
    metrics::with_local_recorder(&metrics.recorder(), || {
        kpi::PORTFOLIO_DRAWDOWN_MAX.gauge(&[]).set(0.125);
        kpi::STRATEGY_PNL_DAILY.gauge(&["123"]).set(-4.5);
        kpi::STRATEGY_TRADES.counter(&["123"]).increment(2);
        kpi::STRATEGY_TRADES.counter(&["123"]).increment(1);
    });
    let page = metrics.render();
    expect![[r"
        # HELP max_drawdown Deepest fall of the portfolio's value below an earlier peak, per cent of that peak.
        # TYPE max_drawdown gauge
        max_drawdown 12.5
    "]]
    .assert_eq(&family(&page, "max_drawdown"));
    assert!(page.contains("\nnightdesk_portfolio_drawdown_max_ratio 0.125\n"));
    assert!(page.contains("\nnightdesk_strategy_pnl_daily{strategy=\"123\"} -4.5\n"));
    assert!(page.contains("\ndaily_pnl_by_strategy{strategy=\"123\"} -4.5\n"));
    assert!(page.contains("\nnightdesk_strategy_trades_total{strategy=\"123\"} 3\n"));
}

#[test]
fn histograms_count_into_cumulative_buckets() {
    let metrics = Metrics::new();
    metrics::with_local_recorder(&metrics.recorder(), || {
        let seconds = kpi::CAPITAL_REQUEST_SECONDS.histogram(&[]);
        [0.000_05, 0.003, 0.003, 60.0].into_iter().for_each(|value| seconds.record(value));
    });
    let page = metrics.render();
    let line = |end: &str| page.contains(&format!("\nnightdesk_capital_request_duration_seconds{end}\n"));
    assert!(line("_bucket{le=\"0.00005\"} 1"), "a bound belongs to its bucket");
    assert!(line("_bucket{le=\"0.0025\"} 1"));
    assert!(line("_bucket{le=\"0.005\"} 3"));
    assert!(line("_bucket{le=\"10\"} 3"));
    assert!(line("_bucket{le=\"+Inf\"} 4"));
    assert!(line("_count 4"));
    assert!(line("_sum 60.00605"));
}

#[test]
fn a_label_out_of_hand_is_cut_off_and_text_is_escaped() {
    let metrics = Metrics::new();
    metrics::with_local_recorder(&metrics.recorder(), || {
        for n in 0..2_000 {
            kpi::QUEUE_MESSAGES_WAITING.gauge(&[&n.to_string()]).set(1.0);
        }
        metrics::counter!("odd name", "why" => "a \"b\"\n\\").increment(1);
        metrics::gauge!("odd name").set(1.0);
    });
    let page = metrics.render();
    assert_eq!(page.matches("\nnightdesk_queue_messages_waiting{").count(), 1_000);
    assert!(page.contains(r#"odd_name{why="a \"b\"\n\\"} 1"#), "{page}");
}

#[test]
fn presets_do_not_overwrite_and_unknown_is_not_zero() {
    let metrics = Metrics::new();
    metrics.preset(&kpi::STRATEGY_SHARPE, &["123"]);
    metrics.preset(&kpi::STRATEGY_TRADES, &["123"]);
    metrics.set(&kpi::POSITIONS_OPEN, &[], 2.0);
    metrics.preset(&kpi::POSITIONS_OPEN, &[]);
    let page = metrics.render();
    assert!(page.contains("nightdesk_strategy_sharpe_ratio{strategy=\"123\"} NaN\n"));
    assert!(page.contains("nightdesk_strategy_trades_total{strategy=\"123\"} 0\n"));
    assert!(page.contains("nightdesk_positions_open 2\n"));
}

#[test]
fn the_process_measures_itself() {
    let metrics = Metrics::new();
    process::add_to(&metrics, "test");
    let page = metrics.render();
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_start_time_seconds") > 1.6e9);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(page.contains("# TYPE process_cpu_seconds_total counter"));
    assert!(page.contains("nightdesk_build_info{service=\"test\",version=\""));
}

#[test]
fn error_rates_cover_the_last_minute() {
    let mut rates = ErrorRates::default();
    let start = Instant::now();
    let mut at = |second: u64, total: u64| {
        let totals = BTreeMap::from([("core".to_owned(), total)]);
        rates.sample(start + Duration::from_secs(second), totals)["core"]
    };
    assert!(at(0, 0).abs() < 1e-9);
    assert!((at(30, 60) - 2.0).abs() < 1e-9, "60 errors in 30 s");
    assert!((at(60, 60) - 1.0).abs() < 1e-9);
    assert!((at(90, 60) - 0.0).abs() < 1e-9, "the minute began after the errors");
    assert!((at(91, 0) - 0.0).abs() < 1e-9, "a restarted counter is no negative rate");
}

#[test]
fn errors_of_a_watched_service_have_a_rate_even_when_there_are_none() {
    let metrics = Metrics::new();
    derived::add_to(&metrics);
    metrics.set(&kpi::SERVICE_UP, &["core-engine"], 1.0);
    let page = metrics.render();
    assert!(page.contains("\nerror_rates{service=\"core-engine\"} 0\n"));
    assert!(page.contains("\nservice_availability{service=\"core-engine\"} 1\n"));
}
