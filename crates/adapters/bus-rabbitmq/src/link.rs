//! One connection to the broker that is made again whenever it breaks.
//!
//! lapin can recover by itself, but what was under way then is neither sent again in order nor given up in time. So each
//! session starts from nothing: connect, declare, work until something breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::StreamExt;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::config::RabbitConfig;
use crate::status::Board;

/// The pause after the first failure; each further one doubles it, up to the configured bound.
const FIRST_BACK_OFF: Duration = Duration::from_millis(20);
/// How often a connection is looked at, should its breaking ever go unreported.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A session broke, and why.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

impl From<lapin::Error> for Lost {
    fn from(error: lapin::Error) -> Self {
        Self(error.to_string())
    }
}

/// What is done over a connection.
pub(crate) trait Session: Send + 'static {
    /// Declares what it needs, says `link.up()`, and works until the connection breaks or, `Ok`, nothing is left to do.
    fn work<'a>(&'a mut self, connection: &'a Connection, link: &'a Link) -> BoxFuture<'a, Result<(), Lost>>;
}

/// What all connections of a bus share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) config: Arc<RabbitConfig>,
    pub(crate) board: Arc<Board>,
    pub(crate) closing: watch::Receiver<bool>,
}

/// A connection that is kept.
pub(crate) struct Link {
    pub(crate) common: Common,
    id: u64,
    purpose: String,
    /// The present session came as far as to work.
    worked: AtomicBool,
}

impl Link {
    pub(crate) fn new(common: &Common, purpose: String) -> Self {
        Self { common: common.clone(), id: common.board.add(), purpose, worked: AtomicBool::new(false) }
    }

    pub(crate) fn config(&self) -> &RabbitConfig {
        &self.common.config
    }

    /// The session has what it needs.
    pub(crate) fn up(&self) {
        self.worked.store(true, Ordering::Relaxed);
        self.common.board.up(self.id);
    }

    /// Resolves when the bus has been closed, or dropped.
    pub(crate) async fn closed(&self) {
        let mut closing = self.common.closing.clone();
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Fails what takes longer than a session can wait: a broker that is frozen answers nothing and closes nothing.
    pub(crate) async fn within<T>(&self, step: impl Future<Output = lapin::Result<T>>) -> Result<T, Lost> {
        match timeout(self.config().connect_limit, step).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Lost("the broker does not answer".to_owned())),
        }
    }

    /// Works until the session has nothing left to do, or the bus is closed.
    pub(crate) async fn keep(self, mut session: impl Session) {
        let mut pause = FIRST_BACK_OFF;
        loop {
            let outcome = tokio::select! {
                connection = self.connect() => match connection {
                    Ok(connection) => self.serve(connection, &mut session).await,
                    Err(lost) => Err(lost),
                },
                () = self.closed() => Ok(()),
            };
            let Err(Lost(why)) = outcome else { break };
            self.common.board.down(self.id, &why);
            if self.worked.swap(false, Ordering::Relaxed) {
                pause = FIRST_BACK_OFF;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.closed() => break,
            }
            pause = (pause * 2).min(self.config().back_off);
        }
        self.common.board.remove(self.id);
    }

    async fn connect(&self) -> Result<Connection, Lost> {
        let name = format!("{} {}", self.config().service, self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        self.within(Connection::connect_uri(self.config().uri(), properties)).await
    }

    async fn serve(&self, connection: Connection, session: &mut impl Session) -> Result<(), Lost> {
        let outcome = tokio::select! {
            lost = broken(&connection) => Err(lost),
            outcome = session.work(&connection, self) => outcome,
        };
        // lapin says goodbye when the connection is dropped, also after a failure: the broker may be well and the session
        // not, and what the session held must not wait for heartbeats.
        drop(connection);
        outcome
    }
}

/// Resolves when the connection has broken.
async fn broken(connection: &Connection) -> Lost {
    let mut events = Box::pin(connection.events_listener());
    loop {
        match timeout(LOOK_EVERY, events.next()).await {
            Ok(Some(Event::Error(error))) => return error.into(),
            Ok(Some(_)) => {}
            Ok(None) => return Lost("the connection is gone".to_owned()),
            Err(_) if connection.status().connected() => {}
            Err(_) => return Lost("the connection has broken".to_owned()),
        }
    }
}
