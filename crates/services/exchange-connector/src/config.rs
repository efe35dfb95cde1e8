//! What the connector is told at its start.

use nightdesk_market::Interval;
use nightdesk_units::{InstanceId, Micros, Symbol};

/// The connector's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The epoch it acts in.
    pub epoch: u64,
    /// Instruments traded or watched.
    pub symbols: Vec<Symbol>,
    /// Strategy instances, which are told the instruments.
    pub instances: Vec<InstanceId>,
    /// Candle lengths to build, per instrument.
    pub candles: Vec<(Symbol, Interval)>,
    /// For how long the exchange may accept a request after its timestamp.
    pub recv_window: Micros,
    /// Added to a window's end before an absence counts as proof: what our knowledge of the exchange's clock may be wrong by
    /// beyond its measured uncertainty.
    pub clock_margin: Micros,
    /// A placement that adds risk and was decided longer ago than this does not leave any more, whatever it waited for: a
    /// limiter, a ban, a restart. Longer than core-engine's own limit, which then takes the order back.
    pub max_age: Micros,
    /// The most finished attempts kept in memory; older ones are looked up in the store.
    pub remembered: usize,
}

impl Config {
    /// Settings for `symbols` with the defaults of the design: a window of 2 s, a margin of 100 ms, an age of at most 15 s.
    #[must_use]
    pub fn new(symbols: Vec<Symbol>) -> Self {
        Self {
            epoch: 1,
            symbols,
            instances: Vec::new(),
            candles: Vec::new(),
            recv_window: Micros::from_secs(2),
            clock_margin: Micros::from_millis(100),
            max_age: Micros::from_secs(15),
            remembered: 1_000,
        }
    }
}
