//! The cluster's own PostgreSQL and RabbitMQ.

use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use nightdesk_host::{Failure, Status};
use nightdesk_platform::Secret;
use nightdesk_private_servers::{Postgres, Rabbitmq, ServerError};
use nightdesk_process::{Config, secret_variable};

use super::child::Surroundings;

/// How often they are looked after.
const LOOK: Duration = Duration::from_millis(50);
/// The folder in the data directory.
const FOLDER: &str = "servers";
/// Where the servers' files are when their user cannot reach the data directory.
const ELSEWHERE: &str = "/var/lib/nightdesk";

/// Whether a data directory is a cluster's.
pub(crate) fn is_cluster(dir: &Path) -> bool {
    dir.join(FOLDER).exists()
}

/// Where the database of a cluster that runs is. Holds its password.
pub(crate) fn running_database(dir: &Path) -> Option<String> {
    Postgres::running(&dir.join(FOLDER).join("postgres"))
}

/// The servers; clones share them. They end with the last one, or when we are killed.
#[derive(Clone)]
pub(crate) struct Servers {
    postgres: Arc<Mutex<Postgres>>,
    rabbitmq: Arc<Mutex<Option<Rabbitmq>>>,
}

impl Servers {
    /// Starts both.
    pub(super) async fn start(dir: &Path) -> Result<Self, Failure> {
        let folder = folder(dir)?;
        let start = Instant::now();
        tracing::info!("starting a private PostgreSQL and a private RabbitMQ in {}", folder.display());
        let (one, other) = (folder.join("postgres"), folder.join("rabbitmq"));
        let postgres = tokio::task::spawn_blocking(move || Postgres::start(&one));
        let rabbitmq = tokio::task::spawn_blocking(move || Rabbitmq::start(&other));
        let (postgres, rabbitmq) = (postgres.await?.map_err(missing)?, rabbitmq.await?.map_err(missing)?);
        tracing::info!("PostgreSQL and RabbitMQ answer after {} ms", start.elapsed().as_millis());
        Ok(Self { postgres: Arc::new(Mutex::new(postgres)), rabbitmq: Arc::new(Mutex::new(Some(rabbitmq))) })
    }

    /// Starts the database alone, for whoever only reads it.
    pub(crate) async fn start_database(dir: &Path) -> Result<Self, Failure> {
        let folder = folder(dir)?.join("postgres");
        let postgres = tokio::task::spawn_blocking(move || Postgres::start(&folder)).await?.map_err(missing)?;
        Ok(Self { postgres: Arc::new(Mutex::new(postgres)), rabbitmq: Arc::default() })
    }

    /// Where the database is. Holds its password.
    pub(crate) fn postgres_url(&self) -> String {
        self.postgres.lock().unwrap_or_else(PoisonError::into_inner).url()
    }

    /// What the services are told, as the secrets that the configuration names.
    pub(super) fn surroundings(&self, token: &Secret, config: &Config, key: &Secret) -> Result<Surroundings, Failure> {
        let rabbitmq = self.rabbitmq.lock().unwrap_or_else(PoisonError::into_inner);
        let rabbitmq = rabbitmq.as_ref().ok_or("RabbitMQ has not been started")?;
        let text = |secret: &Secret| secret.expose_str().map(str::to_owned);
        let named = [
            (config.postgres.secret.as_str(), self.postgres_url()),
            (&config.rabbitmq.secret, rabbitmq.url()),
            (&config.rabbitmq.management_secret, rabbitmq.management_url()),
            (&config.exchange.secret, text(key)?),
            ("api-token", text(token)?),
        ];
        Ok(named.into_iter().map(|(name, value)| (secret_variable(name), value)).collect())
    }

    /// Starts again what has ended.
    pub(super) async fn watch(&self) -> Result<(), Failure> {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            let servers = self.clone();
            tokio::task::spawn_blocking(move || servers.look()).await??;
        }
    }

    fn look(&self) -> Result<(), ServerError> {
        let mut postgres = self.postgres.lock().unwrap_or_else(PoisonError::into_inner);
        if postgres.has_ended() {
            tracing::warn!("PostgreSQL has ended; it is started again");
            postgres.restart()?;
        }
        drop(postgres);
        let mut rabbitmq = self.rabbitmq.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rabbitmq) = rabbitmq.as_mut()
            && rabbitmq.has_ended()
        {
            tracing::warn!("RabbitMQ has ended; it is started again");
            rabbitmq.restart()?;
        }
        Ok(())
    }

    /// Stops both in good order.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let stop = move || {
            if let Some(rabbitmq) = self.rabbitmq.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                rabbitmq.stop();
            }
            self.postgres.lock().unwrap_or_else(PoisonError::into_inner).stop();
        };
        Ok(tokio::task::spawn_blocking(stop).await?)
    }
}

fn missing(error: ServerError) -> Failure {
    let status = if matches!(error, ServerError::Missing { .. }) { Status::Unavailable } else { Status::Fault };
    Failure::new(status, error)
}

/// The servers' folder. They run as another user when we are root, and that one must be able to reach it: where it cannot,
/// as below /root, the folder is a link to one that it can reach.
fn folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = dir.join(FOLDER);
    if rustix::process::geteuid().is_root() {
        // Others may pass through; what is theirs is not ours to read, and what is ours stays for our eyes only.
        std::fs::set_permissions(dir, Permissions::from_mode(0o711))
            .with_context(|| format!("cannot let the servers' user pass through {}", dir.display()))?;
        if !is_reachable(dir) && !folder.exists() {
            let mut hasher = DefaultHasher::new();
            dir.hash(&mut hasher);
            let elsewhere = Path::new(ELSEWHERE).join(format!("{:016x}", hasher.finish()));
            std::fs::create_dir_all(&elsewhere).with_context(|| format!("cannot make {}", elsewhere.display()))?;
            symlink(&elsewhere, &folder).with_context(|| format!("cannot make the link {}", folder.display()))?;
        }
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

/// Whether everybody may pass through `dir` and all above it.
fn is_reachable(dir: &Path) -> bool {
    let passable = |dir: &Path| dir.metadata().is_ok_and(|known| known.permissions().mode() & 0o001 != 0);
    dir.canonicalize().is_ok_and(|dir| dir.ancestors().all(passable))
}
