//! Turns what the venue tells into the streams' events, and keeps the streams' own clocks: depth every 100 ms and second,
//! candles, tickers and averages every second.

mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightdesk_market::{Instrument, Interval, Side};
use nightdesk_matching::{AccountId, LevelChange, MarketTrade, OrderReport, VenueEvent};
use nightdesk_units::{Lots, Symbol, Ticks, Timestamp};
use serde_json::Value;

use super::events::{self, AggregateTrade};
use super::hub::Hub;
use crate::clock::ExchangeClock;
use crate::engine::Core;
use crate::faults::{FaultBook, ReportFate, StreamKind, Target};
use crate::text::{self, TimeUnit};

const TICK: i64 = 100_000;
/// A report held back for the next one leaves after this long all the same.
const HOLD: i64 = 1_000_000;

/// Changes of a book since the last `depthUpdate` of one speed.
#[derive(Debug, Default)]
struct Pending {
    levels: BTreeMap<(Side, Ticks), Lots>,
    first_id: u64,
    last_id: u64,
}

impl Pending {
    fn take(&mut self, change: &LevelChange) {
        if self.levels.is_empty() {
            self.first_id = change.update_id;
        }
        self.last_id = change.update_id;
        self.levels.insert((change.side, change.price), change.qty);
    }

    fn event(&self, instrument: &Instrument, now: Timestamp, unit: TimeUnit) -> String {
        let side = |side: Side| {
            let levels = self.levels.iter().filter(|((s, _), _)| *s == side);
            let pair = |((_, price), qty): (&(Side, Ticks), &Lots)| {
                format!(r#"["{}","{}"]"#, text::price(instrument, *price), text::qty(instrument, *qty))
            };
            levels.map(pair).collect::<Vec<_>>().join(",")
        };
        format!(
            r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":[{}],"a":[{}]}}"#,
            unit.of(now),
            instrument.symbol,
            self.first_id,
            self.last_id,
            side(Side::Buy),
            side(Side::Sell)
        )
    }
}

/// What is published about one instrument.
struct Market {
    instrument: Instrument,
    name: String,
    fast: Pending,
    slow: Pending,
    aggregate: Option<AggregateTrade>,
}

/// Publishes.
pub(crate) struct Publisher {
    hub: Arc<Hub>,
    faults: Arc<Mutex<FaultBook>>,
    clock: Arc<ExchangeClock>,
    markets: BTreeMap<Symbol, Market>,
    /// The start and number of trades of the last candle told, by stream.
    candles: BTreeMap<String, (Timestamp, u64)>,
    held: Vec<(Timestamp, OrderReport)>,
    next_tick: Timestamp,
}

impl Publisher {
    pub(crate) fn new(
        hub: Arc<Hub>,
        faults: Arc<Mutex<FaultBook>>,
        clock: Arc<ExchangeClock>,
        instruments: &[Instrument],
    ) -> Self {
        let market = |instrument: &Instrument| Market {
            instrument: instrument.clone(),
            name: instrument.symbol.as_str().to_ascii_lowercase(),
            fast: Pending::default(),
            slow: Pending::default(),
            aggregate: None,
        };
        let markets = instruments.iter().map(|i| (i.symbol, market(i))).collect();
        let (candles, held, next_tick) = (BTreeMap::new(), Vec::new(), Timestamp(0));
        Self { hub, faults, clock, markets, candles, held, next_tick }
    }

    fn faults(&self) -> MutexGuard<'_, FaultBook> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something is published unasked.
    pub(crate) fn next_tick(&self) -> Timestamp {
        self.next_tick
    }

    /// The most messages that wait for one connection.
    pub(crate) fn lag(&self) -> usize {
        self.hub.lag()
    }

    /// Tells what is durable.
    pub(crate) fn publish(&mut self, told: Vec<VenueEvent>, core: &Core, now: Timestamp) {
        let market_stale = self.faults().stale(StreamKind::Market, now);
        let user_stale = self.faults().stale(StreamKind::User, now);
        for event in told {
            match event {
                VenueEvent::Order(report) if !user_stale => self.report(&report, core, now),
                VenueEvent::Balances(changed) if !user_stale => {
                    self.hub.publish_user(changed.account, |unit| events::account_position(&changed, unit));
                }
                VenueEvent::Transfer(transfer) if !user_stale => {
                    self.hub.publish_user(transfer.account, |unit| events::balance_update(&transfer, unit));
                }
                VenueEvent::Trade(trade) => self.trade(&trade, market_stale, now),
                VenueEvent::Level(change) => self.level(&change),
                VenueEvent::Best(quote) => {
                    let Some(market) = self.markets.get(&quote.symbol) else { continue };
                    let stream = format!("{}@bookTicker", market.name);
                    if !market_stale && self.hub.wanted(&stream) {
                        self.send(&stream, now, |_| events::book_ticker(&market.instrument, &quote));
                    }
                }
                _ => {}
            }
        }
        self.flush_aggregates(market_stale, now);
        if now >= self.next_tick {
            self.tick(core, market_stale, now);
        }
    }

    fn send(&self, stream: &str, now: Timestamp, text: impl Fn(TimeUnit) -> String) {
        if self.hub.wanted(stream) && !self.faults().drop_market(stream, now) {
            self.hub.publish(stream, text);
        }
    }

    fn report(&mut self, report: &OrderReport, core: &Core, now: Timestamp) {
        let order = &report.order;
        let account = core.world.account_name(order.account.0);
        let target = Target {
            endpoint: &[],
            symbol: Some(order.symbol.as_str()),
            side: Some(if order.side == Side::Buy { "BUY" } else { "SELL" }),
            client_id: Some(order.client_order_id.as_str()),
            account: Some(&account),
            execution: Some(events::execution(report.execution)),
        };
        let fate = self.faults().on_report(&target, now);
        let tell = |hub: &Hub, report: &OrderReport| {
            hub.publish_user(report.order.account, |unit| events::execution_report(report, unit));
        };
        match fate {
            ReportFate::Drop => {}
            ReportFate::HoldBack => self.held.push((now, *report)),
            ReportFate::Send => tell(&self.hub, report),
            ReportFate::Duplicate => {
                tell(&self.hub, report);
                tell(&self.hub, report);
            }
        }
        if fate != ReportFate::HoldBack {
            self.release(Some(order.account), now);
        }
    }

    /// Lets go of reports that were held back: of an account, or those held too long.
    fn release(&mut self, account: Option<AccountId>, now: Timestamp) {
        for (since, report) in std::mem::take(&mut self.held) {
            if account == Some(report.order.account) || now.since(since).0 >= HOLD {
                self.hub.publish_user(report.order.account, |unit| events::execution_report(&report, unit));
            } else {
                self.held.push((since, report));
            }
        }
    }

    fn trade(&mut self, trade: &MarketTrade, stale: bool, now: Timestamp) {
        let Some(market) = self.markets.get_mut(&trade.symbol) else { return };
        let taken = market.aggregate.as_mut().is_some_and(|aggregate| aggregate.take(trade));
        let finished = if taken { None } else { market.aggregate.replace(AggregateTrade::of(trade)) };
        if stale {
            return;
        }
        let Some(market) = self.markets.get(&trade.symbol) else { return };
        if let Some(finished) = finished {
            self.aggregate(market, &finished, now);
        }
        let stream = format!("{}@trade", market.name);
        self.send(&stream, now, |unit| events::trade(&market.instrument, trade, unit));
    }

    fn aggregate(&self, market: &Market, aggregate: &AggregateTrade, now: Timestamp) {
        let stream = format!("{}@aggTrade", market.name);
        self.send(&stream, now, |unit| events::agg_trade(&market.instrument, aggregate, unit));
    }

    fn flush_aggregates(&mut self, stale: bool, now: Timestamp) {
        let pending: Vec<_> = self.markets.iter_mut().filter_map(|(s, m)| Some((*s, m.aggregate.take()?))).collect();
        for (symbol, aggregate) in pending {
            if let Some(market) = self.markets.get(&symbol).filter(|_| !stale) {
                self.aggregate(market, &aggregate, now);
            }
        }
    }

    fn level(&mut self, change: &LevelChange) {
        if let Some(market) = self.markets.get_mut(&change.symbol) {
            market.fast.take(change);
            market.slow.take(change);
        }
    }

    /// Every 100 ms; on whole seconds the slow streams too.
    fn tick(&mut self, core: &Core, stale: bool, now: Timestamp) {
        let second = now.0.div_euclid(1_000_000) > (self.next_tick.0 - TICK).div_euclid(1_000_000);
        self.next_tick = Timestamp(now.0 - now.0.rem_euclid(TICK) + TICK);
        let skew = self.faults().skew(now);
        self.clock.skew(skew);
        self.release(None, now);
        let symbols: Vec<Symbol> = self.markets.keys().copied().collect();
        for symbol in symbols {
            self.depth(core, symbol, second, stale, now);
        }
        if !stale {
            self.candles(core, second, now);
            if second {
                self.long_candles(core, now);
                self.rolling(core, now);
                self.seconds(core, now);
            }
        }
    }

    fn depth(&mut self, core: &Core, symbol: Symbol, second: bool, stale: bool, now: Timestamp) {
        let Some(market) = self.markets.get_mut(&symbol) else { return };
        let fast = std::mem::take(&mut market.fast);
        let slow = if second { std::mem::take(&mut market.slow) } else { Pending::default() };
        let Some(market) = self.markets.get(&symbol).filter(|_| !stale) else { return };
        for (pending, suffix) in [(&fast, "@100ms"), (&slow, "")] {
            if pending.levels.is_empty() {
                continue;
            }
            let stream = format!("{}@depth{suffix}", market.name);
            self.send(&stream, now, |unit| pending.event(&market.instrument, now, unit));
            for levels in [5, 10, 20] {
                let stream = format!("{}@depth{levels}{suffix}", market.name);
                if self.hub.wanted(&stream)
                    && let Ok(view) = core.world.venue.depth(symbol, levels)
                {
                    let book = crate::api::market::depth_view(&market.instrument, &view).to_string();
                    self.send(&stream, now, |_| book.clone());
                }
            }
        }
    }

    /// Candles: a closed one at the next tick after its end, the one in progress every second when it has changed.
    fn candles(&mut self, core: &Core, second: bool, now: Timestamp) {
        let streams = self.hub.wanted_streams();
        self.candles.retain(|stream, _| streams.contains(stream));
        for stream in streams {
            let Some((symbol, interval)) = kline_stream(&stream) else { continue };
            let Some(market) = self.markets.get(&symbol) else { continue };
            let instrument = &market.instrument;
            let start = self.candles.get(&stream).map(|(open_at, _)| *open_at);
            let Ok(klines) = core.world.venue.klines(symbol, interval, start, None, 1_000, now) else { continue };
            let klines = if start.is_none() { &klines[klines.len().saturating_sub(1)..] } else { &klines[..] };
            for kline in klines {
                let (name, end) = (interval.to_string(), kline.open_at + interval.span());
                let closed = end <= now;
                let told = self.candles.get(&stream) == Some(&(kline.open_at, kline.trades));
                if closed || (second && !told) {
                    self.send(&stream, now, |unit| events::kline(instrument, &name, end, kline, closed, now, unit));
                    let next = if closed {
                        (kline.open_at + interval.span(), u64::MAX)
                    } else {
                        (kline.open_at, kline.trades)
                    };
                    self.candles.insert(stream.clone(), next);
                }
            }
        }
    }

    /// Tickers and averages.
    fn seconds(&self, core: &Core, now: Timestamp) {
        let venue = &core.world.venue;
        let all: Vec<_> = self
            .markets
            .values()
            .filter_map(|m| {
                Some((m, venue.ticker(m.instrument.symbol, now).ok()??, venue.best(m.instrument.symbol).ok()?))
            })
            .collect();
        for (market, ticker, best) in &all {
            let instrument = &market.instrument;
            let stream = |kind: &str| format!("{}@{kind}", market.name);
            self.send(&stream("ticker"), now, |u| events::ticker(instrument, ticker, best, now, u).to_string());
            self.send(&stream("miniTicker"), now, |u| events::mini_ticker(instrument, ticker, now, u).to_string());
            if let Ok(Some(average)) = venue.average(instrument.symbol, now) {
                let (symbol, last) = (instrument.symbol.as_str(), average.last_trade_at);
                let text = |u| events::average(symbol, average.minutes, average.price, last, now, u);
                self.send(&stream("avgPrice"), now, text);
            }
        }
        let list = |f: &dyn Fn(&Market, &nightdesk_matching::Ticker, &nightdesk_market::Quote) -> Value| {
            all.iter().map(|(m, t, b)| f(m, t, b)).collect::<Value>().to_string()
        };
        // Older clients name a speed; slower than every second is every third.
        let third = now.0.div_euclid(1_000_000) % 3 == 0;
        for speed in ["", "@1000ms", "@3000ms"].iter().filter(|speed| third || **speed != "@3000ms") {
            let stream = |name: &str| format!("!{name}@arr{speed}");
            self.send(&stream("ticker"), now, |u| list(&|m, t, b| events::ticker(&m.instrument, t, b, now, u)));
            self.send(&stream("miniTicker"), now, |u| list(&|m, t, _| events::mini_ticker(&m.instrument, t, now, u)));
        }
    }
}

/// Symbol and interval of `btcusdt@kline_1m`.
fn kline_stream(stream: &str) -> Option<(Symbol, Interval)> {
    let (name, interval) = stream.split_once("@kline_")?;
    Some((name.to_ascii_uppercase().parse().ok()?, interval.parse().ok()?))
}
