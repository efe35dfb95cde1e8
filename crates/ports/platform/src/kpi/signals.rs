//! What operators watch besides the KPIs: whether what we know is fresh, and how the line to the exchange does.

use super::Kpi;

// core-engine's watchdogs

/// Age of a source of knowledge that new risk depends on.
pub const WATCHDOG_AGE: Kpi = Kpi::gauge_of(
    "nightdesk_watchdog_age_seconds",
    &["source", "symbol"],
    "Age of what new risk depends on (market_data, user_stream, reconciliation, outbox); NaN while there is none.",
);
/// Age at which no new risk is taken.
pub const WATCHDOG_LIMIT: Kpi = Kpi::gauge_of(
    "nightdesk_watchdog_limit_seconds",
    &["source", "symbol"],
    "Age from which on a source is stale and no new risk is taken.",
);
/// Whether a source holds new risk back.
pub const WATCHDOG_STALE: Kpi =
    Kpi::gauge_of("nightdesk_watchdog_stale", &["source", "symbol"], "1 while a source is stale or missing, else 0.");
/// Whether new risk is taken.
pub const NEW_RISK_TAKEN: Kpi = Kpi::gauge_of(
    "nightdesk_new_risk_taken",
    &["symbol"],
    "1 while new risk may be taken in an instrument, 0 while anything holds it back.",
);

// The connector's line to the exchange

/// Messages that could not be understood.
pub const MALFORMED_MESSAGES: Kpi = Kpi::counter_of(
    "nightdesk_exchange_malformed_messages_total",
    &["exchange", "kind"],
    "Messages of the exchange that could not be understood, by kind.",
);
/// Events of a kind that we do not know.
pub const UNKNOWN_EVENTS: Kpi = Kpi::counter_of(
    "nightdesk_exchange_unknown_events_total",
    &["exchange", "stream"],
    "Well-formed events of a kind that we do not know; they are passed over.",
);
/// Messages of the streams.
pub const STREAM_MESSAGES: Kpi = Kpi::counter_of(
    "nightdesk_exchange_stream_messages_total",
    &["exchange", "stream"],
    "Messages received from the exchange's streams.",
);
/// Streams cut.
pub const STREAM_CUTS: Kpi = Kpi::counter_of(
    "nightdesk_exchange_stream_cuts_total",
    &["exchange", "stream"],
    "Times a stream of the exchange was cut or went silent.",
);
/// Streams renewed in time.
pub const STREAM_RENEWALS: Kpi = Kpi::counter_of(
    "nightdesk_exchange_stream_renewals_total",
    &["exchange", "stream"],
    "Times a stream was renewed before the exchange ended it.",
);
/// What was fetched after a gap.
pub const BACKFILLED: Kpi = Kpi::counter_of(
    "nightdesk_exchange_backfilled_total",
    &["exchange", "what"],
    "Trades and executions fetched over REST because a stream had missed them.",
);
/// Snapshots of the book.
pub const BOOK_SNAPSHOTS: Kpi = Kpi::counter_of(
    "nightdesk_exchange_book_snapshots_total",
    &["exchange"],
    "Order book snapshots fetched to begin or to re-synchronise a local book.",
);
/// The exchange's clock.
pub const CLOCK_OFFSET: Kpi =
    Kpi::gauge_of("nightdesk_exchange_clock_offset_seconds", &["exchange"], "The exchange's clock minus ours.");
/// How well it is known.
pub const CLOCK_UNCERTAINTY: Kpi = Kpi::gauge_of(
    "nightdesk_exchange_clock_uncertainty_seconds",
    &["exchange"],
    "How far the measured clock offset may be wrong.",
);

/// All of the above.
pub const SIGNALS: &[Kpi] = &[
    WATCHDOG_AGE,
    WATCHDOG_LIMIT,
    WATCHDOG_STALE,
    NEW_RISK_TAKEN,
    MALFORMED_MESSAGES,
    UNKNOWN_EVENTS,
    STREAM_MESSAGES,
    STREAM_CUTS,
    STREAM_RENEWALS,
    BACKFILLED,
    BOOK_SNAPSHOTS,
    CLOCK_OFFSET,
    CLOCK_UNCERTAINTY,
];
