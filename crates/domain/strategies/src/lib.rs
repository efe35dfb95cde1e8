//! What a strategy is, and the two that trade.
