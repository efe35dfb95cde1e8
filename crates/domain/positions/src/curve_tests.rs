use super::*;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Adds valuations `HOURS:EQUITY` (hours may have a fraction) and payments `flow:AMOUNT`.
fn curve(text: &str) -> EquityCurve {
    let mut curve = EquityCurve::new(100);
    for word in text.split_whitespace() {
        let (at, amount) = word.split_once(':').unwrap();
        match at {
            "flow" => curve.flow(money(amount)),
            hours => {
                let at = hours.parse::<Decimal>().unwrap() * Decimal::from(HOUR);
                curve.push(Timestamp(at.trunc().try_into().unwrap()), money(amount));
            }
        }
    }
    curve
}

#[test]
fn the_first_valuation_at_or_after_each_hour_is_kept() {
    let hours = |text| curve(text).hours().map(|p| format!("{}:{}", p.hour, p.equity)).collect::<Vec<_>>().join(" ");
    assert_eq!(hours("0.2:100 0.9:105 1:110 1.5:90 3.1:95"), "0:100 1:110 3:95");
    assert_eq!(hours("5:100 4:90"), "5:100");
}

#[test]
fn drawdown_is_measured_from_the_peak_at_any_valuation() {
    let c = curve("0:100 0.1:200 0.2:150 0.3:180");
    let shown = (c.peak(), c.drawdown_at(money("180")), c.max_drawdown());
    assert_eq!(shown, (money("200"), Decimal::TEN, Decimal::from(25)));
    assert_eq!(curve("0:0 1:-5").max_drawdown(), Decimal::ZERO);
    assert_eq!(curve("0:10 1:-5").max_drawdown(), Decimal::from(150));
}

#[test]
fn money_paid_in_or_out_is_neither_profit_nor_drawdown() {
    let c = curve("0:100 1:110 flow:1000 2:1110 flow:-1060 3:50");
    assert_eq!((c.max_drawdown(), c.today_at(money("50")), c.peak()), (Decimal::ZERO, money("10"), money("50")));
    assert_eq!(c.hours().map(|p| p.flow.to_string()).collect::<Vec<_>>(), ["0", "0", "1000", "-1060"]);
}

#[test]
fn profit_is_kept_by_utc_day() {
    let c = curve("22:100 23:130 24:120 30:150 49:140");
    assert_eq!(c.days().collect::<Vec<_>>(), [(0, money("20")), (1, money("20"))]);
    assert_eq!(c.today_at(money("145")), money("5"));
}

#[test]
fn the_month_begins_with_its_first_valuation() {
    let c = curve("0:100 743:150 744:200 800:210");
    assert_eq!(c.month_return_at(money("210")), Some(Decimal::from(5)));
    assert_eq!(EquityCurve::new(1).month_return_at(money("1")), None);
}

#[test]
fn months_turn_when_calendars_say() {
    let months = |at: &[i64]| at.iter().map(|s| month_of(Timestamp(s * 1_000_000))).collect::<Vec<_>>();
    let at = [951_782_399, 951_782_400, 951_868_800, 1_735_689_599, 1_735_689_600];
    assert_eq!(months(&at), [2000 * 12 + 1, 2000 * 12 + 1, 2000 * 12 + 2, 2024 * 12 + 11, 2025 * 12]);
}

#[test]
fn memory_is_bounded() {
    let mut curve = EquityCurve::new(10);
    (0..100_000).for_each(|hour| curve.push(Timestamp(hour * HOUR), money("1")));
    assert_eq!((curve.hours().len(), curve.days().len()), (10, DAYS));
}
