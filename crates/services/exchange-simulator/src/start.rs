//! Opening and closing the exchange.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use nightdesk_market::Instrument;
use nightdesk_matching::AccountId;
use nightdesk_units::Timestamp;
use nightdesk_wire::capture::usual_instrument;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auth::{DEFAULT_ACCOUNT, Keyring};
use crate::clock::ExchangeClock;
use crate::config::{Config, MarketSource, Speed};
use crate::control;
use crate::engine::{
    Command, CommandError, Core, DataDirError, Disk, Done, Ended, Engine, ResumeError, World, start_price,
};
use crate::faults::{FaultBook, StreamKind};
use crate::gateway::Gateway;
use crate::limits::Weights;
use crate::market::{MadeUp, Playback, RecordingError, Survey, survey};
use crate::net::{Listener, Peer};
use crate::rest::rest;
use crate::ws::{self, Hub, ListenKeys, Publisher};

/// Why an exchange cannot open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The recording is damaged.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A symbol cannot be traded.
    #[error("{0}")]
    Symbol(String),
    /// There is nothing to trade.
    #[error("no symbol to trade: name at least one")]
    NoSymbol,
    /// Two keys are the same.
    #[error("key {0:?} is given twice")]
    SameKey(String),
    /// An account cannot be opened.
    #[error("cannot open account {account:?}: {reason}")]
    Account {
        /// Which.
        account: String,
        /// Why.
        reason: String,
    },
    /// The engine's thread cannot be started.
    #[error("cannot start the exchange's thread: {0}")]
    Thread(std::io::Error),
}

impl From<ResumeError> for StartError {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::DataDir(error) => error.into(),
            ResumeError::Recording(error) => error.into(),
        }
    }
}

/// A running exchange; clones are handles on the same one. When the last is dropped it closes without a last snapshot, as
/// a crash would; see [`ExchangeSimulator::stop`].
#[derive(Debug, Clone)]
pub struct ExchangeSimulator {
    address: SocketAddr,
    control: Option<SocketAddr>,
    gateway: Arc<Gateway>,
    stop: Arc<watch::Sender<bool>>,
    ended: watch::Receiver<Ended>,
    servers: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// How long connections may take to end at a stop.
const DRAIN: Duration = Duration::from_secs(2);

impl ExchangeSimulator {
    /// Opens an exchange on the current tokio runtime. When this returns, it takes requests.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has been opened then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let clock = Arc::new(ExchangeClock::default());
        let (mut core, speed) = prepare(&config, &clock)?;
        let (keys, accounts) = open_accounts(&mut core, &config, clock.now())?;
        core.commit(clock.now())?;
        core.snapshot(clock.now())?;
        let listener = listen(config.listen).await?;
        let control_listener = match config.control {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let hub = Arc::new(Hub::default());
        let faults = Arc::new(Mutex::new(FaultBook::new(config.seed)));
        let instruments = core.world.instruments().to_vec();
        let publisher = Publisher::new(Arc::clone(&hub), Arc::clone(&faults), Arc::clone(&clock), &instruments);
        let (engine, ended) = Engine::start(core, Arc::clone(&clock), publisher, speed).map_err(StartError::Thread)?;
        let gateway = Arc::new(Gateway {
            engine,
            keys,
            accounts,
            clock,
            hub,
            faults,
            weights: Mutex::new(Weights::new(config.limits)),
            listen_keys: Mutex::new(ListenKeys::default()),
            limits: config.limits,
            timing: config.timing,
        });
        let (stop, stopped) = watch::channel(false);
        let address = local_address(&listener, config.listen)?;
        let mut servers = vec![serve(listener, router(Arc::clone(&gateway)), stopped.clone())];
        let mut control_address = None;
        if let Some(listener) = control_listener {
            control_address = Some(local_address(&listener, config.listen)?);
            servers.push(serve(listener, control::router(Arc::clone(&gateway)), stopped));
        }
        Ok(Self {
            address,
            control: control_address,
            gateway,
            stop: Arc::new(stop),
            ended,
            servers: Arc::new(Mutex::new(servers)),
        })
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where faults are set.
    #[must_use]
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Resolves when the exchange has ended: with the reason if it failed (its disk is full, its thread died).
    ///
    /// # Errors
    /// The reason.
    pub async fn ended(&self) -> Result<(), String> {
        let mut ended = self.ended.clone();
        let died = || Err("the exchange's thread died".to_owned());
        let result = ended.wait_for(Option::is_some).await.map(|result| result.clone());
        result.ok().flatten().unwrap_or_else(died)
    }

    /// Stops the market, or lets it go on; requests are served either way.
    ///
    /// # Errors
    /// When the exchange has ended.
    pub async fn pause(&self, paused: bool) -> Result<(), String> {
        let done = self.gateway.engine.call(move |core, _| core.paused = paused).await;
        done.map_err(|_| "the exchange has ended".to_owned())
    }

    /// How many recorded messages have been played, and whether that was all of them.
    ///
    /// # Errors
    /// When the exchange has ended.
    pub async fn played(&self) -> Result<(u64, bool), String> {
        let position =
            self.gateway.engine.call(|core, _| (core.world.position.played, core.world.position.ended)).await;
        position.map_err(|_| "the exchange has ended".to_owned())
    }

    /// Closes in order: streams end, waiting requests are answered, a last snapshot is written.
    ///
    /// # Errors
    /// Says why the last snapshot could not be written; nothing that was answered is lost.
    pub async fn stop(&self) -> Result<(), String> {
        // Nobody listens when the servers are gone already.
        let _ = self.stop.send(true);
        self.gateway.hub.cut(StreamKind::All, false);
        // An engine that has ended already takes no jobs; how it ended is what matters.
        let _ = self.gateway.engine.call(|core, _| core.stopping = true).await;
        let ended = self.ended().await;
        let servers = std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        for mut server in servers {
            // A client that waits for an answer that a fault withholds does not hold up the end.
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                server.abort();
            }
        }
        ended
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

/// The state to begin with: new, or as the data directory remembers it.
fn prepare(config: &Config, clock: &ExchangeClock) -> Result<(Core, Speed), StartError> {
    let mut found: Option<Survey> = None;
    let (instruments, seed, speed, market) = match &config.market {
        MarketSource::Synthetic { symbols } => {
            let instruments = symbols.iter().map(|s| usual_instrument(*s)).collect::<Result<Vec<_>, _>>();
            let names: Vec<&str> = symbols.iter().map(nightdesk_units::Name::as_str).collect();
            let market = format!("synthetic {} seed {}", names.join(","), config.seed);
            (instruments.map_err(StartError::Symbol)?, Some(config.seed), Speed::Times(1.0), market)
        }
        MarketSource::Replay { files, speed } => {
            let survey = found.insert(survey(files)?);
            let names: Vec<_> = files.iter().filter_map(|f| Some(f.file_name()?.to_string_lossy())).collect();
            let market = format!("replay {} ({} messages)", names.join(","), survey.messages);
            (survey.instruments.clone(), None, *speed, market)
        }
    };
    if instruments.is_empty() {
        return Err(StartError::NoSymbol);
    }
    let playback = match (&config.market, &found) {
        (MarketSource::Replay { files, .. }, Some(survey)) => Some(Playback::new(files, survey)),
        _ => None,
    };
    let mut core = match &config.data_dir {
        None => Core::new(World::new(instruments, seed, clock.now()), playback, None, config.limits),
        Some(dir) => match Disk::open(dir, &market)? {
            (disk, None) => Core::new(World::new(instruments, seed, clock.now()), playback, Some(disk), config.limits),
            (disk, Some(remembered)) => {
                clock.not_before(remembered.at);
                Core::resume(remembered, playback, disk, config.limits)?
            }
        },
    };
    if config.made_up_history.unwrap_or(found.is_none()) {
        core.made_up = made_up(&core, config.seed);
    }
    core.paused = config.paused;
    Ok((core, speed))
}

/// The past of every instrument, up to the moment the exchange first opened.
fn made_up(core: &Core, seed: u64) -> BTreeMap<nightdesk_units::Symbol, MadeUp> {
    let opened_at = core.world.opened_at;
    let past = |i: &Instrument| (i.symbol, MadeUp::new(i.clone(), seed, opened_at, start_price(i)));
    core.world.instruments().iter().map(past).collect()
}

/// Opens the accounts of the keys, with balances where they are new.
fn open_accounts(
    core: &mut Core,
    config: &Config,
    now: Timestamp,
) -> Result<(Keyring, BTreeMap<AccountId, String>), StartError> {
    let mut keys = Keyring::default();
    let mut names = vec![DEFAULT_ACCOUNT.to_owned()];
    names.extend(config.keys.iter().map(|key| key.account.clone()));
    for name in names {
        if core.world.accounts.contains_key(&name) {
            continue;
        }
        let (maker_fee, taker_fee) = config.fees;
        let command =
            Command::OpenAccount { name: name.clone(), maker_fee, taker_fee, balances: config.balances.clone() };
        match core.command(command, now) {
            Ok(Done::Account(_)) => {}
            Ok(_) => {}
            Err(CommandError::Recording(error)) => return Err(error.into()),
            Err(error) => return Err(StartError::Account { account: name, reason: error.to_string() }),
        }
    }
    for spec in &config.keys {
        if keys.find(&spec.key).is_ok() {
            return Err(StartError::SameKey(spec.key.clone()));
        }
        if let Some(account) = core.world.accounts.get(&spec.account) {
            keys.add(spec, *account);
        }
    }
    Ok((keys, core.world.accounts.iter().map(|(name, id)| (*id, name.clone())).collect()))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local_address(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { address, source })
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/ws", any(ws::raw))
        .route("/ws/", any(ws::raw))
        .route("/ws/{*streams}", any(ws::raw))
        .route("/stream", any(ws::combined))
        .route("/ws-api/v3", any(ws::api))
        .fallback(rest)
        .with_state(gateway)
}

fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(Listener(listener), service).with_graceful_shutdown(async move {
        // Ends when told to, and also when the exchange is dropped.
        let _ = stopped.wait_for(|stop| *stop).await;
    });
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "a server ended: {error}");
        }
    })
}
