//! `nightdesk up`: all services in this process, over the exchange's own protocol.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::BoxFuture;
use nightdesk_assembly::{Apis, Desk, Stores, Trading, World};
use nightdesk_bus_local::LocalBus;
use nightdesk_core_engine::{Event, Reply, Request};
use nightdesk_env::{Env, NoActivity};
use nightdesk_host::http::{Server, ServerOptions};
use nightdesk_host::{Failure, Host, RunFile, Status};
use nightdesk_platform::{EmergencyJournal, Secret};
use nightdesk_platform_local::{DataDir, EmergencyFile, OsEntropy, SecretsFile, SystemClock};
use nightdesk_process::{Config, failure, meters, readiness, shells};
use nightdesk_shell::{ShellError, Stopper};

use crate::cli::UpArgs;
use crate::summary::Summary;
use crate::{api, client, cluster, data, exchange, limit, replay};

/// Wires everything and lets it run.
pub(crate) async fn run(host: Host, args: UpArgs) -> Result<(), Failure> {
    let config = read_config(&args)?;
    let dir = data::data_dir(args.ask.data_dir.as_deref())?;
    let lock = DataDir::open(&dir).map_err(|error| Failure::new(Status::TryAgain, error))?;
    cluster::refuse(&dir)?;
    let front = bind(&args, &config)?;
    data::keep_config(&dir, &config)?;
    let env = Env {
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(OsEntropy::new()),
        activity: Arc::new(NoActivity),
    };
    let secrets = SecretsFile::open(&dir)?;
    let key = exchange::api_key(&config, &secrets, &*env.entropy).await?;
    let summary = Summary::new(&host, dir.clone(), args.ask.json);
    // Registered first, so that it comes last: after everything has stopped.
    let (closing, keep) = (summary.clone(), lock);
    host.on_drain("summary", move || async move {
        drop(keep);
        closing.print().await
    });
    let mut embedded = None;
    let endpoints = match config.endpoints() {
        Some(endpoints) => endpoints,
        None => {
            let simulator = exchange::simulator(&config, &args, None, &dir, &key).await?;
            let endpoints = nightdesk_exchange_binance::Endpoints::simulator(&simulator.address().to_string());
            embed(&host, simulator.clone(), &args);
            embedded = Some(simulator);
            endpoints
        }
    };
    let trading = config.trading()?;
    let stores = data::open_stores(&dir, &trading).await?;
    let emergency: Arc<dyn EmergencyJournal> = Arc::new(EmergencyFile::open(&dir.join("emergency.journal"))?);
    let (binance, events) = nightdesk_process::exchange::connect(&config, endpoints, &key)?;
    let bus = LocalBus::new(Arc::clone(&env.activity));
    let world = World {
        env: env.clone(),
        bus: Arc::new(bus.clone()),
        exchange: binance,
        events: Box::new(events),
        stores: stores.clone(),
        emergency: Arc::clone(&emergency),
    };
    let desk = Desk::start(&trading, world).await.map_err(failure::of_start)?;
    summary.watch(&desk.apis, &stores);
    let apis = desk.apis.clone();
    measure(&host, &trading, &apis, &bus);
    let (settle, asked) = (summary.clone(), apis.clone());
    register(&host, desk, move || async move {
        // A market that stands still fills nothing more: what is under way can come to its end.
        if let Some(simulator) = embedded {
            simulator.pause(true).await?;
        }
        settle.settle(&asked, true).await;
        Ok::<(), Failure>(())
    });
    readiness::watch(&host, apis.core.clone(), config.symbols()?);
    hand_over(&apis, &*emergency, &dir, &env).await?;
    serve(&host, &args, front, &dir, &apis, &stores, &env)?;
    limit::run_for(&host, args.run_for);
    Ok(())
}

/// The configuration, with the symbols of a recording where one is played.
pub(crate) fn read_config(args: &UpArgs) -> Result<Config, Failure> {
    let mut config = Config::read(args.config.as_deref())?;
    if !args.replay.is_empty() {
        for moved in config.trade_only(&replay::symbols(&args.replay)?) {
            tracing::warn!("{moved}");
        }
    }
    Ok(config)
}

/// Keeps the embedded exchange alive for as long as the services, and stops the process when its recording ends.
fn embed(host: &Host, simulator: nightdesk_exchange_simulator::ExchangeSimulator, args: &UpArgs) {
    let address = simulator.address();
    tracing::info!(%address, "simulated exchange speaks at http://{address}");
    let closing = simulator.clone();
    host.on_drain("exchange", move || async move { closing.stop().await.map_err(Failure::from) });
    if args.exit_at_end {
        let stopper = host.clone();
        host.job("recording", async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                if simulator.played().await?.1 {
                    stopper.stop("the recording has ended");
                    return Ok::<(), Failure>(());
                }
            }
        });
    }
}

/// The KPIs that nobody in particular owns.
pub(crate) fn measure(host: &Host, trading: &Trading, apis: &Apis, bus: &LocalBus) {
    for worker in &trading.workers {
        meters::strategy(host, worker.instance.as_str());
    }
    meters::exchange(host, Arc::clone(&apis.gauges));
    meters::queues(host, Arc::new(bus.clone()));
}

/// Registers the shells with the host, which drains in reverse: the workers first, so that nothing new is decided; then
/// `settle`, while everybody else can still bring to its end what is under way.
pub(crate) fn register<D, F>(host: &Host, desk: Desk, settle: D)
where
    D: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let statuses: BTreeMap<String, _> = desk.apis.status.iter().cloned().collect();
    let shells = desk.shells.into_iter().zip(desk.stoppers);
    let workers = desk.apis.workers.iter().map(|(instance, _)| format!("worker.{instance}"));
    let workers: Vec<String> = workers.collect();
    let (workers, others): (Vec<_>, Vec<_>) = shells.partition(|((name, _), _)| workers.contains(name));
    register_shells(host, others, &statuses);
    host.on_drain("orders under way", settle);
    register_shells(host, workers, &statuses);
}

/// A service's name, its loop, and what ends it.
type Running = ((String, BoxFuture<'static, Result<(), ShellError>>), Stopper);

fn register_shells(host: &Host, shells: Vec<Running>, statuses: &BTreeMap<String, Arc<nightdesk_shell::Status>>) {
    for ((name, shell), stopper) in shells {
        if let Some(status) = statuses.get(&name) {
            shells::register(host, &name, shell, Arc::clone(status), stopper);
        }
    }
}

/// What was asked for or done while nothing could journal it goes to core-engine first.
async fn hand_over(apis: &Apis, emergency: &dyn EmergencyJournal, dir: &Path, env: &Env) -> Result<(), Failure> {
    let records = emergency.pending()?;
    if !records.is_empty() {
        apis.core.send(Event::Emergencies(records)).await;
    }
    if let Some(halt) = client::pending_halt(dir)? {
        let (reply, answer) = Reply::channel();
        tracing::warn!(reason = halt.reason, at = %env.now(), "a halt was asked for while nothing ran");
        apis.core.send(Event::Request(Request::Halt { reason: halt.reason, by: halt.by }, reply)).await;
        answer.recv().await.context("core-engine did not answer the halt")?;
        client::clear_pending_halt(dir)?;
    }
    Ok(())
}

/// The address of the API and the status page, and the token that opens them.
pub(crate) struct Front {
    server: Server,
    token: Secret,
}

/// Takes the address before anything trades: a process that nobody can reach must not begin.
pub(crate) fn bind(args: &UpArgs, config: &Config) -> Result<Front, Failure> {
    let token = RunFile::new_token()?;
    let listen = args.listen.map_or_else(|| config.listen.parse(), Ok)?;
    let server = match Server::bind(ServerOptions::new(vec![listen], token.clone())) {
        // The demo's port may be taken by whatever else runs here; a configured one is meant.
        Err(error) if args.listen.is_none() && args.config.is_none() => {
            tracing::warn!(%error, "listening on a free port instead");
            Server::bind(ServerOptions::new(vec![(listen.ip(), 0).into()], token.clone()))?
        }
        server => server?,
    };
    Ok(Front { server, token })
}

/// Serves the API, then tells the command line where.
pub(crate) fn serve(
    host: &Host,
    args: &UpArgs,
    front: Front,
    dir: &Path,
    apis: &Apis,
    stores: &Stores,
    env: &Env,
) -> Result<(), Failure> {
    let Front { server, token } = front;
    let address = server.addresses().first().copied().context("the server listens nowhere")?;
    api::mount(server, apis, stores).start(host)?;
    let addresses = BTreeMap::from([("api".to_owned(), format!("http://{address}"))]);
    RunFile::of_this_process(env.now(), addresses, &token).publish(host, dir)?;
    if !args.ask.json {
        // What is no terminal is kept by somebody, and no secret is kept in the clear.
        let page = if std::io::stderr().is_terminal() {
            format!("http://{address}/#token={}", token.expose_str().unwrap_or_default())
        } else {
            format!("http://{address}/ (its access token is in {})", dir.join("run.json").display())
        };
        nightdesk_host::output::to_stderr(&format!("status page: {page}\n"));
    }
    Ok(())
}
