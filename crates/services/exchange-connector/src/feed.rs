//! Market data on its way through: candles are built here, everybody sees the same ones.

use nightdesk_market::{CandleBuilder, Interval, MarketEvent};
use nightdesk_units::{Symbol, Timestamp};

use crate::config::Config;

/// Builds candles from trades and lets quotes and trades pass.
#[derive(Debug)]
pub(crate) struct Feed {
    /// With the end of the first candle, of which only a part was seen: it is not published.
    builders: Vec<(Symbol, CandleBuilder, Option<Timestamp>)>,
    last_trade: Vec<(Symbol, u64)>,
}

impl Feed {
    pub(crate) fn new(config: &Config) -> Self {
        let builder = |(symbol, interval): &(Symbol, Interval)| (*symbol, CandleBuilder::new(*symbol, *interval), None);
        let builders = config.candles.iter().map(builder);
        Self { builders: builders.collect(), last_trade: Vec::new() }
    }

    pub(crate) fn take(&mut self, event: MarketEvent, mut publish: impl FnMut(MarketEvent)) {
        match event {
            MarketEvent::Quote(_) => publish(event),
            MarketEvent::Trade(trade) => {
                if !self.is_new(trade.symbol, trade.id) {
                    return;
                }
                // A trade proves the candles before it closed: they go first.
                for (_, builder, partial_until) in self.builders.iter_mut().filter(|entry| entry.0 == trade.symbol) {
                    let whole_from = *partial_until.get_or_insert_with(|| builder.next_open(trade.at));
                    builder.trade(&trade, |candle| {
                        if candle.open_at >= whole_from {
                            publish(MarketEvent::Candle(candle));
                        }
                    });
                }
                publish(event);
            }
            // Candles are built here from trades; the book stays with the adapter.
            MarketEvent::Candle(_) | MarketEvent::Depth(_) | MarketEvent::Snapshot(_) => {}
        }
    }

    /// The stream was cut: the candles being built miss trades and are dropped; workers see the gap and backfill.
    pub(crate) fn cut(&mut self) {
        for (_, builder, partial_until) in &mut self.builders {
            builder.clear();
            *partial_until = None;
        }
    }

    fn is_new(&mut self, symbol: Symbol, id: u64) -> bool {
        match self.last_trade.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, last)) if id <= *last => false,
            Some((_, last)) => {
                *last = id;
                true
            }
            None => {
                self.last_trade.push((symbol, id));
                true
            }
        }
    }
}
