//! `nightdesk cluster up`: every service in a process of its own, over a private PostgreSQL and a private RabbitMQ.

mod board;
mod child;
mod closing;
mod crew;
mod servers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nightdesk_host::{Failure, Host, RunFile, Status};
use nightdesk_platform::Secret;
use nightdesk_platform_local::{DataDir, OsEntropy, SecretsFile, SystemClock};
use nightdesk_process::{Config, ExchangeKind, Kind};

use self::board::Board;
use self::child::Spec;
use self::closing::Closing;
use self::crew::Crew;
use self::servers::Servers;
use crate::cli::{Speed, UpArgs};
use crate::{client, data, exchange, limit, up};

pub(crate) use self::servers::{Servers as PrivateServers, is_cluster, running_database};

/// How often the processes are looked after.
const LOOK: Duration = Duration::from_millis(20);
/// How long a service may take to act after its process has started.
const ACTS: Duration = Duration::from_secs(60);

/// What all parts of a running cluster share.
#[derive(Clone)]
struct Cluster {
    dir: PathBuf,
    crew: Arc<Crew>,
    board: Arc<Board>,
}

/// Refuses a cluster's directory to whoever would keep something else in it.
pub(crate) fn refuse(dir: &Path) -> Result<(), Failure> {
    if !is_cluster(dir) {
        return Ok(());
    }
    let text = format!("{} was made by `nightdesk cluster up`: name another with --data-dir", dir.display());
    Err(Failure::new(Status::BadConfig, text))
}

/// Starts everything and looks after it.
pub(crate) async fn run(host: Host, args: UpArgs) -> Result<(), Failure> {
    if args.speed == Speed::Max {
        let text = "--speed max runs in lockstep, which takes one process: use `nightdesk up`";
        return Err(Failure::new(Status::Usage, text));
    }
    let config = up::read_config(&args)?;
    let dir = std::path::absolute(data::data_dir(args.ask.data_dir.as_deref())?)?;
    let lock = DataDir::open(&dir).map_err(|error| Failure::new(Status::TryAgain, error))?;
    if data::is_used_by_up(&dir) {
        let text = format!("{} was made by `nightdesk up`: name another directory with --data-dir", dir.display());
        return Err(Failure::new(Status::BadConfig, text));
    }
    data::keep_config(&dir, &config)?;
    let key = exchange::api_key(&config, &SecretsFile::open(&dir)?, &OsEntropy::new()).await?;
    let token = RunFile::new_token()?;
    let servers = Servers::start(&dir).await?;
    let board = Arc::new(Board::new(&dir, &token));
    let surroundings = servers.surroundings(&token, &config, &key)?;
    let crew = Arc::new(Crew::new(surroundings, Arc::clone(&board)));
    let cluster = Cluster { dir: dir.clone(), crew, board };
    let closing = Closing::new(&host, &cluster, &servers, &token, args.ask.json, lock);
    host.on_drain("cluster", move || async move { closing.run().await });
    watch(&host, &cluster, &servers);
    cluster.enlist(&config, &args, &dir)?;
    publish(&host, &cluster, &token)?;
    cluster.begin(&config, &token).await?;
    limit(&host, &args, &cluster);
    Ok(())
}

/// Restarts what ends by itself.
fn watch(host: &Host, cluster: &Cluster, servers: &Servers) {
    let crew = Arc::clone(&cluster.crew);
    host.job("processes", async move {
        let mut ticks = tokio::time::interval(LOOK);
        let failure = loop {
            ticks.tick().await;
            if let Err(error) = crew.look() {
                break error;
            }
        };
        Err::<(), _>(failure)
    });
    let servers = servers.clone();
    host.job("servers", async move { servers.watch().await });
}

/// Tells the command line where everything is.
fn publish(host: &Host, cluster: &Cluster, token: &Secret) -> Result<(), Failure> {
    use nightdesk_env::Clock;
    let addresses = cluster.board.addresses();
    RunFile::of_this_process(SystemClock::new().now(), addresses, token).publish(host, &cluster.dir)?;
    Ok(())
}

impl Cluster {
    /// Names every process and gives it its ports; starts the exchange.
    fn enlist(&self, config: &Config, args: &UpArgs, dir: &Path) -> Result<(), Failure> {
        let mut told = config.clone();
        if config.exchange.kind == ExchangeKind::Simulator {
            let [listen, control] = nightdesk_private_servers::free_ports()?;
            let listen = args.exchange_listen.unwrap_or_else(|| ([127, 0, 0, 1], listen).into());
            let spec = Spec::exchange(dir, args, listen, ([127, 0, 0, 1], control).into());
            told.exchange.kind = ExchangeKind::External;
            told.exchange.rest = Some(format!("http://{listen}"));
            told.exchange.streams = Some(format!("ws://{listen}"));
            told.exchange.ws_api = Some(format!("ws://{listen}"));
            self.crew.enlist(spec)?;
        }
        let file = dir.join("services.toml");
        let text = toml::to_string(&told).map_err(|error| format!("the services' configuration: {error}"))?;
        data::write_atomic(&file, text.as_bytes())?;
        let front = args.listen;
        for (kind, replicas) in [(Kind::CoreEngine, 2), (Kind::CapitalManager, 1), (Kind::ExchangeConnector, 2)] {
            for replica in 1..=replicas {
                let wanted = front.filter(|_| kind == Kind::CoreEngine && replica == 1);
                self.crew.enlist(Spec::service(dir, &file, kind, replica, None, wanted)?)?;
            }
        }
        for strategy in &config.strategy {
            let instance = Some(strategy.instance.as_str());
            self.crew.enlist(Spec::service(dir, &file, Kind::StrategyWorker, 1, instance, None)?)?;
        }
        Ok(())
    }

    /// Starts the services: core-engine first, so that a halt that was asked for while nothing ran holds before anything
    /// else is there; the workers last, when everybody listens.
    async fn begin(&self, config: &Config, token: &Secret) -> Result<(), Failure> {
        self.crew.start(|spec| spec.is_exchange())?;
        self.crew.start(|spec| spec.kind() == Some(Kind::CoreEngine))?;
        let core = self.core(token)?;
        self.acts(Kind::CoreEngine).await?;
        if let Some(halt) = client::pending_halt(&self.dir)? {
            tracing::warn!(reason = halt.reason, "a halt was asked for while nothing ran");
            core.post("/v1/mode/halt", &serde_json::json!({ "reason": halt.reason })).await?;
            client::clear_pending_halt(&self.dir)?;
        }
        for kind in [Kind::CapitalManager, Kind::ExchangeConnector, Kind::StrategyWorker] {
            self.crew.start(|spec| spec.kind() == Some(kind))?;
            self.acts(kind).await?;
        }
        let workers = config.strategy.len();
        tracing::info!("the cluster runs: 2 core-engines, 2 connectors, 1 capital-manager, {workers} workers");
        Ok(())
    }

    /// Waits until one of a service's processes acts; of the workers, all.
    async fn acts(&self, kind: Kind) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < ACTS {
            if self.board.acts(kind).await {
                tracing::info!("{} acts after {} ms", kind.as_str(), start.elapsed().as_millis());
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        let logs = self.dir.join("logs");
        Err(Failure::from(format!("no {} acts within {ACTS:?}; the logs are in {}", kind.as_str(), logs.display())))
    }

    fn core(&self, token: &Secret) -> Result<client::Core, Failure> {
        client::Core::new(self.board.cores(), token)
    }
}

/// Stops after the time given, or with the recording.
fn limit(host: &Host, args: &UpArgs, cluster: &Cluster) {
    limit::run_for(host, args.run_for);
    if args.exit_at_end {
        let (stopper, board) = (host.clone(), Arc::clone(&cluster.board));
        host.job("recording", async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(200));
            loop {
                ticks.tick().await;
                let state = board.exchange_state().await;
                if state.is_some_and(|state| state["market"]["ended"] == true) {
                    stopper.stop("the recording has ended");
                    return Ok::<(), Failure>(());
                }
            }
        });
    }
}
