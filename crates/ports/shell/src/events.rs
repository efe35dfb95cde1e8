//! Channels into a shell.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightdesk_env::{Activity, Busy};

/// An event with the token that says it has not been handled yet.
pub(crate) struct Tracked<E> {
    pub(crate) event: E,
    pub(crate) busy: Option<Busy>,
}

/// Another port that tells a service things, such as an exchange's event stream. The shell asks it itself, so that the order
/// in which things are heard does not hang on a task in between.
pub trait Source<E>: Send {
    /// The next event; `None` when there will be no more. Dropping the future loses nothing, and asking again means that
    /// what came before has been handled.
    fn next(&mut self) -> BoxFuture<'_, Option<E>>;
}

/// Hands events to a shell.
pub struct EventSender<E> {
    channel: async_channel::Sender<Tracked<E>>,
    activity: Arc<dyn Activity>,
}

impl<E> Clone for EventSender<E> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), activity: Arc::clone(&self.activity) }
    }
}

impl<E> EventSender<E> {
    /// Waits for room, then hands over `event`; false when the shell has gone.
    pub async fn send(&self, event: E) -> bool {
        let busy = Busy::new(&self.activity);
        self.channel.send(Tracked { event, busy: Some(busy) }).await.is_ok()
    }

    /// Hands over `event` now; gives it back when there is no room or the shell has gone.
    ///
    /// # Errors
    /// The event, when it was not taken.
    pub fn try_send(&self, event: E) -> Result<(), E> {
        let busy = Busy::new(&self.activity);
        self.channel.try_send(Tracked { event, busy: Some(busy) }).map_err(|refused| refused.into_inner().event)
    }
}

/// A shell's end of the channel.
pub struct EventReceiver<E> {
    pub(crate) channel: async_channel::Receiver<Tracked<E>>,
}

/// A channel of at most `capacity` waiting events.
#[must_use]
pub fn channel<E>(activity: &Arc<dyn Activity>, capacity: usize) -> (EventSender<E>, EventReceiver<E>) {
    let (tx, rx) = async_channel::bounded(capacity);
    (EventSender { channel: tx, activity: Arc::clone(activity) }, EventReceiver { channel: rx })
}

/// Asks a shell to end: finish the turn, write a snapshot, return.
#[derive(Debug, Clone)]
pub struct Stopper(async_channel::Sender<()>);

impl Stopper {
    /// Asks.
    pub fn stop(&self) {
        self.0.close();
    }
}

/// A stopper and what the shell listens to.
#[must_use]
pub fn stopper() -> (Stopper, async_channel::Receiver<()>) {
    let (tx, rx) = async_channel::bounded(1);
    (Stopper(tx), rx)
}
