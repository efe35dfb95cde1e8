"""A whole bot: a NautilusTrader live node, which buys, sells, rests an order and cancels it, and must end flat and content."""

import asyncio
import datetime
from decimal import Decimal

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.config import InstrumentProviderConfig, LiveExecEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.trading.strategy import Strategy

from tally import HMAC_KEY, HMAC_SECRET, REST, WS, Tally

tally = Tally("nautilus_trader")
BTC = InstrumentId.from_str("BTCUSDT.BINANCE")


class Judge(Strategy):
    """Counts what it hears; orders come once quotes do."""

    def __init__(self):
        super().__init__()
        self.heard, self.sent, self.events = {}, False, []

    def on_start(self):
        self.subscribe_quote_ticks(BTC)
        self.subscribe_trade_ticks(BTC)
        self.subscribe_order_book_deltas(BTC)
        self.subscribe_bars(BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL"))
        self.request_bars(BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL"), start=self.clock.utc_now() - datetime.timedelta(hours=2))

    def count(self, what):
        self.heard[what] = self.heard.get(what, 0) + 1

    def on_quote_tick(self, tick):
        self.count("quotes")
        if self.sent:
            return
        self.sent = True
        instrument = self.cache.instrument(BTC)
        qty = instrument.make_qty(Decimal("0.002"))
        self.submit_order(self.order_factory.market(BTC, OrderSide.BUY, qty))
        self.submit_order(self.order_factory.market(BTC, OrderSide.SELL, qty))
        self.resting = self.order_factory.limit(
            BTC, OrderSide.BUY, qty, instrument.make_price(float(tick.bid_price) * 0.9), time_in_force=TimeInForce.GTC, post_only=True)
        self.submit_order(self.resting)

    def on_order_accepted(self, event):
        if self.sent and event.client_order_id == self.resting.client_order_id:
            self.cancel_order(self.resting)

    def on_trade_tick(self, tick):
        self.count("trades")

    def on_order_book_deltas(self, deltas):
        self.count("deltas")

    def on_historical_data(self, data):
        self.count("bars")

    def on_order_event(self, event):
        self.events.append(type(event).__name__)


async def run():
    keys = {"api_key": HMAC_KEY, "api_secret": HMAC_SECRET, "base_url_http": REST, "base_url_ws": WS, "account_type": BinanceAccountType.SPOT}
    provider = InstrumentProviderConfig(load_ids=frozenset([BTC]))
    node = TradingNode(config=TradingNodeConfig(
        trader_id=TraderId("JUDGE-001"), logging=LoggingConfig(log_level="WARNING"), exec_engine=LiveExecEngineConfig(reconciliation=True),
        data_clients={BINANCE: BinanceDataClientConfig(instrument_provider=provider, **keys)},
        exec_clients={BINANCE: BinanceExecClientConfig(instrument_provider=provider, **keys)},
        timeout_connection=20, timeout_reconciliation=10, timeout_portfolio=10, timeout_disconnection=5, timeout_post_stop=2,
    ))
    strategy = Judge()
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()
    task = asyncio.ensure_future(node.run_async())
    await asyncio.sleep(20)
    for what in ("quotes", "trades", "deltas"):
        tally.note(what, None if strategy.heard.get(what) else f"{strategy.heard}")
    filled, canceled = strategy.events.count("OrderFilled"), strategy.events.count("OrderCanceled")
    tally.note("both market orders filled", None if filled >= 2 else f"{strategy.events}")
    tally.note("the resting order was cancelled", None if canceled == 1 else f"{strategy.events}")
    tally.note("nothing was refused", None if "OrderRejected" not in strategy.events and "OrderDenied" not in strategy.events else f"{strategy.events}")
    tally.note("it is flat", None if node.portfolio.is_flat(BTC) else f"{node.portfolio.net_position(BTC)}")
    await node.stop_async()
    await asyncio.wait([task], timeout=10)


asyncio.run(run())
tally.end()
