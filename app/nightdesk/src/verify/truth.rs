//! What the exchange's own record says: orders, executions, positions and balances, reckoned without our code's help.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Decimal, Symbol};
use serde::Deserialize;

/// A line of the exchange's record.
#[derive(Debug, Deserialize)]
struct Line {
    sequence: u64,
    event: String,
    symbol: Option<Symbol>,
    order_id: Option<u64>,
    client_order_id: Option<String>,
    side: Option<String>,
    trade_id: Option<u64>,
    price: Option<Decimal>,
    qty: Option<Decimal>,
    commission: Option<Decimal>,
    commission_asset: Option<Asset>,
    status: Option<String>,
    filled: Option<Decimal>,
    asset: Option<Asset>,
    free: Option<Decimal>,
    locked: Option<Decimal>,
}

/// What the exchange's record says became of one order.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) order_ids: BTreeSet<u64>,
    pub(super) filled: Decimal,
    pub(super) status: String,
    symbol: String,
}

/// The exchange's truth, from its own record.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) orders: BTreeMap<String, Told>,
    /// By (symbol, trade id): client order id, side, price, quantity, fee, fee asset.
    pub(super) fills: BTreeMap<(String, i64), [String; 6]>,
    /// Base quantity by instance and symbol.
    pub(super) positions: BTreeMap<(String, String), Decimal>,
    pub(super) balances: BTreeMap<String, Decimal>,
}

/// Reads the record.
pub(super) fn truth(record: &Path, bases: &BTreeMap<String, String>) -> anyhow::Result<Truth> {
    let text = std::fs::read_to_string(record).with_context(|| format!("cannot read {}", record.display()))?;
    let mut truth = Truth::default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (expected, line) in (1..).zip(whole.lines()) {
        let line: Line =
            serde_json::from_str(line).with_context(|| format!("{}:{expected}: not a record", record.display()))?;
        anyhow::ensure!(line.sequence == expected, "{}:{expected}: sequence {}", record.display(), line.sequence);
        truth.take(line, bases)?;
    }
    Ok(truth)
}

impl Truth {
    fn take(&mut self, line: Line, bases: &BTreeMap<String, String>) -> anyhow::Result<()> {
        if line.event == "balance" {
            let (asset, free, locked) = (line.asset, line.free, line.locked);
            let asset = asset.context("balance without asset")?.to_string();
            self.balances.insert(asset, free.unwrap_or_default() + locked.unwrap_or_default());
            return Ok(());
        }
        let Some(id) = line.client_order_id.clone() else { return Ok(()) };
        let symbol = line.symbol.context("order without symbol")?.to_string();
        let told = self.orders.entry(id.clone()).or_default();
        told.order_ids.extend(line.order_id);
        told.symbol.clone_from(&symbol);
        if let Some(status) = &line.status {
            told.status.clone_from(status);
        }
        if let Some(filled) = line.filled {
            told.filled = filled;
        }
        if line.event != "fill" {
            return Ok(());
        }
        let trade_id = i64::try_from(line.trade_id.context("fill without trade_id")?)?;
        let text = |value: Option<Decimal>| value.unwrap_or_default().normalize().to_string();
        let side = line.side.clone().unwrap_or_default();
        let asset = line.commission_asset.map(|asset| asset.to_string()).unwrap_or_default();
        let (price, qty, fee) = (text(line.price), text(line.qty), text(line.commission));
        let fill = [id.clone(), side.clone(), price, qty, fee, asset.clone()];
        anyhow::ensure!(
            self.fills.insert((symbol.clone(), trade_id), fill).is_none(),
            "trade {trade_id} recorded twice"
        );
        if let Some((instance, _)) = id.parse::<ClientOrderId>().ok().and_then(|id| id.parts()) {
            let (qty, fee) = (line.qty.unwrap_or_default(), line.commission.unwrap_or_default());
            let fee = if bases.get(&symbol) == Some(&asset) { fee } else { Decimal::ZERO };
            let change = if side == "BUY" { qty - fee } else { -qty - fee };
            *self.positions.entry((instance.to_string(), symbol)).or_default() += change;
        }
        Ok(())
    }
}
