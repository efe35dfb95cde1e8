//! Every request the exchange knows: its names, who may ask, what it weighs.

use crate::params::Params;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
    AvgPrice,
    Ticker24h,
    TickerDay,
    TickerPrice,
    BookTicker,
    TickerWindow,
    PlaceOrder,
    TestOrder,
    QueryOrder,
    CancelOrder,
    CancelReplace,
    Amend,
    Amendments,
    OpenOrders,
    CancelOpenOrders,
    AllOrders,
    MyTrades,
    Account,
    Commission,
    OrderLimits,
    ReferencePrice,
    NoReference,
    EmptyList,
    MyFilters,
    ExecutionRules,
    ListenKeyStart,
    ListenKeyPing,
    ListenKeyClose,
    SystemStatus,
    AccountStatus,
    TradingStatus,
    KeyPermissions,
    AllCoins,
    TradeFee,
    UserAssets,
    NoFutures,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Anybody.
    None,
    /// Whoever has a key.
    Key,
    /// Whoever signs.
    Signed,
}

/// A request's names and rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// `METHOD path`.
    pub(crate) name: &'static str,
    /// The WebSocket API's method; empty where there is none.
    pub(crate) ws: &'static str,
    pub(crate) security: Security,
    /// Weight of the plain form; see [`weight`].
    weight: u32,
}

macro_rules! specs {
    ($($endpoint:ident $method:literal $path:literal $ws:literal $security:ident $weight:literal;)*) => {
        &[$(Spec {
            endpoint: Endpoint::$endpoint,
            method: $method,
            path: $path,
            name: concat!($method, " ", $path),
            ws: $ws,
            security: Security::$security,
            weight: $weight,
        }),*]
    };
}

/// Weights are those of Binance's documentation of 2026.
pub(crate) static SPECS: &[Spec] = specs! {
    Ping "GET" "/api/v3/ping" "ping" None 1;
    Time "GET" "/api/v3/time" "time" None 1;
    ExchangeInfo "GET" "/api/v3/exchangeInfo" "exchangeInfo" None 20;
    Depth "GET" "/api/v3/depth" "depth" None 5;
    Trades "GET" "/api/v3/trades" "trades.recent" None 25;
    HistoricalTrades "GET" "/api/v3/historicalTrades" "trades.historical" None 25;
    AggTrades "GET" "/api/v3/aggTrades" "trades.aggregate" None 4;
    Klines "GET" "/api/v3/klines" "klines" None 2;
    Klines "GET" "/api/v3/uiKlines" "uiKlines" None 2;
    AvgPrice "GET" "/api/v3/avgPrice" "avgPrice" None 2;
    Ticker24h "GET" "/api/v3/ticker/24hr" "ticker.24hr" None 2;
    TickerDay "GET" "/api/v3/ticker/tradingDay" "ticker.tradingDay" None 4;
    TickerPrice "GET" "/api/v3/ticker/price" "ticker.price" None 2;
    BookTicker "GET" "/api/v3/ticker/bookTicker" "ticker.book" None 2;
    TickerWindow "GET" "/api/v3/ticker" "ticker" None 4;
    PlaceOrder "POST" "/api/v3/order" "order.place" Signed 1;
    TestOrder "POST" "/api/v3/order/test" "order.test" Signed 1;
    QueryOrder "GET" "/api/v3/order" "order.status" Signed 4;
    CancelOrder "DELETE" "/api/v3/order" "order.cancel" Signed 1;
    CancelReplace "POST" "/api/v3/order/cancelReplace" "order.cancelReplace" Signed 1;
    OpenOrders "GET" "/api/v3/openOrders" "openOrders.status" Signed 6;
    CancelOpenOrders "DELETE" "/api/v3/openOrders" "openOrders.cancelAll" Signed 1;
    AllOrders "GET" "/api/v3/allOrders" "allOrders" Signed 20;
    MyTrades "GET" "/api/v3/myTrades" "myTrades" Signed 20;
    Account "GET" "/api/v3/account" "account.status" Signed 20;
    Commission "GET" "/api/v3/account/commission" "account.commission" Signed 20;
    OrderLimits "GET" "/api/v3/rateLimit/order" "account.rateLimits.orders" Signed 40;
    EmptyList "GET" "/api/v3/myPreventedMatches" "myPreventedMatches" Signed 20;
    EmptyList "GET" "/api/v3/myAllocations" "myAllocations" Signed 20;
    Amend "PUT" "/api/v3/order/amend/keepPriority" "order.amend.keepPriority" Signed 4;
    Amendments "GET" "/api/v3/order/amendments" "order.amendments" Signed 4;
    MyFilters "GET" "/api/v3/myFilters" "myFilters" Signed 40;
    ReferencePrice "GET" "/api/v3/referencePrice" "referencePrice" None 2;
    NoReference "GET" "/api/v3/referencePrice/calculation" "referencePrice.calculation" None 2;
    EmptyList "GET" "/api/v3/historicalBlockTrades" "blockTrades.historical" None 25;
    ExecutionRules "GET" "/api/v3/executionRules" "executionRules" None 2;
    EmptyList "GET" "/api/v3/openOrderList" "openOrderLists.status" Signed 6;
    EmptyList "GET" "/api/v3/allOrderList" "allOrderLists" Signed 20;
    ListenKeyStart "POST" "/api/v3/userDataStream" "userDataStream.start" Key 2;
    ListenKeyPing "PUT" "/api/v3/userDataStream" "userDataStream.ping" Key 2;
    ListenKeyClose "DELETE" "/api/v3/userDataStream" "userDataStream.stop" Key 2;
    SystemStatus "GET" "/sapi/v1/system/status" "" None 1;
    AccountStatus "GET" "/sapi/v1/account/status" "" Signed 1;
    TradingStatus "GET" "/sapi/v1/account/apiTradingStatus" "" Signed 1;
    KeyPermissions "GET" "/sapi/v1/account/apiRestrictions" "" Signed 1;
    AllCoins "GET" "/sapi/v1/capital/config/getall" "" Signed 10;
    TradeFee "GET" "/sapi/v1/asset/tradeFee" "" Signed 1;
    UserAssets "POST" "/sapi/v3/asset/getUserAsset" "" Signed 5;
    EmptyList "POST" "/sapi/v1/asset/get-funding-asset" "" Signed 1;
    EmptyList "GET" "/sapi/v1/capital/deposit/hisrec" "" Signed 1;
    EmptyList "GET" "/sapi/v1/capital/withdraw/history" "" Signed 1;
    NoFutures "GET" "/fapi/v1/exchangeInfo" "" None 1;
    NoFutures "GET" "/dapi/v1/exchangeInfo" "" None 1;
    EmptyList "GET" "/sapi/v1/margin/allPairs" "" Key 1;
    EmptyList "GET" "/sapi/v1/margin/isolated/allPairs" "" Signed 1;
};

/// Finds a request by method and path. Binance still answers the older `/api/v1` for its first requests.
pub(crate) fn by_path(method: &str, path: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.path == path && spec.method == method).or_else(|| {
        let old = path.strip_prefix("/api/v1/").filter(|name| ["ping", "time", "exchangeInfo"].contains(name))?;
        SPECS.iter().find(|spec| spec.method == method && spec.path.strip_prefix("/api/v3/") == Some(old))
    })
}

/// Finds a request by its WebSocket method.
pub(crate) fn by_ws(method: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| !spec.ws.is_empty() && spec.ws == method)
}

/// What a request weighs.
pub(crate) fn weight(spec: &Spec, params: &Params) -> u32 {
    let has = |name: &str| params.peek(name).is_some();
    let symbols = || params.peek("symbols").map_or(0, |list| list.split(',').count());
    let limit = || params.peek("limit").and_then(|limit| limit.parse::<u32>().ok());
    match spec.endpoint {
        Endpoint::Depth => match limit().unwrap_or(100) {
            0..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        },
        Endpoint::Ticker24h if !has("symbol") => match symbols() {
            1..=20 => 2,
            21..=100 => 40,
            _ => 80,
        },
        Endpoint::TickerPrice | Endpoint::BookTicker if !has("symbol") => 4,
        Endpoint::TickerWindow | Endpoint::TickerDay => {
            u32::try_from(symbols().max(1)).unwrap_or(u32::MAX).saturating_mul(4).min(200)
        }
        Endpoint::OpenOrders if !has("symbol") => 80,
        Endpoint::MyTrades if has("orderId") => 5,
        Endpoint::TestOrder if params.peek("computeCommissionRates") == Some("true") => 20,
        _ => spec.weight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_depend_on_what_is_asked() {
        let check = |method: &str, path: &str, query: &str, expected: u32| {
            let params = Params::parse(query, "").unwrap();
            assert_eq!(weight(by_path(method, path).unwrap(), &params), expected, "{path}?{query}");
        };
        check("GET", "/api/v3/depth", "symbol=BTCUSDT", 5);
        check("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=5000", 250);
        check("GET", "/api/v3/openOrders", "", 80);
        check("GET", "/api/v3/openOrders", "symbol=BTCUSDT", 6);
        check("GET", "/api/v3/myTrades", "symbol=BTCUSDT&orderId=1", 5);
        check("GET", "/api/v3/ticker/24hr", "", 80);
        check("GET", "/api/v1/time", "", 1);
        assert!(by_path("POST", "/api/v3/time").is_none() && by_ws("").is_none());
    }
}
