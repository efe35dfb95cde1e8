//! The exchange port on the matching engine: answers, doubt, events, faults, record.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use nightdesk_env::{ActivityCounter, Clock, VirtualClock};
use nightdesk_exchange::{Answer, Events, Exchange, ExchangeError, ExchangeEvent, NewOrder, Purpose, Stream, Window};
use nightdesk_market::{Filters, Instrument, Interval, MarketEvent, Quote, Side, Trade};
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_orders::{ClientOrderId, ExchangeStatus, OrderKind, TimeInForce};
use nightdesk_units::{Decimal, Lots, Micros, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};

use crate::{
    Call, CallFate, Entry, EventFate, Faults, Feed, LocalEvents, LocalExchange, LocalVenue, Options, RecordLog,
};

fn symbol() -> Symbol {
    "ABCXYZ".parse().unwrap()
}

fn id(text: &str) -> ClientOrderId {
    text.parse().unwrap()
}

fn venue() -> Venue {
    let filters = Filters {
        min_price: Price::new(Decimal::ONE),
        max_price: Price::ZERO,
        min_qty: Qty::new(Decimal::ONE),
        max_qty: Qty::ZERO,
        max_market_qty: Qty::ZERO,
        min_notional: Money::ZERO,
        min_notional_applies_to_market: false,
        max_notional: Money::ZERO,
        percent_price: None,
        max_open_orders: 0,
        max_position: Qty::ZERO,
    };
    let scale = Scale { tick: Decimal::ONE, step: Decimal::ONE };
    let (base, quote) = ("ABC".parse().unwrap(), "XYZ".parse().unwrap());
    Venue::new(VenueConfig::new(vec![Instrument { symbol: symbol(), base, quote, scale, filters }]))
}

/// A record in memory that can be told to fail.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(Vec<String>, usize, bool)>>);

impl RecordLog for Memory {
    fn append(&mut self, line: &str) -> std::io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        if inner.2 {
            return Err(std::io::Error::other("disk full"));
        }
        inner.0.push(line.to_owned());
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        inner.1 = inner.0.len();
        Ok(())
    }
}

type Script = Arc<Mutex<(Vec<CallFate>, Vec<EventFate>)>>;

/// Fates from a script, then none.
struct Scripted(Script);

impl Faults for Scripted {
    fn call(&mut self, _: Call) -> CallFate {
        let fates = &mut self.0.lock().unwrap().0;
        if fates.is_empty() { CallFate::Answer } else { fates.remove(0) }
    }

    fn event(&mut self, event: &ExchangeEvent) -> EventFate {
        let fates = &mut self.0.lock().unwrap().1;
        let strikes = matches!(event, ExchangeEvent::Report(_)) && !fates.is_empty();
        if strikes { fates.remove(0) } else { EventFate::Deliver }
    }
}

struct Desk {
    venue: LocalVenue,
    exchange: LocalExchange,
    events: LocalEvents,
    clock: VirtualClock,
    busy: Arc<ActivityCounter>,
    script: Script,
    record: Memory,
}

impl Desk {
    fn new() -> Self {
        Self::with(Feed::Venue)
    }

    fn with(feed: Feed) -> Self {
        let (clock, busy) = (VirtualClock::new(Timestamp(1_000_000)), Arc::new(ActivityCounter::new()));
        let (script, record) = (Script::default(), Memory::default());
        let options = Options {
            clock: Arc::new(clock.clone()),
            activity: Arc::<ActivityCounter>::clone(&busy),
            feed,
            depth: true,
            record: Some(Box::new(record.clone())),
        };
        let venue = LocalVenue::new(venue(), AccountId(1), options);
        for asset in ["ABC", "XYZ"] {
            venue.deposit(asset.parse().unwrap(), Qty::new(Decimal::from(10_000))).unwrap();
        }
        venue.set_faults(Some(Box::new(Scripted(Arc::clone(&script)))));
        let (exchange, events) = venue.connect();
        let mut desk = Self { venue, exchange, events, clock, busy, script, record };
        desk.heard();
        desk
    }

    fn order(&self, id: ClientOrderId, side: Side, price: i64, qty: i64) -> NewOrder {
        let kind = OrderKind::Limit { price: Price::new(price.into()), tif: TimeInForce::Gtc };
        NewOrder { symbol: symbol(), client_order_id: id, side, kind, qty: Qty::new(qty.into()) }
    }

    fn window(&self) -> Window {
        Window { timestamp: self.clock.now(), recv_window: Micros::from_secs(2) }
    }

    fn place(&self, text: &str) -> Result<String, ExchangeError> {
        let order = self.order(id(text), Side::Buy, 100, 5);
        let placed = now(self.exchange.place(&order, self.window()))?;
        Ok(format!("{:?} {} fills {}", placed.order.status, placed.order.filled, placed.fills.len()))
    }

    fn query(&self, text: &str) -> Result<ExchangeStatus, ExchangeError> {
        now(self.exchange.order(symbol(), id(text))).map(|order| order.status)
    }

    fn quote(&self, bid: i64, ask: i64) {
        let (bid, ask, lots) = (Ticks(bid), Ticks(ask), Lots(3));
        let at = self.clock.now();
        let quote = Quote { symbol: symbol(), update_id: 0, bid, bid_qty: lots, ask, ask_qty: lots, at };
        self.venue.apply(&MarketEvent::Quote(quote));
    }

    fn trade(&self, price: i64, qty: i64) {
        let (price, qty, at) = (Ticks(price), Lots(qty), self.clock.now());
        let trade = Trade { symbol: symbol(), id: 77, price, qty, buyer_is_maker: true, at };
        self.venue.apply(&MarketEvent::Trade(trade));
    }

    /// Everything heard since, in short; also shows that the last one is handled.
    fn heard(&mut self) -> String {
        let mut texts = Vec::new();
        while let Some(event) = self.events.next().now_or_never() {
            let Some(event) = event else {
                texts.push("end".to_owned());
                break;
            };
            texts.push(show(&event));
        }
        texts.join(", ")
    }

    fn strike(&self, calls: &[CallFate], events: &[EventFate]) {
        *self.script.lock().unwrap() = (calls.to_vec(), events.to_vec());
    }

    fn pass(&self, ms: i64) {
        self.clock.advance_to(self.clock.now() + Micros::from_millis(ms));
        self.venue.advance();
    }
}

fn show(event: &ExchangeEvent) -> String {
    match event {
        ExchangeEvent::Market(MarketEvent::Quote(quote)) => format!("quote {}/{}", quote.bid.0, quote.ask.0),
        ExchangeEvent::Market(MarketEvent::Trade(trade)) => {
            format!("trade {}:{}x{}", trade.id, trade.price.0, trade.qty.0)
        }
        ExchangeEvent::Market(MarketEvent::Depth(depth)) => format!("depth {}-{}", depth.first_id, depth.last_id),
        ExchangeEvent::Market(MarketEvent::Snapshot(book)) => format!("snapshot {}", book.last_id),
        ExchangeEvent::Market(MarketEvent::Candle(_)) => "candle".to_owned(),
        ExchangeEvent::Report(report) => {
            format!("{} {:?} {}/{}", report.client_order_id, report.status, report.filled, report.qty)
        }
        ExchangeEvent::Balances { .. } => "balances".to_owned(),
        ExchangeEvent::Transfer { .. } => "transfer".to_owned(),
        ExchangeEvent::Up { stream, since } => format!("up {stream:?} {}", since.map_or(-1, |at| at.0)),
        ExchangeEvent::Down { stream, .. } => format!("down {stream:?}"),
        ExchangeEvent::Alive { .. } => "alive".to_owned(),
    }
}

fn now<T>(answer: Answer<T>) -> Result<T, ExchangeError> {
    answer.now_or_never().expect("answered at once")
}

#[test]
fn an_order_is_answered_told_and_filled_by_the_recorded_market() {
    let mut desk = Desk::new();
    desk.quote(99, 101);
    assert_eq!(desk.heard(), "depth 1-2, quote 99/101");
    assert_eq!(desk.place("a").unwrap(), "New 0 fills 0");
    assert_eq!(desk.heard(), "a New 0/5, balances, depth 3-3, quote 100/101");
    desk.trade(100, 2);
    assert_eq!(desk.heard(), "a PartiallyFilled 2/5, trade 1:100x2, balances, depth 4-4, quote 100/101");
    let trades = now(desk.exchange.trades(symbol(), Timestamp(0), Purpose::Query)).unwrap();
    assert_eq!((trades.len(), trades[0].fill.fee.to_string()), (1, "0.002".to_owned()));
    assert_eq!(now(desk.exchange.trades_of(symbol(), trades[0].exchange_order_id)).unwrap(), trades);
    assert_eq!(now(desk.exchange.open_orders(symbol())).unwrap().len(), 1);
    let cancelled = now(desk.exchange.cancel(symbol(), id("a"), desk.window())).unwrap();
    assert_eq!((cancelled.status, cancelled.filled.to_string()), (ExchangeStatus::Canceled, "2".to_owned()));
    assert_eq!(now(desk.exchange.all_orders(symbol(), Timestamp(0), Purpose::Query)).unwrap(), [cancelled]);
    let (_, balances) = now(desk.exchange.balances()).unwrap();
    let shown: Vec<String> = balances.iter().map(|b| format!("{} {} {}", b.asset, b.free, b.locked)).collect();
    assert_eq!(shown, ["ABC 10001.998 0", "XYZ 9800 0"]);
}

#[test]
fn a_call_happens_when_it_is_polled_not_when_it_is_made() {
    let desk = Desk::new();
    drop(desk.exchange.place(&desk.order(id("a"), Side::Buy, 100, 5), desk.window()));
    assert!(desk.query("a").unwrap_err().is_no_such_order());
}

#[test]
fn an_event_is_in_progress_until_the_next_is_asked_for() {
    let mut desk = Desk::new();
    assert_eq!(desk.busy.count(), 0);
    desk.place("a").unwrap();
    assert_eq!((desk.busy.count(), desk.venue.backlog()), (3, (3, 3)));
    let first = desk.events.next().now_or_never();
    assert!(first.is_some());
    assert_eq!((desk.busy.count(), desk.venue.backlog().0), (3, 2));
    desk.heard();
    assert_eq!(desk.busy.count(), 0);
}

#[test]
fn a_lost_answer_leaves_doubt_and_a_query_resolves_it() {
    let desk = Desk::new();
    desk.strike(&[CallFate::LostBefore], &[]);
    assert!(matches!(desk.place("a"), Err(ExchangeError::InDoubt { .. })));
    assert!(desk.query("a").unwrap_err().is_no_such_order());
    desk.strike(&[CallFate::LostAfter], &[]);
    assert!(matches!(desk.place("b"), Err(ExchangeError::InDoubt { .. })));
    assert_eq!(desk.query("b").unwrap(), ExchangeStatus::New);
    desk.strike(&[CallFate::Reject(-1008, "overload".into()), CallFate::Retry(Micros(5))], &[]);
    assert!(matches!(desk.place("c"), Err(ExchangeError::Rejected { code: -1008, .. })));
    assert!(matches!(desk.place("c"), Err(ExchangeError::Retry { after: Micros(5), .. })));
}

#[test]
fn a_late_request_arrives_within_its_window_or_never() {
    let mut desk = Desk::new();
    desk.strike(&[CallFate::Late(Micros::from_millis(1_500)), CallFate::Late(Micros::from_millis(2_500))], &[]);
    assert!(matches!(desk.place("in-time"), Err(ExchangeError::InDoubt { .. })));
    assert!(matches!(desk.place("stale"), Err(ExchangeError::InDoubt { .. })));
    desk.pass(1_000);
    assert!(desk.query("in-time").unwrap_err().is_no_such_order());
    desk.pass(5_000);
    assert_eq!(desk.query("in-time").unwrap(), ExchangeStatus::New);
    assert!(desk.query("stale").unwrap_err().is_no_such_order());
    assert!(desk.heard().starts_with("in-time New 0/5"));
}

#[test]
fn a_slow_request_is_judged_when_it_arrives() {
    let desk = Desk::new();
    desk.strike(&[CallFate::SlowRequest(Micros::from_millis(2_001)), CallFate::SlowAnswer(Micros(10))], &[]);
    let mut slow = desk.exchange.place(&desk.order(id("a"), Side::Buy, 100, 5), desk.window());
    assert!((&mut slow).now_or_never().is_none());
    desk.pass(2_001);
    assert!(matches!(slow.now_or_never(), Some(Err(ExchangeError::Rejected { code: -1021, .. }))));
    let mut answer = desk.exchange.place(&desk.order(id("b"), Side::Buy, 100, 5), desk.window());
    assert!((&mut answer).now_or_never().is_none());
    assert_eq!(desk.query("b").unwrap(), ExchangeStatus::New);
    desk.pass(1);
    assert!(answer.now_or_never().unwrap().is_ok());
}

#[test]
fn requests_outside_their_window_are_refused_by_the_exchanges_clock() {
    let desk = Desk::new();
    desk.venue.set_skew(Micros::from_millis(-1_000));
    assert!(matches!(desk.place("ahead"), Err(ExchangeError::Rejected { code: -1021, .. })));
    assert_eq!(desk.exchange.clock_offset().offset, Micros::from_millis(-1_000));
    desk.venue.set_skew(Micros::from_millis(2_001));
    assert!(matches!(desk.place("stale"), Err(ExchangeError::Rejected { code: -1021, .. })));
    desk.venue.set_skew(Micros::from_millis(2_000));
    assert!(desk.place("in-time").is_ok());
}

#[test]
fn the_id_of_a_finished_order_makes_a_second_order() {
    let desk = Desk::new();
    desk.place("x").unwrap();
    assert!(matches!(desk.place("x"), Err(ExchangeError::Rejected { code: -2010, .. })));
    desk.trade(99, 5);
    assert_eq!(desk.query("x").unwrap(), ExchangeStatus::Filled);
    desk.place("x").unwrap();
    assert_eq!(now(desk.exchange.all_orders(symbol(), Timestamp(0), Purpose::Query)).unwrap().len(), 2);
    assert_eq!(desk.query("x").unwrap(), ExchangeStatus::New);
}

#[test]
fn reports_are_dropped_repeated_and_swapped_by_faults() {
    let mut desk = Desk::new();
    let run = |desk: &mut Desk, fates: &[EventFate], text: &str| {
        desk.strike(&[], fates);
        desk.place(text).unwrap();
        desk.heard().split(", ").take(3).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(run(&mut desk, &[EventFate::Drop], "a"), "balances, depth 1-1");
    assert_eq!(run(&mut desk, &[EventFate::Duplicate], "b"), "b New 0/5, b New 0/5, balances");
    assert_eq!(run(&mut desk, &[EventFate::Swap], "c"), "balances, c New 0/5, depth 3-3");
}

#[test]
fn a_cut_stream_loses_events_and_tells_since_when() {
    let mut desk = Desk::new();
    desk.place("a").unwrap();
    desk.heard();
    desk.pass(10);
    desk.strike(&[], &[EventFate::Cut(Micros::from_millis(50))]);
    desk.place("b").unwrap();
    assert_eq!(desk.heard(), "down User, depth 2-2");
    desk.pass(50);
    assert_eq!(desk.heard(), "up User 1000000");
    desk.quote(99, 101);
    desk.heard();
    desk.venue.cut(Stream::Market, Micros::from_millis(5));
    desk.trade(100, 1);
    assert_eq!(desk.heard(), "down Market, a PartiallyFilled 1/5, balances");
    desk.pass(5);
    assert_eq!(desk.heard(), "up Market 1060000, snapshot 5, quote 100/101");
}

#[test]
fn a_new_connection_ends_the_old_one_and_begins_with_the_books() {
    let mut desk = Desk::new();
    desk.quote(99, 101);
    let (exchange, events) = desk.venue.connect();
    let mut old = std::mem::replace(&mut desk.events, events);
    desk.exchange = exchange;
    assert!(matches!(old.next().now_or_never(), Some(None)));
    drop(old);
    assert_eq!(desk.heard(), "up Market -1, snapshot 2, quote 99/101, up User -1");
    assert_eq!(desk.busy.count(), 0);
}

#[test]
fn candles_are_told_when_they_are_closed() {
    let desk = Desk::new();
    desk.trade(100, 1);
    desk.pass(1_000);
    desk.trade(105, 2);
    desk.pass(500);
    let (from, to) = (Timestamp(0), Timestamp(9_000_000));
    let candles = now(desk.exchange.candles(symbol(), Interval::ONE_SECOND, from, to)).unwrap();
    let shown: Vec<_> = candles.iter().map(|c| (c.open_at.0, c.close.0, c.trades)).collect();
    assert_eq!(shown, [(1_000_000, 100, 1)]);
}

#[test]
fn a_recorded_feed_is_told_as_it_was_recorded() {
    let mut desk = Desk::with(Feed::Recorded);
    desk.quote(99, 101);
    desk.place("a").unwrap();
    desk.trade(100, 2);
    assert_eq!(desk.heard(), "quote 99/101, a New 0/5, balances, trade 77:100x2, a PartiallyFilled 2/5, balances");
}

#[test]
fn everything_is_on_record_before_it_is_answered_and_the_inputs_bring_it_back() {
    let desk = Desk::new();
    desk.quote(99, 101);
    desk.place("a").unwrap();
    desk.trade(100, 2);
    now(desk.exchange.cancel(symbol(), id("a"), desk.window())).unwrap();
    let (lines, synced, _) = desk.record.0.lock().unwrap().clone();
    assert_eq!(lines.len(), synced);
    let entries: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let inputs: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Input(input) => Some(*input),
            Entry::Event(_) => None,
        })
        .collect();
    assert_eq!((inputs.len(), entries.len()), (4, 4 + 4 + 2 + 2 + 2));

    let twin = Desk::new();
    // Its two deposits are its own; what followed is repeated where it belongs.
    assert!(twin.venue.redo(&inputs[2]).is_err());
    twin.quote(99, 101);
    twin.venue.redo(&inputs[2]).unwrap();
    twin.trade(100, 2);
    twin.venue.redo(&inputs[3]).unwrap();
    let json = |desk: &Desk| serde_json::to_string(&desk.venue.snapshot()).unwrap();
    assert_eq!(json(&desk), json(&twin));
}

#[test]
fn what_cannot_be_recorded_is_not_told_and_nothing_more_is_taken() {
    let mut desk = Desk::new();
    desk.record.0.lock().unwrap().2 = true;
    assert!(matches!(desk.place("a"), Err(ExchangeError::InDoubt { .. })));
    assert!(matches!(desk.place("b"), Err(ExchangeError::Retry { .. })));
    assert_eq!(desk.heard(), "");
}
