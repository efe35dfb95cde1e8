//! A connector with what its shell would keep, driven by text.

use std::collections::BTreeMap;
use std::sync::Arc;

use nightdesk_capital::{Level, Mode};
use nightdesk_exchange::{ClockOffset, ExchangeError, ExchangeEvent, LimitUsage, NewOrder, Placed, Stream};
use nightdesk_market::{MarketEvent, Side, Trade};
use nightdesk_orders::{ClientOrderId, ExchangeStatus, ExecutionReport, IntentId, OrderKind, TimeInForce};
use nightdesk_shell::{Input, Outgoing, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row, Value};
use nightdesk_units::{Lots, Micros, Money, Price, Qty, Symbol, Ticks, Timestamp};
use nightdesk_wire::{Command, Message, OutcomeKind};

use crate::attempt::Fact;
use crate::effect::Recalled;
use crate::{Config, Effect, Event, ExchangeConnector, Gauges, replay_rows, tables};

type Table = BTreeMap<Vec<Value>, Vec<Value>>;

fn collect(rows: Vec<Row>, into: &mut Table) {
    for row in rows {
        into.insert(row.key().to_vec(), row.values);
    }
}

pub(crate) fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

pub(crate) fn id(name: &str) -> ClientOrderId {
    let instance = "7".parse().unwrap();
    ClientOrderId::of(instance, IntentId::derive(instance, 1, name))
}

/// The names that scenarios use, back from the ids.
fn name(id: ClientOrderId) -> String {
    let known = ('a'..='z').map(String::from).find(|name| self::id(name) == id);
    known.unwrap_or_else(|| id.to_string())
}

/// A buy of 2 at 100; a reduction is a sale.
pub(crate) fn command(name: &str, attempt: u32, reduces: bool, cancel: bool) -> Command {
    let kind = OrderKind::Limit { price: "100".parse().unwrap(), tif: TimeInForce::Gtc };
    let side = if reduces { Side::Sell } else { Side::Buy };
    let order = NewOrder { symbol: symbol(), client_order_id: id(name), side, kind, qty: "2".parse().unwrap() };
    let reference = "100".parse().unwrap();
    Command { order, attempt, epoch: 1, reduces, cancel, reference, decided_at: Timestamp::from_millis(9_000) }
}

pub(crate) fn report(name: &str, status: ExchangeStatus) -> ExecutionReport {
    let filled: Qty = match status {
        ExchangeStatus::Filled => "2",
        ExchangeStatus::PartiallyFilled => "1",
        _ => "0",
    }
    .parse()
    .unwrap();
    let price: Price = "100".parse().unwrap();
    ExecutionReport {
        symbol: symbol(),
        client_order_id: id(name),
        exchange_order_id: 1,
        side: Side::Buy,
        kind: OrderKind::Limit { price, tif: TimeInForce::Gtc },
        qty: "2".parse().unwrap(),
        status,
        filled,
        filled_quote: price.notional(filled).unwrap_or(Money::ZERO),
        fill: None,
        at: Timestamp::from_millis(1),
    }
}

pub(crate) fn mode(word: &str, version: u64) -> Mode {
    let level = if word == "halted" { Level::Halted } else { Level::Normal };
    Mode { level, read_only: word == "read-only", version, ..Mode::default() }
}

pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) connector: ExchangeConnector,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) table: Table,
    snapshot: Option<(usize, String)>,
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    epoch: u64,
    decided_at: Timestamp,
    /// What the exchange's clock is ahead.
    offset: Micros,
}

/// What one turn led to.
pub(crate) struct Done {
    pub(crate) facts: Vec<Fact>,
    pub(crate) out: Vec<Outgoing>,
    pub(crate) effects: Vec<Effect>,
}

impl House {
    /// A connector that has started on an empty store.
    pub(crate) fn new() -> Self {
        let config = Config::new(vec![symbol()]);
        let (start, gauges) = (Timestamp::from_millis(10_000), Arc::new(Gauges::default()));
        let mut house = Self {
            connector: ExchangeConnector::new(config.clone(), Arc::clone(&gauges)),
            config,
            gauges,
            journal: Vec::new(),
            table: Table::new(),
            snapshot: None,
            start,
            now: start,
            epoch: 1,
            decided_at: Timestamp::from_millis(9_000),
            offset: Micros(0),
        };
        house.take(Input::Started);
        house
    }

    /// One turn.
    pub(crate) fn take(&mut self, input: Input<Event>) -> Done {
        let mut step = Step::default();
        self.connector.handle(&Turn { now: self.now, oldest_outbox: None }, input, &mut step);
        let facts = step.records.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect();
        for record in step.records {
            self.journal.push(JournalRow {
                stream: "exchange-connector".to_owned(),
                version: self.journal.len() as u64 + 1,
                epoch: self.connector.epoch(),
                at: record.at,
                kind: record.kind.to_owned(),
                body: record.body,
            });
        }
        self.write_rows();
        Done { facts, out: step.out, effects: step.effects }
    }

    fn write_rows(&mut self) {
        let mut rows = Vec::new();
        self.connector.rows(&mut rows);
        collect(rows, &mut self.table);
    }

    /// Dies and comes back from its snapshot and the journal after it; also from the whole journal, and by its rows.
    pub(crate) fn restart(&mut self) -> Done {
        let before = self.connector.snapshot();
        let (from, text) = self.snapshot.clone().unzip();
        let fresh = || ExchangeConnector::new(self.config.clone(), Arc::clone(&self.gauges));
        let (mut short, mut long) = (fresh(), fresh());
        short.restore(text.as_deref(), &self.journal[from.unwrap_or(0)..]).unwrap();
        long.restore(None, &self.journal).unwrap();
        assert_eq!(short.snapshot(), before, "what was restored is what lived");
        assert_eq!(long.snapshot(), before, "what was replayed is what lived");
        self.check_rows();
        self.connector = short;
        self.take(Input::Started)
    }

    pub(crate) fn check_rows(&self) {
        let mut replayed = Table::new();
        collect(replay_rows(self.config.clone(), &self.journal).unwrap(), &mut replayed);
        assert_eq!(replayed, self.table, "the rows are those of a replay");
    }

    pub(crate) fn snapshot(&mut self) {
        self.snapshot = Some((self.journal.len(), self.connector.snapshot()));
    }

    fn attempt_of(&self, id: ClientOrderId) -> u32 {
        self.connector.durable.attempts.get(&id).map_or(1, |known| known.command.attempt)
    }

    fn command(&self, text: &str, reduces: bool, cancel: bool) -> Input<Event> {
        let (name, attempt) = text.split_once('/').unwrap_or((text, "1"));
        let base = command(name, attempt.parse().unwrap(), reduces, cancel);
        Input::Message(Message::Command(Command { epoch: self.epoch, decided_at: self.decided_at, ..base }))
    }

    fn event(&self, words: &[&str]) -> Option<Event> {
        Some(match words {
            ["admitted", name] => {
                let offset = ClockOffset { offset: self.offset, uncertainty: Micros(0) };
                Event::Admitted { id: id(name), offset, limits: LimitUsage::default() }
            }
            ["placed", text, how @ ..] => {
                let name = text.split('/').next()?;
                let attempt = text.split_once('/').map_or(self.attempt_of(id(name)), |(_, n)| n.parse().unwrap());
                let result = answer(name, how, -2010).map(|order| Placed { order, fills: Vec::new() });
                Event::Placed { id: id(name), attempt, result }
            }
            ["canceled", name, how @ ..] => Event::Canceled { id: id(name), result: answer(name, how, -2011) },
            ["queried", name, how @ .., "asked", seconds] => {
                let result = answer(name, how, -2013).map(|order| (order, Vec::new()));
                Event::Queried { id: id(name), asked_at: self.start + seconds_of(seconds), result }
            }
            ["queried", name, how @ ..] => {
                let result = answer(name, how, -2013).map(|order| (order, Vec::new()));
                Event::Queried { id: id(name), asked_at: self.now + self.offset, result }
            }
            ["report", name, status] => Event::Exchange(ExchangeEvent::Report(report(name, status_of(status)))),
            ["stream", which, how] => {
                let stream = if *which == "user" { Stream::User } else { Stream::Market };
                Event::Exchange(match *how {
                    "up" => ExchangeEvent::Up { stream, since: None },
                    "back" => ExchangeEvent::Up { stream, since: Some(self.now) },
                    "down" => ExchangeEvent::Down { stream, reason: "cut".to_owned() },
                    _ => ExchangeEvent::Alive { stream },
                })
            }
            ["trade", number, seconds] => {
                let (at, number) = (self.start + seconds_of(seconds), number.parse().unwrap());
                let (price, qty) = (Ticks(100), Lots(1));
                let trade = Trade { symbol: symbol(), id: number, price, qty, buyer_is_maker: true, at };
                Event::Exchange(ExchangeEvent::Market(MarketEvent::Trade(trade)))
            }
            ["recalled", how, text] => {
                let Input::Message(Message::Command(command)) = self.command(text, false, false) else { panic!() };
                let found = (*how == "known").then(|| {
                    let row = self.table.get(&vec![Value::from(command.order.client_order_id.as_str())]).unwrap();
                    Recalled(tables::attempt(row).unwrap())
                });
                Event::Recalled(command, found)
            }
            _ => return None,
        })
    }

    fn input(&mut self, words: &[&str]) -> Option<Input<Event>> {
        Some(match words {
            ["place", text] => self.command(text, false, false),
            ["reduce", text] => self.command(text, true, false),
            ["cancel", text] => self.command(text, false, true),
            ["mode", word] => {
                let version = self.connector.durable.mode.as_ref().map_or(0, |mode| mode.version + 1);
                Input::Message(Message::Mode(mode(word, version)))
            }
            ["mode", word, version] => Input::Message(Message::Mode(mode(word, version.parse().unwrap()))),
            ["wake"] => Input::Wakeup,
            ["drain"] => Input::Event(Event::Drain),
            words => Input::Event(self.event(words)?),
        })
    }

    /// `place|reduce|cancel NAME[/ATTEMPT]`, `mode WORD [VERSION]`, `admitted NAME`, `placed NAME HOW`, `canceled NAME HOW`,
    /// `queried NAME HOW [asked SECONDS]`, `report NAME STATUS`, `stream WHICH HOW`, `trade ID SECONDS`, `wake`, `drain`,
    /// `at SECONDS` (since the start), `epoch N`, `decided SECONDS`, `skew MS`, `snapshot`, `restart`,
    /// `without a store: COMMAND`.
    pub(crate) fn run(&mut self, text: &str) -> String {
        if let Some(rest) = text.strip_prefix("without a store: ") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let input = self.input(&words).unwrap();
            let mut step = Step::default();
            self.connector.emergency(&Turn { now: self.now, oldest_outbox: None }, input, &mut step);
            let kinds = step.records.iter().map(|record| record.kind.to_owned());
            return kinds.chain(step.effects.iter().map(show_effect)).collect::<Vec<_>>().join(", ");
        }
        if let Some(rest) = text.strip_prefix("held back: ") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let (turn, input) = (Turn { now: self.now, oldest_outbox: None }, self.input(&words).unwrap());
            let (mut held, mut step) = (Step::default(), Step::default());
            self.connector.handle(&turn, input, &mut held);
            self.connector.held_back(&turn, &mut held, &mut step);
            let kinds = step.records.iter().map(|record| record.kind.to_owned());
            let at_once = kinds.chain(step.effects.iter().map(show_effect)).collect::<Vec<_>>().join(", ");
            let later = held.effects.iter().map(show_effect).collect::<Vec<_>>().join(", ");
            return format!("at once [{at_once}], later [{later}]");
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["at", seconds] => self.now = self.start + seconds_of(seconds),
            ["epoch", n] => self.epoch = n.parse().unwrap(),
            ["decided", seconds] => self.decided_at = self.start + seconds_of(seconds),
            ["skew", ms] => self.offset = Micros::from_millis(ms.parse().unwrap()),
            _ => return show(&self.perform(text)),
        }
        String::new()
    }

    /// What a command that is one input leads to.
    pub(crate) fn perform(&mut self, text: &str) -> Done {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["restart"] => self.restart(),
            ["snapshot"] => {
                self.snapshot();
                Done { facts: Vec::new(), out: Vec::new(), effects: Vec::new() }
            }
            words => {
                let input = self.input(words).unwrap_or_else(|| panic!("no command {words:?}"));
                self.take(input)
            }
        }
    }

    pub(crate) fn play(&mut self, script: &str) -> String {
        let mut text = String::new();
        for command in script.split('|').map(str::trim) {
            let said = self.run(command);
            text += &if said.is_empty() { format!("{command}\n") } else { format!("{command}: {said}\n") };
        }
        text
    }
}

/// The exchange's answer; `code` is what it refuses with.
fn answer(name: &str, how: &[&str], code: i32) -> Result<ExecutionReport, ExchangeError> {
    match how {
        ["lost"] => Err(ExchangeError::InDoubt { reason: "no answer".to_owned() }),
        ["refused" | "none"] => Err(ExchangeError::Rejected { code, reason: "no".to_owned() }),
        ["duplicate"] => Err(ExchangeError::Rejected { code, reason: "Duplicate order sent.".to_owned() }),
        ["retry", ms] => {
            let after = Micros::from_millis(ms.parse().unwrap());
            Err(ExchangeError::Retry { after, reason: "later".to_owned() })
        }
        [status] => Ok(report(name, status_of(status))),
        other => panic!("no answer {other:?}"),
    }
}

fn seconds_of(text: &str) -> Micros {
    Micros((text.parse::<f64>().unwrap() * 1e6).round() as i64)
}

fn status_of(word: &str) -> ExchangeStatus {
    match word {
        "open" => ExchangeStatus::New,
        "partial" => ExchangeStatus::PartiallyFilled,
        "filled" => ExchangeStatus::Filled,
        "canceled" => ExchangeStatus::Canceled,
        "expired" => ExchangeStatus::Expired,
        other => panic!("no status {other}"),
    }
}

/// Facts in brackets, then messages, then effects.
fn show(done: &Done) -> String {
    let facts = done.facts.iter().map(|fact| format!("[{}]", show_fact(fact)));
    let out = done.out.iter().map(show_out);
    let effects = done.effects.iter().map(show_effect);
    facts.chain(out).chain(effects).collect::<Vec<_>>().join(", ")
}

fn show_fact(fact: &Fact) -> String {
    let of = |command: &Command| format!("{}/{}", name(command.order.client_order_id), command.attempt);
    match fact {
        Fact::Attempted { command, window } => format!("attempted {} until {}", of(command), window.end().0 / 1_000),
        Fact::Over { id } => format!("over {}", name(*id)),
        Fact::Rejected { id, code, .. } => format!("rejected {} {code}", name(*id)),
        Fact::Absent { id, attempt, .. } => format!("absent {}/{attempt}", name(*id)),
        Fact::Refused { command, reason } => format!("refused {}: {reason}", of(command)),
        Fact::Recalled { attempt } => format!("recalled {} {}", of(&attempt.command), attempt.state.as_str()),
        Fact::Mode(mode) => format!("mode v{}", mode.version),
        Fact::Epoch(epoch) => format!("epoch {epoch}"),
    }
}

fn show_out(out: &Outgoing) -> String {
    match out {
        Outgoing::Send(_, message) => format!("send {}", show_message(message)),
        Outgoing::Notify(_, message) => format!("tell {}", show_message(message)),
        Outgoing::Market(MarketEvent::Trade(trade)) => format!("trade {}", trade.id),
        Outgoing::Market(MarketEvent::Candle(candle)) => format!("candle of {}", candle.open_at.0 / 1_000),
        Outgoing::Market(other) => format!("{other:?}"),
    }
}

fn show_message(message: &Message) -> String {
    match message {
        Message::Outcome(outcome) => {
            let of = format!("{}/{}", name(outcome.client_order_id), outcome.attempt);
            match &outcome.kind {
                OutcomeKind::Known { order, .. } => format!("{of} known {:?}", order.status),
                OutcomeKind::Rejected { code, .. } => format!("{of} rejected {code}"),
                OutcomeKind::CancelRefused { code } => format!("{of} cancel refused {code}"),
                OutcomeKind::InDoubt { .. } => format!("{of} in doubt"),
                OutcomeKind::NeverArrived { .. } => format!("{of} never arrived"),
            }
        }
        Message::Report(report) => format!("report {} {:?}", name(report.client_order_id), report.status),
        Message::ModeEffective { version, in_flight } => {
            let names: Vec<String> = in_flight.iter().map(|id| name(*id)).collect();
            format!("mode v{version} effective, in flight {names:?}")
        }
        Message::Link(link) => {
            let gap = if link.gap_since.is_some() { " with a gap" } else { "" };
            format!("{:?} {}{gap}", link.stream, if link.up { "up" } else { "down" })
        }
        other => format!("{other:?}"),
    }
}

fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::Admit { id, purpose } => format!("-> admit {} {purpose:?}", name(*id)),
        Effect::Place { order, attempt, .. } => format!("-> place {}/{attempt}", name(order.client_order_id)),
        Effect::Cancel { id, .. } => format!("-> cancel {}", name(*id)),
        Effect::Query { id, .. } => format!("-> query {}", name(*id)),
        Effect::Recall(command) => format!("-> recall {}", name(command.order.client_order_id)),
        Effect::Instruments(_) => "-> instruments".to_owned(),
        other => format!("{other:?}"),
    }
}
