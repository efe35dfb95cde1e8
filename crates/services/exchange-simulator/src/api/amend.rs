//! Amending: an open order's quantity reduced in its place.

use nightdesk_matching::{Amendment, OrderRef};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Money, Qty, Timestamp};
use serde_json::{Value, json};

use super::orders::{ID_RANGE, refused};
use super::{Answer, Call};
use crate::engine::{Command, Core, Done};
use crate::error::ApiError;
use crate::text::dec;
use crate::ws::events::status;

pub(super) fn amend(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let (by_id, by_client) =
        (call.params.int("orderId")?, call.params.parsed::<ClientOrderId>("origClientOrderId", ID_RANGE)?);
    let qty = call.params.decimal("newQty")?.map(Qty::new).ok_or_else(|| ApiError::mandatory("newQty"))?;
    let new_id = call.params.parsed::<ClientOrderId>("newClientOrderId", ID_RANGE)?;
    call.params.finish()?;
    core.world.instrument(symbol)?;
    let order = match (by_id, by_client) {
        (Some(id), _) => OrderRef::Id(id),
        (None, Some(client)) => OrderRef::Client(client),
        (None, None) => {
            let msg = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
            return Err(ApiError::bad(-1102, msg));
        }
    };
    let command = Command::Amend { account: call.account()?, symbol, order, qty, new_id };
    let (order, amendment) = match core.command(command, now).map_err(|error| amend_refused(refused(error)))? {
        Done::Amended(order, amendment) => (order, amendment),
        _ => return Err(ApiError::unknown_outcome()),
    };
    let amended = json!({
        "symbol": order.symbol, "orderId": order.order_id, "orderListId": -1, "origClientOrderId": amendment.old_id,
        "clientOrderId": order.client_order_id, "price": dec(order.price.get()), "qty": dec(order.qty.get()),
        "executedQty": dec(order.filled.get()), "preventedQty": dec(Qty::ZERO.get()),
        "quoteOrderQty": dec(Money::ZERO.get()), "cumulativeQuoteQty": dec(order.filled_quote.get()),
        "status": status(order.status), "timeInForce": order.tif, "type": order.order_type, "side": order.side,
        "workingTime": call.time(order.working_at), "selfTradePreventionMode": order.stp,
    });
    let at = call.time(amendment.at);
    Ok(json!({ "transactTime": at, "executionId": amendment.execution_id, "amendedOrder": amended }).into())
}

/// What refuses a placement or a cancel with a code of its own refuses an amendment with -2038 and the same words.
fn amend_refused(error: ApiError) -> ApiError {
    if [-2010, -2011].contains(&error.code) { ApiError { code: -2038, ..error } } else { error }
}

pub(super) fn amendments(core: &Core, call: &Call) -> Result<Answer, ApiError> {
    let symbol = call.params.symbol()?;
    let order_id = call.params.int("orderId")?.ok_or_else(|| ApiError::mandatory("orderId"))?;
    let from = call.params.int("fromExecutionId")?.unwrap_or(0);
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    let list = core.world.venue.amendments(call.account()?, symbol, order_id)?;
    let row = |a: &Amendment| {
        json!({
            "symbol": symbol, "orderId": order_id, "executionId": a.execution_id, "origClientOrderId": a.old_id,
            "newClientOrderId": a.new_id, "origQty": dec(a.old_qty.get()), "newQty": dec(a.new_qty.get()),
            "time": call.time(a.at),
        })
    };
    Ok(list.iter().filter(|a| a.execution_id >= from).take(limit).map(row).collect::<Value>().into())
}
