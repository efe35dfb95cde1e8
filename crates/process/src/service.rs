//! The life of a service's process: stand by, take the lease, act, give it back.

mod acts;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use nightdesk_assembly::Shared;
use nightdesk_bus_rabbitmq::{BusState, Management, RabbitBus, RabbitConfig};
use nightdesk_env::{Env, NoActivity};
use nightdesk_host::http::State;
use nightdesk_host::{Failure, Host, Options, RunFile, Status, Threads, logs};
use nightdesk_platform::{EmergencyJournal, PlatformError, Secret, Secrets};
use nightdesk_platform_local::{DataDir, EmergencyFile, OsEntropy, SystemClock};
use nightdesk_store::{Schema, Store};
use nightdesk_store_sql::{Fence, PostgresLease, PostgresOptions, PostgresStore};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::front::{self, Api};
use crate::tenure::{self, Until};
use crate::vault::Vault;
use crate::{Config, Kind, ServiceArgs, failure, settings};

/// How long shutting out a predecessor's readers may hold up a takeover.
const SHUT_OUT: Duration = Duration::from_millis(700);

/// The whole of a service binary's main.
pub fn main(kind: Kind) -> ExitCode {
    let command = Command::new(kind.as_str()).version(nightdesk_host::version()).about(kind.about());
    let parsed = ServiceArgs::augment_args(command).try_get_matches();
    match parsed.and_then(|matches| ServiceArgs::from_arg_matches(&matches)) {
        Ok(args) => run(kind, args),
        Err(error) => {
            // There is nowhere to report that the terminal is gone.
            let _ = error.print();
            (if error.use_stderr() { Status::Usage } else { Status::Good }).into()
        }
    }
}

/// Runs the service until it is told to stop.
pub fn run(kind: Kind, args: ServiceArgs) -> ExitCode {
    if let Err(code) = end_with(args.with_parent) {
        return code;
    }
    let labels = vec![("replica".to_owned(), args.replica.to_string())];
    let logs = logs::Options { labels, ..logs::Options::default() };
    let options = Options { threads: Threads::Workers(2), logs, ..Options::default() };
    nightdesk_host::run(kind.as_str(), options, move |host| live(host, kind, args))
}

/// Asks the system to end us with our parent; it may have ended already.
///
/// # Errors
/// The exit code, when it has.
pub fn end_with(parent: Option<i32>) -> Result<(), ExitCode> {
    let Some(parent) = parent else { return Ok(()) };
    let asked = set_parent_process_death_signal(Some(Signal::KILL));
    let alive = getppid().map(Pid::as_raw_nonzero).is_some_and(|id| id.get() == parent);
    if asked.is_ok() && alive { Ok(()) } else { Err(Status::TryAgain.into()) }
}

/// A service's place among the others.
struct Place {
    kind: Kind,
    /// Of the strategy instance, among the configuration's.
    worker: usize,
    /// The lease's name, and the database schema's.
    lease: String,
    schema: &'static Schema,
}

impl Place {
    fn new(kind: Kind, args: &ServiceArgs, config: &Config) -> Result<Self, Failure> {
        let plain = |schema| Self { kind, worker: 0, lease: kind.as_str().to_owned(), schema };
        let schema = match kind {
            Kind::CoreEngine => &nightdesk_core_engine::SCHEMA,
            Kind::ExchangeConnector => &nightdesk_exchange_connector::SCHEMA,
            Kind::CapitalManager => &nightdesk_capital_manager::SCHEMA,
            Kind::StrategyWorker => &nightdesk_strategy_worker::SCHEMA,
        };
        if kind != Kind::StrategyWorker {
            return Ok(plain(schema));
        }
        let Some(instance) = &args.instance else {
            return Err(Failure::new(Status::Usage, "a strategy-worker needs --instance NAME"));
        };
        let mut known = config.strategy.iter().map(|strategy| &strategy.instance);
        let Some(worker) = known.position(|known| known == instance) else {
            let text = format!("the configuration has no strategy instance {instance}");
            return Err(Failure::new(Status::BadConfig, text));
        };
        Ok(Self { worker, lease: format!("worker.{instance}"), ..plain(schema) })
    }
}

/// Where the secrets say that database and broker are.
struct Addresses {
    postgres: Secret,
    rabbitmq: Secret,
    management: Option<Secret>,
}

impl Addresses {
    async fn read(config: &Config, vault: &Vault) -> Result<Self, Failure> {
        Ok(Self {
            postgres: required(vault, &config.postgres.secret, "the database's address").await?,
            rabbitmq: required(vault, &config.rabbitmq.secret, "the broker's address").await?,
            management: vault.find(&config.rabbitmq.management_secret).await?,
        })
    }
}

async fn required(vault: &Vault, name: &str, what: &str) -> Result<Secret, Failure> {
    vault.get(name).await.map_err(|error| {
        // Starting again leads nowhere where nobody has set it.
        let unset = matches!(error, PlatformError::NoSecret { .. });
        Failure::new(if unset { Status::BadConfig } else { Status::Fault }, format!("{what}: {error}"))
    })
}

fn text(secret: &Secret) -> Result<&str, Failure> {
    secret.expose_str().map_err(|_| Failure::new(Status::BadConfig, "an address in a secret is no text"))
}

/// What an acting service runs on.
struct Ground {
    host: Host,
    config: Config,
    vault: Vault,
    env: Env,
    bus: RabbitBus,
    emergency: Arc<dyn EmergencyJournal>,
    store: Arc<dyn Store>,
    epoch: u64,
    until: Until,
    api: Api,
    worker: usize,
}

impl Ground {
    fn shared(&self) -> Shared {
        let bus = Arc::new(self.bus.clone());
        Shared { env: self.env.clone(), bus, emergency: Arc::clone(&self.emergency) }
    }
}

async fn live(host: Host, kind: Kind, args: ServiceArgs) -> Result<(), Failure> {
    let config = settings::Config::read(args.config.as_deref())?;
    let place = Place::new(kind, &args, &config)?;
    let lock = DataDir::open(&args.data_dir).map_err(|error| Failure::new(Status::TryAgain, error))?;
    host.on_drain("data directory", move || async move {
        drop(lock);
        Ok::<(), Failure>(())
    });
    let vault = Vault::open(&args.data_dir)?;
    let addresses = Addresses::read(&config, &vault).await?;
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy::new()));
    let env = Env { clock, entropy, activity: Arc::new(NoActivity) };
    let token = match vault.find("api-token").await? {
        Some(token) => token,
        None => RunFile::new_token()?,
    };
    let listen = args.listen.unwrap_or_else(|| config.services.address(kind, args.replica, place.worker));
    let api = front::serve(&host, listen, &token, kind.prefix(), &args.data_dir, env.now())?;
    // No two processes are called the same, also not one after the other.
    let holder = format!("{}-{}-{:016x}", place.lease, args.replica, env.entropy.next_u64());
    let bus = connect(&host, &addresses, &place.lease, &holder)?;
    let emergency = emergency(&args.data_dir)?;
    let options = PostgresOptions::new(text(&addresses.postgres)?, &place.lease).map_err(failure::of_store)?;
    let lease = PostgresLease::new(options.clone(), &place.lease, &holder);
    let tenure = tenure::hold(&host, &place.lease, lease, config.lease).await?;
    shut_out(&addresses, &place.lease, &holder).await;
    let fence = Fence { lease: place.lease.clone(), epoch: tenure.epoch };
    let store = PostgresStore::open(options.fenced(fence), place.schema).await.map_err(failure::of_store)?;
    let ground = Ground {
        host,
        config,
        vault,
        env,
        bus,
        emergency,
        store: Arc::new(store),
        epoch: tenure.epoch,
        until: tenure.until,
        api,
        worker: place.worker,
    };
    acts::begin(place.kind, ground).await
}

/// A bus that looks for its broker from now on.
fn connect(host: &Host, addresses: &Addresses, lease: &str, holder: &str) -> Result<RabbitBus, Failure> {
    let bad = |error| Failure::new(Status::BadConfig, error);
    let config = RabbitConfig::new(text(&addresses.rabbitmq)?, &reader(lease, holder)).map_err(bad)?;
    let bus = RabbitBus::start(config)?;
    let (asked, closing) = (bus.clone(), bus.clone());
    host.health().check("bus", move || match asked.status() {
        BusState::Up => State::Up,
        BusState::Waiting(why) => State::Down(why),
        BusState::Closed => State::Down("closed".to_owned()),
    });
    host.on_drain("bus", move || async move {
        closing.close();
        Ok::<(), Failure>(())
    });
    Ok(bus)
}

/// The name of a holder's connections at the broker.
fn reader(lease: &str, holder: &str) -> String {
    format!("{lease}@{holder}")
}

/// Ends what a frozen predecessor still has at the broker: otherwise the queue's messages go to it for seconds.
async fn shut_out(addresses: &Addresses, lease: &str, holder: &str) {
    let Some(Ok(url)) = addresses.management.as_ref().map(text) else { return };
    let ended = async {
        let management = Management::new(url)?;
        management.close_others(&reader(lease, ""), &reader(lease, holder)).await
    };
    match tokio::time::timeout(SHUT_OUT, ended).await {
        Ok(Ok(0)) => {}
        Ok(Ok(ended)) => tracing::info!(ended, "{ended} connections of a predecessor are ended at the broker"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a predecessor's connections stay until the broker misses it: {error}")
        }
        Err(_) => {
            tracing::warn!("the broker's management does not answer: a predecessor's connections stay for seconds")
        }
    }
}

fn emergency(dir: &Path) -> Result<Arc<dyn EmergencyJournal>, Failure> {
    Ok(Arc::new(EmergencyFile::open(&dir.join("emergency.journal"))?))
}
