//! What a worker is told at its start.

use nightdesk_strategies::StrategyParams;
use nightdesk_units::{InstanceId, Symbol};

/// A worker's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The instance.
    pub instance: InstanceId,
    /// Which configuration of the instance: part of every intent's id, raised when the parameters change.
    pub generation: u32,
    /// What it trades.
    pub symbol: Symbol,
    /// The strategy and its parameters, validated.
    pub params: StrategyParams,
    /// Whether it runs when it has never been told to run or stop.
    pub run: bool,
    /// The epoch it acts in.
    pub epoch: u64,
}
