//! Time to impact: when a forecast crosses a limit.
