"""`binance-connector`, the older official client: REST, streams and the WebSocket API."""

import json
import queue
import time

from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient

from tally import ED_KEY, ED_PEM, HMAC_KEY, HMAC_SECRET, REST, WS, Tally

tally = Tally("binance-connector")
S = "BTCUSDT"


def client(kind):
    if kind == "hmac":
        return Spot(api_key=HMAC_KEY, api_secret=HMAC_SECRET, base_url=REST)
    return Spot(api_key=ED_KEY, private_key=open(ED_PEM, "rb").read(), base_url=REST)


def rest(kind):
    c = client(kind)
    t = lambda name, act, expect=None: tally.check(f"{kind} {name}", act, expect)
    t("ping", c.ping)
    t("time", c.time)
    t("exchange_info", lambda: c.exchange_info(symbols=[S, "ETHUSDT"]), lambda v: len(v["symbols"]) == 2)
    t("exchange_info permissions", lambda: c.exchange_info(permissions=["SPOT"]), lambda v: len(v["symbols"]) == 3)
    for name in ("depth", "trades", "historical_trades", "agg_trades", "avg_price", "ticker_24hr", "ticker_price", "book_ticker", "rolling_window_ticker",
                 "get_open_orders", "get_orders", "my_trades", "commission_rate"):
        if hasattr(c, name):
            t(name, lambda: getattr(c, name)(S))
    t("klines", lambda: c.klines(S, "1h", limit=3), lambda v: len(v) == 3)
    t("account", c.account)
    t("get_order_rate_limit", c.get_order_rate_limit)
    low = f"{float(c.book_ticker(S)['bidPrice']) * 0.9:.2f}"
    o = t("new_order", lambda: c.new_order(S, "BUY", "LIMIT", timeInForce="GTC", quantity="0.001", price=low), lambda v: v["status"] == "NEW")
    t("get_order", lambda: c.get_order(S, orderId=o["orderId"]))
    t("new_order_test", lambda: c.new_order_test(S, "BUY", "MARKET", quantity="0.001"))
    t("cancel_and_replace", lambda: c.cancel_and_replace(S, "BUY", "LIMIT", "STOP_ON_FAILURE", timeInForce="GTC", quantity="0.001", price=low,
                                                        cancelOrderId=o["orderId"]))
    t("cancel_open_orders", lambda: c.cancel_open_orders(S))
    t("market", lambda: c.new_order(S, "SELL", "MARKET", quantity="0.001"), lambda v: v["status"] == "FILLED")
    try:
        c.cancel_order(S, orderId=o["orderId"])
        tally.note(f"{kind} error", "not refused")
    except ClientError as error:
        tally.note(f"{kind} error", None if (error.status_code, error.error_code) == (400, -2011) and "x-mbx-used-weight-1m" in error.header else str(error))


def sockets():
    heard = queue.Queue()
    stream = SpotWebsocketStreamClient(stream_url=WS, on_message=lambda _, text: heard.put(json.loads(text)), is_combined=True)
    stream.agg_trade(symbol="btcusdt")
    stream.kline(symbol="btcusdt", interval="1s")
    stream.book_ticker(symbol="btcusdt")
    seen, end = set(), time.time() + 8
    while time.time() < end and len(seen) < 3:
        message = heard.get(timeout=8)
        seen.add(message.get("stream"))
        seen.discard(None)
    tally.note("streams", None if len(seen) == 3 else f"{seen}")
    stream.stop()
    answers = queue.Queue()
    api = SpotWebsocketAPIClient(stream_url=WS + "/ws-api/v3", api_key=HMAC_KEY, api_secret=HMAC_SECRET, on_message=lambda _, text: answers.put(json.loads(text)))
    for name, act in (
        ("order book", lambda: api.order_book(symbol=S, limit=5)), ("account", api.account),
        ("order", lambda: api.new_order(symbol=S, side="BUY", type="MARKET", quantity=0.001, newOrderRespType="RESULT")),
    ):
        act()
        tally.check("ws " + name, lambda: answers.get(timeout=8), lambda v: v["status"] == 200)
    api.stop()


for kind in ("hmac", "ed25519"):
    tally.check(f"{kind} end to end", lambda: rest(kind))
tally.check("sockets", sockets)
tally.end()
