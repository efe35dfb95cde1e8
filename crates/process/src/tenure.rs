//! Acting under a lease: taken when it is free, renewed in time, and the process's end when it is lost.
//!
//! The lease is kept on a thread of its own, so that no work of the service delays a renewal. Whoever loses it, or cannot
//! renew it before its deadline, ends at once with exit code 75 and without a drain: another acts already, and the
//! supervisor starts this one again as a standby. Until the thread gets to that, [`Until`] tells everybody that time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nightdesk_host::http::{Dependency, State};
use nightdesk_host::{Failure, Host, Status};
use nightdesk_platform::Lease;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::LeaseConfig;

/// Pause after a renewal that failed.
const AGAIN: Duration = Duration::from_millis(50);
/// How long giving the lease back may take.
const RELEASE: Duration = Duration::from_millis(500);

/// Until when we may act; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Until(Arc<AtomicU64>);

impl Until {
    /// How long we may still act.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst)).saturating_sub(running())
    }

    pub(crate) fn set(&self, end: Duration) {
        self.0.store(u64::try_from(end.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

/// Time since the machine's start, also while it was suspended. Nobody sets this clock.
pub(crate) fn running() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or(Duration::MAX)
}

/// A lease that we hold.
#[derive(Debug)]
pub(crate) struct Tenure {
    /// The epoch in which we act.
    pub(crate) epoch: u64,
    /// Until when.
    pub(crate) until: Until,
}

/// Waits as a standby until the lease is ours. From then on it is kept until the host has drained everything that was
/// registered later, and then given back.
pub(crate) async fn hold(
    host: &Host,
    name: &str,
    lease: impl Lease + 'static,
    config: LeaseConfig,
) -> Result<Tenure, Failure> {
    let (stop, stopping) = watch::channel(false);
    let (tell, taken) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let state = host.health().dependency("lease");
    let keeper = Keeper { name: name.to_owned(), lease, config, state, stopping, until: Until::default() };
    thread::Builder::new().name("lease".to_owned()).spawn(move || {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(keeper.run(tell)),
            Err(error) => tracing::error!(%error, "the lease's thread has no runtime"),
        }
        drop(end);
    })?;
    host.on_drain("lease", move || async move {
        stop.send_replace(true);
        // It is dropped, never sent.
        let _ = ended.await;
        Ok::<(), Failure>(())
    });
    taken.await.map_err(|_| Failure::new(Status::Fault, format!("the thread that keeps lease {name} has ended")))
}

struct Keeper<L> {
    name: String,
    lease: L,
    config: LeaseConfig,
    state: Dependency,
    stopping: watch::Receiver<bool>,
    until: Until,
}

impl<L: Lease> Keeper<L> {
    async fn run(mut self, tell: oneshot::Sender<Tenure>) {
        let mut stopping = self.stopping.clone();
        let epoch = tokio::select! {
            epoch = self.acquire() => epoch,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        tracing::info!(lease = self.name, epoch, "lease {} is ours, epoch {epoch}", self.name);
        self.state.set(State::UpBut(format!("acts in epoch {epoch}")));
        if tell.send(Tenure { epoch, until: self.until.clone() }).is_ok() {
            tokio::select! {
                never = self.renew(epoch) => match never {},
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        }
        // Who cannot be told finds out when the time is up.
        drop(timeout(RELEASE, self.lease.release(epoch)).await);
        tracing::info!(lease = self.name, epoch, "lease {} is given back", self.name);
    }

    async fn acquire(&mut self) -> u64 {
        let mut told = None;
        loop {
            let asked = running();
            let waits = match self.lease.acquire(self.config.ttl()).await {
                Ok(Some(epoch)) => {
                    self.until.set(asked + self.config.ttl());
                    return epoch;
                }
                Ok(None) => format!("standby: another replica holds lease {}", self.name),
                Err(error) => format!("waits for the database: {error}"),
            };
            let failed = waits.starts_with("waits");
            self.state.set(if failed { State::Down(waits.clone()) } else { State::UpBut(waits.clone()) });
            // Once for each cause, or the log would fill while we stand by.
            if told != Some(failed) {
                told = Some(failed);
                if failed { tracing::warn!("{waits}") } else { tracing::info!("{waits}") }
            }
            sleep(self.config.poll()).await;
        }
    }

    async fn renew(&mut self, epoch: u64) -> std::convert::Infallible {
        let mut failure = "no answer".to_owned();
        let mut pause = self.config.renew();
        loop {
            sleep(pause.min(self.until.left())).await;
            let asked = running();
            match timeout(self.until.left(), self.lease.renew(epoch, self.config.ttl())).await {
                Ok(Ok(true)) => {
                    self.until.set(asked + self.config.ttl());
                    pause = self.config.renew();
                    continue;
                }
                Ok(Ok(false)) => self.lost("it has passed to another replica"),
                Ok(Err(error)) => failure = error.to_string(),
                Err(_) => {}
            }
            if self.until.left().is_zero() {
                self.lost(&format!("it could not be renewed in time: {failure}"));
            }
            pause = AGAIN;
        }
    }

    /// Ends the process: whatever it would still do is another's to do.
    fn lost(&self, why: &str) -> ! {
        let name = &self.name;
        tracing::error!(lease = name, "lease {name} is lost: {why}; ending at once, to start again as a standby");
        std::process::exit(i32::from(Status::TryAgain.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_has_passed_is_no_time_left() {
        let until = Until::default();
        assert_eq!(until.left(), Duration::ZERO);
        until.set(running() + Duration::from_secs(60));
        assert!(until.left() > Duration::from_secs(50));
        until.set(running());
        assert_eq!(until.left(), Duration::ZERO);
    }
}
