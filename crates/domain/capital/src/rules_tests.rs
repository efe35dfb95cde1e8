use super::*;

pub(crate) const GOOD: &str = r#"{
    "currency": "USDT", "total": "10000", "risk_budget": "20%", "max_drawdown": 15, "stress_move": "10",
    "collar": 2.5, "fee": "0.1", "max_order": "2000", "max_symbol_position": {"BTCUSDT": "6000"},
    "strategies": {
        "123": {"allocation": "40%", "risk_budget": "800", "max_drawdown": "10", "max_position": "3000",
                "max_order": "1000", "order_rate": {"per_second": 5, "per_minute": 60}},
        "456": {"allocation": "5000", "risk_budget": "100%", "max_drawdown": "10", "max_position": "5000",
                "max_order": "1000", "order_rate": {"per_second": 5, "per_minute": 60}}
    }
}"#;

fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let rules: CapitalRules = serde_json::from_str(&GOOD.replace(from, to)).unwrap();
    let found: Vec<String> = rules.validate().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{to}");
}

#[test]
fn good_rules_have_no_problem_and_survive_their_own_text() {
    check("10000", "10000", &[]);
    let rules: CapitalRules = serde_json::from_str(GOOD).unwrap();
    let text = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<CapitalRules>(&text).unwrap(), rules);
}

#[test]
fn an_unknown_or_missing_key_is_an_error() {
    for (from, to) in
        [("\"fee\": \"0.1\",", ""), ("\"fee\"", "\"fees\""), ("\"max_order\": \"1000\", \"order", "\"order")]
    {
        assert!(serde_json::from_str::<CapitalRules>(&GOOD.replace(from, to)).is_err(), "{from}");
    }
}

#[test]
fn every_mistake_is_reported_with_its_place_and_a_hint() {
    check(
        "\"10000\"",
        "\"0\"",
        &[
            "total: 0 is not above zero (an amount of quote currency)",
            "risk_budget: 20% is not above zero (an amount or a percentage)",
            "strategies.123.allocation: 40% is not above zero (an amount or a percentage)",
            "strategies.123.risk_budget: 800 exceeds the allocation of 0 (at most 100 % of it)",
            "strategies.123.max_position: 3000 exceeds the allocation of 0 (it could never be reached: lower it)",
            "strategies.123.max_order: 1000 exceeds the allocation of 0 (it could never be reached: lower it)",
            "strategies.456.allocation: 5000 exceeds the total of 0 (at most 100 % of it)",
            "strategies: allocations add up to 5000, more than the total of 0 (lower an allocation or raise the total)",
        ],
    );
    check(
        "\"40%\"",
        "\"60%\"",
        &[
            "strategies: allocations add up to 11000, more than the total of 10000 (lower an allocation or raise the total)",
        ],
    );
    check(
        "\"max_drawdown\": 15",
        "\"max_drawdown\": 101",
        &["max_drawdown: 101% is out of range (above 0, at most 100 %)"],
    );
    check("\"collar\": 2.5", "\"collar\": 0", &["collar: 0% is out of range (above 0, at most 50 %)"]);
    check("\"fee\": \"0.1\"", "\"fee\": \"-1\"", &["fee: -1% is no fee (from 0 to 10 per cent)"]);
    check(
        "{\"BTCUSDT\": \"6000\"}",
        "{\"BTCUSDT\": \"-1\"}",
        &["max_symbol_position.BTCUSDT: -1 is not above zero (an amount of quote currency)"],
    );
    check(
        "\"800\"",
        "\"4001\"",
        &["strategies.123.risk_budget: 4001 exceeds the allocation of 4000 (at most 100 % of it)"],
    );
    check(
        "5, \"per_minute\": 60}},",
        "0, \"per_minute\": 60}},",
        &["strategies.123.order_rate: zero orders are allowed (allow at least one)"],
    );
    check(
        "5, \"per_minute\": 60}},",
        "5, \"per_minute\": 4}},",
        &["strategies.123.order_rate.per_minute: 4 a minute is less than 5 a second (raise it, or lower per_second)"],
    );
}

#[test]
fn a_share_is_an_amount_or_a_percentage() {
    let total = "10000".parse().unwrap();
    assert_eq!("12.5%".parse::<Share>().unwrap().of(total).unwrap().to_string(), "1250");
    assert_eq!("12.5".parse::<Share>().unwrap().of(total).unwrap().to_string(), "12.5");
    assert!("12,5".parse::<Share>().is_err());
    assert!("%".parse::<Share>().is_err());
}
