//! The services as shells over real ports.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_bus::{Bus, BusError, Consumer, Interest};
use nightdesk_capital_manager::CapitalManager;
use nightdesk_core_engine::CoreEngine;
use nightdesk_env::Env;
use nightdesk_exchange::{Events, Exchange};
use nightdesk_exchange_connector::{ExchangeConnector, Gauges};
use nightdesk_platform::EmergencyJournal;
use nightdesk_shell::{
    EventReceiver, EventSender, Ports, Service, Shell, ShellError, Source, Status, Stopper, channel, stopper,
};
use nightdesk_store::Store;
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::InstanceId;
use nightdesk_wire::Queue;

use crate::Trading;

/// How many requests may wait for a service.
const REQUESTS: usize = 1_024;

/// One store per service.
#[derive(Clone)]
pub struct Stores {
    /// core-engine's.
    pub core: Arc<dyn Store>,
    /// capital-manager's.
    pub capital: Arc<dyn Store>,
    /// exchange-connector's.
    pub connector: Arc<dyn Store>,
    /// The workers', in the order of their configurations.
    pub workers: Vec<Arc<dyn Store>>,
}

/// The outside that the services are put over.
pub struct World {
    /// Time, chance, activity.
    pub env: Env,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The exchange account.
    pub exchange: Arc<dyn Exchange>,
    /// What the exchange says unasked.
    pub events: Box<dyn Events>,
    /// The stores.
    pub stores: Stores,
    /// Takes records when a store cannot.
    pub emergency: Arc<dyn EmergencyJournal>,
}

/// Ways to ask the services, and their vital signs.
#[derive(Clone)]
pub struct Apis {
    /// To core-engine.
    pub core: EventSender<nightdesk_core_engine::Event>,
    /// To capital-manager.
    pub capital: EventSender<nightdesk_capital_manager::Event>,
    /// To the workers.
    pub workers: Vec<(InstanceId, EventSender<nightdesk_strategy_worker::Event>)>,
    /// To exchange-connector.
    pub connector: EventSender<nightdesk_exchange_connector::Event>,
    /// The connector's figures.
    pub gauges: Arc<Gauges>,
    /// Vital signs by service name.
    pub status: Vec<(String, Arc<Status>)>,
}

/// The services, started.
pub struct Desk {
    /// How to reach them.
    pub apis: Apis,
    /// One future per service; each must be polled until it ends.
    pub shells: Vec<(String, BoxFuture<'static, Result<(), ShellError>>)>,
    /// Ends them all.
    pub stoppers: Vec<Stopper>,
}

/// Why the services did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A service could not be restored.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// A queue is taken.
    #[error("queue not available")]
    Bus(#[from] BusError),
}

struct ExchangeSource(Box<dyn Events>);

impl Source<nightdesk_exchange_connector::Event> for ExchangeSource {
    fn next(&mut self) -> BoxFuture<'_, Option<nightdesk_exchange_connector::Event>> {
        self.0.next().map(|event| event.map(nightdesk_exchange_connector::Event::Exchange)).boxed()
    }
}

/// What the shells have in common while they are being built.
struct Builder {
    env: Env,
    bus: Arc<dyn Bus>,
    emergency: Arc<dyn EmergencyJournal>,
    desk: Desk,
}

impl Builder {
    fn queue(&self, queue: Queue) -> Result<Box<dyn Consumer>, BusError> {
        self.bus.consume(queue)
    }

    fn ports<S: Service>(
        &mut self,
        service: &S,
        store: Arc<dyn Store>,
        queue: Queue,
        events: EventReceiver<S::Event>,
    ) -> Result<Ports<S>, BusError> {
        let (stop, stopped) = stopper();
        let status = Arc::new(Status::default());
        self.desk.stoppers.push(stop);
        self.desk.apis.status.push((service.name().to_owned(), Arc::clone(&status)));
        Ok(Ports {
            env: self.env.clone(),
            store,
            bus: Arc::clone(&self.bus),
            emergency: Arc::clone(&self.emergency),
            queue: self.queue(queue)?,
            control: None,
            market: None,
            events,
            source: None,
            perform: Box::new(|_| None),
            stop: stopped,
            status,
        })
    }

    async fn start<S: Service + Send + 'static>(&mut self, service: S, ports: Ports<S>) -> Result<(), ShellError> {
        let name = service.name().to_owned();
        let shell = Shell::start(service, ports).await?;
        self.desk.shells.push((name, shell.run().boxed()));
        Ok(())
    }
}

impl Desk {
    /// Restores the services and lets each take its first turn, one after the other.
    ///
    /// # Errors
    /// When a store cannot be read or a queue is taken; nothing has been sent to the exchange then.
    pub async fn start(trading: &Trading, world: World) -> Result<Self, StartError> {
        let World { env, bus, exchange, events, stores, emergency } = world;
        let (core_events, core_inbox) = channel(&env.activity, REQUESTS);
        let (capital_events, capital_inbox) = channel(&env.activity, REQUESTS);
        let (connector_events, connector_inbox) = channel(&env.activity, REQUESTS);
        let apis = Apis {
            core: core_events,
            capital: capital_events,
            workers: Vec::new(),
            connector: connector_events,
            gauges: Arc::new(Gauges::default()),
            status: Vec::new(),
        };
        let desk = Self { apis, shells: Vec::new(), stoppers: Vec::new() };
        let mut builder = Builder { env: env.clone(), bus: Arc::clone(&bus), emergency: Arc::clone(&emergency), desk };

        let core = CoreEngine::new(trading.core.clone());
        let mut ports = builder.ports(&core, Arc::clone(&stores.core), Queue::CORE, core_inbox)?;
        let quotes = Interest { symbols: Vec::new(), quotes: true, trades: false, candles: false };
        ports.market = Some(bus.market("core-engine", quotes));
        ports.perform = Box::new(nightdesk_core_engine::performer(stores.core, emergency));
        builder.start(core, ports).await?;

        let capital = CapitalManager::new(trading.capital());
        let ports = builder.ports(&capital, stores.capital, Queue::CAPITAL, capital_inbox)?;
        builder.start(capital, ports).await?;

        // The workers listen before the connector speaks.
        let mut workers = Vec::new();
        for (config, store) in trading.workers.iter().zip(stores.workers) {
            let worker = StrategyWorker::new(config.clone());
            let (events, inbox) = channel(&env.activity, REQUESTS);
            builder.desk.apis.workers.push((config.instance, events));
            let mut ports = builder.ports(&worker, store, worker.queue(), inbox)?;
            ports.market = Some(bus.market(worker.name(), worker.interest()));
            workers.push((worker, ports));
        }
        for (worker, ports) in workers {
            builder.start(worker, ports).await?;
        }

        let gauges = Arc::clone(&builder.desk.apis.gauges);
        let connector = ExchangeConnector::new(trading.connector.clone(), gauges);
        let mut ports =
            builder.ports(&connector, Arc::clone(&stores.connector), Queue::CONNECTOR, connector_inbox)?;
        ports.control = Some(builder.queue(Queue::CONNECTOR_CONTROL)?);
        ports.source = Some(Box::new(ExchangeSource(events)));
        let window = trading.connector.recv_window;
        let perform = nightdesk_exchange_connector::performer(env, exchange, stores.connector, window);
        ports.perform = Box::new(perform);
        builder.start(connector, ports).await?;
        Ok(builder.desk)
    }
}
