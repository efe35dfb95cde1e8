//! What the numbers say: anomaly scores, forecasts, time to impact and predicted impact.
//!
//! Pure and streaming: numbers in, numbers out. No clock, no chance, no I/O, no async; floats, because nothing here is
//! ever booked. It raises no alert and knows no channel: that is `alerting`'s.

pub mod crossing;
pub mod detect;
pub mod forecast;
pub mod impact;
pub mod severity;
pub mod threshold;
