//! The services as shells over real ports.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_bus::{Bus, BusError};
use nightdesk_core_engine::api::Feed;
use nightdesk_env::Env;
use nightdesk_exchange::{Events, Exchange};
use nightdesk_exchange_connector::Gauges;
use nightdesk_platform::EmergencyJournal;
use nightdesk_shell::{EventSender, Service, Shell, ShellError, Status, Stopper};
use nightdesk_store::Store;
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::InstanceId;

use crate::{Seat, Shared, Trading};

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
    /// What core-engine has made durable, as it does.
    pub feed: Feed,
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

impl Desk {
    /// Restores the services and lets each take its first turn, one after the other.
    ///
    /// # Errors
    /// When a store cannot be read or a queue is taken; nothing has been sent to the exchange then.
    pub async fn start(trading: &Trading, world: World) -> Result<Self, StartError> {
        Self::start_with(trading, trading.workers(), world).await
    }

    /// The same with these workers in place of those that the settings lead to: for measurements and tests.
    ///
    /// # Errors
    /// As [`Desk::start`].
    pub async fn start_with(trading: &Trading, workers: Vec<StrategyWorker>, world: World) -> Result<Self, StartError> {
        let World { env, bus, exchange, events, stores, emergency } = world;
        let shared = Shared { env, bus, emergency };
        let (mut shells, mut stoppers, mut status) = (Vec::new(), Vec::new(), Vec::new());
        let mut started = Started { shells: &mut shells, stoppers: &mut stoppers, status: &mut status };

        let feed = Feed::default();
        let core = started.add(shared.core(trading.core.clone(), feed.tap(stores.core))?).await?;
        let capital = started.add(shared.capital(trading.capital(), stores.capital)?).await?;
        // The workers listen before the connector speaks.
        let mut seats = Vec::new();
        for (worker, store) in workers.into_iter().zip(stores.workers) {
            seats.push((worker.instance(), shared.worker(worker, store)?));
        }
        let mut workers = Vec::new();
        for (instance, seat) in seats {
            workers.push((instance, started.add(seat).await?));
        }
        let gauges = Arc::new(Gauges::default());
        let config = trading.connector.clone();
        let seat = shared.connector(config, Arc::clone(&gauges), stores.connector, exchange, events)?;
        let connector = started.add(seat).await?;
        Ok(Self { apis: Apis { core, capital, workers, connector, feed, gauges, status }, shells, stoppers })
    }
}

/// A shell at work.
type Running = BoxFuture<'static, Result<(), ShellError>>;

/// Where the parts of a started service go.
struct Started<'a> {
    shells: &'a mut Vec<(String, Running)>,
    stoppers: &'a mut Vec<Stopper>,
    status: &'a mut Vec<(String, Arc<Status>)>,
}

impl Started<'_> {
    async fn add<S: Service + Send + 'static>(&mut self, seat: Seat<S>) -> Result<EventSender<S::Event>, ShellError> {
        let name = seat.service.name().to_owned();
        self.stoppers.push(seat.stopper);
        self.status.push((name.clone(), Arc::clone(&seat.ports.status)));
        let shell = Shell::start(seat.service, seat.ports).await?;
        self.shells.push((name, shell.run().boxed()));
        Ok(seat.api)
    }
}
