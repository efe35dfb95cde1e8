//! A strategy without sense: it places and cancels orders of every kind, but as a pure function of seed and time, so that
//! deciding again after a crash gives the same decisions.

use nightdesk_market::{Instrument, Quote, Side};
use nightdesk_orders::{OrderKind, TimeInForce};
use nightdesk_strategies::{
    Context, Decision, DecisionKey, Event, MaCrossover, MaParams, Placement, RestoreError, SavedState, Strategy,
    StrategyKind, Wants,
};
use nightdesk_units::{Decimal, Micros, Price, Qty, Ticks};

use crate::chance::Chance;

/// The strategy.
pub(crate) struct Fuzzer {
    chance: Chance,
    pace: Micros,
    slot: i64,
    /// It keeps no state; its worker wants to see one.
    saved: SavedState,
}

impl Fuzzer {
    pub(crate) fn new(params: &MaParams, chance: Chance, pace: Micros) -> Self {
        Self { chance, pace, slot: 0, saved: MaCrossover::new(params.clone()).save() }
    }

    fn decide(&self, quote: &Quote, context: &Context<'_>) -> Option<Decision> {
        let chance = self.chance.child(&self.slot.to_string());
        let key = format!("f{}", self.slot).parse::<DecisionKey>().ok()?;
        let open: Vec<DecisionKey> =
            context.orders.iter().filter(|order| !order.cancel_asked).map(|order| order.placement.key).collect();
        let what = chance.below(100);
        if what < 22
            && let Some(key) = chance.pick(&open)
        {
            return Some(Decision::Cancel { key: *key });
        }
        let free = context.position.sub(context.orders.selling()).unwrap_or(Qty::ZERO);
        let placement =
            if what < 62 { buy(&chance, key, quote, context) } else { sell(&chance, key, quote, free, context) };
        placement.map(Decision::Place)
    }
}

fn kind(chance: &Chance, side: Side, quote: &Quote, instrument: &Instrument) -> OrderKind {
    let far = chance.between(0, 40) * chance.between(0, 3);
    // Behind the market's own side it rests, beyond the other side it takes.
    let (rests, takes) = match side {
        Side::Buy => (quote.bid.0 - far, quote.ask.0 + far),
        Side::Sell => (quote.ask.0 + far, quote.bid.0 - far),
    };
    let price = |ticks: i64| -> Price { instrument.price(Ticks(ticks.max(1))) };
    match chance.below(10) {
        0..=2 => OrderKind::Limit { price: price(rests), tif: TimeInForce::Gtc },
        3 | 4 => OrderKind::LimitMaker { price: price(rests) },
        5 => OrderKind::Limit { price: price(takes), tif: TimeInForce::Gtc },
        6 => OrderKind::Limit { price: price(takes), tif: TimeInForce::Ioc },
        7 => OrderKind::Limit { price: price(takes), tif: TimeInForce::Fok },
        _ => OrderKind::Market,
    }
}

fn buy(chance: &Chance, key: DecisionKey, quote: &Quote, context: &Context<'_>) -> Option<Placement> {
    // Most of the time it does as it is told; sometimes it asks all the same.
    if !context.may_add_risk && !chance.hits(300) {
        return None;
    }
    let instrument = context.instrument;
    let notional = Decimal::from(chance.between(8, 450));
    let qty = notional.checked_div(instrument.price(quote.ask).get())?;
    let qty = instrument.qty_down(Qty::new(qty));
    let kind = kind(chance, Side::Buy, quote, instrument);
    Some(Placement { key, side: Side::Buy, kind, qty, reduces: false })
}

fn sell(chance: &Chance, key: DecisionKey, quote: &Quote, free: Qty, context: &Context<'_>) -> Option<Placement> {
    let instrument = context.instrument;
    // Now and then more than it has, which core-engine must refuse.
    let part = if chance.hits(60) { 150 } else { chance.between(30, 100) };
    let qty = instrument.qty_down(free.scale(Decimal::new(part, 2)).ok()?);
    qty.is_positive().then(|| {
        let kind = kind(chance, Side::Sell, quote, instrument);
        Placement { key, side: Side::Sell, kind, qty, reduces: true }
    })
}

impl Strategy for Fuzzer {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MaCrossover
    }

    fn wants(&self) -> Wants {
        Wants { candles: Vec::new(), quotes: true, trades: false }
    }

    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>) {
        let Event::Quote(quote) = event else { return };
        let slot = context.now.0.div_euclid(self.pace.0.max(1));
        if slot != self.slot {
            self.slot = slot;
            out.extend(self.decide(quote, context));
        }
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn save(&self) -> SavedState {
        self.saved.clone()
    }

    fn restore(&mut self, _: SavedState) -> Result<(), RestoreError> {
        Ok(())
    }
}
