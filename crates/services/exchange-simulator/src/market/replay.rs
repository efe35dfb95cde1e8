//! A recorded market: checked as a whole before the exchange opens, then played line by line.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use nightdesk_market::{Instrument, MarketEvent};
use nightdesk_units::{Symbol, Timestamp};
use nightdesk_wire::capture::{self, Discovery};

use super::lines::{Lines, RecordingError};

/// How far the time of receipt may go back from one message to the next: connections are recorded side by side, and a
/// machine's clock is corrected now and then.
const SLACK_NS: i64 = 1_000_000_000;

/// What a full reading of the recordings found.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The instruments.
    pub instruments: Vec<Instrument>,
    /// The only one, to which bare snapshots belong.
    pub only: Option<Symbol>,
    /// Messages of the market.
    pub messages: u64,
    /// Lines of other streams.
    pub other: u64,
    /// First and last time of receipt, nanoseconds.
    pub span_ns: (i64, i64),
}

/// Reads the recordings from end to end, so that a damaged one is refused before anything has happened.
///
/// # Errors
/// Names file and line.
pub fn survey(files: &[PathBuf]) -> Result<Survey, RecordingError> {
    let (mut discovery, mut messages, mut other, mut span_ns) = (Discovery::new(), 0, 0, None);
    for path in files {
        let mut lines = Lines::open(path)?;
        let before = messages;
        while let Some((number, text)) = lines.next_line()? {
            let captured =
                capture::decode(number, text).map_err(|source| RecordingError::Line { path: path.clone(), source })?;
            if matches!(captured.message, capture::Message::Other(_)) {
                other += 1;
                continue;
            }
            messages += 1;
            discovery.see(&captured.message);
            let (first, last) = *span_ns.get_or_insert((captured.received_ns, captured.received_ns));
            let back_ns = last.saturating_sub(captured.received_ns);
            if back_ns > SLACK_NS {
                return Err(RecordingError::Order {
                    path: path.clone(),
                    line: number,
                    back_s: back_ns / 1_000_000_000,
                });
            }
            span_ns = Some((first, last.max(captured.received_ns)));
        }
        if messages == before {
            return Err(RecordingError::Empty { path: path.clone() });
        }
    }
    let instruments = discovery.instruments().map_err(RecordingError::Instruments)?;
    let empty = || RecordingError::Empty { path: files.first().cloned().unwrap_or_default() };
    let span_ns = span_ns.filter(|_| !instruments.is_empty()).ok_or_else(empty)?;
    Ok(Survey { only: discovery.only(), instruments, messages, other, span_ns })
}

/// A message that is due at some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it was received, nanoseconds.
    pub received_ns: i64,
    /// What it says.
    pub event: MarketEvent,
}

/// Plays recordings one after the other.
#[derive(Debug)]
pub struct Playback {
    files: VecDeque<PathBuf>,
    lines: Option<Lines>,
    instruments: BTreeMap<Symbol, Instrument>,
    only: Option<Symbol>,
    ahead: VecDeque<Recorded>,
}

impl Playback {
    /// At the start of the first file.
    #[must_use]
    pub fn new(files: &[PathBuf], survey: &Survey) -> Self {
        Self {
            files: files.iter().cloned().collect(),
            lines: None,
            instruments: survey.instruments.iter().map(|i| (i.symbol, i.clone())).collect(),
            only: survey.only,
            ahead: VecDeque::new(),
        }
    }

    /// The message `ahead` places from here, without taking it.
    ///
    /// # Errors
    /// Names file and line.
    pub fn peek(&mut self, ahead: usize) -> Result<Option<&Recorded>, RecordingError> {
        while self.ahead.len() <= ahead {
            let Some(next) = self.read()? else { return Ok(None) };
            self.ahead.push_back(next);
        }
        Ok(self.ahead.get(ahead))
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// Names file and line.
    pub fn take(&mut self) -> Result<Option<Recorded>, RecordingError> {
        self.peek(0)?;
        Ok(self.ahead.pop_front())
    }

    fn read(&mut self) -> Result<Option<Recorded>, RecordingError> {
        loop {
            let lines = match &mut self.lines {
                Some(lines) => lines,
                none => {
                    let Some(path) = self.files.pop_front() else { return Ok(None) };
                    none.insert(Lines::open(&path)?)
                }
            };
            let path = lines.path().to_owned();
            let Some((number, text)) = lines.next_line()? else {
                self.lines = None;
                continue;
            };
            let bad = |source| RecordingError::Line { path: path.clone(), source };
            let captured = capture::decode(number, text).map_err(bad)?;
            let Some(instrument) = captured.message.symbol().or(self.only).and_then(|s| self.instruments.get(&s))
            else {
                continue;
            };
            let event = captured.message.event(instrument, captured.received_at());
            let event = event.map_err(|reason| bad(capture::CaptureError { line: number, reason }))?;
            if let Some(event) = event {
                return Ok(Some(Recorded { received_ns: captured.received_ns, event }));
            }
        }
    }
}

/// The event as of now: recorded times are of another day, and the exchange's clock is the machine's.
#[must_use]
pub fn redated(event: MarketEvent, now: Timestamp) -> MarketEvent {
    match event {
        MarketEvent::Quote(quote) => MarketEvent::Quote(nightdesk_market::Quote { at: now, ..quote }),
        MarketEvent::Trade(trade) => MarketEvent::Trade(nightdesk_market::Trade { at: now, ..trade }),
        MarketEvent::Depth(depth) => MarketEvent::Depth(nightdesk_market::DepthUpdate { at: now, ..depth }),
        MarketEvent::Snapshot(book) => MarketEvent::Snapshot(nightdesk_market::DepthSnapshot { at: now, ..book }),
        MarketEvent::Candle(candle) => MarketEvent::Candle(candle),
    }
}
