//! A worker with what its shell would keep, driven by text.

use std::collections::BTreeMap;

use nightdesk_market::{Candle, Filters, Instrument, Interval, MarketEvent, Quote};
use nightdesk_orders::{Fill, IntentId, Status};
use nightdesk_shell::{Input, Outgoing, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row, Value};
use nightdesk_strategies::{ParamTable, StrategyKind, StrategyParams};
use nightdesk_units::{Decimal, Lots, Money, Price, Qty, Scale, Ticks, Timestamp};
use nightdesk_wire::{CandleBatch, CandleRequest, Intent, Message, OrderUpdate, StrategyControl};

use crate::{Config, Event, StrategyWorker};

pub(crate) type Table = BTreeMap<(&'static str, Vec<Value>), Vec<Value>>;

pub(crate) fn collect(rows: Vec<Row>, into: &mut Table) {
    for row in rows {
        into.insert((row.table.name, row.key().to_vec()), row.values);
    }
}

/// Prices in whole units, quantities in thousandths, orders from 5 upwards.
pub(crate) fn instrument() -> Instrument {
    let filters = Filters {
        min_price: Price::new(Decimal::ONE),
        max_price: Price::ZERO,
        min_qty: "0.001".parse().unwrap(),
        max_qty: Qty::ZERO,
        max_market_qty: Qty::ZERO,
        min_notional: "5".parse().unwrap(),
        min_notional_applies_to_market: true,
        max_notional: Money::ZERO,
        percent_price: None,
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        scale: Scale { tick: Decimal::ONE, step: Decimal::new(1, 3) },
        filters,
    }
}

pub(crate) fn params(kind: StrategyKind, text: &str) -> StrategyParams {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    let table: ParamTable = pairs.map(|(name, value)| (name.to_owned(), value.into())).collect();
    kind.read(&table).unwrap()
}

/// Averages of one and two candles of a second; spends 100.
pub(crate) fn ma() -> Config {
    config(params(StrategyKind::MaCrossover, "interval=1s fast=1 slow=2 order_quote=100"))
}

/// Buys 10 worth at 90, 95, 100 and 105; sells one step higher.
pub(crate) fn grid() -> Config {
    config(params(StrategyKind::GridTrader, "levels=4 order_quote=10 lower=90 upper=110 retry_after_s=1"))
}

fn config(params: StrategyParams) -> Config {
    let (instance, symbol) = ("7".parse().unwrap(), "BTCUSDT".parse().unwrap());
    Config { instance, generation: 1, symbol, params, run: true, epoch: 1 }
}

pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) worker: StrategyWorker,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) table: Table,
    /// Every intent ever sent, as it was first sent.
    pub(crate) intents: BTreeMap<IntentId, Intent>,
    pub(crate) now: Timestamp,
    snapshot: Option<(usize, String)>,
    asked: Option<CandleRequest>,
    /// What the last update was, to be sent again.
    last: Option<Message>,
}

impl House {
    /// A worker that has not begun.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            worker: StrategyWorker::new(config.clone()),
            config,
            journal: Vec::new(),
            table: Table::new(),
            intents: BTreeMap::new(),
            now: Timestamp::from_millis(10_000),
            snapshot: None,
            asked: None,
            last: None,
        }
    }

    /// One turn; the text names the new facts, then what leaves.
    pub(crate) fn take(&mut self, input: Input<Event>) -> String {
        let mut step = Step::default();
        let turn = Turn { now: self.now, oldest_outbox: None };
        if let Input::Market(event) = &input {
            self.worker.on_market(event, self.now, &mut step);
        } else {
            self.worker.handle(&turn, input, &mut step);
        }
        let mut said: Vec<String> = step.records.iter().map(|record| record.kind.to_owned()).collect();
        for record in step.records {
            let version = self.journal.len() as u64 + 1;
            let (stream, kind) = (self.worker.name().to_owned(), record.kind.to_owned());
            self.journal.push(JournalRow { stream, version, epoch: 1, at: record.at, kind, body: record.body });
        }
        self.write_rows();
        said.extend(step.out.into_iter().map(|out| self.sent(out)));
        said.join(", ")
    }

    fn sent(&mut self, out: Outgoing) -> String {
        match out {
            Outgoing::Send(queue, Message::Intent(intent)) => {
                assert_eq!(queue.as_str(), "core");
                let before = self.intents.insert(intent.intent_id, intent.clone());
                assert!(before.is_none(), "decided twice: {before:?} and {intent:?}");
                format!("{} {} {} {} ~{}", intent.key, intent.side, intent.kind, intent.qty, intent.reference)
            }
            Outgoing::Send(_, Message::CancelIntent(cancel)) => {
                format!("cancel {}", self.intents[&cancel.intent_id].key)
            }
            Outgoing::Send(_, Message::StrategyState(state)) => {
                let reason = state.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
                format!("is {:?}{reason}", state.state)
            }
            Outgoing::Notify(queue, Message::CandleRequest(request)) => {
                assert_eq!(queue.as_str(), "connector");
                self.asked = Some(request);
                format!("asks {}..{}", request.from.as_millis() / 1_000, request.to.as_millis() / 1_000)
            }
            other => panic!("{other:?}"),
        }
    }

    fn write_rows(&mut self) {
        let mut rows = Vec::new();
        self.worker.rows(&mut rows);
        collect(rows, &mut self.table);
    }

    /// Dies and comes back from its snapshot and the journal after it.
    fn restart(&mut self) -> String {
        let before = self.worker.snapshot();
        self.worker = StrategyWorker::new(self.config.clone());
        let (from, text) = self.snapshot.clone().unzip();
        self.worker.restore(text.as_deref(), &self.journal[from.unwrap_or(0)..]).unwrap();
        assert_eq!(self.worker.snapshot(), before, "what was restored is what lived");
        self.write_rows();
        self.take(Input::Started)
    }

    pub(crate) fn candle(&self, second: &str, close: &str) -> Candle {
        let price = Ticks(close.parse().unwrap());
        let open_at = Timestamp::from_millis(second.parse::<i64>().unwrap() * 1_000);
        Candle {
            symbol: self.config.symbol,
            interval: Interval::ONE_SECOND,
            open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Lots(1),
            trades: 1,
        }
    }

    pub(crate) fn quote(&self, bid: i64, ask: i64) -> MarketEvent {
        let (bid, ask) = (Ticks(bid), Ticks(ask));
        let (symbol, lots) = (self.config.symbol, Lots(1));
        MarketEvent::Quote(Quote { symbol, update_id: 0, bid, bid_qty: lots, ask, ask_qty: lots, at: self.now })
    }

    /// The order decided by this key, or by the `n`-th decision of all (`#n`).
    pub(crate) fn intent(&self, name: &str) -> IntentId {
        if let Some(n) = name.strip_prefix('#') {
            let n: usize = n.parse().unwrap();
            return self.intents.keys().nth(n % self.intents.len().max(1)).copied().unwrap_or_else(|| self.foreign());
        }
        self.intents
            .values()
            .find(|intent| intent.key == name)
            .map_or_else(|| self.foreign(), |intent| intent.intent_id)
    }

    fn foreign(&self) -> IntentId {
        IntentId::derive(self.config.instance, 99, "foreign")
    }

    fn update(&self, name: &str, status: &str, filled: &str, position: &str) -> Message {
        let status = Status::ALL.into_iter().find(|known| known.as_str() == status).unwrap();
        let (filled, price) = (filled.parse::<Qty>().unwrap(), Price::new(Decimal::ONE_HUNDRED));
        let fill = filled.is_positive().then(|| Fill {
            trade_id: 1,
            price,
            qty: filled,
            fee: Qty::ZERO,
            fee_asset: "USDT".parse().unwrap(),
            maker: true,
            at: self.now,
        });
        Message::OrderUpdate(OrderUpdate {
            instance: self.config.instance,
            intent_id: self.intent(name),
            status,
            filled,
            filled_quote: price.notional(filled).unwrap(),
            fill,
            reason: (status == Status::Rejected).then(|| "no".to_owned()),
            position: position.parse().unwrap(),
            at: self.now,
        })
    }

    /// `start`, `instruments`, `at S`, `wake`, `candle S CLOSE`, `history S:CLOSE…`, `quote BID ASK`,
    /// `order KEY STATUS FILLED POSITION`, `again` (the last order news), `run`, `stop`, `restart`, `snapshot`.
    pub(crate) fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let instance = self.config.instance;
        let input = match words.as_slice() {
            ["start"] => Input::Started,
            ["instruments"] => Input::Message(Message::Instruments { instruments: vec![instrument()] }),
            ["at", second] => {
                self.now = Timestamp((second.parse::<f64>().unwrap() * 1e6) as i64);
                return String::new();
            }
            ["wake"] => Input::Wakeup,
            ["candle", second, close] => Input::Market(MarketEvent::Candle(self.candle(second, close))),
            ["history", candles @ ..] => {
                let Some(request) = self.asked else { return "nothing asked".to_owned() };
                let candle =
                    |text: &&str| text.split_once(':').map(|(second, close)| self.candle(second, close)).unwrap();
                let candles = candles.iter().map(candle).collect();
                Input::Message(Message::Candles(CandleBatch { request, candles }))
            }
            ["quote", bid, ask] => Input::Market(self.quote(bid.parse().unwrap(), ask.parse().unwrap())),
            ["order", name, status, filled, position] => {
                let message = self.update(name, status, filled, position);
                self.last = Some(message.clone());
                Input::Message(message)
            }
            ["again"] => match self.last.clone() {
                Some(message) => Input::Message(message),
                None => return String::new(),
            },
            [word @ ("run" | "stop")] => {
                Input::Message(Message::StrategyControl(StrategyControl { instance, run: *word == "run" }))
            }
            ["restart"] => return self.restart(),
            ["snapshot"] => {
                self.snapshot = Some((self.journal.len(), self.worker.snapshot()));
                return String::new();
            }
            other => panic!("{other:?}"),
        };
        self.take(input)
    }

    /// Runs a script; one line of text per line that led to something.
    pub(crate) fn script(&mut self, commands: &str) -> String {
        let mut text = String::new();
        for line in commands.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            let said = self.run(line);
            let quiet = said.is_empty() && ["at", "sn"].iter().any(|word| line.starts_with(word));
            if !quiet {
                text.push_str(&format!("{line}: {}\n", if said.is_empty() { "-" } else { &said }));
            }
        }
        text
    }
}
