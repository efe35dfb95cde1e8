//! The exchange's own record, read while it grows: the judge.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What the record says so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Truth {
    /// Exchange orders by our own id.
    pub(crate) orders: BTreeMap<String, Vec<Value>>,
    /// Fills by our own id.
    pub(crate) fills: BTreeMap<String, Vec<Value>>,
    /// Ends other than by filling, by our own id.
    pub(crate) ends: BTreeMap<String, Value>,
}

impl Truth {
    /// How many orders.
    pub(crate) fn order_count(&self) -> usize {
        self.orders.values().map(Vec::len).sum()
    }

    /// How many fills.
    pub(crate) fn fill_count(&self) -> usize {
        self.fills.values().map(Vec::len).sum()
    }

    /// Ids that stand for more than one order.
    pub(crate) fn doubled(&self) -> Vec<&String> {
        self.orders.iter().filter(|(_, orders)| orders.len() > 1).map(|(id, _)| id).collect()
    }
}

/// A record that is followed.
pub(crate) struct Record {
    path: PathBuf,
    at: u64,
    rest: Vec<u8>,
    /// What it says so far.
    pub(crate) truth: Truth,
}

impl Record {
    /// Follows the file at `path`, which may not exist yet.
    pub(crate) fn follow(path: &Path) -> Self {
        let mut record = Self { path: path.to_owned(), at: 0, rest: Vec::new(), truth: Truth::default() };
        record.look();
        record
    }

    /// Reads what is new.
    pub(crate) fn look(&mut self) -> &Truth {
        let Ok(mut file) = File::open(&self.path) else { return &self.truth };
        // A killed exchange may have left a torn line, which it writes anew.
        if file.metadata().is_ok_and(|file| file.len() < self.at) {
            self.rest.clear();
            self.at = 0;
            self.truth = Truth::default();
        }
        file.seek(SeekFrom::Start(self.at)).unwrap();
        let mut new = Vec::new();
        file.read_to_end(&mut new).unwrap();
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.at += whole as u64;
        for line in new[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).unwrap();
            let id = line["client_order_id"].as_str().unwrap_or_default().to_owned();
            match line["event"].as_str().unwrap() {
                "order" => self.truth.orders.entry(id).or_default().push(line),
                "fill" => self.truth.fills.entry(id).or_default().push(line),
                "cancel" | "expire" | "prevent" => drop(self.truth.ends.insert(id, line)),
                _ => {}
            }
        }
        &self.truth
    }
}
