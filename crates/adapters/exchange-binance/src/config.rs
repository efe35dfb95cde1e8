//! What the adapter is told: where the exchange is, what to listen to, and its limits. It reads no file and no
//! environment; the application does, and hands typed values in.

use std::time::Duration;

use nightdesk_market::Interval;
use nightdesk_units::{Micros, Symbol};

/// Where the exchange answers. One code serves the simulator, the testnet and the live exchange: only these differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// REST, such as `https://api.binance.com`.
    pub rest: String,
    /// Market streams, such as `wss://stream.binance.com:9443`; `/stream` is added.
    pub streams: String,
    /// The WebSocket API, such as `wss://ws-api.binance.com:443`; `/ws-api/v3` is added.
    pub ws_api: String,
}

impl Endpoints {
    /// The live exchange.
    #[must_use]
    pub fn live() -> Self {
        Self::new("https://api.binance.com", "wss://stream.binance.com:9443", "wss://ws-api.binance.com:443")
    }

    /// Binance's spot test network.
    #[must_use]
    pub fn testnet() -> Self {
        Self::new(
            "https://testnet.binance.vision",
            "wss://stream.testnet.binance.vision",
            "wss://ws-api.testnet.binance.vision",
        )
    }

    /// One address for everything, without encryption: our own simulator at `HOST:PORT`.
    #[must_use]
    pub fn simulator(address: &str) -> Self {
        let ws = format!("ws://{address}");
        Self::new(&format!("http://{address}"), &ws, &ws)
    }

    fn new(rest: &str, streams: &str, ws_api: &str) -> Self {
        Self { rest: rest.to_owned(), streams: streams.to_owned(), ws_api: ws_api.to_owned() }
    }
}

/// Which market streams to listen to, for every symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    /// `bookTicker`.
    pub quotes: bool,
    /// `trade`.
    pub trades: bool,
    /// `depth@100ms`, kept as a continuous book.
    pub depth: bool,
    /// Closed candles of these lengths.
    pub candles: Vec<Interval>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { quotes: true, trades: true, depth: true, candles: Vec::new() }
    }
}

/// The adapter's settings. [`Config::new`] gives every one but the first two its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the exchange answers.
    pub endpoints: Endpoints,
    /// Instruments to listen to.
    pub symbols: Vec<Symbol>,
    /// What to listen to. Default: quotes, trades and depth.
    pub streams: Streams,
    /// Listens to the account's own events. Default: true; needs a key.
    pub user_stream: bool,
    /// `recvWindow` of the requests the adapter signs by itself (queries, stream subscriptions). Default: 5 s.
    pub recv_window: Micros,
    /// Time limit of one request, answer included. Default: 2 s.
    pub request_limit: Duration,
    /// Most requests a second. Default: 10.
    pub requests_per_second: u32,
    /// Request weight a minute until the exchange has told its own limit. Default: 6000.
    pub weight_per_minute: u32,
    /// Asks for times in microseconds; answers are understood in either unit. Default: true.
    pub microseconds: bool,
    /// Levels of a book snapshot. Default: 1000 (weight 50).
    pub snapshot_levels: u16,
    /// How often the exchange's clock is measured. Default: 60 s.
    pub clock_interval: Duration,
    /// A connection without a frame for this long, pings included, is dead. Default: 60 s (the exchange pings every 20 s).
    pub silence_limit: Duration,
    /// A symbol without market data for this long is compared with the exchange by REST. Default: 10 s.
    pub stale_after: Duration,
    /// How long after an acknowledged order its report may be missing from the user stream. Default: 5 s.
    pub report_limit: Duration,
    /// A connection is replaced at this age, before the exchange ends it at 24 h. Default: 23 h.
    pub renew_after: Duration,
    /// How long old and new connection run side by side when one is replaced. Default: 1 s.
    pub overlap: Duration,
    /// Shortest and longest wait before connecting again. Default: 250 ms to 30 s.
    pub backoff: (Duration, Duration),
    /// Events waiting for the consumer before a stream pauses. Default: 65 536.
    pub queue_capacity: usize,
    /// How long a stream pauses for a slow consumer before it is cut. Default: 5 s.
    pub consumer_limit: Duration,
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An address of the wrong kind.
    #[error("exchange address {url:?} must start with {expected}")]
    Url {
        /// The address.
        url: String,
        /// What it must start with.
        expected: &'static str,
    },
    /// More streams than one connection carries.
    #[error("{0} streams asked for, and one connection carries 1024: fewer symbols or fewer candle intervals")]
    TooManyStreams(usize),
    /// A limit of zero, or a `recvWindow` above the exchange's maximum.
    #[error("{0}")]
    Limit(&'static str),
    /// The HTTP client could not be made.
    #[error("cannot set up HTTPS: {0}")]
    Http(String),
    /// Called outside a tokio runtime.
    #[error("no async runtime: connect from within tokio")]
    NoRuntime,
}

/// The most streams one connection carries.
const MAX_STREAMS: usize = 1024;

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(endpoints: Endpoints, symbols: Vec<Symbol>) -> Self {
        Self {
            endpoints,
            symbols,
            streams: Streams::default(),
            user_stream: true,
            recv_window: Micros::from_secs(5),
            request_limit: Duration::from_secs(2),
            requests_per_second: 10,
            weight_per_minute: 6_000,
            microseconds: true,
            snapshot_levels: 1_000,
            clock_interval: Duration::from_secs(60),
            silence_limit: Duration::from_secs(60),
            stale_after: Duration::from_secs(10),
            report_limit: Duration::from_secs(5),
            renew_after: Duration::from_secs(23 * 3_600),
            overlap: Duration::from_secs(1),
            backoff: (Duration::from_millis(250), Duration::from_secs(30)),
            queue_capacity: 65_536,
            consumer_limit: Duration::from_secs(5),
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let urls = [
            (&self.endpoints.rest, "http", "http:// or https://"),
            (&self.endpoints.streams, "ws", "ws:// or wss://"),
            (&self.endpoints.ws_api, "ws", "ws:// or wss://"),
        ];
        for (url, scheme, expected) in urls {
            let rest = url.strip_prefix(scheme).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
            let host = rest.and_then(|rest| rest.strip_prefix("://")).unwrap_or_default();
            if host.is_empty() {
                return Err(ConfigError::Url { url: url.clone(), expected });
            }
        }
        let streams = self.stream_names().len();
        if streams > MAX_STREAMS {
            return Err(ConfigError::TooManyStreams(streams));
        }
        if self.requests_per_second == 0 || self.weight_per_minute == 0 || self.queue_capacity == 0 {
            return Err(ConfigError::Limit("request rate, weight and queue capacity must be above zero"));
        }
        if self.recv_window.0 <= 0 || self.recv_window > Micros::from_secs(60) {
            return Err(ConfigError::Limit("recv_window must be above zero and at most 60 s"));
        }
        Ok(())
    }

    /// The names of all market streams asked for.
    pub(crate) fn stream_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for symbol in &self.symbols {
            let symbol = symbol.as_str().to_ascii_lowercase();
            let flags = [
                (self.streams.quotes, "bookTicker"),
                (self.streams.trades, "trade"),
                (self.streams.depth, "depth@100ms"),
            ];
            names.extend(flags.iter().filter(|(on, _)| *on).map(|(_, name)| format!("{symbol}@{name}")));
            names.extend(self.streams.candles.iter().map(|interval| format!("{symbol}@kline_{interval}")));
        }
        names
    }

    pub(crate) fn rest_url(&self) -> String {
        self.endpoints.rest.trim_end_matches('/').to_owned()
    }

    pub(crate) fn stream_url(&self) -> String {
        self.socket_url(&self.endpoints.streams, "/stream")
    }

    pub(crate) fn ws_api_url(&self) -> String {
        self.socket_url(&self.endpoints.ws_api, "/ws-api/v3")
    }

    fn socket_url(&self, base: &str, path: &str) -> String {
        let base = base.trim_end_matches('/');
        let path = if base.ends_with(path) { "" } else { path };
        let unit = if self.microseconds { "?timeUnit=MICROSECOND" } else { "" };
        format!("{base}{path}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(Endpoints::simulator("127.0.0.1:18080"), vec!["BTCUSDT".parse().unwrap()])
    }

    #[test]
    fn addresses_get_their_paths_once() {
        let mut config = config();
        assert_eq!(config.stream_url(), "ws://127.0.0.1:18080/stream?timeUnit=MICROSECOND");
        config.endpoints.ws_api = "wss://ws-api.binance.com:443/ws-api/v3/".to_owned();
        config.microseconds = false;
        assert_eq!(config.ws_api_url(), "wss://ws-api.binance.com:443/ws-api/v3");
    }

    #[test]
    fn every_stream_asked_for_is_named() {
        let mut config = config();
        config.streams.candles = vec![Interval::ONE_MINUTE];
        let names = ["btcusdt@bookTicker", "btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@kline_1m"];
        assert_eq!(config.stream_names(), names);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert_eq!(config().check(), Ok(()));
        let mut bad = config();
        bad.endpoints.streams = "https://stream.binance.com".to_owned();
        assert!(bad.check().unwrap_err().to_string().contains("must start with ws://"));
        let mut bad = config();
        bad.symbols = (0..400).map(|i| format!("S{i}").parse().unwrap()).collect();
        assert_eq!(bad.check(), Err(ConfigError::TooManyStreams(1_200)));
        let mut bad = config();
        bad.recv_window = Micros::from_secs(61);
        assert!(matches!(bad.check(), Err(ConfigError::Limit(_))));
    }
}
