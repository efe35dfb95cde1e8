//! The venue's words in the port's words.

use nightdesk_exchange::{AccountTrade, Balance, ExchangeError, ExchangeEvent};
use nightdesk_market::{Candle, DepthSnapshot, DepthUpdate, Interval, MarketEvent, Side, Trade};
use nightdesk_matching::{
    AccountId, BalanceView, DepthView, FillView, Kline, OrderStatus, OrderType, OrderView, VenueError, VenueEvent,
};
use nightdesk_orders::{ExchangeStatus, ExecutionReport, Fill, OrderKind};
use nightdesk_units::{Symbol, Timestamp};

pub(crate) fn refused(error: VenueError) -> ExchangeError {
    ExchangeError::Rejected { code: error.code(), reason: error.to_string() }
}

pub(crate) fn report(order: &OrderView, fill: Option<&FillView>, at: Timestamp) -> ExecutionReport {
    let kind = match order.order_type {
        OrderType::Limit => OrderKind::Limit { price: order.price, tif: order.tif },
        OrderType::LimitMaker => OrderKind::LimitMaker { price: order.price },
        OrderType::Market => OrderKind::Market,
    };
    let status = match order.status {
        OrderStatus::New => ExchangeStatus::New,
        OrderStatus::PartiallyFilled => ExchangeStatus::PartiallyFilled,
        OrderStatus::Filled => ExchangeStatus::Filled,
        OrderStatus::Canceled => ExchangeStatus::Canceled,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => ExchangeStatus::Expired,
    };
    ExecutionReport {
        symbol: order.symbol,
        client_order_id: order.client_order_id,
        exchange_order_id: order.order_id,
        side: order.side,
        kind,
        qty: order.qty,
        status,
        filled: order.filled,
        filled_quote: order.filled_quote,
        fill: fill.map(self::fill),
        at,
    }
}

pub(crate) fn fill(fill: &FillView) -> Fill {
    Fill {
        trade_id: fill.trade_id,
        price: fill.price,
        qty: fill.qty,
        fee: fill.commission,
        fee_asset: fill.commission_asset,
        maker: fill.maker,
        at: fill.at,
    }
}

pub(crate) fn account_trade(view: &FillView) -> AccountTrade {
    AccountTrade { symbol: view.symbol, exchange_order_id: view.order_id, side: view.side, fill: fill(view) }
}

pub(crate) fn balance(view: &BalanceView) -> Balance {
    Balance { asset: view.asset, free: view.free, locked: view.locked }
}

pub(crate) fn candle(symbol: Symbol, interval: Interval, kline: &Kline) -> Candle {
    Candle {
        symbol,
        interval,
        open_at: kline.open_at,
        open: kline.open,
        high: kline.high,
        low: kline.low,
        close: kline.close,
        volume: kline.volume,
        trades: u32::try_from(kline.trades).unwrap_or(u32::MAX),
    }
}

pub(crate) fn snapshot(symbol: Symbol, depth: DepthView, at: Timestamp) -> ExchangeEvent {
    let DepthView { last_id, bids, asks } = depth;
    ExchangeEvent::Market(MarketEvent::Snapshot(DepthSnapshot { symbol, last_id, bids, asks, at }))
}

/// What `account` hears of `told`. The level changes of one call become one depth update, if depth is wanted.
pub(crate) fn events(told: &[VenueEvent], account: AccountId, depth: bool, mut hear: impl FnMut(ExchangeEvent)) {
    let mut update: Option<DepthUpdate> = None;
    for event in told {
        let VenueEvent::Level(change) = event else {
            if let Some(update) = update.take() {
                hear(ExchangeEvent::Market(MarketEvent::Depth(update)));
            }
            if let Some(event) = translate(event, account) {
                hear(event);
            }
            continue;
        };
        if depth {
            let update = update.get_or_insert_with(|| DepthUpdate {
                symbol: change.symbol,
                first_id: change.update_id,
                last_id: change.update_id,
                bids: Vec::new(),
                asks: Vec::new(),
                at: change.at,
            });
            update.last_id = change.update_id;
            let side = if change.side == Side::Buy { &mut update.bids } else { &mut update.asks };
            side.push((change.price, change.qty));
        }
    }
    if let Some(update) = update {
        hear(ExchangeEvent::Market(MarketEvent::Depth(update)));
    }
}

fn translate(event: &VenueEvent, account: AccountId) -> Option<ExchangeEvent> {
    match event {
        VenueEvent::Order(told) if told.order.account == account => {
            Some(ExchangeEvent::Report(report(&told.order, told.fill.as_ref(), told.at)))
        }
        VenueEvent::Balances(told) if told.account == account => {
            let balances = told.balances.iter().map(balance).collect();
            Some(ExchangeEvent::Balances { at: told.at, balances })
        }
        VenueEvent::Transfer(told) if told.account == account => {
            Some(ExchangeEvent::Transfer { asset: told.asset, delta: told.delta, at: told.at })
        }
        VenueEvent::Trade(trade) => Some(ExchangeEvent::Market(MarketEvent::Trade(Trade {
            symbol: trade.symbol,
            id: trade.id,
            price: trade.price,
            qty: trade.qty,
            buyer_is_maker: trade.buyer_is_maker,
            at: trade.at,
        }))),
        // A one-sided book has no quote in the port's sense.
        VenueEvent::Best(quote) if quote.bid.0 > 0 && quote.ask.0 > 0 => {
            Some(ExchangeEvent::Market(MarketEvent::Quote(*quote)))
        }
        _ => None,
    }
}
