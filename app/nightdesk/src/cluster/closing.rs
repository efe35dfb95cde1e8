//! The end of a cluster: nothing new is decided, what is under way comes to its end, everybody stops, and the books are
//! compared.

use std::time::{Duration, Instant};

use nightdesk_core_engine::api::Status as CoreStatus;
use nightdesk_host::{Failure, Host};
use nightdesk_platform::Secret;
use nightdesk_platform_local::DataDir;
use nightdesk_process::Kind;
use serde_json::Value;

use super::servers::Servers;
use super::{Cluster, LOOK};
use crate::client::Core;
use crate::data;
use crate::summary::{Figures, print};
use crate::verify::{Books, verify};

/// How long a process may take to end.
const STOP: Duration = Duration::from_secs(12);
/// How long orders under way may take to settle, and the last comparison with the exchange.
const SETTLE: Duration = Duration::from_secs(20);

/// Ends the cluster.
pub(super) struct Closing {
    host: Host,
    cluster: Cluster,
    servers: Servers,
    token: Secret,
    json: bool,
    lock: DataDir,
}

impl Closing {
    pub(super) fn new(
        host: &Host,
        cluster: &Cluster,
        servers: &Servers,
        token: &Secret,
        json: bool,
        lock: DataDir,
    ) -> Self {
        let (host, cluster, servers, token) = (host.clone(), cluster.clone(), servers.clone(), token.clone());
        Self { host, cluster, servers, token, json, lock }
    }

    pub(super) async fn run(self) -> Result<(), Failure> {
        let crew = &self.cluster.crew;
        crew.stop(STOP, |spec| spec.kind() == Some(Kind::StrategyWorker)).await?;
        // A market that stands still fills nothing more: what is under way can come to its end.
        if let Err(error) = self.cluster.board.pause_exchange().await {
            tracing::warn!("the exchange's market could not be paused: {error}");
        }
        let last = self.settle().await;
        if last.is_none() {
            tracing::warn!("orders are still under way or not yet compared; the next start takes them up");
        }
        let market_messages = self.cluster.board.market_messages().await;
        crew.stop(STOP, |spec| spec.kind().is_some()).await?;
        crew.stop(STOP, |_| true).await?;
        let done = self.compare(market_messages, last.as_ref()).await;
        self.servers.stop().await?;
        drop(self.lock);
        done
    }

    /// Waits until no order is under way and the books have been compared once more; core-engine's last word.
    async fn settle(&self) -> Option<CoreStatus> {
        let core = Core::new(self.cluster.board.cores(), &self.token).ok()?;
        let before = look(&core).await?;
        let start = Instant::now();
        core.post("/v1/reconcile", &Value::Null).await.ok()?;
        while start.elapsed() < SETTLE {
            let now = look(&core).await?;
            if now.unsettled == 0 && now.reconciled_at != before.reconciled_at {
                return Some(now);
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }

    async fn compare(&self, market_messages: u64, last: Option<&CoreStatus>) -> Result<(), Failure> {
        let dir = &self.cluster.dir;
        let books = Books::Postgres(self.servers.postgres_url());
        let config = data::kept_config(dir)?;
        let core = books.open(&data::databases(dir, &config.trading()?)[0]).await?;
        let report = verify(dir, &books, None).await?;
        let figures = Figures::of_status(market_messages, last);
        print(&self.host, dir, self.json, &*core, figures, report).await
    }
}

async fn look(core: &Core) -> Option<CoreStatus> {
    serde_json::from_value(core.get("/v1/status").await.ok()?).ok()
}
