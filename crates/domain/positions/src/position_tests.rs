use nightdesk_units::{Decimal, Timestamp};
use proptest::prelude::*;

use super::*;

fn position() -> Position {
    Position::new("BTC".parse().unwrap(), "USDT".parse().unwrap())
}

fn fill(qty: &str, price: &str, fee: &str, asset: &str) -> Fill {
    Fill {
        trade_id: 0,
        price: price.parse().unwrap(),
        qty: qty.parse().unwrap(),
        fee: fee.parse().unwrap(),
        fee_asset: asset.parse().unwrap(),
        maker: false,
        at: Timestamp(0),
    }
}

/// Applies fills such as `buy 2 @ 100 fee 0.1 USDT | sell 1 @ 110`, and compares the position and the last outcome.
fn check(text: &str, expected: &str) {
    let mut position = position();
    let mut last = String::new();
    for line in text.split('|') {
        let words: Vec<&str> = line.split_whitespace().collect();
        let side = if words[0] == "buy" { Side::Buy } else { Side::Sell };
        let (fee, asset) = words.get(5).map_or(("0", "USDT"), |fee| (*fee, words[6]));
        last = match position.apply(side, &fill(words[1], words[3], fee, asset)) {
            Ok(applied) => format!("{} base {} cash", applied.base, applied.cash),
            Err(error) => error.to_string(),
        };
    }
    let average = position.average_cost().map_or("-".to_owned(), |price| price.to_string());
    let other: Vec<String> = position.other_fees().map(|(asset, fee)| format!(" and {fee} {asset}")).collect();
    let got =
        format!("holds {} at {average}, realised {}{}; {last}", position.quantity, position.realised, other.concat());
    assert_eq!(got, expected, "{text}");
}

#[test]
fn cost_is_averaged_and_profit_realised_on_sale() {
    check("buy 2 @ 100", "holds 2 at 100, realised 0; 2 base -200 cash");
    check("buy 1 @ 100 | buy 1 @ 110", "holds 2 at 105, realised 0; 1 base -110 cash");
    check("buy 2 @ 100 | sell 1 @ 110", "holds 1 at 100, realised 10; -1 base 110 cash");
    check("buy 2 @ 100 | sell 2 @ 90", "holds 0 at -, realised -20; -2 base 180 cash");
}

#[test]
fn a_fee_counts_wherever_it_is_taken() {
    check("buy 1 @ 100 fee 0.1 USDT", "holds 1 at 100.1, realised 0; 1 base -100.1 cash");
    check("buy 1 @ 100 fee 0.2 BTC", "holds 0.8 at 125, realised 0; 0.8 base -100 cash");
    check("buy 1 @ 100 fee 0.01 BNB", "holds 1 at 100, realised 0 and 0.01 BNB; 1 base -100 cash");
    check("buy 1 @ 100 | sell 1 @ 110 fee 0.11 USDT", "holds 0 at -, realised 9.89; -1 base 109.89 cash");
    check("buy 2 @ 100 | sell 1 @ 110 fee 1 BTC", "holds 0 at -, realised -90; -2 base 110 cash");
}

#[test]
fn selling_more_than_is_held_changes_nothing() {
    check("buy 1 @ 100 | sell 1.1 @ 100", "holds 1 at 100, realised 0; a fill takes 1.1 where 1 is held");
    check("buy 1 @ 100 | sell 1 @ 100 fee 0.1 BTC", "holds 1 at 100, realised 0; a fill takes 1.1 where 1 is held");
}

#[test]
fn what_is_no_fill_changes_nothing() {
    let refused = "holds 0 at -, realised 0; not a fill: quantity and price must be above zero, the fee not below";
    check("buy 0 @ 100", refused);
    check("buy 1 @ 0", refused);
    check("buy 1 @ 100 fee -1 USDT", refused);
}

#[test]
fn a_third_of_a_cost_loses_nothing() {
    check(
        "buy 3 @ 100 fee 0.1 USDT | sell 1 @ 100",
        "holds 2 at 100.0333333333335, realised -0.033333333333; -1 base 100 cash",
    );
    check("buy 3 @ 100 fee 0.1 USDT | sell 1 @ 100 | sell 2 @ 100", "holds 0 at -, realised -0.1; -2 base 200 cash");
}

#[test]
fn an_adopted_position_keeps_what_was_realised() {
    let mut position = position();
    position.apply(Side::Buy, &fill("2", "100", "0", "USDT")).unwrap();
    position.apply(Side::Sell, &fill("1", "110", "0", "USDT")).unwrap();
    position.adopt("3".parse().unwrap(), "330".parse().unwrap());
    assert_eq!(
        (position.realised.to_string(), position.average_cost().unwrap().to_string()),
        ("10".into(), "110".into())
    );
    assert_eq!(position.version, 3);
}

fn any_fill() -> impl Strategy<Value = (bool, Fill)> {
    let fee_asset = prop_oneof![Just("BTC"), Just("USDT"), Just("BNB")];
    (any::<bool>(), 1..1_000_000i64, 1..10_000_000i64, 0..100i64, fee_asset).prop_map(
        |(buy, qty, price, fee, asset)| {
            let fee = Decimal::new(qty, 5) * Decimal::new(fee, 5);
            let mut fill = fill("1", "1", "0", asset);
            (fill.qty, fill.price, fill.fee) =
                (Qty::new(Decimal::new(qty, 5)), Price::new(Decimal::new(price, 2)), Qty::new(fee));
            (buy, fill)
        },
    )
}

proptest! {
    #[test]
    fn buying_and_selling_at_one_price_realises_nothing(
        price in 1..10_000_000i64,
        buys in proptest::collection::vec(1..1_000_000i64, 1..20),
        sells in proptest::collection::vec(1..1_000_000i64, 0..20),
    ) {
        let mut position = position();
        let at = |qty: Decimal| {
            let mut fill = fill("1", "1", "0", "USDT");
            (fill.qty, fill.price) = (Qty::new(qty), Price::new(Decimal::new(price, 2)));
            fill
        };
        for qty in buys {
            position.apply(Side::Buy, &at(Decimal::new(qty, 5))).unwrap();
        }
        for qty in sells {
            let qty = Decimal::new(qty, 5).min(position.quantity.get());
            if !qty.is_zero() {
                position.apply(Side::Sell, &at(qty)).unwrap();
            }
        }
        if !position.is_flat() {
            position.apply(Side::Sell, &at(position.quantity.get())).unwrap();
        }
        prop_assert_eq!((position.realised, position.cost, position.quantity), (Money::ZERO, Money::ZERO, Qty::ZERO));
    }

    /// What was paid in and out is what was realised less what is still invested, to the last digit; so it is with
    /// quantities.
    #[test]
    fn nothing_is_created_or_lost(fills in proptest::collection::vec(any_fill(), 1..60)) {
        let mut position = position();
        let (mut cash, mut base) = (Money::ZERO, Qty::ZERO);
        for (buy, fill) in fills {
            let before = position.clone();
            match position.apply(if buy { Side::Buy } else { Side::Sell }, &fill) {
                Ok(applied) => {
                    cash = cash.add(applied.cash).unwrap();
                    base = base.add(applied.base).unwrap();
                }
                Err(_) => prop_assert_eq!(&position, &before),
            }
            prop_assert_eq!(cash, position.realised.sub(position.cost).unwrap());
            prop_assert_eq!(base, position.quantity);
            prop_assert!(!position.quantity.is_negative() && !position.cost.is_negative());
            prop_assert!(!position.is_flat() || position.cost.is_zero());
        }
    }

    #[test]
    fn replay_equals_live(fills in proptest::collection::vec(any_fill(), 1..40), cut in 0..40usize) {
        let side = |buy: bool| if buy { Side::Buy } else { Side::Sell };
        let mut live = position();
        let mut replayed = position();
        for (i, (buy, fill)) in fills.iter().enumerate() {
            let _ = live.apply(side(*buy), fill);
            if i == cut {
                let text = serde_json::to_string(&replayed).unwrap();
                replayed = serde_json::from_str(&text).unwrap();
            }
            let _ = replayed.apply(side(*buy), fill);
        }
        prop_assert_eq!(live, replayed);
    }
}
