//! The loop.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, pending};
use futures_util::select_biased;
use futures_util::stream::{FuturesUnordered, StreamExt};
use nightdesk_bus::{Bus, BusError, Consumer, Delivery, MarketStream};
use nightdesk_env::{Busy, Env, planted};
use nightdesk_platform::EmergencyJournal;
use nightdesk_store::{Batch, JournalRow, OutboxRow, Snapshot, Store, StoreError};
use nightdesk_units::{Micros, Timestamp};
use nightdesk_wire::{Envelope, Message, MessageId, Queue};

use crate::events::{EventReceiver, Source, Tracked};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::{Input, Outgoing, RestoreError, Service, Status, Step, StorageState, Turn};

/// The most inputs that one turn, and so one commit, takes from each port.
const MAX_INPUTS: usize = 64;
/// The most market events one turn takes.
const MAX_MARKET: usize = 256;
/// How long the store may lag behind in knowing what has been delivered, when there is nothing else to write.
const DELIVERED_LAG: Micros = Micros::from_millis(200);
/// How long to wait before a failed store or bus is tried again.
pub(crate) const RETRY: Micros = Micros::from_millis(100);
/// Facts between snapshots.
const SNAPSHOT_EVERY: u64 = 20_000;

/// Does an effect; a future's outcome comes back to the service as an event.
pub type Perform<S> =
    Box<dyn FnMut(<S as Service>::Effect) -> Option<BoxFuture<'static, <S as Service>::Event>> + Send>;

/// What a shell runs on.
pub struct Ports<S: Service> {
    /// Time and activity.
    pub env: Env,
    /// The service's store.
    pub store: Arc<dyn Store>,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// Takes records when the store cannot.
    pub emergency: Arc<dyn EmergencyJournal>,
    /// Messages.
    pub queue: Box<dyn Consumer>,
    /// Messages that nothing may delay.
    pub control: Option<Box<dyn Consumer>>,
    /// Market data.
    pub market: Option<Box<dyn MarketStream>>,
    /// What operators and other callers say.
    pub events: EventReceiver<S::Event>,
    /// What another port says.
    pub source: Option<Box<dyn Source<S::Event>>>,
    /// Does an effect; a future's outcome comes back as an event.
    pub perform: Perform<S>,
    /// Ends the shell.
    pub stop: async_channel::Receiver<()>,
    /// Vital signs.
    pub status: Arc<Status>,
}

/// Why a shell ended other than by being asked.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The store refuses for good.
    #[error("{service} cannot go on")]
    Store {
        /// The service.
        service: String,
        /// Why.
        source: StoreError,
    },
    /// The stored state does not make sense.
    #[error("{service} cannot start")]
    Restore {
        /// The service.
        service: String,
        /// Why.
        source: RestoreError,
    },
    /// The bus was closed while the service ran.
    #[error("{service} lost the bus")]
    Bus {
        /// The service.
        service: String,
    },
}

/// Runs `service` until it is stopped or can no longer do its work.
///
/// # Errors
/// A store that is fenced, damaged or of a newer version; a state that cannot be restored; a closed bus.
pub async fn run<S: Service + Send>(service: S, ports: Ports<S>) -> Result<(), ShellError> {
    Shell::start(service, ports).await?.run().await
}

/// An effect's outcome, with the token that kept the run from resting meanwhile.
pub(crate) type Effect<E> = BoxFuture<'static, Tracked<E>>;
/// Queue and number of a message that has arrived.
type Confirm = BoxFuture<'static, (String, u64)>;

/// A service at work.
pub struct Shell<S: Service> {
    pub(crate) service: S,
    pub(crate) ports: Ports<S>,
    inbox: Inbox,
    outbox: Outbox,
    pub(crate) effects: FuturesUnordered<Effect<S::Event>>,
    confirms: FuturesUnordered<Confirm>,
    sleep: Option<(Timestamp, BoxFuture<'static, ()>)>,
    version: u64,
    snapshot_version: u64,
    news_since: Option<Timestamp>,
    step: Step<S::Effect>,
    /// Control messages served without the store, to be handled again now that it works.
    pub(crate) held: Vec<Delivery>,
}

/// Everything one turn takes in.
struct Intake<E> {
    deliveries: Vec<(bool, Delivery)>,
    events: Vec<Tracked<E>>,
    market: Vec<nightdesk_market::MarketEvent>,
    woken: bool,
    started: bool,
    stop: bool,
    closed: bool,
}

impl<E> Default for Intake<E> {
    fn default() -> Self {
        Self {
            deliveries: Vec::new(),
            events: Vec::new(),
            market: Vec::new(),
            woken: false,
            started: false,
            stop: false,
            closed: false,
        }
    }
}

impl<E> Intake<E> {
    fn inputs(&self) -> usize {
        self.deliveries.len() + self.events.len()
    }
}

impl<S: Service + Send> Shell<S> {
    /// Restores the service and takes its first turn. Apart from [`Shell::run`], so that a lockstep run can start its
    /// services one after the other.
    ///
    /// # Errors
    /// A store that cannot be read, or a state that cannot be restored.
    pub async fn start(mut service: S, ports: Ports<S>) -> Result<Self, ShellError> {
        let name = service.name().to_owned();
        let mut recovered =
            ports.store.recover().await.map_err(|source| ShellError::Store { service: name.clone(), source })?;
        if planted("outbox-not-republished") {
            recovered.outbox.clear();
        }
        if planted("numbers-start-again") {
            recovered.cursors.clear();
        }
        let snapshot = recovered.snapshot.as_ref();
        let snapshot_version = snapshot.map_or(0, |snapshot| snapshot.version);
        let version = recovered.tail.last().map_or(snapshot_version, |row| row.version);
        service
            .restore(snapshot.map(|snapshot| snapshot.body.as_str()), &recovered.tail)
            .map_err(|source| ShellError::Restore { service: name, source })?;
        let mut shell = Self {
            service,
            ports,
            inbox: Inbox::restore(recovered.inbox),
            outbox: Outbox::restore(recovered.cursors, &recovered.outbox),
            effects: FuturesUnordered::new(),
            confirms: FuturesUnordered::new(),
            sleep: None,
            version,
            snapshot_version,
            news_since: None,
            step: Step::default(),
            held: Vec::new(),
        };
        shell.republish(recovered.outbox);
        shell.ports.status.set_storage(StorageState::Works);
        shell.ports.status.committed(version);
        shell.turn(Intake { started: true, ..Intake::default() }).await?;
        Ok(shell)
    }

    /// Goes round until it is stopped.
    ///
    /// # Errors
    /// A store that refuses for good, or a closed bus.
    pub async fn run(mut self) -> Result<(), ShellError> {
        loop {
            let mut intake = if self.held.is_empty() { self.wait().await } else { self.take_held() };
            if intake.stop {
                return self.end().await;
            }
            if intake.closed {
                return Err(ShellError::Bus { service: self.service.name().to_owned() });
            }
            self.drain(&mut intake);
            self.turn(intake).await?;
        }
    }

    /// What had been committed and is not known to have arrived goes out again; receivers know repeats.
    fn republish(&mut self, rows: Vec<OutboxRow>) {
        for row in rows {
            match serde_json::from_str::<Message>(&row.body) {
                Ok(message) => self.publish(row.queue, row.seq, message),
                Err(error) => {
                    tracing::error!(%error, queue = row.queue, seq = row.seq, "an outbox row cannot be read; it stays");
                }
            }
        }
    }

    /// Waits until something comes in; takes the first of it.
    async fn wait(&mut self) -> Intake<S::Event> {
        let mut intake = Intake::default();
        let wakeup = self.next_wakeup();
        self.set_sleep(wakeup);
        let sleep = async {
            match &mut self.sleep {
                Some((_, sleep)) => sleep.await,
                None => pending().await,
            }
        };
        let control = optional(self.ports.control.as_mut().map(|control| control.next()));
        let market = optional(self.ports.market.as_mut().map(|market| market.next()));
        let source = optional(self.ports.source.as_mut().map(|source| source.next()));
        let (effects, confirms) = (&mut self.effects, &mut self.confirms);
        select_biased! {
            () = async { let _ = self.ports.stop.recv().await; }.fuse() => intake.stop = true,
            effect = next_or_pending(effects).fuse() => intake.events.push(effect),
            delivery = control.fuse() => match delivery {
                Some(delivery) => intake.deliveries.push((true, delivery)),
                None => intake.closed = true,
            },
            event = received(&self.ports.events).fuse() => intake.events.push(event),
            event = source.fuse() => match event {
                Some(event) => intake.events.push(Tracked { event, busy: None }),
                None => intake.closed = true,
            },
            (queue, seq) = next_or_pending(confirms).fuse() => self.outbox.confirm(&queue, seq),
            delivery = self.ports.queue.next().fuse() => match delivery {
                Some(delivery) => intake.deliveries.push((false, delivery)),
                None => intake.closed = true,
            },
            event = market.fuse() => match event {
                Some(event) => intake.market.push(event),
                None => intake.closed = true,
            },
            () = sleep.fuse() => intake.woken = true,
        }
        if intake.woken {
            self.sleep = None;
        }
        intake
    }

    /// The control messages that were served without the store, to be handled as if they had just come.
    fn take_held(&mut self) -> Intake<S::Event> {
        let deliveries = std::mem::take(&mut self.held).into_iter().map(|delivery| (true, delivery));
        Intake { deliveries: deliveries.collect(), ..Intake::default() }
    }

    /// Takes what else is there without waiting, so that one commit covers it. Each port has a share of its own: a flood
    /// of market data delays no command, and a service that is never at rest is still woken.
    fn drain(&mut self, intake: &mut Intake<S::Event>) {
        for _ in 0..MAX_INPUTS {
            let Some(Some(effect)) = self.effects.next().now_or_never() else { break };
            intake.events.push(effect);
        }
        while let Some(Some((queue, seq))) = self.confirms.next().now_or_never() {
            self.outbox.confirm(&queue, seq);
        }
        for _ in 0..MAX_INPUTS {
            let Some(delivery) = self.ports.control.as_mut().and_then(|control| control.try_next()) else { break };
            intake.deliveries.push((true, delivery));
        }
        for _ in 0..MAX_INPUTS {
            let Ok(event) = self.ports.events.channel.try_recv() else { break };
            intake.events.push(event);
        }
        for _ in 0..MAX_MARKET {
            let Some(source) = &mut self.ports.source else { break };
            let Some(Some(event)) = source.next().now_or_never() else { break };
            intake.events.push(Tracked { event, busy: None });
        }
        for _ in 0..MAX_INPUTS {
            let Some(delivery) = self.ports.queue.try_next() else { break };
            intake.deliveries.push((false, delivery));
        }
        while intake.market.len() < MAX_MARKET {
            let Some(event) = self.ports.market.as_mut().and_then(|market| market.try_next()) else { break };
            intake.market.push(event);
        }
        // In a lockstep run nobody is ever late: there the clock says who wakes when.
        let now = self.ports.env.now();
        if self.sleep.take_if(|(at, _)| *at < now).is_some() {
            intake.woken = true;
        }
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let flush = self.news_since.map(|since| since + DELIVERED_LAG);
        [self.service.next_wakeup(), flush].into_iter().flatten().min()
    }

    fn set_sleep(&mut self, wakeup: Option<Timestamp>) {
        let current = self.sleep.as_ref().map(|(at, _)| *at);
        if current != wakeup {
            let clock = &self.ports.env.clock;
            self.sleep = wakeup.map(|at| (at, clock.sleep_until(self.service.name(), at)));
        }
    }

    pub(crate) fn now_turn(&self) -> Turn {
        Turn { now: self.ports.env.now(), oldest_outbox: self.outbox.oldest() }
    }

    /// One turn: decide, commit, act, acknowledge.
    async fn turn(&mut self, intake: Intake<S::Event>) -> Result<(), ShellError> {
        // A lockstep run must not take the wait for the commit for rest.
        let _busy = Busy::new(&self.ports.env.activity);
        self.ports.status.begin();
        let turn = self.now_turn();
        let inputs = intake.inputs() + intake.market.len();
        let mut acks = Vec::with_capacity(intake.deliveries.len());
        let mut tokens: Vec<Option<Busy>> = Vec::new();
        let mut step = std::mem::take(&mut self.step);
        if intake.started {
            self.service.handle(&turn, Input::Started, &mut step);
        }
        for tracked in intake.events {
            self.service.handle(&turn, Input::Event(tracked.event), &mut step);
            tokens.push(tracked.busy);
        }
        for (control, delivery) in intake.deliveries {
            acks.push((control, delivery.tag));
            let new = delivery.envelope.id.as_ref().is_none_or(|id| self.inbox.accept(id));
            if new {
                self.service.handle(&turn, Input::Message(delivery.envelope.message), &mut step);
            }
        }
        for event in intake.market {
            self.service.handle(&turn, Input::Market(event), &mut step);
        }
        if intake.woken {
            self.service.handle(&turn, Input::Wakeup, &mut step);
        }
        if planted("ack-before-commit") {
            self.acknowledge(std::mem::take(&mut acks));
        }
        self.finish(turn, &mut step).await?;
        step.clear();
        self.step = step;
        self.acknowledge(acks);
        self.ports.status.turned(turn.now, self.outbox.oldest(), inputs);
        Ok(())
    }

    fn acknowledge(&mut self, acks: Vec<(bool, u64)>) {
        for (control, tag) in acks {
            match (control, &mut self.ports.control) {
                (true, Some(consumer)) => consumer.ack(tag),
                _ => self.ports.queue.ack(tag),
            }
        }
        if let Some(market) = &mut self.ports.market {
            market.handled();
        }
    }

    /// Commits what the turn changed, then lets it out.
    async fn finish(&mut self, turn: Turn, step: &mut Step<S::Effect>) -> Result<(), ShellError> {
        let mut batch = Batch::default();
        let mut numbers = self.fill(turn, step, &mut batch);
        if planted("effect-before-commit") {
            self.release(step, std::mem::take(&mut numbers));
        }
        if self.outbox.has_news() && self.news_since.is_none() {
            self.news_since = Some(turn.now);
        }
        let flush_due = self.news_since.is_some_and(|since| turn.now >= since + DELIVERED_LAG);
        if !batch.is_empty() || flush_due {
            batch.delivered = self.outbox.delivered();
            batch.inbox = self.inbox.changes();
            self.news_since = None;
            self.commit(batch, step).await?;
        }
        self.release(step, numbers);
        Ok(())
    }

    /// Writes the step into `batch`; returns the numbers of its messages, in order.
    fn fill(&mut self, turn: Turn, step: &mut Step<S::Effect>, batch: &mut Batch) -> Vec<u64> {
        for record in step.records.drain(..) {
            self.version += 1;
            batch.journal.push(JournalRow {
                stream: self.service.name().to_owned(),
                version: self.version,
                epoch: self.service.epoch(),
                at: record.at,
                kind: record.kind.to_owned(),
                body: record.body,
            });
        }
        let mut numbers = Vec::new();
        for out in &step.out {
            let Outgoing::Send(queue, message) = out else { continue };
            let seq = self.outbox.number(queue.as_str(), turn.now);
            let body = serde_json::to_string(message).unwrap_or_default();
            batch.outbox.push(OutboxRow { queue: queue.as_str().to_owned(), seq, at: turn.now, body });
            numbers.push(seq);
        }
        let mut queues: Vec<&String> = batch.outbox.iter().map(|row| &row.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        let cursors = queues.into_iter().map(|queue| (queue.clone(), self.outbox.last(queue)));
        batch.cursors = cursors.collect();
        self.service.rows(&mut batch.rows);
        if self.version - self.snapshot_version >= SNAPSHOT_EVERY {
            batch.snapshot = Some(self.snapshot(turn.now));
        }
        numbers
    }

    fn snapshot(&mut self, at: Timestamp) -> Snapshot {
        self.snapshot_version = self.version;
        let stream = self.service.name().to_owned();
        Snapshot { stream, version: self.version, at, body: self.service.snapshot() }
    }

    /// Commits; while the store takes no writes for want of room or reach, holds the turn back and serves emergencies.
    async fn commit(&mut self, batch: Batch, held: &mut Step<S::Effect>) -> Result<(), ShellError> {
        let mut failed = false;
        loop {
            match self.ports.store.commit(batch.clone()).await {
                Ok(()) => break,
                Err(_) if planted("refused-commit-believed") => break,
                Err(error @ (StoreError::Full { .. } | StoreError::Unavailable { .. })) => {
                    if !failed {
                        let service = self.service.name();
                        tracing::error!(
                            %error,
                            service,
                            runbook = "docs/runbooks/storage.md",
                            "{service} cannot write: {error}; no new risk from now on, exits still work"
                        );
                        failed = true;
                        self.ports.status.set_storage(StorageState::Failed);
                        self.service.storage(false);
                        self.let_exits_out(held);
                    }
                    self.ports.status.waits();
                    if !self.emergencies().await {
                        return Err(ShellError::Store { service: self.service.name().to_owned(), source: error });
                    }
                }
                Err(source) => {
                    return Err(ShellError::Store { service: self.service.name().to_owned(), source });
                }
            }
        }
        if failed {
            tracing::warn!(service = self.service.name(), "the store takes writes again");
            self.ports.status.set_storage(StorageState::Works);
            self.service.storage(true);
        }
        self.ports.status.committed(self.version);
        Ok(())
    }

    /// Sends a committed message until the bus has taken it.
    fn publish(&mut self, queue: String, seq: u64, message: Message) {
        let id = MessageId { source: format!("{}/{queue}", self.service.name()), seq };
        let envelope = Envelope { queue: Queue::named(queue.clone()), id: Some(id), message };
        let (bus, clock) = (Arc::clone(&self.ports.bus), Arc::clone(&self.ports.env.clock));
        let name = self.service.name().to_owned();
        // The first attempt starts now, so that messages leave in the order in which they were decided.
        let mut attempt = bus.publish(envelope.clone());
        self.confirms.push(Box::pin(async move {
            loop {
                match attempt.await {
                    Ok(()) => return (queue, seq),
                    // A closed bus ends the shell; the row stays for the next start.
                    Err(BusError::Closed) => pending().await,
                    Err(BusError::Unavailable(_)) => clock.sleep_until(&name, clock.now() + RETRY).await,
                }
                attempt = bus.publish(envelope.clone());
            }
        }));
    }

    /// Lets out what the turn decided, in its order.
    pub(crate) fn release(&mut self, step: &mut Step<S::Effect>, numbers: Vec<u64>) {
        let mut numbers = numbers.into_iter();
        for out in step.out.drain(..) {
            match out {
                Outgoing::Send(queue, message) => {
                    if let Some(seq) = numbers.next() {
                        self.publish(queue.as_str().to_owned(), seq, message);
                    }
                }
                Outgoing::Notify(queue, message) => {
                    let sent = self.ports.bus.publish(Envelope { queue, id: None, message });
                    self.confirms.push(Box::pin(async move {
                        let _ = sent.await;
                        (String::new(), 0)
                    }));
                }
                Outgoing::Market(event) => self.ports.bus.publish_market(&event),
            }
        }
        for effect in step.effects.drain(..) {
            let busy = Busy::new(&self.ports.env.activity);
            if let Some(outcome) = (self.ports.perform)(effect) {
                self.effects.push(Box::pin(async move { Tracked { event: outcome.await, busy: Some(busy) } }));
            }
        }
    }

    /// The last turn: what has arrived is noted, and a snapshot makes the next start quick.
    async fn end(&mut self) -> Result<(), ShellError> {
        while let Some(Some((queue, seq))) = self.confirms.next().now_or_never() {
            self.outbox.confirm(&queue, seq);
        }
        let mut batch = Batch { delivered: self.outbox.delivered(), inbox: self.inbox.changes(), ..Batch::default() };
        self.service.rows(&mut batch.rows);
        if self.version > self.snapshot_version {
            batch.snapshot = Some(self.snapshot(self.ports.env.now()));
        }
        let service = self.service.name().to_owned();
        self.ports.store.commit(batch).await.map_err(|source| ShellError::Store { service, source })
    }
}

/// The next event; never, when every sender is gone and nothing will come this way any more.
pub(crate) async fn received<E>(events: &EventReceiver<E>) -> Tracked<E> {
    match events.channel.recv().await {
        Ok(event) => event,
        Err(_) => pending().await,
    }
}

pub(crate) async fn optional<T>(future: Option<BoxFuture<'_, Option<T>>>) -> Option<T> {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

pub(crate) async fn next_or_pending<F: Future>(futures: &mut FuturesUnordered<F>) -> F::Output {
    match futures.next().await {
        Some(output) => output,
        None => pending().await,
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
