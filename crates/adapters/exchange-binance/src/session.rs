//! One logical stream over one connection, or over two while one replaces the other.
//!
//! A connection that must end (the exchange said so, or its 24 hours are nearly over) is replaced before it ends: the
//! new one is opened and subscribed while the old one still delivers, its frames wait, and when both have run side by
//! side for a while the old one is closed and the waiting frames follow. Nothing is missed; what came over both is
//! dropped by whoever knows the numbers.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::socket::{Backoff, Cut, Frame, Socket, chance};

/// A subscribed connection and the frames that came while subscribing.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) early: VecDeque<Utf8Bytes>,
}

/// Opens and subscribes a connection.
pub(crate) type Opener = Arc<dyn Fn() -> BoxFuture<'static, Result<Opened, Cut>> + Send + Sync>;

/// The most frames of the new connection that wait for the old one's end.
const MAX_WAITING: usize = 100_000;
/// A server that announces its end is given up for this long after, should it not end by itself.
const RETRY_OPEN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

enum Next {
    None,
    /// The replacement is being opened.
    Opening(BoxFuture<'static, Result<Opened, Cut>>),
    /// Opening failed: again at this time.
    Again(Instant),
    /// Both run; the old one ends at this time.
    Both {
        opened: Opened,
        until: Instant,
    },
}

/// What a session brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    Frame(Frame),
    /// A new connection has taken over without a gap.
    Renewed,
}

pub(crate) struct Session {
    opener: Opener,
    current: Socket,
    early: VecDeque<Utf8Bytes>,
    next: Next,
    renew_at: Instant,
    renew_after: Duration,
    overlap: Duration,
    backoff: Backoff,
}

enum Step {
    Old(Result<Frame, Cut>),
    New(Result<Frame, Cut>),
    Opened(Result<Opened, Cut>),
    Due,
}

impl Session {
    /// Opens the first connection.
    pub(crate) async fn open(opener: Opener, renew_after: Duration, overlap: Duration) -> Result<Self, Cut> {
        let Opened { socket, early } = opener().await?;
        let renew_at = Instant::now() + renew_after;
        let backoff = Backoff::new(RETRY_OPEN);
        Ok(Self { opener, current: socket, early, next: Next::None, renew_at, renew_after, overlap, backoff })
    }

    /// Starts to replace the connection, unless that is under way.
    pub(crate) fn renew(&mut self) {
        if matches!(self.next, Next::None) {
            self.next = Next::Opening((self.opener)());
        }
    }

    /// The next delivery. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Result<Delivery, Cut> {
        loop {
            if let Some(text) = self.early.pop_front() {
                return Ok(Delivery::Frame(Frame::Text(text)));
            }
            match self.step().await {
                Step::Old(Ok(frame)) => return Ok(Delivery::Frame(frame)),
                Step::Old(Err(cut)) => {
                    // The old one may end once the new one delivers; before that it is a cut.
                    let Next::Both { opened, .. } = std::mem::replace(&mut self.next, Next::None) else {
                        return Err(cut);
                    };
                    return Ok(self.switch(opened));
                }
                Step::New(Ok(Frame::Text(text))) => {
                    if let Next::Both { opened, until } = &mut self.next {
                        opened.early.push_back(text);
                        if opened.early.len() >= MAX_WAITING {
                            *until = Instant::now();
                        }
                    }
                }
                Step::New(Ok(Frame::Alive)) => {}
                Step::New(Err(_)) | Step::Opened(Err(_)) => {
                    self.next = Next::Again(Instant::now() + self.backoff.next(chance()));
                }
                Step::Opened(Ok(opened)) => {
                    self.next = Next::Both { opened, until: Instant::now() + self.overlap };
                }
                Step::Due => match std::mem::replace(&mut self.next, Next::None) {
                    Next::Both { opened, .. } => return Ok(self.switch(opened)),
                    Next::None | Next::Again(_) | Next::Opening(_) => self.renew(),
                },
            }
        }
    }

    async fn step(&mut self) -> Step {
        let Self { current, next, renew_at, .. } = self;
        let due = match next {
            Next::None => Some(*renew_at),
            Next::Opening(_) => None,
            Next::Again(at) | Next::Both { until: at, .. } => Some(*at),
        };
        let new = async {
            match next {
                Next::Opening(opening) => Step::Opened(opening.await),
                Next::Both { opened, .. } => Step::New(opened.socket.next().await),
                Next::None | Next::Again(_) => pending().await,
            }
        };
        let alarm = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            old = current.next() => Step::Old(old),
            step = new => step,
            () = alarm => Step::Due,
        }
    }

    fn switch(&mut self, opened: Opened) -> Delivery {
        let old = std::mem::replace(&mut self.current, opened.socket);
        self.early = opened.early;
        self.renew_at = Instant::now() + self.renew_after;
        self.backoff.lived(Duration::MAX);
        tokio::spawn(old.close());
        Delivery::Renewed
    }
}
