//! The service: who gets which input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nightdesk_capital::Mode;
use nightdesk_exchange::{ExchangeEvent, Stream};
use nightdesk_market::MarketEvent;
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_shell::{Input, RestoreError, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row};
use nightdesk_units::{Micros, Timestamp};
use nightdesk_wire::{Command, LinkState, Message, Outcome, OutcomeKind, Queue, ReconcileAnswer};

use crate::attempt::{Durable, Fact, State};
use crate::config::Config;
use crate::effect::{Effect, Event};
use crate::feed::Feed;
use crate::gauges::Gauges;
use crate::tables;

/// How often core-engine is told that the streams are alive.
const HEARTBEAT: Micros = Micros::from_secs(5);
/// The most events kept aside while the store takes no writes; beyond it the exchange is asked again instead.
const MAX_DEFERRED: usize = 10_000;

/// What is under way for one order; lost in a crash, and rebuilt by asking.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Waits for the rate limiter or the end of a ban.
    pub(crate) waiting: Option<Command>,
    /// Its placement has been sent and not been answered.
    pub(crate) placing: bool,
    /// A query or cancel has been sent and not been answered.
    pub(crate) asking: bool,
    /// It shall be cancelled as soon as it is known to be there.
    pub(crate) cancel_wanted: bool,
    /// The exchange has shown that it has the order.
    pub(crate) seen: bool,
    /// When to ask next.
    pub(crate) ask_at: Option<Timestamp>,
    /// Queries without a useful answer, and refused cancels, in a row.
    pub(crate) misses: u32,
    /// The exchange refused to cancel it: why, a question has to show before the next cancel.
    pub(crate) cancel_refused: bool,
    /// Since when its outcome is unknown.
    pub(crate) doubt_since: Option<Timestamp>,
}

/// The exchange-connector.
pub struct ExchangeConnector {
    pub(crate) config: Config,
    pub(crate) durable: Durable,
    pub(crate) live: BTreeMap<ClientOrderId, Live>,
    pub(crate) asks: BTreeSet<(Timestamp, ClientOrderId)>,
    /// The exchange wants no requests before.
    pub(crate) hold_until: Timestamp,
    pub(crate) gauges: Arc<Gauges>,
    feed: Feed,
    links: BTreeMap<Stream, (bool, Timestamp)>,
    heartbeat: Option<Timestamp>,
    deferred: Vec<Event>,
    /// More events came than could be kept aside: what they would have said is asked for.
    lost_sight: bool,
    /// A mode heard while the store took no writes. It holds at once, and is taken up when it is heard again.
    pub(crate) emergency_mode: Option<Mode>,
    /// The process is about to stop.
    pub(crate) draining: bool,
}

pub(crate) type Out = Step<Effect>;

impl ExchangeConnector {
    /// A connector that has not been restored yet.
    #[must_use]
    pub fn new(config: Config, gauges: Arc<Gauges>) -> Self {
        let feed = Feed::new(&config);
        Self {
            config,
            durable: Durable::default(),
            live: BTreeMap::new(),
            asks: BTreeSet::new(),
            hold_until: Timestamp::default(),
            gauges,
            feed,
            links: BTreeMap::new(),
            heartbeat: None,
            deferred: Vec::new(),
            lost_sight: false,
            emergency_mode: None,
            draining: false,
        }
    }

    /// Takes market data in and publishes what others decide on. Apart from [`Service::handle`] so that a backtest can call it
    /// without the loop around it.
    pub fn on_market(&mut self, event: MarketEvent, step: &mut Step<Effect>) {
        self.feed.take(event, |event| step.publish(event));
    }

    /// Journals `fact` and changes the state by it.
    pub(crate) fn record(&mut self, turn: &Turn, fact: &Fact, step: &mut Out) {
        step.record(fact.kind(), turn.now, fact);
        self.durable.apply(fact);
    }

    /// Tells core-engine what became of a command. What rests on a journaled fact must arrive; the rest can be asked again.
    pub(crate) fn tell(turn: &Turn, id: ClientOrderId, attempt: u32, kind: OutcomeKind, step: &mut Out) {
        let journaled = matches!(kind, OutcomeKind::Rejected { .. } | OutcomeKind::NeverArrived { .. });
        let message = Message::Outcome(Outcome { client_order_id: id, attempt, kind, at: turn.now });
        if journaled {
            step.send(Queue::CORE, message);
        } else {
            step.notify(Queue::CORE, message);
        }
    }

    fn started(&mut self, turn: &Turn, step: &mut Out) {
        self.look(turn, step);
        self.heartbeat = Some(turn.now + HEARTBEAT);
    }

    /// Takes up work with nothing but the journal to go by.
    fn look(&mut self, turn: &Turn, step: &mut Out) {
        step.act(Effect::Instruments(self.config.symbols.clone()));
        // Whatever may have left before is asked about before anything else happens to it.
        let open: Vec<ClientOrderId> = self.durable.open_attempts().collect();
        for id in open {
            self.live.entry(id).or_default().doubt_since = Some(turn.now);
            self.ask(turn, id, step);
        }
    }

    /// The store works again: what came meanwhile is taken in.
    fn catch_up(&mut self, turn: &Turn, step: &mut Out) {
        for event in std::mem::take(&mut self.deferred) {
            self.event(turn, event, step);
        }
        if std::mem::take(&mut self.lost_sight) {
            self.live.clear();
            self.asks.clear();
            self.look(turn, step);
        }
    }

    fn message(&mut self, turn: &Turn, message: Message, step: &mut Out) {
        match message {
            Message::Command(command) => self.command(turn, command, step),
            Message::Mode(mode) => self.set_mode(turn, mode, step),
            Message::Resolve(resolve) => step.act(Effect::Resolve(resolve)),
            Message::ReconcileRequest(request) => {
                // Who asks may have started after our last word about the streams, and takes no risk before the next.
                self.link(Stream::User, None, step);
                step.act(Effect::Reconcile(request));
            }
            Message::CandleRequest(request) => step.act(Effect::Candles(request)),
            other => tracing::warn!(?other, "message is not for the connector"),
        }
    }

    fn event(&mut self, turn: &Turn, event: Event, step: &mut Out) {
        match event {
            Event::Exchange(event) => self.exchange(turn, event, step),
            Event::Admitted { id, offset, limits } => {
                self.gauges.update(|figures| figures.limits = limits);
                self.admitted(turn, id, offset, step);
            }
            Event::Placed { id, attempt, result } => self.placed(turn, id, attempt, result, step),
            Event::Canceled { id, result } => self.canceled(turn, id, result, step),
            Event::Queried { id, asked_at, result } => self.queried(turn, id, asked_at, result, step),
            Event::Recalled(command, found) => self.recalled(turn, command, found, step),
            Event::Reconciled(answer) => {
                self.compared(turn, &answer, step);
                step.notify(Queue::CORE, Message::ReconcileAnswer(answer));
            }
            Event::Candles(request, Ok(batch)) => {
                step.notify(Queue::worker(request.instance), Message::Candles(batch));
            }
            Event::Candles(request, Err(error)) => {
                tracing::warn!(%error, symbol = %request.symbol, "candles not fetched; the worker will ask again");
            }
            Event::Drain => self.drain(turn, step),
            Event::Instruments(Ok(instruments)) => self.instruments(instruments, step),
            Event::Instruments(Err(error)) => {
                tracing::warn!(%error, "instruments not known yet; asking again");
                step.act(Effect::RetryInstruments(self.config.symbols.clone()));
            }
        }
    }

    /// The exchange's view also ends what is open here: the report of its end may have been lost with a stream.
    fn compared(&mut self, turn: &Turn, answer: &ReconcileAnswer, step: &mut Out) {
        for report in &answer.orders {
            let id = report.client_order_id;
            let known = self.durable.attempts.get(&id);
            if known.is_some_and(|attempt| attempt.state == State::Sent) {
                self.seen(turn, report, step);
            }
        }
    }

    fn instruments(&mut self, instruments: Vec<nightdesk_market::Instrument>, step: &mut Out) {
        let queues = self.config.instances.iter().map(|instance| Queue::worker(*instance));
        for queue in std::iter::once(Queue::CORE).chain(queues) {
            step.send(queue, Message::Instruments { instruments: instruments.clone() });
        }
    }

    fn exchange(&mut self, turn: &Turn, event: ExchangeEvent, step: &mut Out) {
        match event {
            ExchangeEvent::Market(event) => {
                self.gauges.update(|figures| figures.market_messages += 1);
                self.on_market(event, step);
            }
            ExchangeEvent::Report(report) => {
                self.alive(Stream::User, turn.now);
                self.reported(turn, report, step);
            }
            event @ (ExchangeEvent::Balances { .. } | ExchangeEvent::Transfer { .. }) => {
                self.alive(Stream::User, turn.now);
                step.notify(Queue::CORE, Message::Account(event));
            }
            ExchangeEvent::Up { stream, since } => {
                self.links.insert(stream, (true, turn.now));
                self.link(stream, since, step);
            }
            ExchangeEvent::Down { stream, reason } => {
                tracing::warn!(?stream, reason, "exchange stream is down");
                let at = self.links.get(&stream).map_or(turn.now, |link| link.1);
                self.links.insert(stream, (false, at));
                if stream == Stream::Market {
                    self.feed.cut();
                }
                self.link(stream, None, step);
            }
            ExchangeEvent::Alive { stream } => self.alive(stream, turn.now),
        }
    }

    fn reported(&mut self, turn: &Turn, report: ExecutionReport, step: &mut Out) {
        step.notify(Queue::CORE, Message::Report(report));
        self.seen(turn, &report, step);
    }

    fn alive(&mut self, stream: Stream, now: Timestamp) {
        if let Some(link) = self.links.get_mut(&stream) {
            link.1 = now;
        }
    }

    fn link(&self, stream: Stream, gap_since: Option<Timestamp>, step: &mut Out) {
        if let Some((up, at)) = self.links.get(&stream).copied() {
            step.notify(Queue::CORE, Message::Link(LinkState { stream, up, gap_since, at }));
        }
    }

    fn wakeup(&mut self, turn: &Turn, step: &mut Out) {
        if self.heartbeat.is_some_and(|at| at <= turn.now) {
            self.heartbeat = Some(turn.now + HEARTBEAT);
            self.link(Stream::User, None, step);
        }
        while let Some((at, id)) = self.asks.first().copied().filter(|(at, _)| *at <= turn.now) {
            self.asks.remove(&(at, id));
            self.ask_due(turn, id, step);
        }
        if self.hold_until <= turn.now {
            self.release_held(turn, step);
        }
    }

    fn drop_idle(&mut self) {
        self.live.retain(|_, live| {
            live.waiting.is_some() || live.placing || live.asking || live.ask_at.is_some() || live.cancel_wanted
        });
    }
}

impl Service for ExchangeConnector {
    type Event = Event;
    type Effect = Effect;

    fn name(&self) -> &str {
        "exchange-connector"
    }

    /// The settings' epoch or the newest heard of, whichever is later: a start in a new epoch shuts out the old one at once.
    fn epoch(&self) -> u64 {
        self.durable.epoch.max(self.config.epoch)
    }

    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError> {
        if let Some(snapshot) = snapshot {
            self.durable =
                serde_json::from_str(snapshot).map_err(|error| RestoreError(format!("connector snapshot: {error}")))?;
            self.durable.mark_all();
        }
        for row in tail {
            let fact = serde_json::from_str(&row.body)
                .map_err(|error| RestoreError(format!("connector journal, version {}: {error}", row.version)))?;
            self.durable.apply(&fact);
        }
        Ok(())
    }

    fn snapshot(&self) -> String {
        serde_json::to_string(&self.durable).unwrap_or_default()
    }

    fn handle(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        self.catch_up(turn, step);
        match input {
            Input::Started => self.started(turn, step),
            Input::Message(message) => self.message(turn, message, step),
            Input::Market(event) => self.on_market(event, step),
            Input::Event(event) => self.event(turn, event, step),
            Input::Wakeup => self.wakeup(turn, step),
        }
    }

    fn rows(&mut self, rows: &mut Vec<Row>) {
        for id in std::mem::take(&mut self.durable.dirty) {
            rows.extend(self.durable.attempts.get(&id).map(tables::row));
        }
        self.durable.forget(self.config.remembered);
        if self.live.len() > 1_024 {
            self.drop_idle();
        }
    }

    fn forget_changes(&mut self) {
        self.durable.dirty.clear();
        self.durable.forget(self.config.remembered);
        if self.live.len() > 1_024 {
            self.drop_idle();
        }
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let deferred = (!self.deferred.is_empty() || self.lost_sight).then(Timestamp::default);
        let ask = self.asks.first().map(|(at, _)| *at);
        let held = (self.hold_until > Timestamp::default()).then_some(self.hold_until);
        [deferred, ask, held, self.heartbeat].into_iter().flatten().min()
    }

    fn emergency(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        match input {
            Input::Message(Message::Command(command)) if command.cancel => {
                step.record("emergency_cancel", turn.now, &command);
                let NewOrderKey { symbol, id } = NewOrderKey::of(&command);
                step.act(Effect::Cancel { symbol, id });
            }
            Input::Message(Message::Mode(mode)) => {
                step.record("emergency_mode", turn.now, &mode);
                self.emergency_mode = Some(mode);
            }
            Input::Event(Event::Exchange(ExchangeEvent::Market(_))) => {}
            Input::Event(event) if self.deferred.len() < MAX_DEFERRED => self.deferred.push(event),
            Input::Event(_) => self.lost_sight = true,
            _ => {}
        }
    }

    fn held_back(&mut self, turn: &Turn, held: &mut Out, step: &mut Out) {
        let is_exit = |effect: &Effect| matches!(effect, Effect::Cancel { .. });
        let (exits, rest): (Vec<_>, Vec<_>) = held.effects.drain(..).partition(is_exit);
        held.effects = rest;
        for exit in exits {
            if let Effect::Cancel { symbol, id } = &exit {
                let facts = serde_json::json!({ "symbol": symbol, "client_order_id": id });
                step.record("emergency_cancel_sent", turn.now, &facts);
            }
            step.act(exit);
        }
    }
}

struct NewOrderKey {
    symbol: nightdesk_units::Symbol,
    id: ClientOrderId,
}

impl NewOrderKey {
    fn of(command: &Command) -> Self {
        Self { symbol: command.order.symbol, id: command.order.client_order_id }
    }
}

/// The projection rows that a journal leads to, for whoever checks a store against it. Later rows replace earlier ones
/// with the same key.
///
/// # Errors
/// `RestoreError` when the journal does not make sense.
pub fn replay_rows(config: Config, journal: &[JournalRow]) -> Result<Vec<Row>, RestoreError> {
    let mut connector = ExchangeConnector::new(config, Arc::new(Gauges::default()));
    let mut rows = Vec::new();
    for part in journal.chunks(4_096) {
        connector.restore(None, part)?;
        connector.rows(&mut rows);
    }
    Ok(rows)
}

#[cfg(test)]
#[path = "connector_tests/mod.rs"]
mod tests;
