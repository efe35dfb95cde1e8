//! `ping`, `time`, `exchangeInfo`.

use nightdesk_market::{Filters, Instrument};
use nightdesk_matching::MAX_AMENDS;
use nightdesk_units::{Decimal, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call, wanted_symbols};
use crate::engine::Core;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::text::dec;

pub(super) fn empty(call: &Call) -> Result<Answer, ApiError> {
    call.params.ignore(&["listenKey"]);
    call.params.finish()?;
    Ok(json!({}).into())
}

pub(super) fn time(call: &Call, told: Timestamp) -> Result<Answer, ApiError> {
    call.params.finish()?;
    Ok(json!({ "serverTime": call.time(told) }).into())
}

/// The rate limits as `exchangeInfo` lists them.
fn rate_limits(limits: Limits) -> Value {
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit });
    json!([
        limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
        limit("ORDERS", "SECOND", 10, limits.orders_10s),
        limit("ORDERS", "DAY", 1, limits.orders_1d),
        limit("RAW_REQUESTS", "MINUTE", 5, limits.weight_1m.saturating_mul(10)),
    ])
}

pub(super) fn exchange_info(core: &Core, call: &Call, told: Timestamp) -> Result<Answer, ApiError> {
    let (symbols, _) = wanted_symbols(core, &call.params)?;
    let permissions = call.params.text("permissions")?.unwrap_or("SPOT").to_owned();
    let show_sets = call.params.flag("showPermissionSets")?.unwrap_or(true);
    let status = call.params.text("symbolStatus")?.unwrap_or("TRADING").to_owned();
    call.params.finish()?;
    let listed = permissions.contains("SPOT") && status == "TRADING";
    let list = symbols.iter().filter(|_| listed);
    let list: Vec<Value> =
        list.filter_map(|s| core.world.instrument(*s).ok()).map(|instrument| symbol(instrument, show_sets)).collect();
    let (limits, at) = (rate_limits(call.limits), call.time(told));
    Ok(json!({ "timezone": "UTC", "serverTime": at, "rateLimits": limits, "exchangeFilters": [], "symbols": list })
        .into())
}

pub(super) fn no_futures(call: &Call, told: Timestamp) -> Result<Answer, ApiError> {
    let at = call.time(told);
    Ok(json!({ "timezone": "UTC", "serverTime": at, "rateLimits": [], "exchangeFilters": [], "assets": [], "symbols": [] }).into())
}

const STP_MODES: [&str; 4] = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"];

fn symbol(instrument: &Instrument, show_sets: bool) -> Value {
    let mut symbol = json!({
        "symbol": instrument.symbol, "status": "TRADING",
        "baseAsset": instrument.base, "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true, "allowTrailingStop": false, "cancelReplaceAllowed": true,
        "amendAllowed": true, "pegInstructionsAllowed": false,
        "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
        "filters": filters(instrument), "permissions": [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": STP_MODES,
    });
    if show_sets {
        symbol["permissionSets"] = json!([["SPOT"]]);
    }
    symbol
}

pub(super) fn my_filters(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    call.params.finish()?;
    let list = filters(core.world.instrument(symbol)?);
    Ok(json!({ "exchangeFilters": [], "symbolFilters": list, "assetFilters": [] }).into())
}

fn filters(instrument: &Instrument) -> Value {
    let Filters { min_price, max_price, min_qty, max_qty, max_market_qty, .. } = &instrument.filters;
    let f = &instrument.filters;
    let zero = || dec(Decimal::ZERO);
    let mut filters = vec![
        json!({
            "filterType": "PRICE_FILTER", "minPrice": dec(min_price.get()), "maxPrice": dec(max_price.get()),
            "tickSize": dec(instrument.scale.tick),
        }),
        json!({
            "filterType": "LOT_SIZE", "minQty": dec(min_qty.get()), "maxQty": dec(max_qty.get()),
            "stepSize": dec(instrument.scale.step),
        }),
        json!({ "filterType": "ICEBERG_PARTS", "limit": 10 }),
        json!({
            "filterType": "MARKET_LOT_SIZE", "minQty": zero(), "maxQty": dec(max_market_qty.get()), "stepSize": zero(),
        }),
    ];
    if let Some([bid_up, bid_down, ask_up, ask_down]) = f.percent_price {
        let plain = |value: Decimal| value.normalize().to_string();
        filters.push(json!({
            "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": plain(bid_up), "bidMultiplierDown": plain(bid_down),
            "askMultiplierUp": plain(ask_up), "askMultiplierDown": plain(ask_down), "avgPriceMins": 5,
        }));
    }
    filters.push(json!({
        "filterType": "NOTIONAL", "minNotional": dec(f.min_notional.get()),
        "applyMinToMarket": f.min_notional_applies_to_market, "maxNotional": dec(f.max_notional.get()),
        "applyMaxToMarket": false, "avgPriceMins": 5,
    }));
    filters.push(json!({ "filterType": "MAX_NUM_ORDERS", "maxNumOrders": f.max_open_orders }));
    filters.push(json!({ "filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20 }));
    filters.push(json!({ "filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5 }));
    filters.push(json!({ "filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": MAX_AMENDS }));
    if f.max_position.is_positive() {
        filters.push(json!({ "filterType": "MAX_POSITION", "maxPosition": dec(f.max_position.get()) }));
    }
    filters.into()
}
