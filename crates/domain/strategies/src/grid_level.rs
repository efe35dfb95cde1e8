//! One level of the grid: buys at its price, sells one step above, again and again.

use nightdesk_market::Side;
use nightdesk_units::{Qty, Ticks, Timestamp};
use serde::{Deserialize, Serialize};

use crate::DecisionKey;

/// Where the levels are: `low + i × step` for `i` below `levels`; the last one sells at `low + levels × step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridShape {
    /// Price of the lowest level.
    pub low: Ticks,
    /// Distance between levels.
    pub step: Ticks,
    /// How many levels buy.
    pub levels: u32,
}

impl GridShape {
    /// Price at which level `i` buys; level `levels` is where the last one sells.
    #[must_use]
    pub fn price(&self, i: u32) -> Ticks {
        Ticks(self.low.0.saturating_add(self.step.0.saturating_mul(i64::from(i))))
    }

    /// The highest price, where the last level sells.
    #[must_use]
    pub fn top(&self) -> Ticks {
        self.price(self.levels)
    }
}

/// State of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridLevel {
    /// Where it buys.
    pub buy_at: Ticks,
    /// Where it sells.
    pub sell_at: Ticks,
    /// Completed rounds of a buy and its sale.
    pub cycle: u32,
    /// Orders placed in this round.
    pub attempt: u32,
    /// Orders in a row that came to nothing.
    pub failures: u32,
    /// No order before this.
    pub retry_at: Timestamp,
    /// Base quantity bought and not sold, net of fees.
    pub held: Qty,
    /// The order at work.
    pub order: Option<DecisionKey>,
    /// Its side, with `order`.
    pub side: Side,
    /// True when the order has executed in part.
    pub partial: bool,
    /// True when its cancellation was asked for.
    pub cancelling: bool,
}

impl GridLevel {
    pub(crate) const fn new(buy_at: Ticks, sell_at: Ticks) -> Self {
        Self {
            buy_at,
            sell_at,
            cycle: 0,
            attempt: 0,
            failures: 0,
            retry_at: Timestamp(i64::MIN),
            held: Qty::ZERO,
            order: None,
            side: Side::Buy,
            partial: false,
            cancelling: false,
        }
    }

    /// True while a buy is at work.
    #[must_use]
    pub fn is_buying(&self) -> bool {
        self.order.is_some() && self.side == Side::Buy
    }
}

/// Names a level's order: grid, level, round, side, attempt.
pub(crate) fn key(generation: u32, level: usize, state: &GridLevel, side: Side) -> Option<DecisionKey> {
    let letter = match side {
        Side::Buy => 'b',
        Side::Sell => 's',
    };
    format!("g{generation}-l{level}-c{}-{letter}{}", state.cycle, state.attempt).parse().ok()
}

/// Grid and level of a key made by [`key`].
pub(crate) fn parse_key(key: DecisionKey) -> Option<(u32, usize)> {
    let mut parts = key.as_str().split('-');
    let generation = parts.next()?.strip_prefix('g')?.parse().ok()?;
    let level = parts.next()?.strip_prefix('l')?.parse().ok()?;
    Some((generation, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_level_even_at_its_longest() {
        let mut level = GridLevel::new(Ticks(1), Ticks(2));
        (level.cycle, level.attempt) = (9_999_999, 99_999);
        let key = key(99_999, 199, &level, Side::Sell).unwrap();
        assert_eq!((key.as_str(), parse_key(key)), ("g99999-l199-c9999999-s99999", Some((99_999, 199))));
        assert_eq!(parse_key("17-buy".parse().unwrap()), None);
    }

    #[test]
    fn levels_are_evenly_spaced() {
        let shape = GridShape { low: Ticks(90), step: Ticks(5), levels: 4 };
        assert_eq!((shape.price(0), shape.price(3), shape.top()), (Ticks(90), Ticks(105), Ticks(110)));
    }
}
