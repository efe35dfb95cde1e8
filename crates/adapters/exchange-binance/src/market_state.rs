//! What the market stream knows of each instrument: where each line of events stands, what is being fetched to fill it,
//! and whether the stream keeps up with the exchange. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use nightdesk_market::{Candle, DepthSnapshot, Interval, MarketEvent, Quote, Trade};
use nightdesk_units::Symbol;
use tokio::time::Instant;

use crate::book_sync::BookSync;
use crate::config::Streams;
use crate::decode::MarketMessage;
use crate::line::{Gap, Line, Need};

/// Something to fetch by REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    Snapshot(Symbol),
    Trades(Symbol, Gap),
    Candles(Symbol, Interval, Gap),
    /// How far the exchange has come, to compare with the stream.
    Probe(Symbol, ProbeKind),
}

/// By what a symbol is compared with the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Depth,
    Trades,
    Quote,
}

/// How far the exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Depth(u64),
    Trade(i64),
    Quote([i64; 4]),
}

/// What came of a message.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// To be delivered, in this order.
    pub(crate) events: Vec<MarketEvent>,
    /// To be fetched.
    pub(crate) fetches: Vec<Fetch>,
    /// Something cannot be had any more: the consumer must be told of a cut.
    pub(crate) lost: Option<String>,
}

/// The streams that a symbol can be compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    depth: bool,
    quotes: bool,
    trades: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Idle,
    Asked,
    /// The exchange had come this far; the stream may take until then.
    Told(Reached, Instant),
}

#[derive(Debug)]
struct State {
    quote: Option<Quote>,
    trades: Line<Trade>,
    candles: BTreeMap<Interval, Line<Candle>>,
    book: BookSync,
    last_data: Instant,
    probe: Probe,
}

impl State {
    /// By what this symbol is best compared: the book's numbers where there is a book, then the quote, which is cheap and
    /// changes with every trade.
    fn probe_kind(&self, streams: Wanted) -> Option<ProbeKind> {
        match streams {
            Wanted { depth: true, .. } => Some(ProbeKind::Depth),
            Wanted { quotes: true, .. } if self.quote.is_some() => Some(ProbeKind::Quote),
            Wanted { trades: true, .. } if self.trades.newest().is_some() => Some(ProbeKind::Trades),
            _ => None,
        }
    }

    /// Without anything to compare with, nobody can say that it has not.
    fn has_reached(&self, reached: Reached) -> bool {
        match reached {
            Reached::Depth(id) => self.book.newest().is_none_or(|newest| newest >= id),
            Reached::Trade(id) => self.trades.newest().is_none_or(|newest| newest >= id),
            Reached::Quote(best) => self.quote.is_none_or(|q| [q.bid.0, q.bid_qty.0, q.ask.0, q.ask_qty.0] == best),
        }
    }
}

/// How long a frame may be under way when REST is already ahead of it (`stale_after` where that is shorter).
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// All instruments.
#[derive(Debug)]
pub(crate) struct MarketState {
    symbols: BTreeMap<Symbol, State>,
    wanted: Wanted,
    stale_after: Duration,
}

impl MarketState {
    pub(crate) fn new(symbols: &[Symbol], streams: &Streams, stale_after: Duration, now: Instant) -> Self {
        let state = |symbol: &Symbol| {
            let line = |interval: &Interval| (*interval, Line::new(interval.span().0));
            let state = State {
                quote: None,
                trades: Line::new(1),
                candles: streams.candles.iter().map(line).collect(),
                book: BookSync::default(),
                last_data: now,
                probe: Probe::Idle,
            };
            (*symbol, state)
        };
        let wanted = Wanted { depth: streams.depth, quotes: streams.quotes, trades: streams.trades };
        Self { symbols: symbols.iter().map(state).collect(), wanted, stale_after }
    }

    /// The stream is up (again): books start over, and what came in between is asked for.
    pub(crate) fn resume(&mut self, now: Instant) -> Output {
        let mut out = Output::default();
        for (symbol, state) in &mut self.symbols {
            state.book.reset();
            state.quote = None;
            (state.last_data, state.probe) = (now, Probe::Idle);
            if let Need::Fill(gap) = state.trades.resume() {
                out.fetches.push(Fetch::Trades(*symbol, gap));
            }
            for (interval, line) in &mut state.candles {
                if let Need::Fill(gap) = line.resume() {
                    out.fetches.push(Fetch::Candles(*symbol, *interval, gap));
                }
            }
        }
        out
    }

    /// Takes in one message of the stream.
    pub(crate) fn message(&mut self, message: MarketMessage, now: Instant) -> Output {
        let mut out = Output::default();
        let symbol = match &message {
            MarketMessage::Quote(quote) => quote.symbol,
            MarketMessage::Trade(trade) => trade.symbol,
            MarketMessage::Depth(update) => update.symbol,
            MarketMessage::Candle(candle) => candle.symbol,
            MarketMessage::OpenCandle(symbol) => *symbol,
            MarketMessage::Ack { .. } | MarketMessage::Shutdown | MarketMessage::Unknown => return out,
        };
        let Some(state) = self.symbols.get_mut(&symbol) else { return out };
        state.last_data = now;
        match message {
            MarketMessage::Quote(quote) if state.quote.is_none_or(|last| quote.update_id > last.update_id) => {
                state.quote = Some(quote);
                if matches!(state.probe, Probe::Told(Reached::Quote(_), _)) {
                    // A quote has no number to compare: any that comes shows that the stream goes on.
                    state.probe = Probe::Idle;
                }
                out.events.push(MarketEvent::Quote(quote));
            }
            MarketMessage::Trade(trade) => {
                let mut trades = Vec::new();
                let need = state.trades.take(trade, &mut trades);
                settle_trades(symbol, state, need, trades, &mut out);
            }
            MarketMessage::Candle(candle) => {
                let Some(line) = state.candles.get_mut(&candle.interval) else { return out };
                let mut candles = Vec::new();
                let need = line.take(candle, &mut candles);
                settle_candles(symbol, candle.interval, line, need, candles, &mut out);
            }
            MarketMessage::Depth(update) => {
                let ask = state.book.update(update, &mut out.events);
                out.fetches.extend(ask.then_some(Fetch::Snapshot(symbol)));
            }
            _ => {}
        }
        out
    }

    /// Takes in a book snapshot.
    pub(crate) fn snapshot(&mut self, snapshot: DepthSnapshot) -> Output {
        let (mut out, symbol) = (Output::default(), snapshot.symbol);
        if let Some(state) = self.symbols.get_mut(&symbol) {
            let ask = state.book.snapshot(snapshot, &mut out.events);
            out.fetches.extend(ask.then_some(Fetch::Snapshot(symbol)));
        }
        out
    }

    /// Takes in the trades of a gap; an error says why they cannot be had.
    pub(crate) fn trades(&mut self, symbol: Symbol, fetched: Result<Vec<Trade>, String>) -> Output {
        let mut out = Output::default();
        let Some(state) = self.symbols.get_mut(&symbol) else { return out };
        let mut trades = Vec::new();
        let need = match fetched {
            Ok(fetched) => state.trades.fill(fetched, &mut trades),
            Err(reason) => {
                out.lost = Some(format!("trades of {symbol}: {reason}"));
                state.trades.give_up(&mut trades)
            }
        };
        settle_trades(symbol, state, need, trades, &mut out);
        out
    }

    /// Takes in the candles of a gap; an error says why they cannot be had.
    pub(crate) fn candles(
        &mut self,
        symbol: Symbol,
        interval: Interval,
        fetched: Result<Vec<Candle>, String>,
    ) -> Output {
        let mut out = Output::default();
        let line = self.symbols.get_mut(&symbol).and_then(|state| state.candles.get_mut(&interval));
        let Some(line) = line else { return out };
        let mut candles = Vec::new();
        let need = match fetched {
            Ok(fetched) => line.fill(fetched, &mut candles),
            Err(reason) => {
                out.lost = Some(format!("{interval} candles of {symbol}: {reason}"));
                line.give_up(&mut candles)
            }
        };
        settle_candles(symbol, interval, line, need, candles, &mut out);
        out
    }

    /// Takes in how far the exchange has come; an error means asking again after a while.
    pub(crate) fn probed(&mut self, symbol: Symbol, reached: Option<Reached>, now: Instant) {
        if let Some(state) = self.symbols.get_mut(&symbol) {
            state.probe = match reached {
                Some(reached) if !state.has_reached(reached) => {
                    Probe::Told(reached, now + IN_FLIGHT.min(self.stale_after))
                }
                // The market is quiet, or nobody knows: ask again when it has been quiet for as long again.
                _ => {
                    state.last_data = now;
                    Probe::Idle
                }
            };
        }
    }

    /// Looks for symbols without data.
    ///
    /// # Errors
    /// Says which symbol the stream has silently left behind.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<Vec<Fetch>, String> {
        let mut fetches = Vec::new();
        for (symbol, state) in &mut self.symbols {
            if self.wanted.depth && state.book.ask_if_idle() {
                fetches.push(Fetch::Snapshot(*symbol));
            }
            let Some(kind) = state.probe_kind(self.wanted) else { continue };
            match state.probe {
                Probe::Idle if now.duration_since(state.last_data) >= self.stale_after => {
                    state.probe = Probe::Asked;
                    fetches.push(Fetch::Probe(*symbol, kind));
                }
                Probe::Told(reached, _) if state.has_reached(reached) => state.probe = Probe::Idle,
                Probe::Told(_, by) if now >= by => {
                    return Err(format!("silently stale: {symbol} is behind the exchange"));
                }
                Probe::Idle | Probe::Asked | Probe::Told(..) => {}
            }
        }
        Ok(fetches)
    }
}

fn settle_trades(symbol: Symbol, state: &mut State, need: Need, mut trades: Vec<Trade>, out: &mut Output) {
    let need = if need == Need::Overflow {
        out.lost = Some(format!("trades of {symbol}: too many came while others were fetched"));
        state.trades.give_up(&mut trades)
    } else {
        need
    };
    out.events.extend(trades.into_iter().map(MarketEvent::Trade));
    if let Need::Fill(gap) = need {
        out.fetches.push(Fetch::Trades(symbol, gap));
    }
}

fn settle_candles(
    symbol: Symbol,
    interval: Interval,
    line: &mut Line<Candle>,
    need: Need,
    mut candles: Vec<Candle>,
    out: &mut Output,
) {
    let need = if need == Need::Overflow { line.give_up(&mut candles) } else { need };
    out.events.extend(candles.into_iter().map(MarketEvent::Candle));
    if let Need::Fill(gap) = need {
        out.fetches.push(Fetch::Candles(symbol, interval, gap));
    }
}

#[cfg(test)]
#[path = "market_state_tests.rs"]
mod tests;
