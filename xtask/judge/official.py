"""The official SDK (`binance-sdk-spot`): REST, WebSocket API, streams, account events, by HMAC and by Ed25519 key."""

import asyncio
import time

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_spot.rest_api.models import enums as E
from binance_sdk_spot.spot import Spot
from binance_sdk_spot.websocket_api.models import enums as WE

from tally import ED_KEY, ED_PEM, HMAC_KEY, HMAC_SECRET, REST, WS, Tally, complete

S = "BTCUSDT"
tally = Tally("binance-sdk-spot")
# Declared by the SDK's shared models, but of other answers: exponents of the binary protocol, counts of used limits.
EXPONENTS = ("multiplierExponent", "priceExponent", "qtyExponent", "count", "rateLimits")
MINI = ("askPrice", "askQty", "bidPrice", "bidQty", "lastQty", "prevClosePrice", "priceChange", "priceChangePercent", "weightedAvgPrice")


def keys(kind):
    if kind == "hmac":
        return {"api_key": HMAC_KEY, "api_secret": HMAC_SECRET}
    return {"api_key": ED_KEY, "private_key": open(ED_PEM).read()}


def market(c):
    def t(name, act, *optional):
        return tally.check(name, lambda: act().data(), complete(*optional))

    t("ping", c.ping)
    t("time", c.time)
    # Fields of things that spot does not offer here (smart order routing, ...).
    none = ("sors", *EXPONENTS)
    t("exchangeInfo", c.exchange_info, *none)
    info = t("exchangeInfo symbol", lambda: c.exchange_info(symbol=S), *none)
    tally.note("one symbol", None if info and len(info.symbols) == 1 else "not one")
    t("exchangeInfo symbols", lambda: c.exchange_info(symbols=[S, "ETHUSDT"]), *none)
    t("exchangeInfo permissions", lambda: c.exchange_info(permissions=E.ExchangeInfoPermissionsEnum.SPOT.value), *none)
    t("exchangeInfo status", lambda: c.exchange_info(symbol_status="TRADING", show_permission_sets=False), "permissionSets", *none)
    t("executionRules", lambda: c.execution_rules(symbol=S))
    for limit in (None, 5, 5000):
        t(f"depth {limit}", lambda: c.depth(S, limit=limit))
    t("trades", lambda: c.get_trades(S, limit=10))
    t("historicalTrades", lambda: c.historical_trades(S, limit=10))
    t("aggTrades", lambda: c.agg_trades(S, limit=10))
    for interval in E.KlinesIntervalEnum:
        got = tally.check(f"klines {interval.value}", lambda: c.klines(S, interval.value, limit=3).data())
        row = [list, 12] if not got else [type(got[-1]), len(getattr(got[-1], "root", got[-1]))]
        tally.note(f"kline row {interval.value}", None if got and row[1] == 12 else f"{row} {got}")
    t("uiKlines", lambda: c.ui_klines(S, "1m", limit=3))
    t("avgPrice", lambda: c.avg_price(S))
    for name, act in (("24hr", c.ticker24hr), ("price", c.ticker_price), ("bookTicker", c.ticker_book_ticker)):
        t(name + " all", act)
        t(name + " symbol", lambda: act(symbol=S))
        t(name + " symbols", lambda: act(symbols=[S, "ETHUSDT"]))
    t("24hr mini", lambda: c.ticker24hr(symbol=S, type="MINI"), *MINI)
    t("ticker window", lambda: c.ticker(symbol=S, window_size="5m"))
    t("ticker window, several", lambda: c.ticker(symbols=[S, "ETHUSDT"], window_size="1h"))
    t("tradingDay", lambda: c.ticker_trading_day(symbol=S))
    t("tradingDay, several", lambda: c.ticker_trading_day(symbols=[S, "ETHUSDT"], type="MINI"), *MINI)
    t("referencePrice", lambda: c.reference_price(symbol=S), "referencePrice")
    t("historicalBlockTrades", lambda: c.historical_block_trades(S, from_id=0))


def price_of(c):
    best = c.ticker_book_ticker(symbol=S).data().actual_instance
    return float(best.bid_price), float(best.ask_price)


# An order that is no stop, iceberg, list, pegged or SOR order, and has met none of our own, lacks these by documentation.
CONDITIONAL = (
    "icebergQty", "preventedMatchId", "preventedQuantity", "stopPrice", "strategyId", "strategyType", "trailingDelta", "trailingTime",
    "usedSor", "workingFloor", "pegPriceType", "pegOffsetType", "pegOffsetValue", "peggedPrice", "expiryReason", "allocId", "matchType",
)
# Of an entry of the list of cancelled orders that is an order list.
LISTED = ("contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId", "transactionTime", "orders", "orderReports")


def orders(c, kind):
    def t(name, act, *optional):
        return tally.check(f"{kind} {name}", lambda: act().data(), complete(*CONDITIONAL, *optional))

    bid, ask = price_of(c)
    low = round(bid * 0.9, 2)
    t("account", c.get_account)
    t("account, omit zeros", lambda: c.get_account(omit_zero_balances=True))
    t("commission", lambda: c.account_commission(S))
    t("rateLimit/order", c.rate_limit_order)
    t("myFilters", lambda: c.my_filters(S), *EXPONENTS)
    t("order/test", lambda: c.order_test(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=low),
      "discount", "specialCommissionForOrder", "standardCommissionForOrder", "taxCommissionForOrder")
    t("order/test, rates", lambda: c.order_test(S, "BUY", "MARKET", quantity=0.001, compute_commission_rates=True))
    ack = ("price", "origQty", "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side",
           "workingTime", "selfTradePreventionMode", "fills")
    limit = lambda **more: lambda: c.new_order(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=low, **more)
    one = t("LIMIT GTC, ACK", limit(new_order_resp_type="ACK"), *ack)
    t("LIMIT GTC, RESULT", limit(new_order_resp_type="RESULT"), "fills")
    t("LIMIT GTC, FULL", limit(new_order_resp_type="FULL", new_client_order_id=f"judge-{kind}-{time.time_ns()}"))
    t("LIMIT_MAKER", lambda: c.new_order(S, "BUY", "LIMIT_MAKER", quantity=0.001, price=low), *ack)
    t("LIMIT IOC", lambda: c.new_order(S, "BUY", "LIMIT", time_in_force="IOC", quantity=0.001, price=round(ask * 1.01, 2)))
    fok = t("LIMIT FOK, too far", lambda: c.new_order(S, "BUY", "LIMIT", time_in_force="FOK", quantity=0.001, price=low))
    tally.note(f"{kind} FOK expires", None if fok and fok.status == "EXPIRED" else repr(fok))
    m = t("MARKET by quantity", lambda: c.new_order(S, "BUY", "MARKET", quantity=0.002))
    t("MARKET by quote", lambda: c.new_order(S, "BUY", "MARKET", quote_order_qty=50))
    t("MARKET sells", lambda: c.new_order(S, "SELL", "MARKET", quantity=0.001))
    t("LIMIT with a strategy's labels", limit(strategy_id=7, strategy_type=1000001))
    t("order by id", lambda: c.get_order(S, order_id=one.order_id))
    t("order by client id", lambda: c.get_order(S, orig_client_order_id=m.client_order_id))
    t("openOrders", lambda: c.get_open_orders(symbol=S))
    t("openOrders of all", c.get_open_orders)
    t("allOrders", lambda: c.all_orders(S, limit=20))
    t("myTrades", lambda: c.my_trades(S, limit=20))
    t("myTrades of an order", lambda: c.my_trades(S, order_id=m.order_id))
    r = t("cancelReplace", lambda: c.order_cancel_replace(
        S, "BUY", "LIMIT", "STOP_ON_FAILURE", time_in_force="GTC", quantity=0.001, price=low + 1, cancel_order_id=one.order_id), *ack, *LISTED)
    tally.refused(f"{kind} cancelReplace, half", lambda: c.order_cancel_replace(
        S, "BUY", "LIMIT", "ALLOW_FAILURE", time_in_force="GTC", quantity=0.001, price=low, cancel_order_id=one.order_id), "partially failed")
    amended = t("amend", lambda: c.order_amend_keep_priority(S, new_qty=0.0008, order_id=r.new_order_response.order_id), "listStatus", *LISTED)
    tally.note(f"{kind} amended", None if amended and amended.amended_order.qty.startswith("0.0008") else repr(amended))
    t("amendments", lambda: c.order_amendments(S, r.new_order_response.order_id))
    t("cancel", lambda: c.delete_order(S, order_id=r.new_order_response.order_id))
    t("cancel all", lambda: c.delete_open_orders(S), *LISTED)
    for name, act in (
        ("myPreventedMatches", lambda: c.my_prevented_matches(S, order_id=1)), ("myAllocations", lambda: c.my_allocations(S)),
        ("openOrderList", c.open_order_list), ("allOrderList", c.all_order_list),
    ):
        t(name, act)
    errors(c, kind, low, m, bid)


def errors(c, kind, low, filled, bid):
    def no(name, act, *words):
        tally.refused(f"{kind} {name}", lambda: act().data(), *words)

    order = lambda qty=0.001, price=low, side="BUY", **more: lambda: c.new_order(S, side, "LIMIT", time_in_force="GTC", quantity=qty, price=price, **more)
    no("PRICE_FILTER", order(price=round(low + 0.001, 3)), "Filter failure: PRICE_FILTER")
    no("LOT_SIZE", order(qty=0.0010001), "Filter failure: LOT_SIZE")
    no("NOTIONAL", order(qty=0.0001, price=round(bid * 0.3, 2)), "Filter failure: NOTIONAL")
    no("PERCENT_PRICE_BY_SIDE", order(price=round(bid * 9, 2)), "Filter failure: PERCENT_PRICE_BY_SIDE")
    no("balance", order(qty=20), "Account has insufficient balance for requested action.")
    no("would match", lambda: c.new_order(S, "BUY", "LIMIT_MAKER", quantity=0.001, price=round(bid * 1.02, 2)), "Order would immediately match and take.")
    no("symbol", lambda: c.new_order("NOUSDT", "BUY", "MARKET", quantity=1), "Invalid symbol.")
    no("unknown order", lambda: c.get_order(S, order_id=999999999), "Order does not exist.")
    no("unknown cancel", lambda: c.delete_order(S, order_id=999999999), "Unknown order sent.")
    no("cancel filled", lambda: c.delete_order(S, order_id=filled.order_id), "Unknown order sent.")
    no("no id", lambda: c.get_order(S), "orderId")
    no("missing price", lambda: c.new_order(S, "BUY", "LIMIT", time_in_force="GTC", quantity=1), "Mandatory parameter 'price'")
    no("missing tif", lambda: c.new_order(S, "BUY", "LIMIT", price=low, quantity=1), "Mandatory parameter 'timeInForce'")
    no("not required", lambda: c.new_order(S, "BUY", "MARKET", price=low, quantity=1), "Parameter 'price' sent when not required")
    no("recvWindow", lambda: c.get_account(recv_window=60001), "recvWindow")
    no("client id", order(new_client_order_id="no spaces"), "Illegal characters found in parameter 'newClientOrderId'")
    no("client id beyond ASCII", order(new_client_order_id="öä"), "Illegal characters found in parameter 'newClientOrderId'")
    name = f"trap-{kind}-{time.time_ns()}"
    first = c.new_order(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=low, new_client_order_id=name).data()
    no("duplicate among open", order(new_client_order_id=name), "Duplicate order sent.")
    c.delete_order(S, order_id=first.order_id)
    twice = [c.new_order(S, "BUY", "MARKET", quantity=0.001, new_client_order_id=name).data() for _ in range(2)]
    tally.note(f"{kind} the client-order-id trap", None if twice[0].order_id != twice[1].order_id else "same order")
    wrong = Spot(config_rest_api=ConfigurationRestAPI(api_key=HMAC_KEY, api_secret="wrong", base_path=REST)).rest_api
    no("signature", wrong.get_account, "Signature for this request is not valid.")
    nobody = Spot(config_rest_api=ConfigurationRestAPI(api_key="nobody", api_secret="x", base_path=REST)).rest_api
    no("key", nobody.get_account, "Invalid API-key, IP, or permissions for action.")


async def streams():
    spot = Spot(config_ws_streams=ConfigurationWebSocketStreams(stream_url=WS))
    connection = await spot.websocket_streams.create_connection()
    low = S.lower()
    heard = {}

    c = connection
    for name, make in (
        ("trade", lambda: c.trade(low)), ("aggTrade", lambda: c.agg_trade(low)), ("bookTicker", lambda: c.book_ticker(low)),
        ("depth", lambda: c.diff_book_depth(low)), ("depth@100ms", lambda: c.diff_book_depth(low, update_speed="100ms")),
        ("depth5", lambda: c.partial_book_depth(low, 5)), ("kline_1s", lambda: c.kline(low, "1s")),
        ("kline_1m", lambda: c.kline(low, "1m")), ("kline_1d", lambda: c.kline(low, "1d")), ("kline_1M", lambda: c.kline(low, "1M")),
        ("kline offset", lambda: c.kline_offset(low, "1m")), ("ticker", lambda: c.ticker(low)),
        ("miniTicker", lambda: c.mini_ticker(low)), ("avgPrice", lambda: c.avg_price(low)),
        ("rolling 1h", lambda: c.rolling_window_ticker(low, "1h")),
        ("all rolling", lambda: c.all_market_rolling_window_ticker("1h")), ("all mini", c.all_mini_ticker),
    ):
        stream = await tally.acheck(f"subscribe {name}", make)
        if stream is not None:
            stream.on("message", lambda data, name=name: heard.setdefault(name, data))
        else:
            heard.setdefault(name, None)
        await asyncio.sleep(0.25)
    names = await tally.acheck("LIST_SUBSCRIPTIONS", connection.list_subscribe)
    await asyncio.sleep(4)
    for name in ("trade", "aggTrade", "bookTicker", "depth", "depth@100ms", "depth5", "kline_1s", "kline_1m", "kline_1d", "kline_1M", "kline offset",
                 "ticker", "miniTicker", "avgPrice", "rolling 1h", "all rolling", "all mini"):
        tally.check(f"stream {name}", lambda: heard.get(name), lambda v: "nothing heard" if v is None else complete("ignore", "M", "B")(v))
    stream = await connection.trade(low)
    await tally.acheck("UNSUBSCRIBE", stream.unsubscribe)
    await connection.close_connection(close_session=True)


async def ws_api(kind):
    spot = Spot(config_ws_api=ConfigurationWebSocketAPI(stream_url=WS + "/ws-api/v3", **keys(kind)))
    c = await spot.websocket_api.create_connection()

    async def t(name, act, *optional):
        return await tally.acheck(f"ws {kind} {name}", lambda: data(act), complete("rateLimits", *CONDITIONAL, *optional))

    async def data(act):
        response = await asyncio.wait_for(act(), 20)
        return response.data()

    if kind == "ed25519":
        await t("session.logon", c.session_logon)
    await t("session.status", c.session_status, *(() if kind == "ed25519" else ("apiKey", "authorizedSince")))
    for name, act, *optional in (
        ("ping", c.ping), ("time", c.time), ("exchangeInfo", lambda: c.exchange_info(symbol=S), "id", "status", "result", "exchangeFilters", "serverTime", "symbols", "timezone", "sors"),
        ("depth", lambda: c.depth(S, limit=5)), ("trades.recent", lambda: c.trades_recent(S, limit=2)),
        ("trades.historical", lambda: c.trades_historical(S, limit=2)), ("trades.aggregate", lambda: c.trades_aggregate(S, limit=2)),
        ("klines", lambda: c.klines(S, WE.KlinesIntervalEnum.INTERVAL_1m, limit=2)), ("avgPrice", lambda: c.avg_price(S)),
        ("ticker.24hr", lambda: c.ticker24hr(symbol=S)), ("ticker.price", lambda: c.ticker_price(symbol=S)),
        ("ticker.book", lambda: c.ticker_book(symbol=S)), ("ticker.tradingDay", lambda: c.ticker_trading_day(symbol=S)),
        ("ticker", lambda: c.ticker(symbol=S)), ("account.status", c.account_status), ("commission", lambda: c.account_commission(S)),
        ("account.rateLimits.orders", c.account_rate_limits_orders), ("allOrders", lambda: c.all_orders(S, limit=5)),
        ("myTrades", lambda: c.my_trades(S, limit=5)),
    ):
        await t(name, act, *optional)
    events = []
    subscribe = c.user_data_stream_subscribe if kind == "ed25519" else c.user_data_stream_subscribe_signature
    answer = await tally.acheck(f"ws {kind} subscribe", subscribe)
    if answer is None:
        return await c.close_connection(close_session=True)
    answer.stream.on("message", events.append)
    best = (await c.ticker_book(symbol=S)).data()
    low = round(float(getattr(best, "actual_instance", best).result.bid_price) * 0.9, 2)
    placed = await t("order.place", lambda: c.order_place(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=low, new_order_resp_type="RESULT"), "fills")
    await t("order.test", lambda: c.order_test(S, "BUY", "MARKET", quantity=0.001), "discount", "specialCommissionForOrder", "standardCommissionForOrder", "taxCommissionForOrder")
    if placed is not None:
        number = placed.result.order_id
        await t("order.status", lambda: c.order_status(S, order_id=number))
        await t("openOrders.status", lambda: c.open_orders_status(symbol=S))
        await t("order.amend.keepPriority", lambda: c.order_amend_keep_priority(S, 0.0008, order_id=number), "listStatus", *LISTED)
        await t("order.cancel", lambda: c.order_cancel(S, order_id=number), *LISTED)
    await t("MARKET", lambda: c.order_place(S, "BUY", "MARKET", quantity=0.001))
    await t("order.place again", lambda: c.order_place(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=low, new_order_resp_type="FULL"))
    await t("openOrders.cancelAll", lambda: c.open_orders_cancel_all(S), *LISTED)
    await tally.acheck(f"ws {kind} refusal", lambda: refusal(c, low))
    await asyncio.sleep(1)
    seen = {}
    for event in events:
        inner = getattr(event, "actual_instance", event)
        seen.setdefault((type(inner).__name__, getattr(inner, "x", None)), inner)
    for want in (("ExecutionReport", "NEW"), ("ExecutionReport", "TRADE"), ("ExecutionReport", "CANCELED"), ("ExecutionReport", "REPLACED"), ("OutboundAccountPosition", None)):
        tally.check(f"ws {kind} event {want}", lambda: seen.get(want), event_is_whole)
    await t("unsubscribe", c.user_data_stream_unsubscribe)
    if kind == "ed25519":
        await t("session.logout", c.session_logout, "apiKey", "authorizedSince")
    await c.close_connection(close_session=True)


# Of an execution report: fields that are documented as appearing under conditions only.
REPORT_CONDITIONAL = (
    "d", "D", "j", "J", "v", "A", "B", "u", "U", "Cs", "pl", "pL", "pY", "b", "a", "k", "uS", "gP", "gOT", "gOV", "gp", "eR", "gpt", "gv", "gPT", "Eb",
)


def event_is_whole(event):
    # An execution report's `N` is null until there is a commission.
    return "nothing heard" if event is None else complete(*REPORT_CONDITIONAL, "N", "W", "V")(event)


async def refusal(c, low):
    try:
        answer = await c.order_place(S, "BUY", "LIMIT", time_in_force="GTC", quantity=0.0001, price=round(low * 0.3, 2))
        said = str(answer.data())
    except Exception as error:
        said = str(error)
    assert "Filter failure: NOTIONAL" in said, said
    return True


def main():
    for kind in ("hmac", "ed25519"):
        rest = Spot(config_rest_api=ConfigurationRestAPI(base_path=REST, retries=0, **keys(kind))).rest_api
        if kind == "hmac":
            market(rest)
        tally.check(f"{kind} orders end to end", lambda: orders(rest, kind))
    asyncio.run(streams())
    for kind in ("hmac", "ed25519"):
        asyncio.run(ws_api(kind))
    tally.end()


main()
