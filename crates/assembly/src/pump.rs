//! The same cores called one after the other, without shells, tasks or stores: what a backtest runs on.
//!
//! It does what a held bus and the shells' loop do, in the same order, so that the journal is the same; only rows, outbox
//! and inbox are left out, which no decision depends on.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_capital_manager::CapitalManager;
use nightdesk_core_engine::{CoreEngine, View};
use nightdesk_env::{Clock, Env, VirtualClock};
use nightdesk_exchange::{Events, Exchange, ExchangeEvent};
use nightdesk_exchange_connector::{ExchangeConnector, Gauges};
use nightdesk_market::MarketEvent;
use nightdesk_platform::EmergencyJournal;
use nightdesk_shell::{Input, Outgoing, Perform, Record, Service, Step, Turn};
use nightdesk_store::{JournalRow, Store};
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::Timestamp;
use nightdesk_wire::{Message, Queue};

use crate::{Market, Trading};

/// After so many turns of a service its list of changed rows is thrown away.
const FORGET_EVERY: u32 = 256;

/// Why a backtest stopped.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// An exchange in the process answers at once; this one did not.
    #[error("an effect of {0} did not finish: a backtest needs an exchange that answers at once")]
    Waits(&'static str),
}

/// One service with what it leads to.
struct Seat<S: Service> {
    service: S,
    step: Step<S::Effect>,
    perform: Perform<S>,
    /// Facts, each with the epoch it was decided in.
    journal: Option<Vec<(u64, Record)>>,
    turns: u32,
}

/// Who a message or market event goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Core,
    Capital,
    Connector,
    Worker(usize),
}

impl<S: Service> Seat<S> {
    fn new(service: S, perform: Perform<S>, keep_journal: bool) -> Self {
        let journal = keep_journal.then(Vec::new);
        Self { service, step: Step::default(), perform, journal, turns: 0 }
    }

    fn handle(&mut self, turn: &Turn, input: Input<S::Event>) {
        self.service.handle(turn, input, &mut self.step);
    }

    /// Journals the step, appends what leaves to `out`, and performs its effects; returns their outcomes to come.
    fn finish(&mut self, out: &mut VecDeque<Outgoing>) -> Vec<BoxFuture<'static, S::Event>> {
        match &mut self.journal {
            Some(journal) => journal.extend(self.step.records.drain(..).map(|record| (self.service.epoch(), record))),
            None => self.step.records.clear(),
        }
        out.extend(self.step.out.drain(..));
        self.turns += 1;
        if self.turns >= FORGET_EVERY {
            self.turns = 0;
            self.service.forget_changes();
        }
        let effects = self.step.effects.drain(..);
        effects.filter_map(&mut self.perform).collect()
    }

    /// Hands over what was journaled.
    fn journal(&mut self, rows: &mut Vec<JournalRow>) {
        let stream = self.service.name();
        rows.extend((1..).zip(self.journal.take().into_iter().flatten()).map(|(version, (epoch, record))| {
            JournalRow {
                stream: stream.to_owned(),
                version,
                epoch,
                at: record.at,
                kind: record.kind.to_owned(),
                body: record.body,
            }
        }));
    }
}

/// What a pump's services reach.
pub struct Outside {
    /// An exchange that answers at once.
    pub exchange: Arc<dyn Exchange>,
    /// What it says unasked.
    pub events: Box<dyn Events>,
    /// Where forgotten orders are looked up: nowhere, so an empty store will do.
    pub store: Arc<dyn Store>,
    /// Never used.
    pub emergency: Arc<dyn EmergencyJournal>,
}

/// The services and what lies between them.
pub struct Pump {
    clock: VirtualClock,
    /// What the clock shows: nobody else moves it.
    now: Timestamp,
    core: Seat<CoreEngine>,
    capital: Seat<CapitalManager>,
    workers: Vec<Seat<StrategyWorker>>,
    worker_queues: Vec<Queue>,
    interests: Vec<nightdesk_bus::Interest>,
    connector: Seat<ExchangeConnector>,
    events: Box<dyn Events>,
    queue: VecDeque<Outgoing>,
    next_wakeup: Timestamp,
    /// Market events taken in.
    pub market_events: u64,
}

impl Pump {
    /// Puts the services over `outside`. `env.clock` must be `clock`.
    #[must_use]
    pub fn new(trading: &Trading, env: Env, clock: VirtualClock, outside: Outside, keep_journal: bool) -> Self {
        Self::with_workers(trading, trading.workers(), env, clock, outside, keep_journal)
    }

    /// The same with these workers in place of those that the settings lead to: for measurements and tests.
    #[must_use]
    pub fn with_workers(
        trading: &Trading,
        workers: Vec<StrategyWorker>,
        env: Env,
        clock: VirtualClock,
        outside: Outside,
        keep_journal: bool,
    ) -> Self {
        let Outside { exchange, events, store, emergency } = outside;
        let window = trading.connector.recv_window;
        let connector = ExchangeConnector::new(trading.connector.clone(), Arc::new(Gauges::default()));
        let to_exchange = nightdesk_exchange_connector::performer(env.clone(), exchange, Arc::clone(&store), window);
        let core = CoreEngine::new(trading.core.clone());
        let to_store = nightdesk_core_engine::performer(env, store, emergency);
        Self {
            now: clock.now(),
            clock,
            core: Seat::new(core, Box::new(to_store), keep_journal),
            capital: Seat::new(CapitalManager::new(trading.capital()), Box::new(|_| None), keep_journal),
            worker_queues: workers.iter().map(StrategyWorker::queue).collect(),
            interests: workers.iter().map(StrategyWorker::interest).collect(),
            workers: workers.into_iter().map(|w| Seat::new(w, Box::new(|_| None), keep_journal)).collect(),
            connector: Seat::new(connector, Box::new(to_exchange), keep_journal),
            events,
            queue: VecDeque::new(),
            next_wakeup: Timestamp::default(),
            market_events: 0,
        }
    }

    /// The journals, service by service, as the shells' stores would hold them.
    pub fn journals(&mut self) -> Vec<JournalRow> {
        let mut rows = Vec::new();
        self.core.journal(&mut rows);
        self.capital.journal(&mut rows);
        self.workers.iter_mut().for_each(|worker| worker.journal(&mut rows));
        self.connector.journal(&mut rows);
        rows
    }

    /// How things stand.
    #[must_use]
    pub fn view(&self) -> View {
        self.core.service.view(&self.turn())
    }

    fn turn(&self) -> Turn {
        Turn { now: self.now, oldest_outbox: None }
    }

    fn advance_to(&mut self, at: Timestamp) {
        self.clock.advance_to(at);
        self.now = self.now.max(at);
    }

    /// Lets every service take its first turn.
    ///
    /// # Errors
    /// When the exchange does not answer at once.
    pub fn start(&mut self) -> Result<(), PumpError> {
        self.input(To::Core, None)?;
        self.input(To::Capital, None)?;
        for index in 0..self.workers.len() {
            self.input(To::Worker(index), None)?;
        }
        self.input(To::Connector, None)?;
        self.settle()
    }

    /// Runs `market` to its end.
    ///
    /// # Errors
    /// When the exchange does not answer at once.
    pub fn run(&mut self, market: &mut dyn Market) -> Result<(), PumpError> {
        while let Some(at) = market.next_at() {
            self.advance(at)?;
            market.step();
            self.market_events += 1;
            self.hear_exchange()?;
            self.settle()?;
        }
        Ok(())
    }

    /// Wakes whoever is due by `until`, earliest first, then by name.
    fn advance(&mut self, until: Timestamp) -> Result<(), PumpError> {
        if until < self.next_wakeup {
            self.advance_to(until);
            return Ok(());
        }
        while let Some((at, to)) = self.first_wakeup().filter(|(at, _)| *at <= until) {
            self.advance_to(at);
            self.wake(to)?;
            self.settle()?;
        }
        self.next_wakeup = self.first_wakeup().map_or(Timestamp(i64::MAX), |(at, _)| at);
        self.advance_to(until);
        Ok(())
    }

    fn first_wakeup(&self) -> Option<(Timestamp, To)> {
        let mut due: Option<(Timestamp, &str, To)> = None;
        let mut offer = |at: Option<Timestamp>, name, to| {
            if let Some(at) =
                at.filter(|at| due.as_ref().is_none_or(|(first, owner, _)| (*at, name) < (*first, *owner)))
            {
                due = Some((at, name, to));
            }
        };
        offer(self.core.service.next_wakeup(), self.core.service.name(), To::Core);
        offer(self.capital.service.next_wakeup(), self.capital.service.name(), To::Capital);
        offer(self.connector.service.next_wakeup(), self.connector.service.name(), To::Connector);
        for (index, worker) in self.workers.iter().enumerate() {
            offer(worker.service.next_wakeup(), worker.service.name(), To::Worker(index));
        }
        due.map(|(at, _, to)| (at, to))
    }

    fn wake(&mut self, to: To) -> Result<(), PumpError> {
        let turn = self.turn();
        match to {
            To::Core => self.core.handle(&turn, Input::Wakeup),
            To::Capital => self.capital.handle(&turn, Input::Wakeup),
            To::Connector => self.connector.handle(&turn, Input::Wakeup),
            To::Worker(i) => self.workers[i].handle(&turn, Input::Wakeup),
        }
        self.finish(to)
    }

    /// Hands a message to a service, or its start when there is none.
    fn input(&mut self, to: To, message: Option<Message>) -> Result<(), PumpError> {
        fn input<E>(message: Option<Message>) -> Input<E> {
            message.map_or(Input::Started, Input::Message)
        }
        let turn = self.turn();
        match to {
            To::Core => self.core.handle(&turn, input(message)),
            To::Capital => self.capital.handle(&turn, input(message)),
            To::Connector => self.connector.handle(&turn, input(message)),
            To::Worker(i) => self.workers[i].handle(&turn, input(message)),
        }
        self.finish(to)
    }

    /// Ends a service's turn, and takes as many more as its effects' outcomes ask for.
    fn finish(&mut self, to: To) -> Result<(), PumpError> {
        // What a turn of this kind can lead to changes when the next wake-up is; it is looked up again before time moves.
        self.next_wakeup = Timestamp::default();
        match to {
            To::Core => {
                let mut outcomes = self.core.finish(&mut self.queue);
                while !outcomes.is_empty() {
                    let turn = self.turn();
                    for outcome in outcomes {
                        let event = outcome.now_or_never().ok_or(PumpError::Waits("core-engine"))?;
                        self.core.handle(&turn, Input::Event(event));
                    }
                    outcomes = self.core.finish(&mut self.queue);
                }
            }
            To::Capital => drop(self.capital.finish(&mut self.queue)),
            To::Worker(index) => drop(self.workers[index].finish(&mut self.queue)),
            To::Connector => return self.finish_connector(),
        }
        Ok(())
    }

    fn finish_connector(&mut self) -> Result<(), PumpError> {
        let mut outcomes = self.connector.finish(&mut self.queue);
        loop {
            let turn = self.turn();
            let mut inputs = 0;
            for outcome in outcomes {
                let event = outcome.now_or_never().ok_or(PumpError::Waits("exchange-connector"))?;
                self.connector.handle(&turn, Input::Event(event));
                inputs += 1;
            }
            while let Some(event) = self.events.try_next() {
                let event = nightdesk_exchange_connector::Event::Exchange(event);
                self.connector.handle(&turn, Input::Event(event));
                inputs += 1;
            }
            if inputs == 0 {
                return Ok(());
            }
            outcomes = self.connector.finish(&mut self.queue);
        }
    }

    /// After the market has moved: what the exchange has to say. Market data, nearly all of it, goes straight to its
    /// readers; anything else takes the long way.
    fn hear_exchange(&mut self) -> Result<(), PumpError> {
        let turn = self.turn();
        let mut long_way = false;
        while let Some(event) = self.events.try_next() {
            match event {
                ExchangeEvent::Market(event) => self.connector.service.on_market(event, &mut self.connector.step),
                event => {
                    long_way = true;
                    let event = nightdesk_exchange_connector::Event::Exchange(event);
                    self.connector.handle(&turn, Input::Event(event));
                }
            }
        }
        if long_way || !self.connector.step.records.is_empty() || !self.connector.step.effects.is_empty() {
            return self.finish_connector();
        }
        // Nothing else waits: what the queue would give back at once need not go through it.
        if self.queue.is_empty()
            && let [Outgoing::Market(_)] = self.connector.step.out[..]
            && let Some(Outgoing::Market(event)) = self.connector.step.out.pop()
        {
            return self.market(&event);
        }
        self.queue.extend(self.connector.step.out.drain(..));
        Ok(())
    }

    /// Delivers what waits, in order, until everything is at rest.
    fn settle(&mut self) -> Result<(), PumpError> {
        while let Some(out) = self.queue.pop_front() {
            match out {
                Outgoing::Market(event) => self.market(&event)?,
                Outgoing::Send(queue, message) | Outgoing::Notify(queue, message) => {
                    if let Some(to) = self.reader(&queue) {
                        self.input(to, Some(message))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn reader(&self, queue: &Queue) -> Option<To> {
        if *queue == Queue::CORE {
            Some(To::Core)
        } else if *queue == Queue::CAPITAL {
            Some(To::Capital)
        } else if *queue == Queue::CONNECTOR || *queue == Queue::CONNECTOR_CONTROL {
            Some(To::Connector)
        } else {
            self.worker_queues.iter().position(|known| known == queue).map(To::Worker)
        }
    }

    fn market(&mut self, event: &MarketEvent) -> Result<(), PumpError> {
        let turn = self.turn();
        if matches!(event, MarketEvent::Quote(_)) {
            self.core.service.on_market(event, &turn, &mut self.core.step);
            if !self.core.step.records.is_empty() || !self.core.step.out.is_empty() {
                self.finish(To::Core)?;
            }
        }
        for index in 0..self.workers.len() {
            if !self.interests[index].covers(event) {
                continue;
            }
            let worker = &mut self.workers[index];
            worker.service.on_market(event, turn.now, &mut worker.step);
            if !worker.step.records.is_empty() || !worker.step.out.is_empty() {
                self.finish(To::Worker(index))?;
            }
        }
        Ok(())
    }
}
