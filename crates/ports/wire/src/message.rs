//! What the services say to each other.

use nightdesk_capital::{Holding, Mode, Performance};
use nightdesk_exchange::{AccountTrade, Balance, ExchangeEvent, NewOrder, Stream};
use nightdesk_market::{Candle, Instrument, Interval, Side};
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill, IntentId, OrderKind, Status};
use nightdesk_units::{InstanceId, Money, Price, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// Any message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// strategy-worker → core-engine: a decision.
    Intent(Intent),
    /// strategy-worker → core-engine: take an order back.
    CancelIntent(CancelIntent),
    /// strategy-worker → core-engine: how the instance fares.
    StrategyState(StrategyState),
    /// core-engine → strategy-worker: run or stop.
    StrategyControl(StrategyControl),
    /// core-engine → strategy-worker: what became of an order.
    OrderUpdate(OrderUpdate),
    /// strategy-worker → exchange-connector: candles I missed.
    CandleRequest(CandleRequest),
    /// exchange-connector → strategy-worker: here they are.
    Candles(CandleBatch),
    /// core-engine → capital-manager: may I?
    AllocationRequest(AllocationRequest),
    /// capital-manager → core-engine: yes or no.
    AllocationAnswer(AllocationAnswer),
    /// core-engine → capital-manager: this is over, and this much was used.
    AllocationSettled(AllocationSettled),
    /// core-engine → capital-manager: equity as of now, for drawdown limits.
    AccountView(AccountView),
    /// core-engine → exchange-connector: place or cancel.
    Command(Command),
    /// core-engine → exchange-connector: tell me all executions of this order.
    Resolve(Resolve),
    /// core-engine → exchange-connector (control): the mode from now on.
    Mode(Mode),
    /// exchange-connector → core-engine: I act in this mode now; these were already under way.
    ModeEffective {
        /// The mode's version.
        version: u64,
        /// Orders that add risk whose request had left before.
        in_flight: Vec<ClientOrderId>,
    },
    /// exchange-connector → core-engine: an order changed at the exchange.
    Report(ExecutionReport),
    /// exchange-connector → core-engine: what became of a command.
    Outcome(Outcome),
    /// exchange-connector → core-engine: balances or a transfer, in user-stream order.
    Account(ExchangeEvent),
    /// exchange-connector → core-engine: a stream came or went.
    Link(LinkState),
    /// exchange-connector → core-engine, strategy-worker: instruments and their filters.
    Instruments {
        /// The instruments traded.
        instruments: Vec<Instrument>,
    },
    /// core-engine → exchange-connector: what does the exchange know?
    ReconcileRequest(ReconcileRequest),
    /// exchange-connector → core-engine: this.
    ReconcileAnswer(ReconcileAnswer),
}

/// A strategy's decision to place an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// A pure function of instance, generation and key.
    pub intent_id: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// Which configuration of the instance.
    pub generation: u32,
    /// The decision's own key, such as close time and direction.
    pub key: String,
    /// Instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Kind, price, time in force.
    pub kind: OrderKind,
    /// Base quantity.
    pub qty: Qty,
    /// Mid price when it was decided: slippage is measured against it.
    pub reference: Price,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// A strategy's wish to take an order back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelIntent {
    /// Who wants it.
    pub instance: InstanceId,
    /// The decision whose order is to go.
    pub intent_id: IntentId,
}

/// Whether an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Decides.
    Running,
    /// Gathers history and does not decide yet.
    WarmingUp,
    /// Was told to stop.
    Stopped,
    /// Cannot go on.
    Failed,
}

/// How an instance fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyState {
    /// The instance.
    pub instance: InstanceId,
    /// The strategy's name, such as `ma-crossover`.
    pub strategy: String,
    /// Instrument.
    pub symbol: Symbol,
    /// Configuration generation.
    pub generation: u32,
    /// What it does.
    pub state: RunState,
    /// Why, when it failed.
    pub reason: Option<String>,
}

/// Run or stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyControl {
    /// The instance.
    pub instance: InstanceId,
    /// True to run.
    pub run: bool,
}

/// What became of an instance's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The instance.
    pub instance: InstanceId,
    /// The decision.
    pub intent_id: IntentId,
    /// Where the order stands.
    pub status: Status,
    /// Quantity executed so far.
    pub filled: Qty,
    /// Quote amount executed so far.
    pub filled_quote: Money,
    /// The execution, when the update is one.
    pub fill: Option<Fill>,
    /// Why, for an order that was not sent or was refused.
    pub reason: Option<String>,
    /// Base quantity that the instance holds after this.
    pub position: Qty,
    /// When.
    pub at: Timestamp,
}

/// Candles that a worker lacks: `from <= open_at < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandleRequest {
    /// Who asks.
    pub instance: InstanceId,
    /// Instrument.
    pub symbol: Symbol,
    /// Candle length.
    pub interval: Interval,
    /// First open time wanted.
    pub from: Timestamp,
    /// First open time not wanted any more.
    pub to: Timestamp,
}

/// Candles asked for, oldest first; those the exchange does not have are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandleBatch {
    /// The request.
    pub request: CandleRequest,
    /// The candles.
    pub candles: Vec<Candle>,
}

/// May this much be risked?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationRequest {
    /// The decision it is for; asked again, the answer is the same.
    pub intent_id: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// Instrument.
    pub symbol: Symbol,
    /// The most it can cost: worst price within the collar, fees included.
    pub worst_cost: Money,
    /// When it was asked.
    pub at: Timestamp,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Granted,
    /// No, for this reason.
    Denied(String),
}

/// The answer to an allocation request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationAnswer {
    /// The decision.
    pub intent_id: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// Yes or no.
    pub verdict: Verdict,
}

/// An order has executed, or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationSettled {
    /// The decision.
    pub intent_id: IntentId,
    /// Who decided.
    pub instance: InstanceId,
    /// Instrument.
    pub symbol: Symbol,
    /// True when the order held a grant (it was to add risk).
    pub granted: bool,
    /// True when nothing more will execute: the rest of the grant is free.
    pub over: bool,
    /// Quote amount spent by the order so far, fees included.
    pub used: Money,
    /// What the instance holds of the instrument after it, at cost.
    pub holding: Holding,
    /// When.
    pub at: Timestamp,
}

/// How the portfolio and the strategies are doing, for drawdown limits and return figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The portfolio.
    pub portfolio: Performance,
    /// The strategies.
    pub strategies: Vec<(InstanceId, Performance)>,
    /// Equity of the portfolio in quote currency.
    pub equity: Money,
    /// As of.
    pub at: Timestamp,
}

/// What core-engine wants done at the exchange. It may be heard any number of times: it is the order's present command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The order.
    pub order: NewOrder,
    /// Which placement: a higher one is sent only after the connector proved that the one before never arrived.
    pub attempt: u32,
    /// The epoch core-engine acts in.
    pub epoch: u64,
    /// True when it only reduces what is held.
    pub reduces: bool,
    /// True to cancel: also one that has not been placed yet, whose placement is then refused for good.
    pub cancel: bool,
    /// Mid price when the strategy decided: slippage is measured against it.
    pub reference: Price,
    /// When the strategy decided; tells the connector whether it may have forgotten the order.
    pub decided_at: Timestamp,
}

/// Fetch an order and all its executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// Instrument.
    pub symbol: Symbol,
    /// The order.
    pub client_order_id: ClientOrderId,
    /// Its id at the exchange, where known.
    pub exchange_order_id: Option<u64>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The order.
    pub client_order_id: ClientOrderId,
    /// The placement it is about.
    pub attempt: u32,
    /// What happened.
    pub kind: OutcomeKind,
    /// When.
    pub at: Timestamp,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The exchange has it, and this is how it stands, with all executions so far.
    Known {
        /// The order.
        order: ExecutionReport,
        /// Its executions.
        fills: Vec<Fill>,
    },
    /// The exchange refused the placement.
    Rejected {
        /// The exchange's code.
        code: i32,
        /// Its text.
        reason: String,
    },
    /// The exchange refused the cancel.
    CancelRefused {
        /// The exchange's code.
        code: i32,
    },
    /// Nobody knows yet; the connector is asking.
    InDoubt {
        /// Why.
        reason: String,
    },
    /// Proven: it is not there and can no longer get there.
    NeverArrived {
        /// How that is known.
        proof: String,
    },
}

/// A stream came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// Which stream.
    pub stream: Stream,
    /// True when live.
    pub up: bool,
    /// For a user stream that came back: events since then may be missing.
    pub gap_since: Option<Timestamp>,
    /// When it last showed a sign of life.
    pub at: Timestamp,
}

/// Asks for the exchange's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileRequest {
    /// Names the conversation.
    pub id: u64,
    /// Instruments to ask about.
    pub symbols: Vec<Symbol>,
    /// Orders and executions from here on.
    pub since: Timestamp,
    /// No new risk is taken before the answer: it ranks before other background work.
    #[serde(default)]
    pub urgent: bool,
}

/// One order as the exchange tells it, and what core-engine must know to adopt it.
pub type OrderView = ExecutionReport;

/// The exchange's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileAnswer {
    /// The conversation.
    pub id: u64,
    /// Orders open now, and those created or changed since `since`.
    pub orders: Vec<OrderView>,
    /// Executions since `since`.
    pub trades: Vec<AccountTrade>,
    /// Balances.
    pub balances: Vec<Balance>,
    /// The exchange's time of the balances.
    pub at: Timestamp,
    /// Instruments that could not be asked about; nothing is concluded about them.
    pub failed: Vec<Symbol>,
}
