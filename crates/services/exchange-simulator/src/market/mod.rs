//! Where prices come from: recordings, or made-up history before the exchange's first day.

mod history;
mod lines;
mod replay;

pub(crate) use history::MadeUp;
pub use lines::{Lines, RecordingError};
pub use replay::{Playback, Recorded, Survey, redated, survey};
