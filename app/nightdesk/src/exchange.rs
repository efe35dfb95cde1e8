//! The simulated exchange that `up` and `cluster up` trade on, within this process or in one of its own.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use nightdesk_env::Entropy;
use nightdesk_exchange_simulator::{Balance, Config as SimulatorConfig, ExchangeSimulator, KeySpec, MarketSource};
use nightdesk_host::{Failure, Host, Status};
use nightdesk_platform::{PlatformError, Secret, Secrets};
use nightdesk_platform_local::SecretsFile;

use crate::cli::{ExchangeArgs, Speed, UpArgs};
use crate::{data, up};
use nightdesk_process::{Config, ExchangeKind, secret_variable};

/// The API key of the configuration's exchange as text `ID:SECRET`; the embedded simulator's is made on first use.
pub(crate) async fn api_key(config: &Config, secrets: &SecretsFile, entropy: &dyn Entropy) -> Result<Secret, Failure> {
    match secrets.get(&config.exchange.secret).await {
        Ok(secret) => Ok(secret),
        Err(PlatformError::NoSecret { .. }) if config.exchange.kind == ExchangeKind::Simulator => {
            let mut bytes = [0; 48];
            entropy.fill(&mut bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let (id, secret) = hex.split_at(32);
            let secret = Secret::new(format!("{id}:{secret}"));
            secrets.set(&config.exchange.secret, &secret)?;
            Ok(secret)
        }
        // The configuration names a secret that nobody has set: starting again leads nowhere.
        Err(error @ PlatformError::NoSecret { .. }) => {
            Err(Failure::new(Status::BadConfig, format!("the exchange's API key: {error}")))
        }
        Err(error) => Err(Failure::from(format!("the exchange's API key: {error}"))),
    }
}

/// Starts the embedded simulator, which keeps its state in `DATA_DIR/exchange`.
pub(crate) async fn simulator(
    config: &Config,
    args: &UpArgs,
    control: Option<SocketAddr>,
    dir: &Path,
    key: &Secret,
) -> anyhow::Result<ExchangeSimulator> {
    let key = key.expose_str().context("the API key is no text")?;
    let mut simulator = SimulatorConfig::new(vec![key.parse::<KeySpec>()?]);
    if let Some(listen) = args.exchange_listen {
        simulator.listen = listen;
    }
    simulator.control = control;
    simulator.seed = args.seed;
    simulator.data_dir = Some(dir.join("exchange"));
    simulator.balances = balances(config)?;
    simulator.market = if args.replay.is_empty() {
        MarketSource::Synthetic { symbols: config.symbols()? }
    } else {
        let speed = match args.speed {
            Speed::Times(times) => nightdesk_exchange_simulator::Speed::Times(times),
            Speed::Max => nightdesk_exchange_simulator::Speed::Max,
        };
        MarketSource::Replay { files: args.replay.clone(), speed }
    };
    ExchangeSimulator::start(simulator).await.context("the embedded exchange")
}

/// What the account of a simulated exchange owns at first.
pub(crate) fn balances(config: &Config) -> anyhow::Result<Vec<(nightdesk_units::Asset, nightdesk_units::Qty)>> {
    let parsed = config.exchange.balances.iter().map(|text| text.parse::<Balance>());
    let parsed = parsed.map(|balance| balance.map(|balance| (balance.asset, balance.amount)));
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// Runs the simulated exchange in a process of its own.
pub(crate) async fn serve(host: Host, args: ExchangeArgs) -> Result<(), Failure> {
    let config = up::read_config(&args.up)?;
    let dir = data::data_dir(args.up.ask.data_dir.as_deref())?;
    let key = std::env::var(secret_variable(&config.exchange.secret)).map(Secret::new);
    let key = key.map_err(|_| Failure::new(Status::BadConfig, "the exchange was started without its API key"))?;
    let exchange = simulator(&config, &args.up, Some(args.control), &dir, &key).await?;
    tracing::info!("REST and streams on http://{0} and ws://{0}", exchange.address());
    let (running, stopping) = (exchange.clone(), exchange);
    host.register("exchange", async move { running.ended().await }, async move || stopping.stop().await);
    Ok(())
}
