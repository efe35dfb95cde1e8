//! Fetches by REST what the market stream lacks: book snapshots, missed trades and candles, and how far the exchange has
//! come.

use std::sync::Arc;
use std::time::Duration;

use nightdesk_exchange::{ExchangeError, Purpose};
use nightdesk_market::{Candle, DepthSnapshot, Interval, Trade};
use nightdesk_units::{Micros, Scale, Symbol, Timestamp};

use crate::clock::wall;
use crate::decode;
use crate::history::{self, Span};
use crate::line::Gap;
use crate::market_state::{Fetch, ProbeKind, Reached};
use crate::rest::Request;
use crate::shared::Shared;
use crate::sign::Params;

/// What was fetched.
#[derive(Debug)]
pub(crate) enum Fetched {
    Snapshot(DepthSnapshot),
    Trades(Symbol, Result<Vec<Trade>, String>),
    Candles(Symbol, Interval, Result<Vec<Candle>, String>),
    Probe(Symbol, Option<Reached>),
}

/// How often a fetch is tried; with the longest wait between, about half a minute.
const TRIES: u32 = 8;
const LONGEST_WAIT: Micros = Micros::from_secs(5);
/// The most trades fetched for one gap.
const MAX_TRADES: usize = 20_000;
/// The most that one request returns.
const PAGE: usize = 1_000;

/// Fetches one thing. A snapshot is tried for as long as it takes: without it there is no book.
pub(crate) async fn fetch(shared: Arc<Shared>, scale: Scale, what: Fetch) -> Fetched {
    match what {
        Fetch::Snapshot(symbol) => Fetched::Snapshot(snapshot(&shared, symbol, scale).await),
        Fetch::Trades(symbol, gap) => {
            let trades = trades(&shared, symbol, scale, gap).await;
            if let Ok(trades) = &trades {
                shared.rest.meters.backfilled("trades", trades.len());
            }
            Fetched::Trades(symbol, trades)
        }
        Fetch::Candles(symbol, interval, gap) => {
            let candles = candles(&shared, symbol, interval, gap).await;
            if let Ok(candles) = &candles {
                shared.rest.meters.backfilled("candles", candles.len());
            }
            Fetched::Candles(symbol, interval, candles)
        }
        Fetch::Probe(symbol, kind) => Fetched::Probe(symbol, probe(&shared, symbol, scale, kind).await.ok()),
    }
}

/// Counts tries and waits between them.
#[derive(Default)]
struct Tries(u32);

/// REST may lag behind the stream; this often it is given time to catch up (250 + 500 + 1000 ms).
const LAG_TRIES: u32 = 3;

impl Tries {
    /// Waits for REST to catch up with the stream; false when it has had its time.
    async fn lagging(&mut self) -> bool {
        self.0 += 1;
        if self.0 > LAG_TRIES {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(125 << self.0)).await;
        true
    }

    /// Waits before the next try, or says that there is none.
    async fn again(&mut self, error: ExchangeError) -> Result<(), String> {
        self.0 += 1;
        let ExchangeError::Retry { after, .. } = &error else { return Err(error.to_string()) };
        if self.0 >= TRIES {
            return Err(error.to_string());
        }
        let doubled = Micros(after.0.saturating_mul(1 << self.0.min(10)));
        tokio::time::sleep(doubled.min(LONGEST_WAIT).to_duration()).await;
        Ok(())
    }
}

async fn snapshot(shared: &Shared, symbol: Symbol, scale: Scale) -> DepthSnapshot {
    let levels = shared.config.snapshot_levels;
    let weight = match levels {
        0..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    };
    let mut tries = Tries::default();
    loop {
        let params = Params::new().with("symbol", symbol).with("limit", levels);
        let request = Request::get("/api/v3/depth", params, weight);
        let decode = |text: &str| {
            if let Some(tap) = &shared.tap {
                tap(wall(), text);
            }
            decode::snapshot(text, symbol, &scale, shared.rest.clock.now())
        };
        match shared.rest.admitted(Purpose::Background, request, decode).await {
            Ok(snapshot) => {
                shared.rest.meters.snapshot();
                return snapshot;
            }
            Err(error) => {
                tracing::warn!(%symbol, %error, "no book snapshot of {symbol} yet: {error}");
                if tries.again(error).await.is_err() {
                    tries = Tries::default();
                    tokio::time::sleep(LONGEST_WAIT.to_duration()).await;
                }
            }
        }
    }
}

/// The trades of a gap. First the list of recent trades, which every server has; if the gap lies further back, the
/// archive.
async fn trades(shared: &Shared, symbol: Symbol, scale: Scale, gap: Gap) -> Result<Vec<Trade>, String> {
    let id = |trade: &Trade| i64::try_from(trade.id).unwrap_or(i64::MAX);
    // A list that ends before the gap does would make what it lacks look as if it did not exist.
    let needed = gap.end.unwrap_or(gap.first) - 1;
    let mut lag = Tries::default();
    let recent = loop {
        let recent = page(shared, symbol, scale, None).await?;
        match recent.last().map(id) {
            Some(newest) if newest >= needed => break recent,
            None if gap.end.is_none() => return Ok(recent),
            _ if lag.lagging().await => {}
            newest => return Err(format!("the exchange numbers anew (at {newest:?}, we were at {needed})")),
        }
    };
    let oldest = recent.first().map_or(gap.first, id);
    if oldest <= gap.first || recent.len() < PAGE {
        return Ok(recent);
    }
    let mut found = Vec::new();
    let mut from = gap.first;
    let end = gap.end.unwrap_or(oldest);
    while from < end {
        let trades = page(shared, symbol, scale, Some(from)).await?;
        let Some(last) = trades.last().map(id) else { break };
        from = last + 1;
        found.extend(trades);
        if found.len() > MAX_TRADES {
            return Err(format!("more than {MAX_TRADES} are missing"));
        }
    }
    if gap.end.is_none() {
        found.extend(recent);
    }
    Ok(found)
}

/// The candles of a gap. All before its end have closed, whatever our clock says: the one after them has.
async fn candles(shared: &Shared, symbol: Symbol, interval: Interval, gap: Gap) -> Result<Vec<Candle>, String> {
    let (mut tries, mut lag) = (Tries::default(), Tries::default());
    loop {
        let now = shared.rest.clock.now();
        let (to, closed) = gap.end.map_or((now, now), |end| (Timestamp(end), Timestamp(end)));
        let span = Span { from: Timestamp(gap.first), to, closed };
        match history::candles(shared, symbol, interval, span, true).await {
            Ok(candles) => {
                let reached = candles.last().map_or(gap.first, |candle| candle.close_at().0);
                if gap.end.is_none_or(|end| reached >= end) {
                    return Ok(candles);
                }
                if !lag.lagging().await {
                    return Err(format!("the exchange has none from {} on", Timestamp(reached)));
                }
            }
            Err(error) => tries.again(error).await?,
        }
    }
}

async fn page(shared: &Shared, symbol: Symbol, scale: Scale, from: Option<i64>) -> Result<Vec<Trade>, String> {
    let mut tries = Tries::default();
    loop {
        let params = Params::new().with("symbol", symbol).with("limit", PAGE);
        let request = match from {
            None => Request::get("/api/v3/trades", params, 25),
            Some(from) if shared.rest.key().is_some() => {
                Request::get("/api/v3/historicalTrades", params.with("fromId", from), 25).keyed()
            }
            Some(from) => Request::get("/api/v3/historicalTrades", params.with("fromId", from), 25),
        };
        let decode = |text: &str| decode::public_trades(text, symbol, &scale);
        match shared.rest.admitted(Purpose::Background, request, decode).await {
            Ok(trades) => return Ok(trades),
            Err(error) => tries.again(error).await?,
        }
    }
}

async fn probe(shared: &Shared, symbol: Symbol, scale: Scale, kind: ProbeKind) -> Result<Reached, ExchangeError> {
    let params = Params::new().with("symbol", symbol);
    match kind {
        ProbeKind::Depth => {
            let request = Request::get("/api/v3/depth", params.with("limit", 5), 5);
            shared.rest.admitted(Purpose::Background, request, decode::snapshot_id).await.map(Reached::Depth)
        }
        ProbeKind::Trades => {
            let request = Request::get("/api/v3/trades", params.with("limit", 1), 25);
            let newest = move |text: &str| {
                let trades = decode::public_trades(text, symbol, &scale)?;
                Ok(Reached::Trade(trades.last().map_or(0, |trade| i64::try_from(trade.id).unwrap_or(i64::MAX))))
            };
            shared.rest.admitted(Purpose::Background, request, newest).await
        }
        ProbeKind::Quote => {
            let request = Request::get("/api/v3/ticker/bookTicker", params, 2);
            let decode = |text: &str| decode::best_quote(text, &scale).map(Reached::Quote);
            shared.rest.admitted(Purpose::Background, request, decode).await
        }
    }
}
