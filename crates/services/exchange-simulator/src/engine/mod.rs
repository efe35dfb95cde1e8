//! The engine: one thread owns the state, takes jobs and market data in turns, and commits each turn once.
//!
//! A turn lets the market advance to now, does the waiting jobs, commits (one fdatasync for all of them), and only then
//! tells events and answers. So an answer never leaves before what it says is durable, and many answers share one sync.

mod command;
mod core;
mod disk;
mod world;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use nightdesk_units::Timestamp;
use tokio::sync::{oneshot, watch};

pub(crate) use self::command::{Command, Done};
pub(crate) use self::core::{Core, RecordPlace, ResumeError};
pub use self::disk::DataDirError;
pub(crate) use self::disk::Disk;
pub(crate) use self::world::{CommandError, World, start_price};
use crate::clock::ExchangeClock;
use crate::config::Speed;
use crate::error::ApiError;
use crate::ws::Publisher;

/// Jobs that may wait; one more is refused as overload.
const QUEUE: usize = 8_192;
/// Jobs in one turn.
const TURN: usize = 256;
/// Recorded messages in one turn.
const MESSAGES: usize = 256;
/// Streams that lag by more than this hold a market at full speed back.
const LAG: usize = 1_024;
/// The longest pause in a recording that is played as a pause; a longer one is skipped.
const LONGEST_PAUSE_NS: i64 = 60_000_000_000;

/// How the engine has ended, once it has.
pub(crate) type Ended = Option<Result<(), String>>;

type Reply = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&mut Core, Timestamp) -> Reply + Send>;

/// Speaks to the engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    jobs: SyncSender<Job>,
}

impl Engine {
    /// Starts the engine's thread; the receiver tells its end, with the reason if it failed, and closes if it panics.
    pub(crate) fn start(
        core: Core,
        clock: Arc<ExchangeClock>,
        publisher: Publisher,
        speed: Speed,
    ) -> std::io::Result<(Self, watch::Receiver<Ended>)> {
        let (jobs, inbox) = sync_channel(QUEUE);
        let (ended, end) = watch::channel(None);
        let mut thread = Thread { core, clock, publisher, inbox, pace: Pace { speed, anchor: None } };
        std::thread::Builder::new().name("exchange".to_owned()).spawn(move || {
            let result = thread.run().map_err(|e| e.to_string());
            // The data directory is free before anybody hears of the end.
            drop(thread);
            // Nobody waits for the end when the exchange was dropped.
            let _ = ended.send(Some(result));
        })?;
        Ok((Self { jobs }, end))
    }

    /// Does `job` in a turn; resolves after its commit.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Core, Timestamp) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (tx, rx) = oneshot::channel();
        let job: Job = Box::new(move |core, now| {
            let answer = job(core, now);
            Box::new(move || {
                // The client may have gone.
                let _ = tx.send(answer);
            })
        });
        match self.jobs.try_send(job) {
            Ok(()) => rx.await.map_err(|_| ApiError::unknown_outcome()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(ApiError::overloaded()),
        }
    }
}

/// How recorded time maps to now.
struct Pace {
    speed: Speed,
    /// The machine's time and the recording's, at the last start or long pause.
    anchor: Option<(Timestamp, i64)>,
}

impl Pace {
    /// When a message received at `ns` is due.
    fn due(&mut self, ns: i64, now: Timestamp) -> Timestamp {
        let Speed::Times(speed) = self.speed else { return now };
        let (start, start_ns) = *self.anchor.get_or_insert((now, ns));
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "pacing, not bookkeeping")]
        let elapsed_us = ((ns - start_ns) as f64 / 1e3 / speed) as i64;
        let due = Timestamp(start.0.saturating_add(elapsed_us));
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "pacing, not bookkeeping")]
        let longest = (LONGEST_PAUSE_NS as f64 / 1e3 / speed.max(1.0)) as i64;
        if due.since(now).0 > longest {
            self.anchor = Some((now, ns));
            return now;
        }
        due
    }
}

struct Thread {
    core: Core,
    clock: Arc<ExchangeClock>,
    publisher: Publisher,
    inbox: Receiver<Job>,
    pace: Pace,
}

impl Thread {
    fn run(&mut self) -> Result<(), DataDirError> {
        while !self.core.stopping {
            let wait = self.wait();
            let first = match self.inbox.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.turn(first)?;
        }
        let now = self.clock.now();
        self.core.snapshot(now)
    }

    fn turn(&mut self, first: Option<Job>) -> Result<(), DataDirError> {
        let now = self.clock.now();
        self.advance_market(now);
        let mut replies: Vec<Reply> = Vec::new();
        for job in first.into_iter().chain(self.inbox.try_iter().take(TURN - 1)) {
            replies.push(job(&mut self.core, now));
        }
        let events = self.core.commit(now)?;
        self.publisher.publish(events, &self.core, now);
        for reply in replies {
            reply();
        }
        if self.core.wants_snapshot() {
            self.core.snapshot(now)?;
        }
        Ok(())
    }

    /// How long nothing is due.
    fn wait(&mut self) -> Duration {
        let now = self.clock.now();
        let mut next = self.publisher.next_tick();
        if let Some(due) = self.next_market(now) {
            next = next.min(due);
        }
        Duration::from_micros(u64::try_from(next.since(now).0).unwrap_or(0))
    }

    /// When the market does something next; `None` while it stands still.
    fn next_market(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.core.paused || self.core.market_failure.is_some() {
            return None;
        }
        let Some(playback) = &mut self.core.playback else { return self.core.world.next_synthetic_at() };
        if self.pace.speed == Speed::Max && self.publisher.lag() > LAG {
            return Some(Timestamp(now.0 + 1_000));
        }
        let ns = playback.peek(0).ok().flatten()?.received_ns;
        Some(self.pace.due(ns, now))
    }

    fn advance_market(&mut self, now: Timestamp) {
        let Some(due) = self.next_market(now).filter(|due| *due <= now) else { return };
        let command = if self.core.playback.is_some() {
            Command::Replay { messages: self.messages_due(now) }
        } else {
            Command::Synthetic { until: now.max(due) }
        };
        if let Err(error) = self.core.command(command, now) {
            tracing::error!("the market stands still: {error}");
            self.core.market_failure = Some(error.to_string());
        }
    }

    fn messages_due(&mut self, now: Timestamp) -> usize {
        let Some(playback) = &mut self.core.playback else { return 0 };
        if self.pace.speed == Speed::Max {
            return MESSAGES;
        }
        let due = |ahead: &usize| {
            let ns = playback.peek(*ahead).ok().flatten().map(|recorded| recorded.received_ns);
            ns.is_some_and(|ns| self.pace.due(ns, now) <= now)
        };
        // At least one, so that an error of the recording shows itself.
        (0..MESSAGES).take_while(due).count().max(1)
    }
}
