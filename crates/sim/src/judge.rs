//! The judge: watches what is durable and what reaches the exchange, from outside, and knows nothing of the services' state.
//!
//! I1 no order leaves before its intent and its attempt are durable · I2 one intent, one order · I4 each fill once · I5 money
//! and limits · I6 halted means halted. I3 can only be judged at rest: see `settled`.

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_capital::{CapitalRules, Mode};
use nightdesk_exchange::{NewOrder, Window};
use nightdesk_market::Side;
use nightdesk_matching::{FillView, VenueEvent};
use nightdesk_orders::{ClientOrderId, Fill};
use nightdesk_store::{Batch, Row, Value};
use nightdesk_units::{Decimal, InstanceId, Money, Qty, Symbol};
use serde::Deserialize;

use crate::coverage::Kind;
use crate::exchange::ACCOUNT;
use crate::life::{CONNECTOR, CORE, Who};
use crate::world::World;

/// What an instance holds by the exchange's own record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) qty: Decimal,
    pub(crate) cost: Decimal,
}

/// A placement as the connector's store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AttemptRow {
    attempt: i64,
    timestamp: i64,
    sent: bool,
}

/// What the judge has seen.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: CapitalRules,
    /// Status by order, as core-engine's store has it.
    pub(crate) orders: BTreeMap<String, String>,
    attempts: BTreeMap<String, AttemptRow>,
    /// Fills applied, as core-engine's journal has them.
    pub(crate) applied: BTreeSet<(Symbol, u64)>,
    /// Our orders at the exchange.
    pub(crate) accepted: BTreeMap<ClientOrderId, u64>,
    /// Our executions at the exchange.
    pub(crate) fills: BTreeMap<(Symbol, u64), FillView>,
    owners: BTreeMap<u64, ClientOrderId>,
    pub(crate) held: BTreeMap<(InstanceId, Symbol), Held>,
    /// Somebody else uses the account: what nobody can know may be given up.
    pub(crate) meddled: bool,
    /// Orders that the acknowledgement of the halt in force named as under way.
    halted: Option<BTreeSet<ClientOrderId>>,
    /// Version of the mode that the connector obeys.
    obeyed: u64,
}

/// The part of a journaled fill that is judged.
#[derive(Deserialize)]
struct FillFact {
    fill: FillBody,
}

#[derive(Deserialize)]
struct FillBody {
    id: ClientOrderId,
    fill: Fill,
}

/// The part of a mode, journaled by the connector, that is judged.
#[derive(Deserialize)]
struct ModeFact {
    mode: Mode,
}

/// The part of a journaled valuation that is judged.
#[derive(Deserialize)]
struct EquityFact {
    equity: EquityBody,
}

#[derive(Deserialize)]
struct EquityBody {
    equity: Money,
}

impl Judge {
    pub(crate) fn new(rules: CapitalRules) -> Self {
        Self {
            rules,
            orders: BTreeMap::new(),
            attempts: BTreeMap::new(),
            applied: BTreeSet::new(),
            accepted: BTreeMap::new(),
            fills: BTreeMap::new(),
            owners: BTreeMap::new(),
            held: BTreeMap::new(),
            meddled: false,
            halted: None,
            obeyed: 0,
        }
    }

    /// The operator has heard that a mode is effective.
    pub(crate) fn mode_effective(&mut self, mode: &Mode, in_flight: &[ClientOrderId]) {
        if !mode.permits(true) {
            self.halted.get_or_insert_default().extend(in_flight);
        }
    }

    /// The operator has asked for something that may lift the halt.
    pub(crate) fn mode_may_lift(&mut self) {
        self.halted = None;
    }

    /// Placements whose end the connector's store does not have.
    pub(crate) fn open_attempts(&self) -> impl Iterator<Item = &String> {
        self.attempts.iter().filter(|(_, row)| row.sent).map(|(id, _)| id)
    }

    fn order_row(&mut self, row: &Row) -> Option<String> {
        let id = row.values.first()?.as_str()?;
        let status = row.values.get(7)?.as_str()?;
        self.orders.insert(id.to_owned(), status.to_owned());
        Some(status.to_owned())
    }

    fn attempt_row(&mut self, row: &Row) -> Option<String> {
        let [id, attempt, _, timestamp, _, state, ..] = row.values.as_slice() else { return None };
        let state = state.as_str()?;
        let row = AttemptRow { attempt: attempt.as_int()?, timestamp: timestamp.as_int()?, sent: state == "sent" };
        self.attempts.insert(id.as_str()?.to_owned(), row);
        Some(state.to_owned())
    }

    /// I1, at the moment at which the request leaves.
    fn sent(&self, order: &NewOrder, window: Window) -> Result<(), String> {
        let id = order.client_order_id.as_str();
        let Some(status) = self.orders.get(id) else {
            return Err(format!("I1: order {id} leaves, but core-engine has not stored its intent"));
        };
        if status == "requested" || status == "abandoned" {
            return Err(format!("I1: order {id} leaves, but is {status} in core-engine's store"));
        }
        match self.attempts.get(id) {
            None => Err(format!("I1: order {id} leaves, but the connector has not stored the attempt")),
            Some(row) if !row.sent || row.timestamp != window.timestamp.0 => {
                Err(format!("I1: order {id} leaves for {window:?}, but the connector has stored {row:?}"))
            }
            Some(_) => Ok(()),
        }
    }

    /// I2 and I6, when the exchange has taken an order.
    fn accepted(&mut self, order: &NewOrder, exchange_id: u64) -> Result<(), String> {
        let id = order.client_order_id;
        self.owners.insert(exchange_id, id);
        if let Some(first) = self.accepted.insert(id, exchange_id) {
            return Err(format!("I2: intent {id} is two orders at the exchange: {first} and {exchange_id}"));
        }
        match &self.halted {
            Some(allowed) if order.side == Side::Buy && !allowed.contains(&id) => {
                Err(format!("I6: trading was halted, effective, and {id} was not named, but it reached the exchange"))
            }
            _ => Ok(()),
        }
    }

    /// Books an execution by the exchange's record.
    fn executed(&mut self, fill: &FillView) -> Result<(), String> {
        let owner = self.owners.get(&fill.order_id).and_then(ClientOrderId::parts);
        let Some((instance, _)) = owner else { return Ok(()) };
        self.fills.insert((fill.symbol, fill.trade_id), *fill);
        let held = self.held.entry((instance, fill.symbol)).or_default();
        let (qty, quote, fee) = (fill.qty.get(), fill.quote_qty.get(), fill.commission.get());
        match fill.side {
            Side::Buy => {
                held.qty += qty - fee;
                held.cost += quote;
            }
            Side::Sell => {
                let part = if held.qty.is_zero() { Decimal::ONE } else { qty / held.qty };
                held.cost -= held.cost * part;
                held.qty -= qty;
            }
        }
        if held.qty.is_sign_negative() && !held.qty.is_zero() {
            return Err(format!("I5: {instance} has sold more {} than it held, by {}", fill.symbol, -held.qty));
        }
        Ok(())
    }

    /// I4, when core-engine has journaled fills.
    fn applied(&mut self, batch: &Batch) -> Result<(), String> {
        for row in batch.journal.iter().filter(|row| row.kind == "fill") {
            let FillBody { id, fill } = match serde_json::from_str::<FillFact>(&row.body) {
                Ok(fact) => fact.fill,
                Err(error) => return Err(format!("core-engine's fact {} cannot be read: {error}", row.version)),
            };
            let found = self
                .fills
                .values()
                .find(|known| known.trade_id == fill.trade_id && self.owners.get(&known.order_id) == Some(&id));
            let Some(known) = found.copied() else {
                return Err(format!("I4: fill {} of {id} was applied, but the exchange has no such", fill.trade_id));
            };
            if (known.qty, known.price, known.commission) != (fill.qty, fill.price, fill.fee) {
                return Err(format!("I4: {fill:?} of {id} was applied, but it was {known:?}"));
            }
            if !self.applied.insert((known.symbol, known.trade_id)) {
                return Err(format!("I4: fill {} of {id} was applied twice", fill.trade_id));
            }
        }
        Ok(())
    }
}

impl Judge {
    /// I6, when the connector has taken up a mode: an old permission that comes late must not undo a halt.
    fn obeys(&mut self, batch: &Batch) -> Result<(), String> {
        for row in batch.journal.iter().filter(|row| row.kind == "mode") {
            let mode = serde_json::from_str::<ModeFact>(&row.body).map(|fact| fact.mode);
            let version = mode.map_err(|error| format!("the connector's fact cannot be read: {error}"))?.version;
            if version < self.obeyed {
                return Err(format!("I6: the connector goes back from mode {} to mode {version}", self.obeyed));
            }
            self.obeyed = version;
        }
        Ok(())
    }
}

/// The cost of open purchases if all of them execute.
struct Exposure {
    by_instance: BTreeMap<InstanceId, Decimal>,
    by_symbol: BTreeMap<Symbol, Decimal>,
    by_both: BTreeMap<(InstanceId, Symbol), Decimal>,
    all: Decimal,
}

impl Exposure {
    fn add(&mut self, instance: InstanceId, symbol: Symbol, amount: Decimal) {
        *self.by_instance.entry(instance).or_default() += amount;
        *self.by_symbol.entry(symbol).or_default() += amount;
        *self.by_both.entry((instance, symbol)).or_default() += amount;
        self.all += amount;
    }
}

impl World {
    fn verdict(&mut self, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            self.violate(what);
        }
    }

    /// A service has made something durable.
    pub(crate) fn judge_commit(&mut self, who: Who, batch: &Batch) {
        for row in &batch.rows {
            let (kind, met) = match (who, row.table.name) {
                (CORE, "orders") => (Kind::OrderStatus, self.judge.order_row(row)),
                (CONNECTOR, "attempts") => (Kind::AttemptState, self.judge.attempt_row(row)),
                (CORE, "modes") => (Kind::Mode, mode_name(row)),
                _ => continue,
            };
            if let Some(met) = met {
                self.cover.hit(kind, &met);
            }
        }
        if who == CONNECTOR {
            let verdict = self.judge.obeys(batch);
            self.verdict(verdict);
        }
        if who == CORE {
            let verdict = self.judge.applied(batch);
            self.verdict(verdict);
            self.judge_quarantine(batch);
            self.judge_value(batch);
            self.look();
        }
    }

    /// What the books say the account is worth is what it is worth: limits on losses rest on it. Prices may have moved
    /// since core-engine last heard of them, by a few per cent at the very most.
    fn judge_value(&mut self, batch: &Batch) {
        for row in batch.journal.iter().filter(|row| row.kind == "equity") {
            let told = serde_json::from_str::<EquityFact>(&row.body).map(|fact| fact.equity.equity.get());
            let worth = self.worth();
            let near = told.as_ref().is_ok_and(|told| (told - worth).abs() < worth * Decimal::new(8, 2));
            if !near {
                self.violate(format!("the books value the account at {told:?}, it is worth {worth}"));
            }
        }
    }

    /// What our account is worth at the market's middle.
    fn worth(&self) -> Decimal {
        let venue = &self.exchange.venue;
        let mut worth = Decimal::ZERO;
        for balance in venue.balances(ACCOUNT).unwrap_or_default() {
            let total = balance.free.get() + balance.locked.get();
            let instrument = venue.config().instruments.iter().find(|instrument| instrument.base == balance.asset);
            let price = instrument.map_or(Decimal::ONE, |instrument| {
                let last = venue.last_price(instrument.symbol).ok().flatten().unwrap_or_default();
                instrument.price(last).get()
            });
            worth += total * price;
        }
        worth
    }

    /// While nobody else uses the account nothing is beyond knowing, so nothing may be given up.
    fn judge_quarantine(&mut self, batch: &Batch) {
        if self.judge.meddled {
            return;
        }
        if let Some(row) = batch.journal.iter().find(|row| row.kind == "quarantined") {
            let text = format!("quarantine without cause: {}", row.body);
            self.violate(text);
        }
    }

    /// A placement leaves.
    pub(crate) fn judge_sent(&mut self, order: &NewOrder, window: Window) {
        let verdict = self.judge.sent(order, window);
        self.verdict(verdict);
    }

    /// The exchange has taken an order of ours.
    pub(crate) fn judge_accepted(&mut self, order: &NewOrder, exchange_id: u64) {
        let verdict = self.judge.accepted(order, exchange_id);
        self.verdict(verdict);
    }

    /// I5, after an order has been taken and what it executed has been booked.
    pub(crate) fn judge_limits(&mut self) {
        let verdict = self.judge_exposure();
        self.verdict(verdict);
    }

    /// Something happened at the exchange.
    pub(crate) fn judge_venue(&mut self, event: &VenueEvent) {
        let VenueEvent::Order(told) = event else { return };
        if let Some(fill) = told.fill.filter(|fill| fill.account == ACCOUNT) {
            let verdict = self.judge.executed(&fill);
            self.verdict(verdict);
            self.look();
        }
    }

    /// I5, by the exchange's own record: what is held at cost and what open purchases may still cost.
    fn judge_exposure(&self) -> Result<(), String> {
        let judge = &self.judge;
        let mut sums = Exposure {
            by_instance: BTreeMap::new(),
            by_symbol: BTreeMap::new(),
            by_both: BTreeMap::new(),
            all: Decimal::ZERO,
        };
        for ((instance, symbol), held) in &judge.held {
            sums.add(*instance, *symbol, held.cost);
        }
        let open = self.exchange.venue.open_orders(ACCOUNT, None).unwrap_or_default();
        for order in open.iter().filter(|order| order.side == Side::Buy) {
            let Some((instance, _)) = order.client_order_id.parts() else { continue };
            let left = order.qty.sub(order.filled).unwrap_or(Qty::ZERO);
            sums.add(instance, order.symbol, order.price.notional(left).unwrap_or(Money::ZERO).get());
        }
        // Costs of partial sales are rounded to twelve places on either side.
        let slack = Decimal::new(1, 6);
        let check = |name: &str, sum: Decimal, limit: Money| {
            let broken = sum > limit.get() + slack;
            if broken { Err(format!("I5: {name} has {sum} at stake, its limit is {limit}")) } else { Ok(()) }
        };
        let rules = &judge.rules;
        check("the account", sums.all, rules.total)?;
        for (instance, sum) in &sums.by_instance {
            let Some(own) = rules.strategies.get(instance) else { continue };
            check(instance.as_str(), *sum, own.allocation.of(rules.total).unwrap_or(rules.total))?;
        }
        for ((instance, symbol), sum) in &sums.by_both {
            let Some(own) = rules.strategies.get(instance) else { continue };
            check(&format!("{instance} in {symbol}"), *sum, own.max_position)?;
        }
        for (symbol, sum) in &sums.by_symbol {
            let Some(limit) = rules.max_symbol_position.get(symbol) else { continue };
            check(symbol.as_str(), *sum, *limit)?;
        }
        Ok(())
    }
}

fn mode_name(row: &Row) -> Option<String> {
    let read_only = row.values.get(2).and_then(Value::as_int) == Some(1);
    if read_only { Some("read-only".to_owned()) } else { row.values.get(1)?.as_str().map(str::to_owned) }
}
