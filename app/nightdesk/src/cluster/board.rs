//! Who runs where: told in `DATA_DIR/processes.json`, and asked over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightdesk_host::Failure;
use nightdesk_platform::Secret;
use nightdesk_process::Kind;
use serde::Serialize;
use serde_json::Value;

use super::child::Spec;
use crate::data;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// A process as it is told.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    /// `None` while it does not run.
    pid: Option<u32>,
    address: SocketAddr,
    #[serde(skip)]
    kind: Option<Kind>,
}

/// The processes and where they are.
pub(super) struct Board {
    file: PathBuf,
    token: Secret,
    http: reqwest::Client,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Board {
    pub(super) fn new(dir: &Path, token: &Secret) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build().unwrap_or_default();
        Self { file: dir.join("processes.json"), token: token.clone(), http, entries: Mutex::default() }
    }

    pub(super) fn enlist(&self, spec: &Spec) -> Result<(), Failure> {
        let entry = Entry { pid: None, address: spec.address, kind: spec.kind() };
        self.lock().insert(spec.name.clone(), entry);
        self.write()
    }

    /// These run, with these process ids.
    pub(super) fn tell(&self, running: &[(String, Option<u32>)]) -> Result<(), Failure> {
        {
            let mut entries = self.lock();
            for (name, pid) in running {
                if let Some(entry) = entries.get_mut(name) {
                    entry.pid = *pid;
                }
            }
        }
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&*self.lock())?;
        Ok(data::write_atomic(&self.file, &text)?)
    }

    /// For the command line, which asks whichever core-engine acts.
    pub(super) fn addresses(&self) -> BTreeMap<String, String> {
        let cores = self.cores().into_iter().enumerate();
        let mut all: BTreeMap<_, _> = cores
            .map(|(number, base)| (if number == 0 { "api".to_owned() } else { format!("api-{}", number + 1) }, base))
            .collect();
        all.extend(self.lock().iter().map(|(name, entry)| (name.clone(), format!("http://{}", entry.address))));
        all
    }

    /// Where the core-engines are.
    pub(super) fn cores(&self) -> Vec<String> {
        self.of(Kind::CoreEngine)
    }

    fn of(&self, kind: Kind) -> Vec<String> {
        let entries = self.lock();
        entries.values().filter(|e| e.kind == Some(kind)).map(|entry| format!("http://{}", entry.address)).collect()
    }

    /// Whether one of the service's processes acts; of the workers, all.
    pub(super) async fn acts(&self, kind: Kind) -> bool {
        let mut acting = 0;
        let processes = self.of(kind);
        for base in &processes {
            let page = self.get(&format!("{base}/ready")).await.unwrap_or_default();
            let lease = page["dependencies"]["lease"]["remark"].as_str().unwrap_or_default();
            acting += usize::from(lease.starts_with("acts"));
        }
        acting >= if kind == Kind::StrategyWorker { processes.len() } else { 1 }
    }

    /// Market messages that the present connectors have received.
    pub(super) async fn market_messages(&self) -> u64 {
        let mut messages = 0;
        for base in self.of(Kind::ExchangeConnector) {
            let figures = self.get(&format!("{base}/api/connector/v1/figures")).await.unwrap_or_default();
            messages += figures["market_messages"].as_u64().unwrap_or(0);
        }
        messages
    }

    /// How the simulated exchange stands; `None` where there is none, or it does not answer.
    pub(super) async fn exchange_state(&self) -> Option<Value> {
        self.get(&format!("{}/state", self.exchange()?)).await
    }

    /// Lets the simulated exchange's market stand still.
    pub(super) async fn pause_exchange(&self) -> Result<(), Failure> {
        let Some(base) = self.exchange() else { return Ok(()) };
        let request = self.http.post(format!("{base}/market")).body(r#"{"paused":true}"#);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    fn exchange(&self) -> Option<String> {
        self.lock().get("exchange").map(|entry| format!("http://{}", entry.address))
    }

    async fn get(&self, url: &str) -> Option<Value> {
        let token = self.token.expose_str().unwrap_or_default();
        self.http.get(url).bearer_auth(token).send().await.ok()?.json().await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
