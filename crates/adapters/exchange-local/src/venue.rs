//! The exchange behind the port: the venue, its faults, its record, and who is connected.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightdesk_env::{Activity, Clock};
use nightdesk_exchange::{ExchangeError, ExchangeEvent, NewOrder, Stream, Window};
use nightdesk_market::MarketEvent;
use nightdesk_matching::{
    AccountId, OrderRef, OrderRequest, OrderView, Placed, RequestKind, Venue, VenueError, VenueEvent,
};
use nightdesk_orders::ClientOrderId;
use nightdesk_units::{Asset, Micros, Qty, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::convert;
use crate::events::{Line, LocalEvents};
use crate::exchange::LocalExchange;
use crate::fault::{Call, CallFate, EventFate, Faults};
use crate::record::{Asked, Input, RecordLog, RedoError, write};

/// Which market data a connection hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Feed {
    /// The venue's own trades, best quotes and, where `depth` says so, depth, with our orders in them.
    #[default]
    Venue,
    /// The recorded events as they are, as a backtest wants it. A connection made later than the recording's start has no
    /// book until the recording brings a snapshot.
    Recorded,
}

/// How the exchange behaves.
pub struct Options {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts events not yet handled.
    pub activity: Arc<dyn Activity>,
    /// Which market data is told.
    pub feed: Feed,
    /// Whether depth is told.
    pub depth: bool,
    /// Where everything is recorded before it is answered or told.
    pub record: Option<Box<dyn RecordLog>>,
}

/// The exchange's state, to start again from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// How often the market had been driven.
    pub position: u64,
    /// The venue.
    pub venue: Venue,
}

/// A request on its way that nobody waits for any more.
struct LateRequest {
    at: Timestamp,
    asked: Asked,
    window: Window,
}

pub(crate) struct State {
    pub(crate) venue: Venue,
    account: AccountId,
    position: u64,
    feed: Feed,
    depth: bool,
    record: Option<Box<dyn RecordLog>>,
    /// Why nothing is taken any more.
    broken: Option<String>,
    faults: Option<Box<dyn Faults>>,
    skew: Micros,
    late: Vec<LateRequest>,
    line: Option<Arc<Line>>,
    /// Until when each stream is down, and when it last told something.
    down: [Option<Timestamp>; 2],
    last: [Option<Timestamp>; 2],
    /// An event that lets the next one pass.
    swapped: Option<ExchangeEvent>,
    out: Vec<VenueEvent>,
}

/// The exchange; clones share it.
#[derive(Clone)]
pub struct LocalVenue {
    state: Arc<Mutex<State>>,
    pub(crate) clock: Arc<dyn Clock>,
    activity: Arc<dyn Activity>,
}

impl LocalVenue {
    /// An exchange whose connections act for `account`, which is opened.
    #[must_use]
    pub fn new(venue: Venue, account: AccountId, options: Options) -> Self {
        Self::resume(Snapshot { position: 0, venue }, account, options)
    }

    /// An exchange as it stood at a snapshot.
    #[must_use]
    pub fn resume(snapshot: Snapshot, account: AccountId, options: Options) -> Self {
        let Options { clock, activity, feed, depth, record } = options;
        let Snapshot { position, mut venue } = snapshot;
        venue.open_account(account);
        let state = State {
            venue,
            account,
            position,
            feed,
            depth,
            record,
            broken: None,
            faults: None,
            skew: Micros(0),
            late: Vec::new(),
            line: None,
            down: [None; 2],
            last: [None; 2],
            swapped: None,
            out: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), clock, activity }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in the middle of the venue would be a bug that tests show; going on serves cancels at least.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects: the streams are told as up, then the books. A connection made before ends.
    #[must_use]
    pub fn connect(&self) -> (LocalExchange, LocalEvents) {
        let line = Line::new(Arc::clone(&self.activity));
        let mut state = self.lock();
        let before = state.line.replace(Arc::clone(&line));
        (state.down, state.swapped) = ([None; 2], None);
        for stream in [Stream::Market, Stream::User] {
            state.tell_up(stream, None);
        }
        drop(state);
        before.into_iter().for_each(|line| line.close());
        (LocalExchange::new(self.clone()), LocalEvents::new(line))
    }

    /// Takes a recorded market event in, at the exchange's present time.
    pub fn apply(&self, event: &MarketEvent) {
        self.drive_with(Some(event), |venue, now, out| venue.apply(event, now, out));
    }

    /// Moves the market by whatever `step` does with the venue (a step of a synthetic market).
    pub fn drive<T>(&self, step: impl FnOnce(&mut Venue, &mut Vec<VenueEvent>) -> T) -> T {
        self.drive_with(None, |venue, _, out| step(venue, out))
    }

    fn drive_with<T>(
        &self,
        recorded: Option<&MarketEvent>,
        step: impl FnOnce(&mut Venue, Timestamp, &mut Vec<VenueEvent>) -> T,
    ) -> T {
        let mut state = self.lock();
        let now = state.arrive(&*self.clock);
        state.position += 1;
        let mut out = std::mem::take(&mut state.out);
        let answer = step(&mut state.venue, now, &mut out);
        if let Some(event) = recorded.filter(|_| state.feed == Feed::Recorded) {
            state.tell(ExchangeEvent::Market(event.clone()), now);
        }
        state.out = out;
        if !state.out.is_empty() {
            // A failure to record is remembered and refuses the next call.
            let _ = state.publish(None, now);
        }
        answer
    }

    /// Time has passed: late requests arrive, cut streams come up again.
    pub fn advance(&self) {
        self.lock().arrive(&*self.clock);
    }

    /// Deposits to (or, negative, withdraws from) the account.
    ///
    /// # Errors
    /// As [`Venue::deposit`] and [`ExchangeError::Retry`] when the record cannot be written.
    pub fn deposit(&self, asset: Asset, delta: Qty) -> Result<(), ExchangeError> {
        let mut state = self.lock();
        let now = state.arrive(&*self.clock);
        state.check_record()?;
        state.ask(Asked::Deposit(asset, delta), now).map(drop)
    }

    /// Repeats a recorded input after a restart. What follows is recorded anew where there is a record, and told to whoever is
    /// connected: do this before connecting.
    ///
    /// # Errors
    /// When the market has not been driven to where the input belongs, the venue refuses, or the record cannot be written.
    pub fn redo(&self, input: &Input) -> Result<(), RedoError> {
        let mut state = self.lock();
        if state.position != input.position {
            return Err(RedoError::Position { wanted: input.position, here: state.position });
        }
        let mut out = std::mem::take(&mut state.out);
        let done = state.carry_out(input, &mut out).map(drop).map_err(RedoError::Refused);
        state.out = out;
        done?;
        state.publish(Some(*input), input.at).map_err(RedoError::Record)
    }

    /// The state, to start again from.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot { position: state.position, venue: state.venue.clone() }
    }

    /// Looks at the venue.
    pub fn inspect<T>(&self, look: impl FnOnce(&Venue) -> T) -> T {
        look(&self.lock().venue)
    }

    /// How often the market has been driven.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.lock().position
    }

    /// Events waiting for the connection, and the most that ever did.
    #[must_use]
    pub fn backlog(&self) -> (usize, usize) {
        self.lock().line.as_ref().map_or((0, 0), |line| line.backlog())
    }

    /// Sets who decides fates; `None` for none.
    pub fn set_faults(&self, faults: Option<Box<dyn Faults>>) {
        self.lock().faults = faults;
    }

    /// Sets how far the exchange's clock is ahead of ours.
    pub fn set_skew(&self, skew: Micros) {
        self.lock().skew = skew;
    }

    /// The exchange's clock.
    #[must_use]
    pub fn exchange_time(&self) -> Timestamp {
        self.clock.now() + self.lock().skew
    }

    /// Cuts a stream; it is up again after `down_for`.
    pub fn cut(&self, stream: Stream, down_for: Micros) {
        let mut state = self.lock();
        let now = state.arrive(&*self.clock);
        state.cut(stream, now + down_for);
    }
}

impl State {
    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    /// What must have happened by now: late requests arrive, streams come up.
    pub(crate) fn arrive(&mut self, clock: &dyn Clock) -> Timestamp {
        let now = clock.now() + self.skew;
        while let Some(next) = (0..self.late.len()).min_by_key(|i| self.late[*i].at).filter(|i| self.late[*i].at <= now)
        {
            let request = self.late.remove(next);
            if check_window(request.window, request.at).is_ok() && self.check_record().is_ok() {
                // Nobody waits for the answer.
                let _ = self.ask(request.asked, request.at);
            }
        }
        for stream in [Stream::Market, Stream::User] {
            if self.down[index(stream)].is_some_and(|until| until <= now) {
                self.down[index(stream)] = None;
                self.tell_up(stream, self.last[index(stream)]);
            }
        }
        now
    }

    pub(crate) fn fate(&mut self, call: Call) -> CallFate {
        self.faults.as_mut().map_or(CallFate::Answer, |faults| faults.call(call))
    }

    pub(crate) fn send_later(&mut self, asked: Asked, window: Window, at: Timestamp) {
        self.late.push(LateRequest { at, asked, window });
    }

    /// Nothing is taken once the record cannot be written.
    pub(crate) fn check_record(&self) -> Result<(), ExchangeError> {
        match &self.broken {
            None => Ok(()),
            Some(reason) => Err(ExchangeError::Retry { after: Micros::from_secs(60), reason: reason.clone() }),
        }
    }

    pub(crate) fn ask(&mut self, asked: Asked, now: Timestamp) -> Result<Option<Placed>, ExchangeError> {
        let input = Input { at: now, position: self.position, account: self.account, asked };
        let mut out = std::mem::take(&mut self.out);
        let answer = self.carry_out(&input, &mut out);
        self.out = out;
        let answer = answer.map_err(convert::refused)?;
        self.publish(Some(input), now)?;
        Ok(answer)
    }

    /// The answer to a cancel has no fills.
    fn carry_out(&mut self, input: &Input, out: &mut Vec<VenueEvent>) -> Result<Option<Placed>, VenueError> {
        let (account, at) = (input.account, input.at);
        let canceled = |(order, _): (OrderView, ClientOrderId)| Some(Placed { order, fills: Vec::new() });
        match &input.asked {
            Asked::Place(request) => self.venue.place(account, request, at, out).map(Some),
            Asked::Cancel(symbol, id) => {
                self.venue.cancel(account, *symbol, OrderRef::Client(*id), None, at, out).map(canceled)
            }
            Asked::Deposit(asset, delta) => self.venue.deposit(account, *asset, *delta, at, out).map(|()| None),
        }
    }

    /// Records what has happened, then tells it.
    fn publish(&mut self, input: Option<Input>, now: Timestamp) -> Result<(), ExchangeError> {
        let mut out = std::mem::take(&mut self.out);
        let recorded = match (&self.broken, &mut self.record) {
            (Some(reason), _) => Err(reason.clone()),
            (None, Some(log)) => write(&mut **log, input, &out)
                .map_err(|error| format!("the exchange's record cannot be written: {error}")),
            (None, None) => Ok(()),
        };
        if let Err(reason) = recorded {
            // What is not on record is not told.
            self.broken = Some(reason.clone());
            out.clear();
            self.out = out;
            return Err(ExchangeError::InDoubt { reason });
        }
        let mut told = Vec::new();
        convert::events(&out, self.account, self.depth, |event| told.push(event));
        for event in told {
            if self.feed == Feed::Venue || !matches!(event, ExchangeEvent::Market(_)) {
                self.tell(event, now);
            }
        }
        out.clear();
        self.out = out;
        Ok(())
    }

    /// Tells the connection, unless the stream is down or a fault strikes.
    fn tell(&mut self, event: ExchangeEvent, now: Timestamp) {
        let stream = if matches!(event, ExchangeEvent::Market(_)) { Stream::Market } else { Stream::User };
        if self.line.is_none() || self.down[index(stream)].is_some() {
            return;
        }
        let fate = self.faults.as_mut().map_or(EventFate::Deliver, |faults| faults.event(&event));
        match fate {
            EventFate::Deliver => self.deliver(stream, event, now),
            EventFate::Drop => {}
            EventFate::Duplicate => {
                self.deliver(stream, event.clone(), now);
                self.deliver(stream, event, now);
            }
            EventFate::Swap => {
                if let Some(earlier) = self.swapped.replace(event) {
                    self.push(earlier);
                }
            }
            EventFate::Cut(down_for) => self.cut(stream, now + down_for),
        }
    }

    fn deliver(&mut self, stream: Stream, event: ExchangeEvent, now: Timestamp) {
        self.last[index(stream)] = Some(now);
        self.push(event);
        if let Some(swapped) = self.swapped.take() {
            self.push(swapped);
        }
    }

    fn push(&self, event: ExchangeEvent) {
        if let Some(line) = &self.line {
            line.push(event);
        }
    }

    fn cut(&mut self, stream: Stream, until: Timestamp) {
        if self.down[index(stream)].replace(until).is_none() {
            self.push(ExchangeEvent::Down { stream, reason: "the stream was cut".to_owned() });
        }
    }

    /// Tells a stream as up; the market's with the books as they stand.
    fn tell_up(&mut self, stream: Stream, since: Option<Timestamp>) {
        self.push(ExchangeEvent::Up { stream, since });
        if stream == Stream::User || self.feed == Feed::Recorded {
            return;
        }
        let symbols: Vec<Symbol> = self.venue.config().instruments.iter().map(|i| i.symbol).collect();
        let now = self.venue.now();
        for symbol in symbols {
            if let (true, Ok(depth)) = (self.depth, self.venue.depth(symbol, usize::MAX)) {
                self.push(convert::snapshot(symbol, depth, now));
            }
            if let Some(quote) = self.venue.best(symbol).ok().filter(|q| q.bid.0 > 0 && q.ask.0 > 0) {
                self.push(ExchangeEvent::Market(MarketEvent::Quote(quote)));
            }
        }
    }
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Market => 0,
        Stream::User => 1,
    }
}

pub(crate) fn request(order: &NewOrder) -> OrderRequest {
    OrderRequest {
        symbol: order.symbol,
        side: order.side,
        kind: RequestKind::of(order.kind, order.qty),
        client_order_id: Some(order.client_order_id),
        stp: None,
    }
}

/// The exchange's rule: refused when it is past its window, or a second or more ahead of the exchange's clock.
pub(crate) fn check_window(window: Window, now: Timestamp) -> Result<(), ExchangeError> {
    let reason = if now > window.end() {
        "Timestamp for this request is outside of the recvWindow."
    } else if window.timestamp.since(now) >= Micros::from_secs(1) {
        "Timestamp for this request was 1000ms ahead of the server's time."
    } else {
        return Ok(());
    };
    Err(ExchangeError::Rejected { code: -1021, reason: reason.to_owned() })
}
