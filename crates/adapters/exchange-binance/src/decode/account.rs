//! Signed REST answers: orders, executions, balances.

use std::borrow::Cow;

use nightdesk_exchange::{AccountTrade, Balance, Placed};
use nightdesk_market::Side;
use nightdesk_orders::{ExecutionReport, Fill};
use nightdesk_units::Timestamp;
use serde::Deserialize;

use super::{Decoded, Parser, json, time};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOrder<'a> {
    symbol: &'a str,
    order_id: u64,
    #[serde(borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(borrow)]
    orig_client_order_id: Option<Cow<'a, str>>,
    price: &'a str,
    orig_qty: &'a str,
    executed_qty: &'a str,
    cummulative_quote_qty: &'a str,
    status: &'a str,
    time_in_force: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    side: &'a str,
    transact_time: Option<i64>,
    update_time: Option<i64>,
    time: Option<i64>,
    #[serde(borrow, default)]
    fills: Vec<RawFill<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFill<'a> {
    price: &'a str,
    qty: &'a str,
    commission: &'a str,
    commission_asset: &'a str,
    trade_id: u64,
}

impl RawOrder<'_> {
    fn report(&self, p: Parser) -> Decoded<ExecutionReport> {
        let at = self.transact_time.or(self.update_time).or(self.time);
        let Some(at) = at else { return p.bad("no transactTime, updateTime or time") };
        // An answer to a cancel names the order by `origClientOrderId`, and the cancel itself by `clientOrderId`.
        let id = self.orig_client_order_id.as_ref().filter(|id| !id.is_empty()).unwrap_or(&self.client_order_id);
        Ok(ExecutionReport {
            symbol: p.symbol(self.symbol)?,
            client_order_id: p.client_order_id(id)?,
            exchange_order_id: self.order_id,
            side: p.side(self.side)?,
            kind: p.kind(self.kind, self.time_in_force, self.price)?,
            qty: p.parse("origQty", self.orig_qty)?,
            status: p.status(self.status)?,
            filled: p.parse("executedQty", self.executed_qty)?,
            filled_quote: p.filled_quote(self.cummulative_quote_qty)?,
            fill: None,
            at: time(at),
        })
    }
}

/// The answer to a placement. What it executed at once, it executed as the aggressor.
pub(crate) fn placed(text: &str) -> Decoded<Placed> {
    let (raw, p): (RawOrder<'_>, _) = (json("placement", text)?, Parser("placement"));
    let order = raw.report(p)?;
    let fill = |fill: &RawFill<'_>| {
        Ok(Fill {
            trade_id: fill.trade_id,
            price: p.parse("price", fill.price)?,
            qty: p.parse("qty", fill.qty)?,
            fee: p.parse("commission", fill.commission)?,
            fee_asset: p.parse("commissionAsset", fill.commission_asset)?,
            maker: false,
            at: order.at,
        })
    };
    let fills = raw.fills.iter().map(fill).collect::<Decoded<_>>()?;
    Ok(Placed { order, fills })
}

/// The answer to a cancel.
pub(crate) fn canceled(text: &str) -> Decoded<ExecutionReport> {
    json::<RawOrder<'_>>("cancel", text)?.report(Parser("cancel"))
}

/// One order.
pub(crate) fn order(text: &str) -> Decoded<ExecutionReport> {
    json::<RawOrder<'_>>("order", text)?.report(Parser("order"))
}

/// A list of orders, each with its time of creation.
pub(crate) fn orders(text: &str) -> Decoded<Vec<(Timestamp, ExecutionReport)>> {
    let raw: Vec<RawOrder<'_>> = json("order list", text)?;
    raw.iter()
        .map(|raw| {
            let report = raw.report(Parser("order list"))?;
            Ok((raw.time.map_or(report.at, time), report))
        })
        .collect()
}

/// The account's executions.
pub(crate) fn trades(text: &str) -> Decoded<Vec<AccountTrade>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw<'a> {
        symbol: &'a str,
        id: u64,
        order_id: u64,
        price: &'a str,
        qty: &'a str,
        commission: &'a str,
        commission_asset: &'a str,
        time: i64,
        is_buyer: bool,
        is_maker: bool,
    }
    let (raw, p): (Vec<Raw<'_>>, _) = (json("account trades", text)?, Parser("account trades"));
    raw.iter()
        .map(|raw| {
            Ok(AccountTrade {
                symbol: p.symbol(raw.symbol)?,
                exchange_order_id: raw.order_id,
                side: if raw.is_buyer { Side::Buy } else { Side::Sell },
                fill: Fill {
                    trade_id: raw.id,
                    price: p.parse("price", raw.price)?,
                    qty: p.parse("qty", raw.qty)?,
                    fee: p.parse("commission", raw.commission)?,
                    fee_asset: p.parse("commissionAsset", raw.commission_asset)?,
                    maker: raw.is_maker,
                    at: time(raw.time),
                },
            })
        })
        .collect()
}

/// Balances, zero ones left out, and when the account last changed.
pub(crate) fn balances(text: &str) -> Decoded<(Timestamp, Vec<Balance>)> {
    #[derive(Deserialize)]
    struct RawBalance<'a> {
        #[serde(borrow)]
        asset: Cow<'a, str>,
        free: &'a str,
        locked: &'a str,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw<'a> {
        #[serde(default)]
        update_time: i64,
        #[serde(borrow)]
        balances: Vec<RawBalance<'a>>,
    }
    let (raw, p): (Raw<'_>, _) = (json("account", text)?, Parser("account"));
    let mut balances = Vec::new();
    for raw in &raw.balances {
        let (free, locked) = (p.parse("free", raw.free)?, p.parse("locked", raw.locked)?);
        let balance = |asset| Balance { asset, free, locked };
        if free.is_zero() && locked.is_zero() {
            continue; // Also keeps assets with names that we cannot hold from hiding the account.
        }
        balances.push(balance(p.parse("asset", &raw.asset)?));
    }
    Ok((time(raw.update_time), balances))
}
