//! The queue of events between the exchange and one connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt};
use nightdesk_env::{Activity, Busy};
use nightdesk_exchange::{Events, ExchangeEvent};

/// What waits for one connection.
pub(crate) struct Line {
    state: Mutex<State>,
    activity: Arc<dyn Activity>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(ExchangeEvent, Busy)>,
    most: usize,
    waker: Option<Waker>,
    closed: bool,
}

impl Line {
    pub(crate) fn new(activity: Arc<dyn Activity>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), activity })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: ExchangeEvent) {
        let busy = Busy::new(&self.activity);
        let waker = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            state.waiting.push_back((event, busy));
            state.most = state.most.max(state.waiting.len());
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Nobody reads any more: what waits is forgotten.
    pub(crate) fn close(&self) {
        let (waiting, waker) = {
            let mut state = self.lock();
            state.closed = true;
            (std::mem::take(&mut state.waiting), state.waker.take())
        };
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }

    /// How many wait, and the most that ever did.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len(), state.most)
    }
}

/// The receiving end of a connection. An event counts as handled when the next one is asked for.
pub struct LocalEvents {
    line: Arc<Line>,
    handling: Option<Busy>,
}

impl LocalEvents {
    pub(crate) fn new(line: Arc<Line>) -> Self {
        Self { line, handling: None }
    }
}

impl Drop for LocalEvents {
    fn drop(&mut self) {
        self.line.close();
    }
}

impl Events for LocalEvents {
    fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>> {
        self.handling = None;
        poll_fn(|context| {
            let mut state = self.line.lock();
            if let Some((event, busy)) = state.waiting.pop_front() {
                drop(state);
                self.handling = Some(busy);
                return Poll::Ready(Some(event));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .boxed()
    }

    fn try_next(&mut self) -> Option<ExchangeEvent> {
        self.handling = None;
        let (event, busy) = self.line.lock().waiting.pop_front()?;
        self.handling = Some(busy);
        Some(event)
    }
}
