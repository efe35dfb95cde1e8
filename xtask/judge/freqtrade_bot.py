"""A whole bot: Freqtrade, live (not its dry run), against the exchange under test."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tally import CONTROL, HMAC_KEY, HMAC_SECRET, REST, WS, Tally

tally = Tally("freqtrade")
HERE = Path(__file__).parent
SECONDS = int(os.environ.get("JUDGE_BOT_SECONDS", "75"))


def config(folder):
    urls = {
        "public": REST + "/api/v3", "private": REST + "/api/v3", "v1": REST + "/api/v1", "sapi": REST + "/sapi/v1", "sapiV2": REST + "/sapi/v2",
        "sapiV3": REST + "/sapi/v3", "sapiV4": REST + "/sapi/v4",
        # The library looks at every market once, also those of futures.
        "fapiPublic": REST + "/fapi/v1", "dapiPublic": REST + "/dapi/v1",
        "ws": {"spot": WS + "/ws", "margin": WS + "/ws", "ws-api": {"spot": WS + "/ws-api/v3"}},
    }
    client = {"urls": {"api": urls}, "enableRateLimit": False}
    return {
        "bot_name": "judge", "max_open_trades": 2, "stake_currency": "USDT", "stake_amount": 200, "tradable_balance_ratio": 0.5, "dry_run": False,
        "cancel_open_orders_on_exit": True, "trading_mode": "spot", "initial_state": "running", "strategy": "JudgeStrategy",
        "db_url": f"sqlite:///{folder}/trades.sqlite", "user_data_dir": str(folder), "strategy_path": str(HERE / "freqtrade" / "strategies"),
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "order_types": {"entry": "limit", "exit": "limit", "stoploss": "market", "stoploss_on_exchange": False},
        "unfilledtimeout": {"entry": 1, "exit": 1, "unit": "minutes"},
        "exchange": {
            "name": "binance", "key": HMAC_KEY, "secret": HMAC_SECRET, "ccxt_config": client, "ccxt_async_config": client,
            "pair_whitelist": ["BTC/USDT", "ETH/USDT"], "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}], "internals": {"process_throttle_secs": 2},
    }


def record():
    """What the exchange itself has on record of the bot's orders: filled quantity by order."""
    with urllib.request.urlopen(CONTROL + "/record") as answer:
        lines = [json.loads(line) for line in answer.read().splitlines()]
    filled = {}
    for line in lines:
        if line.get("event") == "fill":
            filled[line["order_id"]] = filled.get(line["order_id"], 0.0) + float(line["qty"])
    return filled


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "config.json").write_text(json.dumps(config(folder)))
        program = Path(sys.executable).parent / "freqtrade"
        with open(folder / "log", "w") as log:
            bot = subprocess.Popen([program, "trade", "-c", folder / "config.json"], stdout=log, stderr=log, cwd=folder)
            time.sleep(SECONDS)
            bot.terminate()
            tally.check("ends when told", lambda: bot.wait(30))
        text = (folder / "log").read_text()
        bad = [line for line in text.splitlines() if " ERROR " in line or "Traceback" in line or " - WARNING - " in line and "xchange" in line]
        for line in bad[:20]:
            print("  " + line[:400])
        tally.note("no error in its log", f"{len(bad)} lines" if any(" ERROR " in line or "Traceback" in line for line in bad) else None)
        if not (folder / "trades.sqlite").exists() or not text.count("Changing state to: RUNNING"):
            tally.note("it starts", text[-3000:])
            tally.end()
        database = sqlite3.connect(folder / "trades.sqlite")
        orders = database.execute("select order_id, ft_order_side, status, filled from orders").fetchall()
        trades = database.execute("select count(*), sum(is_open = 0) from trades").fetchone()
        print(f"  trades {trades[0]}, closed {trades[1]}, orders {len(orders)}")
        tally.note("it traded", None if trades[0] and trades[1] else f"{trades}\n{text[-3000:]}")
        filled = record()
        wrong = [row for row in orders if abs(filled.get(int(row[0]), 0.0) - (row[3] or 0.0)) > 1e-9]
        tally.note("its fills are the exchange's", f"{wrong}" if wrong else None)
    tally.end()


main()
