//! What has traded: recent trades, candles and the average price, in bounded memory.

use std::collections::VecDeque;

use nightdesk_market::Interval;
use nightdesk_units::{Lots, Micros, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{History, Kline, MarketTrade, Ticker};

/// The span of the average price that filters use.
pub(crate) const AVERAGE_SPAN: Micros = Micros::from_secs(300);
const DAY: Micros = Micros::from_secs(86_400);

impl Kline {
    fn flat(open_at: Timestamp, price: Ticks) -> Self {
        Self {
            open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Lots(0),
            quote_volume: 0,
            taker_buy: Lots(0),
            taker_buy_quote: 0,
            first_id: 0,
            last_id: 0,
            trades: 0,
        }
    }

    fn add(&mut self, trade: &MarketTrade) {
        let quote = i128::from(trade.price.0) * i128::from(trade.qty.0);
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume.0 = self.volume.0.saturating_add(trade.qty.0);
        self.quote_volume += quote;
        if !trade.buyer_is_maker {
            self.taker_buy.0 = self.taker_buy.0.saturating_add(trade.qty.0);
            self.taker_buy_quote += quote;
        }
        if self.trades == 0 {
            self.first_id = trade.id;
        }
        self.last_id = trade.id;
        self.trades += 1;
    }

    fn merge(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume.0 = self.volume.0.saturating_add(later.volume.0);
        self.quote_volume += later.quote_volume;
        self.taker_buy.0 = self.taker_buy.0.saturating_add(later.taker_buy.0);
        self.taker_buy_quote += later.taker_buy_quote;
        self.last_id = later.last_id;
        self.trades += later.trades;
    }
}

/// Trade amounts of one second, for the average.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Second {
    at: Timestamp,
    quote: i128,
    lots: i128,
}

/// The trades of one instrument.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tape {
    last_id: u64,
    pub(crate) last: Option<MarketTrade>,
    pub(crate) trades: VecDeque<MarketTrade>,
    seconds: VecDeque<Kline>,
    minutes: VecDeque<Kline>,
    average: VecDeque<Second>,
    sum_quote: i128,
    sum_lots: i128,
}

impl Tape {
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn record(&mut self, trade: &MarketTrade, history: &History) {
        self.last = Some(*trade);
        push_bounded(&mut self.trades, *trade, history.trades);
        extend(&mut self.seconds, trade, Interval::ONE_SECOND, history.seconds);
        extend(&mut self.minutes, trade, Interval::ONE_MINUTE, history.minutes);
        let (quote, lots) = (i128::from(trade.price.0) * i128::from(trade.qty.0), i128::from(trade.qty.0));
        let at = Interval::ONE_SECOND.open_of(trade.at);
        match self.average.back_mut() {
            Some(second) if second.at == at => {
                second.quote += quote;
                second.lots += lots;
            }
            _ => {
                self.average.push_back(Second { at, quote, lots });
                while let Some(second) = self.average.front().copied().filter(|s| at.since(s.at) > AVERAGE_SPAN) {
                    self.sum_quote -= second.quote;
                    self.sum_lots -= second.lots;
                    self.average.pop_front();
                }
            }
        }
        self.sum_quote += quote;
        self.sum_lots += lots;
    }

    /// Quote amount and lots of the last five minutes.
    pub(crate) fn average(&self, now: Timestamp) -> (i128, i128) {
        let (mut quote, mut lots) = (self.sum_quote, self.sum_lots);
        for second in self.average.iter().take_while(|s| now.since(s.at) > AVERAGE_SPAN) {
            quote -= second.quote;
            lots -= second.lots;
        }
        (quote, lots)
    }

    pub(crate) fn klines(
        &self,
        interval: Interval,
        (start, end): (Option<Timestamp>, Option<Timestamp>),
        limit: usize,
        now: Timestamp,
    ) -> Vec<Kline> {
        let base = if interval == Interval::ONE_SECOND { &self.seconds } else { &self.minutes };
        let span = interval.span().0;
        let (Some(first), false) = (base.front(), limit == 0) else { return Vec::new() };
        let last_open = interval.open_of(end.unwrap_or(now).min(now));
        let steps = i64::try_from(limit - 1).unwrap_or(i64::MAX).saturating_mul(span);
        let from = match start {
            Some(start) => interval.open_of(Timestamp(start.0.saturating_add(span - 1))),
            None => last_open - Micros(steps),
        };
        let mut open_at = from.max(interval.open_of(first.open_at));
        let mut at = base.partition_point(|candle| candle.open_at < open_at);
        let mut close = at.checked_sub(1).and_then(|i| base.get(i)).map_or(first.open, |candle| candle.close);
        let mut found = Vec::new();
        while open_at <= last_open && found.len() < limit {
            let mut kline: Option<Kline> = None;
            while let Some(candle) = base.get(at).filter(|c| c.open_at < open_at + Micros(span)) {
                match &mut kline {
                    Some(kline) => kline.merge(candle),
                    None => kline = Some(Kline { open_at, ..*candle }),
                }
                at += 1;
            }
            let kline = kline.unwrap_or_else(|| Kline::flat(open_at, close));
            close = kline.close;
            found.push(kline);
            open_at = open_at + Micros(span);
        }
        found
    }

    pub(crate) fn ticker(&self, now: Timestamp) -> Option<Ticker> {
        let last = self.last?;
        let open_at = now - DAY;
        let from = self.minutes.partition_point(|minute| minute.open_at + Interval::ONE_MINUTE.span() <= open_at);
        let mut window: Option<Kline> = None;
        for minute in self.minutes.range(from..) {
            match &mut window {
                Some(window) => window.merge(minute),
                None => window = Some(*minute),
            }
        }
        let window = window.unwrap_or_else(|| Kline::flat(open_at, last.price));
        let previous = from.checked_sub(1).and_then(|i| self.minutes.get(i));
        let previous_close = previous.map_or(window.open, |minute| minute.close);
        Some(Ticker { open_at, close_at: now, window, previous_close, last_qty: last.qty })
    }
}

fn extend(candles: &mut VecDeque<Kline>, trade: &MarketTrade, interval: Interval, keep: usize) {
    match candles.back_mut() {
        // The venue's time never runs back, so a trade is never older than the last candle.
        Some(last) if trade.at.since(last.open_at) < interval.span() => last.add(trade),
        _ => {
            let mut candle = Kline::flat(interval.open_of(trade.at), trade.price);
            candle.add(trade);
            push_bounded(candles, candle, keep);
        }
    }
}

pub(crate) fn push_bounded<T>(queue: &mut VecDeque<T>, value: T, keep: usize) {
    if queue.len() >= keep.max(1) {
        queue.pop_front();
    }
    queue.push_back(value);
}
