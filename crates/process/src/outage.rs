//! What the exchange said while the broker was away may have reached nobody: reports are told without a guarantee. So after
//! an outage the account's stream counts as if it had been cut, and core-engine compares with the exchange.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use nightdesk_env::Clock;
use nightdesk_exchange::{Events, ExchangeEvent, Stream};
use nightdesk_units::Timestamp;

/// How often the bus is looked at while the exchange says nothing.
const LOOK: Duration = Duration::from_millis(100);

/// The exchange's events, and a gap in them after each outage of the bus.
pub(crate) struct Outages {
    pub(crate) events: Box<dyn Events>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the bus works.
    pub(crate) works: Box<dyn Fn() -> bool + Send>,
    /// Whether the account's stream is up: one that is down tells of its own gap when it comes back.
    pub(crate) up: bool,
    pub(crate) since: Option<Timestamp>,
}

impl Outages {
    fn look(&mut self) -> Option<ExchangeEvent> {
        if !(self.works)() {
            self.since.get_or_insert(self.clock.now());
            return None;
        }
        let since = self.since.take().filter(|_| self.up)?;
        tracing::info!("the bus works again: core-engine is to ask what was missed since {since}");
        Some(ExchangeEvent::Up { stream: Stream::User, since: Some(since) })
    }
}

impl Events for Outages {
    fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>> {
        Box::pin(async move {
            loop {
                if let Some(gap) = self.look() {
                    return Some(gap);
                }
                let event = tokio::select! {
                    biased;
                    event = self.events.next() => event,
                    () = tokio::time::sleep(LOOK) => continue,
                };
                match &event {
                    Some(ExchangeEvent::Up { stream: Stream::User, .. }) => self.up = true,
                    Some(ExchangeEvent::Down { stream: Stream::User, .. }) => self.up = false,
                    _ => {}
                }
                return event;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use futures_util::future::{FutureExt, pending, ready};
    use nightdesk_platform_local::SystemClock;

    use super::*;

    struct Script(VecDeque<ExchangeEvent>);

    impl Events for Script {
        fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>> {
            match self.0.pop_front() {
                Some(event) => ready(Some(event)).boxed(),
                None => pending().boxed(),
            }
        }
    }

    /// What is told after an outage that begins when the stream's first event has come.
    async fn after_an_outage(first: ExchangeEvent) -> Option<ExchangeEvent> {
        let works = Arc::new(Mutex::new(true));
        let asked = Arc::clone(&works);
        let mut events = Outages {
            events: Box::new(Script(VecDeque::from([first]))),
            clock: Arc::new(SystemClock::new()),
            works: Box::new(move || *asked.lock().unwrap()),
            up: false,
            since: None,
        };
        events.next().await;
        *works.lock().unwrap() = false;
        assert!(events.try_next().is_none());
        *works.lock().unwrap() = true;
        events.try_next()
    }

    #[tokio::test]
    async fn an_outage_is_a_gap_in_a_stream_that_is_up() {
        let stream = Stream::User;
        let gap = after_an_outage(ExchangeEvent::Up { stream, since: None }).await;
        assert!(matches!(gap, Some(ExchangeEvent::Up { stream: Stream::User, since: Some(_) })), "{gap:?}");
        let down = ExchangeEvent::Down { stream, reason: "cut".to_owned() };
        assert_eq!(after_an_outage(down).await, None, "it is not said to be up");
    }
}
