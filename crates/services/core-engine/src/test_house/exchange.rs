//! The exchange that the test plays, and what the connector tells of it.

use nightdesk_exchange::{AccountTrade, Balance};
use nightdesk_market::Side;
use nightdesk_orders::{ExchangeStatus, ExecutionReport, Fill, OrderKind, TimeInForce};
use nightdesk_units::{Asset, Money, Price, Qty};
use nightdesk_wire::{Command, Message, Outcome, OutcomeKind, ReconcileAnswer};

use super::{AtExchange, House, id, qty};

impl House {
    /// The order of the last placement reaches the exchange.
    pub(crate) fn arrive(&mut self, name: &str) {
        let Some(command) = self.commands.get(name).filter(|command| !command.cancel) else { return };
        if self.exchange.contains_key(name) {
            return;
        }
        self.next_id += 1;
        let order = command.order;
        let report = ExecutionReport {
            symbol: order.symbol,
            client_order_id: order.client_order_id,
            exchange_order_id: self.next_id,
            side: order.side,
            kind: order.kind,
            qty: order.qty,
            status: ExchangeStatus::New,
            filled: Qty::ZERO,
            filled_quote: Money::ZERO,
            fill: None,
            at: self.now,
        };
        self.exchange.insert(name.to_owned(), AtExchange { report, fills: Vec::new(), words: vec![report], told: 0 });
    }

    /// It executes there, as far as it goes.
    pub(crate) fn execute(&mut self, name: &str, amount: Qty, price: Price, fee: Qty) {
        self.next_id += 1;
        let Some(order) = self.exchange.get_mut(name).filter(|order| !order.report.status.is_final()) else { return };
        let report = &mut order.report;
        let amount = amount.min(report.qty.sub(report.filled).unwrap());
        let (trade_id, quote) = (self.next_id, price.notional(amount).unwrap());
        let fee_asset = "USDT".parse().unwrap();
        let fill = Fill { trade_id, price, qty: amount, fee, fee_asset, maker: true, at: self.now };
        report.filled = report.filled.add(amount).unwrap();
        report.filled_quote = report.filled_quote.add(quote).unwrap();
        let full = report.filled == report.qty;
        report.status = if full { ExchangeStatus::Filled } else { ExchangeStatus::PartiallyFilled };
        order.fills.push(fill);
        order.words.push(ExecutionReport { fill: Some(fill), ..*report });
        let (base, cash) = (report.symbol.as_str()[..3].parse().unwrap(), Qty::new(quote.get()));
        let (gained, paid) = match report.side {
            Side::Buy => (amount, cash.neg()),
            Side::Sell => (amount.neg(), cash),
        };
        self.pay(base, gained);
        self.pay(fee_asset, paid.sub(fee).unwrap());
    }

    pub(crate) fn pay(&mut self, asset: Asset, delta: Qty) {
        let total = self.balances.entry(asset).or_default();
        *total = total.add(delta).unwrap();
    }

    pub(super) fn end(&mut self, name: &str, status: ExchangeStatus) {
        if let Some(order) = self.exchange.get_mut(name).filter(|order| !order.report.status.is_final()) {
            order.report.status = status;
            order.words.push(order.report);
        }
    }

    /// The stream tells the next word about an order, or one that it has told.
    pub(super) fn tell(&mut self, name: &str, which: Option<usize>) -> String {
        let Some(order) = self.exchange.get_mut(name) else { return "nothing".to_owned() };
        let index = which.unwrap_or(order.told);
        let Some(word) = order.words.get(index).copied() else { return "nothing".to_owned() };
        order.told = order.told.max(index + 1);
        self.message(Message::Report(word))
    }

    pub(super) fn outcome(&mut self, name: &str, attempt: u32, kind: OutcomeKind) -> String {
        self.message(Message::Outcome(Outcome { client_order_id: id(name), attempt, kind, at: self.now }))
    }

    pub(super) fn known(&mut self, name: &str) -> String {
        let Some(order) = self.exchange.get(name) else { return "nothing".to_owned() };
        let kind = OutcomeKind::Known { order: order.report, fills: order.fills.clone() };
        self.outcome(name, self.attempt(name), kind)
    }

    pub(super) fn attempt(&self, name: &str) -> u32 {
        self.commands.get(name).map_or(1, |command| command.attempt)
    }

    /// Answers the last question for the exchange's view.
    pub(crate) fn reconcile(&mut self, failed: &[&str]) -> String {
        let Some(asked) = self.asked.take() else { return "not asked".to_owned() };
        let orders = self.exchange.values().map(|order| order.report);
        let trades = self.exchange.values().flat_map(|order| {
            let ExecutionReport { symbol, exchange_order_id, side, .. } = order.report;
            order.fills.iter().map(move |fill| AccountTrade { symbol, exchange_order_id, side, fill: *fill })
        });
        let balances = self.balances.iter().filter(|(_, total)| !total.is_zero());
        self.message(Message::ReconcileAnswer(ReconcileAnswer {
            id: asked.id,
            orders: orders.collect(),
            trades: trades.collect(),
            balances: balances
                .map(|(asset, total)| Balance { asset: *asset, free: *total, locked: Qty::ZERO })
                .collect(),
            at: self.now,
            failed: failed.iter().map(|symbol| symbol.parse().unwrap()).collect(),
        }))
    }

    /// An order that somebody else placed.
    pub(super) fn foreign(&mut self, status: &str) {
        let kind = OrderKind::Limit { price: "90".parse().unwrap(), tif: TimeInForce::Gtc };
        let (symbol, side) = ("BTCUSDT".parse().unwrap(), Side::Buy);
        let order = nightdesk_exchange::NewOrder { symbol, client_order_id: id("x"), side, kind, qty: qty("1") };
        let command = Command {
            order,
            attempt: 1,
            epoch: 0,
            reduces: false,
            cancel: false,
            reference: Price::ZERO,
            decided_at: self.now,
        };
        self.commands.insert("x".to_owned(), command);
        self.arrive("x");
        match status {
            "filled" => self.execute("x", qty("1"), "90".parse().unwrap(), Qty::ZERO),
            "canceled" => self.end("x", ExchangeStatus::Canceled),
            _ => {}
        }
    }
}
