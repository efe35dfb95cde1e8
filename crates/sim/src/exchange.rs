//! The exchange and the network to it: the matching engine behind requests that are late, lost, refused, or answered to
//! nobody, and streams that break, fall silent, repeat and reorder.
//!
//! What it never does is what no exchange does either: accept a request outside of its window by its own clock.

pub(crate) mod convert;
mod port;
mod stream;

use std::sync::Arc;

use nightdesk_exchange::{ClockOffset, ExchangeError};
use nightdesk_market::Instrument;
use nightdesk_matching::{AccountId, Synthetic, SyntheticMarket, Venue, VenueConfig, VenueEvent};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Micros, Money, Price, Qty, Symbol, Timestamp};

use crate::chance::Chance;
use crate::life::Life;
use crate::setup::Flow;
use crate::world::World;

pub(crate) use port::{Fate, SimExchange, TIMEOUT, doubt};
use stream::Line;
pub(crate) use stream::SimEvents;

/// Our account.
pub(crate) const ACCOUNT: AccountId = AccountId(1);
/// Between two measurements of the exchange's clock.
const MEASURE_EVERY: Micros = Micros::from_secs(30);
/// A request stamped further ahead of the exchange's clock than this is refused.
const AHEAD_MAX: Micros = Micros::from_secs(1);

/// The exchange, the way to it, and what our adapter believes of its clock.
pub(crate) struct ExchangeState {
    pub(crate) venue: Venue,
    markets: Vec<SyntheticMarket>,
    /// Matching time minus our time.
    pub(crate) skew: Micros,
    /// How far the clock that judges requests has run ahead of matching time.
    pub(crate) ahead: Micros,
    believed: ClockOffset,
    /// Our connection, and when it is over.
    line: Option<Line>,
    lines: u64,
    /// Refuses everything until then.
    pub(crate) banned_until: Timestamp,
    /// Does nothing and says so until then.
    pub(crate) maintenance_until: Timestamp,
}

impl ExchangeState {
    pub(crate) fn new(
        instruments: &[Instrument],
        prices: &[(Symbol, Price)],
        flow: Flow,
        chance: &Chance,
        start: Timestamp,
    ) -> Self {
        let skew = match chance.below(4) {
            0 => Micros(0),
            1 | 2 => chance.millis(-400, 400),
            _ => chance.millis(-3_000, 3_000),
        };
        let venue = Venue::new(VenueConfig::new(instruments.to_vec()));
        let market = |(symbol, price): &(Symbol, Price)| {
            let size = Money::new(nightdesk_units::Decimal::from(400));
            let config = Synthetic {
                volatility: flow.volatility,
                events_per_second: flow.events_per_second,
                gap_every: flow.gap_every,
                ..Synthetic::new(*symbol, *price, size)
            };
            SyntheticMarket::new(config, chance.bits(), start + skew)
        };
        Self {
            venue,
            markets: prices.iter().map(market).collect(),
            skew,
            ahead: Micros(0),
            believed: ClockOffset { offset: skew, uncertainty: Micros(0) },
            line: None,
            lines: 0,
            banned_until: Timestamp(0),
            maintenance_until: Timestamp(0),
        }
    }

    /// A connector's life is over: its connection is, too.
    pub(crate) fn leave(&mut self, life: &Arc<Life>) {
        if self.line.as_ref().is_some_and(|line| Arc::ptr_eq(&line.life, life)) {
            self.line = None;
        }
    }
}

impl World {
    /// Deposits, and sets the market and the clock going.
    pub(crate) fn open_exchange(&mut self, deposits: &[(nightdesk_units::Asset, Qty)]) {
        let mut out = Vec::new();
        let at = self.exchange_time();
        self.exchange.venue.open_account(ACCOUNT);
        for (asset, amount) in deposits {
            // Sums of a few thousands are far below what the venue refuses.
            let _ = self.exchange.venue.deposit(ACCOUNT, *asset, *amount, at, &mut out);
        }
        for index in 0..self.exchange.markets.len() {
            self.next_market_event(index);
        }
        self.measure_clock();
    }

    /// The exchange's matching time.
    pub(crate) fn exchange_time(&self) -> Timestamp {
        self.now() + self.exchange.skew
    }

    fn next_market_event(&mut self, index: usize) {
        let due = self.exchange.markets[index].next_event_at();
        let after = due.since(self.exchange_time()).max(Micros(0));
        self.plan(after, "market", move |world| {
            if !world.weather.market_stands {
                let mut out = Vec::new();
                let ExchangeState { venue, markets, .. } = &mut world.exchange;
                if let Err(error) = markets[index].step(venue, &mut out) {
                    world.violate(format!("the market cannot move: {error}"));
                }
                world.told(&out);
                world.next_market_event(index);
                return;
            }
            world.plan(Micros::from_secs(1), "market stands", move |world| world.next_market_event(index));
        });
    }

    fn measure_clock(&mut self) {
        self.measure_clock_once();
        self.plan(MEASURE_EVERY, "clock measured", Self::measure_clock);
    }

    /// Measures the exchange's clock as an adapter does, with an error within the uncertainty it states.
    fn measure_clock_once(&mut self) {
        let uncertainty = self.chance.net.millis(1, 25);
        let error = self.chance.net.between(-uncertainty.0, uncertainty.0);
        let offset = Micros(self.exchange.skew.0 + self.exchange.ahead.0 + error);
        self.exchange.believed = ClockOffset { offset, uncertainty };
    }

    /// Something happened at the venue: the judge sees it, then our streams carry it.
    pub(crate) fn told(&mut self, events: &[VenueEvent]) {
        for event in events {
            self.judge_venue(event);
        }
        for event in events {
            self.carry(event);
        }
    }

    /// Whether the exchange takes a request of this window now.
    fn in_time(&mut self, window: nightdesk_exchange::Window) -> Result<(), ExchangeError> {
        let clock = self.exchange_time() + self.exchange.ahead;
        let stale = clock.since(window.timestamp) > window.recv_window;
        let early = window.timestamp.since(clock) >= AHEAD_MAX;
        if stale || early {
            // The adapter measures the clock anew when it hears this.
            self.plan(Micros::from_millis(60), "clock measured", Self::measure_clock_once);
            let reason = "-1021 Timestamp for this request is outside of the recvWindow.".to_owned();
            return Err(ExchangeError::Retry { after: Micros::from_millis(200), reason });
        }
        Ok(())
    }

    /// What the venue's refusal is to the caller.
    fn refusal(error: nightdesk_matching::VenueError) -> ExchangeError {
        ExchangeError::Rejected { code: error.code(), reason: error.to_string() }
    }

    /// An order that is open at the exchange, if there is one.
    pub(crate) fn some_open_order(&self) -> Option<ClientOrderId> {
        let open = self.exchange.venue.open_orders(ACCOUNT, None).ok()?;
        self.chance.operator.pick(&open).map(|order| order.client_order_id)
    }
}
