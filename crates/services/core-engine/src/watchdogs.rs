//! Progress watchdogs: how old that is what new risk depends on, and at which age it counts as stale.

use nightdesk_shell::Turn;
use nightdesk_units::{Micros, Symbol};
use serde::Serialize;

use crate::engine::CoreEngine;

/// What new risk depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The best bid and ask of an instrument.
    MarketData,
    /// The account's event stream.
    UserStream,
    /// The last comparison with the exchange that ended well.
    Reconciliation,
    /// The oldest message of ours that has not arrived.
    Outbox,
}

impl Source {
    /// Its name in labels and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarketData => "market_data",
            Self::UserStream => "user_stream",
            Self::Reconciliation => "reconciliation",
            Self::Outbox => "outbox",
        }
    }
}

/// One source and its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Watchdog {
    /// What it watches.
    pub source: Source,
    /// Of which instrument, where each has its own.
    pub symbol: Option<Symbol>,
    /// Time since its last sign of life; `None` while there is none.
    pub age: Option<Micros>,
    /// The highest age with which new risk is taken.
    pub limit: Micros,
}

impl Watchdog {
    /// Whether it holds new risk back.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age.is_none_or(|age| age > self.limit)
    }

    /// What is wrong, if anything is.
    ///
    /// # Errors
    /// Says how old it is.
    pub fn check(&self) -> Result<(), String> {
        if !self.is_stale() {
            return Ok(());
        }
        let age = self.age.map(|age| age.as_millis());
        Err(match (self.source, age) {
            (Source::MarketData, Some(age)) => {
                let symbol = self.symbol.map(|symbol| format!(" of {symbol}")).unwrap_or_default();
                format!("market data{symbol} is {age} ms old")
            }
            (Source::MarketData, None) => "no quote yet".to_owned(),
            (Source::UserStream, Some(age)) => format!("account stream silent for {age} ms"),
            (Source::UserStream, None) => "account stream is down".to_owned(),
            (Source::Reconciliation, Some(age)) => format!("last reconciled {age} ms ago"),
            (Source::Reconciliation, None) => "not reconciled with the exchange yet".to_owned(),
            (Source::Outbox, age) => format!("a message has waited for {} ms", age.unwrap_or_default()),
        })
    }
}

impl CoreEngine {
    /// All watchdogs.
    pub(crate) fn watchdogs(&self, turn: &Turn) -> Vec<Watchdog> {
        let markets = self.config.symbols().into_iter().map(|symbol| self.market_watchdog(turn, symbol));
        markets.chain(self.common_watchdogs(turn)).collect()
    }

    /// Whether everything that new risk in `symbol` depends on is fresh.
    pub(crate) fn check_fresh(&self, turn: &Turn, symbol: Symbol) -> Result<(), String> {
        self.market_watchdog(turn, symbol).check()?;
        self.common_watchdogs(turn).iter().try_for_each(Watchdog::check)
    }

    fn market_watchdog(&self, turn: &Turn, symbol: Symbol) -> Watchdog {
        let age = self.quotes.get(&symbol).map(|quote| turn.now.since(quote.at));
        Watchdog { source: Source::MarketData, symbol: Some(symbol), age, limit: self.config.freshness.market }
    }

    fn common_watchdogs(&self, turn: &Turn) -> [Watchdog; 3] {
        let limits = &self.config.freshness;
        // A stream that is down has no age: when it last spoke does not matter.
        let user = self.user.filter(|(up, _)| *up).map(|(_, at)| turn.now.since(at));
        let reconciled = self.reconciler.last_good().map(|at| turn.now.since(at));
        let waiting = turn.oldest_outbox.map_or(Micros::default(), |at| turn.now.since(at));
        [
            Watchdog { source: Source::UserStream, symbol: None, age: user, limit: limits.user_stream },
            Watchdog { source: Source::Reconciliation, symbol: None, age: reconciled, limit: limits.reconciliation },
            Watchdog { source: Source::Outbox, symbol: None, age: Some(waiting), limit: limits.outbox },
        ]
    }
}
