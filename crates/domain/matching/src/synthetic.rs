//! A synthetic market: a seeded crowd of anonymous orders around a fair price that nobody sees.
//!
//! The fair price moves with a volatility that itself wanders (so calm and wild minutes cluster), under a regime (calm,
//! rising, falling, turbulent) that lasts two minutes on average, and now and then it jumps. Makers quote around it, stale
//! orders are taken by those who know better, the rest is noise. Floats are fine here: none of it is money.

use nightdesk_market::Side;
use nightdesk_units::{Lots, Micros, Money, Price, Symbol, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::random::{Random, exp};
use crate::{Venue, VenueError, VenueEvent};

/// How the synthetic market of one instrument behaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Instrument.
    pub symbol: Symbol,
    /// Price at the start.
    pub start_price: Price,
    /// Typical order size, in quote currency.
    pub order_notional: Money,
    /// Annual volatility in the calm regime.
    pub volatility: f64,
    /// Events a second in the calm regime.
    pub events_per_second: f64,
    /// Mean time between price gaps.
    pub gap_every: Micros,
}

impl Synthetic {
    /// A lively market: 60 % annual volatility, 20 events a second, a gap every ten minutes.
    #[must_use]
    pub fn new(symbol: Symbol, start_price: Price, order_notional: Money) -> Self {
        Self {
            symbol,
            start_price,
            order_notional,
            volatility: 0.6,
            events_per_second: 20.0,
            gap_every: Micros::from_secs(600),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Regime {
    Calm,
    Rising,
    Falling,
    Turbulent,
}

impl Regime {
    const ALL: [Self; 4] = [Self::Calm, Self::Rising, Self::Falling, Self::Turbulent];

    /// Factors of volatility and activity, drift a second in standard deviations a second, probability that noise buys.
    const fn traits(self) -> (f64, f64, f64, f64) {
        match self {
            Self::Calm => (1.0, 1.0, 0.0, 0.5),
            Self::Rising => (1.3, 1.5, 0.25, 0.6),
            Self::Falling => (1.6, 1.5, -0.25, 0.4),
            Self::Turbulent => (3.5, 3.0, 0.0, 0.5),
        }
    }
}

/// Seconds in a year.
const YEAR: f64 = 31_557_600.0;
const REGIME_SECONDS: f64 = 120.0;
/// The logarithm of volatility returns to its mean in this time, and strays from it by this much.
const VOLATILITY_SECONDS: f64 = 45.0;
const VOLATILITY_SPREAD: f64 = 0.5;
/// Quotes a side aims at, and at most keeps.
const QUOTES: usize = 40;
const QUOTES_MAX: usize = 400;
/// Distance between quotes, as a part of the price.
const QUOTE_STEP: f64 = 0.000_02;
/// Quotes further from the fair price than this many steps are withdrawn when met.
const FAR: f64 = 60.0;

/// A seeded stream of anonymous orders for one instrument, with regimes, clustered volatility and gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticMarket {
    config: Synthetic,
    random: Random,
    /// The fair price in quote currency.
    fair: f64,
    /// Logarithm of the volatility's present factor.
    heat: f64,
    regime: Regime,
    regime_until: Timestamp,
    gap_at: Timestamp,
    last_at: Timestamp,
    next_at: Timestamp,
    steps: u64,
    /// Order id and price in ticks of our bids and asks; some may have traded since.
    bids: Vec<(u64, i64)>,
    asks: Vec<(u64, i64)>,
}

/// What one step works with.
struct Step<'a> {
    venue: &'a mut Venue,
    out: &'a mut Vec<VenueEvent>,
    now: Timestamp,
    tick: f64,
    lot: f64,
}

impl SyntheticMarket {
    /// A market whose first event is due at `start`.
    #[must_use]
    pub fn new(config: Synthetic, seed: u64, start: Timestamp) -> Self {
        let mut random = Random::new(seed);
        let gap_at = start + after(random.exponential() * config.gap_every.0 as f64 / 1e6);
        let regime_until = start + after(random.exponential() * REGIME_SECONDS);
        Self {
            config,
            random,
            fair: f64::try_from(config.start_price.get()).unwrap_or(1.0),
            heat: 0.0,
            regime: Regime::Calm,
            regime_until,
            gap_at,
            last_at: start,
            next_at: start,
            steps: 0,
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_event_at(&self) -> Timestamp {
        self.next_at
    }

    /// Does the event that is due at [`SyntheticMarket::next_event_at`].
    ///
    /// # Errors
    /// `InvalidSymbol` when the venue does not trade the instrument.
    pub fn step(&mut self, venue: &mut Venue, out: &mut Vec<VenueEvent>) -> Result<(), VenueError> {
        let now = self.next_at;
        let scale = venue.instrument(self.config.symbol)?.scale;
        let tick = f64::try_from(scale.tick).unwrap_or(1.0);
        let lot = f64::try_from(scale.step).unwrap_or(1.0);
        let mut step = Step { venue, out, now, tick, lot };
        self.evolve(now);
        self.steps += 1;
        if self.steps % 64 == 1 {
            self.tend(&mut step)?;
        }
        let quote = step.venue.best(self.config.symbol)?;
        let (bid, ask) = (quote.bid.0 as f64 * tick, quote.ask.0 as f64 * tick);
        if self.fair > ask || self.fair < bid {
            self.correct(&mut step)?;
        } else {
            self.idle(&mut step)?;
        }
        let quote = step.venue.best(self.config.symbol)?;
        if quote.bid.0 == 0 || quote.ask.0 == 0 {
            // A side was swept: makers come back at once.
            self.tend(&mut step)?;
        }
        let (_, activity, _, _) = self.regime.traits();
        let rate = (self.config.events_per_second * activity * exp(self.heat)).max(0.001);
        self.last_at = now;
        self.next_at = now + after(self.random.exponential() / rate);
        Ok(())
    }

    /// Moves the fair price on.
    fn evolve(&mut self, now: Timestamp) {
        let dt = now.since(self.last_at).0 as f64 / 1e6;
        if now >= self.regime_until {
            self.regime = Regime::ALL[self.random.below(Regime::ALL.len())];
            self.regime_until = now + after(self.random.exponential() * REGIME_SECONDS);
        }
        let pull = (dt / VOLATILITY_SECONDS).min(1.0);
        self.heat += VOLATILITY_SPREAD * (2.0 * pull).sqrt() * self.random.normal() - self.heat * pull;
        self.heat = self.heat.clamp(-1.5, 1.5);
        let (wildness, _, drift, _) = self.regime.traits();
        let sigma = self.config.volatility / YEAR.sqrt() * wildness * exp(self.heat);
        let mut change = sigma * (drift * dt + dt.sqrt() * self.random.normal());
        if now >= self.gap_at {
            self.gap_at = now + after(self.random.exponential() * self.config.gap_every.0 as f64 / 1e6);
            let size = 0.001 + 0.003 * self.random.unit();
            change += if self.random.chance(0.5) { size } else { -size };
        }
        self.fair *= 1.0 + change.clamp(-0.05, 0.05);
    }

    /// Forgets quotes that have traded, withdraws far ones, fills both sides up.
    fn tend(&mut self, step: &mut Step<'_>) -> Result<(), VenueError> {
        let (fair, far) = (self.fair / step.tick, FAR * QUOTE_STEP * self.fair / step.tick);
        for quotes in [&mut self.bids, &mut self.asks] {
            quotes.retain(|(id, price)| {
                let near = (*price as f64 - fair).abs() <= far.max(FAR);
                step.venue.rests(*id) && (near || !step.venue.cancel_external(*id, step.now, step.out))
            });
        }
        // A quote that meets stale ones of the other side trades instead of resting; hence the bound.
        for _ in 0..4 * QUOTES {
            let side = if self.bids.len() < self.asks.len() { Side::Buy } else { Side::Sell };
            if self.bids.len().min(self.asks.len()) >= QUOTES {
                break;
            }
            self.quote(side, step)?;
        }
        Ok(())
    }

    /// Somebody who knows the fair price takes what is mispriced, and bids or offers the rest just short of it.
    fn correct(&mut self, step: &mut Step<'_>) -> Result<(), VenueError> {
        let quote = step.venue.best(self.config.symbol)?;
        let fair = self.fair / step.tick;
        let side = if fair > quote.ask.0 as f64 { Side::Buy } else { Side::Sell };
        let price = if side == Side::Buy { fair.floor() } else { fair.ceil() };
        let size = 3.0 * self.random.exponential();
        self.place(side, price, size, step)
    }

    /// A quote, a withdrawal or a noise trade.
    fn idle(&mut self, step: &mut Step<'_>) -> Result<(), VenueError> {
        let (_, _, _, buys) = self.regime.traits();
        let side = if self.random.chance(buys) { Side::Buy } else { Side::Sell };
        let what = self.random.unit();
        let full = self.bids.len().max(self.asks.len()) > QUOTES_MAX;
        if what < 0.45 && !full {
            return self.quote(side, step);
        }
        if what < 0.75 || full {
            let quotes = if self.bids.len() > self.asks.len() { &mut self.bids } else { &mut self.asks };
            if !quotes.is_empty() {
                let (id, _) = quotes.swap_remove(self.random.below(quotes.len()));
                step.venue.cancel_external(id, step.now, step.out);
            }
            return Ok(());
        }
        let tail = if self.random.chance(0.03) { 10.0 } else { 1.0 };
        let size = 0.5 * tail * self.random.exponential();
        let qty = self.lots(size, step);
        step.venue.place_external(self.config.symbol, side, None, qty, step.now, step.out).map(drop)
    }

    fn quote(&mut self, side: Side, step: &mut Step<'_>) -> Result<(), VenueError> {
        let (wildness, ..) = self.regime.traits();
        let unit = (QUOTE_STEP * self.fair / step.tick).max(1.0);
        let away = unit * (0.3 * wildness + 8.0 * self.random.exponential());
        let fair = self.fair / step.tick;
        let price = if side == Side::Buy { (fair - away).floor() } else { (fair + away).ceil() };
        let size = self.random.exponential();
        self.place(side, price, size, step)
    }

    fn place(&mut self, side: Side, price: f64, size: f64, step: &mut Step<'_>) -> Result<(), VenueError> {
        let (price, qty) = (price.max(1.0) as i64, self.lots(size, step));
        let symbol = self.config.symbol;
        let placed = step.venue.place_external(symbol, side, Some(Ticks(price)), qty, step.now, step.out)?;
        let quotes = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        quotes.extend(placed.map(|id| (id, price)));
        Ok(())
    }

    fn lots(&self, size: f64, step: &Step<'_>) -> Lots {
        let notional = f64::try_from(self.config.order_notional.get()).unwrap_or(1.0);
        Lots(((size * notional / self.fair / step.lot) as i64).max(1))
    }
}

/// At least a microsecond, at most an hour.
fn after(seconds: f64) -> Micros {
    Micros(((seconds * 1e6) as i64).clamp(1, 3_600_000_000))
}
