//! The four trading services put together.
//!
//! Three ways to run the same cores: as shells over real ports ([`Desk`]), the same in lockstep with a market that waits for
//! them ([`lockstep`]), and called one after the other without any shell ([`Pump`]). All three journal the same bytes when
//! they are given the same market.

mod desk;
mod lockstep;
mod pump;
mod seat;
mod trading;

pub use desk::{Apis, Desk, StartError, Stores, World};
pub use lockstep::{Lockstep, Market};
pub use pump::{Outside, Pump, PumpError};
pub use seat::{Seat, Shared};
pub use trading::Trading;

#[cfg(test)]
mod same_bytes_tests;
#[cfg(test)]
mod test_market;
