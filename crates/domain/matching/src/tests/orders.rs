//! Orders among accounts and anonymous ones: types, time in force, filters, refusals, self-trade prevention.

use expect_test::expect;

use super::text::{Desk, check};

#[test]
fn price_comes_before_time_and_time_before_size() {
    let desk = check(
        "1 sell 3 @ 101 id=a | 2 sell 9 @ 101 id=b | 2 sell 2 @ 100 id=c | ext buy 6 @ 101",
        &expect![[r#"
            1 sell 3 @ 101 id=a: 1:a New 0/3
            2 sell 9 @ 101 id=b: 2:b New 0/9
            2 sell 2 @ 100 id=c: 2:c New 0/2
            ext buy 6 @ 101: 2:c maker 100x2 Filled 2/2, trade 100x2, 1:a maker 101x3 Filled 3/3, trade 101x3, 2:b maker 101x1 PartiallyFilled 1/9, trade 101x1
        "#]],
    );
    assert_eq!(desk.book(), " / 101x8");
}

#[test]
fn a_better_price_is_the_takers_gain_and_frees_what_it_locked() {
    let desk = check(
        "1 sell 4 @ 100 id=a | 2 buy 6 @ 110 id=b",
        &expect![[r#"
        1 sell 4 @ 100 id=a: 1:a New 0/4
        2 buy 6 @ 110 id=b: 2:b New 0/6, 1:a maker 100x4 Filled 4/4, 2:b taker 100x4 PartiallyFilled 4/6, trade 100x4
    "#]],
    );
    assert_eq!(desk.book(), "110x2 / ");
    assert_eq!(desk.money(1), "ABC 996+0, XYZ 100399.6+0");
    assert_eq!(desk.money(2), "ABC 1003.996+0, XYZ 99380+220");
}

#[test]
fn ioc_fok_and_market_never_rest() {
    check(
        "ext sell 5 @ 100 | ext sell 5 @ 101 | 1 buy 8 @ 100 ioc id=i | 1 buy 9 @ 101 fok id=f | 1 buy 5 @ 101 fok id=g \
         | 1 buy 1 market id=m | ext buy 9 @ 90 | 1 sell 10 market id=n | 1 buy 1 @ 100 ioc",
        &expect![[r#"
            ext sell 5 @ 100: 
            ext sell 5 @ 101: 
            1 buy 8 @ 100 ioc id=i: 1:i New 0/8, 1:i taker 100x5 PartiallyFilled 5/8, trade 100x5, 1:i Expired Expired 5/8
            1 buy 9 @ 101 fok id=f: 1:f New 0/9, 1:f Expired Expired 0/9
            1 buy 5 @ 101 fok id=g: 1:g New 0/5, 1:g taker 101x5 Filled 5/5, trade 101x5
            1 buy 1 market id=m: 1:m New 0/1, 1:m Expired Expired 0/1
            ext buy 9 @ 90: 
            1 sell 10 market id=n: 1:n New 0/10, 1:n taker 90x9 PartiallyFilled 9/10, trade 90x9, 1:n Expired Expired 9/10
            1 buy 1 @ 100 ioc: 1:#9 New 0/1, 1:#9 Expired Expired 0/1
        "#]],
    );
}

#[test]
fn a_market_order_by_quote_amount_spends_whole_lots_only() {
    let desk = check(
        "ext sell 2 @ 100 | ext sell 9 @ 110 | 1 buy quote 450 market id=q | 1 buy quote 50 market id=r \
         | 1 buy quote 5000 market id=s | ext buy 10 @ 90 | 1 sell quote 200 market id=t",
        &expect![[r#"
            ext sell 2 @ 100: 
            ext sell 9 @ 110: 
            1 buy quote 450 market id=q: 1:q New 0/0, 1:q taker 100x2 PartiallyFilled 2/2, trade 100x2, 1:q taker 110x2 Filled 4/4, trade 110x2
            1 buy quote 50 market id=r: ! -1013 Filter failure: LOT_SIZE
            1 buy quote 5000 market id=s: 1:s New 0/0, 1:s taker 110x7 PartiallyFilled 7/7, trade 110x7, 1:s Expired Expired 7/7
            ext buy 10 @ 90: 
            1 sell quote 200 market id=t: 1:t New 0/0, 1:t taker 90x2 Filled 2/2, trade 90x2
        "#]],
    );
    assert_eq!(desk.money(1), "ABC 1008.989+0, XYZ 98989.82+0");
}

#[test]
fn limit_maker_is_refused_where_it_would_take() {
    check(
        "ext sell 5 @ 100 | 1 buy 5 @ 100 maker | 1 buy 5 @ 99 maker id=a",
        &expect![[r#"
        ext sell 5 @ 100: 
        1 buy 5 @ 100 maker: ! -2010 Order would immediately match and take.
        1 buy 5 @ 99 maker id=a: 1:a New 0/5
    "#]],
    );
}

#[test]
fn a_client_order_id_is_a_duplicate_only_while_its_order_is_open() {
    let mut desk = check(
        "1 buy 5 @ 100 id=x | 1 buy 5 @ 100 id=x | 2 buy 5 @ 99 id=x | ext sell 5 @ 100 | 1 buy 5 @ 100 id=x \
         | 1 cancel x | 1 buy 6 @ 100 id=x | 1 cancel x | 1 cancel x | 1 cancel none",
        &expect![[r#"
            1 buy 5 @ 100 id=x: 1:x New 0/5
            1 buy 5 @ 100 id=x: ! -2010 Duplicate order sent.
            2 buy 5 @ 99 id=x: 2:x New 0/5
            ext sell 5 @ 100: 1:x maker 100x5 Filled 5/5, trade 100x5
            1 buy 5 @ 100 id=x: 1:x New 0/5
            1 cancel x: 1:x Canceled Canceled 0/5
            1 buy 6 @ 100 id=x: 1:x New 0/6
            1 cancel x: 1:x Canceled Canceled 0/6
            1 cancel x: ! -2011 Unknown order sent.
            1 cancel none: ! -2011 Unknown order sent.
        "#]],
    );
    let orders = desk.venue.all_orders(crate::AccountId(1), super::text::symbol(), all()).unwrap();
    assert_eq!(orders.len(), 3);
    let newest = crate::OrderRef::Client("x".parse().unwrap());
    let order = desk.venue.order(crate::AccountId(1), super::text::symbol(), newest).unwrap();
    assert_eq!((order.order_id, order.qty.to_string()), (orders[2].order_id, "6".to_owned()));
    assert!(desk.run("1 cancel all").contains("-2011 Unknown order sent."));
}

fn all() -> crate::OrderQuery {
    crate::OrderQuery { limit: 100, ..crate::OrderQuery::default() }
}

#[test]
fn refusals_carry_the_exchanges_codes_and_words() {
    check(
        "1 buy 0 @ 100 | 1 buy 1 @ 0 | 1 buy 1 @ 9 | 1 buy 1.5 @ 100 | 1 buy 501 market | 1 buy quote 9 market \
         | 1 buy 1000 @ 101 | 1 sell 1000 @ 100 | 1 sell 1 @ 100 | 3 buy 1 @ 100 | ext sell 500 @ 300 | 1 buy 400 market \
         | 1 buy quote 100001 market | 2 cancel 1",
        &expect![[r#"
            1 buy 0 @ 100: ! -1013 Filter failure: LOT_SIZE
            1 buy 1 @ 0: ! -1013 Filter failure: PRICE_FILTER
            1 buy 1 @ 9: ! -1013 Filter failure: NOTIONAL
            1 buy 1.5 @ 100: ! -1013 Filter failure: LOT_SIZE
            1 buy 501 market: ! -1013 Filter failure: MARKET_LOT_SIZE
            1 buy quote 9 market: ! -1013 Filter failure: NOTIONAL
            1 buy 1000 @ 101: ! -1013 Filter failure: MAX_POSITION
            1 sell 1000 @ 100: 1:#1 New 0/1000
            1 sell 1 @ 100: ! -2010 Account has insufficient balance for requested action.
            3 buy 1 @ 100: ! -2010 This account may not place or cancel orders.
            ext sell 500 @ 300: 
            1 buy 400 market: ! -2010 Account has insufficient balance for requested action.
            1 buy quote 100001 market: ! -2010 Account has insufficient balance for requested action.
            2 cancel 1: ! -2011 Unknown order sent.
        "#]],
    );
}

#[test]
fn filters_that_need_the_account_or_the_market_fail_by_name() {
    check(
        "2 buy 501 @ 10 | ext sell 1 @ 100 | ext buy 1 @ 100 | 1 buy 1 @ 201 | 1 buy 1 @ 49 | 1 sell 1 @ 201 \
         | 1 buy 1 @ 50 | 1 buy 1 @ 51 | 1 buy 1 @ 52 | 1 buy 1 @ 53 | 1 buy 1 @ 54 | 1 buy 1 @ 55 | 1 cancel all \
         | 2 buy 500 @ 60 | 2 buy 1 @ 60",
        &expect![[r#"
            2 buy 501 @ 10: ! -1013 Filter failure: MAX_POSITION
            ext sell 1 @ 100: 
            ext buy 1 @ 100: trade 100x1
            1 buy 1 @ 201: ! -1013 Filter failure: PERCENT_PRICE_BY_SIDE
            1 buy 1 @ 49: ! -1013 Filter failure: PERCENT_PRICE_BY_SIDE
            1 sell 1 @ 201: ! -1013 Filter failure: PERCENT_PRICE_BY_SIDE
            1 buy 1 @ 50: 1:#3 New 0/1
            1 buy 1 @ 51: 1:#4 New 0/1
            1 buy 1 @ 52: 1:#5 New 0/1
            1 buy 1 @ 53: 1:#6 New 0/1
            1 buy 1 @ 54: 1:#7 New 0/1
            1 buy 1 @ 55: ! -1013 Filter failure: MAX_NUM_ORDERS
            1 cancel all: 1:#3 Canceled Canceled 0/1, 1:#4 Canceled Canceled 0/1, 1:#5 Canceled Canceled 0/1, 1:#6 Canceled Canceled 0/1, 1:#7 Canceled Canceled 0/1
            2 buy 500 @ 60: 2:#8 New 0/500
            2 buy 1 @ 60: ! -1013 Filter failure: MAX_POSITION
        "#]],
    );
}

#[test]
fn an_account_does_not_trade_with_itself_unless_it_asks_to() {
    check(
        "1 sell 2 @ 100 id=a | ext sell 2 @ 100 | 1 buy 3 @ 100 id=b | 1 cancel all \
         | 1 sell 2 @ 100 id=c | 1 buy 2 @ 100 stp=taker id=d | 1 buy 2 @ 100 stp=both id=e \
         | 1 sell 2 @ 100 id=f | 1 buy 2 @ 100 fok id=h | 1 sell 2 @ 100 id=j | 1 buy 2 @ 100 stp=none id=k",
        &expect![[r#"
            1 sell 2 @ 100 id=a: 1:a New 0/2
            ext sell 2 @ 100: 
            1 buy 3 @ 100 id=b: 1:b New 0/3, 1:a TradePrevention ExpiredInMatch 0/2, 1:b taker 100x2 PartiallyFilled 2/3, trade 100x2
            1 cancel all: 1:b Canceled Canceled 2/3
            1 sell 2 @ 100 id=c: 1:c New 0/2
            1 buy 2 @ 100 stp=taker id=d: 1:d New 0/2, 1:d TradePrevention ExpiredInMatch 0/2
            1 buy 2 @ 100 stp=both id=e: 1:e New 0/2, 1:c TradePrevention ExpiredInMatch 0/2, 1:e TradePrevention ExpiredInMatch 0/2
            1 sell 2 @ 100 id=f: 1:f New 0/2
            1 buy 2 @ 100 fok id=h: 1:h New 0/2, 1:h Expired Expired 0/2
            1 sell 2 @ 100 id=j: 1:j New 0/2
            1 buy 2 @ 100 stp=none id=k: 1:k New 0/2, 1:f maker 100x2 Filled 2/2, 1:k taker 100x2 Filled 2/2, trade 100x2
        "#]],
    );
}

#[test]
fn a_market_buy_needs_what_it_costs_not_more() {
    let mut desk = Desk::new();
    desk.run("ext sell 10 @ 5000 | ext sell 500 @ 6000 | ext sell 1 @ 5000");
    assert!(desk.run("1 buy 19 market").contains("-2010 Account has insufficient balance"));
    assert!(desk.run("1 buy 18 market").contains("Filled 18/18"));
    assert_eq!(desk.money(1), "ABC 1017.982+0, XYZ 3000+0");
}

#[test]
fn balances_are_told_with_every_order_event_of_the_account() {
    let mut desk = Desk::new();
    let mut out = Vec::new();
    desk.run("1 sell 4 @ 100");
    let event = nightdesk_units::Lots(1);
    let symbol = super::text::symbol();
    desk.venue.place_external(symbol, nightdesk_market::Side::Buy, None, event, desk.now, &mut out).unwrap();
    let kinds: Vec<String> = out.iter().map(|e| format!("{e:?}").chars().take_while(|c| *c != '(').collect()).collect();
    assert_eq!(kinds, ["Order", "Trade", "Balances", "Level", "Best"]);
}

#[test]
fn an_amended_order_keeps_its_place_and_gives_back_what_it_locked() {
    let desk = check(
        "1 buy 9 @ 100 id=a | 2 buy 2 @ 100 id=b | ext sell 1 @ 100 | 1 amend a 4 a2 | 1 amend a2 4 | 1 amend a2 1 \
         | 1 amend a2 5 | 1 amend nobody 1 | 2 buy 1 @ 99 id=c | 2 amend c 1 b | 2 amend b 1 c | ext sell 4 @ 100",
        &expect![[r#"
            1 buy 9 @ 100 id=a: 1:a New 0/9
            2 buy 2 @ 100 id=b: 2:b New 0/2
            ext sell 1 @ 100: 1:a maker 100x1 PartiallyFilled 1/9, trade 100x1
            1 amend a 4 a2: 1:a2 Replaced PartiallyFilled 1/4
            1 amend a2 4: ! -2038 The requested quantity must be below the order's and above what has been executed.
            1 amend a2 1: ! -2038 The requested quantity must be below the order's and above what has been executed.
            1 amend a2 5: ! -2038 The requested quantity must be below the order's and above what has been executed.
            1 amend nobody 1: ! -2011 Unknown order sent.
            2 buy 1 @ 99 id=c: 2:c New 0/1
            2 amend c 1 b: ! -2038 The requested quantity must be below the order's and above what has been executed.
            2 amend b 1 c: ! -2010 Duplicate order sent.
            ext sell 4 @ 100: 1:a2 maker 100x3 Filled 4/4, trade 100x3, 2:b maker 100x1 PartiallyFilled 1/2, trade 100x1
        "#]],
    );
    assert_eq!(desk.book(), "100x1 99x1 / ");
    assert_eq!(desk.money(1), "ABC 1003.996+0, XYZ 99600+0");
    let amendments = desk.venue.amendments(crate::AccountId(1), super::text::symbol(), 1).unwrap();
    assert_eq!((amendments.len(), amendments[0].old_id.as_str(), amendments[0].new_id.as_str()), (1, "a", "a2"));
    assert_eq!(desk.restored().venue.amendments(crate::AccountId(1), super::text::symbol(), 1).unwrap(), amendments);
}
