//! The few wallet requests (`/sapi`) that bots make at their start.

use std::collections::BTreeSet;

use nightdesk_units::{Asset, Decimal, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::engine::Core;
use crate::error::ApiError;
use crate::text::dec;

pub(super) fn trading_status(call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    call.params.finish()?;
    let data = json!({
        "isLocked": false, "plannedRecoverTime": 0, "triggerCondition": { "GCR": 150, "IFER": 150, "UFR": 300 },
        "updateTime": call.time(now),
    });
    Ok(json!({ "data": data }).into())
}

pub(super) fn key_permissions(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    call.params.finish()?;
    Ok(json!({
        "ipRestrict": false, "createTime": call.time(core.world.opened_at), "enableReading": true,
        "enableSpotAndMarginTrading": true, "enableWithdrawals": false, "enableInternalTransfer": false,
        "permitsUniversalTransfer": false, "enableVanillaOptions": false, "enableFutures": false, "enableMargin": false,
        "enableFixApiTrade": false, "enableFixReadOnly": false, "enablePortfolioMarginTrading": false,
    })
    .into())
}

fn assets(core: &Core) -> BTreeSet<Asset> {
    core.world.instruments().iter().flat_map(|i| [i.base, i.quote]).collect()
}

pub(super) fn all_coins(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    call.params.finish()?;
    let balances = core.world.venue.balances(call.account()?)?;
    let zero = || dec(Decimal::ZERO);
    let coin = |asset: &Asset| {
        let held = balances.iter().find(|b| b.asset == *asset);
        let network = json!({
            "network": asset, "coin": asset, "name": asset, "isDefault": true, "depositEnable": true,
            "withdrawEnable": true, "withdrawFee": zero(), "withdrawMin": zero(), "withdrawMax": "9999999999.00000000",
            "withdrawIntegerMultiple": "0.00000001", "withdrawInternalMin": zero(), "minConfirm": 1, "unLockConfirm": 0,
            "addressRegex": "", "memoRegex": "", "depositDesc": "", "withdrawDesc": "", "specialTips": "",
            "resetAddressStatus": false, "sameAddress": false, "busy": false, "estimatedArrivalTime": 1,
            "contractAddressUrl": "", "contractAddress": "",
        });
        json!({
            "coin": asset, "name": asset, "depositAllEnable": true, "withdrawAllEnable": true, "trading": true,
            "isLegalMoney": false, "free": held.map_or_else(zero, |b| dec(b.free.get())),
            "locked": held.map_or_else(zero, |b| dec(b.locked.get())), "freeze": zero(), "withdrawing": zero(),
            "ipoing": zero(), "ipoable": zero(), "storage": zero(), "networkList": [network],
        })
    };
    Ok(assets(core).iter().map(coin).collect::<Value>().into())
}

pub(super) fn trade_fee(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let only = call.params.symbol_opt()?;
    call.params.finish()?;
    if let Some(symbol) = only {
        core.world.instrument(symbol)?;
    }
    let (maker, taker) = core.world.venue.fees(call.account()?)?;
    let (maker, taker) = (maker.normalize().to_string(), taker.normalize().to_string());
    let wanted = core.world.instruments().iter().filter(|i| only.is_none_or(|only| only == i.symbol));
    let row = |i: &nightdesk_market::Instrument| json!({ "symbol": i.symbol, "makerCommission": maker, "takerCommission": taker });
    Ok(wanted.map(row).collect::<Value>().into())
}

pub(super) fn user_assets(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let only = call.params.text("asset")?.map(str::to_owned);
    call.params.ignore(&["needBtcValuation"]);
    call.params.finish()?;
    let zero = || dec(Decimal::ZERO);
    let row = |b: &nightdesk_matching::BalanceView| {
        json!({
            "asset": b.asset, "free": dec(b.free.get()), "locked": dec(b.locked.get()), "freeze": zero(),
            "withdrawing": zero(), "ipoable": zero(), "btcValuation": zero(),
        })
    };
    let balances = core.world.venue.balances(call.account()?)?;
    let wanted = balances.iter().filter(|b| only.as_deref().is_none_or(|only| only == b.asset.as_str()));
    Ok(wanted.filter(|b| !b.free.is_zero() || !b.locked.is_zero()).map(row).collect::<Value>().into())
}
