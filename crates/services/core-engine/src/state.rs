//! Everything durable, and how a fact changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightdesk_capital::{Holding, Mode};
use nightdesk_exchange::Balance;
use nightdesk_market::{Instrument, Side};
use nightdesk_orders::{
    ClientOrderId, Effect, Event, ExchangeStatus, ExecutionReport, Fill, IntentId, Order, OrderKind, OrderSpec,
    Refused, Status,
};
use nightdesk_positions::Portfolio;
use nightdesk_units::{Asset, InstanceId, Money, Price, Qty, Symbol, Timestamp};
use nightdesk_wire::{Intent, RunState, StrategyState};
use serde::{Deserialize, Serialize};

use crate::fact::Fact;

/// An order with what core-engine must know besides its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The order.
    pub order: Order,
    /// True when it only reduces what is held.
    pub reduces: bool,
    /// Mid price when it was decided.
    pub reference: Price,
    /// What it may cost at worst.
    pub worst_cost: Money,
    /// The exchange's ids of the fills applied: a repeat is known by its id.
    pub fills: Vec<u64>,
    /// Fees paid in quote currency.
    pub fees_quote: Money,
    /// The decision's key.
    pub key: String,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Entry {
    fn new(intent: &Intent, reduces: bool, worst_cost: Money, at: Timestamp) -> Self {
        let spec = OrderSpec {
            client_order_id: ClientOrderId::of(intent.instance, intent.intent_id),
            intent_id: intent.intent_id,
            instance: intent.instance,
            symbol: intent.symbol,
            side: intent.side,
            kind: intent.kind,
            qty: intent.qty,
            created_at: intent.decided_at,
        };
        Self {
            order: Order::new(spec),
            reduces,
            reference: intent.reference,
            worst_cost,
            fills: Vec::new(),
            fees_quote: Money::ZERO,
            key: intent.key.clone(),
            reason: None,
            updated_at: at,
        }
    }

    /// Whether the exchange's word on it, once it is over, says anything that is not known: an execution, another end, or
    /// another order of the same id.
    pub(crate) fn is_news(&self, report: &ExecutionReport, fills: &[Fill]) -> bool {
        let order = &self.order;
        let ends_alike = match report.status {
            ExchangeStatus::New | ExchangeStatus::PartiallyFilled | ExchangeStatus::Filled => true,
            ExchangeStatus::Canceled => matches!(order.status, Status::Filled | Status::Canceled),
            ExchangeStatus::Expired => matches!(order.status, Status::Filled | Status::Expired),
            ExchangeStatus::Rejected => order.status == Status::Rejected,
        };
        !ends_alike
            || !order.is_settled()
            || report.filled > order.filled
            || order.exchange_order_id.is_some_and(|known| known != report.exchange_order_id)
            || fills.iter().chain(&report.fill).any(|fill| !self.fills.contains(&fill.trade_id))
    }

    /// Quote currency spent on it so far, fees included.
    #[must_use]
    pub fn spent(&self) -> Money {
        self.order.filled_quote.add(self.fees_quote).unwrap_or(self.order.filled_quote)
    }
}

/// What came of a fact about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The fact was taken; this is to be done.
    Done(Option<Effect>),
    /// There is no such order.
    Unknown,
    /// It cannot have happened.
    Refused(Refused),
}

/// What changed since the rows were last written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dirty {
    pub(crate) orders: BTreeSet<ClientOrderId>,
    pub(crate) fills: Vec<(ClientOrderId, Fill)>,
    pub(crate) positions: BTreeSet<(InstanceId, Symbol)>,
    pub(crate) balances: BTreeSet<Asset>,
    pub(crate) strategies: BTreeSet<InstanceId>,
    pub(crate) portfolio: bool,
    pub(crate) mode: bool,
    pub(crate) quarantine: BTreeSet<Symbol>,
}

/// core-engine's durable state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Durable {
    pub(crate) mode: Mode,
    /// Boxed: entries are large, and a tree moves what it holds.
    pub(crate) orders: BTreeMap<ClientOrderId, Box<Entry>>,
    done: VecDeque<ClientOrderId>,
    /// Orders that are not over.
    pub(crate) active: BTreeSet<ClientOrderId>,
    /// Orders decided up to here may have been forgotten.
    pub(crate) horizon: Timestamp,
    pub(crate) instruments: BTreeMap<Symbol, Instrument>,
    pub(crate) portfolio: Portfolio,
    /// The account has been looked at for the first time.
    pub(crate) opened: bool,
    pub(crate) strategies: BTreeMap<InstanceId, StrategyState>,
    /// Instances that an operator stopped.
    pub(crate) stopped: BTreeSet<InstanceId>,
    pub(crate) quarantine: BTreeMap<Symbol, String>,
    /// Everything at the exchange before this is in the book.
    pub(crate) reconciled_to: Timestamp,
    #[serde(skip)]
    pub(crate) dirty: Dirty,
}

impl Durable {
    pub(crate) fn new(quote: Asset) -> Self {
        Self {
            mode: Mode::default(),
            orders: BTreeMap::new(),
            done: VecDeque::new(),
            active: BTreeSet::new(),
            horizon: Timestamp::default(),
            instruments: BTreeMap::new(),
            portfolio: Portfolio::new(quote),
            opened: false,
            strategies: BTreeMap::new(),
            stopped: BTreeSet::new(),
            quarantine: BTreeMap::new(),
            reconciled_to: Timestamp::default(),
            dirty: Dirty::default(),
        }
    }

    /// Changes the state by a fact; live and in replay.
    pub(crate) fn apply(&mut self, fact: &Fact) -> Applied {
        match fact {
            Fact::Intent { intent, reduces, worst_cost, at } => {
                self.put(Entry::new(intent, *reduces, *worst_cost, *at))
            }
            Fact::Order { id, event, reason, exchange_order_id, at } => {
                return self.order_event(*id, *event, reason.as_deref(), *exchange_order_id, *at);
            }
            Fact::Fill { id, fill } => return self.fill(*id, fill),
            Fact::Adopted { report, instance, at } => self.adopt(report, *instance, *at),
            Fact::Recalled { entry } => self.recall(entry),
            Fact::Instruments { instruments } => {
                for instrument in instruments {
                    self.portfolio.register(instrument);
                    self.instruments.insert(instrument.symbol, instrument.clone());
                }
            }
            Fact::Opening { balances, flow, .. } => {
                for (asset, total) in self.totals(balances) {
                    self.portfolio.restate(asset, total);
                    self.dirty.balances.insert(asset);
                }
                self.portfolio.flow(*flow);
                self.dirty.portfolio = true;
                self.opened = true;
            }
            Fact::Transfer { asset, delta, flow, .. } => {
                let total = self.portfolio.balance(*asset);
                self.portfolio.restate(*asset, total.add(*delta).unwrap_or(total));
                self.portfolio.flow(*flow);
                self.dirty.balances.insert(*asset);
                self.dirty.portfolio = true;
            }
            Fact::Mode(mode) => {
                self.mode = mode.clone();
                self.dirty.mode = true;
            }
            Fact::Strategy(state) => {
                self.dirty.strategies.insert(state.instance);
                self.strategies.insert(state.instance, state.clone());
            }
            Fact::Wanted { instance, run, .. } => {
                if *run {
                    self.stopped.remove(instance);
                } else {
                    self.stopped.insert(*instance);
                }
                self.dirty.strategies.insert(*instance);
            }
            Fact::Quarantined { symbol, reason, .. } => {
                self.quarantine.insert(*symbol, reason.clone());
                self.dirty.quarantine.insert(*symbol);
            }
            Fact::Released { symbol, .. } => {
                self.quarantine.remove(symbol);
                self.dirty.quarantine.insert(*symbol);
            }
            Fact::Reconciled { up_to } => self.reconciled_to = *up_to,
            Fact::Equity(sample) => {
                self.portfolio.take(sample);
                self.dirty.portfolio = true;
            }
            Fact::Allocated { instance, amount } => self.portfolio.allocate(*instance, *amount),
            Fact::Emergency { .. } => {}
        }
        Applied::Done(None)
    }

    /// Whether an instance may decide.
    pub(crate) fn runs(&self, instance: InstanceId) -> bool {
        let failed = self.strategies.get(&instance).is_some_and(|s| s.state == RunState::Failed);
        !failed && !self.stopped.contains(&instance)
    }

    /// Base quantity that open reductions of an instance may still sell.
    pub(crate) fn open_reductions(&self, instance: InstanceId, symbol: Symbol) -> Qty {
        let open = self.active_orders().filter(|entry| {
            let spec = &entry.order.spec;
            entry.reduces && spec.instance == instance && spec.symbol == symbol
        });
        open.fold(Qty::ZERO, |sum, entry| sum.add(entry.order.open_qty()).unwrap_or(sum))
    }

    /// Orders that are not over.
    pub(crate) fn active_orders(&self) -> impl Iterator<Item = &Entry> {
        self.active.iter().filter_map(|id| self.orders.get(id)).map(AsRef::as_ref)
    }

    fn recall(&mut self, entry: &Entry) {
        let id = entry.order.spec.client_order_id;
        if entry.order.is_settled() {
            self.done.push_back(id);
        } else {
            self.active.insert(id);
        }
        self.dirty.orders.insert(id);
        self.orders.insert(id, Box::new(entry.clone()));
    }

    /// Forgets all but the `most` youngest finished orders, except those that have changed since `since`. Called after their
    /// rows have been handed to the store.
    pub(crate) fn forget(&mut self, most: usize, since: Timestamp) {
        while self.done.len() > most {
            let recent = |id: &ClientOrderId| self.orders.get(id).is_some_and(|entry| entry.updated_at >= since);
            let Some(id) = self.done.pop_front_if(|id| !recent(id)) else { return };
            if !self.orders.get(&id).is_some_and(|entry| entry.order.is_settled()) || self.dirty.orders.contains(&id) {
                continue;
            }
            if let Some(entry) = self.orders.remove(&id) {
                self.horizon = self.horizon.max(entry.order.spec.created_at);
            }
        }
    }

    /// Forgets every finished order.
    #[cfg(test)]
    pub(crate) fn forget_all(&mut self) {
        for id in std::mem::take(&mut self.done) {
            if let Some(entry) = self.orders.remove(&id) {
                self.horizon = self.horizon.max(entry.order.spec.created_at);
            }
        }
    }

    fn put(&mut self, entry: Entry) {
        let id = entry.order.spec.client_order_id;
        self.dirty.orders.insert(id);
        self.active.insert(id);
        self.orders.insert(id, Box::new(entry));
    }

    fn order_event(
        &mut self,
        id: ClientOrderId,
        event: Event,
        reason: Option<&str>,
        exchange_order_id: Option<u64>,
        at: Timestamp,
    ) -> Applied {
        let Some(entry) = self.orders.get_mut(&id) else { return Applied::Unknown };
        let effect = match entry.order.apply(event) {
            Ok(effect) => effect,
            Err(refused) => return Applied::Refused(refused),
        };
        entry.order.exchange_order_id = entry.order.exchange_order_id.or(exchange_order_id);
        if let Some(reason) = reason {
            entry.reason = Some(reason.to_owned());
        }
        entry.updated_at = at;
        self.touched(id, effect);
        Applied::Done(effect)
    }

    fn fill(&mut self, id: ClientOrderId, fill: &Fill) -> Applied {
        let Some(entry) = self.orders.get_mut(&id) else { return Applied::Unknown };
        let Ok(quote) = fill.price.notional(fill.qty) else { return Applied::Refused(Refused::Quantity) };
        let effect = match entry.order.apply(Event::Fill { qty: fill.qty, quote }) {
            Ok(effect) => effect,
            Err(refused) => return Applied::Refused(refused),
        };
        let spec = entry.order.spec;
        entry.fills.push(fill.trade_id);
        entry.updated_at = fill.at;
        let instrument = self.instruments.get(&spec.symbol).map(|instrument| (instrument.base, instrument.quote));
        if instrument.is_some_and(|(_, quote)| quote == fill.fee_asset) {
            let fee = Money::new(fill.fee.get());
            entry.fees_quote = entry.fees_quote.add(fee).unwrap_or(entry.fees_quote);
        }
        if let Some((base, quote_asset)) = instrument {
            self.dirty.balances.extend([base, quote_asset, fill.fee_asset]);
        }
        self.book(&spec, fill, quote);
        self.dirty.positions.insert((spec.instance, spec.symbol));
        self.dirty.fills.push((id, *fill));
        self.dirty.portfolio = true;
        self.touched(id, effect);
        Applied::Done(effect)
    }

    fn touched(&mut self, id: ClientOrderId, effect: Option<Effect>) {
        self.dirty.orders.insert(id);
        if effect == Some(Effect::Settle) {
            self.active.remove(&id);
            self.done.push_back(id);
        } else if self.orders.get(&id).is_some_and(|entry| !entry.order.is_settled()) {
            // Over, but the exchange now tells of executions that are missing here.
            self.active.insert(id);
        }
    }

    fn adopt(&mut self, report: &ExecutionReport, instance: InstanceId, at: Timestamp) {
        let intent_id = report.client_order_id.parts().map(|(_, intent)| intent);
        let spec = OrderSpec {
            client_order_id: report.client_order_id,
            intent_id: intent_id.unwrap_or_else(|| IntentId::derive(instance, 0, report.client_order_id.as_str())),
            instance,
            symbol: report.symbol,
            side: report.side,
            kind: report.kind,
            qty: report.qty,
            created_at: report.at,
        };
        let mut order = Order::new(spec);
        // It is at the exchange, whatever our journal lost: it starts its life here as one that was sent and acknowledged.
        for event in [Event::Granted, Event::Acked] {
            let _ = order.apply(event);
        }
        order.exchange_order_id = Some(report.exchange_order_id);
        let price = match report.kind {
            OrderKind::Limit { price, .. } | OrderKind::LimitMaker { price } => price,
            OrderKind::Market => Price::ZERO,
        };
        self.put(Entry {
            order,
            reduces: report.side == Side::Sell,
            reference: price,
            worst_cost: price.notional(report.qty).unwrap_or(Money::ZERO),
            fills: Vec::new(),
            fees_quote: Money::ZERO,
            key: "adopted".to_owned(),
            reason: Some("found at the exchange".to_owned()),
            updated_at: at,
        });
    }

    /// Books an execution. The money has moved: where our position says that less is held than was sold, the position is
    /// what is wrong.
    fn book(&mut self, spec: &OrderSpec, fill: &Fill, quote: Money) {
        let first = self.portfolio.apply(spec.instance, spec.symbol, spec.side, fill);
        let Err(error) = first else { return };
        tracing::error!(%error, trade = fill.trade_id, "fill does not fit the position, which is corrected to it");
        let adopted = self.portfolio.adopt(spec.instance, spec.symbol, fill.qty, quote);
        let again = adopted.and_then(|()| self.portfolio.apply(spec.instance, spec.symbol, spec.side, fill));
        if let Err(error) = again {
            tracing::error!(%error, trade = fill.trade_id, "fill cannot be booked");
        }
    }

    /// The total of each asset that we or the exchange know of, as the exchange tells it: what it leaves out is zero.
    pub(crate) fn totals(&self, told: &[Balance]) -> BTreeMap<Asset, Qty> {
        let mut totals: BTreeMap<Asset, Qty> = self.portfolio.balances().map(|(asset, _)| (asset, Qty::ZERO)).collect();
        totals.extend(told.iter().map(|b| (b.asset, b.free.add(b.locked).unwrap_or(b.free))));
        totals
    }

    /// True when everything owned that can have a price has one: without it the books cannot be valued.
    pub(crate) fn is_priced(&self) -> bool {
        let owned = |instrument: &&Instrument| !self.portfolio.balance(instrument.base).is_zero();
        self.instruments
            .values()
            .filter(owned)
            .all(|i| i.quote != self.portfolio.quote() || self.portfolio.mark_of(i.symbol).is_some())
    }

    /// Base quantity that an instance holds.
    pub(crate) fn held(&self, instance: InstanceId, symbol: Symbol) -> Qty {
        self.portfolio.position(instance, symbol).map_or(Qty::ZERO, |position| position.quantity)
    }

    /// What an instance's position cost, and which version of it that is.
    pub(crate) fn holding(&self, instance: InstanceId, symbol: Symbol) -> Holding {
        let position = self.portfolio.position(instance, symbol);
        position.map_or_else(Holding::default, |position| Holding { cost: position.cost, version: position.version })
    }

    /// Every (instance, instrument) that has been traded.
    pub(crate) fn position_keys(&self) -> Vec<(InstanceId, Symbol)> {
        let books = self.portfolio.strategies();
        books.flat_map(|(instance, book)| book.positions.keys().map(move |symbol| (instance, *symbol))).collect()
    }

    /// Marks every row as changed: after a snapshot nobody knows what the store has.
    pub(crate) fn mark_all(&mut self) {
        self.dirty.orders = self.orders.keys().copied().collect();
        self.dirty.positions = self.position_keys().into_iter().collect();
        self.dirty.balances = self.portfolio.balances().map(|(asset, _)| asset).collect();
        self.dirty.strategies = self.strategies.keys().chain(&self.stopped).copied().collect();
        self.dirty.quarantine = self.quarantine.keys().copied().collect();
        self.dirty.portfolio = true;
        // The mode that nobody has changed yet has no row.
        self.dirty.mode = self.mode.version > 0;
    }
}
