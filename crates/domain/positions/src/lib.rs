//! Positions, profit and loss, the portfolio and its risk figures.
