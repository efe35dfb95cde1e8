//! Life and death of a process: logs first, wiring, signals, drain in reverse order of start, exit code.

mod drain;
mod host;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, error, info, warn};

pub(crate) use self::drain::panic_text;
pub use self::host::{Host, Stopping};
use crate::exit::{Failure, Status};
use crate::logs;
use crate::metrics::{self, Metrics};

/// How many threads run the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// All tasks on the main thread.
    Current,
    /// This many workers beside the main thread.
    Workers(usize),
}

/// What a main may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads for tasks; two workers by default.
    pub threads: Threads,
    /// How long the drain may take altogether; 10 s by default, as `docker stop` allows.
    pub grace: Duration,
    /// Where logs go and how they look.
    pub logs: logs::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: Threads::Workers(2), grace: Duration::from_secs(10), logs: logs::Options::default() }
    }
}

/// The version stated at start: `NIGHTDESK_VERSION` (`git describe`) if the build set it, else the package's.
#[must_use]
pub const fn version() -> &'static str {
    match option_env!("NIGHTDESK_VERSION") {
        Some(described) => described,
        None => env!("CARGO_PKG_VERSION"),
    }
}

/// Runs a process from its first line to its exit code.
///
/// `main` wires: it reads config, registers tasks, mounts routers, and returns. The process then lives until SIGTERM or
/// SIGINT, [`Host::stop`], or a registered task's end, and drains. A signal that arrives while `main` still wires drops
/// it and drains what it had registered. A second signal ends the process at once.
pub fn run<F, Fut>(name: &'static str, options: Options, main: F) -> ExitCode
where
    F: FnOnce(Host) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    // Fails only when a provider is already installed, which is then the one to use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    logs::install(name, &options.logs);
    info!(version = version(), pid = std::process::id(), "{name} {} starting", version());
    let runtime = match build_runtime(options.threads) {
        Ok(runtime) => runtime,
        Err(e) => {
            let failure = Failure::from(e).in_step("start the runtime");
            report(&failure);
            return end(name, &[failure]);
        }
    };
    let failures = runtime.block_on(live(name, &options, metrics::install(name), main));
    // What still blocks a thread after the drain is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    end(name, &failures)
}

fn build_runtime(threads: Threads) -> std::io::Result<Runtime> {
    match threads {
        Threads::Current => Builder::new_current_thread().enable_all().build(),
        Threads::Workers(n) => Builder::new_multi_thread().worker_threads(n.max(1)).enable_all().build(),
    }
}

/// Wires, waits for a reason to stop, drains. Returns all that failed, the cause of the stop first.
async fn live<F, Fut>(name: &'static str, options: &Options, metrics: Metrics, main: F) -> Vec<Failure>
where
    F: FnOnce(Host) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(e) => {
            let failure = Failure::from(e).in_step("listen for signals");
            report(&failure);
            return vec![failure];
        }
    };
    let (host, mut ended) = Host::new(name, options.grace, metrics);
    let mut failures = Vec::new();
    let wired = tokio::select! {
        wired = main(host.clone()) => Some(wired),
        signal = signals.next() => { host.stop(signal); None }
    };
    match wired {
        Some(Err(failure)) => {
            report(&failure);
            host.stop(WIRING_FAILED);
            failures.push(failure);
        }
        Some(Ok(())) => host.lives(),
        None => {}
    }
    if !host.stopping().is_stopping() {
        let stopping = host.stopping();
        tokio::select! {
            signal = signals.next() => host.stop(signal),
            () = stopping.wait() => {}
            Some(failure) = ended.recv() => {
                report(&failure);
                host.stop(failure.to_string());
                failures.push(failure);
            }
        }
    }
    let reason = host.stop_reason();
    if reason != WIRING_FAILED {
        info!(reason, "{name} stopping: {reason}");
    }
    tokio::select! {
        mut drained = host.drain() => failures.append(&mut drained),
        signal = signals.next() => {
            error!("{signal} while draining: ending at once, work in progress is left to recovery");
            std::process::exit(i32::from(Status::Fault.code()));
        }
    }
    // A task that failed at the same moment as another must not go unsaid.
    while let Ok(failure) = ended.try_recv() {
        report(&failure);
        failures.push(failure);
    }
    failures
}

/// The reason that needs no line of its own: the failure has just been reported.
const WIRING_FAILED: &str = "wiring failed";

/// Logs a failure, once, where it is handled.
fn report(failure: &Failure) {
    match failure.config_errors() {
        Some(errors) => logs::report_config_errors(errors),
        // An answer of no is a result, not a fault.
        None if failure.status() == Status::No => warn!("{failure}"),
        None => error!("{failure}"),
    }
}

/// Picks the exit code: the first failure's.
fn end(name: &str, failures: &[Failure]) -> ExitCode {
    let status = failures.first().map_or(Status::Good, Failure::status);
    let exit_code = status.code();
    match status {
        Status::Good => info!(exit_code, "{name} ended cleanly"),
        Status::BadConfig => debug!(exit_code, "{name} did not start"),
        _ => info!(exit_code, "{name} ended with exit code {exit_code}"),
    }
    status.into()
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests;
