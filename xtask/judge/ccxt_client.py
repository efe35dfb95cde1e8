"""`ccxt` and its streaming half: the library that most bots stand on."""

import asyncio
import time

import ccxt
import ccxt.pro

from tally import ED_KEY, ED_PEM, HMAC_KEY, HMAC_SECRET, REST, WS, Tally

tally = Tally("ccxt")
S = "BTC/USDT"


def redirected(urls):
    """The library's table of addresses with every host replaced by the exchange under test."""
    def one(value):
        if isinstance(value, dict):
            return {key: one(inner) for key, inner in value.items()}
        if not isinstance(value, str) or "://" not in value:
            return value
        scheme, rest = value.split("://", 1)
        path = rest.partition("/")[2]
        return (WS if scheme.startswith("ws") else REST) + ("/" + path if path else "")
    return one(urls)


def client(make, kind):
    secret = HMAC_SECRET if kind == "hmac" else open(ED_PEM).read()
    exchange = make({
        "apiKey": HMAC_KEY if kind == "hmac" else ED_KEY, "secret": secret, "enableRateLimit": False,
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": True},
    })
    exchange.urls["api"] = redirected(exchange.urls["api"])
    return exchange


def rest(kind):
    x = client(ccxt.binance, kind)
    t = lambda name, act, expect=None: tally.check(f"{kind} {name}", act, expect)
    t("load_markets", x.load_markets, lambda m: S in m and m[S]["limits"]["cost"]["min"] == 5 and m[S]["precision"]["price"] == 0.01)
    t("status", x.fetch_status)
    t("time", x.fetch_time)
    t("currencies", x.fetch_currencies)
    t("ticker", lambda: x.fetch_ticker(S), lambda v: v["last"] > 0 and v["bid"] < v["ask"] and v["baseVolume"] > 0)
    t("tickers", lambda: x.fetch_tickers([S, "ETH/USDT"]), lambda v: len(v) == 2)
    t("all tickers", x.fetch_tickers)
    t("bids and asks", x.fetch_bids_asks)
    t("last prices", x.fetch_last_prices)
    t("order book", lambda: x.fetch_order_book(S, 20), lambda v: 5 < len(v["bids"]) <= 20)
    t("trades", lambda: x.fetch_trades(S, limit=20), lambda v: len(v) > 0)
    for frame in x.timeframes:
        t(f"ohlcv {frame}", lambda: x.fetch_ohlcv(S, frame, limit=5), lambda v: len(v) > 0)
    t("balance", x.fetch_balance, lambda v: v["USDT"]["free"] > 0)
    t("fees", x.fetch_trading_fees)
    t("fee", lambda: x.fetch_trading_fee(S), lambda v: v["maker"] == 0.001)
    bid = x.fetch_ticker(S)["bid"]
    low = float(x.price_to_precision(S, bid * 0.9))
    name = f"ccxt-{kind}-{time.time_ns()}"
    o = t("limit", lambda: x.create_order(S, "limit", "buy", 0.001, low, {"newClientOrderId": name}), lambda v: v["status"] == "open")
    t("order", lambda: x.fetch_order(o["id"], S), lambda v: v["clientOrderId"] == name)
    t("open orders", lambda: x.fetch_open_orders(S), lambda v: any(row["id"] == o["id"] for row in v))
    t("edit", lambda: x.edit_order(o["id"], S, "limit", "buy", 0.001, low + 1), lambda v: v["id"] != o["id"])
    t("market", lambda: x.create_order(S, "market", "buy", 0.002), lambda v: v["status"] == "closed" and v["filled"] == 0.002 and v["fee"])
    t("market by cost", lambda: x.create_market_buy_order_with_cost(S, 50), lambda v: 0 < v["cost"] <= 50)
    t("sell", lambda: x.create_order(S, "market", "sell", 0.001), lambda v: v["status"] == "closed")
    t("post only", lambda: x.create_order(S, "limit", "buy", 0.001, low, {"postOnly": True}), lambda v: v["postOnly"])
    t("IOC", lambda: x.create_order(S, "limit", "buy", 0.001, low, {"timeInForce": "IOC"}), lambda v: v["status"] in ("expired", "canceled"))
    t("FOK", lambda: x.create_order(S, "limit", "buy", 0.001, low, {"timeInForce": "FOK"}), lambda v: v["status"] in ("expired", "canceled"))
    t("test", lambda: x.create_order(S, "limit", "buy", 0.001, low, {"test": True}))
    one = t("limit again", lambda: x.create_order(S, "limit", "buy", 0.001, low))
    t("cancel", lambda: x.cancel_order(one["id"], S), lambda v: v["status"] == "canceled")
    t("cancel all", lambda: x.cancel_all_orders(S))
    t("orders", lambda: x.fetch_orders(S, limit=10), lambda v: len(v) > 0)
    t("closed orders", lambda: x.fetch_closed_orders(S))
    t("my trades", lambda: x.fetch_my_trades(S, limit=10), lambda v: len(v) > 0 and v[-1]["fee"])
    t("order trades", lambda: x.fetch_order_trades(o["id"], S))
    t("deposits", x.fetch_deposits)
    def error(kind_of, act):
        try:
            act()
            return f"no {kind_of.__name__}"
        except kind_of:
            return None
    for name, kind_of, act in (
        ("too small", ccxt.BadRequest, lambda: x.privatePostOrder({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.00001", "price": str(low)})),
        ("insufficient funds", ccxt.InsufficientFunds, lambda: x.create_order(S, "limit", "buy", 20, low)),
        ("would match", ccxt.OrderImmediatelyFillable, lambda: x.create_order(S, "limit", "buy", 0.001, round(bid * 1.02, 2), {"postOnly": True})),
        ("no such order", ccxt.OrderNotFound, lambda: x.fetch_order("999999999", S)),
        ("no such order to cancel", ccxt.OrderNotFound, lambda: x.cancel_order("999999999", S)),
        ("bad symbol", ccxt.BadSymbol, lambda: x.publicGetDepth({"symbol": "NOUSDT"})),
    ):
        tally.check(f"{kind} {name}", lambda: error(kind_of, act), lambda v: v)


async def streams(kind):
    x = client(ccxt.pro.binance, kind)
    t = lambda name, act, expect=None: tally.acheck(f"pro {kind} {name}", act, expect)
    await t("load_markets", x.load_markets)
    if kind == "hmac":
        await t("watch_ticker", lambda: x.watch_ticker(S), lambda v: v["last"] > 0)
        await t("watch_tickers", lambda: x.watch_tickers([S, "ETH/USDT"]))
        await t("watch_bids_asks", lambda: x.watch_bids_asks([S]))
        await t("watch_trades", lambda: x.watch_trades(S), lambda v: len(v) > 0)
        await t("watch_trades_for_symbols", lambda: x.watch_trades_for_symbols([S, "ETH/USDT"]))
        await t("watch_ohlcv", lambda: x.watch_ohlcv(S, "1m"), lambda v: len(v) > 0)
        await t("watch_ohlcv 1s", lambda: x.watch_ohlcv(S, "1s"), lambda v: len(v) > 0)
        await t("watch_ohlcv 1M", lambda: x.watch_ohlcv(S, "1M"), lambda v: len(v) > 0)
        for _ in range(3):
            await t("watch_order_book", lambda: x.watch_order_book(S), lambda v: v["bids"][0][0] < v["asks"][0][0])
        await t("fetch_ohlcv_ws", lambda: x.fetch_ohlcv_ws(S, "1m", limit=3))
        await t("fetch_trades_ws", lambda: x.fetch_trades_ws(S, limit=3))
        await t("un_watch_trades", lambda: x.un_watch_trades(S))
    low = float(x.price_to_precision(S, (await x.fetch_ticker(S))["bid"] * 0.9))
    # Three waiters first, so that nothing is missed; the account stream starts with the first of them.
    waiting = [asyncio.ensure_future(act()) for act in (lambda: x.watch_orders(S), lambda: x.watch_my_trades(S), x.watch_balance)]
    await asyncio.sleep(2)
    o = await t("create_order_ws", lambda: x.create_order_ws(S, "limit", "buy", 0.001, low), lambda v: v["status"] == "open")
    await t("fetch_order_ws", lambda: x.fetch_order_ws(o["id"], S))
    await t("fetch_open_orders_ws", lambda: x.fetch_open_orders_ws(S))
    await t("edit_order_ws", lambda: x.edit_order_ws(o["id"], S, "limit", "buy", 0.001, low + 1))
    await t("create_order_ws market", lambda: x.create_order_ws(S, "market", "buy", 0.001), lambda v: v["status"] == "closed")
    await t("cancel_all_orders_ws", lambda: x.cancel_all_orders_ws(S))
    await t("fetch_balance_ws", x.fetch_balance_ws)
    await t("fetch_my_trades_ws", lambda: x.fetch_my_trades_ws(S))
    for name, future in zip(("watch_orders", "watch_my_trades", "watch_balance"), waiting):
        await t(name, lambda: future, lambda v: bool(v))
    await x.close()


def main():
    for kind in ("hmac", "ed25519"):
        tally.check(f"{kind} rest end to end", lambda: rest(kind))
    for kind in ("hmac", "ed25519"):
        asyncio.run(streams(kind))
    tally.end()


main()
