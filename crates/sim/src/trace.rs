//! The running hash over everything that happens, and the last of it for people.

use std::collections::VecDeque;

use nightdesk_units::Timestamp;

/// How many lines are kept of a run that is looked at.
const KEPT: usize = 400;

/// What happened, as one number; with the lines, when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    lines: Option<VecDeque<String>>,
    aloud: bool,
}

impl Trace {
    /// A trace that keeps its last lines, or prints every one.
    pub(crate) fn new(keep: bool, aloud: bool) -> Self {
        Self { lines: (keep || aloud).then(VecDeque::new), aloud, ..Self::default() }
    }

    /// Takes an event in. `detail` is for people only.
    pub(crate) fn note(&mut self, at: Timestamp, what: &str, number: u64, detail: impl FnOnce() -> String) {
        self.events += 1;
        self.mix(at.0.cast_unsigned());
        self.mix(number);
        self.bytes(what.as_bytes());
        if let Some(lines) = &mut self.lines {
            let line = format!("{:>14.6} {what} {number} {}", at.0 as f64 / 1e6, detail());
            if self.aloud {
                eprintln!("{line}");
            }
            if lines.len() >= KEPT {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }

    /// Mixes bytes in: FNV-1a by words, which is enough to tell two runs apart.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// The last lines.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default().into()
    }
}
