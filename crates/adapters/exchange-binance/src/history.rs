//! Lists that the exchange hands out in pages: candles, orders, executions.

use std::collections::BTreeMap;
use std::future::Future;

use nightdesk_exchange::{AccountTrade, ExchangeError, Purpose};
use nightdesk_market::{Candle, Interval};
use nightdesk_orders::ExecutionReport;
use nightdesk_units::{Micros, Symbol, Timestamp};

use crate::decode;
use crate::meters::Malformed;
use crate::rest::Request;
use crate::shared::Shared;
use crate::sign::Params;

/// The most that one request returns.
const PAGE: usize = 1_000;
/// The longest span that one request may cover, a millisecond under the exchange's 24 hours.
const SPAN: Micros = Micros::from_millis(86_400_000 - 1);
/// Further back than this many spans, reading from the first id is cheaper than looking through empty days.
const MAX_SPANS: i64 = 30;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// What happened within this span.
    Span(Timestamp, Timestamp),
    /// From this id on.
    From(u64),
}

impl Page {
    fn first(since: Timestamp, now: Timestamp) -> Self {
        if now.since(since).0 / SPAN.0 > MAX_SPANS { Self::From(0) } else { Self::Span(since, since + SPAN) }
    }

    /// The page after one that held `count` items up to id `last`.
    fn after(self, count: usize, last: Option<u64>, now: Timestamp) -> Option<Self> {
        match (self, last) {
            (_, Some(last)) if count >= PAGE => Some(Self::From(last.saturating_add(1))),
            (Self::From(_), _) => None,
            (Self::Span(_, end), _) if end >= now => None,
            (Self::Span(..), Some(last)) => Some(Self::From(last.saturating_add(1))),
            (Self::Span(_, end), None) => Some(Self::Span(end, end + SPAN)),
        }
    }

    fn params(self, params: Params, id: &str) -> Params {
        match self {
            Self::Span(start, end) => params.with("startTime", start.as_millis()).with("endTime", end.as_millis()),
            Self::From(first) => params.with(id, first),
        }
    }
}

/// Reads all pages since `since`; `ask` is told whether the page needs to be admitted (the caller has admitted the first).
async fn pages<T, F>(
    since: Timestamp,
    now: Timestamp,
    id: impl Fn(&T) -> u64,
    mut ask: impl FnMut(Page, bool) -> F,
) -> Result<Vec<T>, ExchangeError>
where
    F: Future<Output = Result<Vec<T>, ExchangeError>>,
{
    let (mut found, mut page, mut admit) = (Vec::new(), Some(Page::first(since, now)), false);
    while let Some(asked) = page {
        let items = ask(asked, admit).await?;
        page = asked.after(items.len(), items.last().map(&id), now);
        admit = true;
        found.extend(items);
    }
    Ok(found)
}

/// Which pages the limiter has to admit still, and in which rank.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Admit {
    /// Every one.
    All(Purpose),
    /// Those after the first, which the caller has had admitted.
    Later(Purpose),
}

impl Admit {
    /// What the first page, or one of the later ones, is admitted as.
    const fn page(self, later: bool) -> Option<Purpose> {
        match self {
            Self::All(purpose) => Some(purpose),
            Self::Later(purpose) if later => Some(purpose),
            Self::Later(_) => None,
        }
    }
}

async fn ask<T>(
    shared: &Shared,
    request: Request,
    admit: Option<Purpose>,
    decode: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Result<T, ExchangeError> {
    if let Some(purpose) = admit {
        shared.rest.limiter.admit(purpose, request.weight).await;
    }
    // Signed only now: waiting for the limiter must not eat the window.
    let request = request.signed(shared.rest.window());
    shared.rest.call(request, decode).await
}

/// The end of what may be asked for: a little ahead, for the clocks may differ.
fn horizon(shared: &Shared) -> Timestamp {
    shared.rest.clock.now() + Micros::from_secs(1)
}

/// Executions since `since`, oldest first.
pub(crate) async fn trades(
    shared: &Shared,
    symbol: Symbol,
    since: Timestamp,
    admit: Admit,
) -> Result<Vec<AccountTrade>, ExchangeError> {
    let page = |page: Page, later: bool| {
        let params = page.params(Params::new().with("symbol", symbol), "fromId").with("limit", PAGE);
        ask(shared, Request::get("/api/v3/myTrades", params, 20), admit.page(later), decode::trades)
    };
    let mut found = pages(since, horizon(shared), |trade: &AccountTrade| trade.fill.trade_id, page).await?;
    found.retain(|trade| trade.fill.at >= since);
    found.sort_by_key(|trade| trade.fill.trade_id);
    found.dedup_by_key(|trade| trade.fill.trade_id);
    Ok(found)
}

/// Executions of one order.
pub(crate) async fn trades_of(shared: &Shared, symbol: Symbol, order: u64) -> Result<Vec<AccountTrade>, ExchangeError> {
    let (mut found, mut from) = (Vec::<AccountTrade>::new(), None);
    loop {
        let mut params = Params::new().with("symbol", symbol).with("orderId", order).with("limit", PAGE);
        if let Some(from) = from {
            params = params.with("fromId", from);
        }
        let more = from.map(|_| Purpose::Background);
        let items = ask(shared, Request::get("/api/v3/myTrades", params, 5), more, decode::trades).await?;
        let count = items.len();
        from = items.last().map(|trade| trade.fill.trade_id.saturating_add(1));
        found.extend(items);
        if count < PAGE || from.is_none() {
            return Ok(found);
        }
    }
}

/// Orders created or changed since `since`, oldest first. The exchange lists orders by creation; an older one that
/// changed since is found as it still rests, or by its executions. (An older order that ended since without any
/// execution is found by asking for it: whoever knows it asks.)
pub(crate) async fn orders(
    shared: &Shared,
    symbol: Symbol,
    since: Timestamp,
    purpose: Purpose,
) -> Result<Vec<ExecutionReport>, ExchangeError> {
    let base = || Params::new().with("symbol", symbol);
    let page = |page: Page, later: bool| {
        let params = page.params(base(), "orderId").with("limit", PAGE);
        let admit = Admit::Later(purpose).page(later);
        ask(shared, Request::get("/api/v3/allOrders", params, 20), admit, decode::orders)
    };
    let id = |(_, report): &(Timestamp, ExecutionReport)| report.exchange_order_id;
    let listed = pages(since, horizon(shared), id, page).await?;
    let recent = |(created, report): &(Timestamp, ExecutionReport)| *created >= since || report.at >= since;
    let mut found: BTreeMap<u64, ExecutionReport> =
        listed.into_iter().filter(recent).map(|(_, report)| (report.exchange_order_id, report)).collect();

    let request = Request::get("/api/v3/openOrders", base(), 6);
    for (_, open) in ask(shared, request, Some(purpose), decode::orders).await? {
        found.insert(open.exchange_order_id, open);
    }
    for trade in trades(shared, symbol, since, Admit::All(purpose)).await? {
        if found.contains_key(&trade.exchange_order_id) {
            continue;
        }
        let request = Request::get("/api/v3/order", base().with("orderId", trade.exchange_order_id), 4);
        match ask(shared, request, Some(purpose), decode::order).await {
            Ok(order) => drop(found.insert(order.exchange_order_id, order)),
            Err(ExchangeError::Rejected { code: -2013 | -2026, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found.into_values().collect())
}

/// Which candles: those with `from <= open_at < to` that end at `closed` or before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) closed: Timestamp,
}

/// Candles, oldest first.
pub(crate) async fn candles(
    shared: &Shared,
    symbol: Symbol,
    interval: Interval,
    Span { mut from, to, closed }: Span,
    admit_first: bool,
) -> Result<Vec<Candle>, ExchangeError> {
    let scale = shared.scale(symbol).await?;
    let (mut found, mut admit) = (Vec::<Candle>::new(), admit_first);
    while from < to {
        let params = Params::new()
            .with("symbol", symbol)
            .with("interval", interval)
            .with("startTime", from.as_millis())
            .with("endTime", to.as_millis() - 1)
            .with("limit", PAGE);
        if admit {
            shared.rest.limiter.admit(Purpose::Background, 2).await;
        }
        let request = Request::get("/api/v3/klines", params, 2);
        let decode = |text: &str| decode::candles(text, symbol, interval, &scale);
        let page = shared.rest.call(request, decode).await?;
        let (count, last) = (page.len(), page.last().map(Candle::close_at));
        found.extend(page.into_iter().filter(|c| c.open_at >= from && c.open_at < to && c.close_at() <= closed));
        match last {
            Some(last) if count >= PAGE && last > from => (from, admit) = (last, true),
            _ => break,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_the_caller_has_not_had_admitted_is_admitted_in_its_rank() {
        let pages = |admit: Admit| [admit.page(false), admit.page(true)];
        assert_eq!(pages(Admit::Later(Purpose::Query)), [None, Some(Purpose::Query)]);
        assert_eq!(pages(Admit::All(Purpose::Background)), [Some(Purpose::Background); 2]);
    }

    fn day(days: i64) -> Timestamp {
        Timestamp(SPAN.0 * days)
    }

    /// Reads a list of (id, time) through the paging rules, with a fake exchange that keeps its documented limits.
    fn read(list: &[(u64, Timestamp)], since: Timestamp, now: Timestamp) -> (Vec<u64>, usize) {
        let mut requests = 0;
        let found = pages(
            since,
            now,
            |id: &u64| *id,
            |page, admit| {
                assert_eq!(admit, requests > 0, "only the first page was admitted by the caller");
                requests += 1;
                let fits = |(id, at): &&(u64, Timestamp)| match page {
                    Page::Span(start, end) => {
                        assert!(end.since(start) < Micros::from_secs(86_400));
                        *at >= start && *at <= end
                    }
                    Page::From(first) => *id >= first,
                };
                let items: Vec<u64> = list.iter().filter(fits).take(PAGE).map(|(id, _)| *id).collect();
                std::future::ready(Ok(items))
            },
        );
        (found.now_or_never().unwrap().unwrap(), requests)
    }

    #[test]
    fn empty_days_are_skipped_and_the_rest_is_read_by_id() {
        let list: Vec<_> = (0..2_500).map(|i| (i, day(3) + Micros(i64::try_from(i).unwrap()))).collect();
        let (found, requests) = read(&list, day(0), day(5));
        assert_eq!((found.len(), requests), (2_500, 3 + 3));
        assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    }

    #[test]
    fn a_short_list_of_today_takes_one_request() {
        assert_eq!(read(&[(7, day(0))], day(0), day(1)), (vec![7], 1));
        assert_eq!(read(&[], day(0), day(1)), (vec![], 1));
    }

    #[test]
    fn a_full_page_at_one_instant_is_followed_by_id() {
        let list: Vec<_> = (0..1_001).map(|i| (i, day(0))).collect();
        assert_eq!(read(&list, day(0), day(1)).0.len(), 1_001);
    }

    #[test]
    fn a_distant_past_is_read_from_the_first_id() {
        assert_eq!(read(&[(3, day(2)), (9, day(900))], Timestamp(0), day(1_000)), (vec![3, 9], 1));
    }
}
