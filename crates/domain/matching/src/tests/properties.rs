//! What holds after every step of any run.

use std::collections::BTreeMap;

use nightdesk_market::{Level, Side};
use nightdesk_units::{Asset, Decimal, Lots, Ticks};
use proptest::prelude::*;

use super::text::{Desk, symbol};
use crate::{AccountId, Execution, FillQuery, OrderQuery, OrderStatus, VenueEvent};

/// A command in the scenario language.
pub(super) fn command() -> impl Strategy<Value = String> {
    let side = prop_oneof![Just("buy"), Just("sell")];
    let how = prop_oneof![
        4 => Just(""), 1 => Just("ioc"), 1 => Just("fok"), 1 => Just("maker"), 1 => Just("stp=none"),
        1 => Just("stp=taker"), 1 => Just("stp=both"),
    ];
    let order = (1u32..=2, side.clone(), 1u32..30, 95u32..106, how)
        .prop_map(|(account, side, qty, price, how)| format!("{account} {side} {qty} @ {price} {how}"));
    let market = (1u32..=2, side.clone(), 1u32..30).prop_map(|(a, side, qty)| format!("{a} {side} {qty} market"));
    let quote = (1u32..=2, side.clone(), 50u32..2_000).prop_map(|(a, s, qty)| format!("{a} {s} quote {qty} market"));
    let cancel = (1u32..=2, 1u32..60).prop_map(|(account, id)| format!("{account} cancel {id}"));
    let external =
        (side.clone(), 1u32..30, 95u32..106).prop_map(|(side, qty, price)| format!("ext {side} {qty} @ {price}"));
    let best = (95u32..105, 0u32..9, 1u32..4, 1u32..9)
        .prop_map(|(bid, bid_qty, spread, ask_qty)| format!("quote {bid}x{bid_qty} {}x{ask_qty}", bid + spread));
    let trade = (side, 95u32..106, 1u32..20).prop_map(|(side, price, qty)| format!("trade {side} {price}x{qty}"));
    let all = (1u32..=2).prop_map(|account| format!("{account} cancel all"));
    prop_oneof![6 => order, 2 => market, 1 => quote, 2 => cancel, 3 => external, 3 => best, 2 => trade, 1 => all]
}

fn check_money(desk: &Desk) {
    for line in desk.venue.ledger() {
        let held = |asset: Asset| -> Decimal {
            let accounts = [1, 2].map(|id| desk.venue.balances(AccountId(id)).unwrap());
            let of_asset = accounts.iter().flatten().filter(|balance| balance.asset == asset);
            of_asset.map(|b| b.free.get() + b.locked.get()).sum()
        };
        assert_eq!(held(line.asset) + line.fees.get() + line.outside.get(), line.deposited.get(), "{}", line.asset);
    }
    for id in [1, 2].map(AccountId) {
        let mut locks: BTreeMap<Asset, Decimal> = BTreeMap::new();
        for order in desk.venue.open_orders(id, None).unwrap() {
            let left = order.qty.get() - order.filled.get();
            let (asset, need) = match order.side {
                Side::Buy => ("XYZ", left * order.price.get()),
                Side::Sell => ("ABC", left),
            };
            *locks.entry(asset.parse().unwrap()).or_default() += need;
        }
        for balance in desk.venue.balances(id).unwrap() {
            assert!(!balance.free.is_negative(), "{balance:?}");
            assert_eq!(balance.locked.get(), locks.get(&balance.asset).copied().unwrap_or_default());
        }
    }
}

fn check_orders(desk: &Desk) {
    for id in [1, 2].map(AccountId) {
        let all = OrderQuery { limit: 10_000, ..OrderQuery::default() };
        let fills = desk.venue.fills(id, symbol(), FillQuery { limit: 10_000, ..FillQuery::default() }).unwrap();
        for order in desk.venue.all_orders(id, symbol(), all).unwrap() {
            assert!(order.filled <= order.qty, "{order:?}");
            let parts = fills.iter().filter(|fill| fill.order_id == order.order_id);
            assert_eq!(parts.clone().map(|fill| fill.qty.get()).sum::<Decimal>(), order.filled.get());
            assert_eq!(parts.map(|fill| fill.quote_qty.get()).sum::<Decimal>(), order.filled_quote.get());
            let full = order.filled == order.qty && order.qty.is_positive();
            assert_eq!(full && order.status == OrderStatus::Filled, order.status == OrderStatus::Filled);
            assert!(!(full && order.status.is_open()));
        }
    }
}

/// The book as somebody sees it who only hears the events.
#[derive(Default)]
struct Follower {
    sides: [BTreeMap<Ticks, Lots>; 2],
    update_id: u64,
    best: [i64; 4],
}

impl Follower {
    fn hear(&mut self, event: &VenueEvent) {
        match event {
            VenueEvent::Level(change) => {
                assert_eq!(change.update_id, self.update_id + 1, "update ids have no gap");
                self.update_id = change.update_id;
                let side = &mut self.sides[usize::from(change.side == Side::Sell)];
                if change.qty.0 == 0 {
                    side.remove(&change.price)
                } else {
                    side.insert(change.price, change.qty)
                };
            }
            VenueEvent::Best(quote) => self.best = [quote.bid.0, quote.bid_qty.0, quote.ask.0, quote.ask_qty.0],
            _ => {}
        }
    }

    fn check(&self, desk: &Desk) {
        let depth = desk.venue.depth(symbol(), 1_000).unwrap();
        let level = |(price, qty): (&Ticks, &Lots)| (*price, *qty);
        let bids: Vec<Level> = self.sides[0].iter().rev().map(level).collect();
        let asks: Vec<Level> = self.sides[1].iter().map(level).collect();
        let best = |levels: &[Level]| levels.first().map_or((0, 0), |(price, qty)| (price.0, qty.0));
        let ((bid, bid_qty), (ask, ask_qty)) = (best(&bids), best(&asks));
        assert_eq!(self.best, [bid, bid_qty, ask, ask_qty]);
        assert!(bid == 0 || ask == 0 || bid < ask, "crossed: {bid} {ask}");
        assert_eq!((bids, asks, self.update_id), (depth.bids, depth.asks, depth.last_id));
    }
}

/// A resting order of the reference: id, side, price, quantity, owner.
type Plain = (u64, Side, i64, i64, u32);

/// Matches by scanning all orders for the best price, then the oldest. Returns (maker, price, quantity).
fn reference(book: &mut Vec<Plain>, taker: Plain, limit: Option<i64>) -> Vec<(u64, i64, i64)> {
    let (id, side, price, mut left, owner) = taker;
    let mut trades = Vec::new();
    let sign = if side == Side::Buy { 1 } else { -1 };
    while left > 0 {
        let candidates =
            book.iter().enumerate().filter(|(_, o)| o.1 != side && limit.is_none_or(|l| o.2 * sign <= l * sign));
        let Some(best) = candidates.min_by_key(|(_, o)| (o.2 * sign, o.0)).map(|(i, _)| i) else { break };
        let maker = &mut book[best];
        let part = left.min(maker.3);
        trades.push((maker.0, maker.2, part));
        left -= part;
        maker.3 -= part;
        if maker.3 == 0 {
            book.remove(best);
        }
    }
    if left > 0 && limit.is_some() {
        book.push((id, side, price, left, owner));
    }
    trades
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_money_appears_or_vanishes_and_listeners_see_the_true_book(script in prop::collection::vec(command(), 1..80)) {
        let mut desk = Desk::new();
        let mut follower = Follower::default();
        for command in &script {
            for event in desk.events(command) {
                follower.hear(&event);
                if let VenueEvent::Order(report) = &event {
                    prop_assert!(report.order.filled <= report.order.qty);
                    prop_assert_eq!(report.execution == Execution::Trade, report.fill.is_some());
                }
            }
            check_money(&desk);
            check_orders(&desk);
            follower.check(&desk);
        }
    }

    #[test]
    fn matching_equals_a_naive_reference(
        orders in prop::collection::vec((any::<bool>(), 95i64..106, 1i64..20, any::<bool>()), 1..120)
    ) {
        let mut desk = Desk::new();
        let mut book = Vec::new();
        for (id, (buys, price, qty, limited)) in (1..).zip(orders) {
            let side = if buys { Side::Buy } else { Side::Sell };
            let limit = limited.then_some(price);
            let expected = reference(&mut book, (id, side, price, qty, 0), limit);
            let mut out = Vec::new();
            desk.venue.place_external(symbol(), side, limit.map(Ticks), Lots(qty), desk.now, &mut out).unwrap();
            let trades: Vec<_> = out.iter().filter_map(|event| match event {
                VenueEvent::Trade(trade) => {
                    let maker = if trade.buyer_is_maker { trade.buyer_order_id } else { trade.seller_order_id };
                    Some((maker, trade.price.0, trade.qty.0))
                }
                _ => None,
            }).collect();
            prop_assert_eq!(trades, expected);
        }
    }
}
