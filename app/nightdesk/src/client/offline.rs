//! What the database says when nothing runs. It is read, never written.

use std::path::Path;
use std::sync::Arc;

use nightdesk_core_engine::SCHEMA;
use nightdesk_core_engine::api::{Archive, Mode, Order, OrdersQuery, Page, Position, Problem, Quarantined};
use nightdesk_host::{Failure, Status as Exit};
use nightdesk_store_sql::SqliteStore;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::pending::PendingHalt;
use super::{Told, show};

/// A database that nobody works on.
pub(super) struct Offline {
    store: Arc<SqliteStore>,
    archive: Archive,
    runtime: Runtime,
}

impl Offline {
    /// Opens the database of a directory, if there is one.
    pub(super) fn open(dir: &Path) -> Result<Option<Self>, Failure> {
        if !dir.join(format!("{}.sqlite", SCHEMA.service)).exists() {
            return Ok(None);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let store = Arc::new(runtime.block_on(SqliteStore::open_to_read(dir, &SCHEMA))?);
        let archive = Archive::new(Arc::clone(&store) as _);
        Ok(Some(Self { store, archive, runtime }))
    }

    /// How things stood.
    pub(super) fn status(&self, waiting: Option<&PendingHalt>) -> Result<Told, Failure> {
        let mode: Option<Mode> = self.ask(self.archive.mode())?;
        let quarantine: Vec<Quarantined> = self.ask(self.archive.quarantine())?;
        let positions: Vec<Position> = self.ask(self.archive.positions())?;
        let open = self.orders(500, Some("active".to_owned()))?;
        let mut text = show::last_word(mode.as_ref(), &open, &positions, &quarantine);
        if let Some(PendingHalt { reason, by, .. }) = waiting {
            text += &show::next_start(by, reason);
        }
        let json = json!({
            "running": false, "mode": mode, "quarantine": quarantine, "positions": positions, "open_orders": open.items,
            "pending_halt": waiting,
        });
        Ok(Told { text, json })
    }

    /// A page of orders.
    pub(super) fn orders(&self, limit: usize, status: Option<String>) -> Result<Page<Order>, Failure> {
        let query = OrdersQuery { status, limit: Some(limit), ..OrdersQuery::default() };
        self.ask(self.archive.orders(query))
    }

    /// What was held, at cost.
    pub(super) fn positions(&self) -> Result<Vec<Position>, Failure> {
        self.ask(self.archive.positions())
    }

    fn ask<T>(&self, question: impl Future<Output = Result<T, Problem>>) -> Result<T, Failure> {
        self.runtime.block_on(question).map_err(|problem| {
            let exit = if problem.status == 400 { Exit::No } else { Exit::Fault };
            Failure::new(exit, problem.detail)
        })
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}
