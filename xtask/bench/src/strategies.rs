//! Strategies that do nothing but order, so that what is measured is the house around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nightdesk_market::Side;
use nightdesk_orders::OrderKind;
use nightdesk_strategies::{
    Context, Decision, DecisionKey, Event, Placement, RestoreError, SavedState, Strategy, StrategyKind, StrategyParams,
    Wants,
};
use nightdesk_units::{Qty, Timestamp};

/// What a buy takes, and a sell gives back: less, because the fee is taken from what was bought.
const BUY: Qty = Qty::new(nightdesk_units::Decimal::from_parts(100, 0, 0, false, 5));
const SELL: Qty = Qty::new(nightdesk_units::Decimal::from_parts(99, 0, 0, false, 5));

/// When to order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// With every so many quotes; never when zero.
    Quotes(u64),
    /// So many a second.
    Rate(f64),
    /// As soon as fewer than the window are open.
    Full,
}

/// What driver and strategy see of each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) running: AtomicBool,
    pub(crate) decided: AtomicU64,
    pub(crate) ended: AtomicU64,
}

impl Shared {
    /// Orders under way.
    pub(crate) fn open(&self) -> u64 {
        self.decided.load(Ordering::Relaxed).saturating_sub(self.ended.load(Ordering::Relaxed))
    }
}

/// Buys and sells a little at the market, in turn.
pub(crate) struct Orderer {
    inner: Box<dyn Strategy>,
    pace: Pace,
    window: usize,
    stock: Qty,
    shared: Arc<Shared>,
    begun: Option<Timestamp>,
    quotes: u64,
    decided: u64,
}

impl Orderer {
    /// Keeps at most `window` orders open, and sells while more than `stock` is held.
    pub(crate) fn new(params: &StrategyParams, pace: Pace, window: usize, stock: Qty, shared: Arc<Shared>) -> Self {
        Self { inner: params.build(), pace, window, stock, shared, begun: None, quotes: 0, decided: 0 }
    }

    fn due(&mut self, on_quote: bool, context: &Context<'_>) -> usize {
        let room = self.window.saturating_sub(context.orders.len());
        match self.pace {
            Pace::Full => room,
            _ if !on_quote => 0,
            Pace::Quotes(every) => {
                self.quotes += 1;
                usize::from(every > 0 && self.quotes.is_multiple_of(every)).min(room)
            }
            Pace::Rate(rate) => {
                let begun = *self.begun.get_or_insert(context.now);
                let wanted = (context.now.since(begun).0 as f64 / 1e6 * rate) as u64;
                usize::try_from(wanted.saturating_sub(self.decided)).unwrap_or(usize::MAX).min(room)
            }
        }
    }

    fn order(&mut self, side: Side, out: &mut Vec<Decision>) {
        self.decided += 1;
        self.shared.decided.store(self.decided, Ordering::Relaxed);
        let Ok(key) = format!("b{}", self.decided).parse::<DecisionKey>() else { return };
        let (qty, reduces) = if side == Side::Buy { (BUY, false) } else { (SELL, true) };
        out.push(Decision::Place(Placement { key, side, kind: OrderKind::Market, qty, reduces }));
    }
}

impl Strategy for Orderer {
    fn kind(&self) -> StrategyKind {
        self.inner.kind()
    }

    fn wants(&self) -> Wants {
        Wants { candles: Vec::new(), quotes: true, trades: true }
    }

    fn on_event(&mut self, event: Event<'_>, context: &Context<'_>, out: &mut Vec<Decision>) {
        if let Event::Order(news) = event
            && news.order.status.is_final()
        {
            self.shared.ended.fetch_add(1, Ordering::Relaxed);
        }
        let on_quote = matches!(event, Event::Quote(_));
        if !(on_quote || matches!(event, Event::Order(_))) || !self.shared.running.load(Ordering::Relaxed) {
            return;
        }
        let due = self.due(on_quote, context);
        if due == 0 || !context.may_add_risk {
            return;
        }
        let mut free = context.position.sub(context.orders.selling()).unwrap_or_default();
        for _ in 0..due {
            let side = if free >= self.stock.max(SELL) { Side::Sell } else { Side::Buy };
            if side == Side::Sell {
                free = free.sub(SELL).unwrap_or_default();
            }
            self.order(side, out);
        }
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn save(&self) -> SavedState {
        self.inner.save()
    }

    fn restore(&mut self, state: SavedState) -> Result<(), RestoreError> {
        self.inner.restore(state)
    }
}
