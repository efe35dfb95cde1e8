//! What core-engine is told at its start.

use nightdesk_capital::Collar;
use nightdesk_units::{Asset, InstanceId, Micros, Money, Symbol};

/// A strategy instance that core-engine accepts intents from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub instance: InstanceId,
    /// The strategy it runs.
    pub strategy: String,
    /// What it trades.
    pub symbol: Symbol,
    /// Its configuration generation.
    pub generation: u32,
    /// Its capital: its returns are measured on that.
    pub allocation: Money,
}

/// How old a source of knowledge may be while new risk is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Best bid and ask of the instrument.
    pub market: Micros,
    /// Last sign of life of the account's event stream.
    pub user_stream: Micros,
    /// Last completed reconciliation.
    pub reconciliation: Micros,
    /// Oldest message of ours that has not arrived.
    pub outbox: Micros,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            market: Micros::from_secs(30),
            user_stream: Micros::from_secs(90),
            reconciliation: Micros::from_secs(180),
            outbox: Micros::from_secs(5),
        }
    }
}

/// core-engine's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The epoch it acts in.
    pub epoch: u64,
    /// What the portfolio is reckoned in.
    pub quote: Asset,
    /// How bad a price may get.
    pub collar: Collar,
    /// Instances that may trade.
    pub instances: Vec<Instance>,
    /// Limits of age.
    pub freshness: Freshness,
    /// Silence after which an order is driven again.
    pub answer_timeout: Micros,
    /// Between two reconciliations.
    pub reconcile_every: Micros,
    /// An intent older than this is refused: the market it was decided on is gone.
    pub max_intent_age: Micros,
    /// The most finished orders kept in memory; older ones are in the store.
    pub remembered: usize,
}

impl Config {
    /// Settings for `instances` with the defaults of the design.
    #[must_use]
    pub fn new(quote: Asset, collar: Collar, instances: Vec<Instance>) -> Self {
        Self {
            epoch: 1,
            quote,
            collar,
            instances,
            freshness: Freshness::default(),
            answer_timeout: Micros::from_secs(1),
            reconcile_every: Micros::from_secs(60),
            max_intent_age: Micros::from_secs(10),
            remembered: 1_000,
        }
    }

    pub(crate) fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.iter().find(|known| known.instance == id)
    }

    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = self.instances.iter().map(|known| known.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }
}
