//! The account: balances, fees, fills, order limits.

use nightdesk_matching::{AccountId, FillQuery, FillView};
use nightdesk_units::{Decimal, Symbol, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::engine::Core;
use crate::error::ApiError;
use crate::text::dec;
use nightdesk_market::Side;

/// A rate in hundredths of a percent, as the old fields tell it.
fn basis_points(rate: Decimal) -> i64 {
    i64::try_from(rate.saturating_mul(Decimal::from(10_000)).trunc()).unwrap_or(0)
}

pub(super) fn account(core: &Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let account = call.account()?;
    let omit_zero = call.params.flag("omitZeroBalances")?.unwrap_or(false);
    call.params.finish()?;
    let (maker, taker) = core.world.venue.fees(account)?;
    let held = core.world.venue.balances(account)?;
    let mut balances: Vec<(String, Decimal, Decimal)> =
        held.iter().map(|b| (b.asset.to_string(), b.free.get(), b.locked.get())).collect();
    if omit_zero {
        balances.retain(|(_, free, locked)| !free.is_zero() || !locked.is_zero());
    } else {
        for asset in core.world.instruments().iter().flat_map(|i| [i.base, i.quote]) {
            if !balances.iter().any(|(name, _, _)| name == asset.as_str()) {
                balances.push((asset.to_string(), Decimal::ZERO, Decimal::ZERO));
            }
        }
    }
    let row = |(asset, free, locked): &(String, Decimal, Decimal)| json!({ "asset": asset, "free": dec(*free), "locked": dec(*locked) });
    let rates =
        json!({ "maker": dec(maker), "taker": dec(taker), "buyer": dec(Decimal::ZERO), "seller": dec(Decimal::ZERO) });
    Ok(json!({
        "makerCommission": basis_points(maker), "takerCommission": basis_points(taker), "buyerCommission": 0,
        "sellerCommission": 0, "commissionRates": rates, "canTrade": true, "canWithdraw": true, "canDeposit": true,
        "brokered": false, "requireSelfTradePrevention": false, "preventSor": false, "updateTime": call.time(now),
        "accountType": "SPOT", "balances": balances.iter().map(row).collect::<Vec<_>>(), "permissions": ["SPOT"],
        "uid": 1_000_000 + account.0,
    })
    .into())
}

/// The commission rates of an account.
pub(super) fn commission_rates(core: &Core, account: AccountId, symbol: Option<Symbol>) -> Result<Value, ApiError> {
    let (maker, taker) = core.world.venue.fees(account)?;
    let zero = dec(Decimal::ZERO);
    let none = json!({ "maker": zero, "taker": zero, "buyer": zero, "seller": zero });
    let mut view = json!({
        "standardCommission": { "maker": dec(maker), "taker": dec(taker), "buyer": zero, "seller": zero },
        "specialCommission": none, "taxCommission": none,
        "discount": { "enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": "0.75000000" },
    });
    if let Some(symbol) = symbol {
        view["symbol"] = json!(symbol);
    }
    Ok(view)
}

pub(super) fn commission(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    call.params.finish()?;
    core.world.instrument(symbol)?;
    Ok(commission_rates(core, call.account()?, Some(symbol))?.into())
}

/// Lists over time span at most a day, as the exchange has it.
pub(super) fn at_most_a_day(start: Option<Timestamp>, end: Option<Timestamp>) -> Result<(), ApiError> {
    match (start, end) {
        (Some(start), Some(end)) if end.since(start).0 > 86_400_000_000 => {
            Err(ApiError::bad(-1127, "More than 24 hours between startTime and endTime."))
        }
        _ => Ok(()),
    }
}

pub(super) fn trades(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let (order_id, from_id) = (call.params.int("orderId")?, call.params.int("fromId")?);
    let (start, end) = (call.params.time("startTime")?, call.params.time("endTime")?);
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    at_most_a_day(start, end)?;
    if from_id.is_some() && (start.is_some() || end.is_some()) {
        return Err(ApiError::bad(-1128, "Combination of optional parameters invalid."));
    }
    core.world.instrument(symbol)?;
    let fills = core.world.venue.fills(call.account()?, symbol, FillQuery { order_id, from_id, start, end, limit })?;
    Ok(fills.iter().map(|fill| trade(fill, call)).collect::<Value>().into())
}

fn trade(fill: &FillView, call: &Call) -> Value {
    json!({
        "symbol": fill.symbol, "id": fill.trade_id, "orderId": fill.order_id, "orderListId": -1,
        "price": dec(fill.price.get()), "qty": dec(fill.qty.get()), "quoteQty": dec(fill.quote_qty.get()),
        "commission": dec(fill.commission.get()), "commissionAsset": fill.commission_asset, "time": call.time(fill.at),
        "isBuyer": fill.side == Side::Buy, "isMaker": fill.maker, "isBestMatch": true,
    })
}

pub(super) fn order_limits(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let account = call.account()?;
    call.params.finish()?;
    let (ten, day) = core.counts.used(account, now);
    Ok(json!([
        { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": call.limits.orders_10s, "count": ten },
        { "rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": call.limits.orders_1d, "count": day },
    ])
    .into())
}
