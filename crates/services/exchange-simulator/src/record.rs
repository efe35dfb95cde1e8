//! `record.jsonl`: the exchange's own append-only account of what happened, the judge of all tests.
//!
//! One JSON object a line. Every line has `sequence` (from 1, without gaps), `at` (microseconds UTC), `event` and
//! `account` (its name). Decimals are text, exact. The format only ever gains fields.
//!
//! | `event` | further fields |
//! |---|---|
//! | `order` (accepted) | `symbol order_id client_order_id side type tif price qty quote_order_qty` |
//! | `fill` | `symbol order_id client_order_id side trade_id price qty quote_qty commission commission_asset maker status filled filled_quote` |
//! | `cancel`, `expire`, `prevent` (self-trade) | `symbol order_id client_order_id side status filled filled_quote`, and `cancel_id` for a cancel |
//! | `amend` (quantity reduced) | `symbol order_id client_order_id side qty old_client_order_id status filled filled_quote` |
//! | `transfer` (deposit, withdrawal) | `asset delta` |
//! | `balance` (after each of the above) | `asset free locked` |
//!
//! A line is written, and the command behind it made durable, before the answer or report of it leaves. After a crash
//! the torn last line is dropped and what is missing is written again from the command log: the same commands give the
//! same lines.

use nightdesk_matching::{Execution, OrderReport, VenueEvent};
use nightdesk_units::Timestamp;
use serde_json::{Value, json};

/// Writes the lines of `event`; `sequence` is the last one used.
pub fn write(event: &VenueEvent, sequence: &mut u64, name: impl Fn(u32) -> String, out: &mut Vec<u8>) {
    let mut line = |at: Timestamp, account: String, mut fields: Value| {
        *sequence += 1;
        fields["sequence"] = json!(*sequence);
        fields["at"] = json!(at.0);
        fields["account"] = json!(account);
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut *out, &fields);
        out.push(b'\n');
    };
    match event {
        VenueEvent::Order(report) => line(report.at, name(report.order.account.0), order(report)),
        VenueEvent::Transfer(transfer) => {
            let fields = json!({ "event": "transfer", "asset": transfer.asset, "delta": transfer.delta });
            line(transfer.at, name(transfer.account.0), fields);
        }
        VenueEvent::Balances(changed) => {
            for balance in &changed.balances {
                let fields = json!({
                    "event": "balance", "asset": balance.asset, "free": balance.free, "locked": balance.locked,
                });
                line(changed.at, name(changed.account.0), fields);
            }
        }
        VenueEvent::Trade(_) | VenueEvent::Level(_) | VenueEvent::Best(_) => {}
    }
}

fn order(report: &OrderReport) -> Value {
    let order = &report.order;
    let mut fields = json!({
        "symbol": order.symbol, "order_id": order.order_id, "client_order_id": order.client_order_id, "side": order.side,
    });
    let mut add = |more: Value| {
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
    };
    let so_far = json!({ "status": order.status, "filled": order.filled, "filled_quote": order.filled_quote });
    match (report.execution, &report.fill) {
        (Execution::New, _) => add(json!({
            "event": "order", "type": order.order_type, "tif": order.tif, "price": order.price, "qty": order.qty,
            "quote_order_qty": order.quote_order_qty,
        })),
        (Execution::Trade, Some(fill)) => {
            add(so_far);
            add(json!({
                "event": "fill", "trade_id": fill.trade_id, "price": fill.price, "qty": fill.qty,
                "quote_qty": fill.quote_qty, "commission": fill.commission, "commission_asset": fill.commission_asset,
                "maker": fill.maker,
            }));
        }
        (Execution::Trade, None) => add(json!({ "event": "fill" })),
        (Execution::Canceled, _) => {
            add(so_far);
            add(json!({ "event": "cancel", "cancel_id": report.cancel_id }));
        }
        (Execution::Expired, _) => {
            add(so_far);
            add(json!({ "event": "expire" }));
        }
        (Execution::Replaced, _) => {
            add(so_far);
            add(json!({ "event": "amend", "qty": order.qty, "old_client_order_id": report.cancel_id }));
        }
        (Execution::TradePrevention, _) => {
            add(so_far);
            add(json!({ "event": "prevent" }));
        }
    }
    fields
}
