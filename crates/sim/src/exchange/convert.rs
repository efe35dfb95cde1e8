//! The venue's words in the port's words.

use nightdesk_exchange::{AccountTrade, Balance};
use nightdesk_market::{Candle, Interval};
use nightdesk_matching::{BalanceView, FillView, Kline, OrderStatus, OrderType, OrderView};
use nightdesk_orders::{ExchangeStatus, ExecutionReport, Fill, OrderKind};
use nightdesk_units::{Symbol, Timestamp};

pub(crate) const fn status(status: OrderStatus) -> ExchangeStatus {
    match status {
        OrderStatus::New => ExchangeStatus::New,
        OrderStatus::PartiallyFilled => ExchangeStatus::PartiallyFilled,
        OrderStatus::Filled => ExchangeStatus::Filled,
        OrderStatus::Canceled => ExchangeStatus::Canceled,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => ExchangeStatus::Expired,
    }
}

pub(crate) fn report(order: &OrderView, fill: Option<&FillView>, at: Timestamp) -> ExecutionReport {
    let kind = match order.order_type {
        OrderType::Limit => OrderKind::Limit { price: order.price, tif: order.tif },
        OrderType::LimitMaker => OrderKind::LimitMaker { price: order.price },
        OrderType::Market => OrderKind::Market,
    };
    ExecutionReport {
        symbol: order.symbol,
        client_order_id: order.client_order_id,
        exchange_order_id: order.order_id,
        side: order.side,
        kind,
        qty: order.qty,
        status: status(order.status),
        filled: order.filled,
        filled_quote: order.filled_quote,
        fill: fill.map(execution),
        at,
    }
}

pub(crate) fn execution(fill: &FillView) -> Fill {
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
    AccountTrade { symbol: view.symbol, exchange_order_id: view.order_id, side: view.side, fill: execution(view) }
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
