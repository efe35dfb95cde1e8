//! Orders: placing, testing, asking, cancelling, replacing.

use nightdesk_market::Side;
use nightdesk_matching::{
    FillView, OrderQuery, OrderRef, OrderRequest, OrderStatus, OrderType, OrderView, Placed, RequestKind,
    SelfTradePrevention,
};
use nightdesk_orders::{ClientOrderId, TimeInForce};
use nightdesk_units::{Decimal, Money, Price, Qty, Symbol, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::engine::{Command, CommandError, Core, Done};
use crate::error::ApiError;
use crate::params::Params;
use crate::text::dec;
use crate::ws::events::status;

pub(super) const ID_RANGE: &str = "^[a-zA-Z0-9-_.]{1,36}$";

/// How much of an answer to a placement is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Ack,
    Result,
    Full,
}

pub(super) fn refused(error: CommandError) -> ApiError {
    match error {
        CommandError::Refused(error) => error.into(),
        CommandError::Recording(error) => ApiError::new(500, -1000, error.to_string()),
    }
}

/// Reads an order from its parameters; a detail that is not asked for depends on the type.
fn request(core: &Core, params: &Params) -> Result<(OrderRequest, Detail), ApiError> {
    let symbol = params.symbol()?;
    core.world.instrument(symbol)?;
    let side = match params.need("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(ApiError::bad(-1117, "Invalid side.")),
    };
    let kind = kind(params)?;
    let client_order_id = params.parsed::<ClientOrderId>("newClientOrderId", ID_RANGE)?;
    let stp = match params.text("selfTradePreventionMode")? {
        None => None,
        Some("NONE") => Some(SelfTradePrevention::None),
        Some("EXPIRE_TAKER") => Some(SelfTradePrevention::ExpireTaker),
        Some("EXPIRE_MAKER") => Some(SelfTradePrevention::ExpireMaker),
        Some("EXPIRE_BOTH") => Some(SelfTradePrevention::ExpireBoth),
        Some(_) => return Err(ApiError::bad(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")),
    };
    let full = matches!(kind.order_type(), OrderType::Limit | OrderType::Market);
    let detail = match params.text("newOrderRespType")? {
        None if full => Detail::Full,
        None | Some("ACK") => Detail::Ack,
        Some("RESULT") => Detail::Result,
        Some("FULL") => Detail::Full,
        Some(_) => return Err(ApiError::bad(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")),
    };
    // Labels without an effect; strategyType has a rule of its own.
    params.ignore(&["strategyId"]);
    if params.int("strategyType")?.is_some_and(|kind| kind < 1_000_000) {
        return Err(ApiError::bad(-1134, "`strategyType` was less than 1000000."));
    }
    Ok((OrderRequest { symbol, side, kind, client_order_id, stp }, detail))
}

fn kind(params: &Params) -> Result<RequestKind, ApiError> {
    let kind = params.need("type")?.to_owned();
    if ["STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"].contains(&kind.as_str()) {
        let name = kind.to_ascii_lowercase().replace('_', " ");
        let name = name[..1].to_ascii_uppercase() + &name[1..];
        return Err(ApiError::bad(-1013, format!("{name} orders are not supported for this symbol.")));
    }
    let tif = match params.text("timeInForce")? {
        None => None,
        Some("GTC") => Some(TimeInForce::Gtc),
        Some("IOC") => Some(TimeInForce::Ioc),
        Some("FOK") => Some(TimeInForce::Fok),
        Some(_) => return Err(ApiError::bad(-1115, "Invalid timeInForce.")),
    };
    let price = params.decimal("price")?.map(Price::new);
    let qty = params.decimal("quantity")?.map(Qty::new);
    let quote_qty = params.decimal("quoteOrderQty")?.map(Money::new);
    for name in ["stopPrice", "trailingDelta"] {
        if params.text(name)?.is_some() {
            return Err(ApiError::not_required(name));
        }
    }
    if params.decimal("icebergQty")?.is_some_and(|qty| !qty.is_zero()) {
        return Err(ApiError::bad(-1013, "Iceberg orders are not supported for this symbol."));
    }
    let need = |name: &str| ApiError::mandatory(name);
    let unwanted = |given: bool, name: &str| if given { Err(ApiError::not_required(name)) } else { Ok(()) };
    match kind.as_str() {
        "LIMIT" => {
            unwanted(quote_qty.is_some(), "quoteOrderQty")?;
            let tif = tif.ok_or_else(|| need("timeInForce"))?;
            let price = price.ok_or_else(|| need("price"))?;
            Ok(RequestKind::Limit { price, qty: qty.ok_or_else(|| need("quantity"))?, tif })
        }
        "LIMIT_MAKER" => {
            unwanted(tif.is_some(), "timeInForce")?;
            unwanted(quote_qty.is_some(), "quoteOrderQty")?;
            let price = price.ok_or_else(|| need("price"))?;
            Ok(RequestKind::LimitMaker { price, qty: qty.ok_or_else(|| need("quantity"))? })
        }
        "MARKET" => {
            unwanted(tif.is_some(), "timeInForce")?;
            unwanted(price.is_some(), "price")?;
            match (qty, quote_qty) {
                (Some(_), Some(_)) => Err(ApiError::not_required("quoteOrderQty")),
                (Some(qty), None) => Ok(RequestKind::Market { qty }),
                (None, Some(quote_qty)) => Ok(RequestKind::MarketQuote { quote_qty }),
                (None, None) => {
                    let msg = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!";
                    Err(ApiError::bad(-1102, msg))
                }
            }
        }
        _ => Err(ApiError::bad(-1116, "Invalid orderType.")),
    }
}

pub(super) fn place(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let account = call.account()?;
    let (request, detail) = request(core, &call.params)?;
    call.params.finish()?;
    let (placed, counts) = place_order(core, call, request, now)?;
    debug_assert_eq!(placed.order.account, account);
    Ok(Answer { body: placement(&placed, detail, call), order_counts: Some(counts) })
}

fn place_order(
    core: &mut Core,
    call: &Call,
    request: OrderRequest,
    now: Timestamp,
) -> Result<(Placed, (u32, u32)), ApiError> {
    let account = call.account()?;
    core.counts.check(account, now)?;
    // Counted before it is matched: the answer tells the count at placement, and what fills at once is taken off again.
    let counts = core.counts.placed(account, now);
    match core.command(Command::Place { account, request }, now) {
        Ok(Done::Placed(placed)) => Ok((*placed, counts)),
        Ok(_) => Err(ApiError::unknown_outcome()),
        Err(error) => {
            core.counts.refused(account, now);
            Err(refused(error))
        }
    }
}

fn placement(placed: &Placed, detail: Detail, call: &Call) -> Value {
    let order = &placed.order;
    let mut view = json!({
        "symbol": order.symbol, "orderId": order.order_id, "orderListId": -1, "clientOrderId": order.client_order_id,
        "transactTime": call.time(order.updated_at),
    });
    if detail == Detail::Ack {
        return view;
    }
    extend(
        &mut view,
        json!({
            "price": dec(order.price.get()), "origQty": dec(order.qty.get()), "executedQty": dec(order.filled.get()),
            "origQuoteOrderQty": dec(order.quote_order_qty.get()), "cummulativeQuoteQty": dec(order.filled_quote.get()),
            "status": status(order.status), "timeInForce": order.tif, "type": order.order_type, "side": order.side,
            "workingTime": call.time(order.working_at), "selfTradePreventionMode": order.stp,
        }),
    );
    if detail == Detail::Full {
        view["fills"] = placed.fills.iter().map(fill).collect();
    }
    view
}

fn fill(fill: &FillView) -> Value {
    json!({
        "price": dec(fill.price.get()), "qty": dec(fill.qty.get()), "commission": dec(fill.commission.get()),
        "commissionAsset": fill.commission_asset, "tradeId": fill.trade_id,
    })
}

fn extend(view: &mut Value, more: Value) {
    if let (Value::Object(view), Value::Object(more)) = (view, more) {
        view.extend(more);
    }
}

pub(super) fn test(core: &Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let account = call.account()?;
    let rates = call.params.flag("computeCommissionRates")?.unwrap_or(false);
    let (request, _) = request(core, &call.params)?;
    call.params.finish()?;
    core.world.venue.check(account, &request, now)?;
    if !rates {
        return Ok(json!({}).into());
    }
    super::account::commission_rates(core, account, None).map(|mut view| {
        for (new, old) in [
            ("standardCommissionForOrder", "standardCommission"),
            ("specialCommissionForOrder", "specialCommission"),
            ("taxCommissionForOrder", "taxCommission"),
        ] {
            let rates = view[old].take();
            view[new] = json!({ "maker": rates["maker"], "taker": rates["taker"] });
            if let Some(view) = view.as_object_mut() {
                view.remove(old);
            }
        }
        view.into()
    })
}

/// An order as queries tell it.
fn view(order: &OrderView, call: &Call) -> Value {
    json!({
        "symbol": order.symbol, "orderId": order.order_id, "orderListId": -1, "clientOrderId": order.client_order_id,
        "price": dec(order.price.get()), "origQty": dec(order.qty.get()), "executedQty": dec(order.filled.get()),
        "cummulativeQuoteQty": dec(order.filled_quote.get()), "status": status(order.status), "timeInForce": order.tif,
        "type": order.order_type, "side": order.side, "stopPrice": dec(Decimal::ZERO), "icebergQty": dec(Decimal::ZERO),
        "time": call.time(order.created_at), "updateTime": call.time(order.updated_at),
        "isWorking": true, "workingTime": call.time(order.working_at),
        "origQuoteOrderQty": dec(order.quote_order_qty.get()), "selfTradePreventionMode": order.stp,
    })
}

/// An order as cancels tell it.
fn canceled(order: &OrderView, cancel_id: ClientOrderId, call: &Call) -> Value {
    json!({
        "symbol": order.symbol, "origClientOrderId": order.client_order_id, "orderId": order.order_id,
        "orderListId": -1, "clientOrderId": cancel_id, "transactTime": call.time(order.updated_at),
        "price": dec(order.price.get()), "origQty": dec(order.qty.get()), "executedQty": dec(order.filled.get()),
        "origQuoteOrderQty": dec(order.quote_order_qty.get()), "cummulativeQuoteQty": dec(order.filled_quote.get()),
        "status": status(order.status), "timeInForce": order.tif, "type": order.order_type, "side": order.side,
        "selfTradePreventionMode": order.stp,
    })
}

/// The order a request names; with both names given, both must fit.
fn find(
    core: &Core,
    call: &Call,
    symbol: Symbol,
    id: &str,
    client: &str,
    missing: ApiError,
) -> Result<OrderView, ApiError> {
    let by_id = call.params.int(id)?;
    let by_client = call.params.parsed::<ClientOrderId>(client, ID_RANGE)?;
    let account = call.account()?;
    let order = match (by_id, by_client) {
        (Some(id), _) => OrderRef::Id(id),
        (None, Some(client)) => OrderRef::Client(client),
        (None, None) => {
            let msg = format!("Param '{client}' or '{id}' must be sent, but both were empty/null!");
            return Err(ApiError::bad(-1102, msg));
        }
    };
    core.world.instrument(symbol)?;
    let order = core.world.venue.order(account, symbol, order).map_err(|_| missing.clone())?;
    if by_client.is_some_and(|client| client != order.client_order_id) {
        return Err(missing);
    }
    Ok(order)
}

pub(super) fn query(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let missing = ApiError::bad(-2013, "Order does not exist.");
    let order = find(core, call, symbol, "orderId", "origClientOrderId", missing);
    call.params.finish()?;
    Ok(view(&order?, call).into())
}

pub(super) fn open(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol_opt()?;
    call.params.finish()?;
    if let Some(symbol) = symbol {
        core.world.instrument(symbol)?;
    }
    let orders = core.world.venue.open_orders(call.account()?, symbol)?;
    Ok(orders.iter().map(|order| view(order, call)).collect::<Value>().into())
}

pub(super) fn all(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let from_id = call.params.int("orderId")?;
    let (start, end) = (call.params.time("startTime")?, call.params.time("endTime")?);
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    super::account::at_most_a_day(start, end)?;
    core.world.instrument(symbol)?;
    let orders = core.world.venue.all_orders(call.account()?, symbol, OrderQuery { from_id, start, end, limit })?;
    Ok(orders.iter().map(|order| view(order, call)).collect::<Value>().into())
}

fn unknown() -> ApiError {
    ApiError::bad(-2011, "Unknown order sent.")
}

/// Cancels the order that `id` or `client` names.
fn cancel_order(
    core: &mut Core,
    call: &Call,
    symbol: Symbol,
    id: &str,
    client: &str,
    cancel: &str,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let order = find(core, call, symbol, id, client, unknown());
    let cancel_id = call.params.parsed::<ClientOrderId>(cancel, ID_RANGE)?;
    let restriction = call.params.text("cancelRestrictions")?.map(str::to_owned);
    if cancel == "newClientOrderId" {
        call.params.finish()?;
    }
    let order = order?;
    match restriction.as_deref() {
        None => {}
        Some("ONLY_NEW") if order.status == OrderStatus::New => {}
        Some("ONLY_PARTIALLY_FILLED") if order.status == OrderStatus::PartiallyFilled => {}
        Some("ONLY_NEW" | "ONLY_PARTIALLY_FILLED") => {
            return Err(ApiError::bad(-2011, "Order was not canceled due to cancel restrictions."));
        }
        Some(_) => {
            let msg = "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.";
            return Err(ApiError::bad(-1145, msg));
        }
    }
    let (account, order) = (call.account()?, OrderRef::Id(order.order_id));
    match core.command(Command::Cancel { account, symbol, order, cancel_id }, now).map_err(refused)? {
        Done::Canceled(order, cancel_id) => Ok(canceled(&order, cancel_id, call)),
        _ => Err(ApiError::unknown_outcome()),
    }
}

pub(super) fn cancel(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    Ok(cancel_order(core, call, symbol, "orderId", "origClientOrderId", "newClientOrderId", now)?.into())
}

pub(super) fn cancel_open(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    call.params.finish()?;
    core.world.instrument(symbol)?;
    let account = call.account()?;
    match core.command(Command::CancelAll { account, symbol }, now).map_err(refused)? {
        Done::CanceledAll(orders, id) => {
            Ok(orders.iter().map(|order| canceled(order, id, call)).collect::<Value>().into())
        }
        _ => Err(ApiError::unknown_outcome()),
    }
}

/// Cancels one order and places another. Half a success is HTTP 409 with -2021, none is 400 with -2022.
pub(super) fn cancel_replace(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let (request, detail) = request(core, &call.params)?;
    let stop_on_failure = match call.params.need("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => true,
        "ALLOW_FAILURE" => false,
        _ => return Err(ApiError::bad(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")),
    };
    call.params.ignore(&[
        "orderRateLimitExceededMode",
        "cancelNewClientOrderId",
        "cancelRestrictions",
        "cancelOrderId",
        "cancelOrigClientOrderId",
    ]);
    call.params.finish()?;
    let symbol = request.symbol;
    let cancel =
        cancel_order(core, call, symbol, "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId", now);
    let tried = cancel.is_ok() || !stop_on_failure;
    let new = if tried { Some(place_order(core, call, request, now)) } else { None };
    let result = |ok: bool| if ok { "SUCCESS" } else { "FAILURE" };
    let new_result = new.as_ref().map_or("NOT_ATTEMPTED", |new| result(new.is_ok()));
    let counts = new.as_ref().and_then(|new| new.as_ref().ok()).map(|(_, counts)| *counts);
    let data = json!({
        "cancelResult": result(cancel.is_ok()), "newOrderResult": new_result,
        "cancelResponse": cancel.as_ref().map_or_else(ApiError::body, Clone::clone),
        "newOrderResponse": match &new {
            Some(Ok((placed, _))) => placement(placed, detail, call),
            Some(Err(error)) => error.body(),
            None => Value::Null,
        },
    });
    let failed =
        |status: u16, code: i32, msg: &str| ApiError { data: Some(data.clone()), ..ApiError::new(status, code, msg) };
    match (cancel.is_ok(), new.is_some_and(|new| new.is_ok())) {
        (true, true) => Ok(Answer { body: data, order_counts: counts }),
        (false, false) => Err(failed(400, -2022, "Order cancel-replace failed.")),
        _ => Err(failed(409, -2021, "Order cancel-replace partially failed.")),
    }
}
