//! How fast the venue is, in nanoseconds an event: recorded quotes, trades and depth without and with orders, matching
//! among anonymous orders, and an account's orders.
//!
//! `zcat RECORDING.gz | cargo run --release -p nightdesk-matching --example speed`; without a recording on standard input
//! only the synthetic parts run. The decoding here is quick and dirty: the product decodes in `nightdesk-wire`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::io::{BufRead, IsTerminal};
use std::time::{Duration, Instant};

use nightdesk_market::{DepthSnapshot, DepthUpdate, Filters, Instrument, Level, MarketEvent, Quote, Side, Trade};
use nightdesk_matching::{
    AccountId, OrderRef, OrderRequest, RequestKind, Synthetic, SyntheticMarket, Venue, VenueConfig,
};
use nightdesk_orders::TimeInForce;
use nightdesk_units::{Asset, Money, Price, Qty, Scale, Symbol, Timestamp};
use serde_json::Value;

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        symbol: symbol(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        scale: Scale { tick: "0.01".parse().unwrap(), step: "0.00001".parse().unwrap() },
        filters: Filters {
            min_price: "0.01".parse().unwrap(),
            max_price: "1000000".parse().unwrap(),
            min_qty: "0.00001".parse().unwrap(),
            max_qty: "9000".parse().unwrap(),
            max_market_qty: Qty::ZERO,
            min_notional: "5".parse().unwrap(),
            min_notional_applies_to_market: true,
            max_notional: Money::ZERO,
            percent_price: Some(["5", "0.2", "5", "0.2"].map(|text| text.parse().unwrap())),
            max_open_orders: 200,
            max_position: Qty::ZERO,
        },
    }
}

fn levels(value: &Value) -> Vec<Level> {
    let scale = instrument().scale;
    let level = |pair: &Value| {
        let text = |i: usize| pair[i].as_str().unwrap();
        (scale.ticks(text(0).parse().unwrap()).unwrap(), scale.lots_down(text(1).parse().unwrap()))
    };
    value.as_array().unwrap().iter().map(level).collect()
}

fn decode(line: &str) -> Option<MarketEvent> {
    let (ns, body) = line.split_once(' ')?;
    let at = Timestamp(ns.parse::<i64>().ok()? / 1_000);
    let value: Value = serde_json::from_str(body).ok()?;
    let (data, scale, symbol) = (&value["data"], instrument().scale, symbol());
    let price = |key: &str| scale.ticks(data[key].as_str().unwrap().parse().unwrap()).unwrap();
    let qty = |key: &str| scale.lots_down(data[key].as_str().unwrap().parse().unwrap());
    let id = |key: &str| data[key].as_u64().unwrap();
    if let Some(last_id) = value["lastUpdateId"].as_u64() {
        let (bids, asks) = (levels(&value["bids"]), levels(&value["asks"]));
        return Some(MarketEvent::Snapshot(DepthSnapshot { symbol, last_id, bids, asks, at }));
    }
    match value["stream"].as_str()?.split_once('@')?.1 {
        "bookTicker" => Some(MarketEvent::Quote(Quote {
            symbol,
            update_id: id("u"),
            bid: price("b"),
            bid_qty: qty("B"),
            ask: price("a"),
            ask_qty: qty("A"),
            at,
        })),
        "trade" => Some(MarketEvent::Trade(Trade {
            symbol,
            id: id("t"),
            price: price("p"),
            qty: qty("q"),
            buyer_is_maker: data["m"].as_bool()?,
            at,
        })),
        _ => Some(MarketEvent::Depth(DepthUpdate {
            symbol,
            first_id: id("U"),
            last_id: id("u"),
            bids: levels(&data["b"]),
            asks: levels(&data["a"]),
            at,
        })),
    }
}

fn venue(publish_market: bool) -> Venue {
    let mut venue = Venue::new(VenueConfig { publish_market, ..VenueConfig::new(vec![instrument()]) });
    venue.open_account(AccountId(1));
    for asset in ["BTC", "USDT"] {
        let asset: Asset = asset.parse().unwrap();
        venue.deposit(AccountId(1), asset, "1000000000".parse().unwrap(), Timestamp(0), &mut Vec::new()).unwrap();
    }
    venue
}

fn limit(side: Side, price: Price, qty: &str) -> OrderRequest {
    let kind = RequestKind::Limit { price, qty: qty.parse().unwrap(), tif: TimeInForce::Gtc };
    OrderRequest { symbol: symbol(), side, kind, client_order_id: None, stp: None }
}

fn say(what: &str, count: usize, elapsed: Duration) {
    let ns = elapsed.as_nanos() as f64 / count as f64;
    println!("{what:<58} {ns:>9.0} ns  {:>6.2} M/s", 1e3 / ns);
}

fn replay(what: &str, events: &[MarketEvent], publish: bool, order_every: usize) {
    let rounds = 10;
    let mut elapsed = Duration::ZERO;
    let mut counters = None;
    for _ in 0..rounds {
        // A fresh venue each time: it would rightly ignore update ids that it has seen.
        let mut venue = venue(publish);
        let started = Instant::now();
        round(&mut venue, events, order_every);
        elapsed += started.elapsed();
        assert_eq!(venue.counters().gaps, 0, "the recording has no gap");
        counters = Some(venue.counters());
    }
    say(what, events.len() * rounds, elapsed);
    if order_every > 0 {
        println!("    a round: {counters:?}");
    }
}

fn round(venue: &mut Venue, events: &[MarketEvent], order_every: usize) {
    let (mut out, mut quotes, mut open) = (Vec::new(), 0, Vec::new());
    let scale = instrument().scale;
    for event in events {
        let now = event_time(event);
        venue.apply(event, now, &mut out);
        quotes += usize::from(matches!(event, MarketEvent::Quote(_)));
        if order_every > 0 && matches!(event, MarketEvent::Quote(_)) && quotes % order_every == 0 {
            let best = venue.best(symbol()).unwrap();
            let buys = quotes % (2 * order_every) == 0;
            let (side, price) = if buys { (Side::Buy, best.bid) } else { (Side::Sell, best.ask) };
            let placed = venue.place(AccountId(1), &limit(side, scale.price(price), "0.001"), now, &mut out);
            open.extend(placed.map(|placed| placed.order.order_id));
            if open.len() > 10 {
                let id = OrderRef::Id(open.remove(0));
                let _ = venue.cancel(AccountId(1), symbol(), id, None, now, &mut out);
            }
        }
        out.clear();
    }
}

fn event_time(event: &MarketEvent) -> Timestamp {
    match event {
        MarketEvent::Quote(quote) => quote.at,
        MarketEvent::Trade(trade) => trade.at,
        MarketEvent::Depth(update) => update.at,
        MarketEvent::Snapshot(snapshot) => snapshot.at,
        MarketEvent::Candle(candle) => candle.open_at,
    }
}

fn synthetic() {
    let mut venue = venue(true);
    let config = Synthetic::new(symbol(), "60000".parse().unwrap(), "2000".parse().unwrap());
    let mut market = SyntheticMarket::new(config, 1, Timestamp(0));
    let mut out = Vec::new();
    let steps = 500_000;
    let started = Instant::now();
    for _ in 0..steps {
        market.step(&mut venue, &mut out).unwrap();
        out.clear();
    }
    say("synthetic market: step, published", steps, started.elapsed());
}

fn orders() {
    let (mut venue, mut out) = (venue(true), Vec::new());
    let count = 200_000;
    venue.open_account(AccountId(2));
    let (btc, usdt): (Asset, Asset) = ("BTC".parse().unwrap(), "USDT".parse().unwrap());
    for asset in [btc, usdt] {
        venue.deposit(AccountId(2), asset, "1000000000".parse().unwrap(), Timestamp(0), &mut out).unwrap();
    }
    let price: Price = "60000".parse().unwrap();
    let started = Instant::now();
    for i in 0..count {
        let (maker, taker) = (limit(Side::Sell, price, "0.001"), limit(Side::Buy, price, "0.001"));
        venue.place(AccountId(1), &maker, Timestamp(i), &mut out).unwrap();
        venue.place(AccountId(2), &taker, Timestamp(i), &mut out).unwrap();
        out.clear();
    }
    say("two accounts: an order placed, each second fills", 2 * count as usize, started.elapsed());
    let started = Instant::now();
    for i in 0..count {
        let placed = venue.place(AccountId(1), &limit(Side::Sell, price, "0.001"), Timestamp(i), &mut out).unwrap();
        let id = OrderRef::Id(placed.order.order_id);
        venue.cancel(AccountId(1), symbol(), id, None, Timestamp(i), &mut out).unwrap();
        out.clear();
    }
    say("an order placed and cancelled", count as usize, started.elapsed());
    let started = Instant::now();
    let text = serde_json::to_string(&venue).unwrap();
    println!("snapshot of 100,000 orders and 200,000 fills: {} MB, {:?}", text.len() / 1_000_000, started.elapsed());
}

fn main() {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let events: Vec<MarketEvent> = stdin.lock().lines().filter_map(|line| decode(&line.unwrap())).collect();
        let only = |wanted: fn(&MarketEvent) -> bool| -> Vec<MarketEvent> {
            events.iter().filter(|event| wanted(event)).cloned().collect()
        };
        replay("recording, all events, quiet, no orders", &events, false, 0);
        replay("recording, quotes only, quiet, no orders", &only(|e| matches!(e, MarketEvent::Quote(_))), false, 0);
        replay("recording, trades only, quiet, no orders", &only(|e| matches!(e, MarketEvent::Trade(_))), false, 0);
        replay(
            "recording, depth only, quiet, no orders",
            &only(|e| !matches!(e, MarketEvent::Quote(_) | MarketEvent::Trade(_))),
            false,
            0,
        );
        replay("recording, all events, published, no orders", &events, true, 0);
        replay("recording, all events, quiet, order every 10 quotes", &events, false, 10);
    }
    synthetic();
    orders();
}
