//! Commands that ask the running process.

use std::path::Path;

use nightdesk_host::Failure;

use crate::cli::{Ask, HaltArgs, ListArgs, StrategiesArgs};

/// A halt asked for while nothing ran.
pub(crate) struct PendingHalt {
    pub(crate) reason: String,
    pub(crate) by: String,
}

macro_rules! soon {
    ($($name:ident($args:ty)),*) => { $(pub(crate) fn $name(_: &$args) -> Result<(), Failure> { Err(Failure::from("not yet")) })* };
}
soon!(
    status(Ask),
    orders(ListArgs),
    positions(Ask),
    pnl(Ask),
    strategies(StrategiesArgs),
    halt(HaltArgs),
    resume(Ask),
    reconcile(Ask)
);

pub(crate) fn pending_halt(_: &Path) -> anyhow::Result<Option<PendingHalt>> {
    Ok(None)
}

pub(crate) fn clear_pending_halt(_: &Path) -> anyhow::Result<()> {
    Ok(())
}
