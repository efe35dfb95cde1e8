//! The bus: in one process (a message is taken when its reader has acknowledged it; it dies with the process) or a broker
//! (a message is taken when the broker has it; it outlives the services). Both lose, repeat, delay and reorder on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn, ready};
use nightdesk_bus::{Bus, BusError, Consumer, Delivery, Interest, MarketStream};
use nightdesk_market::MarketEvent;
use nightdesk_units::{Micros, Timestamp};
use nightdesk_wire::{Envelope, Message, OutcomeKind, Queue};

use crate::coverage::Kind;
use crate::life::{Life, Point};
use crate::slot::Slot;
use crate::world::{Sim, World, never};

type Taken = Slot<Result<(), BusError>>;

struct Item {
    envelope: Envelope,
    /// Filled when the reader acknowledges it.
    taken: Option<Taken>,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Item>,
    unacked: BTreeMap<u64, Item>,
    next_tag: u64,
    reader: Option<Arc<Life>>,
    waker: Option<Waker>,
    /// When the last message on its way will be there: the next is not there before.
    last_at: Timestamp,
}

impl QueueState {
    fn push(&mut self, item: Item, first: bool) {
        if first {
            self.waiting.push_front(item);
        } else {
            self.waiting.push_back(item);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn take(&mut self) -> Option<Delivery> {
        let item = self.waiting.pop_front()?;
        self.next_tag += 1;
        let delivery = Delivery { tag: self.next_tag, envelope: item.envelope.clone() };
        self.unacked.insert(self.next_tag, item);
        Some(delivery)
    }
}

struct Subscriber {
    life: Arc<Life>,
    number: u64,
    interest: Interest,
    waiting: VecDeque<MarketEvent>,
    waker: Option<Waker>,
}

/// What lies on the bus.
#[derive(Default)]
pub(crate) struct BusState {
    queues: BTreeMap<Queue, QueueState>,
    subscribers: Vec<Subscriber>,
    subscribed: u64,
    /// Counts the times it vanished: what was on its way then does not arrive.
    era: u64,
}

impl BusState {
    /// The process that it was in is gone.
    pub(crate) fn vanish(&mut self) {
        self.queues.clear();
        self.subscribers.clear();
        self.era += 1;
    }

    /// A reader is gone: what it has not acknowledged is for the next one.
    pub(crate) fn leave(&mut self, life: &Arc<Life>) {
        for queue in
            self.queues.values_mut().filter(|queue| queue.reader.as_ref().is_some_and(|r| Arc::ptr_eq(r, life)))
        {
            (queue.reader, queue.waker) = (None, None);
            while let Some((_, item)) = queue.unacked.pop_last() {
                queue.waiting.push_front(item);
            }
        }
        self.subscribers.retain(|subscriber| !Arc::ptr_eq(&subscriber.life, life));
    }
}

/// The messages that a spell of chaos is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Control,
    ToConnector,
    ToCore,
    ToCapital,
    ToWorkers,
}

impl Only {
    pub(crate) const ALL: [Self; 5] =
        [Self::Control, Self::ToConnector, Self::ToCore, Self::ToCapital, Self::ToWorkers];

    fn covers(self, envelope: &Envelope) -> bool {
        let queue = &envelope.queue;
        match self {
            Self::Control => *queue == Queue::CONNECTOR_CONTROL,
            Self::ToConnector => *queue == Queue::CONNECTOR,
            Self::ToCore => *queue == Queue::CORE,
            Self::ToCapital => *queue == Queue::CAPITAL,
            Self::ToWorkers => queue.as_str().starts_with("worker"),
        }
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Deliver,
    Lose,
    LoseConfirm,
    Vanish,
    Duplicate,
    Overtake,
    Delay,
}

impl World {
    fn fate(&mut self, envelope: &Envelope) -> Fate {
        let (chaos, chance) = (self.weather.bus, &self.chance.bus);
        if self.weather.bus_down {
            return Fate::Lose;
        }
        if chaos.is_calm() || self.weather.bus_only.is_some_and(|only| !only.covers(envelope)) {
            return Fate::Deliver;
        }
        // A broker's confirm is no proof, and the design says what heals it: orders are driven again.
        let driven = matches!(envelope.message, Message::Command(_) | Message::Resolve(_));
        let fates = [
            (chaos.lose, Fate::Lose, "message lost"),
            (chaos.lose_confirm, Fate::LoseConfirm, "confirm lost"),
            (if driven && !self.one_process { chaos.vanish } else { 0 }, Fate::Vanish, "message confirmed and lost"),
            (chaos.duplicate, Fate::Duplicate, "message repeated"),
            (chaos.overtake, Fate::Overtake, "message overtakes"),
            (chaos.delay, Fate::Delay, "message delayed"),
        ];
        for (per_mille, fate, name) in fates {
            if chance.hits(per_mille) {
                self.fault(name);
                return fate;
            }
        }
        Fate::Deliver
    }

    fn publish(&mut self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        if matches!(&envelope.message, Message::Command(command) if !command.cancel && !command.reduces) {
            self.lurk();
        }
        let fate = self.fate(&envelope);
        self.note("publish", fate as u64, || format!("{fate:?} {envelope:?}"));
        let lost = Err(BusError::Unavailable("lost on the way".to_owned()));
        if fate == Fate::Lose {
            return self.later(lost);
        }
        if fate == Fate::Vanish {
            return self.later(Ok(()));
        }
        if fate == Fate::Duplicate {
            let after = self.chance.bus.millis(0, 3_000);
            self.deliver(Item { envelope: envelope.clone(), taken: None }, after, false);
        }
        let taken = (self.one_process && fate != Fate::LoseConfirm).then(Slot::empty);
        let after = match fate {
            Fate::Delay => self.chance.bus.millis(10, 6_000),
            Fate::Overtake => Micros(0),
            _ => self.travel(&envelope.queue),
        };
        self.deliver(Item { envelope, taken: taken.clone() }, after, fate == Fate::Overtake);
        match (taken, fate) {
            (Some(taken), _) => taken.boxed(),
            (None, Fate::LoseConfirm) => self.later(lost),
            (None, _) => self.later(Ok(())),
        }
    }

    /// The way to the queue, in the order of sending.
    fn travel(&mut self, queue: &Queue) -> Micros {
        let now = self.now();
        let own = if self.chance.bus.hits(600) { Micros(0) } else { self.chance.bus.millis(0, 4) };
        let slow = match self.weather.bus_slow {
            Micros(0) => Micros(0),
            Micros(most) => Micros(self.chance.bus.between(0, most)),
        };
        let state = self.bus.queues.entry(queue.clone()).or_default();
        state.last_at = state.last_at.max(now + own + slow);
        state.last_at.since(now)
    }

    fn deliver(&mut self, item: Item, after: Micros, first: bool) {
        if after == Micros(0) {
            let queue = item.envelope.queue.clone();
            self.bus.queues.entry(queue).or_default().push(item, first);
            return;
        }
        let era = self.bus.era;
        self.plan(after, "deliver", move |world| {
            if world.bus.era == era {
                let queue = item.envelope.queue.clone();
                world.bus.queues.entry(queue).or_default().push(item, false);
            }
        });
    }

    /// The bus's answer to the sender.
    fn later(&mut self, result: Result<(), BusError>) -> BoxFuture<'static, Result<(), BusError>> {
        if self.chance.bus.hits(500) {
            return ready(result).boxed();
        }
        let slot = Slot::empty();
        let filled = slot.clone();
        let after = self.chance.bus.millis(0, 5);
        self.plan(after, "confirm", move |_| filled.fill(result));
        slot.boxed()
    }

    fn cover_message(&mut self, message: &Message) {
        let Message::Outcome(outcome) = message else { return };
        let name = match outcome.kind {
            OutcomeKind::Known { .. } => "known",
            OutcomeKind::Rejected { .. } => "rejected",
            OutcomeKind::CancelRefused { .. } => "cancel_refused",
            OutcomeKind::InDoubt { .. } => "in_doubt",
            OutcomeKind::NeverArrived { .. } => "never_arrived",
        };
        self.cover.hit(Kind::Outcome, name);
    }
}

/// A life's hold of the bus.
pub(crate) struct SimBus {
    pub(crate) sim: Sim,
    pub(crate) life: Arc<Life>,
}

impl Bus for SimBus {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforePublish) {
            return never();
        }
        world.cover.hit(Kind::Effect, if envelope.id.is_some() { "publish" } else { "notify" });
        world.cover_message(&envelope.message);
        let sent = world.publish(envelope);
        if world.point(&self.life, Point::AfterPublish) { never() } else { sent }
    }

    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        let mut world = self.sim.lock();
        let state = world.bus.queues.entry(queue.clone()).or_default();
        if state.reader.is_some() {
            return Err(BusError::Unavailable(format!("queue {queue} has a reader already")));
        }
        state.reader = Some(Arc::clone(&self.life));
        Ok(Box::new(SimConsumer { sim: self.sim.clone(), life: Arc::clone(&self.life), queue }))
    }

    fn publish_market(&self, event: &MarketEvent) {
        let mut world = self.sim.lock();
        if self.life.is_over() {
            return;
        }
        for subscriber in world.bus.subscribers.iter_mut().filter(|subscriber| subscriber.interest.covers(event)) {
            let same = |waiting: &MarketEvent| matches!((waiting, event), (MarketEvent::Quote(old), MarketEvent::Quote(new)) if old.symbol == new.symbol);
            match subscriber.waiting.iter_mut().find(|waiting| same(waiting)) {
                Some(waiting) => *waiting = event.clone(),
                None => subscriber.waiting.push_back(event.clone()),
            }
            if let Some(waker) = subscriber.waker.take() {
                waker.wake();
            }
        }
    }

    fn market(&self, _: &str, interest: Interest) -> Box<dyn MarketStream> {
        let mut world = self.sim.lock();
        world.bus.subscribed += 1;
        let number = world.bus.subscribed;
        let life = Arc::clone(&self.life);
        world.bus.subscribers.push(Subscriber { life, number, interest, waiting: VecDeque::new(), waker: None });
        Box::new(SimMarket { sim: self.sim.clone(), number })
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        let world = self.sim.lock();
        world
            .bus
            .queues
            .iter()
            .map(|(queue, state)| (queue.clone(), state.waiting.len() + state.unacked.len()))
            .collect()
    }
}

struct SimConsumer {
    sim: Sim,
    life: Arc<Life>,
    queue: Queue,
}

impl Consumer for SimConsumer {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        poll_fn(|context| {
            let mut world = self.sim.lock();
            if self.life.is_over() {
                return Poll::Pending;
            }
            let Some(state) = world.bus.queues.get_mut(&self.queue) else { return Poll::Pending };
            match state.take() {
                Some(delivery) => Poll::Ready(Some(delivery)),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<Delivery> {
        let mut world = self.sim.lock();
        if self.life.is_over() { None } else { world.bus.queues.get_mut(&self.queue)?.take() }
    }

    fn ack(&mut self, tag: u64) {
        let mut world = self.sim.lock();
        if world.point(&self.life, Point::BeforeAck) {
            return;
        }
        let item = world.bus.queues.get_mut(&self.queue).and_then(|state| state.unacked.remove(&tag));
        if let Some(taken) = item.and_then(|item| item.taken) {
            taken.fill(Ok(()));
        }
        world.point(&self.life, Point::AfterAck);
    }
}

struct SimMarket {
    sim: Sim,
    number: u64,
}

impl SimMarket {
    fn with<T>(&self, act: impl FnOnce(&mut Subscriber) -> T) -> Option<T> {
        let mut world = self.sim.lock();
        world.bus.subscribers.iter_mut().find(|subscriber| subscriber.number == self.number).map(act)
    }
}

impl MarketStream for SimMarket {
    fn next(&mut self) -> BoxFuture<'_, Option<MarketEvent>> {
        poll_fn(|context| {
            let polled = self.with(|subscriber| {
                let event = subscriber.waiting.pop_front();
                if event.is_none() {
                    subscriber.waker = Some(context.waker().clone());
                }
                event
            });
            polled.flatten().map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<MarketEvent> {
        self.with(|subscriber| subscriber.waiting.pop_front()).flatten()
    }

    fn handled(&mut self) {}
}
