//! The state with its log: applies commands, writes their account, and makes both durable.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use nightdesk_matching::{Execution, VenueEvent};
use nightdesk_units::{Symbol, Timestamp};

use super::command::{Command, Done};
use super::disk::{DataDirError, Disk, Remembered, log_line};
use super::world::{CommandError, World};
use crate::limits::{Limits, OrderCounts};
use crate::market::{MadeUp, Playback};
use crate::record;

/// Record lines kept in memory when there is no data directory.
const MEMORY_LINES: usize = 200_000;
/// Market data alone is written at once and made durable this often; it would be seen again only after a power cut.
const LAZY_SYNC_US: i64 = 1_000_000;

/// State, log and record.
pub(crate) struct Core {
    pub(crate) world: World,
    pub(crate) playback: Option<Playback>,
    pub(crate) counts: OrderCounts,
    pub(crate) made_up: BTreeMap<Symbol, MadeUp>,
    /// The market stands still.
    pub(crate) paused: bool,
    /// Why the recording cannot be played on.
    pub(crate) market_failure: Option<String>,
    pub(crate) stopping: bool,
    disk: Option<Disk>,
    command_sequence: u64,
    record_sequence: u64,
    log: Vec<u8>,
    lines: Vec<u8>,
    events: Vec<VenueEvent>,
    must_sync: bool,
    last_sync: Timestamp,
    memory: VecDeque<Vec<u8>>,
    pub(crate) commits: u64,
}

impl Core {
    /// A core on `world`, in memory unless `disk` is given.
    pub(crate) fn new(world: World, playback: Option<Playback>, disk: Option<Disk>, limits: Limits) -> Self {
        Self {
            world,
            playback,
            disk,
            counts: OrderCounts::new(limits),
            made_up: BTreeMap::new(),
            paused: false,
            market_failure: None,
            stopping: false,
            command_sequence: 0,
            record_sequence: 0,
            log: Vec::new(),
            lines: Vec::new(),
            events: Vec::new(),
            must_sync: false,
            last_sync: Timestamp(0),
            memory: VecDeque::new(),
            commits: 0,
        }
    }

    /// A core as a data directory remembers it: the commands after the snapshot are applied again, the record is settled.
    pub(crate) fn resume(
        remembered: Remembered,
        mut playback: Option<Playback>,
        mut disk: Disk,
        limits: Limits,
    ) -> Result<Self, ResumeError> {
        if let Some(playback) = &mut playback {
            for _ in 0..remembered.world.position.played {
                playback.take()?;
            }
        }
        let mut core = Self::new(remembered.world, playback, None, limits);
        core.command_sequence = remembered.command_sequence;
        core.record_sequence = remembered.record_sequence;
        for logged in remembered.commands {
            // What was refused then is refused again.
            if let Err(CommandError::Recording(error)) = core.command(logged.command, logged.at) {
                return Err(error.into());
            }
        }
        disk.settle_record(&remembered.record_tail, &core.lines)?;
        core.log.clear();
        core.lines.clear();
        core.events.clear();
        core.disk = Some(disk);
        Ok(core)
    }

    /// Applies a command; its effect is durable after the next [`Core::commit`].
    pub(crate) fn command(&mut self, command: Command, at: Timestamp) -> Result<Done, CommandError> {
        let first = self.events.len();
        let result = self.world.apply(&command, at, self.playback.as_mut(), &mut self.events);
        self.command_sequence += 1;
        if self.disk.is_some() {
            log_line(self.command_sequence, at, &command, &mut self.log);
        }
        let before = self.record_sequence;
        for event in &self.events[first..] {
            let world = &self.world;
            record::write(event, &mut self.record_sequence, |id| world.account_name(id), &mut self.lines);
            if let VenueEvent::Order(report) = event
                && let (Execution::Trade, Some(fill)) = (report.execution, &report.fill)
                && report.order.filled == fill.qty
            {
                self.counts.first_fill(report.order.account, fill.maker, at);
            }
        }
        self.must_sync |= self.record_sequence > before;
        result
    }

    /// Makes everything so far durable and gives the events that may now be told.
    pub(crate) fn commit(&mut self, now: Timestamp) -> Result<Vec<VenueEvent>, DataDirError> {
        match &mut self.disk {
            Some(disk) => {
                if !self.log.is_empty() {
                    disk.append(&self.log, &self.lines)?;
                }
                if self.must_sync || (disk.unsynced() && now.since(self.last_sync).0 >= LAZY_SYNC_US) {
                    disk.sync()?;
                    self.last_sync = now;
                }
            }
            None if !self.lines.is_empty() => {
                self.memory.extend(self.lines.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec));
                let excess = self.memory.len().saturating_sub(MEMORY_LINES);
                self.memory.drain(..excess);
            }
            None => {}
        }
        if self.must_sync {
            self.commits += 1;
        }
        self.must_sync = false;
        self.log.clear();
        self.lines.clear();
        Ok(std::mem::take(&mut self.events))
    }

    /// Writes a snapshot, if there is a data directory. Call it only with everything committed.
    pub(crate) fn snapshot(&mut self, at: Timestamp) -> Result<(), DataDirError> {
        match &mut self.disk {
            Some(disk) => disk.snapshot(&self.world, at, self.command_sequence, self.record_sequence),
            None => Ok(()),
        }
    }

    /// True when the command log is long enough to be worth folding.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.disk.as_ref().is_some_and(Disk::wants_snapshot)
    }

    /// Calls of fdatasync so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.syncs)
    }

    /// Lines in the record so far.
    pub(crate) fn record_lines(&self) -> u64 {
        self.record_sequence
    }

    /// Where the record is: in a file, or these bytes.
    pub(crate) fn record(&self) -> RecordPlace {
        match &self.disk {
            Some(disk) => RecordPlace::File(disk.record_path(), disk.record_bytes()),
            None => RecordPlace::Memory(self.memory.iter().flatten().copied().collect()),
        }
    }
}

/// Where the record is.
pub(crate) enum RecordPlace {
    /// The first so many bytes of a file.
    File(PathBuf, u64),
    Memory(Vec<u8>),
}

/// Why a data directory cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResumeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Recording(#[from] crate::market::RecordingError),
}
