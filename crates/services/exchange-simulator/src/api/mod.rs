//! What the exchange answers: one function a request, the same for REST and WebSocket API. They run in the engine's turn.

mod account;
mod amend;
mod general;
pub(crate) mod klines;
pub(crate) mod market;
mod orders;
mod wallet;

use nightdesk_matching::AccountId;
use nightdesk_units::{Symbol, Timestamp};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::engine::Core;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::params::{Params, SignedWindow};
use crate::text::TimeUnit;

/// Who asks, as the gateway has found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) account: AccountId,
    /// Of a signed request.
    pub(crate) window: Option<SignedWindow>,
}

/// A request that has passed the gateway.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) params: Params,
    pub(crate) identity: Option<Identity>,
    pub(crate) unit: TimeUnit,
    pub(crate) limits: Limits,
    /// How far the told time is from the engine's.
    pub(crate) skew_us: i64,
}

impl Call {
    fn account(&self) -> Result<AccountId, ApiError> {
        self.identity.map(|identity| identity.account).ok_or_else(ApiError::key_rejected)
    }

    fn time(&self, at: Timestamp) -> i64 {
        self.unit.of(at)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) body: Value,
    /// Unfilled orders in ten seconds and the day, where the answer tells them.
    pub(crate) order_counts: Option<(u32, u32)>,
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self { body, order_counts: None }
    }
}

/// Answers a request.
pub(crate) fn answer(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, ApiError> {
    let told = Timestamp(now.0 + call.skew_us);
    if let Some(window) = call.identity.and_then(|identity| identity.window) {
        // Checked on arrival; again here, because a request may have been on its way for long.
        window.check(told)?;
        call.params.ignore(&["timestamp", "recvWindow"]);
    }
    call.params.ignore(&["apiKey", "signature"]);
    match call.endpoint {
        Endpoint::Ping => general::empty(call),
        Endpoint::Time => general::time(call, told),
        Endpoint::ExchangeInfo => general::exchange_info(core, call, told),
        Endpoint::Depth => market::depth(core, call),
        Endpoint::Trades => market::trades(core, call, false),
        Endpoint::HistoricalTrades => market::trades(core, call, true),
        Endpoint::AggTrades => market::agg_trades(core, call),
        Endpoint::Klines => klines::klines(core, call, now),
        Endpoint::AvgPrice => market::average(core, call, now),
        Endpoint::Ticker24h => market::ticker(core, call, now, market::TickerKind::Day),
        Endpoint::TickerDay => market::ticker(core, call, now, market::TickerKind::TradingDay),
        Endpoint::TickerWindow => market::ticker(core, call, now, market::TickerKind::Window),
        Endpoint::TickerPrice => market::prices(core, call),
        Endpoint::BookTicker => market::book_tickers(core, call),
        Endpoint::PlaceOrder => orders::place(core, call, now),
        Endpoint::TestOrder => orders::test(core, call, now),
        Endpoint::QueryOrder => orders::query(core, call),
        Endpoint::CancelOrder => orders::cancel(core, call, now),
        Endpoint::CancelReplace => orders::cancel_replace(core, call, now),
        Endpoint::Amend => amend::amend(core, call, now),
        Endpoint::Amendments => amend::amendments(core, call),
        Endpoint::OpenOrders => orders::open(core, call),
        Endpoint::CancelOpenOrders => orders::cancel_open(core, call, now),
        Endpoint::AllOrders => orders::all(core, call),
        Endpoint::MyTrades => account::trades(core, call),
        Endpoint::Account => account::account(core, call, now),
        Endpoint::Commission => account::commission(core, call),
        Endpoint::OrderLimits => account::order_limits(core, call, now),
        // Clients that look for every market at once find that there are no futures.
        Endpoint::NoFutures => general::no_futures(call, told),
        Endpoint::MyFilters => general::my_filters(core, call),
        // No rules beyond the filters.
        Endpoint::ExecutionRules => Ok(json!({ "symbolRules": [] }).into()),
        Endpoint::ReferencePrice => market::reference_price(core, call, told),
        Endpoint::NoReference => Err(ApiError::bad(-2043, "This symbol doesn't have a reference price.")),
        Endpoint::EmptyList => Ok(json!([]).into()),
        Endpoint::ListenKeyStart | Endpoint::ListenKeyPing | Endpoint::ListenKeyClose => {
            // The gateway keeps listen keys; nothing of them is state of the exchange.
            general::empty(call)
        }
        Endpoint::SystemStatus => Ok(json!({ "status": 0, "msg": "normal" }).into()),
        Endpoint::AccountStatus => Ok(json!({ "data": "Normal" }).into()),
        Endpoint::TradingStatus => wallet::trading_status(call, told),
        Endpoint::KeyPermissions => wallet::key_permissions(core, call),
        Endpoint::AllCoins => wallet::all_coins(core, call),
        Endpoint::TradeFee => wallet::trade_fee(core, call),
        Endpoint::UserAssets => wallet::user_assets(core, call),
    }
}

/// The symbols a request names by `symbol` or `symbols`; `None` for all. The flag tells one from a list.
fn wanted_symbols(core: &Core, params: &Params) -> Result<(Vec<Symbol>, bool), ApiError> {
    let (one, many) = (params.symbol_opt()?, params.symbols()?);
    let (list, single) = match (one, many) {
        (Some(_), Some(_)) => {
            let msg = "Combination of optional parameters invalid. Recommendation: 'symbol' or 'symbols'";
            return Err(ApiError::bad(-1128, msg));
        }
        (Some(symbol), None) => (vec![symbol], true),
        (None, Some(list)) => (list, false),
        (None, None) => (core.world.instruments().iter().map(|i| i.symbol).collect(), false),
    };
    for symbol in &list {
        core.world.instrument(*symbol)?;
    }
    Ok((list, single))
}
