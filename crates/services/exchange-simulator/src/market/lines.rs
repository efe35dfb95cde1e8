//! Reads a recording line by line, plain or gzip, and says where it is damaged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

/// The longest line that is taken for a message; a full depth snapshot of 5,000 levels has about 350 kB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A recording that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be opened.
    #[error("cannot open the recording {path}: {source}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It breaks off or is damaged.
    #[error("{path}: damaged after line {line}: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The last good line.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A line is not in the capture format.
    #[error("{path}: {source}")]
    Line {
        /// Which.
        path: PathBuf,
        /// Line and reason.
        source: nightdesk_wire::capture::CaptureError,
    },
    /// It goes back in time.
    #[error(
        "{path}: line {line}: received {back_s} s before the message before it: recordings are played in order of time, \
         and several are named oldest first"
    )]
    Order {
        /// Which.
        path: PathBuf,
        /// The line that is too early.
        line: u64,
        /// By how much, whole seconds.
        back_s: i64,
    },
    /// There is nothing in it to trade.
    #[error("{path}: no market message in it")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The instruments cannot be told from it.
    #[error("the recording's instruments: {0}")]
    Instruments(String),
}

/// The lines of one recording.
pub struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    text: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines({}:{})", self.path.display(), self.line)
    }
}

impl Lines {
    /// Opens a recording; gzip is told by its first two bytes.
    ///
    /// # Errors
    /// `Open` when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let open = |source| RecordingError::Open { path: path.to_owned(), source };
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).map_err(open)?);
        let gzip = reader.fill_buf().map_err(open)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead + Send> = if gzip {
            Box::new(BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        Ok(Self { path: path.to_owned(), reader, line: 0, text: Vec::new() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line with its number from 1; blank lines are skipped.
    ///
    /// # Errors
    /// `Damaged`, naming the last good line.
    pub fn next_line(&mut self) -> Result<Option<(u64, &str)>, RecordingError> {
        loop {
            self.text.clear();
            let damaged = |reason: String, line: u64, path: &Path| RecordingError::Damaged {
                path: path.to_owned(),
                line,
                reason,
            };
            let read = (&mut self.reader).take(LONGEST).read_until(b'\n', &mut self.text);
            let read = read.map_err(|e| damaged(reason(&e), self.line, &self.path))?;
            if read == 0 {
                return Ok(None);
            }
            if self.text.last() != Some(&b'\n') && self.text.len() as u64 >= LONGEST {
                return Err(damaged("a line of more than 16 MiB".to_owned(), self.line, &self.path));
            }
            self.line += 1;
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let text = std::str::from_utf8(&self.text).map_err(|_| RecordingError::Damaged {
            path: self.path.clone(),
            line: self.line - 1,
            reason: "the next line is not UTF-8 text".to_owned(),
        })?;
        Ok(Some((self.line, text.trim_end())))
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the gzip data ends in the middle: the file is truncated".to_owned(),
        _ => format!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn temp(name: &str, bytes: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("nightdesk-lines-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(path: &Path) -> Result<Vec<(u64, String)>, RecordingError> {
        let mut lines = Lines::open(path)?;
        let mut all = Vec::new();
        while let Some((number, text)) = lines.next_line()? {
            all.push((number, text.to_owned()));
        }
        Ok(all)
    }

    #[test]
    fn plain_and_gzip_read_alike_and_blank_lines_count() {
        let text = "one\n\ntwo\r\nthree";
        let expected = [(1, "one"), (3, "two"), (4, "three")].map(|(n, t)| (n, t.to_owned()));
        assert_eq!(read_all(&temp("plain", text.as_bytes())).unwrap(), expected);
        assert_eq!(read_all(&temp("gz", &gzip(text))).unwrap(), expected);
    }

    #[test]
    fn a_truncated_file_names_its_last_good_line() {
        let text: String = (0..50_000).map(|i| format!("{i} {}\n", i * 7_919)).collect();
        let packed = gzip(&text);
        let error = read_all(&temp("cut", &packed[..packed.len() / 2])).unwrap_err().to_string();
        assert!(error.contains("damaged after line ") && error.contains("truncated"), "{error}");
        let mut broken = packed.clone();
        let middle = broken.len() / 2;
        broken[middle..middle + 64].fill(0xff);
        assert!(read_all(&temp("broken", &broken)).unwrap_err().to_string().contains("damaged after line "));
        assert!(read_all(Path::new("/does/not/exist")).unwrap_err().to_string().contains("/does/not/exist"));
    }
}
