//! One service with everything it runs on: what [`crate::Desk`] starts, and what the simulator starts and kills one by one.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_bus::{Bus, BusError, Interest};
use nightdesk_capital_manager::CapitalManager;
use nightdesk_core_engine::CoreEngine;
use nightdesk_env::Env;
use nightdesk_exchange::{Events, Exchange};
use nightdesk_exchange_connector::{ExchangeConnector, Gauges};
use nightdesk_platform::EmergencyJournal;
use nightdesk_shell::{EventSender, Perform, Ports, Service, Source, Status, Stopper, channel, stopper};
use nightdesk_store::Store;
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_wire::Queue;

/// How many requests may wait for a service.
const REQUESTS: usize = 1_024;

/// A service that has not been started.
pub struct Seat<S: Service> {
    /// The service.
    pub service: S,
    /// What it runs on.
    pub ports: Ports<S>,
    /// Ends it.
    pub stopper: Stopper,
    /// Asks it.
    pub api: EventSender<S::Event>,
}

/// What all services share.
#[derive(Clone)]
pub struct Shared {
    /// Time, chance, activity.
    pub env: Env,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// Takes records when a store cannot.
    pub emergency: Arc<dyn EmergencyJournal>,
}

struct ExchangeSource(Box<dyn Events>);

impl Source<nightdesk_exchange_connector::Event> for ExchangeSource {
    fn next(&mut self) -> BoxFuture<'_, Option<nightdesk_exchange_connector::Event>> {
        self.0.next().map(|event| event.map(nightdesk_exchange_connector::Event::Exchange)).boxed()
    }
}

impl Shared {
    /// core-engine.
    ///
    /// # Errors
    /// When its queue is taken.
    pub fn core(
        &self,
        config: nightdesk_core_engine::Config,
        store: Arc<dyn Store>,
    ) -> Result<Seat<CoreEngine>, BusError> {
        let perform =
            nightdesk_core_engine::performer(self.env.clone(), Arc::clone(&store), Arc::clone(&self.emergency));
        let mut seat = self.seat(CoreEngine::new(config), store, Queue::CORE, Box::new(perform))?;
        let quotes = Interest { symbols: Vec::new(), quotes: true, trades: false, candles: false };
        seat.ports.market = Some(self.bus.market("core-engine", quotes));
        Ok(seat)
    }

    /// capital-manager.
    ///
    /// # Errors
    /// When its queue is taken.
    pub fn capital(
        &self,
        config: nightdesk_capital_manager::Config,
        store: Arc<dyn Store>,
    ) -> Result<Seat<CapitalManager>, BusError> {
        self.seat(CapitalManager::new(config), store, Queue::CAPITAL, Box::new(|_| None))
    }

    /// A strategy's worker. It listens to the market from now on.
    ///
    /// # Errors
    /// When its queue is taken.
    pub fn worker(&self, worker: StrategyWorker, store: Arc<dyn Store>) -> Result<Seat<StrategyWorker>, BusError> {
        let queue = worker.queue();
        let market = self.bus.market(worker.name(), worker.interest());
        let mut seat = self.seat(worker, store, queue, Box::new(|_| None))?;
        seat.ports.market = Some(market);
        Ok(seat)
    }

    /// exchange-connector.
    ///
    /// # Errors
    /// When one of its queues is taken.
    pub fn connector(
        &self,
        config: nightdesk_exchange_connector::Config,
        gauges: Arc<Gauges>,
        store: Arc<dyn Store>,
        exchange: Arc<dyn Exchange>,
        events: Box<dyn Events>,
    ) -> Result<Seat<ExchangeConnector>, BusError> {
        let (env, window) = (self.env.clone(), config.recv_window);
        let perform = nightdesk_exchange_connector::performer(env, exchange, Arc::clone(&store), window);
        let connector = ExchangeConnector::new(config, gauges);
        let mut seat = self.seat(connector, store, Queue::CONNECTOR, Box::new(perform))?;
        seat.ports.control = Some(self.bus.consume(Queue::CONNECTOR_CONTROL)?);
        seat.ports.source = Some(Box::new(ExchangeSource(events)));
        Ok(seat)
    }

    fn seat<S: Service>(
        &self,
        service: S,
        store: Arc<dyn Store>,
        queue: Queue,
        perform: Perform<S>,
    ) -> Result<Seat<S>, BusError> {
        let (stopper, stop) = stopper();
        let (api, events) = channel(&self.env.activity, REQUESTS);
        let ports = Ports {
            env: self.env.clone(),
            store,
            bus: Arc::clone(&self.bus),
            emergency: Arc::clone(&self.emergency),
            queue: self.bus.consume(queue)?,
            control: None,
            market: None,
            events,
            source: None,
            perform,
            stop,
            status: Arc::new(Status::default()),
        };
        Ok(Seat { service, ports, stopper, api })
    }
}
