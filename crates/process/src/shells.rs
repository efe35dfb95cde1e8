//! A service's loop as a task of the host, watched.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, TryFutureExt};
use nightdesk_host::http::{Heartbeat, State};
use nightdesk_host::{Failure, Host};
use nightdesk_shell::{ShellError, Status, Stopper, StorageState};

use crate::failure;

/// How old a service's last turn may be before the process counts as stuck.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Registers a service's loop with the host; `stopper` ends it.
pub fn register(
    host: &Host,
    name: &str,
    shell: BoxFuture<'static, Result<(), ShellError>>,
    status: Arc<Status>,
    stopper: Stopper,
) {
    let asked = Arc::clone(&status);
    host.health().check(format!("{name} store"), move || match asked.storage() {
        StorageState::Works => State::Up,
        StorageState::Starting => State::Down("starting".to_owned()),
        StorageState::Failed => State::Down("the store takes no writes: no new risk".to_owned()),
    });
    // Beats while the loop turns or has nothing to do: a shell that hangs in a commit or a decision stops it.
    let heart = host.health().heartbeat(name.to_owned(), HEARTBEAT);
    host.job(format!("{name} heartbeat"), beat(heart, status));
    host.register(name, shell.map_err(failure::of_shell), move || async move {
        stopper.stop();
        Ok::<(), Failure>(())
    });
}

async fn beat(heart: Heartbeat, status: Arc<Status>) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut before = (0, 0);
    loop {
        ticks.tick().await;
        let now = status.progress();
        // At rest, or further than a second ago.
        if now.0 == now.1 || now != before {
            heart.beat();
        }
        before = now;
    }
}
