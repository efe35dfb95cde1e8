"""`python-binance`: synchronous, asynchronous, streams and account events."""

import asyncio
import time

from binance import AsyncClient, BinanceSocketManager, Client
from binance.ws.depthcache import DepthCacheManager
from binance.exceptions import BinanceAPIException

from tally import ED_KEY, ED_PEM, HMAC_KEY, HMAC_SECRET, REST, WS, Tally

tally = Tally("python-binance")
S = "BTCUSDT"
# The library has its addresses as constants.
for cls in (Client, AsyncClient):
    cls.API_URL = REST + "/api"
    cls.MARGIN_API_URL = REST + "/sapi"
    cls.WS_API_URL = WS + "/ws-api/v3"
BinanceSocketManager.STREAM_URL = WS + "/"


def keys(kind):
    return {"api_key": HMAC_KEY, "api_secret": HMAC_SECRET} if kind == "hmac" else {"api_key": ED_KEY, "private_key": open(ED_PEM).read()}


def rest(kind):
    c = Client(**keys(kind))
    c.API_URL = REST + "/api"
    t = lambda name, act, expect=None: tally.check(f"{kind} {name}", act, expect)
    for name in ("ping", "get_server_time", "get_exchange_info", "get_all_tickers", "get_orderbook_tickers", "get_system_status", "get_account",
                 "get_open_orders", "get_account_status", "get_current_order_count"):
        t(name, getattr(c, name))
    for name in ("get_symbol_info", "get_asset_balance"):
        t(name, lambda: getattr(c, name)("USDT" if "asset" in name else S), lambda v: v is not None)
    for name in ("get_order_book", "get_recent_trades", "get_historical_trades", "get_aggregate_trades", "get_avg_price", "get_ticker", "get_symbol_ticker",
                 "get_orderbook_ticker", "get_all_orders", "get_my_trades", "get_open_orders"):
        t(name, lambda: getattr(c, name)(symbol=S))
    t("get_klines", lambda: c.get_klines(symbol=S, interval="1m", limit=5), lambda v: len(v) == 5)
    t("get_historical_klines", lambda: c.get_historical_klines(S, "1m", "3 hours ago UTC"), lambda v: len(v) > 100)
    t("aggregate_trade_iter", lambda: next(c.aggregate_trade_iter(symbol=S, start_str="1 minutes ago UTC")))
    low = f"{float(c.get_orderbook_ticker(symbol=S)['bidPrice']) * 0.9:.2f}"
    o = t("order_limit_buy", lambda: c.order_limit_buy(symbol=S, quantity="0.001", price=low), lambda v: v["status"] == "NEW")
    t("get_order", lambda: c.get_order(symbol=S, orderId=o["orderId"]))
    t("create_test_order", lambda: c.create_test_order(symbol=S, side="BUY", type="MARKET", quantity="0.001"))
    t("order_market_buy", lambda: c.order_market_buy(symbol=S, quantity="0.001"), lambda v: v["status"] == "FILLED" and v["fills"])
    t("order_market_sell", lambda: c.order_market_sell(symbol=S, quantity="0.001"), lambda v: v["status"] == "FILLED")
    t("cancel_replace_order", lambda: c.cancel_replace_order(symbol=S, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=low,
                                                            cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=o["orderId"]))
    t("cancel_all_open_orders", lambda: c.cancel_all_open_orders(symbol=S))
    if kind == "hmac":
        listen_key = t("stream_get_listen_key", c.stream_get_listen_key)
        t("stream_keepalive", lambda: c.stream_keepalive(listen_key))
    try:
        c.order_limit_buy(symbol=S, quantity="0.0001", price="20000.00")
        tally.note(f"{kind} error", "not refused")
    except BinanceAPIException as error:
        tally.note(f"{kind} error", None if error.code == -1013 and error.status_code == 400 else str(error))
    t("ws_create_order", lambda: c.ws_create_order(symbol=S, side="BUY", type="MARKET", quantity="0.001"), lambda v: v["status"] == "FILLED")
    t("ws_get_order_book", lambda: c.ws_get_order_book(symbol=S))


async def streams(kind):
    c = await AsyncClient.create(**keys(kind))
    m = BinanceSocketManager(c)
    async def one(make):
        async with make as socket:
            return await asyncio.wait_for(socket.recv(), 10)
    low = S.lower()
    if kind == "hmac":
        for name, make in (
            ("trade", lambda: m.trade_socket(S)), ("aggtrade", lambda: m.aggtrade_socket(S)), ("kline", lambda: m.kline_socket(S)),
            ("depth", lambda: m.depth_socket(S)), ("depth5", lambda: m.depth_socket(S, depth="5")), ("symbol_ticker", lambda: m.symbol_ticker_socket(S)),
            ("book_ticker", lambda: m.symbol_book_ticker_socket(S)), ("miniticker", m.miniticker_socket), ("ticker", m.ticker_socket),
            ("multiplex", lambda: m.multiplex_socket([low + "@trade", low + "@bookTicker"])),
        ):
            await tally.acheck(f"socket {name}", lambda: one(make()), lambda v: bool(v) and not (isinstance(v, dict) and v.get("e") == "error"))
        async def depth():
            async with DepthCacheManager(c, S) as cache:
                book = await asyncio.wait_for(cache.recv(), 10)
                return book.get_bids()[0][0] < book.get_asks()[0][0]
        await tally.acheck("DepthCacheManager", depth, lambda v: v)
    async def user():
        async with m.user_socket() as socket:
            await asyncio.sleep(0.5)
            await c.create_order(symbol=S, side="BUY", type="MARKET", quantity="0.001")
            got = []
            while "outboundAccountPosition" not in got:
                got.append((await asyncio.wait_for(socket.recv(), 10)).get("e"))
            return got
    await tally.acheck(f"{kind} user_socket", user, lambda v: "executionReport" in v)
    await c.close_connection()


for kind in ("hmac", "ed25519"):
    tally.check(f"{kind} end to end", lambda: rest(kind))
    asyncio.run(streams(kind))
tally.end()
