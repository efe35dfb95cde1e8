//! The emergency journal in a local file that works when the disk is full.
//!
//! The file is written full of zeros when it is made and records then overwrite them in place, so that appending asks the
//! file system for nothing. (On a file system that copies on write the reserve is worth less.) A record is a line:
//! number, checksum, length, JSON. That records were merged is itself a record; when all are merged the file is zeroed and
//! used again from the start. A torn last line, left by a crash, is ignored.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::file::{at, open_private, sync_folder};

/// Bytes set aside: some 10,000 records.
const RESERVE: u64 = 2 * 1024 * 1024;

/// Number and checksum and length in hexadecimal, a space after each.
const HEAD: usize = 16 + 1 + 8 + 1 + 8 + 1;

/// Zeros are written in pieces of this size.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The emergency journal in a file.
#[derive(Debug)]
pub struct EmergencyFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Where the next record goes; all zeros from here on, or the remains of an append that failed.
    end: u64,
    /// Number of the next record.
    next: u64,
    pending: Vec<EmergencyRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Record { at: i64, kind: String, body: String },
    Merged { merged: usize },
}

impl EmergencyFile {
    /// Opens the journal, making it and setting room aside if need be.
    ///
    /// # Errors
    /// When there is no room to set aside, another process has the file, it cannot be read or written, or a record in its
    /// middle is damaged.
    pub fn open(path: &Path) -> Result<Self, PlatformError> {
        Self::open_with_reserve(path, RESERVE)
    }

    /// The same with room for `reserve` bytes.
    ///
    /// # Errors
    /// As [`EmergencyFile::open`].
    pub fn open_with_reserve(path: &Path, reserve: u64) -> Result<Self, PlatformError> {
        let failed = |action: &'static str| move |error| at(path, action, &error);
        let mut file = open_private(path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(unavailable(path, "another process has it".to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let mut state = parse(&bytes, file).map_err(|detail| unavailable(path, detail))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        state.tidy(&bytes).map_err(failed("tidy"))?;
        if length < reserve {
            state.zero(length, reserve).and_then(|()| sync_folder(path)).map_err(failed("set room aside for"))?;
        }
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is pending changes only after the file has, so a panic elsewhere leaves both in step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EmergencyFile {
    fn drop(&mut self) {
        // Closing would unlock it too, but not while a child that is just being started still has a copy of the handle.
        let _ = self.lock().file.unlock();
    }
}

impl EmergencyJournal for EmergencyFile {
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError> {
        let EmergencyRecord { at: Timestamp(time), kind, body } = record.clone();
        let mut state = self.lock();
        let written = state.write(&Line::Record { at: time, kind, body });
        written.map_err(|error| at(&self.path, "append to", &error))?;
        state.pending.push(record.clone());
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(self.lock().pending.clone())
    }

    fn merged(&self, count: usize) -> Result<(), PlatformError> {
        let mut state = self.lock();
        let count = count.min(state.pending.len());
        if count == 0 {
            return Ok(());
        }
        let done =
            if count < state.pending.len() { state.write(&Line::Merged { merged: count }) } else { state.reset() };
        done.map_err(|error| at(&self.path, "mark records merged in", &error))?;
        state.pending.drain(..count);
        Ok(())
    }
}

impl State {
    /// Writes a line and makes it durable. After a failure the next one takes its place.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let bytes = frame(self.next, &serde_json::to_vec(line)?);
        self.file.write_all_at(&bytes, self.end)?;
        self.file.sync_data()?;
        self.end += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.next += 1;
        Ok(())
    }

    /// Forgets everything. The first byte goes first: should we crash between the two, the file counts as empty, and
    /// [`State::tidy`] removes the rest; the other way round, records merged long ago could come back.
    fn reset(&mut self) -> io::Result<()> {
        self.file.write_all_at(&[0], 0)?;
        self.file.sync_data()?;
        let end = std::mem::take(&mut self.end);
        self.zero(0, end)
    }

    /// Leaves nothing but zeros behind the last record, so that nothing there can be taken for one later.
    fn tidy(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if length > self.end { self.zero(self.end, length) } else { Ok(()) }
    }

    fn zero(&mut self, mut from: u64, to: u64) -> io::Result<()> {
        while from < to {
            let piece = usize::try_from(to - from).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.file.write_all_at(&ZEROS[..piece], from)?;
            from += u64::try_from(piece).unwrap_or(u64::MAX);
        }
        self.file.sync_all()
    }
}

fn unavailable(path: &Path, detail: String) -> PlatformError {
    PlatformError::Unavailable { place: path.display().to_string(), detail }
}

fn frame(number: u64, json: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{number:016x} {:08x} {:08x} ", checksum(number, json), json.len()).into_bytes();
    bytes.extend_from_slice(json);
    bytes.push(b'\n');
    bytes
}

fn checksum(number: u64, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(json);
    hasher.finalize()
}

/// The record at the start of `bytes`: its number, its line, its length.
fn first(bytes: &[u8]) -> Option<(u64, Line, usize)> {
    let field = |from: usize, to: usize| std::str::from_utf8(bytes.get(from..to)?).ok();
    let number = u64::from_str_radix(field(0, 16)?, 16).ok()?;
    let sum = u32::from_str_radix(field(17, 25)?, 16).ok()?;
    let length = usize::try_from(u32::from_str_radix(field(26, 34)?, 16).ok()?).ok()?;
    let json = bytes.get(HEAD..HEAD.checked_add(length)?)?;
    if checksum(number, json) != sum || bytes.get(HEAD + length) != Some(&b'\n') {
        return None;
    }
    Some((number, serde_json::from_slice(json).ok()?, HEAD + length + 1))
}

/// Reads the file. A crash can tear the last record only, because each is durable before the next begins; so a whole record
/// after a broken one means damage, and damage is told rather than skipped.
fn parse(bytes: &[u8], file: File) -> Result<State, String> {
    let mut state = State { file, end: 0, next: 1, pending: Vec::new() };
    let mut rest = bytes;
    let mut last = None;
    while let Some((number, line, length)) =
        first(rest).filter(|(number, ..)| last.is_none_or(|last| *number == last + 1))
    {
        match line {
            Line::Record { at, kind, body } => state.pending.push(EmergencyRecord { at: Timestamp(at), kind, body }),
            Line::Merged { merged } => drop(state.pending.drain(..merged.min(state.pending.len()))),
        }
        last = Some(number);
        rest = &rest[length..];
    }
    let end = bytes.len() - rest.len();
    state.end = u64::try_from(end).unwrap_or(u64::MAX);
    state.next = last.map_or(1, |last| last + 1);
    // An unfinished reset leaves a zero first and old records behind it; the file is empty then.
    let torn = rest.first().is_some_and(|byte| *byte != 0);
    let lines = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(position, _)| position + 1);
    if torn && lines.into_iter().any(|start| first(&rest[start..]).is_some_and(|(number, ..)| number >= state.next)) {
        return Err(format!("it is damaged at byte {end}, and whole records follow: keep a copy and call for help"));
    }
    Ok(state)
}

#[cfg(test)]
#[path = "emergency_tests.rs"]
mod tests;
