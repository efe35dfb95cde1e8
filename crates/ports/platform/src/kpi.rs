//! Every KPI the user named, and the few of our own that all services share: name, help, unit, labels, once.
//!
//! Services set them through the `metrics` facade, which does nothing until a host installs a recorder: the simulator
//! pays nothing and sees nothing. Names follow Prometheus: a prefix, base units (seconds, ratios from 0 to 1), `_total`
//! on counters. The executive dashboard's names (`portfolio_total_value`, `max_drawdown`, …) are the user's own: they
//! are [`Alias`]es of the prefixed ones, shown beside them from the same value, in the user's unit (per cent).
//!
//! Money appears here as a float because Prometheus knows nothing else. Nothing is ever computed from these values.

mod signals;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata};

pub use self::signals::*;

/// What a KPI is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations, counted in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// The same value under a name, and in a unit, of the user's choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alias {
    /// The user's name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// The user's unit per base unit: 100 for per cent of a ratio.
    pub factor: f64,
}

/// A named measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kpi {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// The names of its labels, all with few values.
    pub labels: &'static [&'static str],
    /// The user's name for it, where there is one.
    pub alias: Option<Alias>,
}

impl Kpi {
    const fn new(kind: Kind, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, help, kind, labels, alias: None }
    }

    const fn gauge_of(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Gauge, name, labels, help)
    }

    const fn counter_of(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Counter, name, labels, help)
    }

    const fn seconds_of(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Histogram(LATENCY_SECONDS), name, labels, help)
    }

    const fn also(mut self, name: &'static str, factor: f64, help: &'static str) -> Self {
        self.alias = Some(Alias { name, help, factor });
        self
    }

    /// The counter with these label values, in the order of [`Kpi::labels`]. Keep the handle where it is used often.
    pub fn counter(&self, values: &[&str]) -> Counter {
        metrics::with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    /// The gauge with these label values, in the order of [`Kpi::labels`].
    pub fn gauge(&self, values: &[&str]) -> Gauge {
        metrics::with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    /// The histogram with these label values, in the order of [`Kpi::labels`].
    pub fn histogram(&self, values: &[&str]) -> Histogram {
        metrics::with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    /// The facade's key. A value too few leaves its label out.
    #[must_use]
    pub fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{}: one value per label", self.name);
        let labels = self.labels.iter().zip(values);
        let labels: Vec<Label> = labels.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(KeyName::from_const_str(self.name), labels)
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Upper bounds for latencies, 50 µs to 10 s.
pub const LATENCY_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0,
];

// core-engine

/// Strategies that may trade now.
pub const STRATEGIES_ACTIVE: Kpi = Kpi::gauge_of("nightdesk_strategies_active", &[], "Strategies that may trade now.");
/// Messages waiting in queues.
pub const QUEUE_MESSAGES_WAITING: Kpi =
    Kpi::gauge_of("nightdesk_queue_messages_waiting", &["queue"], "Messages waiting in a queue.");
/// Total PnL of the portfolio.
pub const PORTFOLIO_PNL: Kpi = Kpi::gauge_of(
    "nightdesk_portfolio_pnl",
    &[],
    "Realised and open profit and loss of the whole portfolio since its start, after fees, in the reporting currency.",
);
/// Value of the portfolio.
pub const PORTFOLIO_VALUE: Kpi = Kpi::gauge_of(
    "nightdesk_portfolio_value",
    &[],
    "Value of the whole portfolio in the reporting currency.",
)
.also("portfolio_total_value", 1.0, "Total portfolio value in the reporting currency.");
/// Open positions.
pub const POSITIONS_OPEN: Kpi = Kpi::gauge_of("nightdesk_positions_open", &[], "Positions that are not flat.");
/// Today's PnL by strategy.
pub const STRATEGY_PNL_DAILY: Kpi = Kpi::gauge_of(
    "nightdesk_strategy_pnl_daily",
    &["strategy"],
    "Profit and loss of a strategy since midnight UTC, in the reporting currency.",
)
.also("daily_pnl_by_strategy", 1.0, "Profit and loss of a strategy since midnight UTC, in the reporting currency.");
/// Deepest fall of the portfolio.
pub const PORTFOLIO_DRAWDOWN_MAX: Kpi = Kpi::gauge_of(
    "nightdesk_portfolio_drawdown_max_ratio",
    &[],
    "Deepest fall of the portfolio's value below an earlier peak, as a fraction of that peak.",
)
.also("max_drawdown", 100.0, "Deepest fall of the portfolio's value below an earlier peak, per cent of that peak.");
/// Value at risk of the portfolio.
pub const PORTFOLIO_VAR_95: Kpi = Kpi::gauge_of(
    "nightdesk_portfolio_var_95_ratio",
    &[],
    "Loss in one day that is not exceeded with 95 % confidence, as a fraction of the portfolio's value.",
)
.also("var_95", 100.0, "Loss in one day that is not exceeded with 95 % confidence, per cent of the portfolio's value.");
/// Sharpe ratio of the portfolio.
pub const PORTFOLIO_SHARPE: Kpi = Kpi::gauge_of(
    "nightdesk_portfolio_sharpe_ratio",
    &[],
    "Annualised Sharpe ratio of the portfolio.",
)
.also("sharpe_ratio", 1.0, "Annualised Sharpe ratio of the portfolio.");

// exchange-connector

/// Latency of API calls to the exchange.
pub const EXCHANGE_REQUEST_SECONDS: Kpi = Kpi::seconds_of(
    "nightdesk_exchange_request_duration_seconds",
    &["exchange", "endpoint", "outcome"],
    "Duration of API calls to the exchange, by outcome (ok, rejected, retry, in_doubt).",
);
/// How much of a rate limit is used.
pub const EXCHANGE_RATE_LIMIT_USAGE: Kpi = Kpi::gauge_of(
    "nightdesk_exchange_rate_limit_usage_ratio",
    &["exchange", "limit"],
    "Used part of a rate limit of the exchange, 0 to 1.",
);
/// Fill rate.
pub const EXCHANGE_FILL_RATIO: Kpi = Kpi::gauge_of(
    "nightdesk_exchange_fill_ratio",
    &["exchange"],
    "Filled part of the quantity of all orders that have ended, 0 to 1.",
);
/// Mean slippage.
pub const EXCHANGE_SLIPPAGE_MEAN: Kpi = Kpi::gauge_of(
    "nightdesk_exchange_slippage_mean_ratio",
    &["exchange"],
    "Mean distance of fills from the price at the time of the decision, as a fraction of it; positive is worse.",
);

// strategy-worker

/// Orders of a strategy filled completely.
pub const STRATEGY_TRADES: Kpi = Kpi::counter_of(
    "nightdesk_strategy_trades_total",
    &["strategy"],
    "Orders of a strategy that were filled completely.",
);
/// Errors of a strategy; its rate is the error rate.
pub const STRATEGY_ERRORS: Kpi =
    Kpi::counter_of("nightdesk_strategy_errors_total", &["strategy"], "Errors while a strategy worked.");
/// Error rate of a strategy.
pub const STRATEGY_ERROR_RATIO: Kpi = Kpi::gauge_of(
    "nightdesk_strategy_error_ratio",
    &["strategy"],
    "Part of a strategy's intents that ended in an error, 0 to 1.",
);
/// PnL of a strategy.
pub const STRATEGY_PNL: Kpi = Kpi::gauge_of(
    "nightdesk_strategy_pnl",
    &["strategy"],
    "Realised and open profit and loss of a strategy since its start, after fees, in the reporting currency.",
);
/// Sharpe ratio of a strategy.
pub const STRATEGY_SHARPE: Kpi =
    Kpi::gauge_of("nightdesk_strategy_sharpe_ratio", &["strategy"], "Annualised Sharpe ratio of a strategy.");
/// Deepest fall of a strategy.
pub const STRATEGY_DRAWDOWN_MAX: Kpi = Kpi::gauge_of(
    "nightdesk_strategy_drawdown_max_ratio",
    &["strategy"],
    "Deepest fall of a strategy's equity below an earlier peak, as a fraction of that peak.",
);

// capital-manager

/// Processing time of allocation requests.
pub const CAPITAL_REQUEST_SECONDS: Kpi = Kpi::seconds_of(
    "nightdesk_capital_request_duration_seconds",
    &[],
    "Time from an allocation request's arrival to its answer.",
);
/// Allocation requests by outcome.
pub const CAPITAL_REQUESTS: Kpi = Kpi::counter_of(
    "nightdesk_capital_requests_total",
    &["outcome"],
    "Allocation requests answered, by outcome (granted, rejected).",
);
/// Rejection rate.
pub const CAPITAL_REJECTION_RATIO: Kpi = Kpi::gauge_of(
    "nightdesk_capital_rejection_ratio",
    &[],
    "Part of the allocation requests that was rejected, 0 to 1.",
);
/// Risk budget usage.
pub const CAPITAL_RISK_BUDGET_USAGE: Kpi = Kpi::gauge_of(
    "nightdesk_capital_risk_budget_usage_ratio",
    &["budget"],
    "Used part of a risk budget (portfolio, or a strategy), 0 to 1.",
);
/// Return on investment.
pub const CAPITAL_RETURN: Kpi = Kpi::gauge_of(
    "nightdesk_capital_return_ratio",
    &[],
    "Return on the capital invested since the start, as a fraction.",
);

// Every service

/// Errors by service and kind.
pub const ERRORS: Kpi =
    Kpi::counter_of("nightdesk_errors_total", &["service", "kind"], "Errors a service handled or reported, by kind.");
/// Messages put among the dead letters.
pub const BUS_DEAD_LETTERS: Kpi = Kpi::counter_of(
    "nightdesk_bus_dead_letters_total",
    &["queue", "reason"],
    "Messages this process put among the dead letters, by reason (unreadable, newer_schema, misplaced).",
);
/// Messages among the dead letters.
pub const BUS_DEAD_LETTERS_WAITING: Kpi = Kpi::gauge_of(
    "nightdesk_bus_dead_letters_waiting",
    &["queue"],
    "Messages that lie among the dead letters of a queue, whoever put them there; above 0, somebody must look.",
);
/// Errors a second by service, over the last minute.
pub const ERROR_RATE: Kpi = Kpi::gauge_of(
    "nightdesk_service_errors_per_second",
    &["service"],
    "Errors of a service a second, over the last minute.",
)
.also("error_rates", 1.0, "Errors of a service a second, over the last minute.");
/// Whether a service works.
pub const SERVICE_UP: Kpi =
    Kpi::gauge_of("nightdesk_service_up", &["service"], "1 while a service's event loop works, 0 while it does not.")
        .also(
            "service_availability",
            1.0,
            "1 while a service works, 0 while it does not; its mean over time is the availability.",
        );

/// All of the above, in the order of `/metrics` documentation.
pub const ALL: &[Kpi] = &[
    STRATEGIES_ACTIVE,
    QUEUE_MESSAGES_WAITING,
    PORTFOLIO_PNL,
    PORTFOLIO_VALUE,
    POSITIONS_OPEN,
    STRATEGY_PNL_DAILY,
    PORTFOLIO_DRAWDOWN_MAX,
    PORTFOLIO_VAR_95,
    PORTFOLIO_SHARPE,
    EXCHANGE_REQUEST_SECONDS,
    EXCHANGE_RATE_LIMIT_USAGE,
    EXCHANGE_FILL_RATIO,
    EXCHANGE_SLIPPAGE_MEAN,
    STRATEGY_TRADES,
    STRATEGY_ERRORS,
    STRATEGY_ERROR_RATIO,
    STRATEGY_PNL,
    STRATEGY_SHARPE,
    STRATEGY_DRAWDOWN_MAX,
    CAPITAL_REQUEST_SECONDS,
    CAPITAL_REQUESTS,
    CAPITAL_REJECTION_RATIO,
    CAPITAL_RISK_BUDGET_USAGE,
    CAPITAL_RETURN,
    ERRORS,
    BUS_DEAD_LETTERS,
    BUS_DEAD_LETTERS_WAITING,
    ERROR_RATE,
    SERVICE_UP,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let mut names = std::collections::BTreeSet::new();
        for kpi in ALL.iter().chain(SIGNALS) {
            assert!(kpi.name.starts_with("nightdesk_"), "{}", kpi.name);
            assert!(names.insert(kpi.name), "{} twice", kpi.name);
            assert!(kpi.alias.is_none_or(|alias| names.insert(alias.name)), "{} twice", kpi.name);
            assert_eq!(kpi.name.ends_with("_total"), kpi.kind == Kind::Counter, "{}", kpi.name);
            // All histograms here are of durations; an age in seconds is a gauge.
            assert!(kpi.name.ends_with("_seconds") || !matches!(kpi.kind, Kind::Histogram(_)), "{}", kpi.name);
            assert!(kpi.help.ends_with('.'), "{}", kpi.name);
        }
    }

    #[test]
    fn without_a_recorder_nothing_happens() {
        STRATEGY_TRADES.counter(&["123"]).increment(1);
        POSITIONS_OPEN.gauge(&[]).set(2.0);
        assert_eq!(CAPITAL_REQUESTS.key(&["granted"]).labels().count(), 1);
    }
}
