//! What the calls and the streams share: the REST side, the instruments, the queue of events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightdesk_exchange::{ExchangeError, Purpose};
use nightdesk_market::Instrument;
use nightdesk_units::{Micros, Scale, Symbol, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::Config;
use crate::decode::{self, ExchangeInfo};
use crate::queue::Queue;
use crate::rest::{Request, Rest};
use crate::sign::Params;
use crate::witness::Witness;

/// Sees each market frame and book snapshot as received, with the time of receipt by our clock: for recording.
pub type Tap = Arc<dyn Fn(Timestamp, &str) + Send + Sync>;

/// How long what was learnt at the start counts as just learnt.
const START: std::time::Duration = std::time::Duration::from_secs(10);

/// Shared by all parts of one adapter.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) rest: Arc<Rest>,
    pub(crate) queue: Queue,
    /// Reports that the user stream owes.
    witness: Mutex<Witness>,
    instruments: Mutex<BTreeMap<Symbol, Instrument>>,
    /// When they were learnt at the start, until somebody has asked for them.
    learnt_at: Mutex<Option<Instant>>,
    /// True once clock and instruments are known.
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) tap: Option<Tap>,
}

impl Shared {
    pub(crate) fn new(config: Config, rest: Arc<Rest>, tap: Option<Tap>) -> Self {
        Self {
            queue: Queue::new(config.queue_capacity),
            config,
            rest,
            witness: Mutex::default(),
            instruments: Mutex::default(),
            learnt_at: Mutex::default(),
            ready: watch::Sender::new(false),
            tap,
        }
    }

    pub(crate) fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn instrument(&self, symbol: Symbol) -> Option<Instrument> {
        self.instruments.lock().unwrap_or_else(PoisonError::into_inner).get(&symbol).cloned()
    }

    /// The instruments of `symbols`, asked for unless they have just been learnt at the start.
    pub(crate) async fn instruments(&self, symbols: &[Symbol]) -> Result<Vec<Instrument>, ExchangeError> {
        let just_learnt = self.learnt_at.lock().unwrap_or_else(PoisonError::into_inner).take();
        if just_learnt.is_some_and(|at| at.elapsed() < START) && !symbols.is_empty() {
            let known: Option<Vec<Instrument>> = symbols.iter().map(|symbol| self.instrument(*symbol)).collect();
            if let Some(known) = known {
                return Ok(known);
            }
        }
        self.load(symbols).await
    }

    /// Fetches what is needed to understand the exchange.
    pub(crate) async fn learn(&self) -> Result<(), ExchangeError> {
        let symbols = &self.config.symbols;
        if symbols.iter().any(|symbol| self.instrument(*symbol).is_none()) {
            self.load(symbols).await?;
            *self.learnt_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Ok(())
    }

    /// Fetches the instruments of `symbols` (all when empty) and the exchange's limits; remembers both.
    pub(crate) async fn load(&self, symbols: &[Symbol]) -> Result<Vec<Instrument>, ExchangeError> {
        let mut params = Params::new();
        if !symbols.is_empty() {
            let names: Vec<_> = symbols.iter().map(|symbol| format!("\"{symbol}\"")).collect();
            params = params.with("symbols", format_args!("[{}]", names.join(",")));
        }
        let mut request = Request::get("/api/v3/exchangeInfo", params, 20);
        request.limit = Some(self.config.request_limit * 5);
        self.rest.limiter.admit(Purpose::Query, request.weight).await;
        let info = self.rest.call(request, decode::exchange_info).await?;
        self.remember(symbols, info)
    }

    fn remember(&self, symbols: &[Symbol], info: ExchangeInfo) -> Result<Vec<Instrument>, ExchangeError> {
        self.rest.limiter.change(|core, _| {
            core.set_limits(|limits| {
                limits.weight = info.weight_per_minute.unwrap_or(limits.weight);
                if let Some((orders, window)) = info.orders {
                    (limits.orders, limits.orders_window) = (orders, window);
                }
            });
        });
        for malformed in &info.malformed {
            self.rest.meters.malformed(malformed);
        }
        let mut known = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(info.instruments.iter().map(|instrument| (instrument.symbol, instrument.clone())));
        let told = |symbol: &&Symbol| !info.instruments.iter().any(|instrument| instrument.symbol == **symbol);
        if let Some(missing) = symbols.iter().find(told) {
            let why = info.malformed.first().map_or_else(|| "not told".to_owned(), ToString::to_string);
            let reason = format!("/api/v3/exchangeInfo: {missing}: {why}");
            return Err(ExchangeError::Retry { after: Micros::from_secs(5), reason });
        }
        Ok(info.instruments)
    }

    /// The instrument's tick and lot, fetched if need be.
    pub(crate) async fn scale(&self, symbol: Symbol) -> Result<Scale, ExchangeError> {
        if let Some(instrument) = self.instrument(symbol) {
            return Ok(instrument.scale);
        }
        let loaded = self.load(&[symbol]).await?;
        let scale = loaded.iter().find(|instrument| instrument.symbol == symbol).map(|instrument| instrument.scale);
        scale.ok_or_else(|| ExchangeError::Rejected { code: -1121, reason: format!("no instrument {symbol}") })
    }
}
