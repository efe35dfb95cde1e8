//! Forecasts of a regularly sampled series, with calibrated bounds.
//!
//! Several classes of [`Model`] look at the same past: naive, regression on lags (ARIMA-class), exponential smoothing,
//! trend with seasonalities (Prophet-class) and analogues. None is chosen by hand: a rolling back-test on the series
//! itself says how far off each was, and the forecast is their mean, weighted by that. The residuals of the same
//! back-test calibrate the bounds (conformal). Time does not exist here: a step is one sampling interval, whatever its
//! length. Missing values are handed in as NaN, and a lone outlier is clipped before anything is learned from it.

mod analogue;
mod backtest;
mod change;
mod fence;
mod forecaster;
mod history;
mod intervals;
mod lags;
mod model;
mod moments;
mod naive;
mod normal;
#[cfg(test)]
mod samples;
mod settings;
mod smoothing;
mod trend;

pub use forecaster::{Forecast, Forecaster, Share};
pub use model::{Class, Model, Past, Scale};
pub use settings::{ForecastError, MAX_HORIZON, Settings};

pub use change::Direction;
pub(crate) use normal::{normal_cdf, normal_quantile};
