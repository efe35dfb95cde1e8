use nightdesk_market::Filters;

use super::*;

const BTC: &str = "BTCUSDT";

fn instrument(symbol: &str, base: &str) -> Instrument {
    let (zero, money) = (Qty::ZERO, Money::ZERO);
    Instrument {
        symbol: symbol.parse().unwrap(),
        base: base.parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        scale: Scale { tick: "0.01".parse().unwrap(), step: "0.00001".parse().unwrap() },
        filters: Filters {
            min_price: Price::ZERO,
            max_price: Price::ZERO,
            min_qty: zero,
            max_qty: zero,
            max_market_qty: zero,
            min_notional: money,
            min_notional_applies_to_market: false,
            max_notional: money,
            percent_price: None,
            max_open_orders: 0,
            max_position: zero,
        },
    }
}

fn portfolio() -> Portfolio {
    let mut portfolio = Portfolio::new("USDT".parse().unwrap());
    portfolio.register(&instrument(BTC, "BTC"));
    portfolio.register(&instrument("BNBUSDT", "BNB"));
    portfolio.set_balance("USDT".parse().unwrap(), "10000".parse().unwrap());
    portfolio.allocate("123".parse().unwrap(), "1000".parse().unwrap());
    portfolio
}

/// Runs `mark SYMBOL PRICE HOURS`, `buy|sell INSTANCE QTY PRICE [FEE ASSET]`, `pay ASSET TOTAL`; samples when due.
fn run(text: &str) -> Portfolio {
    let mut portfolio = portfolio();
    for line in text.split('|') {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "mark" => {
                let symbol = words[1].parse().unwrap();
                let ticks = portfolio.marks[0].scale.ticks(words[2].parse().unwrap()).unwrap();
                let hours: f64 = words[3].parse().unwrap();
                let now = Timestamp((hours * HOUR as f64) as i64);
                let slot = portfolio.slot(symbol).unwrap();
                if portfolio.mark(slot, ticks, now).is_some() {
                    let sample = portfolio.sample(now).unwrap();
                    portfolio.take(&sample);
                }
            }
            "pay" => portfolio.set_balance(words[1].parse().unwrap(), words[2].parse().unwrap()),
            side => {
                let side = if side == "buy" { Side::Buy } else { Side::Sell };
                let (fee, fee_asset) = words.get(4).map_or(("0", "USDT"), |fee| (*fee, words[5]));
                let fill = Fill {
                    trade_id: 0,
                    price: words[3].parse().unwrap(),
                    qty: words[2].parse().unwrap(),
                    fee: fee.parse().unwrap(),
                    fee_asset: fee_asset.parse().unwrap(),
                    maker: true,
                    at: Timestamp(0),
                };
                portfolio.apply(words[1].parse().unwrap(), BTC.parse().unwrap(), side, &fill).unwrap();
            }
        }
    }
    portfolio
}

fn check(text: &str, expected: &str) {
    let portfolio = run(text);
    let (all, own) = (portfolio.figures(None).unwrap(), portfolio.figures(Some("123".parse().unwrap())).unwrap());
    let got = format!(
        "equity {}, pnl {} = {} + {}, today {}, drawdown {}/{}; 123: {} today {} drawdown {}/{}",
        all.equity,
        all.pnl,
        all.realised,
        all.open,
        all.today,
        all.drawdown_pct,
        all.max_drawdown_pct,
        own.equity,
        own.today,
        own.drawdown_pct,
        own.max_drawdown_pct
    );
    assert_eq!(got, expected, "{text}");
    // Everything but the marks survives.
    let text = serde_json::to_string(&portfolio).unwrap();
    let restored: Portfolio = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&restored).unwrap(), text);
    assert!(restored.marks.iter().all(|mark| mark.price().is_none()));
}

#[test]
fn profit_shows_in_the_portfolio_and_in_its_strategy() {
    check(
        "mark BTCUSDT 100 0 | buy 123 5 100 | mark BTCUSDT 110 0.5",
        "equity 10050, pnl 50 = 0 + 50, today 50, drawdown 0/0; 123: 1050 today 50 drawdown 0/0",
    );
    check(
        "mark BTCUSDT 100 0 | buy 123 5 100 | mark BTCUSDT 110 0.5 | sell 123 5 120",
        "equity 10100, pnl 100 = 100 + 0, today 100, drawdown 0/0; 123: 1100 today 100 drawdown 0/0",
    );
}

#[test]
fn drawdown_is_the_strategys_own_over_its_allocation() {
    check(
        "mark BTCUSDT 100 0 | buy 123 10 100 | mark BTCUSDT 110 1 | mark BTCUSDT 88 2 | mark BTCUSDT 99 3",
        "equity 9990, pnl -10 = 0 + -10, today -10, drawdown 1.0891/2.1782; 123: 990 today -10 drawdown 10/20",
    );
}

#[test]
fn a_fee_in_a_third_asset_is_valued_once_it_has_a_price() {
    let text = "pay BNB 1 | mark BTCUSDT 100 0 | buy 123 5 100 0.01 BNB";
    check(text, "equity 10000, pnl 0 = 0 + 0, today 0, drawdown 0/0; 123: 1000 today 0 drawdown 0/0");
    let unpriced: Vec<String> = run(text).unpriced().map(|asset| asset.to_string()).collect();
    assert_eq!(unpriced, ["BNB"]);
    let priced = run(&format!("{text} | mark BNBUSDT 600 0.5"));
    assert_eq!(priced.pnl("123".parse().unwrap()).unwrap().to_string(), "-6");
    assert_eq!(priced.balance("BNB".parse().unwrap()).to_string(), "0.99");
    assert_eq!(priced.unpriced().count(), 0);
}

#[test]
fn money_paid_in_is_no_profit() {
    check(
        "mark BTCUSDT 100 0 | pay USDT 20000 | mark BTCUSDT 100 1 | pay USDT 5000 | mark BTCUSDT 100 2",
        "equity 5000, pnl 0 = 0 + 0, today 0, drawdown 0/0; 123: 1000 today 0 drawdown 0/0",
    );
}

#[test]
fn a_sample_is_due_each_second_and_each_hour() {
    let mut portfolio = portfolio();
    let slot = portfolio.slot(BTC.parse().unwrap()).unwrap();
    let mut due = |seconds: f64| {
        let now = Timestamp((seconds * 1e6) as i64);
        let due = portfolio.mark(slot, Ticks(100), now);
        if due.is_some() {
            let sample = portfolio.sample(now).unwrap();
            portfolio.take(&sample);
        }
        due
    };
    let seen = [0.0, 0.5, 0.999, 1.0, 1.1, 3_599.5, 3_599.9, 3_600.0, 3_600.5].map(&mut due);
    let (hour, fine) = (Some(Due::Hour), Some(Due::Fine));
    assert_eq!(seen, [hour, None, None, fine, None, fine, None, hour, None]);
    assert_eq!(portfolio.curve().hours().count(), 2);
}

#[test]
fn a_fill_that_cannot_be_changes_nothing() {
    let mut portfolio = run("mark BTCUSDT 100 0 | buy 123 5 100");
    let before = portfolio.clone();
    let fill = Fill {
        trade_id: 0,
        price: "100".parse().unwrap(),
        qty: "6".parse().unwrap(),
        fee: Qty::ZERO,
        fee_asset: "USDT".parse().unwrap(),
        maker: true,
        at: Timestamp(0),
    };
    let (instance, unknown) = ("123".parse().unwrap(), "XUSDT".parse().unwrap());
    let error = portfolio.apply(instance, BTC.parse().unwrap(), Side::Sell, &fill).unwrap_err();
    assert_eq!(error.to_string(), "123 BTCUSDT: a fill takes 6 where 5 is held");
    assert_eq!(portfolio.apply(instance, unknown, Side::Buy, &fill), Err(PortfolioError::UnknownSymbol(unknown)));
    assert_eq!(portfolio, before);
}

#[test]
fn a_new_tick_size_keeps_the_mark() {
    let mut portfolio = run("mark BTCUSDT 100 0");
    let mut finer = instrument(BTC, "BTC");
    finer.scale.tick = "0.001".parse().unwrap();
    let slot = portfolio.register(&finer);
    assert_eq!((slot, portfolio.mark_of(finer.symbol)), (Slot(0), Some("100".parse().unwrap())));
}

#[test]
fn a_month_of_hours_gives_every_figure() {
    let mut text = "mark BTCUSDT 100 0 | buy 123 5 100".to_owned();
    for hour in 1..200 {
        text += &format!(" | mark BTCUSDT {} {hour}", 100 + (hour * 7) % 13);
    }
    let figures = run(&text).figures(Some("123".parse().unwrap())).unwrap();
    assert!(figures.sharpe.is_some() && figures.var_95_pct.is_some_and(|var| var > 0.0 && var < 10.0));
    assert_eq!(figures.fills, 1);
}
