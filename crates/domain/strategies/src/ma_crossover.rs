//! `ma-crossover`: long while the fast moving average is above the slow one.
//!
//! It decides on closed candles only. It enters when the fast average crosses above the slow one, and leaves when it is
//! below. "Above" and "below" mean by more than `min_gap_bps`; in between the last answer stands, so that averages that
//! touch do not trade back and forth.
//!
//! - An entry is bound to its crossing: refused, missed or stale, it is not made up for later. An exit is bound to the
//!   state: while the averages say below and something is held, each candle tries again.
//! - A missing candle makes both averages worthless: they start over, and nothing is decided until they are warm. So does
//!   a change of their parameters.
//! - What is too small to sell stays, and is sold with the next exit.

use nightdesk_market::{Candle, Instrument, Interval, Side};
use nightdesk_orders::{OrderKind, TimeInForce};
use nightdesk_units::{Decimal, Micros, Money, Price, Problem, Qty, Timestamp};
use serde::{Deserialize, Serialize};

use crate::params::Reader;
use crate::{
    Average, AverageKind, CandleWish, Context, Decision, DecisionKey, Event, ParamDoc, ParamTable, Placement,
    RestoreError, SavedState, Strategy, StrategyKind, Wants,
};

/// Parameters of `ma-crossover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaParams {
    /// Candle length.
    pub interval: Interval,
    /// Candles in the fast average.
    pub fast: u32,
    /// Candles in the slow average.
    pub slow: u32,
    /// How the averages weigh the past.
    pub average: AverageKind,
    /// Quote currency spent by an entry.
    pub order_quote: Money,
    /// How far apart the averages must be to count as crossed, in millionths of the slow one.
    pub min_gap_ppm: u32,
    /// Limit of an immediate-or-cancel order, per cent beyond the close; without it orders are market orders.
    pub max_slippage_pct: Option<Decimal>,
    /// The oldest close that is acted on.
    pub max_age: Micros,
}

impl MaParams {
    /// The parameters, documented.
    pub const DOCS: &'static [ParamDoc] = &[
        ParamDoc { name: "interval", default: None, example: "\"1m\"", doc: "candle length, from 1s to 1d" },
        ParamDoc { name: "fast", default: None, example: "9", doc: "candles in the fast average, 1 to 9999" },
        ParamDoc {
            name: "slow",
            default: None,
            example: "26",
            doc: "candles in the slow average, above fast, up to 10000",
        },
        ParamDoc { name: "average", default: Some("simple"), example: "\"exponential\"", doc: "simple or exponential" },
        ParamDoc {
            name: "order_quote",
            default: None,
            example: "\"500\"",
            doc: "quote currency spent by an entry, above 0",
        },
        ParamDoc {
            name: "min_gap_bps",
            default: Some("0"),
            example: "2",
            doc: "how far apart the averages must be to count as crossed, in hundredths of a per cent, 0 to 1000, two decimals",
        },
        ParamDoc {
            name: "max_slippage_pct",
            default: Some("none: market orders"),
            example: "0.5",
            doc: "limit of an immediate-or-cancel order in per cent beyond the candle's close, above 0, up to 10",
        },
        ParamDoc {
            name: "max_age_s",
            default: Some("the interval, at least 5"),
            example: "10",
            doc: "the oldest close acted on, in seconds, 1 to 86400",
        },
    ];

    /// Reads a table.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(table: &ParamTable) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(table, Self::DOCS);
        let interval: Option<Interval> = reader.required("interval");
        let (fast, slow): (Option<u32>, Option<u32>) = (reader.required("fast"), reader.required("slow"));
        let average = reader.optional("average");
        let order_quote: Option<Money> = reader.required("order_quote");
        let gap: Option<Decimal> = reader.optional("min_gap_bps");
        let slippage: Option<Decimal> = reader.optional("max_slippage_pct");
        let age: Option<i64> = reader.optional("max_age_s");
        reader.check("fast", fast.as_ref(), |n| (1..=9_999).contains(n));
        reader.check("slow", slow.as_ref(), |n| (2..=10_000).contains(n));
        if let (Some(fast), Some(slow)) = (fast, slow)
            && fast >= slow
        {
            reader.problem("slow", format!("{slow} is not above fast, which is {fast}"));
        }
        reader.check("order_quote", order_quote.as_ref(), |quote| quote.is_positive());
        let gap_ppm = gap.map_or(Some(0), whole_ppm);
        if let (Some(bps), None) = (gap, gap_ppm) {
            reader.problem("min_gap_bps", format!("{bps} is out of range"));
        }
        let ten = Decimal::TEN;
        reader.check("max_slippage_pct", slippage.as_ref(), |pct| *pct > Decimal::ZERO && *pct <= ten);
        reader.check("max_age_s", age.as_ref(), |s| (1..=86_400).contains(s));
        let params = (|| {
            let interval = interval?;
            let default_age = interval.span().max(Micros::from_secs(5));
            Some(Self {
                interval,
                fast: fast?,
                slow: slow?,
                average: average.unwrap_or(AverageKind::Simple),
                order_quote: order_quote?,
                min_gap_ppm: gap_ppm?,
                max_slippage_pct: slippage,
                max_age: age.map_or(default_age, Micros::from_secs),
            })
        })();
        reader.finish(params)
    }

    /// What the instrument's filters would refuse.
    #[must_use]
    pub fn check(&self, instrument: &Instrument) -> Vec<Problem> {
        let least = instrument.filters.min_notional;
        if self.order_quote >= least {
            return Vec::new();
        }
        let message = format!("{} is below the least order of {}, {least}", self.order_quote, instrument.symbol);
        vec![Problem::new("order_quote", message, "raise it")]
    }
}

/// Basis points with at most two decimals, 0 to 1000, as millionths.
fn whole_ppm(bps: Decimal) -> Option<u32> {
    let ppm = bps.checked_mul(Decimal::ONE_HUNDRED)?;
    if !ppm.fract().is_zero() {
        return None;
    }
    u32::try_from(ppm.trunc()).ok().filter(|ppm| *ppm <= 100_000)
}

/// What the averages say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Nothing yet.
    Unknown,
    /// The fast average is below the slow one.
    Below,
    /// The fast average is above the slow one.
    Above,
}

/// State of `ma-crossover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaState {
    fast: Average,
    slow: Average,
    regime: Regime,
    /// End of the last candle taken in.
    last_close: Option<Timestamp>,
}

/// The strategy.
#[derive(Debug, Clone)]
pub struct MaCrossover {
    params: MaParams,
    state: MaState,
}

impl MaCrossover {
    /// A strategy that has seen nothing.
    #[must_use]
    pub fn new(params: MaParams) -> Self {
        let fast = Average::new(params.average, params.fast);
        let slow = Average::new(params.average, params.slow);
        Self { params, state: MaState { fast, slow, regime: Regime::Unknown, last_close: None } }
    }

    /// What the averages say.
    #[must_use]
    pub const fn regime(&self) -> Regime {
        self.state.regime
    }

    /// Takes a candle in; true when it is new and the averages now cross upwards.
    fn learn(&mut self, candle: &Candle) -> Learned {
        if candle.interval != self.params.interval {
            return Learned::Nothing;
        }
        let state = &mut self.state;
        if let Some(last) = state.last_close {
            if candle.open_at < last {
                return Learned::Nothing;
            }
            if candle.open_at > last {
                state.fast.clear();
                state.slow.clear();
                state.regime = Regime::Unknown;
            }
        }
        state.last_close = Some(candle.close_at());
        state.fast.push(candle.close);
        state.slow.push(candle.close);
        if !state.fast.is_warm() || !state.slow.is_warm() {
            return Learned::Nothing;
        }
        let gap = self.params.min_gap_ppm;
        let before = state.regime;
        if state.fast.exceeds(&state.slow, gap) {
            state.regime = Regime::Above;
        } else if state.slow.exceeds(&state.fast, gap) {
            state.regime = Regime::Below;
        }
        match (before, state.regime) {
            (Regime::Below, Regime::Above) => Learned::CrossedUp,
            (_, Regime::Below) => Learned::IsBelow,
            _ => Learned::Nothing,
        }
    }

    fn decide(&self, learned: Learned, candle: &Candle, context: &Context<'_>, out: &mut Vec<Decision>) {
        let age = context.now.since(candle.close_at());
        if age > self.params.max_age {
            return;
        }
        match learned {
            Learned::Nothing => {}
            Learned::CrossedUp if context.may_add_risk && context.orders.is_empty() => {
                out.extend(self.entry(candle, context).map(Decision::Place));
            }
            Learned::CrossedUp => {}
            // An entry that still works against the new state goes first; what it bought is sold on the next candle.
            Learned::IsBelow if !context.orders.is_empty() => {
                let buys = context.orders.iter().filter(|o| o.placement.side == Side::Buy && !o.cancel_asked);
                out.extend(buys.map(|order| Decision::Cancel { key: order.placement.key }));
            }
            Learned::IsBelow => out.extend(self.exit(candle, context).map(Decision::Place)),
        }
    }

    fn entry(&self, candle: &Candle, context: &Context<'_>) -> Option<Placement> {
        let instrument = context.instrument;
        let close = instrument.price(candle.close);
        if self.sellable(close, context).is_some() {
            return None;
        }
        let kind = self.order_kind(Side::Buy, close, instrument)?;
        let price = kind.price().unwrap_or(close);
        let qty = Qty::new(self.params.order_quote.get().checked_div(price.get())?);
        let qty = instrument.qty_down(at_most(qty, &kind, instrument));
        instrument.check(Side::Buy, kind.price(), qty, Some(close)).ok()?;
        Some(Placement { key: key(candle, "buy")?, side: Side::Buy, kind, qty, reduces: false })
    }

    fn exit(&self, candle: &Candle, context: &Context<'_>) -> Option<Placement> {
        let close = context.instrument.price(candle.close);
        let (kind, qty) = self.sellable(close, context)?;
        Some(Placement { key: key(candle, "sell")?, side: Side::Sell, kind, qty, reduces: true })
    }

    /// The order that sells what is held, or `None` when that is too little to sell.
    fn sellable(&self, close: Price, context: &Context<'_>) -> Option<(OrderKind, Qty)> {
        let kind = self.order_kind(Side::Sell, close, context.instrument)?;
        let qty = context.instrument.qty_down(at_most(context.position, &kind, context.instrument));
        context.instrument.check(Side::Sell, kind.price(), qty, Some(close)).ok()?;
        Some((kind, qty))
    }

    fn order_kind(&self, side: Side, close: Price, instrument: &Instrument) -> Option<OrderKind> {
        let Some(pct) = self.params.max_slippage_pct else { return Some(OrderKind::Market) };
        let distance = close.scale(pct.checked_mul(Decimal::new(1, 2))?).ok()?;
        let price = match side {
            Side::Buy => close.add(distance),
            Side::Sell => close.sub(distance),
        };
        Some(OrderKind::Limit { price: instrument.price_down(price.ok()?), tif: TimeInForce::Ioc })
    }
}

enum Learned {
    Nothing,
    CrossedUp,
    IsBelow,
}

/// The quantity, or the largest that one order of this kind may have.
fn at_most(qty: Qty, kind: &OrderKind, instrument: &Instrument) -> Qty {
    let filters = &instrument.filters;
    let mut most = qty;
    for limit in [Some(filters.max_qty), kind.price().is_none().then_some(filters.max_market_qty)] {
        most = limit.filter(|limit| limit.is_positive()).map_or(most, |limit| most.min(limit));
    }
    most
}

/// Close time and direction.
fn key(candle: &Candle, direction: &str) -> Option<DecisionKey> {
    format!("{}-{direction}", candle.close_at().0).parse().ok()
}

impl Strategy for MaCrossover {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MaCrossover
    }

    fn wants(&self) -> Wants {
        // One more than the slow average needs: a crossing is seen between two candles.
        let history = self.state.slow.needs() as usize + 1;
        Wants { candles: vec![CandleWish { interval: self.params.interval, history }], ..Wants::default() }
    }

    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>) {
        match event {
            Event::Backfill(candle) => {
                self.learn(candle);
            }
            Event::Candle(candle) => {
                let learned = self.learn(candle);
                self.decide(learned, candle, context, out);
            }
            // Orders and position are read from the context when a candle closes.
            Event::Quote(_) | Event::Trade(_) | Event::Order(_) | Event::Resync => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.state.fast.is_warm() && self.state.slow.is_warm()
    }

    fn save(&self) -> SavedState {
        SavedState::MaCrossover(self.state.clone())
    }

    fn restore(&mut self, state: SavedState) -> Result<(), RestoreError> {
        match state {
            SavedState::MaCrossover(state) => {
                if state.fast.is_like(&self.state.fast) && state.slow.is_like(&self.state.slow) {
                    self.state = state;
                }
                Ok(())
            }
            other => Err(RestoreError { saved: other.kind(), running: self.kind() }),
        }
    }
}

#[cfg(test)]
#[path = "ma_crossover_tests.rs"]
mod tests;
