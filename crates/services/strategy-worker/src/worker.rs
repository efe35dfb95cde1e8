//! The service: market data and messages in, intents out.

use std::convert::Infallible;

use nightdesk_bus::Interest;
use nightdesk_market::{Candle, Instrument, MarketEvent, Quote, Trade};
use nightdesk_shell::{Input, RestoreError, Service, Step, Turn};
use nightdesk_store::{JournalRow, Row};
use nightdesk_strategies::{Decision, Event as StrategyEvent, Strategy, Wants};
use nightdesk_units::{InstanceId, Micros, Ticks, Timestamp};
use nightdesk_wire::{CandleBatch, Message, Queue, RunState, StrategyState};

use crate::config::Config;
use crate::fact::Fact;
use crate::feed::CandleFeed;
use crate::meters::Meters;
use crate::query::{Event, View};
use crate::state::State;

/// How late the next candle may be before the last one is too old to be decided upon.
const GRACE: Micros = Micros::from_secs(2);

pub(crate) type Out = Step<Infallible>;

/// The worker of one strategy instance.
pub struct StrategyWorker {
    pub(crate) config: Config,
    name: String,
    pub(crate) state: State,
    pub(crate) strategy: Box<dyn Strategy>,
    wants: Wants,
    pub(crate) feeds: Vec<CandleFeed>,
    /// Why it cannot go on.
    failed: Option<String>,
    /// It cannot go on because the stored state is another strategy's: nothing in this run mends that.
    pub(crate) is_foreign: bool,
    /// The instrument is known, and the strategy has been told that orders and position are up to date.
    pub(crate) synced: bool,
    pub(crate) quote: Option<Quote>,
    /// The last price heard, where there are no quotes.
    pub(crate) last: Option<Ticks>,
    /// What core-engine was told last.
    pub(crate) told: Option<(RunState, Option<String>)>,
    /// The failure that was counted and logged last.
    failure_told: Option<String>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) meters: Meters,
}

impl StrategyWorker {
    /// A worker whose strategy has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let strategy = config.params.build();
        Self::with_strategy(config, strategy)
    }

    /// A worker that runs `strategy` instead of the one the settings name: for measurements and tests.
    #[must_use]
    pub fn with_strategy(config: Config, strategy: Box<dyn Strategy>) -> Self {
        let wants = strategy.wants();
        let feed = |wish| CandleFeed::new(config.instance, config.symbol, wish);
        Self {
            name: format!("worker.{}", config.instance),
            state: State::new(config.instance, config.run),
            feeds: wants.candles.iter().copied().map(feed).collect(),
            strategy,
            wants,
            failed: None,
            is_foreign: false,
            synced: false,
            quote: None,
            last: None,
            told: None,
            failure_told: None,
            decisions: Vec::new(),
            meters: Meters::new(config.instance),
            config,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.config.instance
    }

    /// The queue it reads.
    #[must_use]
    pub fn queue(&self) -> Queue {
        Queue::worker(self.config.instance)
    }

    /// The market data it needs.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest {
            symbols: vec![self.config.symbol],
            quotes: self.wants.quotes,
            trades: self.wants.trades,
            candles: !self.wants.candles.is_empty(),
        }
    }

    /// How the instance fares.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            instance: self.config.instance,
            strategy: self.config.params.kind().as_str(),
            symbol: self.config.symbol,
            generation: self.config.generation,
            state: self.run_state(),
            reason: self.failed.clone(),
            position: self.state.position,
            orders: self.state.orders.iter().copied().collect(),
            tally: self.state.tally,
        }
    }

    /// Takes market data in. What leads to nothing allocates nothing.
    pub fn on_market(&mut self, event: &MarketEvent, now: Timestamp, step: &mut Out) {
        match event {
            MarketEvent::Quote(quote) => self.on_quote(quote, now, step),
            MarketEvent::Trade(trade) => self.on_trade(trade, now, step),
            MarketEvent::Candle(candle) => self.on_candle(candle, now, step),
            MarketEvent::Depth(_) | MarketEvent::Snapshot(_) => {}
        }
    }

    /// Takes a best bid and ask in.
    pub fn on_quote(&mut self, quote: &Quote, now: Timestamp, step: &mut Out) {
        if self.wants.quotes && quote.symbol == self.config.symbol {
            self.quote = Some(*quote);
            if self.is_active() {
                self.tell(StrategyEvent::Quote(quote), now, step);
            }
        }
    }

    /// Takes a trade of the market in.
    pub fn on_trade(&mut self, trade: &Trade, now: Timestamp, step: &mut Out) {
        if self.wants.trades && trade.symbol == self.config.symbol {
            self.last = Some(trade.price);
            if self.is_active() {
                self.tell(StrategyEvent::Trade(trade), now, step);
            }
        }
    }

    /// Takes a closed candle in.
    pub fn on_candle(&mut self, candle: &Candle, now: Timestamp, step: &mut Out) {
        let Some(feed) = self.feeds.iter_mut().find(|feed| feed.covers(candle)) else { return };
        if feed.closed(candle, now) {
            self.learn(candle, true, now, step);
        } else {
            self.request_candles(now, step);
        }
        self.report(step);
    }

    /// True while it may decide.
    pub(crate) fn is_active(&self) -> bool {
        self.synced && self.state.run && self.failed.is_none()
    }

    fn run_state(&self) -> RunState {
        if self.failed.is_some() {
            RunState::Failed
        } else if !self.state.run {
            RunState::Stopped
        } else if self.synced && self.feeds.iter().all(CandleFeed::is_live) && self.strategy.is_ready() {
            RunState::Running
        } else {
            RunState::WarmingUp
        }
    }

    /// Tells core-engine how the instance fares, if that has changed.
    pub(crate) fn report(&mut self, step: &mut Out) {
        let state = self.run_state();
        if self.told.as_ref().is_some_and(|(told, reason)| *told == state && *reason == self.failed) {
            return;
        }
        if state == RunState::Failed && self.failure_told != self.failed {
            self.failure_told.clone_from(&self.failed);
            self.meters.failed();
            let (instance, reason) = (self.config.instance, self.failed.as_deref().unwrap_or_default());
            tracing::error!(strategy = %instance, reason, "strategy {instance} cannot go on: {reason}");
        }
        self.told = Some((state, self.failed.clone()));
        let message = StrategyState {
            instance: self.config.instance,
            strategy: self.config.params.kind().as_str().to_owned(),
            symbol: self.config.symbol,
            generation: self.config.generation,
            state,
            reason: self.failed.clone(),
        };
        step.send(Queue::CORE, Message::StrategyState(message));
    }

    /// Hands a candle to the strategy: to decide upon if it is the newest and still counts as such, else to learn from.
    fn learn(&mut self, candle: &Candle, newest: bool, now: Timestamp, step: &mut Out) {
        self.last = Some(candle.close);
        let overdue = now.since(candle.close_at()) > Micros(candle.interval.span().0.saturating_add(GRACE.0));
        let decide = newest && !overdue && self.is_active();
        self.tell(if decide { StrategyEvent::Candle(candle) } else { StrategyEvent::Backfill(candle) }, now, step);
    }

    fn start(&mut self, now: Timestamp, step: &mut Out) {
        if let Some(saved) = self.state.strategy.clone()
            && let Err(error) = self.strategy.restore(saved)
        {
            (self.failed, self.is_foreign) = (Some(error.to_string()), true);
        }
        if let Some(instrument) = self.state.instrument.clone() {
            self.meet(&instrument, now, step);
        }
        self.report(step);
    }

    /// Sends the requests for candles that are due.
    fn request_candles(&mut self, now: Timestamp, step: &mut Out) {
        for feed in &mut self.feeds {
            if let Some(request) = feed.due(now) {
                // Safe to lose: it is repeated until it is answered.
                step.notify(Queue::CONNECTOR, Message::CandleRequest(request));
            }
        }
    }

    fn on_candles(&mut self, batch: &CandleBatch, now: Timestamp, step: &mut Out) {
        for i in 0..self.feeds.len() {
            let Some(feed) = self.feeds.get_mut(i) else { break };
            let ready = feed.answered(batch, now);
            let live = feed.is_live();
            for (left, candle) in (0..ready.len()).rev().zip(&ready) {
                self.learn(candle, live && left == 0, now, step);
            }
        }
        self.request_candles(now, step);
        self.report(step);
    }

    fn on_instruments(&mut self, instruments: &[Instrument], now: Timestamp, step: &mut Out) {
        let symbol = self.config.symbol;
        let Some(instrument) = instruments.iter().find(|instrument| instrument.symbol == symbol) else {
            if self.state.instrument.is_none() {
                tracing::warn!(strategy = %self.config.instance, %symbol, "the exchange's instruments do not include {symbol}");
            }
            return;
        };
        if self.state.instrument.as_ref() != Some(instrument) {
            let fact = Fact { instrument: Some(instrument.clone()), ..Fact::default() };
            step.record(fact.kind(), now, &fact);
            self.state.apply(&fact, now);
        }
        self.meet(instrument, now, step);
        self.report(step);
    }

    /// Checks the parameters against the instrument, and lets the strategy begin: with its history.
    fn meet(&mut self, instrument: &Instrument, now: Timestamp, step: &mut Out) {
        if self.is_foreign {
            return;
        }
        let (had_failed, had_begun) = (self.failed.is_some(), self.synced);
        let problems: Vec<String> = self.config.params.check(instrument).iter().map(ToString::to_string).collect();
        self.failed = (!problems.is_empty()).then(|| problems.join("; "));
        self.synced = true;
        if !had_begun {
            self.feeds.iter_mut().for_each(|feed| feed.start(now));
            self.request_candles(now, step);
        }
        if !had_begun || (had_failed && self.failed.is_none()) {
            self.tell(StrategyEvent::Resync, now, step);
        }
    }

    fn on_control(&mut self, run: bool, now: Timestamp, step: &mut Out) {
        // Whoever asked is answered, also when nothing changes.
        self.told = None;
        if self.state.run != run {
            let open = self.state.orders.iter().filter(|order| !run && !order.cancel_asked);
            let cancel = open.map(|order| order.placement.key).collect();
            let fact = Fact { run: Some(run), cancel, ..Fact::default() };
            self.state.run = run;
            self.journal(&fact, now, step);
            tracing::info!(strategy = %self.config.instance, run, "strategy {} told to {}", self.config.instance, if run { "run" } else { "stop" });
            if run && self.synced {
                self.tell(StrategyEvent::Resync, now, step);
            }
        }
        self.report(step);
    }

    fn on_message(&mut self, message: Message, now: Timestamp, step: &mut Out) {
        let own = self.config.instance;
        match message {
            Message::OrderUpdate(update) if update.instance == own => self.on_update(update.into(), now, step),
            Message::StrategyControl(control) if control.instance == own => self.on_control(control.run, now, step),
            Message::Candles(batch) if batch.request.instance == own => self.on_candles(&batch, now, step),
            Message::Instruments { instruments } => self.on_instruments(&instruments, now, step),
            other => {
                let text = format!("{other:?}");
                let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                tracing::warn!(message = name, strategy = %own, "worker {own} ignored a message that is not for it: {name}");
            }
        }
    }
}

impl Service for StrategyWorker {
    type Event = Event;
    type Effect = Infallible;

    fn name(&self) -> &str {
        &self.name
    }

    fn epoch(&self) -> u64 {
        self.config.epoch
    }

    fn restore(&mut self, snapshot: Option<&str>, tail: &[JournalRow]) -> Result<(), RestoreError> {
        if let Some(snapshot) = snapshot {
            let place = |error| RestoreError(format!("snapshot of {}: {error}", self.name));
            self.state.load(snapshot).map_err(place)?;
        }
        for row in tail {
            let place = |error| RestoreError(format!("fact {} ({}) of {}: {error}", row.version, row.kind, row.stream));
            let fact: Fact = serde_json::from_str(&row.body).map_err(place)?;
            self.state.apply(&fact, row.at);
        }
        Ok(())
    }

    fn snapshot(&self) -> String {
        self.state.save()
    }

    fn handle(&mut self, turn: &Turn, input: Input<Event>, step: &mut Out) {
        match input {
            Input::Started => self.start(turn.now, step),
            Input::Message(message) => self.on_message(message, turn.now, step),
            Input::Market(event) => self.on_market(&event, turn.now, step),
            Input::Event(Event::Query(_, reply)) => reply(self.view()),
            Input::Wakeup => self.request_candles(turn.now, step),
        }
    }

    fn rows(&mut self, rows: &mut Vec<Row>) {
        self.state.rows(rows);
    }

    fn forget_changes(&mut self) {
        self.state.forget_changes();
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.feeds.iter().filter_map(CandleFeed::wakeup).min()
    }

    /// Answers questions; decisions wait for the store.
    fn emergency(&mut self, _: &Turn, input: Input<Event>, _: &mut Out) {
        if let Input::Event(Event::Query(_, reply)) = input {
            reply(self.view());
        }
    }
}

/// Every projection row that a journal, from its first fact, leads to.
///
/// # Errors
/// When a fact cannot be read.
pub fn replay_rows(config: Config, journal: &[JournalRow]) -> Result<Vec<Row>, RestoreError> {
    let mut worker = StrategyWorker::new(config);
    worker.restore(None, journal)?;
    let mut rows = Vec::new();
    worker.rows(&mut rows);
    Ok(rows)
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
