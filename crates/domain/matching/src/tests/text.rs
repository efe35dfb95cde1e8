//! Scenarios as text: commands separated by `|`, answers and events as one line each.

use std::fmt::Write as _;

use nightdesk_market::{DepthSnapshot, DepthUpdate, Filters, Instrument, Level, MarketEvent, Quote, Side, Trade};
use nightdesk_orders::TimeInForce;
use nightdesk_units::{Decimal, Lots, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};

use crate::{
    AccountId, Execution, OrderRef, OrderReport, OrderRequest, RequestKind, SelfTradePrevention, Venue, VenueConfig,
    VenueEvent,
};

pub(super) fn symbol() -> Symbol {
    "ABCXYZ".parse().unwrap()
}

/// Ticks and lots of one, at most five open orders.
pub(super) fn instrument() -> Instrument {
    Instrument {
        symbol: symbol(),
        base: "ABC".parse().unwrap(),
        quote: "XYZ".parse().unwrap(),
        scale: Scale { tick: Decimal::ONE, step: Decimal::ONE },
        filters: Filters {
            min_price: Price::new(Decimal::ONE),
            max_price: Price::new(Decimal::from(100_000)),
            min_qty: Qty::new(Decimal::ONE),
            max_qty: Qty::new(Decimal::from(1_000)),
            max_market_qty: Qty::new(Decimal::from(500)),
            min_notional: Money::new(Decimal::from(10)),
            min_notional_applies_to_market: true,
            max_notional: Money::ZERO,
            percent_price: Some(["2", "0.5", "2", "0.5"].map(|text| text.parse().unwrap())),
            max_open_orders: 5,
            max_position: Qty::new(Decimal::from(1_500)),
        },
    }
}

pub(super) struct Desk {
    pub(super) venue: Venue,
    pub(super) now: Timestamp,
    update_id: u64,
}

impl Desk {
    /// Accounts 1 and 2, each with 1,000 ABC and 100,000 XYZ.
    pub(super) fn new() -> Self {
        Self::with(VenueConfig::new(vec![instrument()]))
    }

    pub(super) fn with(config: VenueConfig) -> Self {
        let mut venue = Venue::new(config);
        for account in [1, 2].map(AccountId) {
            venue.open_account(account);
            for (asset, amount) in [("ABC", 1_000), ("XYZ", 100_000)] {
                let amount = Qty::new(Decimal::from(amount));
                venue.deposit(account, asset.parse().unwrap(), amount, Timestamp(0), &mut Vec::new()).unwrap();
            }
        }
        Self { venue, now: Timestamp(0), update_id: 0 }
    }

    pub(super) fn run(&mut self, script: &str) -> String {
        let lines = script.split('|').map(|command| {
            let command = command.trim();
            let mut out = Vec::new();
            let answer = self.command(command, &mut out);
            let told: Vec<String> = out.iter().filter_map(show).chain(answer).collect();
            format!("{command}: {}\n", told.join(", "))
        });
        lines.collect()
    }

    /// What one command makes the venue tell.
    pub(super) fn events(&mut self, command: &str) -> Vec<VenueEvent> {
        let mut out = Vec::new();
        self.command(command, &mut out);
        out
    }

    /// The same desk after a snapshot and a restart.
    pub(super) fn restored(&self) -> Self {
        let text = serde_json::to_string(&self.venue).unwrap();
        Self { venue: serde_json::from_str(&text).unwrap(), ..*self }
    }

    fn command(&mut self, command: &str, out: &mut Vec<VenueEvent>) -> Option<String> {
        self.now = Timestamp(self.now.0 + 1_000);
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["wait", ms] => {
                self.now = Timestamp(self.now.0 + ms.parse::<i64>().unwrap() * 1_000);
                None
            }
            ["quote", bid, ask] => {
                self.update_id += 1;
                let ((bid, bid_qty), (ask, ask_qty)) = (level(bid), level(ask));
                let update_id = self.update_id;
                let quote = Quote { symbol: symbol(), update_id, bid, bid_qty, ask, ask_qty, at: self.now };
                self.apply(MarketEvent::Quote(quote), out)
            }
            ["trade", aggressor, at] => {
                let (price, qty) = level(at);
                let buyer_is_maker = side(aggressor) == Side::Sell;
                let trade = Trade { symbol: symbol(), id: 0, price, qty, buyer_is_maker, at: self.now };
                self.apply(MarketEvent::Trade(trade), out)
            }
            ["depth", first, last, levels @ ..] => {
                let (first_id, last_id) = (first.parse().unwrap(), last.parse().unwrap());
                let (bids, asks) = sides(levels);
                let update = DepthUpdate { symbol: symbol(), first_id, last_id, bids, asks, at: self.now };
                self.apply(MarketEvent::Depth(update), out)
            }
            ["snap", last, levels @ ..] => {
                let (bids, asks) = sides(levels);
                let last_id = last.parse().unwrap();
                self.apply(
                    MarketEvent::Snapshot(DepthSnapshot { symbol: symbol(), last_id, bids, asks, at: self.now }),
                    out,
                )
            }
            ["ext", who, qty, "market"] => self.external(side(who), None, qty, out),
            ["ext", who, qty, "@", price] => self.external(side(who), Some(price), qty, out),
            [account, "cancel", "all"] => {
                let account = AccountId(account.parse().unwrap());
                self.venue.cancel_all(account, symbol(), self.now, out).err().map(refusal)
            }
            [account, "cancel", id] => {
                let account = AccountId(account.parse().unwrap());
                let order = id.parse().map_or_else(|_| OrderRef::Client(id.parse().unwrap()), OrderRef::Id);
                self.venue.cancel(account, symbol(), order, None, self.now, out).err().map(refusal)
            }
            [account, "amend", id, qty, rest @ ..] => {
                let (account, order) = (AccountId(account.parse().unwrap()), OrderRef::Client(id.parse().unwrap()));
                let new_id = rest.first().map(|id| id.parse().unwrap());
                let qty = qty.parse().unwrap();
                self.venue.amend(account, symbol(), order, qty, new_id, self.now, out).err().map(refusal)
            }
            [account, rest @ ..] => {
                let request = request(rest);
                self.venue.place(AccountId(account.parse().unwrap()), &request, self.now, out).err().map(refusal)
            }
            [] => None,
        }
    }

    fn apply(&mut self, event: MarketEvent, out: &mut Vec<VenueEvent>) -> Option<String> {
        self.venue.apply(&event, self.now, out);
        None
    }

    fn external(&mut self, side: Side, price: Option<&str>, qty: &str, out: &mut Vec<VenueEvent>) -> Option<String> {
        let price = price.map(|price| Ticks(price.parse().unwrap()));
        self.venue.place_external(symbol(), side, price, Lots(qty.parse().unwrap()), self.now, out).unwrap();
        None
    }

    /// `bids / asks`, best first.
    pub(super) fn book(&self) -> String {
        let depth = self.venue.depth(symbol(), 10).unwrap();
        let side = |levels: Vec<Level>| {
            let texts: Vec<String> = levels.iter().map(|(price, qty)| format!("{}x{}", price.0, qty.0)).collect();
            texts.join(" ")
        };
        format!("{} / {}", side(depth.bids), side(depth.asks))
    }

    /// `free+locked` of both assets.
    pub(super) fn money(&self, account: u32) -> String {
        let balances = self.venue.balances(AccountId(account)).unwrap();
        let texts: Vec<String> = balances.iter().map(|b| format!("{} {}+{}", b.asset, b.free, b.locked)).collect();
        texts.join(", ")
    }
}

/// `buy 5 @ 100 [ioc|fok|maker] [id=x] [stp=none|taker|both]`, `buy 5 market`, `buy quote 500 market`.
fn request(words: &[&str]) -> OrderRequest {
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let qty = |text: &str| text.parse::<Qty>().unwrap();
    let kind = match words {
        [_, "quote", amount, "market", ..] => RequestKind::MarketQuote { quote_qty: amount.parse().unwrap() },
        [_, lots, "market", ..] => RequestKind::Market { qty: qty(lots) },
        [_, lots, "@", price, rest @ ..] => {
            let (price, qty) = (price.parse().unwrap(), qty(lots));
            match rest.first() {
                Some(&"maker") => RequestKind::LimitMaker { price, qty },
                Some(&"ioc") => RequestKind::Limit { price, qty, tif: TimeInForce::Ioc },
                Some(&"fok") => RequestKind::Limit { price, qty, tif: TimeInForce::Fok },
                _ => RequestKind::Limit { price, qty, tif: TimeInForce::Gtc },
            }
        }
        _ => panic!("not a command: {words:?}"),
    };
    let stp = option("stp=").map(|mode| match mode {
        "none" => SelfTradePrevention::None,
        "taker" => SelfTradePrevention::ExpireTaker,
        "both" => SelfTradePrevention::ExpireBoth,
        _ => panic!("unknown mode {mode}"),
    });
    let client_order_id = option("id=").map(|id| id.parse().unwrap());
    OrderRequest { symbol: symbol(), side: side(words[0]), kind, client_order_id, stp }
}

fn refusal(error: crate::VenueError) -> String {
    format!("! {} {error}", error.code())
}

fn side(text: &str) -> Side {
    if text == "buy" { Side::Buy } else { Side::Sell }
}

fn level(text: &str) -> Level {
    let (price, qty) = text.split_once('x').unwrap();
    (Ticks(price.parse().unwrap()), Lots(qty.parse().unwrap()))
}

fn sides(levels: &[&str]) -> (Vec<Level>, Vec<Level>) {
    let of = |side: char| levels.iter().filter_map(|text| text.strip_prefix(side)).map(level).collect();
    (of('b'), of('a'))
}

fn show(event: &VenueEvent) -> Option<String> {
    match event {
        VenueEvent::Order(report) => Some(show_report(report)),
        VenueEvent::Trade(trade) => Some(format!("trade {}x{}", trade.price.0, trade.qty.0)),
        _ => None,
    }
}

fn show_report(report: &OrderReport) -> String {
    let order = &report.order;
    let id = order.client_order_id.as_str();
    let id = if id.len() == 22 { format!("#{}", order.order_id) } else { id.to_owned() };
    let mut text = format!("{}:{id}", order.account.0);
    match (report.execution, report.fill) {
        (Execution::Trade, Some(fill)) => {
            let role = if fill.maker { "maker" } else { "taker" };
            write!(text, " {role} {}x{}", fill.price, fill.qty).unwrap();
        }
        (Execution::New, _) => {}
        (execution, _) => write!(text, " {execution:?}").unwrap(),
    }
    write!(text, " {:?} {}/{}", order.status, order.filled, order.qty).unwrap();
    text
}

/// Runs the script on a fresh desk.
pub(super) fn check(script: &str, expected: &expect_test::Expect) -> Desk {
    let mut desk = Desk::new();
    let told = desk.run(script);
    expected.assert_eq(&told);
    desk
}
