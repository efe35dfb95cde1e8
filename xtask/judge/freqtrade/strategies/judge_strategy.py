"""Buys whatever it may at once and sells half a minute later: as many orders as a minute's test can see."""

from freqtrade.strategy import IStrategy


class JudgeStrategy(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 10}
    stoploss = -0.5
    startup_candle_count = 30
    process_only_new_candles = False
    use_exit_signal = True

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "half a minute" if (current_time - trade.open_date_utc).total_seconds() > 20 else None
