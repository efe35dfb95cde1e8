//! What an exchange simulator is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nightdesk_units::{Asset, Decimal, Qty, Symbol};

use crate::auth::KeySpec;
use crate::limits::Limits;

/// Everything an exchange simulator needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where REST and WebSocket are served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where faults, state and record are served.
    pub control: Option<SocketAddr>,
    /// Who may trade.
    pub keys: Vec<KeySpec>,
    /// Where the market comes from.
    pub market: MarketSource,
    /// Where state is kept; in memory only when absent.
    pub data_dir: Option<PathBuf>,
    /// What a new account owns.
    pub balances: Vec<(Asset, Qty)>,
    /// Maker and taker fee rates of new accounts.
    pub fees: (Decimal, Decimal),
    /// Rate limits.
    pub limits: Limits,
    /// Pings and connection lives.
    pub timing: Timing,
    /// Whether candles before the exchange's first day are made up from the seed, so that bots that need a warm-up can
    /// start; `None`: yes for a synthetic market, no for a recorded one.
    pub made_up_history: Option<bool>,
    /// Seed of the synthetic market and of faults by probability.
    pub seed: u64,
    /// The market stands still until the control address lets it go.
    pub paused: bool,
}

impl Config {
    /// Defaults: a free loopback port, no control address, a synthetic market of BTCUSDT, ETHUSDT and SOLUSDT, nothing
    /// kept on disk, 100,000 USDT for each account, Binance's fees and limits.
    #[must_use]
    pub fn new(keys: Vec<KeySpec>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            control: None,
            keys,
            market: MarketSource::Synthetic { symbols: default_symbols() },
            data_dir: None,
            balances: "USDT=100000".parse::<Balance>().map(|b| (b.asset, b.amount)).into_iter().collect(),
            fees: (Decimal::new(1, 3), Decimal::new(1, 3)),
            limits: Limits::default(),
            timing: Timing::default(),
            made_up_history: None,
            seed: 1,
            paused: false,
        }
    }
}

/// The symbols of a synthetic market that names none.
#[must_use]
pub fn default_symbols() -> Vec<Symbol> {
    ["BTCUSDT", "ETHUSDT", "SOLUSDT"].iter().filter_map(|name| name.parse().ok()).collect()
}

/// Where the market comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketSource {
    /// A seeded flow of anonymous orders.
    Synthetic {
        /// What is traded.
        symbols: Vec<Symbol>,
    },
    /// Recordings in the capture format, one after the other.
    Replay {
        /// The files, plain or gzip.
        files: Vec<PathBuf>,
        /// How fast.
        speed: Speed,
    },
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as the slowest connected stream takes it.
    Max,
}

/// Text that is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a speed is a number above zero, or max: {0:?}")]
pub struct SpeedError(String);

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let good = |speed: &f64| speed.is_finite() && *speed > 0.0;
        text.parse().ok().filter(good).map(Self::Times).ok_or_else(|| SpeedError(text.to_owned()))
    }
}

/// An amount of an asset, `ASSET=AMOUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Asset.
    pub asset: Asset,
    /// How much.
    pub amount: Qty,
}

/// Text that is no balance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a balance is ASSET=AMOUNT, such as USDT=100000: {0:?}")]
pub struct BalanceError(String);

impl FromStr for Balance {
    type Err = BalanceError;

    fn from_str(text: &str) -> Result<Self, BalanceError> {
        let error = || BalanceError(text.to_owned());
        let (asset, amount) = text.split_once('=').ok_or_else(error)?;
        let amount: Qty = amount.parse().map_err(|_| error())?;
        if amount.is_negative() {
            return Err(error());
        }
        Ok(Self { asset: asset.parse().map_err(|_| error())?, amount })
    }
}

/// Pings and connection lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Time between the server's pings.
    pub ping_every: Duration,
    /// A connection without a pong for this long is closed.
    pub pong_within: Duration,
    /// The longest a connection lives.
    pub life: Duration,
}

impl Default for Timing {
    /// Binance Spot's: 20 s, 60 s, 24 h.
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { ping_every: secs(20), pong_within: secs(60), life: secs(24 * 3_600) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_and_balances_parse_or_say_what_they_want() {
        assert_eq!("max".parse::<Speed>().unwrap(), Speed::Max);
        assert_eq!("2.5".parse::<Speed>().unwrap(), Speed::Times(2.5));
        for bad in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
        assert_eq!("USDT=100000".parse::<Balance>().unwrap().amount.to_string(), "100000");
        for bad in ["USDT", "USDT=-1", "=1", "USDT=x"] {
            assert!(bad.parse::<Balance>().is_err(), "{bad}");
        }
    }
}
