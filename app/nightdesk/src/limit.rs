//! `--for`: how long a command runs.

use std::time::Duration;

use nightdesk_host::{Failure, Host};

/// Stops `host` after `limit`, if there is one.
pub(crate) fn run_for(host: &Host, limit: Option<Duration>) {
    let Some(limit) = limit else { return };
    let stopper = host.clone();
    host.job("time limit", async move {
        tokio::time::sleep(limit).await;
        stopper.stop("the time given by --for is over");
        Ok::<(), Failure>(())
    });
}
