//! The adapter itself: the port's calls, and the tasks behind them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightdesk_exchange::{
    AccountTrade, Answer, Balance, ClockOffset, Events, Exchange, ExchangeEvent, LimitUsage, NewOrder, Placed, Purpose,
    Window,
};
use nightdesk_market::{Candle, Instrument, Interval, Side};
use nightdesk_orders::{ClientOrderId, ExecutionReport, OrderKind, TimeInForce};
use nightdesk_units::{Symbol, Timestamp};
use reqwest::Method;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{Config, ConfigError};
use crate::history::Admit;
use crate::meters::Malformed;
use crate::rest::{Request, Rest};
use crate::shared::{Shared, Tap};
use crate::sign::{ApiKey, Params};
use crate::socket::{Backoff, chance};
use crate::witness::Expected;
use crate::{decode, history, market_stream, user_stream};

/// A Binance Spot account. Its tasks end when it is dropped.
pub struct Binance {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What Binance tells unasked.
pub struct BinanceEvents {
    shared: Arc<Shared>,
}

impl Binance {
    /// Starts to connect; returns at once, whether or not the exchange can be reached. Must be called within a tokio
    /// runtime, and its calls awaited there.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn connect(config: Config, key: ApiKey) -> Result<(Arc<Self>, BinanceEvents), ConfigError> {
        Self::start(config, Some(key), None)
    }

    /// Listens to the market only, without a key; `tap` sees each frame as received.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn observe(config: Config, tap: Option<Tap>) -> Result<(Arc<Self>, BinanceEvents), ConfigError> {
        Self::start(Config { user_stream: false, ..config }, None, tap)
    }

    fn start(config: Config, key: Option<ApiKey>, tap: Option<Tap>) -> Result<(Arc<Self>, BinanceEvents), ConfigError> {
        config.check()?;
        let runtime = Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        // A second call finds a provider installed, which is as good.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let rest = Rest::new(&config, key)?;
        let shared = Arc::new(Shared::new(config, rest, tap));
        let mut tasks = vec![runtime.spawn(keep_time(Arc::clone(&shared)))];
        if !shared.config.stream_names().is_empty() {
            tasks.push(runtime.spawn(market_stream::run(Arc::clone(&shared))));
        }
        if shared.config.user_stream {
            tasks.push(runtime.spawn(user_stream::run(Arc::clone(&shared))));
        }
        let events = BinanceEvents { shared: Arc::clone(&shared) };
        Ok((Arc::new(Self { shared, tasks }), events))
    }

    /// Resolves once the exchange's clock and its instruments are known.
    pub async fn ready(&self) {
        let mut ready = self.shared.ready.subscribe();
        // It cannot fail: the sender lives in `self`.
        drop(ready.wait_for(|ready| *ready).await);
    }

    /// Ends the streams; the events end after what already waits.
    pub fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.queue.close();
    }

    /// A signed question.
    fn ask<T: Send + 'static>(
        &self,
        path: &'static str,
        params: Params,
        weight: u32,
        decode: impl FnOnce(&str) -> Result<T, Malformed> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let request = Request::get(path, params, weight).signed(shared.rest.window());
            shared.rest.call(request, decode).await
        })
    }

    /// A signed act on one order. `expected` is what the user stream must tell once it is acknowledged.
    fn act<T: Send + 'static>(
        &self,
        request: Request,
        id: ClientOrderId,
        expected: Expected,
        decode: impl FnOnce(&str) -> Result<T, Malformed> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let watched = shared.config.user_stream;
            if watched {
                shared.witness().begin(id, expected);
            }
            let result = shared.rest.call(request, decode).await;
            if watched && result.is_ok() {
                let deadline = Instant::now() + shared.config.report_limit;
                shared.witness().acknowledged(id, expected, deadline);
            } else {
                shared.witness().abandon(id, expected);
            }
            result
        })
    }
}

impl Drop for Binance {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Drop for BinanceEvents {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Events for BinanceEvents {
    fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>> {
        Box::pin(self.shared.queue.pop())
    }
}

/// Measures the exchange's clock: first until it is known, then at intervals and whenever it is doubted.
async fn keep_time(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(shared.config.backoff);
    loop {
        match shared.rest.measure_clock().await {
            Ok(()) => {
                backoff = Backoff::new(shared.config.backoff);
                if let Err(error) = shared.learn().await {
                    tracing::warn!(%error, "no instruments yet: {error}");
                    sleep(backoff.next(chance())).await;
                    continue;
                }
                shared.ready.send_replace(true);
                let interval = shared.config.clock_interval;
                drop(timeout(interval, shared.rest.clock.doubted()).await);
            }
            Err(error) => {
                tracing::warn!(%error, "the exchange's clock could not be measured: {error}");
                sleep(backoff.next(chance())).await;
            }
        }
    }
}

/// What `admit` supposes a request of this purpose to weigh; the answer's headers tell the truth.
const fn usual_weight(purpose: Purpose) -> u32 {
    match purpose {
        Purpose::Exit | Purpose::Place => 1,
        Purpose::Query => 4,
        Purpose::Background => 20,
    }
}

fn order_params(order: &NewOrder) -> Params {
    let side = match order.side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    };
    let params = Params::new().with("symbol", order.symbol).with("side", side);
    let params = match order.kind {
        OrderKind::Limit { price, tif } => {
            let tif = match tif {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            params.with("type", "LIMIT").with("timeInForce", tif).with("price", price)
        }
        OrderKind::LimitMaker { price } => params.with("type", "LIMIT_MAKER").with("price", price),
        OrderKind::Market => params.with("type", "MARKET"),
    };
    params.with("quantity", order.qty).with("newClientOrderId", order.client_order_id).with("newOrderRespType", "FULL")
}

/// An answer must be about the order that was asked about: about any other, it answers nothing.
fn about(
    kind: &'static str,
    symbol: Symbol,
    id: ClientOrderId,
    report: ExecutionReport,
) -> Result<ExecutionReport, Malformed> {
    if report.symbol == symbol && report.client_order_id == id {
        Ok(report)
    } else {
        Err(Malformed::new(kind, "it is about another order"))
    }
}

impl Exchange for Binance {
    fn admit(&self, purpose: Purpose) -> BoxFuture<'static, ()> {
        let rest: Arc<Rest> = Arc::clone(&self.shared.rest);
        Box::pin(async move { rest.limiter.admit(purpose, usual_weight(purpose)).await })
    }

    fn clock_offset(&self) -> ClockOffset {
        self.shared.rest.clock.offset()
    }

    fn limit_usage(&self) -> LimitUsage {
        let limiter = &self.shared.rest.limiter;
        let now = limiter.now();
        limiter.core().usage(now)
    }

    fn instruments(&self, symbols: &[Symbol]) -> Answer<Vec<Instrument>> {
        let (shared, symbols) = (Arc::clone(&self.shared), symbols.to_vec());
        Box::pin(async move { shared.instruments(&symbols).await })
    }

    fn place(&self, order: &NewOrder, window: Window) -> Answer<Placed> {
        let (symbol, id) = (order.symbol, order.client_order_id);
        let request = Request::new(Method::POST, "/api/v3/order", order_params(order), 1).signed(window);
        self.act(request, id, Expected::Placed, move |text| {
            let placed = decode::placed(text)?;
            let order = about("placement", symbol, id, placed.order)?;
            Ok(Placed { order, ..placed })
        })
    }

    fn cancel(&self, symbol: Symbol, id: ClientOrderId, window: Window) -> Answer<ExecutionReport> {
        let params = Params::new().with("symbol", symbol).with("origClientOrderId", id);
        let request = Request::new(Method::DELETE, "/api/v3/order", params, 1).signed(window);
        self.act(request, id, Expected::Ended, move |text| about("cancel", symbol, id, decode::canceled(text)?))
    }

    fn order(&self, symbol: Symbol, id: ClientOrderId) -> Answer<ExecutionReport> {
        let params = Params::new().with("symbol", symbol).with("origClientOrderId", id);
        self.ask("/api/v3/order", params, 4, move |text| about("order", symbol, id, decode::order(text)?))
    }

    fn open_orders(&self, symbol: Symbol) -> Answer<Vec<ExecutionReport>> {
        let params = Params::new().with("symbol", symbol);
        self.ask("/api/v3/openOrders", params, 6, |text| {
            Ok(decode::orders(text)?.into_iter().map(|(_, report)| report).collect())
        })
    }

    fn all_orders(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<ExecutionReport>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { history::orders(&shared, symbol, since, purpose).await })
    }

    fn trades(&self, symbol: Symbol, since: Timestamp, purpose: Purpose) -> Answer<Vec<AccountTrade>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { history::trades(&shared, symbol, since, Admit::Later(purpose)).await })
    }

    fn trades_of(&self, symbol: Symbol, exchange_order_id: u64) -> Answer<Vec<AccountTrade>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { history::trades_of(&shared, symbol, exchange_order_id).await })
    }

    fn balances(&self) -> Answer<(Timestamp, Vec<Balance>)> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            // The answer holds at least what had happened when the question left.
            let asked = shared.rest.clock.surely_past();
            let params = Params::new().with("omitZeroBalances", true);
            let request = Request::get("/api/v3/account", params, 20).signed(shared.rest.window());
            let (changed, balances) = shared.rest.call(request, decode::balances).await?;
            Ok((changed.max(asked), balances))
        })
    }

    fn candles(&self, symbol: Symbol, interval: Interval, from: Timestamp, to: Timestamp) -> Answer<Vec<Candle>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let closed = shared.rest.clock.now();
            history::candles(&shared, symbol, interval, history::Span { from, to, closed }, false).await
        })
    }
}
