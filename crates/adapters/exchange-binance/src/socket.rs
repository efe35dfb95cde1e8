//! One WebSocket connection: opened and written to within a time limit, and dead when it has been silent too long.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// What a connection brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A text message.
    Text(Utf8Bytes),
    /// A ping or pong: the connection lives.
    Alive,
}

/// Why a connection is over, in words.
pub(crate) type Cut = String;

/// The largest message taken in; a book of 5000 levels has about 250 kB.
const MAX_MESSAGE: usize = 16 << 20;
/// How long opening a connection, or sending one message, may take.
const IO_LIMIT: Duration = Duration::from_secs(10);

/// A connection. Pings are answered by the library while it is read.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_frame: Instant,
    silence_limit: Duration,
}

impl Socket {
    /// Connects to `url`.
    pub(crate) async fn open(url: &str, silence_limit: Duration) -> Result<Self, Cut> {
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        match timeout(IO_LIMIT, connect_async_with_config(url, Some(limits), true)).await {
            Ok(Ok((inner, _))) => Ok(Self { inner, last_frame: Instant::now(), silence_limit }),
            Ok(Err(e)) => Err(format!("cannot connect: {e}")),
            Err(_) => Err(format!("no connection within {IO_LIMIT:?}")),
        }
    }

    /// The next frame. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Result<Frame, Cut> {
        let message = match timeout_at(self.last_frame + self.silence_limit, self.inner.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(e))) => return Err(format!("connection failed: {e}")),
            Ok(None) => return Err("connection closed".to_owned()),
            Err(_) => return Err(format!("no frame for {:?}", self.silence_limit)),
        };
        self.last_frame = Instant::now();
        match message {
            Message::Text(text) => Ok(Frame::Text(text)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(Frame::Alive),
            Message::Binary(_) => Err("binary message on a text stream".to_owned()),
            Message::Close(frame) => {
                let code = frame.map_or_else(|| "no code".to_owned(), |frame| frame.code.to_string());
                Err(format!("closed by the exchange ({code})"))
            }
        }
    }

    /// Sends a text message.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), Cut> {
        match timeout(IO_LIMIT, self.inner.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(format!("cannot send: {e}")),
            Err(_) => Err(format!("not sent within {IO_LIMIT:?}")),
        }
    }

    /// Says goodbye without waiting for the answer.
    pub(crate) async fn close(mut self) {
        drop(timeout(Duration::from_millis(250), self.inner.close(None)).await);
    }
}

/// Waits between attempts to connect: each longer than the last up to a bound, none exactly as long as another's, so
/// that clients do not return all at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    attempt: u32,
}

/// A connection that lived this long was a good one.
const GOOD_LIFE: Duration = Duration::from_secs(30);

impl Backoff {
    pub(crate) fn new((shortest, longest): (Duration, Duration)) -> Self {
        Self { shortest, longest, attempt: 0 }
    }

    /// Tells how long a connection lived.
    pub(crate) fn lived(&mut self, life: Duration) {
        if life >= GOOD_LIFE {
            self.attempt = 0;
        }
    }

    /// The next wait; `chance` is uniform over all 32 bits.
    pub(crate) fn next(&mut self, chance: u32) -> Duration {
        let factor = 1u32.checked_shl(self.attempt.min(20)).unwrap_or(u32::MAX);
        let full = self.shortest.saturating_mul(factor).min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        full / 2 + (full / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

/// Random bits for jitter.
pub(crate) fn chance() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness every wait is the shortest of its range.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_keep_to_the_upper_half() {
        let mut backoff = Backoff::new((Duration::from_millis(100), Duration::from_millis(500)));
        let waits: Vec<_> =
            [0, u32::MAX, 0, u32::MAX, u32::MAX].into_iter().map(|c| backoff.next(c).as_millis()).collect();
        assert_eq!(waits, [50, 200, 200, 500, 500]);
        backoff.lived(GOOD_LIFE);
        assert_eq!(backoff.next(0).as_millis(), 50);
        for _ in 0..100 {
            assert!(backoff.next(u32::MAX) <= Duration::from_millis(500));
        }
    }
}
