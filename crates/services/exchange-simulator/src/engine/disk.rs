//! The data directory: `snapshot.json`, `commands-N.jsonl`, `record.jsonl` and `lock`.
//!
//! A snapshot holds the whole state after command N; `commands-N.jsonl` holds the commands after it. One commit appends
//! a batch of commands, appends their record lines, and calls `fdatasync` once on the commands: only then do answers and
//! reports leave. On start the snapshot is loaded, the commands are applied again, and the record is made to end exactly
//! where they do: a torn last line is cut off, missing lines are appended, and a line that differs stops the start,
//! because then exchange and record would contradict each other.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::{Command, Logged};
use super::world::World;

/// The format of snapshot and command log.
const VERSION: u32 = 1;
/// Commands are folded into a snapshot when their log outgrows this and four times the last snapshot.
const SNAPSHOT_AT: u64 = 64 * 1024 * 1024;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Reading or writing failed.
    #[error("data directory {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another exchange runs on it.
    #[error("data directory {0} is in use by another exchange simulator: stop that one, or name another --data-dir")]
    InUse(PathBuf),
    /// A file says something that cannot be.
    #[error("{path}: {reason}. Move the data directory away to start anew")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was made with another market.
    #[error(
        "data directory {path} was made with market {had}, this start asks for {want}: use the same, or another --data-dir"
    )]
    OtherMarket {
        /// The directory.
        path: PathBuf,
        /// What it was made with.
        had: String,
        /// What is asked for.
        want: String,
    },
}

#[derive(Serialize)]
struct SnapshotOut<'a> {
    version: u32,
    market: &'a str,
    at: Timestamp,
    command_sequence: u64,
    record_sequence: u64,
    record_bytes: u64,
    world: &'a World,
}

/// A loaded snapshot.
#[derive(Deserialize)]
struct SnapshotIn {
    version: u32,
    market: String,
    at: Timestamp,
    command_sequence: u64,
    record_sequence: u64,
    record_bytes: u64,
    world: World,
}

/// What a data directory remembers.
pub(crate) struct Remembered {
    pub(crate) world: World,
    pub(crate) at: Timestamp,
    pub(crate) command_sequence: u64,
    pub(crate) record_sequence: u64,
    /// The commands after the snapshot.
    pub(crate) commands: Vec<Logged>,
    /// The record after the snapshot, whole lines only.
    pub(crate) record_tail: Vec<u8>,
}

/// An open data directory.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    market: String,
    commands: File,
    commands_path: PathBuf,
    record: File,
    record_bytes: u64,
    log_bytes: u64,
    snapshot_bytes: u64,
    unsynced: bool,
    /// Held open: the lock goes with it.
    _lock: File,
    /// Calls of fdatasync.
    pub(crate) syncs: u64,
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> DataDirError + '_ {
    move |source| DataDirError::Io { path: path.to_owned(), source }
}

impl Disk {
    /// Opens or creates a data directory; gives what it remembers, if anything.
    pub(crate) fn open(dir: &Path, market: &str) -> Result<(Self, Option<Remembered>), DataDirError> {
        std::fs::create_dir_all(dir).map_err(io_at(dir))?;
        let lock_path = dir.join("lock");
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(io_at(&lock_path))?;
        if lock.try_lock().is_err() {
            return Err(DataDirError::InUse(dir.to_owned()));
        }
        let record_path = dir.join("record.jsonl");
        let mut record =
            OpenOptions::new().create(true).read(true).append(true).open(&record_path).map_err(io_at(&record_path))?;
        let snapshot_path = dir.join("snapshot.json");
        let snapshot = read_snapshot(&snapshot_path)?;
        let sequence = snapshot.as_ref().map_or(0, |(s, _)| s.command_sequence);
        let commands_path = dir.join(format!("commands-{sequence}.jsonl"));
        let mut commands = open_log(&commands_path)?;
        let Some((snapshot, snapshot_bytes)) = snapshot else {
            // No snapshot means that nobody has ever been answered: the first one precedes opening the doors.
            for (file, path) in [(&commands, &commands_path), (&record, &record_path)] {
                file.set_len(0).map_err(io_at(path))?;
            }
            let (dir, market, record_bytes, log_bytes, snapshot_bytes) = (dir.to_owned(), market.to_owned(), 0, 0, 0);
            let disk = Self {
                dir,
                market,
                commands,
                commands_path,
                record,
                record_bytes,
                log_bytes,
                snapshot_bytes,
                _lock: lock,
                syncs: 0,
                unsynced: false,
            };
            return Ok((disk, None));
        };
        if snapshot.market != market {
            let (path, had, want) = (dir.to_owned(), snapshot.market, market.to_owned());
            return Err(DataDirError::OtherMarket { path, had, want });
        }
        let (logged, log_bytes) = read_commands(&mut commands, &commands_path, sequence)?;
        let record_tail = read_tail(&mut record, &record_path, snapshot.record_bytes)?;
        let record_bytes = snapshot.record_bytes + record_tail.len() as u64;
        let (dir, market) = (dir.to_owned(), market.to_owned());
        let disk = Self {
            dir,
            market,
            commands,
            commands_path,
            record,
            record_bytes,
            log_bytes,
            snapshot_bytes,
            _lock: lock,
            syncs: 0,
            unsynced: false,
        };
        let remembered = Remembered {
            at: logged.last().map_or(snapshot.at, |last| last.at),
            world: snapshot.world,
            command_sequence: sequence,
            record_sequence: snapshot.record_sequence,
            commands: logged,
            record_tail,
        };
        Ok((disk, Some(remembered)))
    }

    /// Makes the record end as `expected` says, given what it holds after the snapshot.
    pub(crate) fn settle_record(&mut self, have: &[u8], expected: &[u8]) -> Result<(), DataDirError> {
        let path = self.dir.join("record.jsonl");
        let common = have.len().min(expected.len());
        if have[..common] != expected[..common] {
            let line = 1 + have[..common]
                .iter()
                .zip(expected)
                .take_while(|(a, b)| a == b)
                .filter(|(a, _)| **a == b'\n')
                .count();
            let reason = format!("line {line} after the snapshot is not what the commands say happened");
            return Err(DataDirError::Corrupt { path, reason });
        }
        if have.len() > expected.len() {
            // Only a power cut leaves lines of commands that never became durable; nobody was told of them.
            let cut = (have.len() - expected.len()) as u64;
            tracing::warn!(bytes = cut, "record.jsonl ends {cut} bytes after the last durable command: cut off");
            self.record_bytes -= cut;
            self.record.set_len(self.record_bytes).map_err(io_at(&path))?;
        }
        self.record.write_all(&expected[common..]).map_err(io_at(&path))?;
        self.record_bytes += (expected.len() - common) as u64;
        Ok(())
    }

    /// Appends commands and record lines: they survive this process, and after [`Disk::sync`] the machine.
    pub(crate) fn append(&mut self, commands: &[u8], record: &[u8]) -> Result<(), DataDirError> {
        self.commands.write_all(commands).map_err(io_at(&self.commands_path))?;
        if !record.is_empty() {
            let path = self.record_path();
            self.record.write_all(record).map_err(io_at(&path))?;
            self.record_bytes += record.len() as u64;
        }
        self.log_bytes += commands.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(&mut self) -> Result<(), DataDirError> {
        self.syncs += 1;
        self.unsynced = false;
        self.commands.sync_data().map_err(io_at(&self.commands_path))
    }

    /// True when something appended is not yet durable.
    pub(crate) fn unsynced(&self) -> bool {
        self.unsynced
    }

    pub(crate) fn record_path(&self) -> PathBuf {
        self.dir.join("record.jsonl")
    }

    pub(crate) fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// True when the command log is long enough to be worth folding.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.log_bytes > SNAPSHOT_AT.max(4 * self.snapshot_bytes)
    }

    /// Writes a snapshot and begins a new command log.
    pub(crate) fn snapshot(
        &mut self,
        world: &World,
        at: Timestamp,
        command_sequence: u64,
        record_sequence: u64,
    ) -> Result<(), DataDirError> {
        let record_path = self.dir.join("record.jsonl");
        self.record.sync_data().map_err(io_at(&record_path))?;
        let (new, path) = (self.dir.join("snapshot.json.new"), self.dir.join("snapshot.json"));
        let market = self.market.as_str();
        let record_bytes = self.record_bytes;
        let snapshot =
            SnapshotOut { version: VERSION, market, at, command_sequence, record_sequence, record_bytes, world };
        let mut file = io::BufWriter::with_capacity(1 << 20, File::create(&new).map_err(io_at(&new))?);
        serde_json::to_writer(&mut file, &snapshot).map_err(|e| io_at(&new)(e.into()))?;
        let file = file.into_inner().map_err(|e| io_at(&new)(e.into_error()))?;
        file.sync_all().map_err(io_at(&new))?;
        self.snapshot_bytes = file.metadata().map_err(io_at(&new))?.len();
        let next = self.dir.join(format!("commands-{command_sequence}.jsonl"));
        if next != self.commands_path {
            let old = std::mem::replace(&mut self.commands_path, next);
            self.commands = open_log(&self.commands_path)?;
            self.commands.set_len(0).map_err(io_at(&self.commands_path))?;
            self.replace(&new, &path)?;
            self.log_bytes = 0;
            return std::fs::remove_file(&old).map_err(io_at(&old));
        }
        self.replace(&new, &path)
    }

    fn replace(&self, new: &Path, path: &Path) -> Result<(), DataDirError> {
        std::fs::rename(new, path).map_err(io_at(path))?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io_at(&self.dir))
    }
}

fn open_log(path: &Path) -> Result<File, DataDirError> {
    OpenOptions::new().create(true).read(true).append(true).open(path).map_err(io_at(path))
}

fn read_snapshot(path: &Path) -> Result<Option<(SnapshotIn, u64)>, DataDirError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataDirError::Io { path: path.to_owned(), source }),
    };
    let corrupt = |reason: String| DataDirError::Corrupt { path: path.to_owned(), reason };
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let version: Version = serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))?;
    if version.version != VERSION {
        let reason = format!("it has version {}, this program knows version {VERSION}", version.version);
        return Err(corrupt(reason));
    }
    let snapshot: SnapshotIn = serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))?;
    debug_assert_eq!(snapshot.version, VERSION);
    Ok(Some((snapshot, bytes.len() as u64)))
}

/// Reads the command log and cuts off a torn last line, whose effect nobody was told of.
fn read_commands(file: &mut File, path: &Path, after: u64) -> Result<(Vec<Logged>, u64), DataDirError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_at(path))?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let torn = bytes.len() - whole;
        tracing::warn!(
            bytes = torn,
            "the command log ends in a torn line of {torn} bytes: dropped, it was never answered"
        );
        file.set_len(whole as u64).map_err(io_at(path))?;
    }
    let mut commands: Vec<Logged> = Vec::new();
    for (line, text) in (1..).zip(bytes[..whole].split(|b| *b == b'\n')).filter(|(_, text)| !text.is_empty()) {
        let corrupt =
            |reason: String| DataDirError::Corrupt { path: path.to_owned(), reason: format!("line {line}: {reason}") };
        let logged: Logged = serde_json::from_slice(text).map_err(|e| corrupt(e.to_string()))?;
        let expected = commands.last().map_or(after, |last| last.sequence) + 1;
        if logged.sequence != expected {
            return Err(corrupt(format!("command {} where {expected} should follow", logged.sequence)));
        }
        commands.push(logged);
    }
    Ok((commands, whole as u64))
}

/// Reads the record from `from` on and cuts off a torn last line.
fn read_tail(file: &mut File, path: &Path, from: u64) -> Result<Vec<u8>, DataDirError> {
    let length = file.metadata().map_err(io_at(path))?.len();
    if length < from {
        let reason = format!("it has {length} bytes, the snapshot was made with {from}");
        return Err(DataDirError::Corrupt { path: path.to_owned(), reason });
    }
    file.seek(SeekFrom::Start(from)).map_err(io_at(path))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(io_at(path))?;
    let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole < tail.len() {
        file.set_len(from + whole as u64).map_err(io_at(path))?;
        tail.truncate(whole);
    }
    Ok(tail)
}

/// A command as a line of the log.
pub(crate) fn log_line(sequence: u64, at: Timestamp, command: &Command, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Line<'a> {
        sequence: u64,
        at: Timestamp,
        command: &'a Command,
    }
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(&mut *out, &Line { sequence, at, command });
    out.push(b'\n');
}
