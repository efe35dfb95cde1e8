//! core-engine with what its shell would keep, and an exchange that the test plays; driven by text.

mod exchange;
mod show;

use std::collections::{BTreeMap, BTreeSet};

use nightdesk_capital::Collar;
use nightdesk_exchange::{ExchangeEvent, Stream};
use nightdesk_market::{Filters, Instrument, MarketEvent, Quote, Side};
use nightdesk_orders::{ClientOrderId, ExchangeStatus, ExecutionReport, Fill, IntentId, OrderKind, TimeInForce};
use nightdesk_shell::{Input, Outgoing, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row, Value};
use nightdesk_units::{Asset, Decimal, InstanceId, Lots, Micros, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};
use nightdesk_wire::{
    AccountView, AllocationAnswer, CancelIntent, Command, Intent, LinkState, Message, OutcomeKind, ReconcileRequest,
    Verdict,
};

use crate::{
    Config, CoreEngine, Effect, Event, Fact, Instance, Pending, Reply, Request, Response, replay_rows, tables,
};

pub(crate) type Table = BTreeMap<(&'static str, Vec<Value>), Vec<Value>>;

fn collect(rows: Vec<Row>, into: &mut Table) {
    for row in rows {
        into.insert((row.table.name, row.key().to_vec()), row.values);
    }
}

pub(crate) fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

/// Orders a to m are instance 123's in BTCUSDT, n to z are 456's in ETHUSDT.
fn owner(name: &str) -> (InstanceId, Symbol) {
    let (instance, symbol) = if name < "n" { ("123", "BTCUSDT") } else { ("456", "ETHUSDT") };
    (instance.parse().unwrap(), symbol.parse().unwrap())
}

fn intent_id(name: &str) -> IntentId {
    IntentId::derive(owner(name).0, 1, name)
}

pub(crate) fn id(name: &str) -> ClientOrderId {
    if name == "x" {
        return "web_1".parse().unwrap();
    }
    ClientOrderId::of(owner(name).0, intent_id(name))
}

/// Cents and thousandths, orders from 5 upwards.
fn instrument(symbol: Symbol) -> Instrument {
    let filters = Filters {
        min_price: "0.01".parse().unwrap(),
        max_price: Price::ZERO,
        min_qty: qty("0.001"),
        max_qty: Qty::ZERO,
        max_market_qty: Qty::ZERO,
        min_notional: "5".parse().unwrap(),
        min_notional_applies_to_market: true,
        max_notional: Money::ZERO,
        percent_price: None,
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    let (base, quote) = (symbol.as_str()[..3].parse().unwrap(), "USDT".parse().unwrap());
    Instrument { symbol, base, quote, scale: Scale { tick: Decimal::new(1, 2), step: Decimal::new(1, 3) }, filters }
}

pub(crate) fn config() -> Config {
    let instance = |name: &str, strategy: &str| Instance {
        instance: owner(name).0,
        strategy: strategy.to_owned(),
        symbol: owner(name).1,
        generation: 1,
        allocation: "5000".parse().unwrap(),
    };
    let collar = Collar { percent: "2".parse().unwrap(), fee: "0.1".parse().unwrap() };
    Config::new("USDT".parse().unwrap(), collar, vec![instance("a", "ma-crossover"), instance("n", "grid-trader")])
}

/// An order at the exchange: what it is now, and every word about it so far.
pub(crate) struct AtExchange {
    pub(crate) report: ExecutionReport,
    pub(crate) fills: Vec<Fill>,
    words: Vec<ExecutionReport>,
    told: usize,
}

pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) engine: CoreEngine,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) table: Table,
    snapshot: Option<(usize, String)>,
    start: Timestamp,
    pub(crate) now: Timestamp,
    oldest_outbox: Option<Timestamp>,
    /// The names in use, for printing.
    names: BTreeSet<String>,
    /// The last command that core-engine gave about each order.
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) exchange: BTreeMap<String, AtExchange>,
    pub(crate) balances: BTreeMap<Asset, Qty>,
    next_id: u64,
    asked: Option<ReconcileRequest>,
    last: Option<Message>,
    /// What capital-manager was told of the account.
    pub(crate) views: Vec<AccountView>,
    replies: Vec<async_channel::Receiver<Response>>,
    /// What `buy` and `sell` name as the decision's time, before now.
    age: Micros,
    /// What the emergency journal holds.
    records: Vec<nightdesk_platform::EmergencyRecord>,
    /// Orders were forgotten, which a replay would remember.
    forgot: bool,
}

impl House {
    /// An engine that knows its instruments, prices and an account of 10,000 USDT.
    pub(crate) fn new() -> Self {
        let mut house = Self::blank();
        house.play("start | instruments | link up | quote 100 100.02 | quote ETHUSDT 10 10.02 | reconcile");
        house
    }

    /// An engine that has not started.
    pub(crate) fn blank() -> Self {
        let start = Timestamp::from_millis(1_723_161_600_000);
        Self {
            engine: CoreEngine::new(config()),
            config: config(),
            journal: Vec::new(),
            table: Table::new(),
            snapshot: None,
            start,
            now: start,
            oldest_outbox: None,
            names: ('a'..='z').map(String::from).collect(),
            commands: BTreeMap::new(),
            exchange: BTreeMap::new(),
            balances: BTreeMap::from([("USDT".parse().unwrap(), qty("10000"))]),
            next_id: 0,
            asked: None,
            last: None,
            views: Vec::new(),
            replies: Vec::new(),
            age: Micros(0),
            records: Vec::new(),
            forgot: false,
        }
    }

    fn turn(&self) -> Turn {
        Turn { now: self.now, oldest_outbox: self.oldest_outbox }
    }

    /// One turn, and those that its effects ask for; what it led to, as text.
    pub(crate) fn take(&mut self, input: Input<Event>) -> String {
        let mut step = Step::default();
        if let Input::Message(message) = &input {
            self.last = Some(message.clone());
        }
        self.engine.handle(&self.turn(), input, &mut step);
        let mut said = self.conclude(step);
        while let Some(reply) = self.replies.iter().position(|reply| !reply.is_empty()) {
            let response = self.replies.remove(reply).try_recv().unwrap();
            said.push(format!("answer {}", self.show_response(&response)));
        }
        said.join(", ")
    }

    fn conclude(&mut self, step: Step<Effect>) -> Vec<String> {
        let mut said = Vec::new();
        for record in step.records {
            let fact: Fact = serde_json::from_str(&record.body).unwrap();
            said.push(format!("[{}]", self.show_fact(&fact)));
            let (version, kind) = (self.journal.len() as u64 + 1, record.kind.to_owned());
            let stream = "core-engine".to_owned();
            self.journal.push(JournalRow { stream, version, epoch: 1, at: record.at, kind, body: record.body });
        }
        let mut rows = Vec::new();
        self.engine.rows(&mut rows);
        collect(rows, &mut self.table);
        for out in step.out {
            let (Outgoing::Send(_, message) | Outgoing::Notify(_, message)) = out else { panic!("{out:?}") };
            said.extend(self.sent(message));
        }
        let mut lookups = Vec::new();
        for effect in step.effects {
            let mut perform = crate::effect::answer_only();
            match effect {
                Effect::Recall(id, pending) => lookups.push((id, pending)),
                Effect::Merged(count) => said.push(format!("merged {count}")),
                answer @ Effect::Answer(..) => perform(answer),
            }
        }
        for (id, pending) in lookups {
            said.push(self.look_up(id, pending));
        }
        said
    }

    /// Does what the performer does: asks the store.
    fn look_up(&mut self, id: ClientOrderId, pending: Pending) -> String {
        let row = self.table.get(&("orders", vec![Value::from(id.as_str())]));
        let entry = row.and_then(|values| tables::entry(values)).map(Box::new);
        let found = if entry.is_some() { "found" } else { "not found" };
        let said = self.take(Input::Event(Event::Recalled(pending, entry)));
        format!("looked up {} {found}: {said}", self.name(id))
    }

    fn sent(&mut self, message: Message) -> Option<String> {
        match &message {
            Message::Command(command) => {
                let mode = &self.engine.durable.mode;
                assert!(
                    command.cancel || mode.permits(!command.reduces),
                    "a placement that adds risk was driven while trading is {mode:?}"
                );
                self.commands.insert(self.name(command.order.client_order_id), *command);
            }
            Message::ReconcileRequest(request) => self.asked = Some(request.clone()),
            // Said every second, and tested on its own.
            Message::AccountView(view) => {
                self.views.push(view.clone());
                return None;
            }
            _ => {}
        }
        Some(self.show_message(&message))
    }

    pub(crate) fn snapshot(&mut self) {
        self.snapshot = Some((self.journal.len(), self.engine.snapshot()));
    }

    /// Restored from the snapshot and the tail, and from the whole journal, it is what lived; so are the rows.
    pub(crate) fn check_replay(&self) -> CoreEngine {
        let before = self.engine.snapshot();
        let (from, text) = self.snapshot.clone().unzip();
        let (mut short, mut long) = (CoreEngine::new(self.config.clone()), CoreEngine::new(self.config.clone()));
        short.restore(text.as_deref(), &self.journal[from.unwrap_or(0)..]).unwrap();
        long.restore(None, &self.journal).unwrap();
        assert_eq!(short.snapshot(), before, "what was restored is what lived");
        if !self.forgot {
            assert_eq!(long.snapshot(), before, "what was replayed is what lived");
        }
        let mut replayed = Table::new();
        collect(replay_rows(self.config.clone(), &self.journal).unwrap(), &mut replayed);
        for (key, row) in &replayed {
            assert_eq!(Some(row), self.table.get(key), "the rows are those of a replay");
        }
        assert_eq!(replayed.len(), self.table.len());
        short
    }

    fn restart(&mut self) -> String {
        self.engine = self.check_replay();
        (self.asked, self.replies) = (None, Vec::new());
        self.take(Input::Started)
    }

    pub(crate) fn message(&mut self, message: Message) -> String {
        self.take(Input::Message(message))
    }

    fn request(&mut self, request: Request) -> String {
        let (reply, answer) = Reply::channel();
        self.replies.push(answer);
        self.take(Input::Event(Event::Request(request, reply)))
    }

    fn intent(&self, side: Side, name: &str, amount: &str, price: &str) -> Intent {
        let (instance, symbol) = owner(name);
        let kind = match price {
            "market" => OrderKind::Market,
            price => OrderKind::Limit { price: price.parse().unwrap(), tif: TimeInForce::Gtc },
        };
        Intent {
            intent_id: intent_id(name),
            instance,
            generation: 1,
            key: name.to_owned(),
            symbol,
            side,
            kind,
            qty: qty(amount),
            reference: "100.01".parse().unwrap(),
            decided_at: self.now - self.age,
        }
    }

    /// Runs a command; see the match for what there is.
    pub(crate) fn run(&mut self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["at", seconds] => self.now = self.start + seconds_of(seconds),
            ["age", seconds] => self.age = seconds_of(seconds),
            ["outbox", seconds] => self.oldest_outbox = Some(self.start + seconds_of(seconds)),
            ["snapshot"] => self.snapshot(),
            ["arrive", name] => self.arrive(name),
            ["execute", name, amount, price] => self.execute(name, qty(amount), price.parse().unwrap(), Qty::ZERO),
            ["execute", name, amount, price, fee] => self.execute(name, qty(amount), price.parse().unwrap(), qty(fee)),
            ["gone", name] => self.end(name, ExchangeStatus::Canceled),
            ["expire", name] => self.end(name, ExchangeStatus::Expired),
            ["foreign", status] => self.foreign(status),
            ["pay", asset, amount] => self.pay(asset.parse().unwrap(), qty(amount)),
            ["forget", name] => {
                self.exchange.remove(*name);
            }
            _ => return self.run_input(&words),
        }
        String::new()
    }

    fn run_input(&mut self, words: &[&str]) -> String {
        match words {
            ["start"] => self.take(Input::Started),
            ["restart"] => self.restart(),
            ["wake"] => self.take(Input::Wakeup),
            ["instruments"] => {
                let instruments = self.config.symbols().into_iter().map(instrument).collect();
                self.message(Message::Instruments { instruments })
            }
            ["quote", bid, ask] => self.quote("BTCUSDT", bid, ask),
            ["quote", symbol, bid, ask] => self.quote(symbol, bid, ask),
            ["link", how] => {
                let gap_since = (*how == "gap").then_some(self.now);
                let link = LinkState { stream: Stream::User, up: *how != "down", gap_since, at: self.now };
                self.message(Message::Link(link))
            }
            ["buy", name, amount, price] => self.message(Message::Intent(self.intent(Side::Buy, name, amount, price))),
            ["sell", name, amount, price] => {
                self.message(Message::Intent(self.intent(Side::Sell, name, amount, price)))
            }
            ["drop", name] => {
                let (instance, intent_id) = (owner(name).0, intent_id(name));
                self.message(Message::CancelIntent(CancelIntent { instance, intent_id }))
            }
            words => self.run_word(words),
        }
    }

    /// What capital-manager, the connector and operators say.
    fn run_word(&mut self, words: &[&str]) -> String {
        match words {
            ["grant", name] => self.verdict(name, Verdict::Granted),
            ["deny", name, reason] => self.verdict(name, Verdict::Denied((*reason).to_owned())),
            ["tell", name] => self.tell(name, None),
            ["tell", name, which] => self.tell(name, Some(which.parse().unwrap())),
            ["ack", name] => {
                self.arrive(name);
                self.tell(name, None)
            }
            ["fill", name, rest @ ..] => {
                self.run(&format!("execute {name} {}", rest.join(" ")));
                self.tell(name, None)
            }
            ["end", name] => {
                self.end(name, ExchangeStatus::Canceled);
                self.tell(name, None)
            }
            ["known", name] => self.known(name),
            ["again"] => self.last.clone().map(|message| self.message(message)).unwrap_or_default(),
            ["rejected", name] => {
                let kind = OutcomeKind::Rejected { code: -2010, reason: "no".to_owned() };
                self.outcome(name, self.attempt(name), kind)
            }
            ["doubt", name] => {
                self.outcome(name, self.attempt(name), OutcomeKind::InDoubt { reason: "lost".to_owned() })
            }
            ["never", name] => {
                self.outcome(name, self.attempt(name), OutcomeKind::NeverArrived { proof: "asked".to_owned() })
            }
            ["never", name, attempt] => {
                self.outcome(name, attempt.parse().unwrap(), OutcomeKind::NeverArrived { proof: "asked".to_owned() })
            }
            ["reconcile", failed @ ..] => self.reconcile(failed),
            ["transfer", asset, amount] => {
                let (asset, delta, at) = (asset.parse().unwrap(), qty(amount), self.now);
                self.pay(asset, delta);
                self.message(Message::Account(ExchangeEvent::Transfer { asset, delta, at }))
            }
            ["effective", version] => {
                self.message(Message::ModeEffective { version: version.parse().unwrap(), in_flight: Vec::new() })
            }
            ["effective", version, name] => {
                self.message(Message::ModeEffective { version: version.parse().unwrap(), in_flight: vec![id(name)] })
            }
            ["without", "a", "store:", rest @ ..] => self.without_a_store(rest),
            ["held", "back:", rest @ ..] => self.held_back(rest),
            ["show", name] => self.show_order(name),
            ["book"] => self.show_book(),
            words => match operator(words) {
                Some(request) => self.request(request),
                None => panic!("no command {words:?}"),
            },
        }
    }

    fn quote(&mut self, symbol: &str, bid: &str, ask: &str) -> String {
        let ticks = |text: &str| Ticks((text.parse::<f64>().unwrap() * 100.0).round() as i64);
        let quote = Quote {
            symbol: symbol.parse().unwrap(),
            update_id: 0,
            bid: ticks(bid),
            bid_qty: Lots(1_000),
            ask: ticks(ask),
            ask_qty: Lots(1_000),
            at: self.now,
        };
        self.take(Input::Market(MarketEvent::Quote(quote)))
    }

    fn verdict(&mut self, name: &str, verdict: Verdict) -> String {
        let (intent_id, instance) = (intent_id(name), owner(name).0);
        self.message(Message::AllocationAnswer(AllocationAnswer { intent_id, instance, verdict }))
    }

    fn without_a_store(&mut self, words: &[&str]) -> String {
        let (reply, answer) = Reply::channel();
        let mut step = Step::default();
        let input = Input::Event(Event::Request(operator(words).unwrap(), reply));
        self.engine.emergency(&self.turn(), input, &mut step);
        self.done_at_once(step, &answer)
    }

    /// A request in the turn whose commit finds the store failing.
    fn held_back(&mut self, words: &[&str]) -> String {
        let (reply, answer) = Reply::channel();
        let (mut held, mut step) = (Step::default(), Step::default());
        let input = Input::Event(Event::Request(operator(words).unwrap(), reply));
        self.engine.handle(&self.turn(), input, &mut held);
        self.engine.storage(false);
        self.engine.held_back(&self.turn(), &mut held, &mut step);
        self.done_at_once(step, &answer)
    }

    fn done_at_once(&mut self, step: Step<Effect>, answer: &async_channel::Receiver<Response>) -> String {
        let mut said: Vec<String> = step.records.iter().map(|record| format!("({})", record.kind)).collect();
        for out in step.out {
            let Outgoing::Notify(_, message) = out else { panic!("{out:?}") };
            said.extend(self.sent(message));
        }
        step.effects.into_iter().for_each(crate::effect::answer_only());
        if let Ok(response) = answer.try_recv() {
            said.push(format!("answer {}", self.show_response(&response)));
        }
        said.join(", ")
    }

    /// Runs commands separated by `|`.
    pub(crate) fn play(&mut self, script: &str) -> String {
        let mut text = String::new();
        for command in script.split('|').map(str::trim) {
            let said = self.run(command);
            text += &if said.is_empty() { format!("{command}\n") } else { format!("{command}: {said}\n") };
        }
        text
    }

    pub(crate) fn name(&self, wanted: ClientOrderId) -> String {
        self.names.iter().find(|name| id(name) == wanted).cloned().unwrap_or_else(|| "liquidation".to_owned())
    }
}

fn operator(words: &[&str]) -> Option<Request> {
    let by = "op".to_owned();
    Some(match words {
        ["halt", reason] => Request::Halt { reason: (*reason).to_owned(), by },
        ["liquidate", reason] => Request::Liquidate { reason: (*reason).to_owned(), by },
        ["resume", version] => Request::Resume { version: version.parse().unwrap(), by },
        ["read-only", how] => Request::ReadOnly { read_only: *how == "on", reason: "disk".to_owned(), by },
        ["strategy", instance, how] => {
            Request::Strategy { instance: instance.parse().unwrap(), run: *how == "start", by }
        }
        ["cancel", name] => Request::Cancel { id: id(name), by },
        ["release", symbol] => Request::Release { symbol: symbol.parse().unwrap(), by },
        ["compare"] => Request::Reconcile,
        ["view"] => Request::View,
        _ => return None,
    })
}

fn seconds_of(text: &str) -> Micros {
    Micros((text.parse::<f64>().unwrap() * 1e6).round() as i64)
}

/// What scripts cannot say.
impl House {
    /// Writes a fact as if the engine had recorded it.
    pub(crate) fn record(&mut self, fact: &Fact) {
        let mut step = Step::default();
        let turn = self.turn();
        let _ = self.engine.record(fact, &turn, &mut step);
        self.conclude(step);
    }

    /// Forgets every finished order, as if many had ended since.
    pub(crate) fn forget_all(&mut self) {
        self.engine.durable.forget_all();
        self.snapshot();
        self.forgot = true;
    }

    /// An operator's request without a store, a crash, and the next start with what the emergency journal holds.
    pub(crate) fn emergency_then_crash(&mut self, request: &str) -> String {
        let words: Vec<&str> = request.split_whitespace().collect();
        let (reply, _) = Reply::channel();
        let mut step = Step::default();
        let input = Input::Event(Event::Request(operator(&words).unwrap(), reply));
        self.engine.emergency(&self.turn(), input, &mut step);
        let record = |record: &nightdesk_shell::Record| nightdesk_platform::EmergencyRecord {
            at: record.at,
            kind: record.kind.to_owned(),
            body: record.body.clone(),
        };
        self.records = step.records.iter().map(record).collect();
        let started = self.restart();
        let merged = self.merge();
        format!("restart: {started}\nmerge: {merged}\n")
    }

    fn merge(&mut self) -> String {
        self.take(Input::Event(Event::Emergencies(self.records.clone())))
    }

    pub(crate) fn merge_again(&mut self, script: &str) -> String {
        let text = self.play(script);
        format!("{text}merge: {}\n", self.merge())
    }

    pub(crate) fn rows_of(&self, table: &str) -> impl Iterator<Item = &Vec<Value>> {
        self.table.iter().filter(move |((name, _), _)| *name == table).map(|(_, row)| row)
    }

    pub(crate) fn last_is_a_transfer(&self) -> bool {
        matches!(self.last, Some(Message::Account(ExchangeEvent::Transfer { .. })))
    }
}
