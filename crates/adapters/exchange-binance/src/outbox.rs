//! A stream's side of the queue: events wait here, in order, until there is room. Nothing is dropped: a consumer that is
//! too slow for too long costs the stream its connection, not an event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nightdesk_exchange::{ExchangeEvent, Stream};
use nightdesk_units::Timestamp;
use tokio::time::{Instant, timeout};

use crate::meters;
use crate::queue::Closed;
use crate::shared::Shared;

/// Why a stream's life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It was cut, for this reason.
    Cut(String),
    /// The consumer is gone.
    Closed,
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// How long before the consumer is told that nothing can be opened yet.
const READY_LIMIT: Duration = Duration::from_secs(5);
/// A sign of life is told at most this often.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// Events on their way to the consumer, and what the consumer has been told of the stream.
pub(crate) struct Outbox {
    shared: Arc<Shared>,
    stream: Stream,
    waiting: VecDeque<ExchangeEvent>,
    /// Whether the consumer believes the stream to be up; `None` before the first word.
    up: Option<bool>,
    /// The exchange's time up to which nothing can have been missed.
    last_event: Option<Timestamp>,
    last_alive: Option<Instant>,
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        Self { shared, stream, waiting: VecDeque::new(), up: None, last_event: None, last_alive: None }
    }

    /// Puts an event in. What is missed after it is younger than it is, but may be older than its arrival.
    pub(crate) fn put(&mut self, event: ExchangeEvent) {
        let now = self.shared.rest.clock.now();
        let at = match &event {
            ExchangeEvent::Report(report) => report.at,
            ExchangeEvent::Balances { at, .. } | ExchangeEvent::Transfer { at, .. } => *at,
            _ => now,
        };
        self.last_event = self.last_event.max(Some(at.min(now)));
        self.waiting.push_back(event);
    }

    /// The stream is live, and holds whatever happened since it began to open at `opened`.
    pub(crate) fn up(&mut self, opened: Timestamp) {
        let (stream, since) = (self.stream, self.last_event);
        self.up = Some(true);
        tracing::info!(stream = meters::name(stream), "{} stream is up", meters::name(stream));
        self.last_event = since.max(Some(opened));
        self.waiting.push_back(ExchangeEvent::Up { stream, since });
    }

    /// Waits until the exchange's clock and instruments are known; without them no stream can be opened.
    pub(crate) async fn wait_until_ready(&self) -> Result<(), End> {
        let mut ready = self.shared.ready.subscribe();
        match timeout(READY_LIMIT, ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Cut("the exchange's clock and instruments are not known yet".to_owned())),
        }
    }

    /// The stream was cut, or could not be opened; the consumer is told once.
    pub(crate) fn down(&mut self, reason: &str) {
        let stream = self.stream;
        self.shared.rest.meters.cut(stream);
        if self.up.replace(false) != Some(false) {
            tracing::warn!(stream = meters::name(stream), reason, "{} stream is down: {reason}", meters::name(stream));
            self.waiting.push_back(ExchangeEvent::Down { stream, reason: reason.to_owned() });
        }
    }

    /// The stream lives, though it carries nothing for the consumer.
    pub(crate) fn alive(&mut self, now: Instant) {
        if self.last_alive.is_none_or(|last| now.duration_since(last) >= ALIVE_EVERY) {
            self.last_alive = Some(now);
            self.waiting.push_back(ExchangeEvent::Alive { stream: self.stream });
        }
    }

    /// Hands over what waits. A consumer that takes nothing for its limit cuts the stream; what waits is kept.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        let limit = self.shared.config.consumer_limit;
        while let Some(event) = self.waiting.pop_front() {
            let mut event = Some(event);
            if self.shared.queue.try_push(&mut event)? {
                continue;
            }
            let pushed = timeout(limit, self.shared.queue.push(&mut event)).await;
            if let Some(event) = event {
                self.waiting.push_front(event);
            }
            match pushed {
                Ok(pushed) => pushed?,
                Err(_) => return Err(End::Cut(format!("the consumer took nothing for {limit:?}"))),
            }
        }
        Ok(())
    }

    /// Hands over what waits, however long it takes; the stream has no connection meanwhile.
    pub(crate) async fn drain(&mut self) -> Result<(), Closed> {
        while let Some(event) = self.waiting.pop_front() {
            self.shared.queue.push(&mut Some(event)).await?;
        }
        Ok(())
    }
}
