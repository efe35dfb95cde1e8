//! A shell with a tiny service on scripted ports; everything that happens outside is written down, line by line.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_bus::{Bus, BusError, Consumer, Delivery, Interest, MarketStream};
use nightdesk_env::{Env, NoActivity, SeededEntropy, VirtualClock};
use nightdesk_market::MarketEvent;
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_store::{
    Answer, Batch, Column, JournalRow, Kind, ModelStore, Recovered, Row, Select, Store, StoreError, Table,
};
use nightdesk_units::Timestamp;
use nightdesk_wire::{Envelope, Message, MessageId, Queue};

use crate::{
    EventSender, Input, Ports, RestoreError, Service, Shell, ShellError, Source, Status, Step, Stopper, Turn, channel,
    stopper,
};

static SUMS: Table = Table {
    name: "sums",
    columns: &[Column { name: "name", kind: Kind::Text }, Column { name: "sum", kind: Kind::Int }],
    key: 1,
    indexes: &[],
};

/// What happened outside, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

/// Adds up the numbers it hears. Up to 99 they are facts that are sent on and acted upon; from 100 on it only notifies.
#[derive(Default)]
pub(crate) struct Adder {
    sum: u64,
    changed: bool,
    wake_at: Option<Timestamp>,
    pub(crate) log: Log,
}

impl Adder {
    fn hear(&mut self, turn: &Turn, n: u64, step: &mut Step<u64>) {
        let message = Message::ModeEffective { version: n, in_flight: Vec::new() };
        if n >= 100 {
            step.notify(Queue::CORE, message);
            return;
        }
        step.record("added", turn.now, &n);
        self.sum += n;
        self.changed = true;
        step.send(Queue::CORE, message);
        step.act(n);
    }
}

impl Service for Adder {
    type Event = u64;
    type Effect = u64;

    fn name(&self) -> &str {
        "adder"
    }

    fn epoch(&self) -> u64 {
        1
    }

    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError> {
        let read = |text: &str| text.parse::<u64>().map_err(|error| RestoreError(error.to_string()));
        self.sum = snapshot.map_or(Ok(0), read)?;
        for row in tail {
            self.sum += read(&row.body)?;
        }
        self.log.say(format!("restored sum {} snapshot {snapshot:?} tail {}", self.sum, tail.len()));
        Ok(())
    }

    fn snapshot(&self) -> String {
        self.sum.to_string()
    }

    fn handle(&mut self, turn: &Turn, input: Input<u64>, step: &mut Step<u64>) {
        match input {
            Input::Started => {}
            Input::Wakeup => {
                if self.wake_at.take_if(|at| *at <= turn.now).is_some() {
                    self.log.say("woken");
                }
            }
            Input::Message(Message::ModeEffective { version, .. }) => self.hear(turn, version, step),
            // An effect's outcome.
            Input::Event(n) if n >= 1_000 => self.log.say(format!("outcome {n}")),
            // Asks to be woken so many milliseconds later.
            Input::Event(n) if n >= 500 => self.wake_at = Some(turn.now + nightdesk_units::Micros::from_millis(1)),
            Input::Event(n) => self.hear(turn, n, step),
            other => panic!("{other:?}"),
        }
    }

    fn rows(&mut self, rows: &mut Vec<Row>) {
        if std::mem::take(&mut self.changed) {
            let sum = i64::try_from(self.sum).unwrap();
            rows.push(Row { table: &SUMS, values: vec!["sum".into(), sum.into()] });
        }
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.wake_at
    }

    // Nine is an exit.
    fn held_back(&mut self, turn: &Turn, held: &mut Step<u64>, step: &mut Step<u64>) {
        if let Some(at) = held.effects.iter().position(|n| *n == 9) {
            step.record("exit", turn.now, &9);
            step.act(held.effects.remove(at));
        }
    }

    fn emergency(&mut self, turn: &Turn, input: Input<u64>, step: &mut Step<u64>) {
        if let Input::Message(Message::ModeEffective { version: n, .. }) | Input::Event(n) = input {
            step.record("emergency", turn.now, &n);
            step.act(n);
        }
    }

    fn storage(&mut self, works: bool) {
        self.log.say(if works { "storage works" } else { "storage failed" });
    }
}

/// A store that writes down its commits and, while its gate is shut, does not get round to them.
#[derive(Clone)]
pub(crate) struct GatedStore {
    pub(crate) inner: ModelStore,
    log: Log,
    shut: Arc<Mutex<bool>>,
}

impl Store for GatedStore {
    fn recover(&self) -> Answer<Recovered> {
        self.inner.recover()
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let this = self.clone();
        async move {
            poll_fn(|_| if *this.shut.lock().unwrap() { Poll::Pending } else { Poll::Ready(()) }).await;
            let facts: Vec<&str> = batch.journal.iter().map(|row| row.body.as_str()).collect();
            let outbox: Vec<String> = batch.outbox.iter().map(|row| format!("{}#{}", row.queue, row.seq)).collect();
            let inbox: Vec<String> = batch.inbox.iter().map(|mark| format!("{}", mark.floor)).collect();
            let mut text = format!("commit facts {facts:?} outbox {outbox:?} inbox {inbox:?}");
            if !batch.delivered.is_empty() {
                text += &format!(" delivered {:?}", batch.delivered);
            }
            if let Some(snapshot) = &batch.snapshot {
                text += &format!(" snapshot {} at version {}", snapshot.body, snapshot.version);
            }
            let result = this.inner.commit(batch).await;
            match &result {
                Ok(()) => this.log.say(text.replace('"', "")),
                Err(error) => this.log.say(format!("no commit: {error}")),
            }
            result
        }
        .boxed()
    }

    fn journal(&self, stream: &str, after: u64, limit: usize) -> Answer<Vec<JournalRow>> {
        self.inner.journal(stream, after, limit)
    }

    fn select(&self, select: Select) -> Answer<Vec<Vec<nightdesk_store::Value>>> {
        self.inner.select(select)
    }

    fn oldest_outbox(&self) -> Answer<Option<Timestamp>> {
        self.inner.oldest_outbox()
    }
}

#[derive(Default)]
struct BusState {
    queue: VecDeque<Delivery>,
    control: VecDeque<Delivery>,
    unconfirmed: Vec<async_channel::Sender<()>>,
    down: bool,
    tag: u64,
}

/// A bus of which the test is the other side: it writes down what is published and confirms when told to.
#[derive(Clone, Default)]
pub(crate) struct ScriptedBus {
    state: Arc<Mutex<BusState>>,
    log: Log,
}

struct ScriptedConsumer(ScriptedBus, bool);

impl ScriptedConsumer {
    fn take(&self) -> Option<Delivery> {
        let mut state = self.0.state.lock().unwrap();
        if self.1 { state.control.pop_front() } else { state.queue.pop_front() }
    }
}

impl Consumer for ScriptedConsumer {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        poll_fn(|_| self.take().map_or(Poll::Pending, |delivery| Poll::Ready(Some(delivery)))).boxed()
    }

    fn try_next(&mut self) -> Option<Delivery> {
        self.take()
    }

    fn ack(&mut self, tag: u64) {
        self.0.log.say(format!("ack {tag}"));
    }
}

impl Bus for ScriptedBus {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        let Message::ModeEffective { version, .. } = envelope.message else { panic!("{envelope:?}") };
        let mut state = self.state.lock().unwrap();
        let name = envelope.id.map_or("unnumbered".to_owned(), |id| format!("{}#{}", id.source, id.seq));
        self.log.say(format!(
            "publish {version} to {} as {name}{}",
            envelope.queue,
            if state.down { ", lost" } else { "" }
        ));
        if state.down {
            return futures_util::future::ready(Err(BusError::Unavailable("down".to_owned()))).boxed();
        }
        let (tx, rx) = async_channel::bounded(1);
        state.unconfirmed.push(tx);
        async move { rx.recv().await.map_err(|_| BusError::Closed) }.boxed()
    }

    fn consume(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        Ok(Box::new(ScriptedConsumer(self.clone(), queue.as_str().ends_with(".control"))))
    }

    fn publish_market(&self, _: &MarketEvent) {}

    fn market(&self, _: &str, _: Interest) -> Box<dyn MarketStream> {
        panic!("the adder hears no market")
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        Vec::new()
    }
}

struct Emergencies(Log);

impl EmergencyJournal for Emergencies {
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError> {
        self.0.say(format!("emergency journal: {} {}", record.kind, record.body));
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, _: usize) -> Result<(), PlatformError> {
        Ok(())
    }
}

/// Another port that has so much to say.
struct Flood(Arc<Mutex<u64>>);

impl Source<u64> for Flood {
    fn next(&mut self) -> BoxFuture<'_, Option<u64>> {
        let left = Arc::clone(&self.0);
        poll_fn(move |_| {
            let mut left = left.lock().unwrap();
            if *left == 0 {
                return Poll::Pending;
            }
            *left -= 1;
            Poll::Ready(Some(100))
        })
        .boxed()
    }
}

type Running = BoxFuture<'static, Result<(), ShellError>>;

/// The shell and everything around it.
pub(crate) struct House {
    pub(crate) clock: VirtualClock,
    pub(crate) store: GatedStore,
    pub(crate) bus: ScriptedBus,
    pub(crate) log: Log,
    pub(crate) status: Arc<Status>,
    pub(crate) events: Option<EventSender<u64>>,
    pub(crate) flood: Arc<Mutex<u64>>,
    stopper: Option<Stopper>,
    running: Option<Running>,
}

impl House {
    /// A shell that has started on an empty store.
    pub(crate) fn new() -> Self {
        let mut house = Self::idle();
        house.start();
        house
    }

    pub(crate) fn idle() -> Self {
        let log = Log::default();
        Self {
            clock: VirtualClock::new(Timestamp(1_000_000)),
            store: GatedStore { inner: ModelStore::new("adder.db"), log: log.clone(), shut: Arc::default() },
            bus: ScriptedBus { log: log.clone(), ..ScriptedBus::default() },
            log,
            status: Arc::default(),
            events: None,
            flood: Arc::default(),
            stopper: None,
            running: None,
        }
    }

    pub(crate) fn start(&mut self) {
        let activity: Arc<dyn nightdesk_env::Activity> = Arc::new(NoActivity);
        let (stopper, stop) = stopper();
        let (tx, events) = channel(&activity, 16);
        self.status = Arc::default();
        let log = self.log.clone();
        let entropy = Arc::new(SeededEntropy::new(1));
        let ports = Ports {
            env: Env { clock: Arc::new(self.clock.clone()), entropy, activity },
            store: Arc::new(self.store.clone()),
            bus: Arc::new(self.bus.clone()),
            emergency: Arc::new(Emergencies(self.log.clone())),
            queue: self.bus.consume(Queue::named("adder".to_owned())).unwrap(),
            control: Some(self.bus.consume(Queue::named("adder.control".to_owned())).unwrap()),
            market: None,
            events,
            source: Some(Box::new(Flood(Arc::clone(&self.flood)))),
            perform: Box::new(move |n| {
                log.say(format!("effect {n}"));
                // Only the number 9 has an outcome.
                (n == 9).then(|| futures_util::future::ready(1_009).boxed())
            }),
            stop,
            status: Arc::clone(&self.status),
        };
        (self.events, self.stopper) = (Some(tx), Some(stopper));
        let adder = Adder { log: self.log.clone(), ..Adder::default() };
        self.running = Some(async move { Shell::start(adder, ports).await?.run().await }.boxed());
        self.go();
    }

    /// Lets the shell run as far as it can.
    pub(crate) fn go(&mut self) {
        for _ in 0..32 {
            let Some(running) = &mut self.running else { return };
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(end) = running.as_mut().poll(&mut context) {
                let text = end.map_or_else(|error| format!("ended: {error}"), |()| "ended".to_owned());
                self.log.say(text);
                self.running = None;
            }
        }
    }

    /// Hands the shell message `seq` of the queue or, by `control`, of the control queue.
    fn deliver(&mut self, control: bool, seq: u64, n: u64) {
        let mut state = self.bus.state.lock().unwrap();
        state.tag += 1;
        let queue = Queue::named(if control { "adder.control" } else { "adder" }.to_owned());
        let id = Some(MessageId { source: format!("test/{queue}"), seq });
        let message = Message::ModeEffective { version: n, in_flight: Vec::new() };
        let delivery = Delivery { tag: state.tag, envelope: Envelope { queue, id, message } };
        if control { state.control.push_back(delivery) } else { state.queue.push_back(delivery) }
    }

    /// `hear SEQ N`, `control SEQ N`, `ask N`, `shut`, `open`, `fault full|fenced|none`, `confirm`, `bus down|up`,
    /// `wait MS`, `stop`, `crash`, `start`, `flood N`, `nobody`.
    fn run(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().unwrap();
        let place = || "adder.db".to_owned();
        match words.as_slice() {
            ["hear", seq, n] => self.deliver(false, number(seq), number(n)),
            ["control", seq, n] => self.deliver(true, number(seq), number(n)),
            ["ask", n] => self.events.as_ref().unwrap().try_send(number(n)).unwrap(),
            ["shut"] => *self.store.shut.lock().unwrap() = true,
            ["open"] => *self.store.shut.lock().unwrap() = false,
            ["fault", "full"] => self.store.inner.set_fault(Some(StoreError::Full { place: place() })),
            ["fault", "fenced"] => {
                let detail = "epoch 2".to_owned();
                self.store.inner.set_fault(Some(StoreError::Fenced { place: place(), detail }));
            }
            ["fault", "none"] => self.store.inner.set_fault(None),
            ["confirm"] => {
                self.bus.state.lock().unwrap().unconfirmed.drain(..).for_each(|to| to.try_send(()).unwrap_or_default())
            }
            ["bus", how] => self.bus.state.lock().unwrap().down = *how == "down",
            ["wait", ms] => {
                let at =
                    nightdesk_env::Clock::now(&self.clock) + nightdesk_units::Micros::from_millis(number(ms) as i64);
                self.clock.advance_to(at);
            }
            ["stop"] => self.stopper.as_ref().unwrap().stop(),
            ["crash"] => {
                (self.running, self.events) = (None, None);
                self.bus.state.lock().unwrap().unconfirmed.clear();
            }
            ["start"] => self.start(),
            ["flood", n] => *self.flood.lock().unwrap() = number(n),
            ["nobody"] => self.events = None,
            ["rows"] => {
                let text = format!("rows {:?}", self.store.inner.rows(&SUMS));
                self.log.say(text);
            }
            other => panic!("no command {other:?}"),
        }
        self.go();
    }

    /// Runs commands separated by `|`; what happened after each is on the lines below it.
    pub(crate) fn play(&mut self, script: &str) -> String {
        let mut text = self.log.take();
        for command in script.split('|').map(str::trim) {
            self.run(command);
            text += &format!("\n> {command}");
            for line in self.log.take().lines() {
                text += &format!("\n  {line}");
            }
        }
        text.trim_start().to_owned() + "\n"
    }
}
