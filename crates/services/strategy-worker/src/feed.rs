//! A series of closed candles without a hole: history first, then what closes, missing ones fetched.

use std::collections::VecDeque;

use nightdesk_market::Candle;
use nightdesk_strategies::CandleWish;
use nightdesk_units::{InstanceId, Micros, Symbol, Timestamp};
use nightdesk_wire::{CandleBatch, CandleRequest};

/// The most candles that wait for older ones; beyond it the oldest go, and are fetched later.
const MAX_WAITING: usize = 4_096;
/// How often a hole is asked about before it is accepted: the exchange may not have the candle.
const MAX_HOLES: u32 = 3;
/// Before a hole is asked about again: the exchange may be about to close the candle.
const HOLE_PAUSE: Micros = Micros::from_secs(1);
/// Before an unanswered request is repeated; doubled each time, up to [`RETRY_MAX`].
const RETRY: Micros = Micros::from_secs(1);
/// The longest such pause.
const RETRY_MAX: Micros = Micros::from_secs(60);

/// Candles of one interval.
#[derive(Debug, Clone)]
pub(crate) struct CandleFeed {
    instance: InstanceId,
    symbol: Symbol,
    wish: CandleWish,
    /// Where the next candle opens; `None` before the first.
    next: Option<Timestamp>,
    mode: Mode,
}

#[derive(Debug, Clone)]
enum Mode {
    Idle,
    Asked(Ask),
    Live,
}

#[derive(Debug, Clone)]
struct Ask {
    request: CandleRequest,
    send_at: Timestamp,
    tries: u32,
    holes: u32,
    waiting: VecDeque<Candle>,
}

impl CandleFeed {
    pub(crate) const fn new(instance: InstanceId, symbol: Symbol, wish: CandleWish) -> Self {
        Self { instance, symbol, wish, next: None, mode: Mode::Idle }
    }

    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live)
    }

    /// True when the candle is one of this feed.
    pub(crate) fn covers(&self, candle: &Candle) -> bool {
        candle.interval == self.wish.interval && candle.symbol == self.symbol
    }

    /// Begins: asks for the history up to now.
    pub(crate) fn start(&mut self, now: Timestamp) {
        let to = self.wish.interval.open_of(now);
        let request = self.request(to - self.history(), to);
        self.mode = Mode::Asked(Ask { request, send_at: now, tries: 0, holes: 0, waiting: VecDeque::new() });
    }

    /// A candle has closed. True when it is the next one, to be used now; else it is old, or waits for those before it.
    pub(crate) fn closed(&mut self, candle: &Candle, now: Timestamp) -> bool {
        match &mut self.mode {
            Mode::Idle => false,
            Mode::Asked(ask) => {
                if ask.waiting.len() >= MAX_WAITING {
                    ask.waiting.pop_front();
                }
                ask.waiting.push_back(*candle);
                false
            }
            Mode::Live => match self.next {
                Some(next) if candle.open_at < next => false,
                Some(next) if candle.open_at > next => {
                    self.ask_for_hole(next, VecDeque::from([*candle]), 0, now);
                    false
                }
                Some(_) | None => {
                    self.next = Some(candle.close_at());
                    true
                }
            },
        }
    }

    /// An answer has come. Returns the candles that follow on, oldest first, with those that waited.
    pub(crate) fn answered(&mut self, batch: &CandleBatch, now: Timestamp) -> Vec<Candle> {
        let Mode::Asked(ask) = &mut self.mode else { return Vec::new() };
        if ask.request != batch.request {
            return Vec::new();
        }
        let (holes, mut waiting) = (ask.holes, std::mem::take(&mut ask.waiting));
        self.mode = Mode::Live;
        let wanted = |candle: &&Candle| {
            let at = candle.open_at;
            self.covers(candle) && at >= batch.request.from && at < batch.request.to
        };
        let mut fetched: Vec<Candle> = batch.candles.iter().filter(wanted).copied().collect();
        fetched.sort_by_key(|candle| candle.open_at);
        let mut ready = Vec::with_capacity(fetched.len() + waiting.len());
        for candle in fetched {
            self.follow(candle, &mut ready);
        }
        waiting.make_contiguous().sort_by_key(|candle| candle.open_at);
        while let Some(candle) = waiting.pop_front() {
            if let Some(next) = self.next.filter(|next| candle.open_at > *next && holes < MAX_HOLES) {
                waiting.push_front(candle);
                self.ask_for_hole(next, waiting, holes + 1, now + HOLE_PAUSE);
                return ready;
            }
            self.follow(candle, &mut ready);
        }
        ready
    }

    fn follow(&mut self, candle: Candle, ready: &mut Vec<Candle>) {
        if self.next.is_none_or(|next| candle.open_at >= next) {
            self.next = Some(candle.close_at());
            ready.push(candle);
        }
    }

    /// The request that is to be sent now, if one is.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<CandleRequest> {
        let Mode::Asked(ask) = &mut self.mode else { return None };
        if now < ask.send_at {
            return None;
        }
        let pause = Micros(RETRY.0.saturating_mul(1 << ask.tries.min(6))).min(RETRY_MAX);
        ask.tries = ask.tries.saturating_add(1);
        ask.send_at = now + pause;
        Some(ask.request)
    }

    /// When [`CandleFeed::due`] is to be asked again.
    pub(crate) const fn wakeup(&self) -> Option<Timestamp> {
        match &self.mode {
            Mode::Asked(ask) => Some(ask.send_at),
            Mode::Idle | Mode::Live => None,
        }
    }

    /// Asks for what lies between `next` and the first candle that waits, as far as the history wanted reaches.
    fn ask_for_hole(&mut self, next: Timestamp, waiting: VecDeque<Candle>, holes: u32, send_at: Timestamp) {
        let to = waiting.front().map_or(next, |candle| candle.open_at);
        let request = self.request(next.max(to - self.history()), to);
        self.mode = Mode::Asked(Ask { request, send_at, tries: 0, holes, waiting });
    }

    fn history(&self) -> Micros {
        let candles = i64::try_from(self.wish.history.max(1)).unwrap_or(i64::MAX);
        Micros(self.wish.interval.span().0.saturating_mul(candles))
    }

    const fn request(&self, from: Timestamp, to: Timestamp) -> CandleRequest {
        CandleRequest { instance: self.instance, symbol: self.symbol, interval: self.wish.interval, from, to }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
