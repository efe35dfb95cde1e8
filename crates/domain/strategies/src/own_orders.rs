//! A strategy's own orders as its worker knows them: entered when decided, moved by the engine's updates.

use std::collections::{BTreeMap, VecDeque};

use nightdesk_market::Side;
use nightdesk_orders::{Fill, Status};
use nightdesk_units::{Asset, Money, Qty};
use serde::{Deserialize, Serialize};

use crate::{Decision, DecisionKey, Placement};

/// How many finished orders are remembered: a fill may come after the end (it overtook a cancel).
const REMEMBERED: usize = 64;

/// One of a strategy's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOrder {
    /// What was decided.
    #[serde(flatten)]
    pub placement: Placement,
    /// Where it stands.
    pub status: Status,
    /// Base quantity executed.
    pub filled: Qty,
    /// Quote amount executed.
    pub filled_quote: Money,
    /// Fees taken in the base asset.
    pub fee_base: Qty,
    /// True when the strategy has asked for its cancellation.
    pub cancel_asked: bool,
}

impl OwnOrder {
    /// What has not executed yet.
    #[must_use]
    pub fn remaining(&self) -> Qty {
        self.placement.qty.sub(self.filled).unwrap_or_default().max(Qty::ZERO)
    }
}

/// The engine's word on an order: where it stands and what it has executed in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderProgress {
    /// Which.
    pub key: DecisionKey,
    /// Where it stands.
    pub status: Status,
    /// Base quantity executed so far.
    pub filled: Qty,
    /// Quote amount executed so far.
    pub filled_quote: Money,
    /// The execution, when it is one.
    pub fill: Option<Fill>,
}

/// What an update means for the strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderNews {
    /// The order after it.
    pub order: OwnOrder,
    /// Base quantity that came in (or, negative, went out) by it, net of a fee in base.
    pub change: Qty,
}

/// A strategy instance's orders: the open ones, and the last finished ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnOrders {
    open: BTreeMap<DecisionKey, OwnOrder>,
    finished: VecDeque<OwnOrder>,
}

impl OwnOrders {
    /// Enters a decision.
    pub fn decided(&mut self, decision: &Decision) {
        match decision {
            Decision::Place(placement) => {
                let order = OwnOrder {
                    placement: *placement,
                    status: Status::Requested,
                    filled: Qty::ZERO,
                    filled_quote: Money::ZERO,
                    fee_base: Qty::ZERO,
                    cancel_asked: false,
                };
                self.open.entry(placement.key).or_insert(order);
            }
            Decision::Cancel { key } => {
                if let Some(order) = self.open.get_mut(key) {
                    order.cancel_asked = true;
                }
            }
        }
    }

    /// Takes an update in; `None` for an order it does not know (any more). What was executed never shrinks, so an old
    /// update that comes late changes nothing but perhaps the status.
    pub fn update(&mut self, progress: &OrderProgress, base: Asset) -> Option<OrderNews> {
        let was_open = self.open.contains_key(&progress.key);
        let order = match self.open.get_mut(&progress.key) {
            Some(order) => order,
            None => self.finished.iter_mut().rev().find(|order| order.placement.key == progress.key)?,
        };
        let executed = progress.filled.sub(order.filled).unwrap_or_default().max(Qty::ZERO);
        let mut fee = Qty::ZERO;
        if executed.is_positive() {
            fee = progress.fill.filter(|fill| fill.fee_asset == base).map_or(Qty::ZERO, |fill| fill.fee);
            order.filled = progress.filled;
            order.filled_quote = progress.filled_quote;
            order.fee_base = order.fee_base.add(fee).unwrap_or(order.fee_base);
        }
        if !order.status.is_final() || progress.status.is_final() {
            order.status = progress.status;
        }
        let change = match order.placement.side {
            Side::Buy => executed.sub(fee),
            Side::Sell => executed.neg().sub(fee),
        };
        let news = OrderNews { order: *order, change: change.unwrap_or_default() };
        if was_open && news.order.status.is_final() {
            self.finish(progress.key);
        }
        Some(news)
    }

    fn finish(&mut self, key: DecisionKey) {
        self.finished.extend(self.open.remove(&key));
        while self.finished.len() > REMEMBERED {
            self.finished.pop_front();
        }
    }

    /// An open order.
    #[must_use]
    pub fn get(&self, key: DecisionKey) -> Option<&OwnOrder> {
        self.open.get(&key)
    }

    /// The open orders, by key.
    pub fn iter(&self) -> impl Iterator<Item = &OwnOrder> {
        self.open.values()
    }

    /// True when none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Base quantity that open sells may still sell.
    #[must_use]
    pub fn selling(&self) -> Qty {
        let sells = self.iter().filter(|order| order.placement.side == Side::Sell);
        sells.fold(Qty::ZERO, |sum, order| sum.add(order.remaining()).unwrap_or(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdesk_orders::OrderKind;
    use nightdesk_units::Timestamp;

    fn placed(side: Side) -> OwnOrders {
        let mut orders = OwnOrders::default();
        let (key, qty) = ("k".parse().unwrap(), "2".parse().unwrap());
        orders.decided(&Decision::Place(Placement { key, side, kind: OrderKind::Market, qty, reduces: false }));
        orders
    }

    fn update(orders: &mut OwnOrders, status: Status, filled: &str, fee: &str, asset: &str) -> String {
        let fill = Fill {
            trade_id: 1,
            price: "100".parse().unwrap(),
            qty: "1".parse().unwrap(),
            fee: fee.parse().unwrap(),
            fee_asset: asset.parse().unwrap(),
            maker: true,
            at: Timestamp(0),
        };
        let (key, filled) = ("k".parse().unwrap(), filled.parse().unwrap());
        let progress = OrderProgress { key, status, filled, filled_quote: Money::ZERO, fill: Some(fill) };
        match orders.update(&progress, "BTC".parse().unwrap()) {
            Some(news) => format!("{} {} {}", news.order.status.as_str(), news.order.filled, news.change),
            None => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_fill_changes_what_is_held_net_of_a_fee_in_base() {
        let mut orders = placed(Side::Buy);
        assert_eq!(update(&mut orders, Status::Open, "1", "0.001", "BTC"), "open 1 0.999");
        assert_eq!(update(&mut orders, Status::Filled, "2", "0.1", "USDT"), "filled 2 1");
        let mut orders = placed(Side::Sell);
        assert_eq!(
            (update(&mut orders, Status::Open, "1", "0", "USDT"), orders.selling().to_string()),
            ("open 1 -1".into(), "1".into())
        );
    }

    #[test]
    fn a_repeated_or_late_update_changes_nothing_held() {
        let mut orders = placed(Side::Buy);
        assert_eq!(update(&mut orders, Status::Open, "2", "0", "USDT"), "open 2 2");
        assert_eq!(update(&mut orders, Status::Open, "1", "0", "USDT"), "open 2 0");
        assert_eq!(update(&mut orders, Status::Filled, "2", "0", "USDT"), "filled 2 0");
        assert_eq!(update(&mut orders, Status::Open, "2", "0", "USDT"), "filled 2 0");
    }

    #[test]
    fn a_fill_after_the_end_still_counts() {
        let mut orders = placed(Side::Buy);
        assert_eq!(update(&mut orders, Status::Canceled, "0", "0", "USDT"), "canceled 0 0");
        assert!(orders.is_empty());
        assert_eq!(update(&mut orders, Status::Canceled, "1", "0", "USDT"), "canceled 1 1");
    }

    #[test]
    fn the_state_survives_its_text() {
        let mut orders = placed(Side::Buy);
        update(&mut orders, Status::Open, "1", "0.001", "BTC");
        let text = serde_json::to_string(&orders).unwrap();
        assert_eq!(serde_json::from_str::<OwnOrders>(&text).unwrap(), orders);
    }
}
