//! What a main is handed: a place to register tasks, and the means to stop.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tracing::{debug, info};

use super::drain::{self, Step};
use crate::exit::{Failure, Status};
use crate::http::Health;
use crate::metrics::Metrics;

/// A handle on the running process; clones share it.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    grace: Duration,
    started: Instant,
    metrics: Metrics,
    health: Health,
    stop: watch::Sender<bool>,
    reason: OnceLock<String>,
    steps: Mutex<Vec<Step>>,
    ended: mpsc::UnboundedSender<Failure>,
}

impl Host {
    pub(crate) fn new(
        name: &'static str,
        grace: Duration,
        metrics: Metrics,
    ) -> (Self, mpsc::UnboundedReceiver<Failure>) {
        // Holds at most one failure per registered task.
        let (ended, failures) = mpsc::unbounded_channel();
        let inner = Inner {
            name,
            grace,
            started: Instant::now(),
            metrics,
            health: Health::new(),
            stop: watch::Sender::new(false),
            reason: OnceLock::new(),
            steps: Mutex::default(),
            ended,
        };
        (Self { inner: Arc::new(inner) }, failures)
    }

    /// The process's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// How long it has lived.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// The metrics of this process.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// What `/health` and `/ready` answer from.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// Starts a task that lives as long as the process. If it ends before the stop, well or badly, that is a failure
    /// that stops the process. At the stop, in reverse order of registration, `drain` is run (it tells the task to
    /// finish) and then the task is awaited.
    pub fn register<T, E, D, DF, DE>(&self, name: impl Into<String>, task: T, drain: D)
    where
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Failure> + 'static,
        D: FnOnce() -> DF + Send + 'static,
        DF: Future<Output = Result<(), DE>> + Send + 'static,
        DE: Into<Failure> + 'static,
    {
        let name = name.into();
        let failed_early = |name: &str| Failure::new(Status::Fault, format!("{name} ended, though nobody asked it to"));
        let handle = self.watch(name.clone(), task, move |name, ended| ended.and_then(|()| Err(failed_early(name))));
        self.add(Step { name, drain: boxed(drain), task: Some(handle), abort_at_stop: false });
    }

    /// Starts a task that may end by itself, such as a replay; a failure stops the process. At the stop it is dropped
    /// at its next await.
    pub fn job<T, E>(&self, name: impl Into<String>, task: T)
    where
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Failure> + 'static,
    {
        let name = name.into();
        let handle = self.watch(name.clone(), task, |_, ended| ended);
        let nothing = Box::new(|| async { Ok(()) }.boxed());
        self.add(Step { name, drain: nothing, task: Some(handle), abort_at_stop: true });
    }

    /// Registers something to do at the stop, in its place of the reverse order. A failure's status becomes the exit
    /// code, unless an earlier failure has set one.
    pub fn on_drain<D, DF, DE>(&self, name: impl Into<String>, drain: D)
    where
        D: FnOnce() -> DF + Send + 'static,
        DF: Future<Output = Result<(), DE>> + Send + 'static,
        DE: Into<Failure> + 'static,
    {
        self.add(Step { name: name.into(), drain: boxed(drain), task: None, abort_at_stop: false });
    }

    /// Asks the process to stop: new work is refused from here on. The first reason given is the one reported.
    pub fn stop(&self, reason: impl Into<String>) {
        let _ = self.inner.reason.set(reason.into());
        self.inner.health.set_stopping();
        self.inner.stop.send_replace(true);
    }

    /// Tells when the process is asked to stop.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping(self.inner.stop.subscribe())
    }

    pub(super) fn stop_reason(&self) -> &str {
        self.inner.reason.get().map_or("", String::as_str)
    }

    pub(super) fn lives(&self) {
        let tasks = self.inner.steps.lock().unwrap_or_else(PoisonError::into_inner).len();
        let ms = u64::try_from(self.uptime().as_millis()).unwrap_or(u64::MAX);
        info!(tasks, startup_ms = ms, "{} runs, started in {ms} ms", self.inner.name);
    }

    pub(crate) async fn drain(&self) -> Vec<Failure> {
        let steps = std::mem::take(&mut *self.inner.steps.lock().unwrap_or_else(PoisonError::into_inner));
        drain::in_reverse(steps, self.inner.grace).await
    }

    fn add(&self, step: Step) {
        debug!(step = %step.name, "{} registered", step.name);
        self.inner.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Spawns a task and reports its end, judged by `verdict`, unless the process is already stopping: from then on the
    /// drain awaits it and judges it.
    fn watch<T, E>(
        &self,
        name: String,
        task: T,
        verdict: impl FnOnce(&str, Result<(), Failure>) -> Result<(), Failure> + Send + 'static,
    ) -> JoinHandle<Result<(), Failure>>
    where
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Failure> + 'static,
    {
        let (ended, stopping) = (self.inner.ended.clone(), self.stopping());
        tokio::spawn(async move {
            let caught = std::panic::AssertUnwindSafe(task).catch_unwind().await;
            let result = match caught {
                Ok(result) => result.map_err(Into::into),
                Err(panic) => Err(Failure::new(Status::Fault, format!("panicked: {}", drain::panic_text(&*panic)))),
            };
            if stopping.is_stopping() {
                return result;
            }
            if let Err(failure) = verdict(&name, result) {
                let _ = ended.send(failure.in_step(&name));
            }
            Ok(())
        })
    }
}

/// Erases a drain's types.
fn boxed<D, DF, DE>(drain: D) -> Box<dyn FnOnce() -> BoxFuture<'static, Result<(), Failure>> + Send>
where
    D: FnOnce() -> DF + Send + 'static,
    DF: Future<Output = Result<(), DE>> + Send + 'static,
    DE: Into<Failure> + 'static,
{
    Box::new(move || async move { drain().await.map_err(Into::into) }.boxed())
}

/// What a join gives, flattened.
pub(super) fn joined(result: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    match result {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => Ok(()),
        Err(e) => Err(Failure::new(Status::Fault, format!("panicked: {}", drain::panic_text(&*e.into_panic())))),
    }
}

/// Tells when the process is asked to stop; clones watch the same process.
#[derive(Debug, Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// A stop of its own, not the process's.
    pub(crate) const fn from_watch(stop: watch::Receiver<bool>) -> Self {
        Self(stop)
    }

    /// Whether it was asked already.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it is asked.
    pub async fn wait(mut self) {
        // An error means the host is gone, which is a stop as well.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}
