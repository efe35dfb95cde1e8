//! What happened, in the words of the scripts.

use nightdesk_orders::ClientOrderId;
use nightdesk_wire::Message;

use super::{House, id};
use crate::{Fact, Response};

impl House {
    pub(super) fn show_fact(&self, fact: &Fact) -> String {
        match fact {
            Fact::Intent { intent, reduces, worst_cost, .. } => {
                let name = self.name(ClientOrderId::of(intent.instance, intent.intent_id));
                let what = if *reduces { "reduces".to_owned() } else { format!("costs {worst_cost}") };
                format!("{} {name} {} {}, {what}", intent.side, intent.qty, intent.kind)
            }
            Fact::Order { id, event, reason, .. } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("{} {}{reason}", self.name(*id), show_event(event))
            }
            Fact::Fill { id, fill } => format!("{} filled {} at {}", self.name(*id), fill.qty, fill.price),
            Fact::Adopted { report, .. } => format!("adopted {}", self.name(report.client_order_id)),
            Fact::Recalled { entry } => format!("recalled {}", self.name(entry.order.spec.client_order_id)),
            Fact::Opening { flow, .. } => format!("opening, flow {flow}"),
            Fact::Transfer { asset, delta, flow, .. } => format!("transfer {delta} {asset}, flow {flow}"),
            Fact::Mode(mode) => {
                format!("{} v{}{}", mode.level, mode.version, if mode.read_only { " read-only" } else { "" })
            }
            Fact::Quarantined { symbol, reason, .. } => format!("quarantined {symbol}: {reason}"),
            Fact::Released { symbol, .. } => format!("released {symbol}"),
            Fact::Wanted { instance, run, .. } => format!("{instance} is to {}", if *run { "run" } else { "stop" }),
            Fact::Emergency { kind, .. } => format!("from the emergency journal: {kind}"),
            Fact::Equity(sample) => format!("equity {}", sample.equity),
            Fact::Strategy(state) => format!("{} {:?}", state.instance, state.state),
            Fact::Allocated { instance, amount } => format!("{instance} has {amount}"),
            Fact::Instruments { .. } | Fact::Reconciled { .. } => fact.kind().to_owned(),
        }
    }

    pub(super) fn show_message(&self, message: &Message) -> String {
        match message {
            Message::Command(command) => {
                let verb = if command.cancel { "cancel" } else { "place" };
                format!("{verb} {}/{}", self.name(command.order.client_order_id), command.attempt)
            }
            Message::AllocationRequest(request) => {
                let name = self.name(ClientOrderId::of(request.instance, request.intent_id));
                format!("ask for {name} {}", request.worst_cost)
            }
            Message::AllocationSettled(settled) => {
                let name = self.name(ClientOrderId::of(settled.instance, settled.intent_id));
                let over = if settled.over { " over" } else { "" };
                format!("settle {name} used {} cost {}{over}", settled.used, settled.holding.cost)
            }
            Message::OrderUpdate(update) => {
                let name = self.name(ClientOrderId::of(update.instance, update.intent_id));
                format!("update {name} {} {} holds {}", update.status.as_str(), update.filled, update.position)
            }
            Message::Mode(mode) => format!("mode v{}", mode.version),
            Message::StrategyControl(control) => {
                format!("{} to {}", control.instance, if control.run { "run" } else { "stop" })
            }
            Message::Resolve(resolve) => format!("resolve {}", self.name(resolve.client_order_id)),
            Message::ReconcileRequest(_) => "compare".to_owned(),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn show_response(&self, response: &Response) -> String {
        match response {
            Response::Done => "done".to_owned(),
            Response::Mode { mode, effective, in_flight } => {
                let names: Vec<String> = in_flight.iter().map(|id| self.name(*id)).collect();
                let holds = if *effective { "effective" } else { "not effective yet" };
                format!("{} v{} {holds}, in flight {names:?}", mode.level, mode.version)
            }
            Response::View(view) => format!("view of {} open orders", view.open_orders),
            Response::Refused(text) => format!("refused: {text}"),
            Response::NotFound(text) => format!("not found: {text}"),
        }
    }

    pub(super) fn show_order(&self, name: &str) -> String {
        let Some(entry) = self.engine.durable.orders.get(&id(name)) else { return "unknown".to_owned() };
        let order = &entry.order;
        let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{} {}/{}{reason}", order.status.as_str(), order.filled, order.spec.qty)
    }

    pub(super) fn show_book(&self) -> String {
        let portfolio = &self.engine.durable.portfolio;
        let positions = self.engine.durable.position_keys().into_iter().map(|(instance, symbol)| {
            let position = portfolio.position(instance, symbol).unwrap();
            format!("{instance} holds {} {symbol} at {}", position.quantity, position.cost)
        });
        let balances = portfolio.balances().map(|(asset, total)| format!("{total} {asset}"));
        positions.chain(balances).collect::<Vec<_>>().join(", ")
    }
}

fn show_event(event: &nightdesk_orders::Event) -> String {
    use nightdesk_orders::Event;
    match event {
        Event::ExecutedUpTo { filled } => format!("executed up to {filled}"),
        event => format!("{event:?}").to_lowercase(),
    }
}
