use nightdesk_market::DepthUpdate;
use nightdesk_units::{Lots, Micros, Ticks, Timestamp};

use super::*;

const STALE: Duration = Duration::from_secs(10);

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

struct Bench {
    state: MarketState,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let streams = Streams { candles: vec![Interval::ONE_SECOND], ..Streams::default() };
        let now = Instant::now();
        Self { state: MarketState::new(&[symbol()], &streams, STALE, now), now }
    }

    fn trade(&self, id: u64) -> Trade {
        let (price, qty, at) = (Ticks(1), Lots(1), Timestamp(0));
        Trade { symbol: symbol(), id, price, qty, buyer_is_maker: false, at }
    }

    fn candle(&self, second: i64) -> Candle {
        let (open, volume) = (Ticks(1), Lots(1));
        let (symbol, interval, open_at) = (symbol(), Interval::ONE_SECOND, Timestamp(second * 1_000_000));
        Candle { symbol, interval, open_at, open, high: open, low: open, close: open, volume, trades: 1 }
    }

    fn quote(&self, update_id: u64) -> Quote {
        let (bid, bid_qty, ask, ask_qty, at) = (Ticks(1), Lots(1), Ticks(2), Lots(1), Timestamp(0));
        Quote { symbol: symbol(), update_id, bid, bid_qty, ask, ask_qty, at }
    }

    fn depth(&self, id: u64) -> DepthUpdate {
        let (bids, asks, at) = (vec![], vec![], Timestamp(0));
        DepthUpdate { symbol: symbol(), first_id: id, last_id: id, bids, asks, at }
    }

    fn say(&mut self, message: MarketMessage) -> Output {
        self.state.message(message, self.now)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

/// The events and fetches of an output, in short.
fn tell(out: &Output) -> String {
    let mut told: Vec<String> = Vec::new();
    told.extend(out.lost.iter().map(|lost| format!("LOST {lost}")));
    told.extend(out.events.iter().map(|event| match event {
        MarketEvent::Trade(trade) => format!("t{}", trade.id),
        MarketEvent::Candle(candle) => format!("c{}", candle.open_at.0 / 1_000_000),
        MarketEvent::Quote(quote) => format!("q{}", quote.update_id),
        MarketEvent::Depth(update) => format!("d{}", update.last_id),
        MarketEvent::Snapshot(snapshot) => format!("={}", snapshot.last_id),
    }));
    told.extend(out.fetches.iter().map(|fetch| match fetch {
        Fetch::Snapshot(_) => "snapshot?".to_owned(),
        Fetch::Trades(_, gap) => format!("trades {}..{:?}?", gap.first, gap.end),
        Fetch::Candles(_, _, gap) => {
            format!("candles {}..{:?}?", gap.first / 1_000_000, gap.end.map(|e| e / 1_000_000))
        }
        Fetch::Probe(_, kind) => format!("probe {kind:?}?"),
    }));
    told.join(" ")
}

#[test]
fn a_missed_trade_is_fetched_before_the_next_is_delivered() {
    let mut bench = Bench::new();
    assert_eq!(tell(&bench.say(MarketMessage::Trade(bench.trade(5)))), "t5");
    assert_eq!(tell(&bench.say(MarketMessage::Trade(bench.trade(8)))), "trades 6..Some(8)?");
    assert_eq!(tell(&bench.say(MarketMessage::Trade(bench.trade(9)))), "");
    let fetched = vec![bench.trade(6), bench.trade(7), bench.trade(8)];
    assert_eq!(tell(&bench.state.trades(symbol(), Ok(fetched))), "t6 t7 t8 t9");
}

#[test]
fn trades_that_cannot_be_had_are_told_as_lost_and_the_stream_goes_on() {
    let mut bench = Bench::new();
    bench.say(MarketMessage::Trade(bench.trade(5)));
    bench.say(MarketMessage::Trade(bench.trade(8)));
    let out = bench.state.trades(symbol(), Err("gone".to_owned()));
    assert_eq!(tell(&out), "LOST trades of BTCUSDT: gone t8");
}

#[test]
fn after_a_cut_missed_trades_and_candles_are_asked_for_at_once_and_the_book_starts_over() {
    let mut bench = Bench::new();
    bench.say(MarketMessage::Trade(bench.trade(5)));
    assert_eq!(tell(&bench.say(MarketMessage::Candle(bench.candle(1)))), "c1");
    bench.say(MarketMessage::Quote(bench.quote(900)));
    assert_eq!(tell(&bench.state.resume(bench.now)), "trades 6..None? candles 2..None?");
    // The exchange may number its quotes anew.
    assert_eq!(tell(&bench.say(MarketMessage::Quote(bench.quote(3)))), "q3");
    assert_eq!(tell(&bench.say(MarketMessage::Candle(bench.candle(4)))), "");
    let fetched = vec![bench.candle(2), bench.candle(3)];
    assert_eq!(tell(&bench.state.candles(symbol(), Interval::ONE_SECOND, Ok(fetched))), "c2 c3 c4");
}

#[test]
fn repeats_of_an_overlapping_connection_are_dropped() {
    let mut bench = Bench::new();
    bench.say(MarketMessage::Quote(bench.quote(7)));
    bench.say(MarketMessage::Trade(bench.trade(7)));
    for message in [
        MarketMessage::Quote(bench.quote(7)),
        MarketMessage::Quote(bench.quote(6)),
        MarketMessage::Trade(bench.trade(7)),
    ] {
        assert_eq!(tell(&bench.say(message)), "");
    }
}

#[test]
fn a_quiet_symbol_gets_its_book_and_is_compared_with_the_exchange() {
    let mut bench = Bench::new();
    let tick = |bench: &mut Bench| {
        let fetches = bench.state.tick(bench.now);
        fetches.map(|fetches| tell(&Output { fetches, ..Output::default() }))
    };
    assert_eq!(tick(&mut bench), Ok("snapshot?".to_owned()));
    let (bids, asks, at) = (vec![], vec![], Timestamp(0));
    let snapshot = DepthSnapshot { symbol: symbol(), last_id: 100, bids, asks, at };
    assert_eq!(tell(&bench.state.snapshot(snapshot)), "=100");
    bench.pass(STALE);
    assert_eq!(tick(&mut bench), Ok("probe Depth?".to_owned()));
    assert_eq!(tick(&mut bench), Ok(String::new()));
    // The exchange stands where we stand: the market is quiet.
    bench.state.probed(symbol(), Some(Reached::Depth(100)), bench.now);
    assert_eq!(tick(&mut bench), Ok(String::new()));
    bench.pass(STALE);
    assert_eq!(tick(&mut bench), Ok("probe Depth?".to_owned()));
    // It is ahead, but what is under way arrives.
    bench.state.probed(symbol(), Some(Reached::Depth(101)), bench.now);
    assert_eq!(tell(&bench.say(MarketMessage::Depth(bench.depth(101)))), "d101");
    bench.pass(IN_FLIGHT);
    assert_eq!(tick(&mut bench), Ok(String::new()));
    // It is ahead and stays so: the stream is silently stale.
    bench.pass(STALE);
    assert_eq!(tick(&mut bench), Ok("probe Depth?".to_owned()));
    bench.state.probed(symbol(), Some(Reached::Depth(150)), bench.now);
    bench.pass(IN_FLIGHT);
    assert_eq!(tick(&mut bench), Err("silently stale: BTCUSDT is behind the exchange".to_owned()));
}

#[test]
fn lines_of_candles_step_by_their_interval() {
    let mut bench = Bench::new();
    bench.say(MarketMessage::Candle(bench.candle(1)));
    assert_eq!(tell(&bench.say(MarketMessage::Candle(bench.candle(2)))), "c2");
    assert_eq!(tell(&bench.say(MarketMessage::Candle(bench.candle(5)))), "candles 3..Some(5)?");
    assert_eq!(Interval::ONE_SECOND.span(), Micros::from_secs(1));
}

#[test]
fn without_a_book_the_quote_is_compared_and_any_newer_one_shows_that_the_stream_goes_on() {
    let mut bench = Bench::new();
    let streams = Streams { depth: false, ..Streams::default() };
    bench.state = MarketState::new(&[symbol()], &streams, STALE, bench.now);
    bench.pass(STALE);
    assert_eq!(bench.state.tick(bench.now), Ok(vec![]), "nothing to compare with yet");
    bench.say(MarketMessage::Quote(bench.quote(1)));
    bench.pass(STALE);
    assert_eq!(bench.state.tick(bench.now), Ok(vec![Fetch::Probe(symbol(), ProbeKind::Quote)]));
    let other = Reached::Quote([7, 1, 8, 1]);
    bench.state.probed(symbol(), Some(other), bench.now);
    bench.say(MarketMessage::Quote(bench.quote(2)));
    bench.pass(IN_FLIGHT);
    assert_eq!(bench.state.tick(bench.now), Ok(vec![]));
    bench.pass(STALE);
    assert_eq!(bench.state.tick(bench.now).map(|fetches| fetches.len()), Ok(1));
    bench.state.probed(symbol(), Some(other), bench.now);
    bench.pass(IN_FLIGHT);
    assert!(bench.state.tick(bench.now).is_err());
}
