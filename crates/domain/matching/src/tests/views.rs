//! What the venue answers: candles, averages, history and its bounds.

use nightdesk_market::Interval;
use nightdesk_units::{Decimal, Qty, Timestamp};

use super::text::{Desk, instrument, symbol};
use crate::{AccountId, FillQuery, OrderQuery, OrderRef, Venue, VenueConfig, VenueError};

const ONE: AccountId = AccountId(1);

fn klines(desk: &Desk, interval: &str, start: Option<i64>, limit: usize) -> String {
    let interval: Interval = interval.parse().unwrap();
    let start = start.map(|s| Timestamp(s * 1_000_000));
    let klines = desk.venue.klines(symbol(), interval, start, None, limit, desk.now).unwrap();
    let texts: Vec<String> = klines
        .iter()
        .map(|k| {
            let prices = format!("{}/{}/{}/{}", k.open.0, k.high.0, k.low.0, k.close.0);
            format!(
                "{}:{prices} v{} q{} b{} n{}",
                k.open_at.0 / 1_000_000,
                k.volume.0,
                k.quote_volume,
                k.taker_buy.0,
                k.trades
            )
        })
        .collect();
    texts.join(", ")
}

#[test]
fn klines_are_made_of_trades_and_flat_where_there_are_none() {
    let mut desk = Desk::new();
    desk.run("trade buy 100x2 | trade sell 98x1 | wait 1000 | trade buy 105x3 | wait 3000 | trade sell 99x1");
    assert_eq!(
        klines(&desk, "1s", None, 3),
        "2:105/105/105/105 v0 q0 b0 n0, 3:105/105/105/105 v0 q0 b0 n0, 4:99/99/99/99 v1 q99 b0 n1"
    );
    assert_eq!(klines(&desk, "1s", Some(0), 2), "0:100/100/98/98 v3 q298 b2 n2, 1:105/105/105/105 v3 q315 b3 n1");
    desk.run("wait 60000 | trade buy 110x1");
    assert_eq!(klines(&desk, "1m", None, 5), "0:100/105/98/99 v7 q712 b5 n4, 60:110/110/110/110 v1 q110 b1 n1");
    assert_eq!(klines(&desk, "1h", None, 5), "0:100/110/98/110 v8 q822 b6 n5");
    assert_eq!(klines(&desk, "1h", None, 0), "");
}

#[test]
fn the_average_is_weighted_by_volume_and_forgets_after_five_minutes() {
    let mut desk = Desk::new();
    assert_eq!(desk.venue.average(symbol(), desk.now).unwrap(), None);
    desk.run("trade buy 100x3 | trade buy 200x1");
    let price = |desk: &Desk| desk.venue.average(symbol(), desk.now).unwrap().unwrap().price.to_string();
    assert_eq!(price(&desk), "125");
    desk.run("wait 200000 | trade buy 300x4");
    assert_eq!(price(&desk), "212.5");
    desk.run("wait 150000");
    assert_eq!(price(&desk), "300");
    desk.run("wait 600000");
    assert_eq!(price(&desk), "300", "the last price when nothing has traded");
}

#[test]
fn the_ticker_covers_a_day() {
    let mut desk = Desk::new();
    assert_eq!(desk.venue.ticker(symbol(), desk.now).unwrap(), None);
    desk.run("trade buy 100x3 | wait 86000000 | trade buy 120x1 | trade buy 110x2");
    let ticker = desk.venue.ticker(symbol(), desk.now).unwrap().unwrap();
    let window = ticker.window;
    assert_eq!((window.open.0, window.close.0, window.volume.0, window.trades), (100, 110, 6, 3));
    desk.run("wait 3600000");
    let ticker = desk.venue.ticker(symbol(), desk.now).unwrap().unwrap();
    assert_eq!((ticker.window.open.0, ticker.previous_close.0, ticker.last_qty.0), (120, 100, 2));
}

#[test]
fn orders_and_fills_are_listed_by_id_time_and_limit() {
    let mut desk = Desk::new();
    desk.run("1 buy 1 @ 100 | 1 buy 2 @ 99 | 1 buy 3 @ 98 | ext sell 2 @ 99 | 1 cancel 3");
    let ids = |query: OrderQuery| -> Vec<u64> {
        desk.venue.all_orders(ONE, symbol(), query).unwrap().iter().map(|order| order.order_id).collect()
    };
    let base = OrderQuery { limit: 2, ..OrderQuery::default() };
    assert_eq!(ids(base), [2, 3]);
    assert_eq!(ids(OrderQuery { from_id: Some(1), ..base }), [1, 2]);
    assert_eq!(ids(OrderQuery { start: Some(Timestamp(4_000)), limit: 9, ..base }), [1, 2, 3], "changed since");
    assert_eq!(ids(OrderQuery { start: Some(Timestamp(5_000)), limit: 9, ..base }), [3]);
    let fills = |query: FillQuery| -> Vec<(u64, u64)> {
        desk.venue.fills(ONE, symbol(), query).unwrap().iter().map(|f| (f.trade_id, f.order_id)).collect()
    };
    let base = FillQuery { limit: 9, ..FillQuery::default() };
    assert_eq!(fills(base), [(1, 1), (2, 2)]);
    assert_eq!(fills(FillQuery { order_id: Some(2), ..base }), [(2, 2)]);
    assert_eq!(fills(FillQuery { from_id: Some(2), ..base }), [(2, 2)]);
    assert_eq!(fills(FillQuery { limit: 1, ..base }), [(2, 2)]);
    assert_eq!(fills(FillQuery { end: Some(Timestamp(3_999)), ..base }), []);
    assert_eq!(desk.venue.order(AccountId(2), symbol(), OrderRef::Id(1)), Err(VenueError::NoSuchOrder));
}

#[test]
fn history_is_bounded_and_open_orders_are_never_dropped() {
    let mut config = VenueConfig::new(vec![instrument()]);
    config.history.final_orders = 3;
    config.history.fills = 2;
    config.history.trades = 2;
    let mut desk = Desk::with(config);
    desk.run("1 buy 1 @ 50 id=open");
    for _ in 0..5 {
        desk.run("ext sell 1 @ 100 | 1 buy 1 @ 100 id=x");
    }
    desk.run("1 buy 1 @ 51 id=x");
    let orders = desk.venue.all_orders(ONE, symbol(), OrderQuery { limit: 99, ..OrderQuery::default() }).unwrap();
    assert_eq!(orders.len(), 5);
    assert_eq!(orders[0].client_order_id.as_str(), "open");
    assert_eq!(desk.venue.fills(ONE, symbol(), FillQuery { limit: 9, ..FillQuery::default() }).unwrap().len(), 2);
    assert_eq!(desk.venue.trades(symbol(), None, 9).unwrap().len(), 2);
    assert_eq!(desk.venue.trades(symbol(), Some(5), 9).unwrap().len(), 1);
    assert!(desk.run("1 buy 1 @ 51 id=x").contains("Duplicate"));
}

#[test]
fn withdrawals_and_deposits_are_bounded() {
    let mut desk = Desk::new();
    let asset = "ABC".parse().unwrap();
    let mut move_in =
        |amount: i64| desk.venue.deposit(ONE, asset, Qty::new(Decimal::from(amount)), desk.now, &mut Vec::new());
    assert_eq!(move_in(-1_001), Err(VenueError::InsufficientBalance));
    assert_eq!(move_in(1_000_000_000_000_000), Err(VenueError::AmountTooLarge));
    assert_eq!(move_in(-1_000), Ok(()));
    assert_eq!(move_in(1_000_000_000_000_000), Ok(()));
}

#[test]
fn time_never_runs_back() {
    let mut desk = Desk::new();
    desk.run("wait 5000 | trade buy 100x1");
    desk.now = Timestamp(0);
    desk.run("trade buy 100x1");
    let trades = desk.venue.trades(symbol(), None, 2).unwrap();
    assert_eq!(trades[0].at, trades[1].at);
}

#[test]
fn a_venue_trades_several_instruments_apart() {
    let mut second = instrument();
    second.symbol = "OTHER".parse().unwrap();
    let mut venue = Venue::new(VenueConfig::new(vec![instrument(), second]));
    let (price, qty) = (Some(nightdesk_units::Ticks(100)), nightdesk_units::Lots(1));
    let other = "OTHER".parse().unwrap();
    let now = Timestamp(0);
    venue.place_external(other, nightdesk_market::Side::Buy, price, qty, now, &mut Vec::new()).unwrap();
    venue.place_external(symbol(), nightdesk_market::Side::Sell, price, qty, now, &mut Vec::new()).unwrap();
    assert_eq!((venue.best(other).unwrap().bid_qty.0, venue.best(symbol()).unwrap().ask_qty.0), (1, 1));
    assert_eq!(venue.best("NONE".parse().unwrap()), Err(VenueError::InvalidSymbol));
}
