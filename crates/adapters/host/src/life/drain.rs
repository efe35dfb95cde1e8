//! The drain: registered steps in reverse order of start, each named when it fails or overruns.

use std::any::Any;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::host::joined;
use crate::exit::{Failure, Status};

/// One registered thing.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) drain: Box<dyn FnOnce() -> BoxFuture<'static, Result<(), Failure>> + Send>,
    pub(super) task: Option<JoinHandle<Result<(), Failure>>>,
    pub(super) abort_at_stop: bool,
}

/// Drains, last started first. A step that hangs may use half of the time that is left when others still follow it,
/// because what started first (the store) is what must end well.
pub(super) async fn in_reverse(mut steps: Vec<Step>, grace: Duration) -> Vec<Failure> {
    let began = Instant::now();
    let deadline = began + grace;
    let total = steps.len();
    let mut failures = Vec::new();
    while let Some(step) = steps.pop() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = if steps.is_empty() { left } else { left / 2 };
        let name = step.name.clone();
        if let Err(failure) = one(step, Instant::now() + share).await {
            let failure = failure.in_step(&format!("drain {name}"));
            super::report(&failure);
            failures.push(failure);
        }
    }
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if total == 0 {
        return failures;
    }
    info!(drain_ms = ms, failed = failures.len(), "drained {total} steps in {ms} ms, {} failed", failures.len());
    failures
}

async fn one(step: Step, deadline: Instant) -> Result<(), Failure> {
    let overrun = || Failure::new(Status::Fault, "did not finish within the grace period");
    // A task of its own, so that a panic in a drain is a failed step and not the end of the drain.
    let mut draining = tokio::spawn((step.drain)());
    let told = match timeout_at(deadline, &mut draining).await {
        Ok(result) => joined(result),
        Err(_) => {
            draining.abort();
            Err(overrun())
        }
    };
    let Some(mut task) = step.task else { return told };
    if step.abort_at_stop {
        task.abort();
    }
    let ended = match timeout_at(deadline, &mut task).await {
        Ok(result) => joined(result),
        Err(_) => {
            task.abort();
            Err(overrun())
        }
    };
    told.and(ended)
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
