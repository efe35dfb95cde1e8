//! A strategy that wants one order, and when nothing has come of it, another.

use nightdesk_market::Side;
use nightdesk_orders::{OrderKind, TimeInForce};
use nightdesk_strategies::{
    Context, Decision, DecisionKey, Event, MaCrossover, MaParams, Placement, RestoreError, SavedState, Strategy,
    StrategyKind, Wants,
};
use nightdesk_units::{Decimal, Micros, Price, Qty, Ticks, Timestamp};

use super::run::FROM;

/// Between two decisions: the key is the time's, so that deciding again after a crash is the same decision.
const PACE: Micros = Micros::from_secs(5);
/// What the order is worth.
const NOTIONAL: i64 = 120;

/// What order is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// One that executes at once.
    Takes,
    /// One at the top of the book, for somebody to sell to.
    Joins,
    /// One far from the market, which nobody reaches.
    Rests,
}

impl Wish {
    fn price(self, context: &Context<'_>, bid: Ticks, ask: Ticks) -> Price {
        let ticks = match self {
            Self::Takes => ask.0 + ask.0 / 200,
            Self::Joins => (bid.0 + 1).min(ask.0 - 1),
            Self::Rests => bid.0 / 10 * 7,
        };
        context.instrument.price(Ticks(ticks))
    }
}

/// The strategy.
pub(crate) struct Scripted {
    wish: Wish,
    decided: Option<i64>,
    /// It keeps no state; its worker wants to see one.
    saved: SavedState,
}

impl Scripted {
    pub(crate) fn new(wish: Wish, params: &MaParams) -> Self {
        Self { wish, decided: None, saved: MaCrossover::new(params.clone()).save() }
    }

    /// The number of the decision that is due.
    fn due(&self, now: Timestamp, context: &Context<'_>) -> Option<i64> {
        let slot = now.since(FROM).0.div_euclid(PACE.0);
        let idle = context.may_add_risk && context.orders.is_empty() && !context.position.is_positive();
        (now >= FROM && idle && self.decided != Some(slot)).then_some(slot)
    }
}

impl Strategy for Scripted {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MaCrossover
    }

    fn wants(&self) -> Wants {
        Wants { candles: Vec::new(), quotes: true, trades: false }
    }

    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>) {
        let Event::Quote(quote) = event else { return };
        let Some(slot) = self.due(context.now, context) else { return };
        let Ok(key) = format!("d{slot}").parse::<DecisionKey>() else { return };
        let price = self.wish.price(context, quote.bid, quote.ask);
        let qty = Decimal::from(NOTIONAL).checked_div(price.get()).unwrap_or_default();
        let qty = context.instrument.qty_down(Qty::new(qty));
        let kind = OrderKind::Limit { price, tif: TimeInForce::Gtc };
        self.decided = Some(slot);
        out.push(Decision::Place(Placement { key, side: Side::Buy, kind, qty, reduces: false }));
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
