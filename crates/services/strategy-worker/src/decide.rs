//! From events to decisions, and from decisions to facts and messages.

use nightdesk_strategies::{Context, Decision, Event as StrategyEvent, OrderNews};
use nightdesk_units::{Decimal, Price, Timestamp};
use nightdesk_wire::{CancelIntent, Intent, Message, Queue, RunState};

use crate::fact::{Change, Fact, Update};
use crate::feed::CandleFeed;
use crate::worker::{Out, StrategyWorker};

impl StrategyWorker {
    /// Hands an event to the strategy and carries out what it decides.
    pub(crate) fn tell(&mut self, event: StrategyEvent<'_>, now: Timestamp, step: &mut Out) {
        self.ask(event, now);
        if !self.is_active() {
            self.decisions.clear();
        } else if !self.decisions.is_empty() {
            self.conclude(None, now, step);
        }
        if !matches!(self.told, Some((RunState::Running, _))) {
            self.report(step);
        }
    }

    /// Hands an event to the strategy; what it decides waits in `self.decisions`.
    fn ask(&mut self, event: StrategyEvent<'_>, now: Timestamp) {
        let (Some(instrument), false) = (&self.state.instrument, self.is_foreign) else { return };
        let context = Context {
            now,
            instrument,
            position: self.state.position,
            orders: &self.state.orders,
            may_add_risk: self.is_active() && self.feeds.iter().all(CandleFeed::is_live),
        };
        self.strategy.on_event(event, &context, &mut self.decisions);
    }

    /// Journals what was decided, with the news that led to it and the strategy's state after it, and sends it.
    fn conclude(&mut self, update: Option<Update>, now: Timestamp, step: &mut Out) {
        let mut fact = Fact { update, ..Fact::default() };
        let mut repeated = false;
        for decision in self.decisions.drain(..) {
            match decision {
                Decision::Place(placement) => {
                    let key = placement.key;
                    if self.state.knows(key) || fact.place.iter().any(|other| other.key == key) {
                        repeated = true;
                    } else {
                        fact.place.push(placement);
                    }
                }
                Decision::Cancel { key } => {
                    let open = self.state.orders.get(key).is_some_and(|order| !order.cancel_asked);
                    fact.cancel.extend(open.then_some(key));
                }
            }
        }
        fact.generation = (!fact.place.is_empty()).then_some(self.config.generation);
        if !fact.is_empty() {
            fact.change = Change::between(self.state.strategy.as_ref(), self.strategy.save());
            self.journal(&fact, now, step);
        }
        if repeated {
            // Decided before: that order stands or is over, and the strategy must believe so.
            self.ask(StrategyEvent::Resync, now);
            self.decisions.clear();
        }
    }

    /// Journals a fact whose update has been applied, applies the rest, and sends its decisions.
    pub(crate) fn journal(&mut self, fact: &Fact, now: Timestamp, step: &mut Out) {
        step.record(fact.kind(), now, fact);
        self.state.conclude(fact, now);
        let (instance, generation, symbol) = (self.config.instance, self.config.generation, self.config.symbol);
        for placement in &fact.place {
            let Some(intent_id) = self.state.intent(placement.key) else { continue };
            let intent = Intent {
                intent_id,
                instance,
                generation,
                key: placement.key.as_str().to_owned(),
                symbol,
                side: placement.side,
                kind: placement.kind,
                qty: placement.qty,
                reference: self.reference(placement.kind.price()),
                decided_at: now,
            };
            step.send(Queue::CORE, Message::Intent(intent));
        }
        for key in &fact.cancel {
            let Some(intent_id) = self.state.intent(*key) else { continue };
            step.send(Queue::CORE, Message::CancelIntent(CancelIntent { instance, intent_id }));
        }
    }

    /// The market's middle as far as it is known, to measure slippage against.
    fn reference(&self, limit: Option<Price>) -> Price {
        let Some(instrument) = &self.state.instrument else { return Price::ZERO };
        let middle = self.quote.and_then(|quote| {
            let sum = instrument.price(quote.bid).add(instrument.price(quote.ask)).ok()?;
            sum.scale(Decimal::new(5, 1)).ok()
        });
        middle.or_else(|| self.last.map(|last| instrument.price(last))).or(limit).unwrap_or(Price::ZERO)
    }

    pub(crate) fn on_update(&mut self, update: Update, now: Timestamp, step: &mut Out) {
        if !self.state.is_news(&update) {
            return;
        }
        let tally = self.state.tally;
        let news = self.state.update(&update);
        self.meters.count(tally, self.state.tally);
        self.ask_about(news.as_ref(), now);
        self.conclude(Some(update), now, step);
        self.report(step);
    }

    /// Lets the strategy react to news of an order, or to a position that somebody else changed.
    fn ask_about(&mut self, news: Option<&OrderNews>, now: Timestamp) {
        if !self.synced {
            return;
        }
        self.ask(news.map_or(StrategyEvent::Resync, StrategyEvent::Order), now);
        if !self.is_active() && !self.decisions.is_empty() {
            // It books what its orders brought, and decides nothing: what it believes to have placed is taken back.
            self.decisions.clear();
            self.ask(StrategyEvent::Resync, now);
            self.decisions.clear();
        }
    }
}
